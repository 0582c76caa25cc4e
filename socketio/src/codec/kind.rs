//! What kinds of packets there are, and which names events may not have.

/// The names that no event may have, in either direction (SIO5-PKT-07).
const RESERVED_NAMES: [&str; 6] = [
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
];

/// True for the names that no event may have (SIO5-PKT-07).
//= SIO5-PKT-07
#[inline]
pub(crate) fn is_reserved(name: &str) -> bool {
    // Most events begin with another letter.
    matches!(name.as_bytes().first(), Some(b'c' | b'd' | b'n' | b'r'))
        && RESERVED_NAMES.contains(&name)
}

/// The type of a packet. Binary events and binary acks are events and acks with attachments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PacketKind {
    /// The client joins a namespace.
    Connect,
    /// The client leaves a namespace.
    Disconnect,
    /// An event.
    Event,
    /// The answer to an event.
    Ack,
    /// A namespace cannot be joined. Only servers send it.
    ConnectError,
}
