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

use nodes::{Kind, Node, Rust, run_at};
use redis_cluster::RedisCluster;
use sentinel::Watched;

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
