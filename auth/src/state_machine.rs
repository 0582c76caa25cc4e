//! The machine that runs one policy for one namespace of one connection.

mod machine;
mod messages;

pub use machine::AuthMachine;
pub use messages::{Input, Output, Queued};

#[cfg(test)]
mod exploration;
#[cfg(test)]
mod tests;
