//! The log that servers share, asked as a server asks it.

use std::sync::Arc;
use std::time::Duration;

use socketio::SocketIo;
use socketio::cluster::{Adapter as _, EntryId, LogBounds, SharedLog, SharedSession};
use socketio_redis::{RedisAdapter, Streams};

use super::ask;
use super::server::Redis;

const LIFETIME: Duration = Duration::from_secs(60);

/// What lives of a socket begin with: they are counted in milliseconds since the Unix epoch.
const LIFE: u64 = 1_764_400_000_000;

/// A server with this adapter, and its log.
async fn serve(adapter: Streams) -> (SocketIo, Arc<dyn SharedLog>) {
    let log = adapter.log().expect("it has one");
    let io = SocketIo::builder().adapter(adapter).build();
    let io = io.expect("the options are sound");
    io.ready().await.expect("Redis is there");
    (io, log)
}

fn session(socket: &str, life: u64) -> SharedSession {
    let mut session = SharedSession::new(socket, vec![socket.into()]);
    session.life = life;
    session
}

//= STR-05 test
#[tokio::test]
async fn a_session_of_an_earlier_life_takes_no_later_ones_place() {
    let redis = Redis::start();
    let adapter = || RedisAdapter::streams(&redis.url).expect("an address");
    let (_one, late) = serve(adapter()).await;
    let (_two, here) = serve(adapter()).await;
    for (pid, [first, then], kept) in [
        ("first", [0, 0], "then"),
        ("same", [LIFE, LIFE], "then"),
        ("later", [LIFE, LIFE + 1], "then"),
        ("back", [0, LIFE], "then"),
        ("earlier", [LIFE + 1, LIFE], "first"),
        ("of the first", [LIFE, 0], "first"),
        ("small", [2, 1], "first"),
        ("middling", [1 << 20, 200], "first"),
        ("far off", [1 << 53, (1 << 53) - 1], "first"),
    ] {
        let save = here.save_session(pid, session("first", first), LIFETIME);
        save.await.expect("it is said");
        here.find_session(pid).await.expect("it is there");
        let save = late.save_session(pid, session("then", then), LIFETIME);
        save.await.expect("it is said");
        let found = late.find_session(pid).await.expect("it is there");
        let found = found.expect("it is kept");
        let life = if kept == "first" { first } else { then };
        assert_eq!((found.socket.as_str(), found.life), (kept, life), "{pid}");
    }
}

//= STR-05 test
#[tokio::test]
async fn a_session_is_kept_for_its_lifetime_from_when_it_was_saved_last() {
    let redis = Redis::start();
    let (_io, log) = serve(RedisAdapter::streams(&redis.url).expect("an address")).await;
    for minutes in [7, 2, 5] {
        let lifetime = Duration::from_secs(minutes * 60);
        let save = log.save_session("p", session("own", LIFE), lifetime);
        save.await.expect("it is said");
        log.find_session("p").await.expect("it is there");
        let left = ask(&redis, "PTTL sio:session:p");
        let left = left.strip_prefix(':').and_then(|left| left.parse().ok());
        let left = Duration::from_millis(left.expect("it ends some time"));
        assert!(left <= lifetime, "{left:?}");
        assert!(left > lifetime - Duration::from_secs(60), "{left:?}");
    }
    assert!(log.take_session("p").await.expect("Redis is there"));
    assert_eq!(ask(&redis, "EXISTS sio:session:p"), ":0");
}

/// When the entry is that is asked from.
const AT: u64 = 100_000;

/// Writes an event of a namespace, of this number, at this time.
fn write(redis: &Redis, nsp: &str, millis: u64, number: u64) -> String {
    let data = r#"{"packet":{"type":2,"data":["n"],"nsp":"/"},"opts":{"rooms":[],"except":[]}}"#;
    let fields = format!("uid a nsp {nsp} type 3 data '{data}' number {number}");
    let id = format!("{millis}-{number}");
    let answer = ask(redis, &format!("XADD socket.io {id} {fields}"));
    assert!(answer.starts_with('$'), "{answer}");
    data.to_owned()
}

/// The numbers of the entries of the main namespace that are read for a client which had number 500 at last.
async fn read(log: &Arc<dyn SharedLog>, bounds: LogBounds) -> Option<Vec<u64>> {
    let asked_from = EntryId::new(AT, 500).expect("it is possible");
    let read = log.read("/", asked_from, bounds).await;
    let read = read.expect("Redis is there")?;
    let ids = read.entries.iter().map(|(id, _)| *id);
    assert!(ids.is_sorted(), "{read:?}");
    let numbers = read.entries.into_iter();
    Some(numbers.filter_map(|(_, message)| message.number).collect())
}

/// So many entries, of any size.
fn entries(max_entries: usize) -> LogBounds {
    LogBounds::new(max_entries, usize::MAX)
}

//= STR-06 test
#[tokio::test]
async fn what_stands_up_to_ten_seconds_before_is_read_too() {
    let redis = Redis::start();
    write(&redis, "/", AT - 10_001, 1);
    write(&redis, "/", AT - 10_000, 2);
    write(&redis, "/custom", AT - 9_000, 3);
    write(&redis, "/", AT, 499);
    write(&redis, "/", AT, 500);
    write(&redis, "/", AT + 1, 501);
    let (_io, log) = serve(RedisAdapter::streams(&redis.url).expect("an address")).await;
    // The entry that is asked from among them, as it may have been written twice as well.
    let all = read(&log, entries(9)).await;
    assert_eq!(all, Some(vec![2, 499, 500, 501]));
    let mut less = entries(9);
    less.look_back = Duration::from_secs(9);
    assert_eq!(read(&log, less).await, Some(vec![499, 500, 501]));
    less.look_back = Duration::MAX;
    assert_eq!(read(&log, less).await, Some(vec![1, 2, 499, 500, 501]));
    let nobodys = EntryId::new(AT, 7).expect("it is possible");
    let unknown = log.read("/", nobodys, entries(9)).await;
    assert!(unknown.expect("Redis is there").is_none());
}

//= STR-06 test
#[tokio::test]
async fn what_stands_before_is_read_as_far_as_what_stands_behind_leaves_room() {
    let redis = Redis::start();
    let mut cost = 0;
    // More than are read at once.
    for number in 250..=502 {
        let data = write(&redis, "/", AT, number);
        cost = data.len() + "a/3".len() + "500".len() + "uidnsptypedatanumber".len();
    }
    let (_io, log) = serve(RedisAdapter::streams(&redis.url).expect("an address")).await;
    let numbers = |from: u64| Some((from..=502).collect::<Vec<_>>());
    assert_eq!(read(&log, entries(253)).await, numbers(250));
    for (max, from) in [(252, 251), (202, 301), (201, 302), (3, 500), (2, 501)] {
        assert_eq!(read(&log, entries(max)).await, numbers(from), "{max}");
        let bytes = LogBounds::new(usize::MAX, max * cost);
        assert_eq!(read(&log, bytes).await, numbers(from), "{max}");
    }
    let less = LogBounds::new(usize::MAX, 3 * cost - 1);
    assert_eq!(read(&log, less).await, numbers(501), "one byte");
    assert_eq!(read(&log, entries(1)).await, None, "two stand behind it");
    let bytes = LogBounds::new(usize::MAX, 2 * cost - 1);
    assert_eq!(read(&log, bytes).await, None);
}
