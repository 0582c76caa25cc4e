//! What can go wrong.

use std::fmt;

/// What lies behind an [`AdapterError`](socketio::cluster::AdapterError), where it is no error of `tokio_postgres`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostgresError {
    /// The channel of a namespace would have this name, which Postgres does not take: it has more than 63 bytes, or a NUL. The
    /// namespace works on its own server, and nobody else hears of it.
    InvalidChannel(String),
    /// A message was not published since too many wait already, in number or in bytes: Postgres is away or too slow.
    TooMuchWaiting,
    /// The connection was lost, or did not answer in time.
    Lost,
    /// An attachment that was announced is not there, or is larger than what is read.
    NoAttachment,
}

impl fmt::Display for PostgresError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidChannel(name) => {
                return write!(
                    f,
                    "no name for a channel, which has at most 63 bytes: {name:?}"
                );
            }
            Self::TooMuchWaiting => "too much waits to be published to Postgres",
            Self::Lost => "the connection to Postgres was lost",
            Self::NoAttachment => "an attachment is not there",
        })
    }
}

impl std::error::Error for PostgresError {}
