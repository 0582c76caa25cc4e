//! One packet of a client, whichever parser decoded it.

use std::borrow::Cow;
use std::fmt;

use super::args::{ArgsSource, OwnedArgs, RawArgs};
use super::kind::PacketKind;

/// One packet of a client.
///
/// It borrows from the message it came in, unless it had attachments.
#[derive(Clone)]
pub struct Packet<'a> {
    kind: PacketKind,
    namespace: Cow<'a, str>,
    query: Option<Cow<'a, str>>,
    id: Option<u64>,
    name: Option<Cow<'a, str>>,
    args: ArgsSource<'a>,
}

impl<'a> Packet<'a> {
    /// A packet of a kind for a namespace, with nothing else in it.
    #[must_use]
    pub fn new(kind: PacketKind, namespace: impl Into<Cow<'a, str>>) -> Self {
        Self {
            kind,
            namespace: namespace.into(),
            query: None,
            id: None,
            name: None,
            args: ArgsSource::default(),
        }
    }

    /// The same packet with an id.
    #[must_use]
    pub fn with_id(mut self, id: Option<u64>) -> Self {
        self.id = id;
        self
    }

    /// The same packet with the name of an event.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<Cow<'a, str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The same packet with arguments: those of an event or ack, or the one payload of another kind.
    #[must_use]
    pub fn with_args(self, args: OwnedArgs) -> Self {
        self.with_source(ArgsSource::Owned(args))
    }

    /// A packet as it was received. It is made in one piece, because it is large to be moved.
    #[inline]
    pub(crate) fn received(
        kind: PacketKind,
        namespace: Cow<'a, str>,
        query: Option<&'a str>,
        id: Option<u64>,
        name: Option<Cow<'a, str>>,
        args: ArgsSource<'a>,
    ) -> Self {
        Self {
            kind,
            namespace,
            query: query.map(Cow::Borrowed),
            id,
            name,
            args,
        }
    }

    pub(crate) fn with_source(mut self, args: ArgsSource<'a>) -> Self {
        self.args = args;
        self
    }

    /// Gives the packet other arguments.
    pub(crate) fn set_source(&mut self, args: ArgsSource<'a>) {
        self.args = args;
    }

    /// What type of packet it is.
    #[must_use]
    pub fn kind(&self) -> PacketKind {
        self.kind
    }

    /// The namespace it is for, without a query.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The query of a protocol 4 CONNECT, without its question mark.
    //= SIO4-CON-03
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// The id of the acknowledgement that is asked for or given.
    #[must_use]
    pub fn id(&self) -> Option<u64> {
        self.id
    }

    /// The name of the event; a number is given as it was written. `None` for an event without payload and for other kinds.
    //= SIO5-PKT-09
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The arguments of an event or an ack. The payload of a CONNECT or CONNECT_ERROR counts as one argument.
    #[must_use]
    #[inline]
    pub fn args(&self) -> RawArgs<'_> {
        self.args.as_raw()
    }

    /// An event, to be passed on.
    #[inline]
    pub(crate) fn as_event(&self) -> IncomingEvent<'_> {
        IncomingEvent {
            namespace: self.namespace(),
            id: self.id,
            name: self.name(),
            args: self.args(),
            packet: Some(self),
        }
    }

    /// The arguments, to keep.
    #[must_use]
    pub fn into_args(self) -> OwnedArgs {
        self.args.into_args()
    }

    /// The packet, to keep.
    #[must_use]
    pub fn into_owned(self) -> Packet<'static> {
        Packet {
            kind: self.kind,
            namespace: kept(self.namespace),
            query: self.query.map(kept),
            id: self.id,
            name: self.name.map(kept),
            args: self.args.into_owned(),
        }
    }
}

/// An event of a client, as it is passed on: cheap to copy, and of a plain one all there is, since a packet is large to be
/// made and dropped for each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IncomingEvent<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) id: Option<u64>,
    /// `None` when it came without a payload.
    pub(crate) name: Option<&'a str>,
    pub(crate) args: RawArgs<'a>,
    /// What it was read from, unless it was read by itself.
    packet: Option<&'a Packet<'a>>,
}

impl<'a> IncomingEvent<'a> {
    /// An event of the main namespace, read from JSON by itself: nobody waits for an answer to it.
    #[inline]
    pub(in crate::codec) fn plain(name: &'a str, args: RawArgs<'a>) -> Self {
        Self {
            namespace: "/",
            id: None,
            name: Some(name),
            args,
            packet: None,
        }
    }

    /// The event as a packet, to keep.
    pub(crate) fn to_packet(self) -> Packet<'static> {
        match self.packet {
            Some(packet) => packet.clone().into_owned(),
            None => Packet::received(
                PacketKind::Event,
                kept(Cow::Borrowed(self.namespace)),
                None,
                self.id,
                self.name.map(|name| Cow::Owned(name.to_owned())),
                ArgsSource::Owned(self.args.to_owned()),
            ),
        }
    }
}

impl fmt::Debug for Packet<'_> {
    /// Payloads are not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packet")
            .field("kind", &self.kind)
            .field("namespace", &self.namespace)
            .field("id", &self.id)
            .field("name", &self.name)
            .field("args", &self.args())
            .finish_non_exhaustive()
    }
}

/// Part of a packet, to keep.
pub(crate) fn kept(text: Cow<'_, str>) -> Cow<'static, str> {
    match &*text {
        // The commonest namespace costs nothing to keep.
        "/" => Cow::Borrowed("/"),
        _ => Cow::Owned(text.into_owned()),
    }
}
