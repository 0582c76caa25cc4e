//! What a client may ask of the decoder.

/// The most levels that [`PacketLimits::max_depth`] can ask for, whatever it says.
pub(crate) const DEEPEST: u32 = 1_024;

/// The bounds on one incoming packet. One past any of them is an invalid packet, which closes the connection; where only
/// the arguments of an event without binary are past
/// [`max_depth`](Self::max_depth) or [`max_values`](Self::max_values), and come as JSON, the event alone is refused: it is
/// acknowledged with `{"error":"too_deep"}` or `{"error":"too_many_values"}`, and
/// [`on_invalid`](crate::NamespaceBuilder::on_invalid) is told. Arguments that are no JSON behind the limit are an invalid
/// packet all the same. A CONNECT for a name past [`max_namespace_len`](Self::max_namespace_len) is refused as one for a
/// namespace that is not open.
///
/// ```
/// let limits = socketio::parser::PacketLimits::default().max_attachments(2);
/// assert_eq!((limits.max_attachments, limits.max_depth), (2, 1_024));
/// ```
//= SIO5-INV-01
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "limits hold once the builder has them"]
#[non_exhaustive]
pub struct PacketLimits {
    /// How many attachments a binary packet may announce; 10 by default.
    ///
    /// Raising it lets a client keep more messages waiting; clients of the reference send no more than 10.
    //= SIO5-BIN-06
    pub max_attachments: usize,
    /// How many bytes the attachments of one packet may have, each counted once for every placeholder that
    /// names it and at least once; 10,000,000 by default.
    ///
    /// It bounds both what an incomplete packet keeps in memory and what it becomes when each placeholder is
    /// replaced by its own copy. Lowering it below the engine's `max_payload` refuses single attachments too.
    pub max_attachment_bytes: usize,
    /// How deep arrays and objects may be nested, the array of the arguments included; 1,024 by default, and at most.
    ///
    /// It bounds what is passed on as it came, as [`OwnedArgs`](crate::OwnedArgs) are. A type is deserialized from an
    /// argument of up to 256 levels, so that recursive types do not overflow the stack; of a deeper one a handler is told
    /// like of any other that is not of its type, and the connection stays.
    pub max_depth: u32,
    /// How many values a packet may hold, each element and each member counted; 1,000,000 by default, which is more than a
    /// message of the engine's default `max_payload` has room for.
    ///
    /// It bounds the memory of a value tree, which takes some 30 to 100 bytes for each value. Where `max_payload` is raised
    /// and handlers take trees, lowering it bounds them.
    pub max_values: usize,
    /// How many bytes the name of a namespace may have; 256 by default. The query of a protocol 4 CONNECT is
    /// not counted.
    ///
    /// The answer to a CONNECT past it repeats the name, so it is as long as what was sent. No predicate of a dynamic
    /// namespace is asked about it.
    pub max_namespace_len: usize,
    /// How many bytes the query of a protocol 4 CONNECT may have; 8,192 by default.
    ///
    /// Tokens travel there, so lowering it can lock clients out.
    //= SIO4-CON-03
    pub max_query_len: usize,
}

impl Default for PacketLimits {
    fn default() -> Self {
        Self {
            max_attachments: 10,
            max_attachment_bytes: 10_000_000,
            max_depth: DEEPEST,
            max_values: 1_000_000,
            max_namespace_len: 256,
            max_query_len: 8_192,
        }
    }
}

impl PacketLimits {
    /// Sets [`max_attachments`](field@Self::max_attachments).
    pub const fn max_attachments(mut self, attachments: usize) -> Self {
        self.max_attachments = attachments;
        self
    }

    /// Sets [`max_attachment_bytes`](field@Self::max_attachment_bytes).
    pub const fn max_attachment_bytes(mut self, bytes: usize) -> Self {
        self.max_attachment_bytes = bytes;
        self
    }

    /// Sets [`max_depth`](field@Self::max_depth).
    pub const fn max_depth(mut self, depth: u32) -> Self {
        self.max_depth = depth;
        self
    }

    /// Sets [`max_values`](field@Self::max_values).
    pub const fn max_values(mut self, values: usize) -> Self {
        self.max_values = values;
        self
    }

    /// Sets [`max_namespace_len`](field@Self::max_namespace_len).
    pub const fn max_namespace_len(mut self, bytes: usize) -> Self {
        self.max_namespace_len = bytes;
        self
    }

    /// Sets [`max_query_len`](field@Self::max_query_len).
    pub const fn max_query_len(mut self, bytes: usize) -> Self {
        self.max_query_len = bytes;
        self
    }
}
