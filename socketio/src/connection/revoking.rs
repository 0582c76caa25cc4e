//! Ending grants that were revoked.

use std::collections::HashSet;
use std::sync::Arc;

use socketio_auth::{
    GrantFacts,
    revocation::{Revocation, RevocationListener, RevocationOrigin},
};

use crate::authority::guard::Margin;
use crate::live::core::Core;
use crate::live::server::Server;
use crate::proto::grant_tag::MeantTags;

impl Server {
    /// Ends what holds a grant that is meant, after a margin if there is one; how many sockets that were.
    pub(crate) fn end_grants(&self, revocation: &Revocation, margin: Option<&Margin>) -> usize {
        let end = || self.end_found(revocation, margin);
        match margin {
            // Nobody is refused for it: who is not in yet will hear of an end from the policy.
            Some(_) => end(),
            None => self.authority.revoked.apply(revocation, end),
        }
    }

    fn end_found(&self, revocation: &Revocation, margin: Option<&Margin>) -> usize {
        let tags = MeantTags::of(revocation);
        let is_meant = |facts: &GrantFacts| revocation.covers(facts);
        let mut meant: Vec<Arc<Core>> = Vec::new();
        for space in self.spaces.all() {
            if space.guard.is_none() {
                continue;
            }
            // Those on the way in first: whoever comes in meanwhile is found in the namespace, or twice and told once.
            let pending = space.waiting();
            let inside = space.rooms.lock().granted(tags);
            let known: HashSet<_> = pending.iter().map(Arc::as_ptr).collect();
            let inside = inside.iter().filter(|s| !known.contains(&Arc::as_ptr(s)));
            let found = pending.iter().chain(inside);
            meant.extend(found.filter(|s| s.has_grant_that(is_meant)).cloned());
        }
        // A client hears of all its namespaces at once: else the answer to the first may find the connection closed,
        // and some clients then do not read on.
        meant.sort_by(|one, other| {
            one.connection
                .id()
                .as_str()
                .cmp(other.connection.id().as_str())
        });
        let of_one = |one: &Arc<Core>, other: &Arc<Core>| one.connection == other.connection;
        let mut ended = 0;
        for sockets in meant.chunk_by(of_one) {
            let Some(first) = sockets.first() else {
                continue;
            };
            first.connection.together(|| {
                for socket in sockets {
                    ended += usize::from(socket.end_grant_if(margin, is_meant));
                }
            });
        }
        // Behind the sockets: who is being lost was found among those, or has been saved by now. Who is to renew in time
        // does so by coming back.
        if let (Some(keeper), None) = (&self.recovery, margin) {
            keeper.revoke(is_meant);
            if let Some(shared) = keeper.shared() {
                shared.withdraw(revocation.clone());
            }
        }
        ended
    }
}

/// Ends live sockets whose grant is revoked, and has the other servers of the cluster do so.
impl RevocationListener for Server {
    fn on_revoked(&self, revocation: &Revocation, origin: RevocationOrigin) {
        self.end_grants(revocation, None);
        if let (Some(cluster), RevocationOrigin::Here) = (&self.cluster, origin) {
            cluster.publish_revocation(revocation.clone());
        }
    }
}
