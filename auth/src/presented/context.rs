//! What an authenticator learns about the attempt besides the credential.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use zeroize::Zeroizing;

use super::binding::{binding_of, connection_binding};
use crate::base::lock::Lock;
use crate::subject::Subject;

/// The circumstances of one attempt. A clone is cheap.
///
/// ```
/// use socketio_auth::AuthContext;
///
/// let context = AuthContext::new("/admin").with_origin("https://app.example");
/// assert_eq!(context.namespace(), "/admin");
/// assert!(!context.is_renewal());
/// ```
#[derive(Clone)]
pub struct AuthContext(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    namespace: Arc<str>,
    peer: Option<SocketAddr>,
    origin: Option<Arc<str>>,
    binding: Binding,
    renewed_subject: Option<Subject>,
    is_looked_at: LookedAt,
    explanations: Explanations,
}

/// What stands for the connection: given, or made of its id for whoever asks.
#[derive(Clone, Default)]
enum Binding {
    #[default]
    None,
    Given(Arc<str>),
    Of {
        id: Zeroizing<[u8; ID_LENGTH]>,
        value: OnceLock<Box<str>>,
    },
}

/// The length of an Engine.IO session id. One of that length needs no allocation, of which most are for nothing.
const ID_LENGTH: usize = 20;

/// Whether anything of this one connection was asked for. Every copy starts anew.
#[derive(Default)]
struct LookedAt(AtomicBool);

impl Clone for LookedAt {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Why those who were asked do not judge the credential. Every copy starts anew.
#[derive(Default)]
struct Explanations(Lock<Vec<Cow<'static, str>>>);

/// How many explanations of one attempt are kept.
const MAX_EXPLANATIONS: usize = 8;

impl Clone for Explanations {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl AuthContext {
    /// An attempt to join `namespace`, of which nothing else is known.
    pub fn new(namespace: impl Into<Arc<str>>) -> Self {
        Self(Arc::new(Inner {
            namespace: namespace.into(),
            peer: None,
            origin: None,
            binding: Binding::None,
            renewed_subject: None,
            is_looked_at: LookedAt::default(),
            explanations: Explanations::default(),
        }))
    }

    /// The same circumstances, to see whether [anything of the connection](Self::is_looked_at) is asked for.
    pub(crate) fn watched(&self) -> Self {
        Self(Arc::new(Inner::clone(&self.0)))
    }

    /// True when the peer, the origin, the binding or the renewal was asked for: a verdict that depends on them
    /// does not hold for another connection.
    pub(crate) fn is_looked_at(&self) -> bool {
        self.0.is_looked_at.0.load(Ordering::Relaxed)
    }

    /// Says that the verdict holds for this one attempt: [`Authenticator::cached`](crate::Authenticator::cached) does not keep it. For
    /// credentials that are good once.
    ///
    /// Asking for the peer, the origin, the binding or the renewal says the same.
    pub fn do_not_cache(&self) {
        self.connection();
    }

    /// Says why a credential is [not mine](crate::Outcome::NotMine): when it is nobody's, the operator reads it in the
    /// audit, behind the colon of "no authenticator judges such a credential: …". It never leaves the server; keep
    /// tokens out. The first eight of an attempt are kept.
    pub fn explain(&self, why: impl Into<Cow<'static, str>>) {
        let mut known = self.0.explanations.0.lock();
        if known.len() < MAX_EXPLANATIONS {
            known.push(why.into());
        }
    }

    /// What was explained so far, taken out.
    pub(crate) fn take_explanations(&self) -> Vec<Cow<'static, str>> {
        std::mem::take(&mut *self.0.explanations.0.lock())
    }

    /// The parts that differ between the connections of one client.
    fn connection(&self) -> &Inner {
        self.0.is_looked_at.0.store(true, Ordering::Relaxed);
        &self.0
    }

    /// Sets the address of the client.
    #[must_use]
    pub fn with_peer(mut self, peer: SocketAddr) -> Self {
        Arc::make_mut(&mut self.0).peer = Some(peer);
        self
    }

    /// Sets the `Origin` of the opening request.
    #[must_use]
    pub fn with_origin(mut self, origin: impl Into<Arc<str>>) -> Self {
        Arc::make_mut(&mut self.0).origin = Some(origin.into());
        self
    }

    /// Sets the value that stands for this connection, see [`binding`](Self::binding).
    #[must_use]
    pub fn with_binding(mut self, binding: impl Into<Arc<str>>) -> Self {
        Arc::make_mut(&mut self.0).binding = Binding::Given(binding.into());
        self
    }

    /// Sets the connection's id, of which [`binding`](Self::binding) is made with
    /// [`connection_binding`] when it is asked for. Nobody else is shown the id.
    #[must_use]
    pub fn with_connection_id(mut self, id: &str) -> Self {
        Arc::make_mut(&mut self.0).binding = match id.as_bytes().try_into() {
            Ok(id) => Binding::Of {
                id: Zeroizing::new(id),
                value: OnceLock::new(),
            },
            // None of the server's: nothing is gained by keeping it.
            Err(_) => Binding::Given(connection_binding(id).into()),
        };
        self
    }

    /// Marks the attempt as the renewal of a grant of `subject`.
    #[must_use]
    pub fn with_renewed_subject(mut self, subject: impl Into<Subject>) -> Self {
        Arc::make_mut(&mut self.0).renewed_subject = Some(subject.into());
        self
    }

    /// The namespace that the client wants to join, as it spelled it.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.0.namespace
    }

    /// The address of the client, after trusted proxies were resolved.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.connection().peer
    }

    /// The `Origin` of the opening request.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.connection().origin.as_deref()
    }

    /// A one-way value of this connection's id, for proofs of possession. The id itself is a secret.
    #[must_use]
    pub fn binding(&self) -> Option<&str> {
        match &self.connection().binding {
            Binding::None => None,
            Binding::Given(binding) => Some(binding),
            Binding::Of { id, value } => Some(value.get_or_init(|| binding_of(&**id).into())),
        }
    }

    /// True when the client is in already and renews its grant.
    #[must_use]
    pub fn is_renewal(&self) -> bool {
        self.connection().renewed_subject.is_some()
    }

    /// The subject of the grant that is being renewed.
    #[must_use]
    pub fn renewed_subject(&self) -> Option<&Subject> {
        self.connection().renewed_subject.as_ref()
    }
}

/// Leaves the binding out.
impl fmt::Debug for AuthContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthContext")
            .field("namespace", &self.0.namespace)
            .field("peer", &self.0.peer)
            .field("origin", &self.0.origin)
            .field("is_renewal", &self.0.renewed_subject.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binding_is_that_of_the_id_however_long_it_is() {
        for length in [0, 1, ID_LENGTH - 1, ID_LENGTH, ID_LENGTH + 1, 100] {
            let id = "i".repeat(length);
            let context = AuthContext::new("/").with_connection_id(&id);
            let expected = connection_binding(&id);
            assert_eq!(context.binding(), Some(&*expected));
            assert_eq!(context.watched().binding(), Some(&*expected));
        }
    }
}
