//! The log that servers share over a real Redis, asked as a server asks it.

#[path = "support/redis.rs"]
mod redis;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use redis::Redis;
use socketio::SocketIo;
use socketio::cluster::{Adapter as _, SharedLog, SharedSession};
use socketio_redis::{RedisAdapter, Streams};

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

/// What Redis answers in one line to a command in one line.
fn ask(redis: &Redis, command: &str) -> String {
    let address = redis.url.trim_start_matches("redis://");
    let mut stream = TcpStream::connect(address).expect("it is there");
    write!(stream, "{command}\r\n").expect("it is heard");
    let mut line = String::new();
    let read = BufReader::new(stream).read_line(&mut line);
    read.expect("it answers");
    line.trim_end().to_owned()
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
