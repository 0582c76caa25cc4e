//! The servers that take part: how each is built, started and ended.

use std::error::Error;
use std::process::{Command, Stdio};
use std::sync::Arc;

use tokio_rustls::rustls::ClientConfig;

use super::layer::Layer;
use super::nginx::Nginx;
use crate::listening::Listening;
use crate::load::{Dialect, Failure, Target, trusting};
use crate::workspace::{build_measured, done, measured, peer, pem, root};

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerKind {
    /// The fixture on the engine's own listener.
    Ours,
    /// The same with TLS.
    OursTls,
    /// The fixture on the engine's own listener, behind nginx that ends TLS.
    OursNginx,
    /// The fixture behind hyper.
    OursHyper,
    /// The fixture behind axum.
    OursAxum,
    /// The fixture on two current-thread runtimes that share the port.
    OursShards,
    /// The fixture on the multi-thread runtime, with two threads.
    OursMulti,
    /// The yardstick.
    Floor,
    /// socketioxide behind hyper.
    Socketioxide,
    /// socket.io on Node.js with ws.
    Node,
    /// socket.io on Bun's engine.
    Bun,
}

const ALL: [ServerKind; 11] = [
    ServerKind::Ours,
    ServerKind::OursTls,
    ServerKind::OursNginx,
    ServerKind::OursHyper,
    ServerKind::OursAxum,
    ServerKind::OursShards,
    ServerKind::OursMulti,
    ServerKind::Floor,
    ServerKind::Socketioxide,
    ServerKind::Node,
    ServerKind::Bun,
];

/// A server that listens; ends when dropped.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) kind: ServerKind,
    pub(super) server: Listening,
    nginx: Option<Nginx>,
    is_secured: bool,
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
            Self::OursNginx => "ours-nginx",
            Self::OursHyper => "ours-hyper",
            Self::OursAxum => "ours-axum",
            Self::OursShards => "ours-shards",
            Self::OursMulti => "ours-multi",
            Self::Floor => "floor",
            Self::Socketioxide => "socketioxide",
            Self::Node => "node",
            Self::Bun => "bun",
        }
    }

    pub(super) fn is_ours(self) -> bool {
        !matches!(
            self,
            Self::Floor | Self::Socketioxide | Self::Node | Self::Bun
        )
    }

    /// Whether it wants a core for each of its threads, and so shares one with the load.
    pub(super) fn has_threads(self) -> bool {
        self.flavor_max().is_some()
    }

    /// How many times what one thread costs a message may cost with more.
    pub(super) fn flavor_max(self) -> Option<f64> {
        match self {
            Self::OursShards => Some(1.05),
            Self::OursMulti => Some(1.25),
            _ => None,
        }
    }

    /// Builds it, or installs what it needs, where that has not been done.
    ///
    /// # Errors
    ///
    /// When cargo or npm cannot be run, or fails.
    pub fn build(self) -> Result<(), Box<dyn Error>> {
        match self {
            Self::Ours
            | Self::OursTls
            | Self::OursHyper
            | Self::OursAxum
            | Self::OursShards
            | Self::OursMulti => build_measured("conformance-tests", &["--bin", "fixture"]),
            Self::OursNginx => {
                Nginx::find()?;
                Self::Ours.build()
            }
            Self::Floor => build_measured("benches", &["--bin", "floor"]),
            Self::Socketioxide => done(
                Command::new("cargo")
                    .args(["build", "--profile", "measured", "--quiet", "--locked"])
                    .arg("--manifest-path")
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

    fn command(self, profile: &str, layer: Layer) -> Command {
        let fixture = |listener: &str| {
            let mut command = Command::new(measured("fixture"));
            command.args(["--profile", profile, "--listener", listener, "--port", "0"]);
            command
        };
        match self {
            Self::Ours if layer == Layer::Tls => fixture("tls"),
            Self::Ours | Self::OursNginx => fixture("own"),
            Self::OursTls => fixture("tls"),
            Self::OursHyper => fixture("hyper"),
            Self::OursAxum => fixture("axum"),
            Self::OursShards => {
                let mut command = fixture("own");
                command.args(["--flavor", "shards"]);
                command
            }
            Self::OursMulti => {
                let mut command = fixture("own");
                command.args(["--flavor", "multi"]);
                command
            }
            Self::Floor => {
                let mut command = Command::new(measured("floor"));
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
    pub(super) fn start(
        self,
        profile: &str,
        layer: Layer,
        secret: &str,
    ) -> Result<Running, Box<dyn Error>> {
        self.launch(self.command(profile, layer), layer, secret)
    }

    /// Starts it under valgrind, which says at the end how many instructions it took.
    pub(super) fn start_counted(
        self,
        profile: &str,
        layer: Layer,
        secret: &str,
    ) -> Result<Running, Box<dyn Error>> {
        let plain = self.command(profile, layer);
        let mut counted = Command::new("valgrind");
        counted
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(plain.get_program())
            .args(plain.get_args())
            .stderr(Stdio::piped());
        self.launch(counted, layer, secret)
    }

    fn launch(
        self,
        mut command: Command,
        layer: Layer,
        secret: &str,
    ) -> Result<Running, Box<dyn Error>> {
        let is_secured = match self {
            Self::OursNginx => false,
            Self::OursTls => true,
            _ => layer == Layer::Tls,
        };
        if is_secured {
            command.env("TLS_CHAIN", pem("first.pem"));
            command.env("TLS_KEY", pem("first.key.pem"));
        }
        if layer.offer().is_some() {
            command.env("DEFLATE_THRESHOLD", "1024");
        }
        command
            .env("NO_AUTH_EVENT", "1")
            .env("PING_INTERVAL", "25000")
            .env("PING_TIMEOUT", "20000")
            .env("JWT_SECRET", secret)
            .env("RUST_LOG", "off");
        let server = Listening::start(&mut command)?;
        let nginx = match self {
            Self::OursNginx => Some(Nginx::start(server.address)?),
            _ => None,
        };
        Ok(Running {
            kind: self,
            is_secured: is_secured || nginx.is_some(),
            nginx,
            server,
        })
    }
}

impl Running {
    /// How its TLS is spoken with.
    fn tls(&self) -> Result<Option<Arc<ClientConfig>>, Failure> {
        if !self.is_secured {
            return Ok(None);
        }
        trusting(&pem("root.pem"))
            .map(Some)
            .map_err(|error| Failure::Wrong(error.to_string()))
    }

    /// It, as the load sees it. `auth` is what clients say of themselves.
    pub(super) fn target(
        &self,
        layer: Layer,
        auth: String,
        dialect: Dialect,
    ) -> Result<Target, Failure> {
        let nginx = self.nginx.as_ref();
        Ok(Target {
            address: nginx.map_or(self.server.address, |nginx| nginx.address),
            process: self.server.process(),
            dialect,
            auth,
            tls: self.tls()?,
            deflate: layer.offer(),
            proxy: nginx.map(Nginx::process),
        })
    }
}
