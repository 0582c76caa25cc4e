//! The application with the official client from npm, and its pages in a real Chromium. `scripts/setup` installs both.

#[path = "../../../../conformance-tests/tests/support/node.rs"]
mod node;
#[path = "../../../../conformance-tests/tests/support/program.rs"]
mod program;

use std::path::{Path, PathBuf};
use std::process::Command;

use program::Running;

const NODE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../conformance-tests/node"
);

/// No script takes half of this on a busy machine; one that hangs is ended and fails.
const LIMIT_SECONDS: &str = "120";

/// A page of another origin that may use the application, as a build tool serves it.
const OTHER_PAGE: &str = "http://localhost:5173";

#[test]
fn who_is_logged_in_has_live_notes_until_the_program_is_told_to_end() {
    let mut application = passes("examples/web_app.test.mjs", &[("OTHER_PAGE", OTHER_PAGE)]);
    // The script has told it, with a client connected.
    let ended = application.process.wait().expect("the process is ours");
    assert!(ended.success(), "{ended}");
}

#[test]
fn notes_appear_in_every_tab() {
    // Its own addresses alone, which it finds out itself.
    passes("browser/web_app.test.mjs", &[]);
}

/// Starts the program with a database of its own, and has the script pass.
fn passes(script: &str, environment: &[(&str, &str)]) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_web_app"));
    command
        .env("ADDRESS", "127.0.0.1:0")
        .env("DATABASE", database(script));
    if let Some((_, page)) = environment.iter().find(|(name, _)| *name == "OTHER_PAGE") {
        command.env("PAGES", page);
    }
    let application = Running::start(&mut command);
    let process = application.process.id().to_string();
    let own = [
        ("EXAMPLE_URL", &*application.url),
        ("EXAMPLE_PID", &process),
    ];
    let environment = own.into_iter().chain(environment.iter().copied());
    assert_eq!(
        node::run(Path::new(NODE), script, LIMIT_SECONDS, environment),
        Ok(())
    );
    application
}

/// A file that is not there yet, in a folder of this test's own.
fn database(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name.replace('/', "-"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("our own folder");
    folder.join("notes.sqlite")
}
