//! One error type per operation.

use std::error::Error;
use std::fmt;

use crate::codec::{ArgsError, EncodeError};

/// Why an event was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EmitError {
    /// The socket is not connected any more.
    Disconnected,
    /// Too many bytes wait for this client; with the default policy it is disconnected now.
    QueueFull {
        /// The bytes that wait.
        queued_bytes: usize,
    },
    /// The event cannot be encoded: its arguments cannot be serialized, or its name is reserved.
    //= SIO5-PKT-07
    Encode(EncodeError),
    /// Too many acknowledgements are awaited from this client.
    TooManyAcks,
    /// The authorizer of the namespace does not let this client receive the event.
    Forbidden,
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disconnected => f.write_str("the socket is disconnected"),
            Self::QueueFull { queued_bytes } => {
                write!(f, "the client's queue is full: {queued_bytes} bytes wait")
            }
            Self::Encode(_) => f.write_str("the event cannot be encoded"),
            Self::TooManyAcks => f.write_str("too many acknowledgements are awaited"),
            Self::Forbidden => f.write_str("the client may not receive the event"),
        }
    }
}

impl Error for EmitError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Encode(error) => Some(error),
            _ => None,
        }
    }
}

/// As its text, so that a handler may return it. What caused it is not told.
impl serde::Serialize for EmitError {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl From<EncodeError> for EmitError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl From<engineio::SendError> for EmitError {
    fn from(error: engineio::SendError) -> Self {
        match error {
            engineio::SendError::QueueFull { queued_bytes } => Self::QueueFull { queued_bytes },
            _ => Self::Disconnected,
        }
    }
}

/// Why a client may not join a namespace; made by connect middleware and sent to the client.
///
/// ```
/// use socketio::ConnectError;
///
/// let error = ConnectError::new("not allowed").with_data(&[1, 2]);
/// assert_eq!((error.message(), error.data()), ("not allowed", Some("[1,2]")));
/// ```
//= SIO5-CON-05
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectError {
    message: String,
    data: Option<String>,
}

impl ConnectError {
    /// An error with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            data: None,
        }
    }

    /// Adds what else the client is told. Data that has no JSON form is left out.
    #[must_use]
    pub fn with_data<T: serde::Serialize + ?Sized>(mut self, data: &T) -> Self {
        self.data = serde_json::to_string(data).ok();
        self
    }

    /// What the client reads as the error's `message`.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What the client reads as the error's `data`, as JSON.
    #[must_use]
    pub fn data(&self) -> Option<&str> {
        self.data.as_deref()
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ConnectError {}

impl From<&str> for ConnectError {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}

impl From<String> for ConnectError {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

/// Its text is what the client reads, as of the errors below, so that middleware may use `?`.
impl From<JoinError> for ConnectError {
    fn from(error: JoinError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<EmitError> for ConnectError {
    fn from(error: EmitError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<AckError> for ConnectError {
    fn from(error: AckError) -> Self {
        Self::new(error.to_string())
    }
}

/// Why a room was not joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JoinError {
    /// The socket is not connected any more.
    Disconnected,
    /// The socket is in as many rooms as it may be, or the namespace has as many.
    TooManyRooms,
    /// The name of the room is too long.
    NameTooLong,
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disconnected => "the socket is disconnected",
            Self::TooManyRooms => "there are too many rooms",
            Self::NameTooLong => "the name of the room is too long",
        })
    }
}

impl Error for JoinError {}

/// As its text, so that a handler may return it.
impl serde::Serialize for JoinError {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Why an acknowledgement did not come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AckError {
    /// The event was not sent at all.
    Emit(EmitError),
    /// The client did not answer in time.
    Timeout,
    /// The client disconnected before it answered.
    Disconnected,
    /// The answer is not of the expected type.
    Decode(ArgsError),
}

impl fmt::Display for AckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Emit(_) => f.write_str("the event was not sent"),
            Self::Timeout => f.write_str("operation has timed out"),
            Self::Disconnected => f.write_str("the client disconnected before it answered"),
            Self::Decode(_) => f.write_str("the answer is not of the expected type"),
        }
    }
}

impl Error for AckError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Emit(error) => Some(error),
            Self::Decode(error) => Some(error),
            _ => None,
        }
    }
}

/// Why a server or a namespace cannot be built.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// The engine's options contradict themselves.
    Config(engineio::ConfigError),
    /// A namespace must begin with a slash and hold no comma or question mark.
    NamespaceName,
    /// The pattern of a set of namespaces has a brace that is not closed, a parameter without a name, with that of another, or
    /// right beside another part that takes any number of characters; or it lacks the parameter that a type was given for.
    NamespacePattern(String),
    /// The namespace is open already.
    NamespaceTaken,
    /// The event has one of the reserved names, or the one that the namespace's policy takes.
    //= SIO5-PKT-07
    ReservedName(String),
    /// A server with an adapter must be built inside a tokio runtime, which runs the adapter's tasks.
    NoRuntime,
    /// The operating system has no random bytes for the id of the server.
    NoRandomness,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(_) => f.write_str("the engine's options contradict themselves"),
            Self::NamespaceName => f.write_str(
                "a namespace must begin with a slash and hold no comma or question mark",
            ),
            Self::NamespacePattern(pattern) => {
                write!(
                    f,
                    "the pattern {pattern} of a set of namespaces is in doubt"
                )
            }
            Self::NamespaceTaken => f.write_str("the namespace is open already"),
            Self::ReservedName(name) => write!(f, "the event name {name} is reserved"),
            Self::NoRuntime => {
                f.write_str("a server with an adapter must be built inside a tokio runtime")
            }
            Self::NoRandomness => f.write_str("the operating system has no random bytes"),
        }
    }
}

impl Error for BuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            _ => None,
        }
    }
}

impl From<engineio::ConfigError> for BuildError {
    fn from(error: engineio::ConfigError) -> Self {
        Self::Config(error)
    }
}

/// Why a socket left its namespace, with the reference's words.
//= SIO5-DIS-05
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The client left the namespace.
    ClientNamespaceDisconnect,
    /// The server disconnected the socket.
    ServerNamespaceDisconnect,
    /// The server is shutting down.
    ServerShuttingDown,
    /// The connection was closed.
    TransportClose,
    /// The connection failed, or the client broke a rule of its transport.
    ///
    /// The reference adds a description of the failure. There is none here: what a peer can cause is
    /// told to the log, and a handler has nothing to decide by it.
    //= SIO5-DIS-07 exception: the failure is in the log, not with the reason
    TransportError,
    /// The client did not answer the heartbeat.
    PingTimeout,
    /// The client sent what cannot be decoded.
    ParseError,
    /// The client sent an invalid packet, or the server closed the connection.
    ForcedClose,
    /// The client sent a packet that is not allowed in its state, over long-polling and with no poll waiting that
    /// could tell it of the close. Where it hears at once the reason is [`ForcedClose`](Self::ForcedClose).
    //= SIO5-INV-02
    ForcedServerClose,
}

impl DisconnectReason {
    /// Whether a client may come back for what it had (SIO5-CSR-08).
    pub(crate) const fn is_recoverable(self) -> bool {
        matches!(
            self,
            Self::TransportError
                | Self::TransportClose
                | Self::ForcedClose
                | Self::ForcedServerClose
                | Self::PingTimeout
                | Self::ServerShuttingDown
        )
    }

    /// The reference's string.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientNamespaceDisconnect => "client namespace disconnect",
            Self::ServerNamespaceDisconnect => "server namespace disconnect",
            Self::ServerShuttingDown => "server shutting down",
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
            Self::PingTimeout => "ping timeout",
            Self::ParseError => "parse error",
            Self::ForcedClose => "forced close",
            Self::ForcedServerClose => "forced server close",
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<engineio::CloseReason> for DisconnectReason {
    fn from(reason: engineio::CloseReason) -> Self {
        match reason {
            engineio::CloseReason::TransportClose => Self::TransportClose,
            engineio::CloseReason::TransportError => Self::TransportError,
            engineio::CloseReason::PingTimeout => Self::PingTimeout,
            engineio::CloseReason::ParseError => Self::ParseError,
            _ => Self::ForcedClose,
        }
    }
}
