//! The numbers and choices of a namespace's policy.

use std::borrow::Cow;
use std::time::Duration;

use super::collected::Collected;
use crate::rejection::code::Rejection;
use crate::wire::Dialect;

/// When a namespace takes its credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// In the handshake: the CONNECT is answered when the credential was judged.
    Handshake,
    /// By an `authenticate` event after CONNECT. A credential in the handshake is ignored.
    TwoRoundTrip,
    /// In the handshake when one is sent there, by an event otherwise.
    Either,
}

impl Mode {
    /// True when a client that presented this in its CONNECT is let wait for its `authenticate` event.
    #[must_use]
    pub const fn waits_for_event(self, presented: &Collected) -> bool {
        match self {
            Self::Handshake => false,
            Self::TwoRoundTrip => true,
            Self::Either => matches!(presented, Collected::Guest | Collected::Missing(_)),
        }
    }
}

/// What happens to a live socket when its grant ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnExpiry {
    /// Closes the transport without a DISCONNECT packet, so that the JavaScript client reconnects by itself and
    /// asks its `auth` function for a fresh token. Other namespaces of the connection go with it; those whose grant ends
    /// within a second are told `token_expired` as well.
    ReconnectTransport,
    /// Disconnects this namespace only. The JavaScript client does not come back by itself.
    DisconnectNamespace,
    /// Makes the socket a guest where the policy has guests; as `ReconnectTransport` elsewhere. It leaves all its rooms,
    /// and connect middleware is asked about the guest as about one that comes anew: until it agrees, what the client
    /// sends waits, and when it does not, the namespace is disconnected.
    Downgrade,
    /// Tells the client and leaves it connected.
    NotifyOnly,
}

/// Whether a namespace takes a grant that the connection holds already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Inherit {
    /// Every namespace asks for a credential of its own.
    None,
    /// A CONNECT without a credential is let in by the grant of another namespace of the connection: one that has
    /// the very same policy, such as the server's own, and is joined. It ends when that grant ends, and is
    /// renewed with it. When another subject takes that socket over, connect middleware is asked here as well, and whom
    /// it turns away leaves the namespace. Whoever presents a credential here later goes a way of its own. The authorizer
    /// is asked; the authenticator is not, so one that judges by the namespace must not be inherited from. When such
    /// namespaces name different subjects, none is inherited.
    SameSubject,
}

/// How one namespace authenticates. Every bound has a default; nothing waits for ever.
///
/// ```
/// use std::time::Duration;
/// use socketio_auth::NamespacePolicy;
///
/// let mut policy = NamespacePolicy::default();
/// policy.deadline = Duration::from_secs(3);
/// assert_eq!(policy.max_attempts, 3);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NamespacePolicy {
    /// When the credential is taken; the handshake by default.
    pub mode: Mode,
    /// How the two-round-trip messages are named; [`Dialect::SocketIoJwt`] by default.
    pub dialect: Dialect,
    /// The field of the event that holds the token; `token` by default. The field of the CONNECT payload is that of the
    /// [source](crate::AuthField).
    pub token_field: Cow<'static, str>,
    /// What a client hears that presents nothing, instead of `credentials_required` or `missing_authorization_header` with
    /// their sentences; none by default. Where there are [guests](crate::InHandshake::guest) it is one instead.
    pub missing: Option<Rejection>,
    /// From the first CONNECT of the namespace on a connection to a successful `authenticate`; 5 s by default.
    /// Attempts do not prolong it, leaving and coming back neither. Raising it lets idle strangers stay longer.
    pub deadline: Duration,
    /// How long one verification may take; 5 s by default. Past it the attempt fails as `auth_unavailable`.
    pub verify_timeout: Duration,
    /// How long connect middleware may take over one client; 45 s by default, as long as a connection may take to join
    /// its first namespace. Past it the client is turned away as `auth_unavailable`, or stays who it is. Raising it lets
    /// whoever has a good credential, and guests, wait longer at the door.
    pub middleware_timeout: Duration,
    /// How long after `unauthorized` the client may stay, to acknowledge it or to try again; 1 s by default. With
    /// [`Duration::MAX`] its acknowledgement is waited for, until the [deadline](Self::deadline).
    pub reject_grace: Duration,
    /// How many verifications may fail on one connection, in all its namespaces together; 3 by default. Further
    /// attempts are refused, good tokens included. Neither a renewal nor the CONNECT that protocol 3 of Engine.IO
    /// implies counts.
    pub max_attempts: u32,
    /// How many packets may wait behind an `authenticate` that is being verified; 256 by default. One more closes
    /// the connection.
    pub max_pending_packets: usize,
    /// How many bytes may wait there, counted as they lie in memory; 64 KiB by default. One more closes the connection.
    pub max_pending_bytes: usize,
    /// How many packets of a client that is not in are ignored; 10,000 by default. One more closes the connection. They take
    /// no memory. A client that comes back sends all at once what was emitted while it was away, before its `authenticate`.
    pub max_ignored_packets: u32,
    /// How often a client that is not in may emit `authenticate` without a credential, during another attempt, or as a guest
    /// whom middleware turns away; 32 by default. One more closes the connection. Each is answered; those with a credential
    /// are counted by [`max_attempts`](Self::max_attempts).
    pub max_empty_attempts: u32,
    /// The largest CONNECT payload, in bytes; 16 KiB by default. A larger one is refused as
    /// `credentials_bad_format`, and the audit says how long it was. For longer tokens raise what bounds the token as well,
    /// such as `JwtBuilder::max_token_len`; for those in a header or cookie, the engine's `max_header_bytes`.
    pub max_payload_bytes: usize,
    /// What happens when a grant ends; [`OnExpiry::ReconnectTransport`] by default.
    pub on_expiry: OnExpiry,
    /// How long before its end the client is told; 30 s by default. When less than twice that remains at
    /// acceptance, it is told after two thirds of what remains. Zero turns the notice off.
    pub warn_before: Duration,
    /// How long a renewal under verification may outlast the grant; zero by default.
    pub refresh_grace: Duration,
    /// The least time between two renewals; 1 s by default.
    pub min_renewal_interval: Duration,
    /// How often the authenticator is asked again about the credential of a live socket; not by default. One that
    /// does not hold any more ends the socket as a revocation does, one with other scopes or another end replaces them, and while
    /// the authenticator is [unavailable](crate::Code::AuthUnavailable) the grant goes on, to its end at most. The
    /// credential is kept for that, redacted. Not for what is good once: tickets and proofs of possession. Lowering
    /// it notices sooner, and costs a verification per socket each time.
    pub revalidate_every: Option<Duration>,
    /// Whether a CONNECT without a credential may use a grant of the connection; [`Inherit::None`] by default.
    pub inherit: Inherit,
    /// Lets a renewal name another subject: connect middleware is asked about it, then the socket leaves all its rooms
    /// and goes on as that one. Off by default, when such a renewal is refused as `identity_mismatch`. What handlers
    /// keep of the socket is theirs to forget.
    pub allow_switch: bool,
    /// How long a grant may last at most, whatever the authenticator says; 24 h by default. Guests stay.
    pub max_session: Option<Duration>,
    /// Tells a client that missed the deadline why it is disconnected; on by default.
    pub notify_timeout: bool,
    /// Sends `token_expired` as `invalid_token` with the message `jwt expired`, for old clients that compare
    /// texts; off by default.
    pub legacy_codes: bool,
}

impl Default for NamespacePolicy {
    fn default() -> Self {
        Self {
            mode: Mode::Handshake,
            dialect: Dialect::SocketIoJwt,
            token_field: Cow::Borrowed("token"),
            missing: None,
            deadline: Duration::from_secs(5),
            verify_timeout: Duration::from_secs(5),
            middleware_timeout: Duration::from_secs(45),
            reject_grace: Duration::from_secs(1),
            max_attempts: 3,
            max_pending_packets: 256,
            max_pending_bytes: 64 * 1024,
            max_ignored_packets: 10_000,
            max_empty_attempts: 32,
            max_payload_bytes: 16 * 1024,
            on_expiry: OnExpiry::ReconnectTransport,
            warn_before: Duration::from_secs(30),
            refresh_grace: Duration::ZERO,
            min_renewal_interval: Duration::from_secs(1),
            revalidate_every: None,
            inherit: Inherit::None,
            allow_switch: false,
            max_session: Some(Duration::from_secs(24 * 60 * 60)),
            notify_timeout: true,
            legacy_codes: false,
        }
    }
}
