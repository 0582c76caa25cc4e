//! Authentication of the server as a whole: its options, what it asks for, and ending what it granted.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use socketio_auth::{
    AuditSink,
    limits::{AuthLimits, Lockout, TrustedProxies},
    revocation::Revocation,
};

use super::server::{SocketIo, SocketIoBuilder};
use crate::authority::guard::{Guard, Margin};
use crate::live::server::Server;

impl<D> SocketIoBuilder<D> {
    /// Changes the bounds of authentication over all clients: how many may wait to be let in, how often they may fail.
    ///
    /// ```
    /// use socketio::auth::limits::AuthLimits;
    ///
    /// let builder = socketio::SocketIo::builder().auth_limits(|_| AuthLimits::recommended().max_pending(5_000));
    /// # let _ = builder;
    /// ```
    pub fn auth_limits(mut self, change: impl FnOnce(AuthLimits) -> AuthLimits) -> Self {
        self.auth.limits = change(self.auth.limits);
        self
    }

    /// Locks out who fails again and again: addresses, and subjects that were verified. Nobody is by default.
    pub fn lockout(mut self, lockout: impl Lockout) -> Self {
        self.auth.lockout = Some(Arc::new(lockout));
        self
    }

    /// The proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed; none by default. Then a client's address
    /// is its own everywhere: in [`Handshake::peer`](crate::Handshake::peer), beside which
    /// [`proxy`](crate::Handshake::proxy) stands, for every bound by address, for authenticators and in the books; and
    /// [`is_secure`](crate::Handshake::is_secure) says whether the client's own connection is.
    ///
    /// The client is the last entry of `X-Forwarded-For` that no trusted proxy has added. `X-Forwarded-Proto` counts as the
    /// proxy next to the server has it; without it, how that proxy came counts. Trusting a proxy that passes on what clients
    /// write lets them choose their address. A proxy that connects to a Unix socket is named by
    /// [`TrustedProxies::unix_sockets`]. It is [`Config::forwarded`](engineio::Config::forwarded) of the engine, and
    /// takes the place of what was set there.
    ///
    /// ```
    /// use socketio::auth::limits::TrustedProxies;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let io = socketio::SocketIo::builder()
    ///     .trusted_proxies(TrustedProxies::new(["127.0.0.1", "10.0.0.0/8"])?)
    ///     .engine(|config| config.max_sessions_per_peer(50)) // of one client, however many come by the proxy
    ///     .build()?;
    /// # let _ = io; Ok(()) }
    /// ```
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.auth.proxies = Arc::new(proxies);
        self
    }

    /// Whether a session belongs to the address that opened it, behind [trusted proxies](Self::trusted_proxies) that
    /// of the client: a later request from another is refused with code 3, and the session goes on. Off by default,
    /// for clients that change networks lose their session by it. Its `Origin` and what authenticated it bind a
    /// session in any case.
    pub fn bind_peer(mut self, bind: bool) -> Self {
        self.settings.binds_peer = bind;
        self
    }

    /// Tells `sink` what happens in authentication: attempts, refusals, renewals, denied actions. No entry holds a
    /// token. Called on the connection's own task, so it must not block.
    ///
    /// ```
    /// use socketio::auth::AuthEvent;
    ///
    /// let builder = socketio::SocketIo::builder().audit(|event: &AuthEvent<'_>| eprintln!("{event}"));
    /// # let _ = builder;
    /// ```
    pub fn audit(mut self, sink: impl AuditSink) -> Self {
        self.auth.audit = Some(Arc::new(sink));
        self
    }
}

impl<D> SocketIo<D> {
    /// Authentication of the whole server.
    #[must_use]
    pub fn auth(&self) -> AuthControl {
        AuthControl(Arc::clone(&self.server))
    }
}

/// Authentication of a whole server: what its namespaces ask for, and an end to what they granted.
///
/// ```
/// use socketio::SocketIo;
/// use socketio::auth::revocation::Revocation;
///
/// # fn main() -> Result<(), socketio::BuildError> {
/// let io = SocketIo::new();
/// io.namespace("/status").public().on("ping", |_, (): ()| async {}).open()?;
/// assert_eq!(io.auth().report(), "/status: public\n");
/// assert_eq!(io.auth().kick(&Revocation::session("s-1")), 0);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct AuthControl(Arc<Server>);

impl AuthControl {
    /// What every namespace asks for, a line each, for the log at start: that one is open should not be a surprise.
    #[must_use]
    pub fn report(&self) -> String {
        let mut report = String::new();
        for space in self.0.spaces.lasting() {
            line(&mut report, &space.name, space.guard.as_ref());
        }
        for family in self.0.families() {
            line(&mut report, family.matcher.as_str(), family.guard.as_ref());
        }
        report
    }

    /// Disconnects every socket of this server whose grant is meant, as a revocation does: `unauthorized` with
    /// `token_revoked`, then a DISCONNECT, after which clients do not come back by themselves. How many those were.
    ///
    /// A socket that connect middleware still has leaves at once as well; where its CONNECT is not answered yet, by a
    /// CONNECT_ERROR with `token_revoked`. One whose credential is still being verified leaves when it turns out to be
    /// meant, and is not counted. What [recovery](crate::Recovery) has saved of clients that are away is forgotten, and
    /// not counted either.
    ///
    /// It takes a glance at every socket of the server that has a grant, some nanoseconds each; only for an issuer, a
    /// key or everything each grant is looked into.
    ///
    /// Nothing is remembered: to refuse the token from now on, revoke it in a list that the authenticator
    /// [asks](socketio_auth::Authenticator::with_revocation), which ends live sockets as well.
    #[expect(clippy::must_use_candidate, reason = "the number is by the way")]
    pub fn kick(&self, grants: &Revocation) -> usize {
        self.0.end_grants(grants, None)
    }

    /// Tells the same sockets that their grants end after `margin`, and ends those that were not renewed by then as
    /// the policy ends an expired one. How many sockets were told; one that connect middleware still has is told in
    /// the answer that lets it in. One whose credential is still being verified is let be.
    #[expect(clippy::must_use_candidate, reason = "the number is by the way")]
    pub fn expire_in(&self, grants: &Revocation, margin: Duration) -> usize {
        let reason = None;
        self.0.end_grants(grants, Some(&Margin { margin, reason }))
    }

    /// The same, and tells them why: `token_expiring` has a `reason` beside `expires_in`. One that connect middleware
    /// still has is not told it.
    #[expect(clippy::must_use_candidate, reason = "the number is by the way")]
    pub fn expire_in_because(&self, grants: &Revocation, margin: Duration, reason: &str) -> usize {
        let reason = Some(reason.into());
        self.0.end_grants(grants, Some(&Margin { margin, reason }))
    }
}

impl std::fmt::Debug for AuthControl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuthControl")
    }
}

fn line(report: &mut String, name: &str, guard: Option<&Guard>) {
    // Writing to a string does not fail.
    let _ = writeln!(report, "{name}: {}", Guard::summary(guard));
}
