//! What tests of authentication are made of: answers settled beforehand, a clock that stands still, the state machine
//! with a time of its own, and a suite that any authenticator has to pass. Behind the feature `testing`.
//!
//! ```
//! use socketio_auth::testing::{StaticAuth, block_on};
//! use socketio_auth::{AuthContext, Authenticator, Credential, Outcome, SourceKind};
//!
//! let authenticator = StaticAuth::accept("ann");
//! let token = Credential::new("any", SourceKind::Payload);
//! let outcome = block_on(authenticator.authenticate(&AuthContext::new("/"), &token));
//! assert!(matches!(outcome, Outcome::Accept(grant) if grant.subject() == "ann"));
//! ```

mod block_on;
mod conformance;
mod driver;
mod fake_clock;
mod static_auth;

pub use block_on::block_on;
pub use conformance::Conformance;
pub use driver::{MachineDriver, describe};
pub use fake_clock::FakeClock;
pub use static_auth::StaticAuth;
