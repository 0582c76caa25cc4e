//! Whether a client that comes back gets what the servers of a cluster keep for it, and what of a log it missed.

use std::collections::VecDeque;
use std::time::Duration;

use socketio_auth::{GrantFacts, Subject, revocation::Revocation};

use super::Session;
use super::offset::Offset;
use super::stays::Presence;
use crate::id::SocketId;
use crate::proto::cluster::entry::EntryId;
use crate::proto::room::{Room, Selection};

/// Since the Unix epoch.
pub(crate) type UnixTime = Duration;

/// How many revocations are remembered for clients that are away. Of one more the first is forgotten, and nobody comes
/// back who was let in before it.
pub(crate) const MAX_WITHDRAWN: usize = 1024;

/// How far the clocks of two servers may be apart: whoever was let in so shortly after a revocation does not come back.
pub(crate) const CLOCK_SLACK: Duration = Duration::from_secs(10);

/// What was revoked, for sessions that other servers have saved.
pub(crate) struct Withdrawn {
    recent: VecDeque<(UnixTime, Revocation)>,
    /// Of what was revoked until then not all is known.
    forgotten_until: Option<UnixTime>,
}

impl Withdrawn {
    pub(crate) fn new() -> Self {
        Self {
            recent: VecDeque::new(),
            forgotten_until: None,
        }
    }

    pub(crate) fn note(&mut self, now: UnixTime, revocation: Revocation) {
        if self.recent.len() >= MAX_WITHDRAWN
            && let Some((at, _)) = self.recent.pop_front()
        {
            self.forgotten_until = self.forgotten_until.max(Some(at));
        }
        self.recent.push_back((now, revocation));
    }

    /// Whether what was granted then may have been revoked since.
    pub(crate) fn covers(&self, granted_at: UnixTime, facts: &GrantFacts) -> bool {
        let is_since = |at: UnixTime| at.saturating_add(CLOCK_SLACK) >= granted_at;
        let mut recent = self.recent.iter();
        self.forgotten_until.is_some_and(is_since)
            || recent.any(|(at, revoked)| is_since(*at) && revoked.covers(facts))
    }
}

/// Whether a session is for whoever asks in this namespace.
//= SIO5-CSR-07
pub(crate) fn is_owner(
    session: &Session,
    of_namespace: Option<&str>,
    namespace: &str,
    subject: Option<&Subject>,
) -> bool {
    of_namespace.is_none_or(|of| of == namespace) && session.subject() == subject
}

/// What of the entries of its namespace behind `after` was for the socket of a session; `None` if its rooms are not known so
/// far back.
//= SIO5-CSR-06
pub(crate) fn missed<'a, T>(
    session: &Session,
    after: Offset,
    entries: impl IntoIterator<Item = (EntryId, &'a Selection, T)>,
) -> Option<Vec<(EntryId, T)>> {
    let own = Room::from(&session.id);
    let presence = Presence::new(&own, &session.rooms, &session.stays, after)?;
    let meant = entries.into_iter().filter(|(id, selection, _)| {
        let Selection { rooms, except } = selection;
        let at = id.offset();
        at > after
            && (rooms.is_empty() || presence.hears_any(rooms, at))
            && !presence.was_in_any(except, at)
    });
    Some(meant.map(|(id, _, event)| (id, event)).collect())
}

/// The rooms of a socket without its own.
pub(crate) fn joined(id: &SocketId, mut rooms: Vec<Room>) -> Vec<Room> {
    rooms.retain(|room| room.as_str() != id.as_str());
    rooms
}

#[cfg(test)]
mod tests {
    use socketio_auth::Grant;

    use super::*;
    use crate::proto::recovery::Stays;
    use crate::type_map::TypeMap;

    fn ann() -> GrantFacts {
        Grant::new((), "ann").facts().clone()
    }

    fn saved(grant: Option<GrantFacts>, rooms: &[&str]) -> Session {
        let rooms = rooms.iter().copied().map(Room::from).collect();
        let id = SocketId::new("own");
        Session {
            rooms: joined(&id, rooms),
            id,
            grant,
            stays: Stays::default(),
            since: Offset::FIRST,
            extensions: TypeMap::default(),
        }
    }

    //= SIO5-CSR-07 test
    #[test]
    fn only_the_same_subject_in_the_same_namespace_is_the_owner() {
        let (anns, nobodys) = (saved(Some(ann()), &[]), saved(None, &[]));
        let subject = |issuer: Option<&str>| {
            let subject = Subject::new("ann");
            match issuer {
                Some(issuer) => subject.with_issuer(issuer),
                None => subject,
            }
        };
        assert!(is_owner(&anns, Some("/"), "/", Some(&subject(None))));
        assert!(
            is_owner(&anns, None, "/", Some(&subject(None))),
            "the reference"
        );
        assert!(!is_owner(&anns, Some("/"), "/a", Some(&subject(None))));
        assert!(!is_owner(&anns, None, "/", Some(&subject(Some("idp")))));
        assert!(!is_owner(&anns, None, "/", None));
        assert!(!is_owner(&nobodys, None, "/", Some(&subject(None))));
        assert!(is_owner(&nobodys, None, "/", None));
    }

    //= SIO5-CSR-06 test
    #[test]
    fn an_entry_is_for_who_was_meant_and_is_above_the_last_that_was_heard() {
        let to = |rooms: &[&str], except: &[&str]| Selection {
            rooms: rooms.iter().copied().map(Room::from).collect(),
            except: except.iter().copied().map(Room::from).collect(),
        };
        let entries = [
            to(&[], &[]),
            to(&[], &[]),
            to(&["r"], &[]),
            to(&["other"], &[]),
            to(&["own"], &[]),
            to(&[], &["r"]),
            to(&["r", "other"], &["own"]),
            to(&["other", "r"], &["other"]),
            to(&["closed"], &[]),
        ];
        let id = |at: usize| EntryId::new(1, at as u64).unwrap();
        let mut session = saved(None, &["own", "r", "closed"]);
        assert_eq!(session.rooms, ["r".into(), "closed".into()]);
        session.withhold(&["closed".into()], id(9).offset());
        let entries = entries.iter().enumerate();
        let entries = entries.map(|(at, selection)| (id(at), selection, at));
        let missed = missed(&session, id(0).offset(), entries);
        let missed: Vec<_> = missed.unwrap().into_iter().map(|(_, at)| at).collect();
        assert_eq!(missed, [1, 2, 4, 7]);
    }

    #[test]
    fn what_it_missed_is_not_known_from_before_the_first_of_the_rooms_that_it_left() {
        let id = |at: u64| EntryId::new(1, at).unwrap();
        let mut session = saved(None, &["own"]);
        for at in 1..=65 {
            session.stays.leave(&"r".into(), id(at).offset());
        }
        let known = |after| {
            let entries: [(EntryId, &Selection, ()); 0] = [];
            missed(&session, id(after).offset(), entries).is_some()
        };
        assert!(known(1), "64 rooms are remembered");
        assert!(!known(0), "one more");
    }

    #[test]
    fn what_was_revoked_since_it_was_granted_does_not_come_back() {
        let time = Duration::from_secs;
        let login = |id: &'static str| {
            let grant = Grant::new((), "ann").with_session_id(id);
            grant.facts().clone()
        };
        let (ann, eve) = (|| login("ann"), || login("eve"));
        let mut withdrawn = Withdrawn::new();
        assert!(!withdrawn.covers(time(0), &ann()));
        withdrawn.note(time(100), Revocation::session("ann"));
        assert!(withdrawn.covers(time(0), &ann()));
        let slack = CLOCK_SLACK.as_secs();
        assert!(withdrawn.covers(time(100 + slack), &ann()), "clocks differ");
        assert!(!withdrawn.covers(time(101 + slack), &ann()));
        assert!(!withdrawn.covers(time(0), &eve()));
        for _ in 1..MAX_WITHDRAWN {
            withdrawn.note(time(200), Revocation::session("bob"));
        }
        assert!(!withdrawn.covers(time(0), &eve()), "at the bound");
        withdrawn.note(time(300), Revocation::session("bob"));
        assert!(withdrawn.covers(time(0), &eve()), "one past it");
        assert!(!withdrawn.covers(time(150), &eve()));
    }
}
