//! Nodes of this library and of Node behind a real Redis Cluster, whose slots move and whose servers die, or behind what a real Redis
//! Sentinel names, with the official clients.
//! `scripts/setup` installs what this needs.

#[path = "support/node.rs"]
mod node;
#[path = "support/nodes.rs"]
mod nodes;
#[path = "support/process.rs"]
mod process;
#[path = "support/redis.rs"]
#[allow(dead_code, reason = "the tests with a Redis alone are elsewhere")]
mod redis;
#[path = "support/redis_cluster.rs"]
mod redis_cluster;
#[path = "support/sentinel.rs"]
mod sentinel;

use std::error::Error;
use std::sync::{Arc, Mutex};

use nodes::{Kind, Node, Rust, run_at};
use redis::Redis;
use redis_cluster::RedisCluster;
use sentinel::Watched;
use socketio::cluster::AdapterError;
use socketio::{Namespace, SocketIo, SocketIoBuilder};
use socketio_redis::{Deployment, Emitter, RedisAdapter, SlotMoved, StreamsApart};
use tokio::sync::mpsc;

fn run(script: &str, kinds: [Kind; 2], adapter: &str, environment: &[(&str, &str)]) {
    run_on(&RedisCluster::start(0), script, kinds, adapter, environment);
}

fn run_on(
    redis: &RedisCluster,
    script: &str,
    kinds: [Kind; 2],
    adapter: &str,
    environment: &[(&str, &str)],
) {
    let (urls, servers) = (redis.urls(), redis.arguments());
    let told = [("REDIS_SERVERS", &*servers)];
    let environment: Vec<_> = environment.iter().copied().chain(told).collect();
    run_at(&urls, &urls, script, kinds, adapter, &environment);
}

//= RDS-01 test
#[test]
fn ours_with_ours_over_the_classic_adapter() {
    run("cluster", [Rust, Rust], "redis", &[("GARBAGE", "1")]);
}

//= SHD-06 test
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
fn ours_with_ours_over_the_streams_adapter() {
    run(
        "cluster",
        [Rust, Rust],
        "redis-streams",
        &[("GARBAGE", "1")],
    );
}

/// Their names have a hash tag, so that all are of one slot.
#[test]
fn ours_with_ours_over_several_streams_and_sharded_channels() {
    let environment = [("STREAMS", "3"), ("SHARDED_PUBSUB", "1"), ("PREFIX", "{s}")];
    run("cluster", [Rust, Rust], "redis-streams", &environment);
}

#[test]
fn a_client_of_a_killed_node_gets_back_what_it_had_and_missed() {
    let environment = [("SIGNAL", "SIGKILL")];
    run(
        "cluster-recovery",
        [Rust, Rust],
        "redis-streams",
        &environment,
    );
}

#[test]
fn slots_that_move_with_the_classic_adapter() {
    run("cluster-slots", [Rust, Rust], "redis", &[]);
}

//= SHD-06 test
#[test]
fn slots_that_move_with_the_sharded_adapter() {
    run("cluster-slots", [Rust, Rust], "redis-sharded", &[]);
}

//= STR-09 test
#[test]
fn slots_that_move_with_the_streams_adapter() {
    run("cluster-slots", [Rust, Rust], "redis-streams", &[]);
}

#[test]
fn ours_with_node_over_the_classic_adapter() {
    run("cluster", [Rust, Node], "redis", &[]);
}

#[test]
fn ours_with_node_over_the_sharded_adapter() {
    run("cluster", [Rust, Node], "redis-sharded", &[]);
}

#[test]
fn ours_with_node_over_the_streams_adapter() {
    run("cluster", [Rust, Node], "redis-streams", &[]);
}

fn run_with_replicas(script: &str, adapter: &str) {
    run_on(&RedisCluster::start(1), script, [Rust, Rust], adapter, &[]);
}

#[test]
fn a_killed_master_and_its_replica_with_the_classic_adapter() {
    run_with_replicas("cluster-killed", "redis");
}

#[test]
fn a_killed_master_and_its_replica_with_the_sharded_adapter() {
    run_with_replicas("cluster-killed", "redis-sharded");
}

#[test]
fn a_killed_master_and_its_replica_with_the_streams_adapter() {
    run_with_replicas("cluster-killed", "redis-streams");
}

#[test]
fn a_killed_master_without_a_replica() {
    for adapter in ["redis", "redis-sharded", "redis-streams"] {
        run("cluster-killed", [Rust, Rust], adapter, &[]);
    }
}

#[test]
fn another_master_that_a_sentinel_names() {
    for adapter in ["redis", "redis-sharded", "redis-streams"] {
        let redis = Watched::start();
        let (sentinel, master) = (redis.url(), "redis://watched");
        // The first sentinel is not there.
        let address = format!("{master}|redis://127.0.0.1:1|{sentinel}");
        run_at(
            &address,
            &sentinel,
            "cluster-failover",
            [Rust, Rust],
            adapter,
            &[],
        );
    }
}

/// Has slots move where the nodes may do this and nothing else.
fn run_allowed(adapter: &str, rules: &str) {
    let rules =
        "app on >secret -@all +hello +auth +client +ping +cluster|slots ".to_owned() + rules;
    let settings: Vec<_> = ["--user"].into_iter().chain(rules.split(' ')).collect();
    let redis = RedisCluster::with(0, &settings);
    let urls = redis.urls();
    let address = urls.replace("redis://", "redis://app:secret@");
    run_at(&address, &urls, "cluster-slots", [Rust, Rust], adapter, &[]);
}

//= RDS-11 test
#[test]
fn the_access_that_the_page_names_is_enough_in_a_cluster() {
    run_allowed(
        "redis-sharded",
        "+ssubscribe +sunsubscribe +spublish +pubsub &socket.io#* &socket.io-server#",
    );
    run_allowed(
        "redis-streams",
        "+asking +xadd +xread +xrange +xrevrange +eval +get +set +del +subscribe +unsubscribe +publish +pubsub ~socket.io* \
         ~sio:session:* &socket.io#* &socket.io-server#",
    );
}

/// A server, and the notes of others that it heard.
struct Listener {
    io: SocketIo,
    here: Namespace<()>,
    told: mpsc::UnboundedReceiver<u32>,
}

async fn listener(builder: SocketIoBuilder) -> Listener {
    let (telling, told) = mpsc::unbounded_channel();
    let io = builder.build().expect("the options are sound");
    let notes = io
        .namespace("/")
        .on_server_side("note", move |_: Namespace<()>, number: u32| {
            let _ = telling.send(number);
            async {}
        });
    let here = notes.open().expect("the first");
    io.ready().await.expect("Redis is there");
    Listener { io, here, told }
}

/// The same with the classic adapter.
async fn classic(redis: Deployment) -> Listener {
    let adapter = RedisAdapter::classic(redis).expect("an address");
    listener(SocketIo::builder().adapter(adapter)).await
}

/// Each server of a cluster tells all, so the first that is there will do.
//= EMT-01 test
#[tokio::test]
async fn an_emitter_speaks_to_whichever_server_is_there() {
    let redis = RedisCluster::start(0);
    let urls = redis.urls();
    let seeds = || std::iter::once("redis://127.0.0.1:1").chain(urls.split(','));
    let cluster = || Deployment::cluster(seeds()).expect("addresses");
    let mut listener = classic(cluster()).await;
    let emitter = Emitter::new(cluster()).expect("addresses");
    for number in 0..20 {
        let sent = emitter.of("/").server_side_emit("note", &number).await;
        sent.expect("a server is there");
    }
    for number in 0..20 {
        assert_eq!(listener.told.recv().await, Some(number));
    }
}

/// Another Redis takes the place of one that ended, and asks for another password.
#[tokio::test]
async fn whoever_says_where_redis_is_is_asked_at_each_connection() {
    let first = Redis::start();
    let address = Arc::new(Mutex::new(first.url.clone()));
    let asked = Arc::clone(&address);
    let deployment = Deployment::resolved_by(move || {
        let address = asked.lock().expect("nobody panics").clone();
        async move { Ok(address) }
    });
    let mut listener = classic(deployment.clone()).await;
    let second = Redis::with(&["--requirepass", "other"]);
    *address.lock().expect("nobody panics") = second.url.replace("redis://", "redis://:other@");
    drop(first);
    let emitter = Emitter::new(deployment).expect("it is asked later");
    let emitting = async {
        loop {
            // Whoever is not there yet does not hear it.
            let _ = emitter.of("/").server_side_emit("note", &7).await;
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = emitting => {}
        heard = listener.told.recv() => assert_eq!(heard, Some(7)),
    }
}

//= SHD-06 test
#[tokio::test]
async fn a_slot_that_moves_is_told_and_its_channels_are_subscribed_anew() {
    let redis = RedisCluster::start(0);
    let urls = redis.urls();
    let sharded = || {
        let cluster = Deployment::cluster(urls.split(',')).expect("addresses");
        let adapter = RedisAdapter::sharded(cluster).expect("addresses");
        SocketIo::builder().adapter(adapter)
    };
    let (telling, mut moved) = mpsc::unbounded_channel();
    let builder = sharded().on_adapter_error(move |error: &AdapterError| {
        if error
            .source()
            .is_some_and(|source| source.is::<SlotMoved>())
        {
            let _ = telling.send(());
        }
    });
    let mut one = listener(builder).await;
    let other = listener(sharded()).await;
    redis.move_slot_of("socket.io#/#");
    moved.recv().await.expect("it is told");
    one.io.ready().await.expect("it is subscribed anew");
    let sent = other.here.server_side_emit("note", &7);
    sent.expect("it can be encoded");
    assert_eq!(one.told.recv().await, Some(7));
}

/// They would have no common order.
//= STR-03 test
#[tokio::test]
async fn several_streams_of_a_cluster_need_a_hash_tag() {
    let (telling, mut told) = mpsc::unbounded_channel();
    let cluster = Deployment::cluster(["redis://127.0.0.1:1"]).expect("an address");
    let adapter = RedisAdapter::streams(cluster).expect("an address");
    let builder = SocketIo::builder().adapter(adapter.stream_count(2));
    let builder = builder.on_adapter_error(move |error: &AdapterError| {
        let source = error.source();
        let is_it = source.is_some_and(|source| source.is::<StreamsApart>());
        let _ = telling.send(is_it);
    });
    let io = builder.build().expect("the options are sound");
    io.namespace("/").open().expect("the first");
    assert_eq!(told.recv().await, Some(true));
}
