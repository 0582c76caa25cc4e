//! The streams adapter over a real Redis. `scripts/setup` installs what this needs.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

mod log;
mod nodes;
mod refused;
mod returning;
#[path = "../../../../conformance-tests/tests/support/redis.rs"]
mod server;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use server::Redis;

/// Much more than anything takes.
const LIMIT: Duration = Duration::from_secs(20);

/// What Redis answers in one line to a command in one line.
fn ask(redis: &Redis, command: &str) -> String {
    let address = redis.url.trim_start_matches("redis://");
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "{command}\r\n").unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(LIMIT, work).await {
        Ok(done) => done,
        Err(_) => panic!("{what} takes too long"),
    }
}
