//! Servers for the suite's own tests: started on a port of their own, ended with the value.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::panic, reason = "helpers of tests")]

pub(crate) mod process;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};

use conformance_tests::{Format, Options, Profile, Report, run};

use process::Listening;

/// Rules about time want the machine for themselves.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// How to start a fixture.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    command: Vec<PathBuf>,
    environment: Vec<(String, String)>,
}

impl Start {
    /// Our fixture, with these arguments beside profile and port.
    pub(crate) fn ours(arguments: &[&str]) -> Self {
        let mut command = vec![PathBuf::from(env!("CARGO_BIN_EXE_fixture"))];
        command.extend(arguments.iter().map(PathBuf::from));
        Self {
            command,
            environment: Vec::new(),
        }
    }

    /// The reference, from npm.
    pub(crate) fn node() -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("node");
        assert!(
            here.join("node_modules").exists(),
            "the Node packages are missing: run scripts/setup"
        );
        Self {
            command: vec!["node".into(), here.join("fixture.mjs")],
            environment: Vec::new(),
        }
    }

    /// The second opinion, from PyPI.
    pub(crate) fn python() -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
        let interpreter = here.join(".venv/bin/python");
        assert!(
            interpreter.exists(),
            "the Python packages are missing: run scripts/setup"
        );
        Self {
            command: vec![interpreter, here.join("fixture.py")],
            environment: Vec::new(),
        }
    }

    /// The same, with no more than so many descriptors.
    pub(crate) fn limited(mut self, descriptors: usize) -> Self {
        let shell = format!(r#"ulimit -n {descriptors}; exec "$0" "$@""#);
        let words = ["sh", "-c", &shell].map(PathBuf::from);
        self.command.splice(..0, words);
        self
    }

    /// The same, with this in its environment.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn command(&self, profile: Profile, port: u16) -> Command {
        let (program, words) = self.command.split_first().expect("a command has a program");
        let mut command = Command::new(program);
        command
            .args(words)
            .args(["--profile", profile.fixture(), "--port", &port.to_string()])
            .envs(profile.environment().iter().copied())
            .envs(self.environment.iter().cloned());
        command
    }
}

/// A fixture that ends with this value.
pub(crate) struct Server {
    running: Listening,
    pub(crate) url: String,
}

impl Server {
    /// Starts a fixture for a profile and waits until it listens.
    pub(crate) fn start(start: &Start, profile: Profile) -> Self {
        let running = if profile == Profile::Matrix {
            start_matrix(start)
        } else {
            Listening::start(&mut start.command(profile, 0))
        };
        Self {
            url: format!("http://{}", running.address),
            running,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running.process.id()
    }

    /// Host and port, so many ports further on.
    pub(crate) fn address(&self, offset: u16) -> String {
        let address = self.url.trim_start_matches("http://");
        let (host, port) = address.rsplit_once(':').expect("the fixture named a port");
        let port: u16 = port.parse().expect("the port is a number");
        format!("{host}:{}", port + offset)
    }

    /// The process has not ended by itself.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.running.process.try_wait(), Ok(None))
    }

    /// Asks the process to end.
    pub(crate) fn terminate(&self) {
        let asked = Command::new("kill").arg(self.pid().to_string()).status();
        assert!(asked.expect("kill is there").success());
    }

    /// How the process ended.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.running.process.wait().expect("the process is ours")
    }

    /// Ends the process as a crash would.
    pub(crate) fn kill(&mut self) {
        self.running.process.kill().ok();
        self.running.process.wait().ok();
    }
}

/// Starts the seven servers of the matrix, on seven ports in a row that were free a moment ago. Another run may take
/// one of them first, which ends the fixture before it listens; the next window is tried then.
///
/// The ports are below those that the system hands out, which outgoing connections of other tests hold for a while.
fn start_matrix(start: &Start) -> Listening {
    const FIRST: u16 = 21_400;
    const WINDOWS: u16 = 84;
    const TRIES: usize = 8;
    let own = std::process::id() % u32::from(WINDOWS);
    let own = u16::try_from(own).expect("there are few windows");
    let is_free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
    let mut ended = Vec::new();
    (0..WINDOWS)
        .map(|window| FIRST + (own + window) % WINDOWS * 7)
        .filter(|&first| (first..first + 7).all(is_free))
        .take(TRIES)
        .find_map(|first| {
            let started = Listening::try_start(&mut start.command(Profile::Matrix, first));
            started.map_err(|status| ended.push((first, status))).ok()
        })
        .unwrap_or_else(|| panic!("no matrix on seven ports in a row: port and end {ended:?}"))
}

/// Holds the machine for one run.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs the suite.
pub(crate) fn check(url: &str, options: Options) -> Report {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(run(url, options))
        .unwrap_or_else(|error| panic!("{url}: {error}"))
}

/// What a person needs to see when an assertion fails.
pub(crate) fn table(report: &Report) -> String {
    report.to_format(Format::Table)
}
