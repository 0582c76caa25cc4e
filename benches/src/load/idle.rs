//! Memory: what clients cost who say nothing, or nothing more, and what stays when they have left.

use std::time::{Duration, Instant};

use super::latency::Latencies;
use super::net::{Link, Net, Play};
use super::session::{close_sessions, open_sessions};
use super::target::{Failure, Sample, Target};
use crate::wire;

/// A server that has used no time for so long has settled.
const QUIET: Duration = Duration::from_millis(300);

/// A server that does not settle is measured as it is.
const SETTLE_MAX: Duration = Duration::from_secs(5);

pub(super) fn play(target: &Target, clients: usize, said: usize) -> Result<Sample, Failure> {
    // What the first clients make a server allocate once does not belong to each.
    let mut net = Net::new(target)?;
    let links = open_sessions(&mut net, target, 10)?;
    talk(&mut net, target, &links, said)?;
    close_sessions(&mut net, &links)?;
    settle(target)?;
    let before = target.resident_bytes()?;
    let cpu_before = target.cpu_nanos()?;
    let started = Instant::now();
    let links = open_sessions(&mut net, target, clients)?;
    talk(&mut net, target, &links, said)?;
    let wall = started.elapsed();
    let cpu_nanos = target.cpu_nanos()? - cpu_before;
    settle(target)?;
    let held = target.resident_bytes()?;
    close_sessions(&mut net, &links)?;
    settle(target)?;
    let after = target.resident_bytes()?;
    Ok(Sample {
        units: clients as u64,
        warm_up_units: 0,
        cpu_nanos,
        wall,
        latencies: Latencies::default(),
        resident: Some([before, held, after]),
    })
}

/// Has each say something of this length, one after the other, and hear an answer.
fn talk(net: &mut Net, target: &Target, links: &[Link], bytes: usize) -> Result<(), Failure> {
    if bytes == 0 {
        return Ok(());
    }
    let event = target.frame(&format!("42[\"message\",\"{}\"]", target.text(bytes)));
    for link in links {
        net.send(*link, &event)?;
        let mut talking = Talking { is_answered: false };
        while !talking.is_answered {
            net.turn(&mut talking)?;
        }
    }
    Ok(())
}

struct Talking {
    is_answered: bool,
}

impl Play for Talking {
    /// Only a ping is shorter than the answer, and none is due.
    fn hear(&mut self, _: &mut Net, _: Link, bytes: &[u8]) -> Result<usize, Failure> {
        let Some((_, length)) = wire::read_frame(bytes) else {
            return Ok(0);
        };
        self.is_answered = true;
        Ok(length)
    }
}

fn settle(target: &Target) -> Result<(), Failure> {
    let end = Instant::now() + SETTLE_MAX;
    let mut before = target.cpu_nanos()?;
    while Instant::now() < end {
        std::thread::sleep(QUIET);
        let now = target.cpu_nanos()?;
        // A timer tick is not work.
        if now - before < 1_000_000 {
            break;
        }
        before = now;
    }
    Ok(())
}
