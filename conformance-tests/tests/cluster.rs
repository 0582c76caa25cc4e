//! Nodes of this library and of Node behind one real Redis, with the official clients. `scripts/setup` installs what this
//! needs.

#![allow(clippy::panic, reason = "a helper that fails fails its test")]

#[path = "support/node.rs"]
mod node;
#[path = "support/process.rs"]
mod process;

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use process::Listening;

/// No run takes half of this on a busy machine.
const LIMIT_SECONDS: &str = "240";

/// How long nodes wait for each other, in milliseconds: what is never answered is waited for.
const REQUEST_TIMEOUT: &str = "1000";

/// What a node is written in.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Rust,
    Node,
}

use Kind::{Node, Rust};

/// A Redis server of its own, without anything on disk, which ends with the value.
struct Redis {
    process: Child,
    url: String,
}

impl Redis {
    fn start() -> Self {
        Self::start_with(&[])
    }

    fn start_with(settings: &[&str]) -> Self {
        let port = free_port();
        let mut process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", ""])
            .args(settings)
            .stdout(Stdio::piped())
            .spawn()
            .expect("redis-server is there; run scripts/setup");
        let said = process.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(said).lines().map_while(Result::ok);
        let is_ready = lines.any(|line| line.contains("Ready to accept connections"));
        assert!(is_ready, "redis-server did not start");
        // What it says later is nobody's, but must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            process,
            url: format!("redis://127.0.0.1:{port}"),
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // A script may have ended it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that nobody has, for a program that does not say which it chose.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    listener.local_addr().expect("it is bound").port()
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("node")
}

fn start(
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

fn run(script: &str, kinds: [Kind; 2], adapter: &str, environment: &[(&str, &str)]) {
    let redis = Redis::start();
    run_over(&redis, &redis.url, script, kinds, adapter, environment);
}

/// `url` is where the nodes find it.
fn run_over(
    redis: &Redis,
    url: &str,
    script: &str,
    kinds: [Kind; 2],
    adapter: &str,
    environment: &[(&str, &str)],
) {
    let [first, second] = kinds;
    let [first_kind, second_kind] = kinds.map(|kind| format!("{kind:?}"));
    let first = start(first, adapter, url, "first", environment);
    let second = start(second, adapter, url, "second", environment);
    let told = [
        ("FIRST", &*first.address),
        ("SECOND", &*second.address),
        ("REDIS_URL", &*redis.url),
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

#[test]
fn ours_with_ours_over_the_classic_adapter() {
    run("cluster", [Rust, Rust], "redis", &[("GARBAGE", "1")]);
}

#[test]
fn ours_tells_node_over_the_classic_adapter() {
    run("cluster", [Rust, Node], "redis", &[]);
}

#[test]
fn node_tells_ours_over_the_classic_adapter() {
    run("cluster", [Node, Rust], "redis", &[]);
}

#[test]
fn answers_to_own_channels_and_another_prefix_work_in_both_directions() {
    let environment = [("SPECIFIC", "1"), ("PREFIX", "other")];
    run("cluster", [Rust, Node], "redis", &environment);
}

/// The reference does not escape its patterns, and hears nothing with such a prefix (RDS-10).
#[test]
fn a_prefix_with_wildcards_in_it_is_no_pattern() {
    run("cluster", [Rust, Rust], "redis", &[("PREFIX", "a*[b]?")]);
}

#[test]
fn ours_with_ours_over_the_sharded_adapter() {
    run(
        "cluster",
        [Rust, Rust],
        "redis-sharded",
        &[("GARBAGE", "1")],
    );
}

#[test]
fn ours_tells_node_over_the_sharded_adapter() {
    run("cluster", [Rust, Node], "redis-sharded", &[]);
}

#[test]
fn node_tells_ours_over_the_sharded_adapter() {
    run("cluster", [Node, Rust], "redis-sharded", &[]);
}

#[test]
fn a_redis_that_goes_and_comes_back_with_the_classic_adapter() {
    run("cluster-outage", [Rust, Rust], "redis", &[]);
}

#[test]
fn a_redis_that_goes_and_comes_back_with_the_sharded_adapter() {
    run("cluster-outage", [Rust, Rust], "redis-sharded", &[]);
}

#[test]
fn ours_with_ours_over_the_streams_adapter() {
    run(
        "cluster",
        [Rust, Rust],
        "redis-streams",
        &[("GARBAGE", "1")],
    );
}

#[test]
fn ours_tells_node_over_the_streams_adapter() {
    run("cluster", [Rust, Node], "redis-streams", &[]);
}

#[test]
fn node_tells_ours_over_the_streams_adapter() {
    run("cluster", [Node, Rust], "redis-streams", &[]);
}

/// Of which the reference does not read some (STR-03).
#[test]
fn several_streams_and_sharded_channels_work() {
    let environment = [("STREAMS", "3"), ("SHARDED_PUBSUB", "1"), ("PREFIX", "s")];
    run("cluster", [Rust, Rust], "redis-streams", &environment);
}

#[test]
fn a_redis_that_goes_and_comes_back_with_the_streams_adapter() {
    run("cluster-outage", [Rust, Rust], "redis-streams", &[]);
}

#[test]
fn a_reader_that_is_cut_off_loses_nothing_and_repeats_nothing() {
    run("cluster-cut", [Rust, Rust], "redis-streams", &[]);
}

#[test]
fn a_client_of_a_killed_node_gets_back_what_it_had_and_missed() {
    let environment = [("SIGNAL", "SIGKILL"), ("SESSION_PREFIX", "kept:")];
    run(
        "cluster-recovery",
        [Rust, Rust],
        "redis-streams",
        &environment,
    );
}

#[test]
fn node_restores_what_ours_stored_at_an_orderly_end() {
    let environment = [("SIGNAL", "SIGTERM")];
    run(
        "cluster-recovery",
        [Rust, Node],
        "redis-streams",
        &environment,
    );
}

#[test]
fn ours_restores_what_node_stored_at_an_orderly_end() {
    let environment = [("SIGNAL", "SIGTERM")];
    run(
        "cluster-recovery",
        [Node, Rust],
        "redis-streams",
        &environment,
    );
}

/// Plays the tests with a user of Redis who may do this and nothing else.
fn run_allowed(adapter: &str, rules: &str) {
    let rules = format!("app on >secret -@all +hello +auth +client +ping {rules}");
    let settings: Vec<_> = ["--user"].into_iter().chain(rules.split(' ')).collect();
    let redis = Redis::start_with(&settings);
    let url = redis.url.replace("redis://", "redis://app:secret@");
    run_over(&redis, &url, "cluster", [Rust, Rust], adapter, &[]);
}

//= RDS-11 test
#[test]
fn the_access_that_the_page_names_is_enough_for_the_classic_adapter() {
    run_allowed(
        "redis",
        "+psubscribe +punsubscribe +subscribe +unsubscribe +publish +pubsub &socket.io#* &socket.io-request#* \
         &socket.io-response#* &socket.io-server# &socket.io#/#* &socket.io#/custom#* &socket.io#/dyn-7#*",
    );
}

//= RDS-11 test
#[test]
fn the_access_that_the_page_names_is_enough_for_the_sharded_adapter() {
    run_allowed(
        "redis-sharded",
        "+ssubscribe +sunsubscribe +spublish +pubsub &socket.io#* &socket.io-server#",
    );
}

//= RDS-11 test
#[test]
fn the_access_that_the_page_names_is_enough_for_the_streams_adapter() {
    run_allowed(
        "redis-streams",
        "+xadd +xread +xrange +xrevrange +get +set +del +subscribe +unsubscribe +publish +pubsub ~socket.io* \
         ~sio:session:* &socket.io#* &socket.io-server#",
    );
}
