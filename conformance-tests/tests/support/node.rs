//! Scripts of `conformance-tests/node`, run by Node's own test runner.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

/// Has a script of that folder pass, with this in its environment; it ends after so many seconds.
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
    assert!(
        folder.join("node_modules").exists(),
        "the Node packages are missing; run scripts/setup"
    );
    let output = Command::new("timeout")
        .args([limit_seconds, "node", "--test"])
        .arg(folder.join(script))
        .envs(environment)
        .output()
        .expect("coreutils' timeout runs");
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(String::from_utf8_lossy(&said).into_owned())
}
