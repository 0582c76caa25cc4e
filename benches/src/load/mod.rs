//! The load generator: a minimal client, cheaper than any server, and the scenarios it plays.

mod broadcast;
pub(crate) mod cluster;
mod connect;
mod deflate;
mod echo;
mod idle;
mod latency;
mod net;
mod polling;
mod scenario;
mod session;
pub(crate) mod storm;
mod target;

use std::time::Duration;

pub use deflate::{CONTEXTLESS, OF_BROWSERS};
pub use latency::Latencies;
pub use scenario::{Content, Scenario};
pub use target::{Dialect, Failure, Sample, Target, trusting};

/// Plays a scenario for about `time`.
///
/// # Errors
///
/// When the server is not there, or does not answer as the profile says.
pub fn play(target: &Target, scenario: Scenario, time: Duration) -> Result<Sample, Failure> {
    match scenario {
        Scenario::Echo {
            bytes,
            in_flight,
            content,
        } => echo::play(target, bytes, in_flight, content, time),
        Scenario::Broadcast {
            clients,
            rooms,
            bytes,
        } => broadcast::play(target, clients, rooms, bytes, time),
        Scenario::Connect => connect::play(target, time),
        Scenario::Upgrade => polling::play_upgrade(target, time),
        Scenario::PollingEcho => polling::play_echo(target, time),
        Scenario::Idle { clients, said } => idle::play(target, clients, said),
    }
}
