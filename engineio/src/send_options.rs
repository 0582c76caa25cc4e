//! How one message is to be sent, and what became of it.

/// What happens when a client does not take its messages as fast as they come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OverflowPolicy {
    /// Close the session: the client notices, reconnects and starts afresh.
    #[default]
    Disconnect,
    /// Refuse the new message; the sender is told.
    DropNew,
    /// Forget the oldest waiting messages. One that is partly on the wire stays, whatever its size.
    DropOldest,
}

/// Names a stream of updates of which only the latest matters, such as one cursor's position.
///
/// Keys are compared within one connection; equal numbers are the same stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConflationKey(u64);

impl ConflationKey {
    /// The key with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }
}

/// How one message is to be sent; the default is as [`Connection::send`](crate::Connection::send) does.
///
/// ```
/// use engineio::{ConflationKey, OverflowPolicy, SendOptions};
///
/// let position = SendOptions::new().conflate(ConflationKey::new(7)).overflow(OverflowPolicy::DropNew);
/// let tick = SendOptions::new().volatile(true);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct SendOptions {
    pub(crate) is_volatile: bool,
    pub(crate) is_incompressible: bool,
    pub(crate) overflow: Option<OverflowPolicy>,
    pub(crate) key: Option<ConflationKey>,
}

impl SendOptions {
    /// The defaults.
    pub const fn new() -> Self {
        Self {
            is_volatile: false,
            is_incompressible: false,
            overflow: None,
            key: None,
        }
    }

    /// With `true` the message is dropped unless it would reach the network at once: a poll waits, or the
    /// WebSocket has nothing queued. Default `false`.
    //= SRV-VOL-01
    pub const fn volatile(mut self, is_volatile: bool) -> Self {
        self.is_volatile = is_volatile;
        self
    }

    /// Whether the message may be dropped.
    #[must_use]
    pub const fn is_volatile(&self) -> bool {
        self.is_volatile
    }

    /// With `false` the message is not compressed, even where compression was negotiated. Say so
    /// of what is compressed already, and of secrets beside text that others choose. Default `true`.
    //= EIO4-CMP-02
    pub const fn compress(mut self, compress: bool) -> Self {
        self.is_incompressible = !compress;
        self
    }

    /// Whether the message may be compressed.
    #[must_use]
    pub const fn is_compressible(&self) -> bool {
        !self.is_incompressible
    }

    /// What happens when the queue is past its hard mark, in place of
    /// [`Config::overflow`](crate::Config::overflow).
    ///
    /// [`OverflowPolicy::DropOldest`] on a connection that has another policy of its own counts all that waited
    /// before the first such message as one.
    pub const fn overflow(mut self, policy: OverflowPolicy) -> Self {
        self.overflow = Some(policy);
        self
    }

    /// The message takes the place of a waiting one with the same key, if there is one that has not begun to
    /// leave. It keeps that one's place in the order.
    pub const fn conflate(mut self, key: ConflationKey) -> Self {
        self.key = Some(key);
        self
    }
}

/// What became of a message that was not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sent {
    /// It was written, or waits for its turn.
    Queued,
    /// It waits in the place of an older message with the same key, which will not be sent.
    Replaced,
    /// It was volatile and the client could not take it at once.
    Dropped,
}
