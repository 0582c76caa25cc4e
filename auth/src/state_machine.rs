//! The machine that runs one policy for one namespace of one connection.

mod machine;
mod messages;
mod revalidation;
mod state;

pub use machine::AuthMachine;
pub use messages::{Input, Output, Purpose, Queued};

#[cfg(test)]
mod exploration;
#[cfg(test)]
mod tests;
