//! The examples, each with the official client from npm, as a newcomer would run them.
//!
//! Cargo builds the examples of a package with its tests, but not for this file alone: `cargo build --workspace
//! --all-features --examples` before it. `scripts/setup` installs the clients.

#[path = "../../conformance-tests/tests/support/node.rs"]
mod node;
#[path = "../../conformance-tests/tests/support/program.rs"]
mod program;
#[path = "../../conformance-tests/tests/support/python.rs"]
mod python;

use std::path::{Path, PathBuf};
use std::process::Command;

use program::Running;

/// No script takes half of this on a busy machine; one that hangs is ended and fails.
const LIMIT_SECONDS: &str = "120";

#[test]
fn echo() {
    Example::named("echo").passes_its_own();
}

/// Of the crate `engineio`: the engine alone.
#[test]
fn echo_messages() {
    Example::named("echo_messages").passes_its_own();
}

#[test]
fn custom_parser() {
    Example::named("custom_parser").passes_its_own();
}

#[test]
fn hyper_server() {
    Example::named("hyper_server").passes_its_own();
}

#[test]
fn guest_login() {
    Example::named("guest_login").passes_its_own();
}

#[test]
fn private_messages() {
    Example::named("private_messages").passes_its_own();
}

#[test]
fn dashboard() {
    Example::named("dashboard").passes_its_own();
}

#[test]
fn unit_tests() {
    Example::named("unit_tests").passes_its_own();
}

#[test]
fn upload() {
    let folder = scratch("upload");
    let folder = folder.to_str().expect("a name of our own");
    Example::with("upload", &["127.0.0.1:0", folder]).passes_with(&[("UPLOADS", folder)]);
}

#[test]
fn unix_socket() {
    // A folder of the target directory may be too long for the name of a socket.
    let path = std::env::temp_dir().join(format!("socketio-example-{}", std::process::id()));
    let path = path.to_str().expect("a name of our own");
    Example::with("unix_socket", &[path, "127.0.0.1:0"]).passes_with(&[("UNIX_SOCKET", path)]);
    std::fs::remove_file(path).expect("it was there");
}

#[test]
fn tls() {
    // Keys are not put into packages, so the example has none of its own.
    let pem = repository().join("engineio/tests/pem");
    let folder = scratch("tls");
    for (from, to) in [
        ("first.pem", "chain.pem"),
        ("first.key.pem", "key.pem"),
        ("second.pem", "renewed.chain.pem"),
        ("second.key.pem", "renewed.key.pem"),
        ("root.pem", "root.pem"),
    ] {
        std::fs::copy(pem.join(from), folder.join(to)).expect("our own folder");
    }
    let file = |name: &str| {
        let file = folder.join(name);
        file.to_str().expect("a name of our own").to_owned()
    };
    let arguments = [&*file("chain.pem"), &file("key.pem"), "127.0.0.1:0"];
    Example::with("tls", &arguments).passes_with(&[("FOLDER", &file(""))]);
}

#[test]
fn http2() {
    let pem = |name: &str| {
        let file = repository().join("engineio/tests/pem").join(name);
        file.to_str().expect("a name of our own").to_owned()
    };
    let arguments = [&*pem("first.pem"), &pem("first.key.pem"), "127.0.0.1:0"];
    let root = pem("root.pem");
    let environment = [("ROOT_CERTIFICATE", &*root)];
    Example::with("http2", &arguments).passes_with(&environment);
    Example::with("http2", &arguments).passes("node/browser/http2.test.mjs", &environment);
    Example::with("http2", &arguments).passes("python/clients/http2_test.py", &environment);
}

/// A program of `examples/`, and the script of the same name that drives it.
struct Example {
    name: &'static str,
    arguments: Vec<String>,
}

impl Example {
    /// At any port that is free.
    fn named(name: &'static str) -> Self {
        Self::with(name, &["127.0.0.1:0"])
    }

    fn with(name: &'static str, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|&argument| argument.to_owned());
        Self {
            name,
            arguments: arguments.collect(),
        }
    }

    /// Starts it and has its script pass.
    fn passes_its_own(self) {
        self.passes_with(&[]);
    }

    /// The same, and tells the script these.
    fn passes_with(self, environment: &[(&str, &str)]) {
        let script = format!("node/examples/{}.test.mjs", self.name);
        self.passes(&script, environment);
    }

    /// Starts it and has any script pass, of those beside the conformance tests.
    fn passes(self, script: &str, environment: &[(&str, &str)]) {
        let program = programs().join(self.name);
        assert_is_built(&program);
        let running = Running::start(Command::new(&program).args(&self.arguments));
        let process = running.process.id().to_string();
        let own = [("EXAMPLE_URL", &*running.url), ("EXAMPLE_PID", &process)];
        let environment = own.into_iter().chain(environment.iter().copied());
        let folder = repository().join("conformance-tests");
        let passed = match script.strip_prefix("node/") {
            Some(script) => node::run(&folder.join("node"), script, LIMIT_SECONDS, environment),
            None => python::run(&folder, script, LIMIT_SECONDS, environment),
        };
        assert_eq!(passed, Ok(()));
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A folder that is empty.
fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("examples")
        .join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("our own folder");
    folder
}

/// Where Cargo puts examples: beside the folder of this very program.
fn programs() -> PathBuf {
    let this = std::env::current_exe().expect("a test knows where it is");
    let profile = this.ancestors().nth(2).expect("it is in <profile>/deps");
    profile.join("examples")
}

/// That the program is what its sources say.
fn assert_is_built(program: &Path) {
    let changed = |file: &Path| file.metadata().and_then(|metadata| metadata.modified());
    let sources = std::fs::read_to_string(program.with_extension("d")).unwrap_or_default();
    let built = changed(program).ok();
    let is_stale = |source: &&str| changed(Path::new(source)).ok() > built;
    let stale = sources.split_whitespace().skip(1).find(is_stale);
    assert!(
        built.is_some() && stale.is_none(),
        "{} is not built since {stale:?}; run cargo build --workspace --all-features --examples",
        program.display()
    );
}
