//! Memory: what ten thousand clients cost who say nothing, and what stays when they have left.

use std::time::{Duration, Instant};

use super::latency::Latencies;
use super::net::Net;
use super::session::{close_sessions, open_sessions};
use super::target::{Failure, Sample, Target};
use crate::process::Process;

/// Connections held.
const CLIENTS: usize = 10_000;

/// A server that has used no time for so long has settled.
const QUIET: Duration = Duration::from_millis(300);

/// A server that does not settle is measured as it is.
const SETTLE_MAX: Duration = Duration::from_secs(5);

pub(super) fn play(target: &Target) -> Result<Sample, Failure> {
    // What the first clients make a server allocate once does not belong to each.
    let mut net = Net::new(target)?;
    let links = open_sessions(&mut net, target, 10)?;
    close_sessions(&mut net, &links)?;
    settle(target.process)?;
    let before = target.process.resident_bytes()?;
    let cpu_before = target.process.cpu_nanos()?;
    let started = Instant::now();
    let links = open_sessions(&mut net, target, CLIENTS)?;
    let wall = started.elapsed();
    let cpu_nanos = target.process.cpu_nanos()? - cpu_before;
    settle(target.process)?;
    let held = target.process.resident_bytes()?;
    close_sessions(&mut net, &links)?;
    settle(target.process)?;
    let after = target.process.resident_bytes()?;
    Ok(Sample {
        units: CLIENTS as u64,
        warm_up_units: 0,
        cpu_nanos,
        wall,
        latencies: Latencies::default(),
        resident: Some([before, held, after]),
    })
}

fn settle(process: Process) -> Result<(), Failure> {
    let end = Instant::now() + SETTLE_MAX;
    let mut before = process.cpu_nanos()?;
    while Instant::now() < end {
        std::thread::sleep(QUIET);
        let now = process.cpu_nanos()?;
        // A timer tick is not work.
        if now - before < 1_000_000 {
            break;
        }
        before = now;
    }
    Ok(())
}
