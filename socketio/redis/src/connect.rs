//! One connection to a Redis server: how it is made, how long it may be silent, and when it is tried again.

use std::time::Duration;

use redis::aio::{AsyncPushSender, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Client, RedisError, Value};
use socketio::cluster::AdapterError;

use crate::deployment::{Deployment, Failure};
use crate::link::Shared;
use crate::slots::Node;

pub(crate) type Connection = MultiplexedConnection;

/// How long a connection may take to be made.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// How long Redis may take to answer; then the connection counts as lost.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);

/// How often it is asked whether it is there.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(2);

/// The first and the longest pause before a lost connection is made again.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How a connection is made over which Redis may take so much longer to answer.
fn config(longer: Duration) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_LIMIT))
        .set_response_timeout(Some(ANSWER_LIMIT.saturating_add(longer)))
}

/// A connection that hears nothing by itself, and over which Redis may take so much longer to answer.
pub(crate) async fn to(
    deployment: &Deployment,
    node: &Node,
    longer: Duration,
) -> Result<Connection, Failure> {
    make(deployment, node, &config(longer)).await
}

/// A connection over which Redis says things by itself.
pub(crate) async fn hearing(
    deployment: &Deployment,
    node: &Node,
    pushes: impl AsyncPushSender,
) -> Result<Connection, Failure> {
    let config = config(Duration::ZERO).set_push_sender(pushes);
    make(deployment, node, &config).await
}

async fn make(
    deployment: &Deployment,
    node: &Node,
    config: &AsyncConnectionConfig,
) -> Result<Connection, Failure> {
    let client = deployment.client(node).await?;
    let mut connection = client
        .get_multiplexed_async_connection_with_config(config)
        .await?;
    deployment.check(&mut connection).await?;
    Ok(connection)
}

/// A connection to somebody who is no part of a deployment.
pub(crate) async fn plainly(client: &Client) -> Result<Connection, RedisError> {
    let config = config(Duration::ZERO);
    client
        .get_multiplexed_async_connection_with_config(&config)
        .await
}

pub(crate) async fn ping(connection: &mut Connection) -> Result<(), Failure> {
    match connection.send_packed_command(&redis::cmd("PING")).await? {
        Value::SimpleString(_) | Value::BulkString(_) | Value::Okay => Ok(()),
        Value::ServerError(error) => Err(RedisError::from(error).into()),
        _ => Err(Confused.into()),
    }
}

/// Sends commands at once. The outcome of each, unless the connection is lost.
pub(crate) async fn send(
    connection: &mut Connection,
    commands: &redis::Pipeline,
) -> Result<Vec<Value>, RedisError> {
    let count = commands.len();
    connection.send_packed_commands(commands, 0, count).await
}

/// Says one command, also to a server that is about to have the slot of its key.
pub(crate) async fn ask(
    connection: &mut Connection,
    command: &redis::Cmd,
    is_asking: bool,
) -> Result<Value, RedisError> {
    if !is_asking {
        return connection.send_packed_command(command).await;
    }
    let mut commands = redis::pipe();
    commands.cmd("ASKING").add_command(command.clone());
    let mut answers = send(connection, &commands).await?;
    Ok(answers.pop().unwrap_or(Value::Nil))
}

pub(crate) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

/// The connection was lost.
#[derive(Debug)]
pub(crate) struct Lost;

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection to Redis was lost")
    }
}

impl std::error::Error for Lost {}

/// What was answered does not belong to what was asked: the client takes what Redis says by itself of a subscription for an
/// answer, if something is asked just then. Another connection is the only way out.
#[derive(Debug)]
pub(crate) struct Confused;

impl std::fmt::Display for Confused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the answers of Redis are out of step")
    }
}

impl std::error::Error for Confused {}

/// The pauses between attempts to connect, and what is told of them: not the same twice.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    pause: Duration,
    told: Option<String>,
}

impl Attempts {
    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// For how long to wait before the next, which is longer after each.
    pub(crate) fn failed(&mut self, shared: &Shared, error: impl Into<Failure>) -> Duration {
        let error = error.into();
        let text = error.to_string();
        if self.told.as_ref() != Some(&text) {
            self.told = Some(text);
            shared.report(AdapterError::bus(error));
        }
        self.pause = (self.pause.saturating_mul(2)).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        self.pause
    }

    /// The same: none before the first.
    pub(crate) const fn pause(&self) -> Duration {
        self.pause
    }
}
