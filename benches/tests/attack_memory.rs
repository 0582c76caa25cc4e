//! What a server holds after an attack is what it held before: bytes, counted, of an engine that was warmed up by the
//! same attack.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod counted;
mod engine_server;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use benches::allocations::Counting;
use benches::wire;
use engineio::Config;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";

/// How often an attack is repeated for a count.
const TIMES: usize = 50;

/// Tables that are kept grow with how many sessions happened to be there at a time; fifty sessions that stayed would be
/// more than twenty thousand bytes.
const TOLERANCE_BYTES: i64 = 8192;

/// A server that has not given everything back by then never will.
const PATIENCE: Duration = Duration::from_secs(20);

fn connect(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

/// Sends and waits for the end, so that the server has seen all of it.
fn hang_up(mut stream: TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.read_to_end(&mut Vec::new());
}

/// The session id of a new session.
fn handshake(address: SocketAddr) -> String {
    let request = format!("GET {POLLING} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    let mut stream = connect(address, request.as_bytes());
    stream.read_to_string(&mut answer).unwrap();
    let (_, rest) = answer.split_once("\"sid\":\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

fn websocket(address: SocketAddr, target: &str) -> TcpStream {
    let mut stream = connect(address, &wire::upgrade_request(target));
    let mut heard = Vec::new();
    while wire::read_response(&heard).is_none() {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "the server hung up");
        heard.extend_from_slice(&buffer[..count]);
    }
    stream
}

/// The head of a POST, and the beginning of its body.
fn cut_post(address: SocketAddr, length: usize, beginning: usize) -> TcpStream {
    let sid = handshake(address);
    let head =
        format!("POST {POLLING}&sid={sid} HTTP/1.1\r\nHost: t\r\nContent-Length: {length}\r\n\r\n");
    let mut bytes = head.into_bytes();
    bytes.resize(bytes.len() + beginning, b'4');
    connect(address, &bytes)
}

/// Waits for what has to come; whether it did.
#[expect(
    clippy::disallowed_methods,
    reason = "only a failure is decided by the clock"
)]
fn comes_true(claim: impl Fn() -> bool) -> bool {
    let end = Instant::now() + PATIENCE;
    while !claim() {
        if Instant::now() > end {
            return false;
        }
        std::thread::yield_now();
    }
    true
}

/// Attacks twice; the second time must leave no more than the first.
fn assert_gives_back(name: &str, attack: impl Fn(SocketAddr)) {
    // Sessions that nobody ends are over soon.
    let config = Config::new()
        .ping_interval(Duration::from_millis(200))
        .ping_timeout(Duration::from_millis(200));
    let (address, count, engine) = engine_server::start_with(config);
    let repeat = || {
        (0..TIMES).for_each(|_| attack(address));
        assert!(comes_true(|| engine.session_count() == 0), "{name}");
    };
    // The worker's pool keeps buffers, and tables their size, from now on.
    repeat();
    let most = count.held_bytes() + TOLERANCE_BYTES;
    repeat();
    let is_back = comes_true(|| count.held_bytes() <= most);
    assert!(is_back, "{name}: {} > {most}", count.held_bytes());
}

#[test]
fn heads_that_end_in_the_middle_leave_nothing() {
    assert_gives_back("head", |address| {
        hang_up(connect(address, b"GET /engine.io/?EIO=4 HTTP/1.1\r\nHost"));
    });
}

#[test]
fn posts_that_are_aborted_leave_nothing() {
    assert_gives_back("small body", |address| hang_up(cut_post(address, 10, 4)));
    assert_gives_back("large body", |address| {
        hang_up(cut_post(address, 900_000, 200_000));
    });
}

#[test]
fn polls_that_are_given_up_leave_nothing() {
    assert_gives_back("poll", |address| {
        let sid = handshake(address);
        let request = format!("GET {POLLING}&sid={sid} HTTP/1.1\r\nHost: t\r\n\r\n");
        hang_up(connect(address, request.as_bytes()));
    });
}

#[test]
fn sessions_that_nobody_polls_leave_nothing() {
    assert_gives_back("handshake", |address| drop(handshake(address)));
}

#[test]
fn upgrades_that_are_given_up_leave_nothing() {
    assert_gives_back("upgrade", |address| {
        let target = format!("{}&sid={}", engine_server::TARGET, handshake(address));
        let mut stream = websocket(address, &target);
        let probe = wire::frame(wire::opcode::TEXT, b"2probe");
        stream.write_all(&probe).unwrap();
        hang_up(stream);
    });
}

#[test]
fn messages_that_never_end_leave_nothing() {
    assert_gives_back("fragments", |address| {
        let mut stream = websocket(address, engine_server::TARGET);
        let mut frame = wire::frame(wire::opcode::TEXT, &[b'4'; 100_000]);
        // Not the last fragment.
        frame[0] &= 0x7f;
        stream.write_all(&frame).unwrap();
        hang_up(stream);
    });
    assert_gives_back("frame", |address| {
        let mut stream = websocket(address, engine_server::TARGET);
        let frame = wire::frame(wire::opcode::BINARY, &[7; 300_000]);
        stream.write_all(&frame[..200_000]).unwrap();
        hang_up(stream);
    });
}
