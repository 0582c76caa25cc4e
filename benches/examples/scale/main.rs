//! What an event, a delivery, a heartbeat and a room cost a server that has few clients, and one that has a million. Clients
//! are in memory; the clock is a paused one, so that heartbeats come as soon as nothing else is to be done.
//!
//! `cargo run --release -p benches -- scale` builds and runs it, and makes a table of what it prints: sessions, resident MiB,
//! kind of work, units, nanoseconds and allocations for each. It takes the least and the most sessions, and the units.

#![expect(
    clippy::print_stdout,
    reason = "what it is for is the table that it prints"
)]

mod crowd;
mod member;

use std::error::Error;

use benches::allocations::{self, Counting};
use benches::process::Process;
use crowd::{Crowd, Work};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Units of each kind of work at least.
const UNITS: usize = 100_000;

/// Of each kind before the measurement, so that pools and tables have their size.
const WARM_UP: usize = 1_000;

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |otherwise| arguments.next().map_or(Ok(otherwise), |word| word.parse());
    let (least, most, units) = (number(1_000)?, number(1_000_000)?, number(UNITS)?);
    let me = Process(std::process::id());
    let count = allocations::count_this_thread();
    let mut crowd = Crowd::new()?;
    let mut size: usize = least;
    while size <= most {
        crowd.grow_to(size)?;
        // Before anyone is in a room.
        let resident = me.resident_bytes()? / 1024 / 1024;
        crowd.fill_rooms()?;
        for work in Work::ALL {
            crowd.work(work, WARM_UP)?;
            let (cpu, allocated) = (me.cpu_nanos()?, count.so_far());
            let done = crowd.work(work, units)?;
            let nanos = (me.cpu_nanos()? - cpu) as f64 / done as f64;
            let allocations = (count.so_far() - allocated) as f64 / done as f64;
            println!(
                "{size} {resident} {} {done} {nanos:.0} {allocations:.3}",
                work.title()
            );
        }
        size *= 10;
    }
    Ok(())
}
