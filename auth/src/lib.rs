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
//! use socketio_auth::{AuthContext, Code, Credential, Grant, InHandshake, Outcome, TwoRoundTrip, auth_fn};
//!
//! let keys = auth_fn(|_: AuthContext, key: Credential| async move {
//!     match key.token() {
//!         "key-1" => Outcome::Accept(Grant::new("ann", "user-1")),
//!         _ => Outcome::Reject(Code::InvalidToken.into()),
//!     }
//! });
//! // One authenticator, either mode; the server attaches the policy to a namespace, or to all of them.
//! let in_the_handshake = InHandshake::new(keys.clone());
//! let after_connecting = TwoRoundTrip::new(keys);
//! # let _ = (in_the_handshake, after_connecting);
//! ```
//!
//! The module `guide` takes a reader from a first token to a deployment.
//!
//! # Modules
//!
//! What most programs name stands here: authenticators and their outcomes, policies, sources, grants. The rest is in modules,
//! by task:
//!
//! | module | what it is for |
//! |---|---|
//! | [`authorize`] | what those who are in may do |
//! | [`combinators`] | authenticators made of others |
//! | [`limits`] | bounds on what strangers may cost; proxies |
//! | [`opaque`] | API keys, tickets, introspection |
//! | [`revocation`] | ending grants before their time |
//! | [`server`] | what a server takes to run policies |
//! | `jwt`, `fetch`, `testing` | with the features below |
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
pub mod authorize;
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
pub mod fetch;
mod grant;
#[cfg(all(
    any(doc, doctest),
    feature = "testing",
    any(feature = "jwt-aws-lc", feature = "jwt-rust-crypto")
))]
pub mod guide;
#[cfg(any(feature = "jwt-aws-lc", feature = "jwt-rust-crypto"))]
pub mod jwt;
mod lenient_json;
pub mod limits;
pub mod opaque;
mod policy;
mod presented;
mod rejection;
pub mod revocation;
mod state_machine;
mod subject;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod wire;

#[cfg(test)]
mod leak_tests;

pub use audit::{AuditKind, AuditSink, AuthEvent};
pub use authenticator::judge::{Authenticator, DynAuthenticator, Outcome, auth_fn};
pub use base::clock::{Clock, SystemClock};
pub use base::fingerprint::Fingerprint;
pub use base::future::BoxFuture;
pub use base::secret::Secret;
pub use grant::{Grant, GrantFacts, Scopes};
pub use policy::policies::{Either, InHandshake, Policy, TwoRoundTrip};
pub use policy::settings::{Inherit, Mode, NamespacePolicy, OnExpiry};
pub use presented::context::AuthContext;
pub use presented::credential::{Credential, CredentialSource, Extract, Place, SourceKind};
#[cfg(any(feature = "jwt-aws-lc", feature = "jwt-rust-crypto"))]
pub use presented::proven_field::ProvenAuthField;
pub use presented::request::HandshakeView;
pub use presented::session_binding::SessionBinding;
pub use presented::sources::{AuthField, BearerHeader, Cookie, CookieOrigins, Header, Query};
pub use rejection::code::{Code, Rejection};
pub use subject::Subject;
pub use wire::Dialect;

pub mod combinators {
    //! Authenticators and sources that are made of others. Most are made by a method of
    //! [`Authenticator`](crate::Authenticator) or [`CredentialSource`](crate::CredentialSource), and seldom named.

    pub use crate::authenticator::adapt::{Check, MapIdentity};
    pub use crate::authenticator::by_issuer::{ByIssuer, by_issuer};
    pub use crate::authenticator::cached::Cached;
    pub use crate::authenticator::chain::{AnyOf, OrElse, any_of};
    pub use crate::authenticator::concurrent::MaxConcurrent;
    pub use crate::authenticator::judge::AuthFn;
    pub use crate::authenticator::revocable::Revocable;
    pub use crate::authenticator::timeout::Timeout;
    pub use crate::presented::credential::Or;
}

pub mod server {
    //! What a server takes to run policies: the state machine, what it is told and what it says; the policy and the
    //! identity behind the types; the handshake as the server keeps it; what goes over the wire. Applications and
    //! authenticators need none of it.

    pub use crate::base::moment::Moment;
    pub use crate::base::queue::Queue;
    pub use crate::policy::collected::Collected;
    pub use crate::policy::policies::{DynPolicy, ErasedIdentity};
    pub use crate::presented::binding::connection_binding;
    pub use crate::presented::payload_text::PayloadText;
    pub use crate::presented::request::{NoRequest, RequestSource};
    pub use crate::state_machine::{
        Answer, AuthMachine, Change, Granted, Input, Output, Purpose, QueuedPacket, Reason,
    };
    pub use crate::wire::{
        ack_authenticated, ack_denied, ack_unauthorized, connect_error, connect_error_v4,
        connect_reply_auth, token_expiring,
    };

    pub mod lenient_json {
        //! JSON as `JSON.parse` reads it, where serde_json refuses.

        pub use crate::lenient_json::{MAX_DEPTH, TooDeep, from_str, mend};
    }
}

/// The first page of the package, whose example is compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
