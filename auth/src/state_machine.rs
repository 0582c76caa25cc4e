//! The machine that runs one policy for one namespace of one connection.

mod common;
mod inside;
mod machine;
mod messages;
mod outside;
mod revalidation;
mod stage;

pub use machine::AuthMachine;
pub use messages::{Answer, Change, Granted, Input, Output, Purpose, QueuedPacket, Reason};

#[cfg(test)]
mod exploration;
#[cfg(test)]
mod tests;
