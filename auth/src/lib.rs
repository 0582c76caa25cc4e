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
//! asks the issuer, `jwks-http` the HTTPS client that it and key sets can use, on tokio. `testing` adds the `testing`
//! module for the tests of applications.
#![forbid(unsafe_code)]

mod api_keys;
mod audit;
mod authenticator;
mod authorize;
mod binding;
#[cfg(any(
    feature = "jwt-aws-lc",
    feature = "jwt-rust-crypto",
    feature = "introspection"
))]
mod claims;
mod clock;
mod code;
mod combinators;
mod context;
mod credential;
#[cfg(any(
    feature = "jwt-aws-lc",
    feature = "jwt-rust-crypto",
    feature = "introspection",
    feature = "jwks-http"
))]
mod fetch;
mod fingerprint;
mod grant;
#[cfg(all(
    any(doc, doctest),
    feature = "testing",
    any(feature = "jwt-aws-lc", feature = "jwt-rust-crypto")
))]
pub mod guide;
#[cfg(feature = "jwks-http")]
mod http_fetch;
#[cfg(feature = "introspection")]
mod introspection;
#[cfg(any(feature = "jwt-aws-lc", feature = "jwt-rust-crypto"))]
pub mod jwt;
mod limits;
mod lock;
mod panic_guard;
mod payload_text;
mod policy;
#[cfg(any(feature = "jwt-aws-lc", feature = "jwt-rust-crypto"))]
mod proven_field;
mod random;
#[cfg(test)]
mod ready;
mod recent;
mod request;
mod revocation;
mod secret;
mod session_binding;
mod settings;
mod sources;
mod state_machine;
#[cfg(any(
    feature = "jwt-aws-lc",
    feature = "jwt-rust-crypto",
    feature = "introspection"
))]
mod strict_json;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod tickets;
mod wire;

#[cfg(test)]
mod leak_tests;

pub use api_keys::{ApiKeyDigest, ApiKeys};
pub use audit::{AuditKind, AuditSink, AuthEvent};
pub use authenticator::{AuthFn, Authenticator, BoxFuture, DynAuthenticator, Outcome, auth_fn};
pub use authorize::{
    Action, ActionKind, Authorizer, AuthorizerFn, BothAllow, ByCapabilities, Capabilities,
    Decision, EitherAllows, Holder, JoinClaims, JoinRequest, JoinTickets, Pattern, PatternError,
    ScopeMap, ScopeMapBuilder, authorizer_fn, by_capabilities,
};
pub use binding::connection_binding;
pub use clock::{Clock, SystemClock};
pub use code::{Code, Rejection};
pub use combinators::{
    AnyOf, ByIssuer, Cached, Check, MapIdentity, MaxConcurrent, OrElse, Revocable, Timeout, any_of,
    by_issuer,
};
pub use context::AuthContext;
pub use credential::{Credential, CredentialSource, Extract, Or, Place, SourceKind};
#[cfg(any(
    feature = "jwt-aws-lc",
    feature = "jwt-rust-crypto",
    feature = "introspection",
    feature = "jwks-http"
))]
pub use fetch::{Fetch, FetchError, FetchRequest, FetchResponse, InsecureUrl};
pub use fingerprint::Fingerprint;
pub use grant::{Grant, GrantFacts, Scopes};
#[cfg(feature = "jwks-http")]
pub use http_fetch::{HttpFetch, NoRoots};
#[cfg(feature = "introspection")]
pub use introspection::Introspection;
pub use limits::{
    AddressKey, AuthLimiter, ExponentialLockout, Limits, Lockout, LockoutKey, NetworkError, Rate,
    TrustedProxies,
};
pub use payload_text::PayloadText;
pub use policy::{Collected, DynPolicy, Either, ErasedIdentity, Handshake, Policy, TwoRoundTrip};
#[cfg(any(feature = "jwt-aws-lc", feature = "jwt-rust-crypto"))]
pub use proven_field::ProvenAuthField;
pub use request::{NoRequest, RequestSource, RequestView};
pub use revocation::{
    MemoryRevocations, Revocation, RevocationList, RevocationListener, RevocationOrigin,
    RevocationsFull,
};
pub use secret::Secret;
pub use session_binding::SessionBinding;
pub use settings::{Inherit, Mode, NamespacePolicy, OnExpiry};
pub use sources::{AllowedOrigins, AuthField, BearerHeader, Cookie, Header, Query};
pub use state_machine::{
    Answer, AuthMachine, Change, Granted, Input, Output, Purpose, Queued, Refusal,
};
pub use tickets::{TicketError, Tickets};
pub use wire::{
    Dialect, ack_authenticated, ack_denied, ack_unauthorized, connect_error, connect_error_v4,
    connect_reply_auth, token_expiring,
};
