//! Scripts of `conformance-tests/python`, run by the Python that has the packages they need.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

/// Has a script of the folder of this crate pass, with this in its environment; it ends after so many seconds.
///
/// # Errors
///
/// What it said, when it fails.
pub(crate) fn run<N: AsRef<OsStr>, V: AsRef<OsStr>>(
    folder: &Path,
    script: &str,
    limit_seconds: &str,
    environment: impl IntoIterator<Item = (N, V)>,
) -> Result<(), String> {
    let python = folder.join("python/.venv/bin/python");
    assert!(
        python.exists(),
        "the Python packages are missing; run scripts/setup"
    );
    let output = Command::new("timeout")
        .arg(limit_seconds)
        .arg(python)
        // Without the compiled files that it would leave beside the scripts.
        .arg("-B")
        .arg(folder.join(script))
        .arg("--failfast")
        .envs(environment)
        .output()
        .expect("coreutils' timeout runs");
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(String::from_utf8_lossy(&said).into_owned())
}
