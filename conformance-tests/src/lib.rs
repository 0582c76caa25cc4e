//! A conformance suite for Engine.IO and Socket.IO servers, in any language.
//!
//! It talks to a server by URL and checks, rule by rule, what `spec/PROTOCOL.md` says that one can see from the wire.
//! The server under test behaves as `spec/FIXTURE.md` says: it is an echo with a few extras, and ready ones exist for
//! Rust (the `fixture` binary here), Node (`node/fixture.mjs`) and Python (`python/fixture.py`).
//!
//! ```no_run
//! use conformance_tests::{Format, Options, Profile, run};
//!
//! # async fn check() -> Result<(), conformance_tests::RunError> {
//! let report = run("http://127.0.0.1:3000", Options::new(Profile::Engine)).await?;
//! assert!(report.is_conformant(), "{}", report.to_format(Format::Table));
//! # Ok(())
//! # }
//! ```
//!
//! A run that cannot begin is an error, not a failed case:
//!
//! ```
//! use conformance_tests::{Options, Profile, RunError, run};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! // A port that was free a moment ago: nobody listens there.
//! let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
//! let error = run(&format!("http://{address}"), Options::new(Profile::Engine)).await.unwrap_err();
//! assert!(matches!(error, RunError::NotServing(_)), "{error}");
//! # Ok(())
//! # }
//! ```
//!
//! The clients in here are written by hand and share no code with the server crates.

mod case;
mod cases;
mod client;
mod context;
mod failure;
mod health;
mod options;
mod probe;
mod report;
mod run;
mod trace;

pub use case::{Case, JWT_SECRET, Level, Profile};
pub use cases::all as cases;
pub use failure::{Failure, Verdict};
pub use options::Options;
pub use report::{Format, Made, Outcome, Report, Status};
pub use run::{RunError, run};

/// The snippets of the project's README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
