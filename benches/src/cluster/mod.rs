//! What a broadcast costs that goes through Redis, ours beside Node's with the same adapter and the same clients.
//!
//! Of each pair, the server that hears has a core to itself; the other, Redis and the clients share the second one.

mod options;
mod pair;
mod redis;
mod report;

use std::error::Error;
use std::io::Write as _;
use std::time::Duration;

pub use options::Options;
pub use pair::Pair;

use crate::compare::{LOAD_CORE, SERVER_CORE, machine, note};
use crate::load::cluster::{Rate, Round, Servers, Talk};
use crate::sys;
use crate::workspace::build_measured;
use redis::Redis;
use report::{Figures, render};

/// How much faster the next rate is, as long as the servers keep up.
const STEP: f64 = 1.25;

/// Between the last rate that they kept up with and the first that they did not, how many more are tried.
const HALVINGS: usize = 2;

/// Starts the pairs, has them take turns, and prints the table.
///
/// # Errors
///
/// When a server or Redis cannot be built or started, or a server does not do what the fixture does.
pub fn cluster(options: &Options) -> Result<(), Box<dyn Error>> {
    build_measured("conformance-tests", &["--bin", "fixture"])?;
    let machine = machine::describe();
    sys::pin_to(LOAD_CORE)?;
    let redis = Redis::start()?;
    let mut all = Vec::new();
    for pair in &options.pairs {
        let first = pair.start(&redis, "first")?;
        sys::pin_to(SERVER_CORE)?;
        let second = pair.start(&redis, "second");
        sys::pin_to(LOAD_CORE)?;
        let second = second?;
        let servers = Servers {
            first: (first.address, first.process()),
            second: (second.address, second.process()),
            redis: redis.process(),
        };
        all.push((servers, Figures::new(*pair), [first, second]));
    }
    for number in 0..options.rounds {
        note(&format!("round {}", number + 1));
        for (servers, figures, _) in &mut all {
            let mut talk = Talk::open(servers, options.members)?;
            let round = talk.round(options.time);
            figures
                .rounds
                .push(round.map_err(|why| format!("{} fails: {why}", figures.pair.name()))?);
        }
    }
    for (servers, figures, _) in &mut all {
        note(&format!("how much {} bears", figures.pair.name()));
        let mut talk = Talk::open(servers, options.members)?;
        let (most, half) = bear(&mut talk, start_rate(&figures.rounds), options.time)?;
        figures.most = Some(most);
        figures.half = Some(half);
    }
    let figures: Vec<Figures> = all.into_iter().map(|(_, figures, _)| figures).collect();
    writeln!(std::io::stdout(), "{}", render(options, &machine, &figures))?;
    Ok(())
}

/// Half of what the second server's processor time lets expect.
fn start_rate(rounds: &[Round]) -> f64 {
    let each = rounds.iter().map(|round| round.heard.second());
    let least = each.fold(f64::INFINITY, f64::min);
    0.5e6 / least.max(1.0)
}

/// The highest rate that the servers keep up with, and what half of it is like.
fn bear(talk: &mut Talk<'_>, start: f64, time: Duration) -> Result<(Rate, Rate), Box<dyn Error>> {
    let mut kept = talk.at_rate(start, time)?;
    while kept.is_behind {
        kept = talk.at_rate(kept.rate / 1.5, time)?;
    }
    let mut lost = loop {
        let next = talk.at_rate(kept.rate * STEP, time)?;
        if next.is_behind {
            break next.rate;
        }
        kept = next;
    };
    for _ in 0..HALVINGS {
        let next = talk.at_rate(f64::midpoint(kept.rate, lost), time)?;
        if next.is_behind {
            lost = next.rate;
        } else {
            kept = next;
        }
    }
    let half = talk.at_rate(kept.rate / 2.0, time)?;
    Ok((kept, half))
}
