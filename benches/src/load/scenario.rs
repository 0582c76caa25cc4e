//! What a load can be.

/// What is asked of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// A message comes back to each of 100 clients, each of which keeps `in_flight` under way.
    Echo {
        /// Bytes of the text or attachment.
        bytes: usize,
        /// Messages of one client under way at a time.
        in_flight: usize,
        /// What the message is made of.
        content: Content,
    },
    /// One message to everyone, then the next.
    Broadcast {
        /// Sockets connected.
        clients: usize,
        /// Rooms they are spread over; 0 for the whole namespace.
        rooms: usize,
        /// Bytes of the text.
        bytes: usize,
    },
    /// Connect over WebSocket, join the namespace if there is one, close.
    Connect,
    /// Connect by polling, upgrade, one echo, close.
    Upgrade,
    /// A message comes back through a waiting poll.
    PollingEcho,
    /// Resident bytes for each connected client, and after they have left.
    Idle {
        /// Sockets connected.
        clients: usize,
        /// Bytes of the text that each has said, and heard back, before nothing more is said; 0 for none.
        said: usize,
    },
}

/// What an echoed message is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// An event with one text.
    Text,
    /// An event with one attachment; without Socket.IO a binary message.
    Binary,
}
