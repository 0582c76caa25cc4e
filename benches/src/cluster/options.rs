//! What a run is asked for.

use std::time::Duration;

use super::pair::Pair;

/// What to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who takes part; all by default.
    pub pairs: Vec<Pair>,
    /// Clients at the server that hears; default 50.
    pub members: usize,
    /// Turns of each pair; default 3.
    pub rounds: usize,
    /// How long each of a turn's measurements lasts, and each rate; default 400 ms.
    pub time: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            pairs: Pair::ALL.to_vec(),
            members: 50,
            rounds: 3,
            time: Duration::from_millis(400),
        }
    }
}
