//! Clients who all lose their connections at once, and all come back at once, each with the token that it had.

use std::time::{Duration, Instant};

use super::net::Net;
use super::session::{Opener, Opening};
use super::target::{Failure, Target};

/// Clients that are coming at one time: below the backlog of every server.
const COMING_MAX: usize = 400;

/// What the server spent on a crowd that came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wave {
    pub(crate) clients: usize,
    pub(crate) cpu_nanos: u64,
    pub(crate) wall: Duration,
}

impl Wave {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub(crate) fn micros_each(&self) -> f64 {
        self.cpu_nanos as f64 / 1000.0 / self.clients.max(1) as f64
    }
}

/// One client for each packet comes; then so often all are cut off and come back.
pub(crate) fn play(
    target: &Target,
    packets: Vec<String>,
    returns: usize,
) -> Result<Vec<Wave>, Failure> {
    let clients = packets.len();
    let mut net = Net::new(target)?;
    let mut opening = Opening::new(Opener::with(target, packets), clients);
    let mut waves = Vec::new();
    for _ in 0..=returns {
        let before = target.process.cpu_nanos()?;
        let began = Instant::now();
        for link in std::mem::take(&mut opening.ready) {
            net.close(link);
        }
        opening.fill(&mut net, clients, COMING_MAX, |client| client)?;
        waves.push(Wave {
            clients,
            cpu_nanos: target.process.cpu_nanos()? - before,
            wall: began.elapsed(),
        });
    }
    Ok(waves)
}
