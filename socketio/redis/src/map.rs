//! Who has which slot of a Redis Cluster, asked again and again: when somebody finds that it is not so, and every now and then.

use std::sync::Arc;
use std::time::Duration;

use redis::Value;

use crate::attempts::Attempts;
use crate::error::Failure;
use crate::shared::Shared;
use crate::slots::{Node, Topology};

/// How often it is asked without a reason: a master that has nothing to do with us may have come.
const REFRESH_INTERVAL: Duration = Duration::from_secs(15);

/// How long it is believed at least.
const REST: Duration = Duration::from_millis(100);

/// Keeps the topology of a cluster.
pub(crate) async fn keep(shared: Arc<Shared>) {
    let mut attempts = Attempts::default();
    // So that one who is wrong is not asked for ever.
    let mut turn = 0_usize;
    loop {
        match ask_around(&shared, &mut turn).await {
            Ok(topology) => {
                attempts.succeeded();
                shared.set_topology(|_| topology);
                tokio::time::sleep(REST).await;
                tokio::select! {
                    () = shared.stale.notified() => {}
                    () = tokio::time::sleep(REFRESH_INTERVAL) => {}
                }
            }
            Err(error) => tokio::time::sleep(attempts.failed(&shared, error)).await,
        }
    }
}

/// The first answer of those that are known, and then of those that were named at the beginning.
async fn ask_around(shared: &Shared, turn: &mut usize) -> Result<Topology, Failure> {
    let mut nodes: Vec<Node> = shared.topology.borrow().nodes().into_iter().collect();
    *turn = turn.wrapping_add(1);
    let first = turn.checked_rem(nodes.len()).unwrap_or_default();
    nodes.rotate_left(first);
    nodes.extend(shared.deployment.seeds());
    let mut last = Failure::from("there is no server to ask for the others");
    for node in &nodes {
        match ask(shared, node).await {
            Ok(topology) => return Ok(topology),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn ask(shared: &Shared, node: &Node) -> Result<Topology, Failure> {
    let mut connection = shared.deployment.connect(node, Duration::ZERO).await?;
    let mut question = redis::cmd("CLUSTER");
    question.arg("SLOTS");
    let answer = connection.send_packed_command(&question).await?;
    if let Value::ServerError(error) = answer {
        return Err(redis::RedisError::from(error).into());
    }
    let topology =
        Topology::of(&answer, node).ok_or("what CLUSTER SLOTS answers makes no sense")?;
    if topology.nodes().is_empty() {
        return Err("no server of the cluster has a slot".into());
    }
    Ok(topology)
}
