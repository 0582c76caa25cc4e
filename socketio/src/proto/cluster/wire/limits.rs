//! What is read at most.

/// The longest message that is read. A longer one is [`Ignored::TooLarge`](super::Ignored::TooLarge).
pub const MAX_BYTES: usize = 128 * 1024 * 1024;

/// How many values a message may have that is read, each element and each member counted; msgpack only, as text takes more
/// bytes for each. One more is [`Ignored::TooLarge`](super::Ignored::TooLarge).
pub const MAX_VALUES: usize = 4_000_000;

/// How deep arrays and objects may be nested in a message that is read or written, its own frame included. One more is
/// [`Ignored::TooDeep`](super::Ignored::TooDeep).
pub const MAX_DEPTH: u32 = 256;
