//! Where the workspace has what is measured, and building it.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs it in the workspace until it ends well.
pub(crate) fn done(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let status = command.current_dir(root()).status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{command:?} failed").into())
    }
}

/// Builds a program of the workspace as it is measured.
pub(crate) fn build_measured(package: &str, what: &[&str]) -> Result<(), Box<dyn Error>> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--profile", "measured", "--quiet", "-p", package]);
    done(cargo.args(what))
}

/// Where [`build_measured`] puts what it builds.
pub(crate) fn measured(name: &str) -> PathBuf {
    root().join("target/measured").join(name)
}

/// The workspace.
pub(crate) fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

/// The folder of a server of others.
pub(crate) fn peer(name: &str) -> PathBuf {
    root().join("benches/peers").join(name)
}

/// A file that the tests of TLS have.
pub(crate) fn pem(name: &str) -> PathBuf {
    root().join("engineio/tests/pem").join(name)
}
