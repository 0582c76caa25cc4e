//! Clients who all lose their connections at once, and all come back at once, each with the token that it had.

use std::time::{Duration, Instant};

use super::net::{Link, Net, Play};
use super::session::{Opener, keep_house};
use super::target::{Failure, Target};
use crate::wire;

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

struct Storm {
    opener: Opener,
    /// Of those who are in.
    links: Vec<Link>,
}

/// One client for each packet comes; then so often all are cut off and come back.
pub(crate) fn play(
    target: &Target,
    packets: Vec<String>,
    returns: usize,
) -> Result<Vec<Wave>, Failure> {
    let clients = packets.len();
    let mut net = Net::new(target)?;
    let mut storm = Storm {
        opener: Opener::with(target, packets),
        links: Vec::with_capacity(clients),
    };
    let mut waves = Vec::new();
    for _ in 0..=returns {
        let before = target.process.cpu_nanos()?;
        let began = Instant::now();
        for link in std::mem::take(&mut storm.links) {
            net.close(link);
        }
        let mut started = 0;
        while storm.links.len() < clients {
            while started < clients && started - storm.links.len() < COMING_MAX {
                storm.opener.start_as(&mut net, started)?;
                started += 1;
            }
            net.turn(&mut storm)?;
        }
        waves.push(Wave {
            clients,
            cpu_nanos: target.process.cpu_nanos()? - before,
            wall: began.elapsed(),
        });
    }
    Ok(waves)
}

impl Play for Storm {
    fn hear(&mut self, net: &mut Net, link: Link, bytes: &[u8]) -> Result<usize, Failure> {
        if self.opener.is_ready(link) {
            let Some((frame, length)) = wire::read_frame(bytes) else {
                return Ok(0);
            };
            keep_house(net, link, frame)?;
            return Ok(length);
        }
        let taken = self.opener.hear(net, link, bytes)?;
        if self.opener.is_ready(link) {
            self.links.push(link);
        }
        Ok(taken)
    }
}
