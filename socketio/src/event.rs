//! Events as middleware and hooks see them.

use std::fmt;

use crate::codec::{ArgsError, EncodeError, OwnedArgs, PacketError, RawArgs};

/// An event with its arguments, to keep, to change or to send on.
#[derive(Clone, Debug)]
pub struct Event {
    name: String,
    args: OwnedArgs,
}

impl Event {
    /// An event.
    ///
    /// # Errors
    ///
    /// When the arguments cannot be serialized.
    pub fn new<A: serde::Serialize + ?Sized>(
        name: impl Into<String>,
        args: &A,
    ) -> Result<Self, EncodeError> {
        OwnedArgs::new(args).map(|args| Self::from_parts(name, args))
    }

    pub(crate) fn from_parts(name: impl Into<String>, args: OwnedArgs) -> Self {
        Self {
            name: name.into(),
            args,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its arguments.
    #[must_use]
    pub fn args(&self) -> RawArgs<'_> {
        self.args.as_raw()
    }

    pub(crate) fn into_parts(self) -> (String, OwnedArgs) {
        (self.name, self.args)
    }

    /// Its arguments, to send on.
    #[must_use]
    pub fn into_args(self) -> OwnedArgs {
        self.args
    }
}

/// What has become of a namespace, for [`on_namespace`](crate::SocketIoBuilder::on_namespace).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NamespaceEvent<'a> {
    /// It takes clients.
    #[non_exhaustive]
    Opened {
        /// Its name.
        name: &'a str,
        /// It is one of a set, and goes with its last socket.
        is_dynamic: bool,
    },
    /// Nobody joins it any more.
    #[non_exhaustive]
    Closed {
        /// Its name.
        name: &'a str,
        /// It was one of a set.
        is_dynamic: bool,
    },
}

/// How the holder of a socket has changed, see [`IdentityChange`](crate::namespace::IdentityChange).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChangeKind {
    /// A guest has authenticated. The socket keeps the rooms that the policy lets its new holder be in.
    Login,
    /// The same subject has a newer grant, or the authenticator was
    /// [asked again](socketio_auth::NamespacePolicy::revalidate_every). The socket keeps the rooms that the policy still
    /// lets it be in.
    Renewal,
    /// Another subject takes the socket over, see
    /// [`allow_switch`](socketio_auth::NamespacePolicy::allow_switch). The socket has left all its rooms.
    Switch,
    /// The grant has ended, and a guest goes on, see [`OnExpiry::Downgrade`](socketio_auth::OnExpiry::Downgrade). The
    /// socket has left all its rooms.
    Downgrade,
}

/// Something a client sent that no handler will see, for
/// [`on_invalid`](crate::NamespaceBuilder::on_invalid).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Invalid<'a> {
    /// The arguments of an event are not of the type that its handler takes.
    Arguments {
        /// The event.
        event: &'a str,
        /// What is wrong with them.
        error: &'a ArgsError,
    },
    /// A message is not part of a valid packet; the connection is being closed.
    //= SIO5-INV-01
    Packet(PacketError),
    /// The arguments of an event are past a limit (see [`Limits`](crate::parser::PacketLimits)); it was dropped.
    PastLimit {
        /// The event.
        event: &'a str,
        /// Which limit.
        error: PacketError,
    },
    /// More events wait than may while an answer of the client is awaited; the connection is being closed, see
    /// [`inbox_overflow_bytes`](crate::SocketIoBuilder::inbox_overflow_bytes).
    InboxFull {
        /// How many bytes may wait.
        max_bytes: usize,
    },
    /// Events come faster than [`events_per_second`](crate::SocketIoBuilder::events_per_second) allows.
    TooFast {
        /// The event that was dropped.
        event: &'a str,
    },
}

impl fmt::Display for Invalid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arguments { event, error } => write!(f, "arguments of {event:?}: {error}"),
            Self::Packet(error) => error.fmt(f),
            Self::PastLimit { event, error } => write!(f, "{event:?} was dropped: {error}"),
            Self::InboxFull { max_bytes } => write!(
                f,
                "an answer is owed, and more than {max_bytes} bytes of events wait"
            ),
            Self::TooFast { event } => write!(f, "{event:?} was dropped: too many events"),
        }
    }
}
