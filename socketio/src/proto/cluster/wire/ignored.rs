//! Why a message of the bus was not acted on.

use std::fmt;

/// Why a message of the bus means nothing here. It is no failure: whoever reads goes on with the next one.
//= RDS-02
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ignored {
    /// It is neither JSON nor msgpack, or goes on behind its end.
    Malformed,
    /// It is nested deeper than [`MAX_DEPTH`](super::MAX_DEPTH).
    TooDeep,
    /// It has more bytes than [`MAX_BYTES`](super::MAX_BYTES), or more values than [`MAX_VALUES`](super::MAX_VALUES).
    TooLarge,
    /// It is no array or map, or none of the kind that belongs on its channel.
    Shape,
    /// A member that it needs is absent or null.
    Missing(&'static str),
    /// A member is of another type than it must be.
    Mistyped(&'static str),
    /// Its type is unknown.
    UnknownType,
    /// Its event has a name that no event may have.
    ReservedName,
    /// It is about another namespace than its channel.
    OtherNamespace,
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("neither JSON nor msgpack"),
            Self::TooDeep => f.write_str("nested too deep"),
            Self::TooLarge => f.write_str("too large"),
            Self::Shape => f.write_str("no message"),
            Self::Missing(member) => write!(f, "there is no {member}"),
            Self::Mistyped(member) => write!(f, "{member} is of another type"),
            Self::UnknownType => f.write_str("of an unknown type"),
            Self::ReservedName => f.write_str("the name of the event is reserved"),
            Self::OtherNamespace => f.write_str("about another namespace"),
        }
    }
}

impl std::error::Error for Ignored {}
