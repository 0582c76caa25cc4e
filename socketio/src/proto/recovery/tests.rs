use serde_json::value::RawValue;
use socketio_auth::{Grant, revocation::Revocation};

use super::offset::NoOffset;
use super::*;
use std::time::SystemTime;

const BOUNDS: Bounds = Bounds {
    max_age: Duration::from_secs(120),
    max_bytes: 1_000_000,
    max_sessions: 3,
};

/// A log of one namespace, whose packets are named by their number.
struct Fixture {
    log: Log<u32>,
    now: Instant,
    namespace: Arc<str>,
    /// Of whoever is saved.
    stays: Stays,
}

impl Fixture {
    fn new(bounds: Bounds) -> Self {
        Self {
            log: Log::new(bounds),
            now: start(),
            namespace: "/".into(),
            stays: Stays::default(),
        }
    }

    fn sleep(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    fn send(&mut self, message: u32, to: &[&str], except: &[&str]) -> String {
        let offset = self.log.next_offset(1_000);
        let selection = Selection {
            rooms: rooms(to),
            except: rooms(except),
        };
        self.log
            .append(self.now, offset, &self.namespace, selection, message, 10);
        offset.to_string()
    }

    /// Whoever is saved next joins a room, or leaves it.
    fn moves(&mut self, room: &str, joins: bool) {
        let (room, at) = (Room::from(room), self.log.end());
        if joins {
            self.stays.join(room, at);
        } else {
            self.stays.leave(&room, at);
        }
    }

    fn save(&mut self, pid: &str, joined: &[&str]) {
        self.save_as(pid, joined, None, Offset::default());
    }

    fn save_as(&mut self, pid: &str, joined: &[&str], subject: Option<&str>, since: Offset) {
        let session = Session {
            id: SocketId::new(format!("id-{pid}")),
            grant: subject.map(|subject| Grant::new((), subject).facts().clone()),
            rooms: rooms(joined),
            stays: self.stays.clone(),
            since,
            extensions: TypeMap::default(),
        };
        self.log
            .save(self.now, &pid.into(), &self.namespace, session);
    }

    fn resume(&mut self, pid: &str, offset: &str) -> Option<Vec<u32>> {
        let (session, after) = self.log.resume(self.now, pid, "/", None, offset)?;
        let missed = self.log.missed("/", &session, after);
        assert!(missed.is_some(), "who is resumed gets it all");
        missed
    }
}

#[expect(clippy::disallowed_methods, reason = "virtual time needs a start")]
fn start() -> Instant {
    Instant::now()
}

fn rooms(names: &[&str]) -> Vec<Room> {
    names.iter().copied().map(Room::from).collect()
}

//= SIO5-CSR-05 test
#[test]
fn offsets_are_written_as_the_vectors_say() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../conformance-tests/spec/wire.json"
    );
    let text = std::fs::read_to_string(path).unwrap();
    let mut root: HashMap<&str, &RawValue> = serde_json::from_str(&text).unwrap();
    let sets = root.remove("sets").unwrap().get();
    let mut sets: HashMap<&str, &RawValue> = serde_json::from_str(sets).unwrap();
    let vectors = sets.remove("yeast").unwrap().get();
    let vectors: Vec<serde_json::Value> = serde_json::from_str(vectors).unwrap();
    assert!(vectors.len() >= 5);
    for vector in vectors {
        let millis = vector["n"].as_u64().unwrap();
        let offset = Offset::at(millis);
        assert_eq!(offset.to_string(), vector["text"].as_str().unwrap());
        assert_eq!(offset.to_string().parse(), Ok(offset));
    }
}

//= SIO5-CSR-05 test
#[test]
fn offsets_within_a_millisecond_are_counted_and_never_go_back() {
    let mut log = Log::<()>::new(BOUNDS);
    let texts: Vec<String> = [64, 64, 64, 63, 65]
        .into_iter()
        .map(|millis| log.next_offset(millis).to_string())
        .collect();
    assert_eq!(texts, ["10", "10.0", "10.1", "10.2", "11"]);
    for text in &texts {
        assert_eq!(text.parse::<Offset>().unwrap().to_string(), *text);
    }
}

#[test]
fn what_no_server_wrote_is_no_offset() {
    let largest = Offset::at(u64::MAX);
    assert_eq!(largest.to_string(), "3_______");
    assert_eq!(largest.to_string().parse(), Ok(largest));
    for text in [
        "",
        ".",
        ".0",
        "1.",
        "1.-1",
        "1.00",
        "01",
        "é",
        "1 ",
        "1.1048575",
        "1.18446744073709551615",
        "3_______1",
        "4_______",
        "1795327353844-0",
    ] {
        assert!(text.parse::<Offset>() == Err(NoOffset), "{text}");
    }
}

//= SIO5-CSR-04 test
//= SIO5-CSR-06 test
#[test]
fn what_the_rooms_of_a_session_were_sent_is_replayed_in_order_once() {
    let mut fixture = Fixture::new(BOUNDS);
    let offset = fixture.send(0, &[], &[]);
    fixture.save("p", &["r", "s"]);
    fixture.send(1, &[], &[]);
    fixture.send(2, &["elsewhere"], &[]);
    fixture.send(3, &["s", "r", "s"], &[]);
    fixture.send(4, &["id-p"], &[]);
    fixture.send(5, &[], &["id-p"]);
    fixture.send(6, &["r"], &["s"]);
    fixture.send(7, &["r"], &["elsewhere"]);
    assert_eq!(fixture.resume("p", &offset), Some(vec![1, 3, 4, 7]));
}

//= SIO5-CSR-11 test
#[test]
fn a_session_is_handed_out_once() {
    let mut fixture = Fixture::new(BOUNDS);
    let offset = fixture.send(0, &[], &[]);
    fixture.save("p", &[]);
    assert_eq!(fixture.resume("p", &offset), Some(vec![]));
    assert_eq!(fixture.resume("p", &offset), None);
    fixture.save("p", &[]);
    assert_eq!(fixture.resume("p", &offset), Some(vec![]), "saved anew");
}

//= SIO5-CSR-07 test
#[test]
fn an_unknown_session_or_offset_recovers_nothing() {
    let mut fixture = Fixture::new(BOUNDS);
    let offset = fixture.send(0, &[], &[]);
    fixture.save("p", &[]);
    assert_eq!(fixture.resume("q", &offset), None);
    assert_eq!(fixture.resume("p", "zzz"), None);
    let mut log = fixture.log;
    let session = log.resume(fixture.now, "p", "/", None, &offset);
    assert_eq!(session, None, "a wrong offset uses the session up");
}

#[test]
fn another_subject_or_namespace_leaves_the_session_to_its_owner() {
    let mut fixture = Fixture::new(BOUNDS);
    let offset = fixture.send(0, &[], &[]);
    fixture.save_as("p", &[], Some("alice"), Offset::default());
    let mut resume = |namespace, subject: Option<(&str, Option<&str>)>| {
        let now = fixture.now;
        let subject = subject.map(|(id, issuer)| match issuer {
            Some(issuer) => Subject::new(id).with_issuer(issuer),
            None => Subject::new(id),
        });
        let resumed = (fixture.log).resume(now, "p", namespace, subject.as_ref(), &offset);
        resumed.is_some()
    };
    assert!(!resume("/", None));
    assert!(!resume("/", Some(("mallory", None))));
    assert!(!resume("/", Some(("alice", Some("https://b.example")))));
    assert!(!resume("/other", Some(("alice", None))));
    assert!(resume("/", Some(("alice", None))));
}

#[test]
fn a_revocation_reaches_what_was_saved_and_nobody_elses() {
    let mut fixture = Fixture::new(BOUNDS);
    let offset = fixture.send(0, &[], &[]);
    fixture.save("nobody", &[]);
    fixture.save_as("a", &[], Some("alice"), Offset::default());
    fixture.save_as("b", &[], Some("bob"), Offset::default());
    let alice = Revocation::subject("alice", SystemTime::UNIX_EPOCH);
    fixture.log.revoke(|facts| alice.covers(facts));
    let mut resume = |pid, subject: Option<&str>| {
        let subject = subject.map(Subject::from);
        let resumed = (fixture.log).resume(fixture.now, pid, "/", subject.as_ref(), &offset);
        resumed.is_some()
    };
    assert!(!resume("a", Some("alice")));
    assert!(resume("b", Some("bob")));
    assert!(resume("nobody", None));
    assert_eq!(fixture.log.sessions.len() + fixture.log.pids.len(), 0);
}

#[test]
fn nothing_sent_before_the_socket_came_is_replayed() {
    let mut fixture = Fixture::new(BOUNDS);
    let older = fixture.send(0, &[], &[]);
    fixture.send(1, &["r"], &[]);
    let since = fixture.log.end();
    fixture.send(2, &["r"], &[]);
    fixture.save_as("p", &["r"], None, since);
    assert_eq!(fixture.resume("p", &older), Some(vec![2]));
}

//= SIO5-CSR-10 test
#[test]
fn sessions_and_packets_are_kept_to_their_age_and_not_longer() {
    let mut fixture = Fixture::new(BOUNDS);
    let offset = fixture.send(0, &[], &[]);
    fixture.save("p", &[]);
    fixture.save("q", &[]);
    fixture.sleep(120);
    assert_eq!(fixture.resume("p", &offset), Some(vec![]));
    fixture.sleep(1);
    assert_eq!(fixture.resume("q", &offset), None);
    assert_eq!(fixture.log.bytes, 0);
    assert!(fixture.log.packets.is_empty() && fixture.log.indexes.is_empty());
}

#[test]
fn a_millisecond_that_is_used_up_draws_on_the_next() {
    let mut log = Log::<()>::new(BOUNDS);
    log.next_offset(64);
    let last = "10.1048574".parse().unwrap();
    log.given = log.given.map(|(first, _)| (first, last));
    assert_eq!(log.next_offset(64).to_string(), "11");
    assert_eq!(log.next_offset(65).to_string(), "11.0");
}

/// Bounds that keep as many packets and one session, but for the rooms that they name.
fn room_for(packets: usize) -> Bounds {
    let kept = packets * (PACKET_COST_BYTES + 10) + SESSION_COST_BYTES;
    Bounds {
        // What was forgotten takes a quarter at most.
        max_bytes: kept / 3 * 4,
        ..BOUNDS
    }
}

#[test]
fn who_missed_nothing_is_recovered_whatever_was_forgotten() {
    let mut fixture = Fixture::new(room_for(20));
    let offset = fixture.send(0, &["id-p"], &[]);
    for message in 1..1_000 {
        fixture.send(message, &["elsewhere"], &[]);
    }
    fixture.save("p", &["r"]);
    fixture.send(1_000, &["r"], &[]);
    assert!(fixture.log.packets.len() < 30);
    assert_eq!(fixture.resume("p", &offset), Some(vec![1_000]));
}

#[test]
fn who_was_quiet_for_longer_than_packets_are_kept_is_recovered() {
    let mut fixture = Fixture::new(BOUNDS);
    let offset = fixture.send(0, &["r"], &[]);
    fixture.sleep(1_000);
    fixture.save("p", &["r"]);
    fixture.sleep(120);
    fixture.send(1, &["r"], &[]);
    assert_eq!(fixture.resume("p", &offset), Some(vec![1]));
}

#[test]
fn one_that_was_missed_and_forgotten_is_one_too_many() {
    for to in [&["r"][..], &["elsewhere", "r"], &["id-p"], &[]] {
        let mut fixture = Fixture::new(BOUNDS);
        let offset = fixture.send(0, &["r"], &[]);
        let missed = fixture.send(1, to, &[]);
        fixture.send(2, to, &["r"]);
        fixture.sleep(121);
        for (offset, expected) in [(&offset, None), (&missed, Some(vec![]))] {
            fixture.save("p", &["r"]);
            assert_eq!(fixture.resume("p", offset), expected, "{to:?}");
        }
    }
}

#[test]
fn who_sent_what_was_forgotten_has_missed_nothing() {
    let mut fixture = Fixture::new(BOUNDS);
    let offset = fixture.send(0, &[], &[]);
    for message in 1..10 {
        fixture.send(message, &[], &["id-p"]);
        fixture.sleep(121);
    }
    fixture.save("p", &[]);
    fixture.save("q", &[]);
    assert_eq!(fixture.resume("p", &offset), Some(vec![]));
    assert_eq!(fixture.resume("q", &offset), None);
}

//= SIO5-CSR-12 test
#[test]
fn text_that_was_not_given_out_is_no_offset_of_ours() {
    let mut fixture = Fixture::new(BOUNDS);
    let offset = fixture.send(0, &[], &[]);
    for text in ["hello", "EZ", "Fd.2"] {
        fixture.save("p", &[]);
        assert_eq!(
            fixture.resume("p", text),
            None,
            "{text} is not near {offset}"
        );
    }
}

#[test]
fn the_names_of_rooms_that_were_forgotten_are_bounded() {
    let mut fixture = Fixture::new(room_for(20));
    let bounds = fixture.log.bounds;
    let mut heard = fixture.send(0, &["id-p"], &[]);
    let mut known = 0;
    for message in 1..1_000 {
        fixture.send(message, &[&format!("room-{message}")], &[]);
        assert!(fixture.log.bytes() <= bounds.max_bytes);
        assert!(fixture.log.forgotten.bytes() <= bounds.max_bytes / FORGOTTEN_SHARE);
        fixture.save("p", &[]);
        if fixture.resume("p", &heard).is_none() {
            heard = fixture.send(message, &["id-p"], &[]);
            known += 1;
        }
    }
    assert!((1..100).contains(&known), "lost now and then: {known}");
}

#[test]
fn packets_and_sessions_are_bounded_together_in_bytes() {
    let packet = PACKET_COST_BYTES + 10;
    let bounds = Bounds {
        max_bytes: 2 * packet + SESSION_COST_BYTES,
        ..BOUNDS
    };
    let mut fixture = Fixture::new(bounds);
    let first = fixture.send(0, &[], &[]);
    let second = fixture.send(1, &[], &[]);
    fixture.save("p", &[]);
    assert_eq!(fixture.log.packets.len(), 2, "at the bound");
    fixture.save("p", &["r"]);
    assert_eq!(fixture.log.packets.len(), 1, "one room past it");
    assert_eq!(fixture.resume("p", &first), Some(vec![1]));
    fixture.send(2, &[], &[]);
    fixture.save("p", &["r"]);
    assert_eq!(fixture.resume("p", &first), None, "the second is gone too");
    fixture.save("p", &["r"]);
    assert_eq!(fixture.resume("p", &second), Some(vec![2]));
}

#[test]
fn sessions_are_bounded_in_number_the_oldest_goes() {
    let mut fixture = Fixture::new(BOUNDS);
    let offset = fixture.send(0, &[], &[]);
    for pid in ["a", "b", "c"] {
        fixture.save(pid, &[]);
    }
    assert_eq!(fixture.log.sessions.len(), 3);
    fixture.save("d", &[]);
    assert_eq!(fixture.resume("a", &offset), None);
    assert_eq!(fixture.resume("b", &offset), Some(vec![]));
}

#[test]
fn a_replay_that_is_not_whole_any_more_is_none() {
    let mut fixture = Fixture::new(BOUNDS);
    fixture.send(0, &[], &[]);
    let after = fixture.log.end();
    fixture.send(1, &[], &[]);
    let session = Session {
        id: SocketId::new("x"),
        grant: None,
        rooms: Vec::new(),
        stays: Stays::default(),
        since: after,
        extensions: TypeMap::default(),
    };
    assert_eq!(fixture.log.missed("/", &session, after), Some(vec![1]));
    fixture.sleep(121);
    fixture.send(2, &[], &[]);
    assert_eq!(fixture.log.missed("/", &session, after), None);
}

#[test]
fn what_was_said_before_a_room_was_joined_or_after_it_was_left_is_not_replayed() {
    let mut fixture = Fixture::new(BOUNDS);
    let offset = fixture.send(0, &[], &[]);
    fixture.send(1, &["r"], &[]);
    fixture.send(2, &["s"], &[]);
    fixture.moves("r", true);
    fixture.moves("s", false);
    fixture.send(3, &["r"], &[]);
    fixture.send(4, &["s"], &[]);
    fixture.moves("r", false);
    fixture.send(5, &["r"], &[]);
    fixture.moves("r", true);
    fixture.send(6, &["r", "s"], &[]);
    fixture.save("p", &["r"]);
    fixture.send(7, &["r"], &[]);
    assert_eq!(fixture.resume("p", &offset), Some(vec![2, 3, 6, 7]));
}

#[test]
fn who_was_left_out_by_a_room_is_left_out_of_its_replay() {
    let mut fixture = Fixture::new(BOUNDS);
    let offset = fixture.send(0, &[], &[]);
    fixture.send(1, &[], &["r"]);
    fixture.moves("r", true);
    fixture.send(2, &[], &["r"]);
    fixture.moves("r", false);
    fixture.send(3, &[], &["r"]);
    fixture.save("p", &[]);
    assert_eq!(fixture.resume("p", &offset), Some(vec![1, 3]));
}

#[test]
fn what_was_said_in_a_room_while_somebody_was_not_in_it_may_be_forgotten() {
    let mut fixture = Fixture::new(BOUNDS);
    let offset = fixture.send(0, &[], &[]);
    fixture.send(1, &["r"], &[]);
    fixture.moves("r", true);
    fixture.sleep(121);
    fixture.send(2, &["r"], &[]);
    fixture.save("p", &["r"]);
    fixture.save("q", &["r"]);
    assert_eq!(fixture.resume("p", &offset), Some(vec![2]));
    fixture.sleep(120);
    fixture.send(3, &["r"], &[]);
    assert_eq!(
        fixture.resume("q", &offset),
        Some(vec![2, 3]),
        "at the bound"
    );
    fixture.sleep(1);
    fixture.save("q", &["r"]);
    assert_eq!(fixture.resume("q", &offset), None, "one past it");
}

#[test]
fn an_exception_that_held_for_a_part_of_what_was_forgotten_excuses_none_of_it() {
    let mut fixture = Fixture::new(BOUNDS);
    let offset = fixture.send(0, &[], &[]);
    fixture.send(1, &[], &["r"]);
    fixture.moves("r", true);
    fixture.send(2, &[], &["r"]);
    fixture.sleep(121);
    fixture.save("p", &["r"]);
    assert_eq!(fixture.resume("p", &offset), None, "the first was for it");
}

#[test]
fn of_one_room_too_many_that_was_left_nothing_is_known() {
    let mut fixture = Fixture::new(BOUNDS);
    let offset = fixture.send(0, &[], &[]);
    let mut offsets = Vec::new();
    for message in 1..=stays::MAX_LEFT + 1 {
        let room = format!("room-{message}");
        fixture.moves(&room, true);
        offsets.push(fixture.send(message as u32, &[&room], &[]));
        fixture.moves(&room, false);
        let is_known = message <= stays::MAX_LEFT;
        fixture.save("p", &[]);
        let all: Vec<u32> = (1..=message as u32).collect();
        let resumed = fixture.resume("p", &offset);
        assert_eq!(resumed, is_known.then_some(all), "{message}");
    }
    fixture.save("p", &[]);
    let others = fixture.resume("p", &offsets[0]).unwrap();
    assert_eq!(others.len(), stays::MAX_LEFT, "who heard the first one");
}

#[test]
fn rooms_in_which_nothing_was_said_are_not_remembered() {
    let mut fixture = Fixture::new(BOUNDS);
    let offset = fixture.send(0, &[], &[]);
    for _ in 0..1_000 {
        fixture.moves("r", true);
        fixture.moves("r", false);
    }
    assert_eq!(fixture.stays, Stays::default());
    fixture.save("p", &[]);
    assert_eq!(fixture.resume("p", &offset), Some(vec![]));
}

#[test]
fn rooms_that_are_withheld_are_heard_no_more_and_still_leave_out() {
    let mut fixture = Fixture::new(BOUNDS);
    let offset = fixture.send(0, &[], &[]);
    fixture.moves("left", true);
    fixture.moves("kept", true);
    fixture.send(1, &["left"], &[]);
    fixture.send(2, &[], &["left"]);
    fixture.send(3, &["kept"], &[]);
    fixture.moves("left", false);
    fixture.save("p", &["open", "closed", "kept"]);
    fixture.send(4, &["open"], &[]);
    fixture.send(5, &["closed"], &[]);
    fixture.send(6, &["open"], &["closed"]);
    let (mut session, after) = fixture
        .log
        .resume(fixture.now, "p", "/", None, &offset)
        .unwrap();
    assert_eq!(
        session.all_rooms(),
        rooms(&["closed", "kept", "left", "open"])
    );
    session.withhold(&rooms(&["left", "closed"]), fixture.log.end());
    fixture.send(7, &["open"], &["closed"]);
    let missed = fixture.log.missed("/", &session, after);
    assert_eq!(missed, Some(vec![3, 4, 7]));
    assert_eq!(session.rooms, rooms(&["open", "kept"]));
}

#[test]
fn what_a_session_remembers_of_rooms_is_counted() {
    let mut fixture = Fixture::new(BOUNDS);
    fixture.save("p", &[]);
    let plain = fixture.log.bytes;
    fixture.send(0, &[], &[]);
    let sent = fixture.log.bytes - plain;
    fixture.moves("r", false);
    fixture.save("p", &[]);
    let named = cost_of(&rooms(&["r"]));
    assert_eq!(fixture.log.bytes, plain + sent + named);
}

/// Against a log that forgets nothing: what is replayed is what was missed, and none is refused who missed only what is
/// kept.
#[test]
fn a_replay_is_all_that_was_missed_or_there_is_none() {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut below = |bound: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % bound
    };
    const ROOMS: [&str; 5] = ["id-p", "r", "s", "t", "u"];
    for (excepts, moves) in [(0, false), (2, false), (0, true), (2, true)] {
        let mut bounds = room_for(12);
        if moves {
            // What a session remembers is as large as a few packets.
            bounds.max_bytes += stays::MAX_LEFT * cost_of(&rooms(&["r"]));
        }
        let mut fixture = Fixture::new(bounds);
        let (mut whole, mut refused) = (0, 0);
        // Of each the offset, and whether it was for the socket.
        let mut sent: Vec<(String, u32, bool)> = Vec::new();
        let mut joined = vec!["id-p", "r", "s"];
        for message in 0..4_000 {
            if moves && below(3) == 0 {
                let room = ROOMS[1 + below(4) as usize];
                let is_in = joined.contains(&room);
                fixture.moves(room, !is_in);
                joined.retain(|joined| *joined != room);
                joined.extend((!is_in).then_some(room));
            }
            let mut some = |most: u64| {
                let mut names = ROOMS.to_vec();
                names.retain(|_| below(5) < most);
                names
            };
            let (to, except) = (some(2), some(excepts));
            let offset = fixture.send(message, &to, &except);
            let of = |rooms: &[&str]| rooms.iter().any(|room| joined.contains(room));
            let is_meant = (to.is_empty() || of(&to)) && !of(&except);
            sent.push((offset, message, is_meant));
            let heard = sent.len().saturating_sub(1 + below(16) as usize);
            let missed = sent[heard + 1..].iter().filter(|(.., is_meant)| *is_meant);
            let missed: Vec<u32> = missed.map(|(_, message, _)| *message).collect();
            fixture.save("p", &joined[1..]);
            let first_kept = fixture.log.packets.front();
            let first_kept = first_kept.map_or(u32::MAX, |packet| packet.message);
            match fixture.resume("p", &sent[heard].0) {
                Some(replayed) => {
                    assert_eq!(replayed, missed);
                    whole += 1;
                }
                None => {
                    let is_kept = missed.first().is_none_or(|&first| first >= first_kept);
                    let is_known = excepts == 0 && !moves;
                    assert!(!is_kept || !is_known, "{missed:?} of {first_kept}");
                    refused += 1;
                }
            }
        }
        assert!(whole > 500 && refused > 500, "{whole} {refused}");
    }
}
