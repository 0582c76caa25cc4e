//! Nodes of this library and of Node behind one real Redis, with the official clients. `scripts/setup` installs what this
//! needs.

#![allow(clippy::panic, reason = "a helper that fails fails its test")]

#[path = "support/node.rs"]
mod node;
#[path = "support/nodes.rs"]
mod nodes;
#[path = "support/process.rs"]
mod process;
#[path = "support/redis.rs"]
mod redis;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nodes::{Kind, Node, Rust, run_at, start};
use process::Listening;
use redis::Redis;
use socketio::SocketIo;
use socketio::cluster::AdapterError;
use socketio_redis::{RedisAdapter, Refused};
use tokio::sync::mpsc::UnboundedReceiver;

fn run(script: &str, kinds: [Kind; 2], adapter: &str, environment: &[(&str, &str)]) {
    let redis = Redis::start();
    run_as(&redis, &redis.url, script, kinds, adapter, environment);
}

/// The nodes come to Redis by an address of their own.
fn run_as(
    redis: &Redis,
    address: &str,
    script: &str,
    kinds: [Kind; 2],
    adapter: &str,
    environment: &[(&str, &str)],
) {
    run_at(address, &redis.url, script, kinds, adapter, environment);
}

/// A test that fails now and then for want of a port says nothing of the adapter.
#[test]
fn a_redis_whose_port_was_taken_is_started_on_another() {
    let there = Redis::start();
    let (_, port) = there.url.rsplit_once(':').expect("it has a port");
    let taken = port.parse().expect("a port is a number");
    assert!(Redis::on(taken, &[]).is_none());
    let mut first = Some(taken);
    let other = redis::on_free_port(|free| Redis::on(first.take().unwrap_or(free), &[]));
    assert!(!other.url.ends_with(&format!(":{taken}")), "{}", other.url);
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

/// The rules of clusters hold between nodes of these kinds, as the suite's own command sees it; each kind of report has the profile's name.
fn conforms(kinds: &[Kind], adapter: &str) {
    let redis = Redis::start();
    let nodes: Vec<Listening> = kinds
        .iter()
        .zip(["one", "two", "three"])
        .map(|(&kind, name)| start(kind, adapter, &redis.url, name, &[]))
        .collect();
    let urls: Vec<String> = nodes
        .iter()
        .map(|node| format!("http://{}", node.address))
        .collect();
    let mut suite = Command::new(env!("CARGO_BIN_EXE_conformance-tests"));
    let output = suite
        .args(["--cluster", &urls.join(",")])
        .output()
        .expect("the suite's binary runs");
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success(),
        "{kinds:?} with {adapter}: {said}{report}"
    );
    assert!(
        report.contains("(cluster)") && report.contains(" 0 not run"),
        "{report}"
    );
}

#[test]
fn the_rules_of_clusters_hold_between_servers_of_ours() {
    conforms(&[Rust, Rust, Rust], "redis");
    conforms(&[Rust, Rust], "redis-sharded");
}

#[test]
fn the_rules_of_clusters_hold_between_ours_and_the_reference() {
    conforms(&[Rust, Node], "redis");
    conforms(&[Node, Rust], "redis-sharded");
}

#[test]
fn the_rules_of_clusters_hold_between_servers_of_the_reference() {
    conforms(&[Node, Node], "redis");
    conforms(&[Node, Node], "redis-sharded");
}

/// A rule that nobody can break says nothing.
#[test]
fn servers_that_do_not_know_each_other_break_the_rules_of_clusters() {
    let (first, second) = (Redis::start(), Redis::start());
    let one = start(Rust, "redis", &first.url, "one", &[]);
    let two = start(Rust, "redis", &second.url, "two", &[]);
    let urls = format!("http://{},http://{}", one.address, two.address);
    let mut suite = Command::new(env!("CARGO_BIN_EXE_conformance-tests"));
    let output = suite
        .args(["--cluster", &urls])
        .output()
        .expect("the suite's binary runs");
    assert_eq!(output.status.code(), Some(1));
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        report.contains("FAILED MUST cluster/each-node-is-counted-once"),
        "{report}"
    );
    assert!(report.contains("from http://"), "{report}");
    let output = Command::new(env!("CARGO_BIN_EXE_conformance-tests"))
        .args(["--cluster", &format!("http://{}", one.address)])
        .output()
        .expect("the suite's binary runs");
    assert_eq!(output.status.code(), Some(2));
}

/// The line of the guide's access control list that is for this adapter, with the namespaces of the fixture.
fn acl(adapter: &str) -> String {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../socketio/src/guide");
    let guide = fs::read_to_string(guide.join("several_servers.md")).expect("the guide is there");
    let lines: Vec<&str> = guide
        .lines()
        .filter(|line| line.starts_with("user chat "))
        .collect();
    let [classic, sharded] = lines[..] else {
        panic!("{lines:?}");
    };
    let own = "&socket.io#/chat#*";
    assert!(classic.ends_with(own), "{classic}");
    match adapter {
        "redis" => classic.replace(own, "&socket.io#/custom#* &socket.io#/dyn-7#*"),
        _ => sharded.to_owned(),
    }
}

/// A Redis with this user beside the one who may do all, and his address.
fn redis_with(user: &str) -> (Redis, String) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join(format!("users-{}-{number}.acl", std::process::id()));
    let list = format!("user default on nopass ~* &* +@all\n{user}\n");
    fs::write(&file, list).expect("our own folder");
    let redis = Redis::with(&["--aclfile", file.to_str().expect("a name of our own")]);
    fs::remove_file(&file).expect("our own file");
    let address = redis.url.replace("redis://", "redis://chat:secret@");
    (redis, address)
}

/// Has the cluster's script pass where the nodes may do no more than the guide says.
fn run_with_acl(adapter: &str, kinds: [Kind; 2]) {
    let (redis, address) = redis_with(&acl(adapter));
    run_as(&redis, &address, "cluster", kinds, adapter, &[]);
}

#[test]
fn the_guides_access_control_list_is_enough_for_the_classic_adapter() {
    run_with_acl("redis", [Rust, Rust]);
    run_with_acl("redis", [Rust, Node]);
}

#[test]
fn the_guides_access_control_list_is_enough_for_the_sharded_adapter() {
    run_with_acl("redis-sharded", [Rust, Rust]);
    run_with_acl("redis-sharded", [Node, Rust]);
}

/// Without each of these words, this command is refused.
const NEEDED: [(&str, &[(&str, &str)]); 2] = [
    (
        "redis",
        &[
            ("+psubscribe", "PSUBSCRIBE"),
            ("+subscribe", "SUBSCRIBE"),
            ("+publish", "PUBLISH"),
            ("+pubsub", "PUBSUB"),
            ("&socket.io-request#*", "PUBLISH"),
            ("&socket.io-response#*", "SUBSCRIBE"),
            ("&socket.io-server#", "SUBSCRIBE"),
            ("&socket.io#/#*", "PSUBSCRIBE"),
            ("&socket.io#/custom#*", "PSUBSCRIBE"),
        ],
    ),
    (
        "redis-sharded",
        &[
            ("+ssubscribe", "SSUBSCRIBE"),
            ("+spublish", "SPUBLISH"),
            ("+pubsub", "PUBSUB"),
            ("&socket.io#*", "SPUBLISH"),
            ("&socket.io-server#", "SSUBSCRIBE"),
        ],
    ),
];

#[test]
fn what_lacks_in_the_guides_access_control_list_is_told() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    for (adapter, words) in NEEDED {
        for (word, command) in words {
            let line = acl(adapter);
            let kept = line.split(' ').filter(|other| other != word);
            let kept: Vec<&str> = kept.collect();
            assert!(kept.len() < line.split(' ').count(), "{word}: {line}");
            let (_redis, address) = redis_with(&kept.join(" "));
            let told = runtime.block_on(async {
                let told = refused(adapter, &address, command);
                tokio::time::timeout(Duration::from_secs(20), told).await
            });
            assert!(
                told.is_ok(),
                "{adapter} without {word}: {command} was not refused"
            );
        }
    }
}

/// A server, and the commands that it was told are not allowed, with the text.
fn watched(adapter: &str, address: &str) -> (SocketIo, UnboundedReceiver<(String, String)>) {
    let (telling, told) = tokio::sync::mpsc::unbounded_channel();
    let builder = SocketIo::builder().on_adapter_error(move |error: &AdapterError| {
        let source = std::error::Error::source(error);
        if let Some(refused) = source.and_then(|source| source.downcast_ref::<Refused>()) {
            let _ = telling.send((refused.command().to_owned(), refused.to_string()));
        }
    });
    let builder = match adapter {
        "redis" => builder.adapter(RedisAdapter::classic(address).expect("an address")),
        _ => builder.adapter(RedisAdapter::sharded(address).expect("an address")),
    };
    (builder.build().expect("the options are sound"), told)
}

/// Returns when the application was told that this command is not allowed.
async fn refused(adapter: &str, address: &str, command: &str) {
    let (io, mut told) = watched(adapter, address);
    let here = io.namespace("/").open().expect("the first");
    let _other = io.namespace("/custom").open().expect("the second");
    here.emit("x", &()).expect("it can be encoded");
    here.server_side_emit("note", &())
        .expect("it can be encoded");
    let asking = async {
        let _ = here.everyone().fetch_sockets().await;
        std::future::pending::<()>().await;
    };
    let hearing = async {
        while let Some((which, text)) = told.recv().await {
            if which.starts_with(command) {
                assert!(text.to_uppercase().contains("NOPERM"), "{text}");
                return;
            }
        }
    };
    tokio::select! {
        () = asking => {}
        () = hearing => {}
    }
}

/// Before and after a lost connection.
//= RDS-11 test
#[tokio::test]
async fn a_namespace_that_is_not_in_the_list_makes_no_answer_of_another_incomplete() {
    let line = acl("redis").replace(" &socket.io#/custom#*", "");
    let (redis, address) = redis_with(&line);
    let mut servers = Vec::new();
    for _ in 0..2 {
        let (io, told) = watched("redis", &address);
        let here = io.namespace("/").open().expect("the first");
        io.namespace("/custom").open().expect("the second");
        servers.push((io, here, told));
    }
    for _ in 0..2 {
        for (_, _, told) in &mut servers {
            let (command, _) = told.recv().await.expect("the server is there");
            assert_eq!(command, "PSUBSCRIBE");
        }
        for (_, here, _) in &servers {
            assert!(here.fetch_sockets().await.is_complete());
        }
        let mut cut = Command::new("redis-cli");
        cut.args(["-e", "-u", &redis.url, "CLIENT", "KILL", "TYPE", "pubsub"]);
        let output = cut.output().expect("redis-cli is there");
        assert!(output.status.success(), "{output:?}");
    }
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
    let redis = Redis::with(&settings);
    let url = redis.url.replace("redis://", "redis://app:secret@");
    run_as(&redis, &url, "cluster", [Rust, Rust], adapter, &[]);
}

//= RDS-11 test
#[test]
fn the_access_that_the_page_names_is_enough_for_the_streams_adapter() {
    run_allowed(
        "redis-streams",
        "+xadd +xread +xrange +xrevrange +eval +get +set +del +subscribe +unsubscribe +publish +pubsub ~socket.io* \
         ~sio:session:* &socket.io#* &socket.io-server#",
    );
}
