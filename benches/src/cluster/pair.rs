//! Who takes part: two servers of one kind with one adapter.

use std::error::Error;
use std::process::Command;

use super::redis::Redis;
use crate::listening::Listening;
use crate::workspace::{measured, root};

/// Two servers of one kind with one adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    is_ours: bool,
    /// As the fixture is told, and as the report says.
    adapter: [&'static str; 2],
}

const CLASSIC: [&str; 2] = ["redis", "classic"];
const SHARDED: [&str; 2] = ["redis-sharded", "sharded"];
const STREAMS: [&str; 2] = ["redis-streams", "streams"];

const fn pair(is_ours: bool, adapter: [&'static str; 2]) -> Pair {
    Pair { is_ours, adapter }
}

impl Pair {
    /// All that there are.
    pub const ALL: [Self; 6] = [
        pair(true, CLASSIC),
        pair(false, CLASSIC),
        pair(true, SHARDED),
        pair(false, SHARDED),
        pair(true, STREAMS),
        pair(false, STREAMS),
    ];

    /// By the name for the command line.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|pair| pair.name() == name)
    }

    /// The name for the command line and the report.
    #[must_use]
    pub fn name(self) -> String {
        let kind = if self.is_ours { "ours" } else { "node" };
        format!("{kind}-{}", self.adapter[1])
    }

    /// Starts one of the two.
    pub(super) fn start(self, redis: &Redis, name: &str) -> Result<Listening, Box<dyn Error>> {
        let mut command = if self.is_ours {
            Command::new(measured("fixture"))
        } else {
            let mut node = Command::new("node");
            node.arg(root().join("conformance-tests/node/fixture.mjs"));
            node
        };
        let kind = self.name();
        command
            .args(["--profile", "cluster", "--port", "0", "--name", name])
            .args(["--adapter", self.adapter[0], "--redis", &redis.url])
            // All pairs share one Redis, and hear nothing of each other.
            .env("PREFIX", &kind)
            .env("SESSION_PREFIX", format!("{kind}:session:"))
            .env("RUST_LOG", "off");
        Listening::start(&mut command).map_err(|why| format!("{kind} does not start: {why}").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_found_by_its_name() {
        for pair in Pair::ALL {
            assert_eq!(Pair::parse(&pair.name()), Some(pair));
        }
        assert_eq!(Pair::parse("node"), None);
    }
}
