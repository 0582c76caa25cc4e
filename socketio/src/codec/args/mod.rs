//! The arguments of events and acks, as received and as kept.

mod argument;
mod from_args;
mod owned;
mod raw;
mod source;
mod spread;
mod stored;

pub(super) use argument::{ARRAY, Argument};
pub use from_args::{Args, FromArgs};
pub use owned::OwnedArgs;
pub use raw::RawArgs;
pub(super) use source::ArgsSource;
pub(super) use stored::{Attached, Attachments};
