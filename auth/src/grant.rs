//! What a successful authentication yields.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::subject::Subject;

/// The scopes of a grant: a set of words such as `chat:write`, compared exactly.
///
/// ```
/// use socketio_auth::Scopes;
///
/// let scopes = Scopes::parse("chat:read chat:write");
/// assert!(scopes.contains("chat:write"));
/// assert!(!scopes.contains("chat"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Arc<[Box<str>]>);

impl Scopes {
    /// Reads the space-separated form of OAuth (RFC 6749 §3.3).
    #[must_use]
    pub fn parse(text: &str) -> Self {
        text.split_ascii_whitespace().collect()
    }

    /// True when the scope is granted.
    #[must_use]
    pub fn contains(&self, scope: &str) -> bool {
        self.0
            .binary_search_by(|known| known.as_ref().cmp(scope))
            .is_ok()
    }

    /// The scopes in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// True when nothing is granted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<S: AsRef<str>> FromIterator<S> for Scopes {
    fn from_iter<T: IntoIterator<Item = S>>(scopes: T) -> Self {
        let mut scopes: Vec<Box<str>> = scopes
            .into_iter()
            .map(|scope| scope.as_ref().into())
            .collect();
        scopes.sort_unstable();
        scopes.dedup();
        Self(scopes.into())
    }
}

/// What the server knows of an accepted credential, apart from the identity: whose it is, until when it holds, and
/// how it can be revoked.
///
/// The part of a [`Grant`] that has the same type for every application; a clone is cheap.
///
/// ```
/// use socketio_auth::Grant;
///
/// let grant = Grant::new((), "user-7").with_session_id("s-1");
/// assert_eq!(grant.facts().subject().id(), "user-7");
/// assert_eq!(grant.facts().session_id(), Some("s-1"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct GrantFacts {
    subject: Subject,
    signed_by: Option<Arc<SignedBy>>,
    /// In a box: there is one of each member of a guarded namespace, and many a credential has none.
    ids: Option<Box<Ids>>,
    issued_at: Option<SystemTime>,
    /// In whole seconds: one stands in every member of a guarded namespace.
    issuer_ahead_by: u32,
    expires_at: Option<SystemTime>,
    scopes: Scopes,
}

/// By what a credential was signed. The credentials of one key share it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SignedBy {
    pub(crate) key_id: Option<Arc<str>>,
    pub(crate) algorithm: Option<&'static str>,
}

/// By what a credential is known to who issued it.
#[derive(Clone, Default, PartialEq, Eq)]
struct Ids {
    token: Option<Arc<str>>,
    session: Option<Arc<str>>,
}

impl GrantFacts {
    fn new(subject: Subject) -> Self {
        Self {
            subject,
            signed_by: None,
            ids: None,
            issued_at: None,
            issuer_ahead_by: 0,
            expires_at: None,
            scopes: Scopes::default(),
        }
    }

    fn signed_by_mut(&mut self) -> &mut SignedBy {
        Arc::make_mut(self.signed_by.get_or_insert_default())
    }

    /// Whose grant it is.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Who issued the credential: the issuer of the [subject](Self::subject).
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.subject.issuer()
    }

    /// The id of the key that signed the credential.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.signed_by.as_ref()?.key_id.as_deref()
    }

    /// The name of the algorithm of the signature.
    #[must_use]
    pub fn algorithm(&self) -> Option<&'static str> {
        self.signed_by.as_ref()?.algorithm
    }

    /// The id of the token.
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.ids.as_ref()?.token.as_deref()
    }

    /// The id of the login session.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.ids.as_ref()?.session.as_deref()
    }

    /// When the credential was issued.
    #[must_use]
    pub const fn issued_at(&self) -> Option<SystemTime> {
        self.issued_at
    }

    /// By how much the clock that [`issued_at`](Self::issued_at) was read from may be ahead of ours, in whole seconds; zero
    /// when it is ours.
    #[must_use]
    pub fn clock_leeway(&self) -> Duration {
        Duration::from_secs(self.issuer_ahead_by.into())
    }

    /// When the grant ends, as the authenticator said. The server's policy may end it earlier.
    #[must_use]
    pub const fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at
    }

    /// How long the grant still holds at `now`: zero when it has ended, `None` when it does not end.
    #[must_use]
    pub fn expires_in(&self, now: SystemTime) -> Option<Duration> {
        self.expires_at
            .map(|at| at.duration_since(now).unwrap_or_default())
    }

    /// What the grant allows.
    #[must_use]
    pub const fn scopes(&self) -> &Scopes {
        &self.scopes
    }
}

/// Leaves the ids of token and session out: whoever knows them may be able to revoke.
impl fmt::Debug for GrantFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrantFacts")
            .field("subject", &self.subject)
            .field("expires_at", &self.expires_at)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

/// An accepted identity with the [facts](GrantFacts) that the server needs about it.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use socketio_auth::{Grant, Scopes};
///
/// struct User { name: &'static str }
///
/// let grant = Grant::new(User { name: "ann" }, "user-7")
///     .with_scopes(Scopes::parse("chat:write"))
///     .with_expires_at(SystemTime::UNIX_EPOCH + Duration::from_secs(60));
/// assert_eq!(grant.subject().id(), "user-7");
/// assert_eq!(grant.identity().name, "ann");
/// ```
#[derive(Clone)]
pub struct Grant<I> {
    identity: I,
    facts: GrantFacts,
}

impl<I> Grant<I> {
    /// A grant for `identity` that does not expire by itself. `subject` says whose it is: a renewal must name the
    /// same one, and revocation goes by it. A bare name is one that the application knows itself; see
    /// [`with_issuer`](Self::with_issuer).
    pub fn new(identity: I, subject: impl Into<Subject>) -> Self {
        Self {
            identity,
            facts: GrantFacts::new(subject.into()),
        }
    }

    /// Sets who issued the credential, and so who named the [subject](Self::subject): the same name of another issuer is
    /// somebody else.
    #[must_use]
    pub fn with_issuer(mut self, issuer: impl Into<Arc<str>>) -> Self {
        self.facts.subject = self.facts.subject.with_issuer(issuer);
        self
    }

    /// Sets the id of the key that signed the credential (`kid`), by which all its tokens can be revoked.
    #[must_use]
    pub fn with_key_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.facts.signed_by_mut().key_id = Some(id.into());
        self
    }

    /// Sets by what the credential was signed.
    #[cfg(any(
        test,
        feature = "jwt-aws-lc",
        feature = "jwt-rust-crypto",
        feature = "introspection"
    ))]
    pub(crate) fn with_signed_by(mut self, signed_by: Arc<SignedBy>) -> Self {
        self.facts.signed_by = Some(signed_by);
        self
    }

    /// Sets the algorithm of the signature (`alg`), for the audit.
    #[must_use]
    pub fn with_algorithm(mut self, name: &'static str) -> Self {
        self.facts.signed_by_mut().algorithm = Some(name);
        self
    }

    /// Sets the id of the token (`jti`), by which it alone can be revoked.
    #[must_use]
    pub fn with_token_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.facts.ids.get_or_insert_default().token = Some(id.into());
        self
    }

    /// Sets the id of the login session (`sid`), by which all its tokens can be revoked.
    #[must_use]
    pub fn with_session_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.facts.ids.get_or_insert_default().session = Some(id.into());
        self
    }

    /// Sets when the credential was issued. One that does not tell is revoked by every revocation up to a time, whenever that
    /// was.
    #[must_use]
    pub const fn with_issued_at(mut self, at: SystemTime) -> Self {
        self.facts.issued_at = Some(at);
        self
    }

    /// Sets by how much the clock of who issued the credential may be ahead of ours, zero by default: a revocation up to a
    /// time covers what seems to have been issued so much later. Rounded up to seconds.
    #[must_use]
    pub fn with_clock_leeway(mut self, leeway: Duration) -> Self {
        let seconds = leeway.as_secs() + u64::from(leeway.subsec_nanos() > 0);
        self.facts.issuer_ahead_by = u32::try_from(seconds).unwrap_or(u32::MAX);
        self
    }

    /// Sets when the grant ends; the connection ends with it, unless it is renewed.
    #[must_use]
    pub const fn with_expires_at(mut self, at: SystemTime) -> Self {
        self.facts.expires_at = Some(at);
        self
    }

    /// Sets what the grant allows.
    #[must_use]
    pub fn with_scopes(mut self, scopes: Scopes) -> Self {
        self.facts.scopes = scopes;
        self
    }

    /// The identity.
    pub const fn identity(&self) -> &I {
        &self.identity
    }

    /// The identity, taken out.
    pub fn into_identity(self) -> I {
        self.identity
    }

    /// Everything but the identity.
    #[must_use]
    pub const fn facts(&self) -> &GrantFacts {
        &self.facts
    }

    /// The identity and the facts, apart.
    pub fn into_parts(self) -> (I, GrantFacts) {
        (self.identity, self.facts)
    }

    /// Whose grant it is.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        self.facts.subject()
    }

    /// Who issued the credential.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.facts.issuer()
    }

    /// The id of the token.
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.facts.token_id()
    }

    /// The id of the login session.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.facts.session_id()
    }

    /// When the credential was issued.
    #[must_use]
    pub const fn issued_at(&self) -> Option<SystemTime> {
        self.facts.issued_at()
    }

    /// When the grant ends, see [`GrantFacts::expires_at`].
    #[must_use]
    pub const fn expires_at(&self) -> Option<SystemTime> {
        self.facts.expires_at()
    }

    /// How long the grant still holds at `now`, see [`GrantFacts::expires_in`].
    #[must_use]
    pub fn expires_in(&self, now: SystemTime) -> Option<Duration> {
        self.facts.expires_in(now)
    }

    /// What the grant allows.
    #[must_use]
    pub const fn scopes(&self) -> &Scopes {
        self.facts.scopes()
    }

    /// The same grant with another identity.
    pub fn map<J>(self, convert: impl FnOnce(I) -> J) -> Grant<J> {
        Grant {
            identity: convert(self.identity),
            facts: self.facts,
        }
    }
}

/// Leaves the identity out: it may hold anything.
impl<I> fmt::Debug for Grant<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Grant").field(&self.facts).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_in_the_past_expires_in_zero() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(10);
        let grant = Grant::new((), "a").with_expires_at(at);
        let before = at - Duration::from_secs(4);
        assert_eq!(grant.expires_in(before), Some(Duration::from_secs(4)));
        let after = at + Duration::from_secs(4);
        assert_eq!(grant.expires_in(after), Some(Duration::ZERO));
        assert_eq!(Grant::new((), "a").expires_in(after), None);
    }

    #[test]
    fn what_is_said_of_a_signature_changes_no_other_grant_of_the_key() {
        let key = Arc::new(SignedBy {
            key_id: Some("k1".into()),
            algorithm: Some("ES256"),
        });
        let [one, other] = [1, 2].map(|id| Grant::new(id, "a").with_signed_by(Arc::clone(&key)));
        let one = one.with_key_id("k2");
        let said = |grant: &Grant<i32>| {
            let facts = grant.facts();
            (facts.key_id().map(str::to_owned), facts.algorithm())
        };
        assert_eq!(said(&one), (Some("k2".into()), Some("ES256")));
        assert_eq!(said(&other), (Some("k1".into()), Some("ES256")));
    }

    #[test]
    fn a_grant_is_small() {
        assert!(size_of::<GrantFacts>() <= 80);
    }

    #[test]
    fn scopes_are_a_set() {
        let scopes: Scopes = ["b", "a", "b"].into_iter().collect();
        assert_eq!(scopes.iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(scopes, Scopes::parse(" a  b "));
    }
}
