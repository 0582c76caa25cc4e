//! Who is under load, and what a run measured of it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::deflate;
use super::latency::Latencies;
use crate::process::Process;
use crate::wire::{self, opcode};

/// What is spoken above WebSocket frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Engine.IO messages: the `engine` profile.
    Engine,
    /// Socket.IO events: the `socket` profile.
    Socket,
}

/// The server under load.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    /// Whose time and memory are counted.
    pub process: Process,
    /// What it speaks.
    pub dialect: Dialect,
    /// Sent when joining the namespace: the object behind `40`, or nothing.
    pub auth: String,
    /// How TLS is spoken, where it is.
    pub tls: Option<Arc<ClientConfig>>,
    /// What is offered of permessage-deflate, where messages are to be compressed.
    pub deflate: Option<&'static str>,
    /// A proxy in front of the server, whose time and memory are counted with it.
    pub proxy: Option<Process>,
}

impl Target {
    /// Nanoseconds of a core, so far.
    pub(super) fn cpu_nanos(&self) -> io::Result<u64> {
        let proxy = self.proxy.map_or(Ok(0), Process::cpu_nanos)?;
        Ok(proxy + self.process.cpu_nanos()?)
    }

    /// Resident bytes.
    pub(super) fn resident_bytes(&self) -> io::Result<u64> {
        let proxy = self.proxy.map_or(Ok(0), Process::resident_bytes)?;
        Ok(proxy + self.process.resident_bytes()?)
    }

    /// A text of this many bytes: one that can be compressed like others, where it is.
    pub(super) fn text(&self, bytes: usize) -> String {
        if self.deflate.is_some() {
            deflate::text(bytes)
        } else {
            "x".repeat(bytes)
        }
    }

    /// The frame of a text, compressed where that was agreed on.
    pub(super) fn frame(&self, text: &str) -> Vec<u8> {
        if self.deflate.is_some() {
            wire::compressed_frame(opcode::TEXT, &deflate::compressed(text.as_bytes()))
        } else {
            wire::frame(opcode::TEXT, text.as_bytes())
        }
    }
}

/// Speaks TLS with a server whose certificate is for `localhost` and signed by the root in this file.
///
/// # Errors
///
/// When there is none in it.
pub fn trusting(root: &Path) -> Result<Arc<ClientConfig>, Box<dyn std::error::Error>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(root)?)?;
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// What one run of a scenario measured.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Messages, deliveries, connections: what the scenario counts.
    pub units: u64,
    /// Units before the measurement began.
    pub warm_up_units: u64,
    /// Nanoseconds of the server for all of them.
    pub cpu_nanos: u64,
    /// How long the run took.
    pub wall: Duration,
    /// From sending to hearing, where the scenario measures it.
    pub latencies: Latencies,
    /// Resident bytes of the server: before, with everyone connected, after all have left.
    pub resident: Option<[u64; 3]>,
}

impl Sample {
    /// Nanoseconds of the server for each unit.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub fn nanos_per_unit(&self) -> f64 {
        self.cpu_nanos as f64 / self.units.max(1) as f64
    }
}

/// Why a run does not count.
#[derive(Debug)]
pub enum Failure {
    /// The system said so.
    Io(io::Error),
    /// The server did not answer as the profile says.
    Wrong(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::Wrong(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Failure {}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
