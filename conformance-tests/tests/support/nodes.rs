//! Nodes of a cluster, of this library and of Node, and scripts with clients of both.

#![allow(clippy::panic, reason = "a helper that fails fails its test")]

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::node;
use crate::process::Listening;

/// No run takes half of this on a busy machine.
const LIMIT_SECONDS: &str = "240";

/// How long nodes wait for each other, in milliseconds: what is never answered is waited for.
const REQUEST_TIMEOUT: &str = "1000";

/// What a node is written in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Rust,
    Node,
}

pub(crate) use Kind::{Node, Rust};

pub(crate) fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("node")
}

pub(crate) fn start(
    kind: Kind,
    adapter: &str,
    redis: &str,
    name: &str,
    environment: &[(&str, &str)],
) -> Listening {
    let mut command = match kind {
        Rust => Command::new(env!("CARGO_BIN_EXE_fixture")),
        Node => {
            let mut command = Command::new("node");
            command.arg(scripts().join("fixture.mjs"));
            command
        }
    };
    command
        .args(["--profile", "cluster", "--port", "0", "--name", name])
        .args(["--adapter", adapter, "--redis", redis])
        .env("REQUEST_TIMEOUT", REQUEST_TIMEOUT)
        .envs(environment.iter().copied());
    Listening::start(&mut command)
}

/// Two nodes behind this Redis, and a script with clients of both, which comes to it by `reached`.
pub(crate) fn run_at(
    address: &str,
    reached: &str,
    script: &str,
    kinds: [Kind; 2],
    adapter: &str,
    environment: &[(&str, &str)],
) {
    let [first, second] = kinds;
    let [first_kind, second_kind] = kinds.map(|kind| format!("{kind:?}"));
    let first = start(first, adapter, address, "first", environment);
    let second = start(second, adapter, address, "second", environment);
    let told = [
        ("FIRST", &*first.address),
        ("SECOND", &*second.address),
        ("REDIS_URL", reached),
        ("ADAPTER", adapter),
        ("FIRST_KIND", &*first_kind),
        ("SECOND_KIND", &*second_kind),
        ("FIRST_PID", &*first.process.id().to_string()),
    ];
    let environment = told.into_iter().chain(environment.iter().copied());
    let script = format!("clients/{script}.test.mjs");
    if let Err(said) = node::run(&scripts(), &script, LIMIT_SECONDS, environment) {
        panic!("{kinds:?} with {adapter}:\n{said}");
    }
}
