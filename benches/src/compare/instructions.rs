//! Instructions in user space for each message, counted by valgrind: the same on a busy machine and an idle one.

use std::error::Error;
use std::time::Duration;

use super::scenarios::Spec;
use super::servers::ServerKind;
use super::token::SECRET;
use crate::load::{self, Dialect};

/// The turns whose difference is counted: what starting and stopping cost is in both.
const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_millis(2500);

/// Instructions of a server for each unit of a scenario.
///
/// # Errors
///
/// When valgrind is not installed, or the server cannot be started or fails the scenario.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub fn instructions(
    kind: ServerKind,
    spec: &Spec,
    dialect: Dialect,
) -> Result<f64, Box<dyn Error>> {
    let (few, first) = run(kind, spec, dialect, SHORT)?;
    let (many, second) = run(kind, spec, dialect, LONG)?;
    let units = many.checked_sub(few).filter(|units| *units > 0);
    let units = units.ok_or("the longer turn did not do more")?;
    Ok(second.saturating_sub(first) as f64 / units as f64)
}

/// The units of one turn, its warm-up included, and the instructions of the whole process.
fn run(
    kind: ServerKind,
    spec: &Spec,
    dialect: Dialect,
    time: Duration,
) -> Result<(u64, u64), Box<dyn Error>> {
    let server = kind.start_counted(spec.profile(dialect), spec.layer, SECRET)?;
    let target = server.target(spec.layer, spec.auth(), dialect)?;
    let sample = load::play(&target, spec.scenario, time)?;
    let said = server.server.end()?;
    let collected = said
        .lines()
        .find_map(|line| line.split_once("Collected : "))
        .and_then(|(_, count)| count.trim().parse().ok())
        .ok_or("valgrind does not say what it collected")?;
    Ok((sample.warm_up_units + sample.units, collected))
}
