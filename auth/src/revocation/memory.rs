//! The revocation list of one process.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::list::{Revocation, RevocationList, RevocationListener, RevocationOrigin};
use super::table::{Remembered, Table};
use crate::base::clock::{Clock, SystemClock};
use crate::base::lock::Lock;
use crate::grant::GrantFacts;

/// A revocation list in memory. A clone is the same list.
///
/// It forgets a token's revocation five minutes after the token's own end, where that is known, and every other
/// one after the entry lifetime, which has to be at least that of the longest-lived token.
///
/// ```
/// use std::time::SystemTime;
/// use socketio_auth::{AuthContext, Authenticator, Credential, Grant, Outcome, auth_fn};
/// use socketio_auth::revocation::{MemoryRevocations, Revocation};
///
/// # fn main() -> Result<(), socketio_auth::revocation::RevocationsFull> {
/// let revocations = MemoryRevocations::new();
/// let guarded = auth_fn(|_: AuthContext, token: Credential| async move {
///     Outcome::Accept(Grant::new((), token.token()).with_session_id("s-1"))
/// })
/// .with_revocation(revocations.clone());
///
/// // When the user logs out: later attempts are refused, live sockets end.
/// revocations.revoke(&Revocation::session("s-1"))?;
/// # let _ = guarded;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MemoryRevocations(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    table: Lock<Table>,
    listeners: Lock<Vec<Weak<dyn RevocationListener>>>,
}

/// The list is full: live sockets were ended, but the tokens will be accepted again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevocationsFull;

impl fmt::Display for RevocationsFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the revocation list is full")
    }
}

impl std::error::Error for RevocationsFull {}

impl MemoryRevocations {
    /// How many revocations are remembered, unless [`with_limits`](Self::with_limits) says otherwise.
    pub const MAX_ENTRIES: usize = 100_000;

    /// How long a revocation is remembered, unless [`with_limits`](Self::with_limits) says otherwise: 24 hours, the
    /// longest session of the default policy.
    pub const ENTRY_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

    /// An empty list with the default limits.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limits(Self::MAX_ENTRIES, Self::ENTRY_LIFETIME)
    }

    /// An empty list that remembers `max_entries` revocations, about 100 bytes each and their ids, for
    /// `entry_lifetime`. A shorter lifetime than that of the tokens lets revoked ones in again.
    #[must_use]
    pub fn with_limits(max_entries: usize, entry_lifetime: Duration) -> Self {
        Self::with_clock(max_entries, entry_lifetime, SystemClock)
    }

    /// The same with another clock, for tests.
    #[must_use]
    pub fn with_clock(max_entries: usize, entry_lifetime: Duration, clock: impl Clock) -> Self {
        Self(Arc::new(Inner {
            clock: Arc::new(clock),
            table: Lock::new(Table::new(max_entries, entry_lifetime)),
            listeners: Lock::new(Vec::new()),
        }))
    }

    /// Revokes: from now on such credentials are refused, and the listeners end live sockets before this returns.
    /// Repeating what is known does nothing.
    ///
    /// # Errors
    ///
    /// [`RevocationsFull`] when the list is full of what has not ended. The listeners are told all the same.
    pub fn revoke(&self, revocation: &Revocation) -> Result<(), RevocationsFull> {
        self.take(revocation, RevocationOrigin::Here)
    }

    /// How many revocations are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.table.lock().len()
    }

    /// True when nothing is revoked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.table.lock().is_empty()
    }

    fn take(
        &self,
        revocation: &Revocation,
        origin: RevocationOrigin,
    ) -> Result<(), RevocationsFull> {
        let now = self.0.clock.now();
        let remembered = self.0.table.lock().insert(now, revocation);
        if remembered != Remembered::Known {
            for listener in self.listeners() {
                listener.on_revoked(revocation, origin);
            }
        }
        if remembered == Remembered::Full {
            Err(RevocationsFull)
        } else {
            Ok(())
        }
    }

    fn listeners(&self) -> Vec<Arc<dyn RevocationListener>> {
        let listeners = self.0.listeners.lock();
        listeners.iter().filter_map(Weak::upgrade).collect()
    }
}

impl RevocationList for MemoryRevocations {
    fn is_revoked(&self, grant: &GrantFacts) -> bool {
        // As it mostly is, and each connect asks several times.
        if self.0.table.lock().is_empty() {
            return false;
        }
        let now = self.0.clock.now();
        self.0.table.lock().is_revoked(now, grant)
    }

    fn subscribe(&self, listener: Weak<dyn RevocationListener>) {
        let mut listeners = self.0.listeners.lock();
        listeners.retain(|known| known.strong_count() > 0);
        if !listeners.iter().any(|known| known.ptr_eq(&listener)) {
            listeners.push(listener);
        }
    }

    fn absorb(&self, revocation: &Revocation) {
        // A full list has told its listeners, and the server that revoked is told by its own list.
        let _ = self.take(revocation, RevocationOrigin::Cluster);
    }
}

impl Default for MemoryRevocations {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryRevocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryRevocations")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::Grant;

    #[derive(Default)]
    struct Heard(Lock<Vec<(Revocation, RevocationOrigin)>>);

    impl RevocationListener for Heard {
        fn on_revoked(&self, revocation: &Revocation, origin: RevocationOrigin) {
            self.0.lock().push((revocation.clone(), origin));
        }
    }

    #[test]
    fn listeners_hear_of_what_is_new_once_with_its_origin() {
        let list = MemoryRevocations::new();
        let heard = Arc::new(Heard::default());
        let listener: Arc<dyn RevocationListener> = heard.clone();
        list.subscribe(Arc::downgrade(&listener));
        list.subscribe(Arc::downgrade(&listener));
        let (here, elsewhere) = (Revocation::token("a"), Revocation::token("b"));
        for _ in 0..2 {
            list.revoke(&here).expect("there is room");
            list.absorb(&elsewhere);
        }
        assert_eq!(
            *heard.0.lock(),
            [
                (here, RevocationOrigin::Here),
                (elsewhere, RevocationOrigin::Cluster)
            ]
        );
        assert_eq!(list.len(), 2);
    }

    #[test]
    fn one_revocation_of_any_kind_is_enough() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let grant = Grant::new((), "ann")
            .with_issuer("idp")
            .with_key_id("k1")
            .with_token_id("t1")
            .with_session_id("s1")
            .with_issued_at(now);
        for revocation in [
            Revocation::token("t1"),
            Revocation::subject("ann", now),
            Revocation::session("s1"),
            Revocation::issuer("idp", now),
            Revocation::key("k1"),
            Revocation::all(now),
        ] {
            let list = MemoryRevocations::new();
            assert!(!list.is_revoked(grant.facts()), "nothing was revoked");
            list.revoke(&revocation).expect("there is room");
            assert!(list.is_revoked(grant.facts()), "{revocation:?}");
        }
    }

    #[test]
    fn a_full_list_still_ends_live_sockets() {
        let list = MemoryRevocations::with_limits(0, Duration::from_secs(9));
        let heard = Arc::new(Heard::default());
        let listener: Arc<dyn RevocationListener> = heard.clone();
        list.subscribe(Arc::downgrade(&listener));
        assert_eq!(list.revoke(&Revocation::token("a")), Err(RevocationsFull));
        assert_eq!(heard.0.lock().len(), 1);
    }

    #[test]
    fn a_dropped_listener_is_forgotten() {
        let list = MemoryRevocations::new();
        let listener: Arc<dyn RevocationListener> = Arc::new(Heard::default());
        list.subscribe(Arc::downgrade(&listener));
        drop(listener);
        list.subscribe(Weak::<Heard>::new());
        assert_eq!(list.0.listeners.lock().len(), 1);
        assert!(list.listeners().is_empty());
    }

    #[test]
    fn a_revocation_survives_the_wire() {
        let revocation =
            Revocation::subject("ann", SystemTime::UNIX_EPOCH + Duration::from_secs(7));
        let json = serde_json::to_string(&revocation).expect("serialises");
        assert_eq!(json, r#"{"subject":{"subject":"ann","watermark":7}}"#);
        let list = MemoryRevocations::new();
        list.absorb(&serde_json::from_str(&json).expect("parses"));
        assert!(list.is_revoked(Grant::new((), "ann").facts()));
        for exact in [
            revocation.clone().of_issuer("idp"),
            revocation.of_issuer(None),
        ] {
            let json = serde_json::to_string(&exact).expect("serialises");
            let parsed: Revocation = serde_json::from_str(&json).expect("parses");
            assert_eq!(parsed, exact, "{json}");
        }
    }
}
