//! The servers that take part: how each is built, started and ended.

use std::error::Error;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use tokio_rustls::rustls::ClientConfig;

use crate::load::{Failure, trusting};
use crate::process::Process;
use crate::sys;

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerKind {
    /// The fixture on the engine's own listener.
    Ours,
    /// The same with TLS.
    OursTls,
    /// The fixture behind hyper.
    OursHyper,
    /// The fixture behind axum.
    OursAxum,
    /// The yardstick.
    Floor,
    /// socketioxide behind hyper.
    Socketioxide,
    /// socket.io on Node.js with ws.
    Node,
    /// socket.io on Bun's engine.
    Bun,
}

const ALL: [ServerKind; 8] = [
    ServerKind::Ours,
    ServerKind::OursTls,
    ServerKind::OursHyper,
    ServerKind::OursAxum,
    ServerKind::Floor,
    ServerKind::Socketioxide,
    ServerKind::Node,
    ServerKind::Bun,
];

/// A server that listens; ends when dropped.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) kind: ServerKind,
    pub(super) address: SocketAddr,
    child: Child,
    /// Kept, so that a server that says more than one line does not fail.
    _stdout: BufReader<ChildStdout>,
}

impl ServerKind {
    /// By the name for the command line.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The name for the command line and the report.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::OursTls => "ours-tls",
            Self::OursHyper => "ours-hyper",
            Self::OursAxum => "ours-axum",
            Self::Floor => "floor",
            Self::Socketioxide => "socketioxide",
            Self::Node => "node",
            Self::Bun => "bun",
        }
    }

    pub(super) fn is_ours(self) -> bool {
        matches!(
            self,
            Self::Ours | Self::OursTls | Self::OursHyper | Self::OursAxum
        )
    }

    /// Builds it, or installs what it needs, where that has not been done.
    ///
    /// # Errors
    ///
    /// When cargo or npm cannot be run, or fails.
    pub fn build(self) -> Result<(), Box<dyn Error>> {
        let cargo = || {
            let mut cargo = Command::new("cargo");
            cargo.args(["build", "--profile", "measured", "--quiet"]);
            cargo
        };
        match self {
            Self::Ours | Self::OursTls | Self::OursHyper | Self::OursAxum => {
                done(cargo().args(["-p", "conformance-tests", "--bin", "fixture"]))
            }
            Self::Floor => done(cargo().args(["-p", "benches", "--bin", "floor"])),
            Self::Socketioxide => done(
                cargo()
                    .args(["--locked", "--manifest-path"])
                    .arg(peer("socketioxide").join("Cargo.toml"))
                    .env("CARGO_TARGET_DIR", root().join("target/peers")),
            ),
            Self::Node | Self::Bun => {
                let folder = peer(self.name());
                if folder.join("node_modules").exists() {
                    return Ok(());
                }
                done(Command::new("npm").arg("ci").current_dir(folder))
            }
        }
    }

    fn command(self, profile: &str) -> Command {
        let measured = |name: &str| Command::new(root().join("target/measured").join(name));
        let fixture = |listener: &str| {
            let mut command = measured("fixture");
            command.args(["--profile", profile, "--listener", listener, "--port", "0"]);
            command
        };
        match self {
            Self::Ours => fixture("own"),
            Self::OursTls => {
                let mut command = fixture("tls");
                command.env("TLS_CHAIN", pem("first.pem"));
                command.env("TLS_KEY", pem("first.key.pem"));
                command
            }
            Self::OursHyper => fixture("hyper"),
            Self::OursAxum => fixture("axum"),
            Self::Floor => {
                let mut command = measured("floor");
                command.args(["--port", "0"]);
                command
            }
            Self::Socketioxide => {
                Command::new(root().join("target/peers/measured/peer-socketioxide"))
            }
            Self::Node => {
                let mut command = Command::new("node");
                command.arg(peer("node").join("server.js"));
                command
            }
            Self::Bun => {
                let mut command = Command::new(peer("bun").join("node_modules/.bin/bun"));
                command.arg(peer("bun").join("server.js"));
                command
            }
        }
    }

    /// Starts it on a free port, on the core that this process is on.
    pub(super) fn start(self, profile: &str, secret: &str) -> Result<Running, Box<dyn Error>> {
        self.launch(self.command(profile), secret)
    }

    /// Starts it under valgrind, which says at the end how many instructions it took.
    pub(super) fn start_counted(
        self,
        profile: &str,
        secret: &str,
    ) -> Result<Running, Box<dyn Error>> {
        let plain = self.command(profile);
        let mut counted = Command::new("valgrind");
        counted
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(plain.get_program())
            .args(plain.get_args())
            .stderr(Stdio::piped());
        self.launch(counted, secret)
    }

    fn launch(self, mut command: Command, secret: &str) -> Result<Running, Box<dyn Error>> {
        let mut child = command
            .env("NO_AUTH_EVENT", "1")
            .env("PING_INTERVAL", "25000")
            .env("PING_TIMEOUT", "20000")
            .env("JWT_SECRET", secret)
            .env("RUST_LOG", "off")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or("no output to read")?;
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        match line
            .trim()
            .strip_prefix("listening on ")
            .map(str::parse::<SocketAddr>)
        {
            Some(Ok(address)) => Ok(Running {
                kind: self,
                address,
                child,
                _stdout: stdout,
            }),
            _ => {
                child.kill()?;
                child.wait()?;
                Err(format!("it says {line:?}").into())
            }
        }
    }
}

/// A file that the tests of TLS have.
fn pem(name: &str) -> PathBuf {
    root().join("engineio/tests/pem").join(name)
}

impl Running {
    /// How its TLS is spoken with.
    pub(super) fn tls(&self) -> Result<Option<Arc<ClientConfig>>, Failure> {
        match self.kind {
            ServerKind::OursTls => trusting(&pem("root.pem"))
                .map(Some)
                .map_err(|error| Failure::Wrong(error.to_string())),
            _ => Ok(None),
        }
    }

    pub(super) fn process(&self) -> Process {
        Process(self.child.id())
    }

    /// Ends it; what it said on standard error, where that is kept.
    pub(super) fn end(mut self) -> io::Result<String> {
        sys::terminate(self.child.id())?;
        let mut said = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut said)?;
        }
        Ok(said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = sys::terminate(self.child.id());
        let _ = self.child.wait();
    }
}

fn done(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let status = command.current_dir(root()).status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{command:?} failed").into())
    }
}

/// The workspace.
fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

fn peer(name: &str) -> PathBuf {
    root().join("benches/peers").join(name)
}
