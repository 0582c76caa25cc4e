use serde_json::value::RawValue;

use super::*;

const BOUNDS: Bounds = Bounds {
    max_age: Duration::from_secs(120),
    max_bytes: 1_000_000,
    max_packets: 1_000,
    max_sessions: 3,
};

/// A log of one namespace, whose packets are named by their number.
struct Fixture {
    log: Log<u32>,
    now: Instant,
    namespace: Arc<str>,
}

impl Fixture {
    fn new(bounds: Bounds) -> Self {
        Self {
            log: Log::new(bounds),
            now: start(),
            namespace: "/".into(),
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

    fn save(&mut self, pid: &str, joined: &[&str]) {
        self.save_as(pid, joined, None, Position(0));
    }

    fn save_as(&mut self, pid: &str, joined: &[&str], subject: Option<&str>, since: Position) {
        let session = Session {
            id: SocketId::new(format!("id-{pid}")),
            subject: subject.map(Subject::from),
            rooms: rooms(joined),
            since,
        };
        self.log
            .save(self.now, &pid.into(), &self.namespace, session);
    }

    fn resume(&mut self, pid: &str, offset: &str) -> Option<Vec<u32>> {
        let (session, from) = self.log.resume(self.now, pid, "/", None, offset)?;
        self.log.missed("/", &session.id, &session.rooms, from)
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
        let offset = Offset { millis, repeat: 0 };
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
    let largest = Offset {
        millis: u64::MAX,
        repeat: u64::MAX,
    };
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
        "1.18446744073709551615",
        "F__________1",
        "G__________",
        "1795327353844-0",
    ] {
        assert!(text.parse::<Offset>() == Err(UnknownOffset), "{text}");
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
    fixture.save_as("p", &[], Some("alice"), Position(0));
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
    fixture.save("q", &[]);
    assert_eq!(fixture.resume("q", &offset), None, "the packet is too old");
    assert_eq!(fixture.log.bytes, 0);
    assert!(fixture.log.indexes.is_empty() && fixture.log.by_offset.is_empty());
}

#[test]
fn packets_are_bounded_in_number() {
    let bounds = Bounds {
        max_packets: 2,
        ..BOUNDS
    };
    let mut fixture = Fixture::new(bounds);
    let first = fixture.send(0, &["r"], &[]);
    let second = fixture.send(1, &["r"], &[]);
    fixture.save("p", &["r"]);
    assert_eq!(fixture.resume("p", &first), Some(vec![1]));
    fixture.send(2, &["r"], &[]);
    fixture.save("p", &["r"]);
    assert_eq!(fixture.resume("p", &first), None);
    fixture.save("p", &["r"]);
    assert_eq!(fixture.resume("p", &second), Some(vec![2]));
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
    fixture.send(1, &[], &[]);
    fixture.save("p", &[]);
    assert_eq!(fixture.log.packets.len(), 2, "at the bound");
    fixture.save("p", &["r"]);
    assert_eq!(fixture.log.packets.len(), 1, "one room past it");
    assert_eq!(fixture.resume("p", &first), None);
    assert_eq!(fixture.log.bytes, packet);
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
    let bounds = Bounds {
        max_packets: 1,
        ..BOUNDS
    };
    let mut fixture = Fixture::new(bounds);
    fixture.send(0, &[], &[]);
    let from = fixture.log.end();
    fixture.send(1, &[], &[]);
    let id = SocketId::new("x");
    assert_eq!(fixture.log.missed("/", &id, &[], from), Some(vec![1]));
    fixture.send(2, &[], &[]);
    assert_eq!(fixture.log.missed("/", &id, &[], from), None);
}
