//! A whole system under one seed: servers, their clients, a network, a clock and what goes wrong, replayed by its
//! number and judged by its history.
//!
//! * `SIMULATION_SEED=17`: that run alone, twice, with its history on the standard output.
//! * `SIMULATION_SECONDS=600`: seeds from a number that the clock gives, for so long.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "whatever is wrong fails its test, and says so"
)]

mod bus;
mod checker;
mod executor;
mod history;
mod logged;
mod net;
mod node;
mod person;
mod rng;
mod stream;
mod transport;
mod vault;
mod world;

use checker::{Counts, check};
use history::{hash, render};
use world::World;

/// How many runs the ordinary tests make.
const SEEDS: u64 = 60;

/// What is wrong with the run of a seed.
fn judge(seed: u64, counts: &mut Counts) -> Vec<String> {
    let records = World::run(seed);
    let (wrong, found) = check(&records);
    counts.add(found);
    if std::env::var_os("SIMULATION_SEED").is_some() {
        println!("{}", render(&records));
        println!("history {:016x}, {found:?}", hash(&records));
    }
    wrong
}

/// The seeds are not those of the ordinary tests.
fn is_chosen() -> bool {
    let variables = ["SIMULATION_SEED", "SIMULATION_SECONDS"];
    variables
        .iter()
        .any(|name| std::env::var_os(name).is_some())
}

fn seeds() -> Box<dyn Iterator<Item = u64>> {
    let variable = |name| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    if let Some(seed) = variable("SIMULATION_SEED") {
        return Box::new(std::iter::once(seed));
    }
    match variable("SIMULATION_SECONDS") {
        None => Box::new(0..SEEDS),
        Some(seconds) => {
            let first = now()
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap()
                .as_nanos() as u64;
            let end = now() + std::time::Duration::from_secs(seconds);
            Box::new((first / 1000..).take_while(move |_| now() < end))
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "for how long to go on, and where to begin; no run sees it"
)]
fn now() -> std::time::SystemTime {
    std::time::SystemTime::now()
}

#[test]
fn nothing_is_lost_repeated_or_out_of_order_whatever_breaks() {
    let mut counts = Counts::default();
    let mut failed = Vec::new();
    for seed in seeds() {
        let wrong = judge(seed, &mut counts);
        if !wrong.is_empty() {
            let shown = wrong.iter().take(5).map(|wrong| format!("\n    {wrong}"));
            let shown: String = shown.collect();
            println!("seed {seed}, {} faults:{shown}", wrong.len());
            failed.push(seed);
        }
    }
    println!("{counts:?}");
    assert!(
        failed.is_empty(),
        "seeds {failed:?}: `SIMULATION_SEED={} cargo test -p socketio --all-features --test simulation` replays one",
        failed[0]
    );
    if !is_chosen() {
        assert!(
            counts.shows_everything(),
            "some rules were not tried: {counts:?}"
        );
    }
}

#[test]
fn a_seed_is_one_history() {
    for seed in 0..10 {
        let (first, second) = (World::run(seed), World::run(seed));
        if hash(&first) != hash(&second) {
            let (first, second) = (render(&first), render(&second));
            let differs = first.lines().zip(second.lines()).enumerate();
            let differs = differs.filter(|(_, (one, other))| one != other).take(3);
            panic!("seed {seed} differs: {:#?}", differs.collect::<Vec<_>>());
        }
    }
}
