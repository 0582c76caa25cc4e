//! What the floor server, the load generator and the side-by-side run have in common.
//!
//! The command is `cargo run --release -p benches -- compare`; see `src/main.rs`.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock; the ban is for the libraries"
)]

pub mod allocations;
pub mod cluster;
pub mod compare;
mod listening;
pub mod load;
pub mod process;
pub mod scale;
pub mod storm;
pub mod sys;
pub mod wire;
mod workspace;
