//! One connection to a Redis server: how it is made, how long it may be silent, and what is said over it.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError, Value};

use crate::error::Failure;

pub(crate) type Connection = MultiplexedConnection;

/// How long a connection may take to be made.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// How long Redis may take to answer; then the connection counts as lost.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);

/// How often it is asked whether it is there.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(2);

/// How a connection is made over which Redis may take so much longer to answer.
pub(crate) fn config(longer: Duration) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_LIMIT))
        .set_response_timeout(Some(ANSWER_LIMIT.saturating_add(longer)))
}

/// A connection to the server that this is a client of.
pub(crate) async fn to(
    client: &Client,
    config: &AsyncConnectionConfig,
) -> Result<Connection, RedisError> {
    client
        .get_multiplexed_async_connection_with_config(config)
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
