//! What lies below the messages of a scenario.

/// What lies between the messages and the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    Plain,
    Tls,
    /// permessage-deflate with this offer.
    Deflate(&'static str),
}

impl Layer {
    pub(super) fn offer(self) -> Option<&'static str> {
        match self {
            Self::Deflate(offer) => Some(offer),
            Self::Plain | Self::Tls => None,
        }
    }
}
