//! What a comparison is asked for.

use std::time::Duration;

use super::servers::ServerKind;
use crate::load::Dialect;

/// What to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Names of scenarios; all when empty.
    pub only: Vec<String>,
    /// Who takes part.
    pub servers: Vec<ServerKind>,
    /// Turns of each server at each scenario; default 5.
    pub rounds: usize,
    /// How long one turn lasts; default 400 ms. Shorter is quicker and less steady.
    pub time: Duration,
    /// What is spoken; default Socket.IO.
    pub dialect: Dialect,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            only: Vec::new(),
            servers: vec![
                ServerKind::Ours,
                ServerKind::OursNginx,
                ServerKind::Floor,
                ServerKind::Socketioxide,
                ServerKind::Node,
            ],
            rounds: 5,
            time: Duration::from_millis(400),
            dialect: Dialect::Socket,
        }
    }
}
