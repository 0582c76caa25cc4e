//! Hearing: a connection to each Redis server that there is, which is brought to what is wanted of it.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::{AsyncPushSender, SendError};
use redis::{PushInfo, PushKind, ServerError, Value};
use socketio::cluster::{AdapterError, ClusterHandle};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::attempts::Attempts;
use crate::connect::{self, Confused, Connection, Lost, PING_INTERVAL, send, text};
use crate::error::{Failure, Refused};
use crate::shared::{Ear, Ears, Shared};
use crate::slots::{Node, Remedy};
use crate::subscriptions::{Again, Kind, Step, Subscription};

/// When something that was refused is tried again.
const REFUSED_RETRY: Duration = Duration::from_secs(5);

/// When something is, that a server does not take for now.
const MOVED_RETRY: Duration = Duration::from_millis(100);

/// How many commands go out at once.
const MAX_BATCH: usize = 256;

/// Takes what Redis says by itself, on the task that reads from it.
struct Pushes {
    shared: Arc<Shared>,
    ear: Arc<Ear>,
    adapter: Arc<dyn Ears>,
    lost: Arc<Notify>,
}

impl AsyncPushSender for Pushes {
    fn send(&self, info: PushInfo) -> Result<(), SendError> {
        let PushInfo { kind, data } = info;
        match (kind, &*data) {
            (PushKind::Disconnection, _) => self.lost.notify_one(),
            // Whoever took its slots says it as well.
            _ if self.ear.is_retired() => {}
            (PushKind::Message | PushKind::SMessage, [channel, payload]) => {
                self.hear(None, channel, payload);
            }
            (PushKind::PMessage, [pattern, channel, payload]) => {
                self.hear(Some(pattern), channel, payload);
            }
            (PushKind::SUnsubscribe, [channel, ..]) => {
                if let Some(channel) = text(channel) {
                    let subscription = Subscription::new(Kind::Sharded, channel);
                    self.shared.lost(&self.ear, &subscription);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Pushes {
    fn hear(&self, pattern: Option<&Value>, channel: &Value, payload: &Value) {
        let Some(server) = self.shared.server() else {
            return;
        };
        let pattern = pattern.map(text);
        // A channel whose name is no text is none of ours.
        let (Some(channel), Value::BulkString(payload)) = (text(channel), payload) else {
            return;
        };
        match self.adapter.read(pattern.flatten(), channel, payload) {
            Some(Ok(message)) => server.deliver(message),
            //= RDS-02
            Some(Err(ignored)) => server.report(AdapterError::ignored(ignored)),
            None => {}
        }
    }
}

/// Has each ear hear, as it comes.
pub(crate) async fn hear_all(
    shared: Arc<Shared>,
    mut ears: mpsc::UnboundedReceiver<Arc<Ear>>,
    adapter: Arc<dyn Ears>,
    server: ClusterHandle,
) {
    while let Some(ear) = ears.recv().await {
        server.spawn(hear(Arc::clone(&shared), ear, Arc::clone(&adapter)));
    }
}

/// Keeps the connection that hears a server, until that has nothing to say.
async fn hear(shared: Arc<Shared>, ear: Arc<Ear>, adapter: Arc<dyn Ears>) {
    let mut attempts = Attempts::default();
    while !ear.is_retired() {
        let lost = Arc::new(Notify::new());
        let pushes = Pushes {
            shared: Arc::clone(&shared),
            ear: Arc::clone(&ear),
            adapter: Arc::clone(&adapter),
            lost: Arc::clone(&lost),
        };
        let connecting = shared.deployment.hear(ear.node(), pushes);
        let error = match connecting.await {
            Ok(mut connection) => {
                attempts.succeeded();
                shared.hears(&ear);
                match subscribe_all(&shared, &ear, &mut connection, &lost).await {
                    Some(error) => error,
                    None => return,
                }
            }
            Err(error) => error,
        };
        if ear.is_retired() {
            return;
        }
        shared.hears_no_more(&ear);
        tokio::time::sleep(attempts.failed(&shared, error)).await;
    }
}

/// Brings Redis to what is wanted, again and again until the connection is lost. `None` when it is not needed any more.
//= SHD-07
async fn subscribe_all(
    shared: &Arc<Shared>,
    ear: &Ear,
    connection: &mut Connection,
    lost: &Notify,
) -> Option<Failure> {
    let mut next_ping = Instant::now() + PING_INTERVAL;
    // A server that does not take something for now says so of everything.
    let mut is_told = false;
    loop {
        let now = Instant::now();
        let steps = shared.with_table(ear, |table| table.take(now, MAX_BATCH))?;
        if !steps.is_empty() {
            let mut commands = redis::pipe();
            for step in &steps {
                commands.cmd(step.command()).arg(&step.subscription.name);
            }
            let answers = match send(connection, &commands).await {
                Ok(answers) => answers,
                Err(error) => return Some(error.into()),
            };
            let mut moved = Vec::new();
            for (step, answer) in steps.into_iter().zip(answers) {
                match outcome(&step, answer) {
                    Some(Ok(())) => {
                        shared.with_table(ear, |table| table.finish(&step, Ok(())));
                    }
                    Some(Err(error)) => {
                        moved.extend(refused(shared, ear, step, error, &mut is_told));
                    }
                    None => return Some(Confused.into()),
                }
            }
            if !moved.is_empty() {
                shared.moved(moved);
            }
            shared.tell_confirmed();
            continue;
        }
        shared.settle();
        let retry = shared.with_table(ear, |table| table.next_retry())?;
        let wake = retry.map_or(next_ping, |retry| retry.min(next_ping));
        tokio::select! {
            biased;
            () = lost.notified() => return Some(Lost.into()),
            () = ear.changed.notified() => {}
            () = tokio::time::sleep_until(wake) => {}
        }
        if Instant::now() >= next_ping {
            if let Err(error) = connect::ping(connection).await {
                return Some(error);
            }
            next_ping = Instant::now() + PING_INTERVAL;
        }
    }
}

/// What was answered to a command. `None` if that is the answer to something else.
fn outcome(step: &Step, answer: Value) -> Option<Result<(), ServerError>> {
    let (kind, data) = match answer {
        Value::ServerError(error) => return Some(Err(error)),
        Value::Push { kind, data } => (kind, data),
        _ => return None,
    };
    let is_kind = matches!(
        (step.command(), kind),
        ("SUBSCRIBE", PushKind::Subscribe)
            | ("UNSUBSCRIBE", PushKind::Unsubscribe)
            | ("PSUBSCRIBE", PushKind::PSubscribe)
            | ("PUNSUBSCRIBE", PushKind::PUnsubscribe)
            | ("SSUBSCRIBE", PushKind::SSubscribe)
            | ("SUNSUBSCRIBE", PushKind::SUnsubscribe)
    );
    let is_name = data.first().and_then(text) == Some(&step.subscription.name);
    (is_kind && is_name).then_some(Ok(()))
}

/// Does what helps. Which slot is elsewhere, if that was why.
fn refused(
    shared: &Shared,
    ear: &Ear,
    step: Step,
    error: ServerError,
    is_told: &mut bool,
) -> Option<(u16, Node)> {
    let remedy = Remedy::of(error.code(), error.details(), ear.node());
    let now = Instant::now();
    let (outcome, is_to_tell, moved) = match remedy {
        // Who lost a slot has ended all that was subscribed there.
        Remedy::Moved(..) if !step.subscribe => (Ok(()), false, None),
        Remedy::Moved(slot, node) => {
            let soon = Again::Soon(now + MOVED_RETRY);
            (Err(soon), false, Some((slot, node)))
        }
        Remedy::Wait | Remedy::Ask(_) => {
            shared.stale.notify_one();
            let is_to_tell = !std::mem::replace(is_told, true);
            (Err(Again::Soon(now + MOVED_RETRY)), is_to_tell, None)
        }
        Remedy::Reconnect | Remedy::Tell => (Err(Again::Later(now + REFUSED_RETRY)), true, None),
    };
    shared.with_table(ear, |table| table.finish(&step, outcome));
    if is_to_tell {
        //= RDS-11
        let command = step.command();
        let refused = Refused::new(command, step.subscription.name, error.into());
        shared.report(AdapterError::bus(refused));
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_something_else_is_seen() {
        let step = Step {
            subscription: Subscription::new(Kind::Sharded, "a"),
            subscribe: true,
        };
        let push = |kind, name: &str| Value::Push {
            kind,
            data: vec![Value::BulkString(name.into()), Value::Int(1)],
        };
        let of = |answer| outcome(&step, answer);
        assert!(matches!(of(push(PushKind::SSubscribe, "a")), Some(Ok(()))));
        assert!(of(push(PushKind::SSubscribe, "b")).is_none());
        // As when a slot goes elsewhere just then.
        assert!(of(push(PushKind::SUnsubscribe, "a")).is_none());
        assert!(of(Value::SimpleString("PONG".into())).is_none());
    }
}
