//! Authentication for Socket.IO servers: who may join a namespace, and for how long.
//!
//! This crate knows nothing of sockets. It defines what a credential is and where it may come from, the
//! [`Authenticator`] trait that turns one into a typed identity, the policies that a server attaches to a
//! namespace, and the pure state machine that runs them. Someone who only writes an authenticator depends on
//! this crate alone.
//!
//! Socket.IO has no authentication of its own; two conventions exist, and both are here:
//!
//! * **Handshake**: the token travels with the first request or the CONNECT packet. A bad one means that the
//!   client never gets in.
//! * **Two round trips**: the client connects without a token, so that none appears in a URL or a proxy log, is
//!   not part of the namespace yet, and must emit `authenticate {token}` in time. It then hears `authenticated`,
//!   or `unauthorized` and is disconnected.
//!
//! ```
//! use socketio_auth::{auth_fn, AuthContext, Code, Credential, Grant, Handshake, Outcome, TwoRoundTrip};
//!
//! let keys = auth_fn(|_: AuthContext, key: Credential| async move {
//!     match key.token() {
//!         "key-1" => Outcome::Accept(Grant::new("ann", "user-1")),
//!         _ => Outcome::Reject(Code::InvalidToken.into()),
//!     }
//! });
//! // One authenticator, either mode; the server attaches the policy to a namespace, or to all of them.
//! let in_the_handshake = Handshake::new(keys.clone());
//! let after_connecting = TwoRoundTrip::new(keys);
//! # let _ = (in_the_handshake, after_connecting);
//! ```
//!
//! The module `guide` takes a reader from a first token to a deployment.
//!
//! # Features
//!
//! None is on by default. `jwt-aws-lc` and `jwt-rust-crypto` add the `jwt` module on one of two cryptographic
//! backends; with both, aws-lc is used. `introspection` adds an authenticator that
//! asks the issuer, `discovery` asks an OpenID Connect provider where its keys are, `jwks-http` adds the HTTPS client that it and key sets can use, on tokio. `testing` adds the `testing`
//! module for the tests of applications.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod audit;
mod authenticator;
mod authorize;
mod base;
#[cfg(any(
    feature = "jwt-aws-lc",
    feature = "jwt-rust-crypto",
    feature = "introspection"
))]
mod claims;
#[cfg(any(
    feature = "jwt-aws-lc",
    feature = "jwt-rust-crypto",
    feature = "introspection",
    feature = "jwks-http"
))]
mod fetch;
mod grant;
#[cfg(all(
    any(doc, doctest),
    feature = "testing",
    any(feature = "jwt-aws-lc", feature = "jwt-rust-crypto")
))]
pub mod guide;
#[cfg(any(feature = "jwt-aws-lc", feature = "jwt-rust-crypto"))]
pub mod jwt;
pub mod lenient_json;
mod limits;
mod opaque;
mod policy;
mod presented;
mod rejection;
mod revocation;
mod state_machine;
mod subject;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod wire;

#[cfg(test)]
mod leak_tests;

pub use audit::{AuditKind, AuditSink, AuthEvent};
pub use authenticator::adapt::{Check, MapIdentity};
pub use authenticator::by_issuer::{ByIssuer, by_issuer};
pub use authenticator::cached::Cached;
pub use authenticator::chain::{AnyOf, OrElse, any_of};
pub use authenticator::concurrent::MaxConcurrent;
pub use authenticator::judge::{AuthFn, Authenticator, DynAuthenticator, Outcome, auth_fn};
pub use authenticator::revocable::Revocable;
pub use authenticator::timeout::Timeout;
pub use authorize::authorizer::{
    Action, ActionKind, Authorizer, AuthorizerFn, BothAllow, Decision, EitherAllows, Holder,
    authorizer_fn,
};
pub use authorize::capabilities::{ByCapabilities, Capabilities, by_capabilities};
pub use authorize::join_ticket::{JoinClaims, JoinRequest, JoinTickets};
pub use authorize::pattern::{Pattern, PatternError};
pub use authorize::scope_map::{ScopeMap, ScopeMapBuilder};
pub use base::clock::{Clock, SystemClock};
pub use base::fingerprint::Fingerprint;
pub use base::future::BoxFuture;
pub use base::secret::Secret;
#[cfg(any(
    feature = "jwt-aws-lc",
    feature = "jwt-rust-crypto",
    feature = "introspection",
    feature = "jwks-http"
))]
pub use fetch::exchange::{Fetch, FetchError, FetchRequest, FetchResponse, InsecureUrl};
#[cfg(feature = "jwks-http")]
pub use fetch::http::{HttpFetch, NoRoots};
pub use grant::{Grant, GrantFacts, Scopes};
pub use limits::address::{AddressKey, NetworkError, TrustedProxies};
pub use limits::bounds::{Limits, Rate};
pub use limits::limiter::AuthLimiter;
pub use limits::lockout::{ExponentialLockout, Lockout, LockoutKey};
pub use opaque::api_keys::{ApiKeyDigest, ApiKeys};
#[cfg(feature = "introspection")]
pub use opaque::introspection::Introspection;
pub use opaque::tickets::{TicketError, Tickets};
pub use policy::collected::Collected;
pub use policy::policies::{DynPolicy, Either, ErasedIdentity, Handshake, Policy, TwoRoundTrip};
pub use policy::settings::{Inherit, Mode, NamespacePolicy, OnExpiry};
pub use presented::binding::connection_binding;
pub use presented::context::AuthContext;
pub use presented::credential::{Credential, CredentialSource, Extract, Or, Place, SourceKind};
pub use presented::payload_text::PayloadText;
#[cfg(any(feature = "jwt-aws-lc", feature = "jwt-rust-crypto"))]
pub use presented::proven_field::ProvenAuthField;
pub use presented::request::{NoRequest, RequestSource, RequestView};
pub use presented::session_binding::SessionBinding;
pub use presented::sources::{AllowedOrigins, AuthField, BearerHeader, Cookie, Header, Query};
pub use rejection::code::{Code, Rejection};
pub use revocation::list::{
    OfIssuer, Revocation, RevocationList, RevocationListener, RevocationOrigin, Whose,
};
pub use revocation::memory::{MemoryRevocations, RevocationsFull};
pub use state_machine::{
    Answer, AuthMachine, Change, Granted, Input, Output, Purpose, Queued, Refusal,
};
pub use subject::Subject;
pub use wire::{
    Dialect, ack_authenticated, ack_denied, ack_unauthorized, connect_error, connect_error_v4,
    connect_reply_auth, token_expiring,
};

/// The first page of the package, whose example is compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
