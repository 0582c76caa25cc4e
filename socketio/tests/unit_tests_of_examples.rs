//! The unit tests that two of the examples have. Cargo builds an example as a program or as its tests, not both, and
//! `tests/examples.rs` wants the program.
#![allow(
    dead_code,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "programs, whose `main` nobody calls here"
)]

#[path = "../examples/custom_parser/main.rs"]
mod custom_parser;
#[path = "../examples/unit_tests/main.rs"]
mod unit_tests;
