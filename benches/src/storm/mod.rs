//! What it costs that thousands of clients are cut off and come back at once, each with a token.

mod tokens;

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Command;

pub use tokens::Algorithm;

use crate::compare::report::{digits, median};
use crate::compare::{LOAD_CORE, SERVER_CORE, machine, note};
use crate::listening::Listening;
use crate::load::storm::{self, Wave};
use crate::load::{Dialect, Target};
use crate::sys;
use crate::workspace::{build_measured, measured, root};

/// How long a server that remembers tokens does so, in milliseconds: longer than any run.
const REMEMBERED: &str = "60000";

/// A server that takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Contender {
    is_ours: bool,
    /// Whether a token that was accepted is remembered.
    remembers: bool,
}

const CONTENDERS: [Contender; 4] = [
    Contender {
        is_ours: true,
        remembers: true,
    },
    Contender {
        is_ours: false,
        remembers: true,
    },
    Contender {
        is_ours: true,
        remembers: false,
    },
    Contender {
        is_ours: false,
        remembers: false,
    },
];

/// What to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// What tokens are signed with; all by default.
    pub algorithms: Vec<Algorithm>,
    /// Clients at one time, at most 9,500: those that go and those that come have a descriptor each. Default 4,000.
    pub clients: usize,
    /// How often all come back; default 5, which makes 20,000 clients.
    pub returns: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            algorithms: Algorithm::ALL.to_vec(),
            clients: 4_000,
            returns: 5,
        }
    }
}

/// Plays the storm against each server with each algorithm, and prints the table.
///
/// # Errors
///
/// When a server cannot be built or started, or lets somebody not in.
pub fn storm(options: &Options) -> Result<(), Box<dyn Error>> {
    sys::raise_descriptor_limit()?;
    build_measured("conformance-tests", &["--bin", "fixture"])?;
    let mut out = format!(
        "{}; {} clients that come back {} times\n\n\
         | server | tokens | first connect | coming back | at that rate, clients a second | peak memory |\n\
         |---|---|---|---|---|---|\n",
        machine::describe(),
        options.clients,
        options.returns
    );
    for algorithm in &options.algorithms {
        note(algorithm.name());
        let packets = algorithm.packets(options.clients)?;
        for contender in CONTENDERS {
            let (waves, peak) = contender.play(*algorithm, packets.clone(), options.returns)?;
            line(&mut out, contender, *algorithm, &waves, peak);
        }
    }
    writeln!(
        std::io::stdout(),
        "{out}\nServer's processor time for each client, in user space and the kernel; of those who come back the median, and with it the end of the session that each had."
    )?;
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn line(out: &mut String, contender: Contender, algorithm: Algorithm, waves: &[Wave], peak: u64) {
    let Some((first, back)) = waves.split_first() else {
        return;
    };
    let each: Vec<f64> = back.iter().map(Wave::micros_each).collect();
    let rates: Vec<f64> = back
        .iter()
        .map(|wave| wave.clients as f64 / wave.wall.as_secs_f64())
        .collect();
    let _ = writeln!(
        out,
        "| {} | {} | {} µs | {} µs | {:.0} | {:.0} MiB |",
        contender.name(),
        algorithm.name(),
        digits(first.micros_each()),
        digits(median(&each).unwrap_or_default()),
        median(&rates).unwrap_or_default(),
        peak as f64 / 1024.0 / 1024.0,
    );
}

impl Contender {
    fn name(self) -> String {
        let kind = if self.is_ours { "ours" } else { "node" };
        let how = if self.remembers {
            "remembering"
        } else {
            "verifying each time"
        };
        format!("{kind}, {how}")
    }

    fn play(
        self,
        algorithm: Algorithm,
        packets: Vec<String>,
        returns: usize,
    ) -> Result<(Vec<Wave>, u64), Box<dyn Error>> {
        let mut command = if self.is_ours {
            Command::new(measured("fixture"))
        } else {
            let mut node = Command::new("node");
            node.arg(root().join("conformance-tests/node/fixture.mjs"));
            node
        };
        algorithm.tell(&mut command);
        command
            .args(["--profile", "auth", "--port", "0"])
            .env("JWT_CACHE", if self.remembers { REMEMBERED } else { "0" })
            .env("RUST_LOG", "off");
        sys::pin_to(SERVER_CORE)?;
        let server = Listening::start(&mut command);
        sys::pin_to(LOAD_CORE)?;
        let server = server?;
        let target = Target {
            address: server.address,
            process: server.process(),
            dialect: Dialect::Socket,
            auth: String::new(),
            tls: None,
            deflate: None,
            proxy: None,
        };
        let waves = storm::play(&target, packets, returns)
            .map_err(|why| format!("{}: {why}", self.name()))?;
        Ok((waves, server.process().peak_bytes()?))
    }
}
