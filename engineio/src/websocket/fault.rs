//! What ends a WebSocket.

/// How a peer broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Protocol,
    InvalidUtf8,
    TooBig,
}

impl Fault {
    /// The status code of the close frame that answers it (RFC 6455 §7.4.1).
    pub(crate) const fn close_code(self) -> u16 {
        match self {
            Self::Protocol => 1002,
            Self::InvalidUtf8 => 1007,
            Self::TooBig => 1009,
        }
    }
}
