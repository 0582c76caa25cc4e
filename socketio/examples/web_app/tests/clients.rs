//! The application with the official client from npm, and its pages in a real Chromium. `scripts/setup` installs both.
#![allow(clippy::panic, reason = "a helper that fails fails its test")]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

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
fn passes(script: &str, environment: &[(&str, &str)]) -> Application {
    let node = Path::new(NODE);
    assert!(
        node.join("node_modules").exists(),
        "the clients are missing; run scripts/setup"
    );
    let application = Application::start(script, environment);
    let output = Command::new("timeout")
        .args([LIMIT_SECONDS, "node", "--test"])
        .arg(node.join(script))
        .env("EXAMPLE_URL", &application.url)
        .env("EXAMPLE_PID", application.process.id().to_string())
        .envs(environment.iter().copied())
        .output()
        .expect("coreutils' timeout runs");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    application
}

/// The program, which ends with the value.
struct Application {
    process: Child,
    url: String,
}

impl Application {
    fn start(name: &str, environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_web_app"));
        command
            .env("ADDRESS", "127.0.0.1:0")
            .env("DATABASE", database(name))
            .stderr(Stdio::piped());
        if let Some((_, page)) = environment.iter().find(|(name, _)| *name == "OTHER_PAGE") {
            command.env("PAGES", page);
        }
        let mut process = command.spawn().expect("Cargo has built it");
        let said = process.stderr.take().expect("it is piped");
        let mut lines = BufReader::new(said).lines();
        let url =
            lines.find_map(|line| line.ok()?.strip_prefix("listening on ").map(str::to_owned));
        // What it says later is nobody's, but must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        match url {
            Some(url) => Self { process, url },
            None => panic!("it did not listen: {:?}", process.wait()),
        }
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        // It may be gone already, which the script has noticed then.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A file that is not there yet, in a folder of this test's own.
fn database(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name.replace('/', "-"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("our own folder");
    folder.join("notes.sqlite")
}
