//! Why sessions end.

/// Why a session ended, with the reference's words.
//= EIO4-CLS-09
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer closed: a close packet over polling, a close frame or the end of the stream on WebSocket.
    TransportClose,
    /// The peer broke a rule of the transport, or its connection failed.
    TransportError,
    /// The heartbeat was not answered in time.
    PingTimeout,
    /// A packet could not be decoded.
    ParseError,
    /// This side closed it.
    ForcedClose,
}

impl CloseReason {
    /// Every reason there is.
    pub const ALL: [Self; 5] = [
        Self::TransportClose,
        Self::TransportError,
        Self::PingTimeout,
        Self::ParseError,
        Self::ForcedClose,
    ];

    /// The reference's string for this reason, as JavaScript applications see it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
            Self::PingTimeout => "ping timeout",
            Self::ParseError => "parse error",
            Self::ForcedClose => "forced close",
        }
    }
}

impl std::fmt::Display for CloseReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
