//! A server of the streams adapter whose user of Redis may not do what is needed, for a while.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

#[path = "../../../conformance-tests/tests/support/redis.rs"]
mod server;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use server::Redis;
use socketio::cluster::AdapterError;
use socketio::testing::TestClient;
use socketio::{Namespace, SocketIo};
use socketio_redis::{RedisAdapter, Refused};
use tokio::sync::mpsc;

/// Much more than anything takes.
const LIMIT: Duration = Duration::from_secs(20);

/// A Redis with a user who may do all, but not what is taken away from him.
struct Guarded {
    redis: Redis,
    url: String,
}

impl Guarded {
    fn start() -> Self {
        let redis = Redis::start();
        let url = redis.url.replace("redis://", "redis://app:secret@");
        let guarded = Self { redis, url };
        guarded.set("on >secret ~* &* +@all");
        guarded
    }

    /// Gives the user a permission, `+xadd`, or takes one, `-xadd`.
    fn set(&self, rule: &str) {
        let address = self.redis.url.trim_start_matches("redis://");
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "ACL SETUSER app {rule}\r\n").unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        assert_eq!(line, "+OK\r\n");
    }

    /// A server with this user.
    fn server(&self) -> Server {
        Server::new(&self.url)
    }

    /// One that may do all.
    fn other(&self) -> Server {
        Server::new(&self.redis.url)
    }
}

struct Server {
    io: SocketIo,
    here: Namespace<()>,
    /// The commands that were refused.
    told: mpsc::UnboundedReceiver<String>,
}

impl Server {
    fn new(url: &str) -> Self {
        let (telling, told) = mpsc::unbounded_channel();
        let io = SocketIo::builder()
            .adapter(RedisAdapter::streams(url).unwrap())
            .recovery(|recovery| recovery)
            .on_adapter_error(move |error: &AdapterError| {
                let source = std::error::Error::source(error);
                if let Some(refused) = source.and_then(|source| source.downcast_ref::<Refused>()) {
                    let _ = telling.send(refused.command().to_owned());
                }
            })
            .build()
            .unwrap();
        let here = io.namespace("/").open().unwrap();
        Self { io, here, told }
    }

    fn tell(&self, number: u32) {
        self.here.emit("n", &number).unwrap();
    }

    /// Waits until the application was told that this is refused.
    async fn refused(&mut self, command: &str) {
        while self.told.recv().await.unwrap() != command {}
    }
}

struct Client {
    inner: TestClient,
    sid: String,
    pid: String,
    /// The name of the last event that had one.
    offset: String,
    heard: Vec<u32>,
}

impl Client {
    async fn of(server: &Server) -> Self {
        Self::with(server, "").await
    }

    /// One that comes with this `auth` payload.
    async fn with(server: &Server, auth: &str) -> Self {
        let mut inner = TestClient::open(&server.io).await;
        let answer = inner.join_with("/", auth).await;
        let reply: serde_json::Value =
            serde_json::from_str(answer.strip_prefix("40").unwrap()).unwrap();
        Self {
            inner,
            sid: reply["sid"].as_str().unwrap().to_owned(),
            pid: reply["pid"].as_str().unwrap().to_owned(),
            offset: String::new(),
            heard: Vec::new(),
        }
    }

    /// The one that this was, at this server.
    async fn back(self, server: &Server) -> Self {
        let Self { pid, offset, .. } = self;
        drop(self.inner);
        let auth = serde_json::json!({ "pid": pid, "offset": offset });
        Self::with(server, &auth.to_string()).await
    }

    /// Hears events up to this one.
    async fn hears(&mut self, number: u32) {
        while self.heard.last() != Some(&number) {
            let text = self.inner.next_text().await;
            let event = text.strip_prefix("42").unwrap();
            let event: serde_json::Value = serde_json::from_str(event).unwrap();
            self.heard.push(event[1].as_u64().unwrap() as u32);
            if let Some(offset) = event[2].as_str() {
                offset.clone_into(&mut self.offset);
            }
        }
    }

    /// Has heard each of these once, in whatever order.
    fn has_heard(&self, numbers: impl IntoIterator<Item = u32>) {
        let mut heard = self.heard.clone();
        heard.sort_unstable();
        let numbers: Vec<_> = numbers.into_iter().collect();
        assert_eq!(heard, numbers);
    }
}

async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(LIMIT, work).await {
        Ok(done) => done,
        Err(_) => panic!("{what} takes too long"),
    }
}

/// Takes a permission away from a server that runs, and gives it back.
async fn while_it_runs(word: &str, command: &str) {
    let redis = Guarded::start();
    let (mut one, two) = (redis.server(), redis.other());
    one.io.ready().await.unwrap();
    two.io.ready().await.unwrap();
    let (mut a, mut b) = (Client::of(&one).await, Client::of(&two).await);
    one.tell(0);
    a.hears(0).await;
    b.hears(0).await;
    redis.set(&format!("-{word}"));
    // What needs it comes by itself, or is this.
    one.tell(1);
    two.tell(2);
    one.refused(command).await;
    for number in 3..10 {
        one.tell(number);
        a.hears(number).await;
    }
    redis.set(&format!("+{word}"));
    two.tell(10);
    a.hears(10).await;
    one.tell(11);
    a.hears(11).await;
    b.hears(11).await;
    a.has_heard(0..=11);
    if command == "XREAD" {
        // It is tried again and again, and told once.
        assert!(one.told.try_recv().is_err());
    }
}

/// Starts a server without a permission, and gives it.
async fn from_the_start(word: &str, command: &str) {
    let redis = Guarded::start();
    redis.set(&format!("-{word}"));
    let (mut one, two) = (redis.server(), redis.other());
    two.io.ready().await.unwrap();
    let (mut a, mut b) = (Client::of(&one).await, Client::of(&two).await);
    for number in 0..5 {
        one.tell(number);
        a.hears(number).await;
    }
    one.refused(command).await;
    redis.set(&format!("+{word}"));
    one.io.ready().await.unwrap();
    two.tell(5);
    a.hears(5).await;
    one.tell(6);
    a.hears(6).await;
    b.hears(6).await;
    a.has_heard(0..=6);
}

//= RDS-11 test
#[tokio::test]
async fn a_server_that_may_not_write_serves_its_own_clients_until_it_may() {
    within("running", while_it_runs("xadd", "XADD")).await;
    within("starting", from_the_start("xadd", "XADD")).await;
}

//= RDS-11 test
#[tokio::test]
async fn a_server_that_may_not_read_serves_its_own_clients_until_it_may() {
    within("running", while_it_runs("xread", "XREAD")).await;
    within("starting", from_the_start("xread", "XREAD")).await;
    within("its place", from_the_start("xrevrange", "XREVRANGE")).await;
}

//= RDS-11 test
#[tokio::test]
async fn a_server_that_may_not_keep_sessions_serves_its_own_clients_until_it_may() {
    for word in ["eval", "set"] {
        within(word, while_it_runs(word, "EVAL")).await;
        within(word, from_the_start(word, "EVAL")).await;
    }
}

//= RDS-11 test
#[tokio::test]
async fn a_client_is_a_stranger_where_its_session_may_not_be_read_and_no_longer() {
    let work = async {
        for (word, command) in [("get", "GET"), ("del", "DEL")] {
            let redis = Guarded::start();
            let (mut one, two) = (redis.server(), redis.other());
            one.io.ready().await.unwrap();
            two.io.ready().await.unwrap();
            let mut client = Client::of(&two).await;
            two.tell(0);
            client.hears(0).await;
            let (sid, pid, offset) = (
                client.sid.clone(),
                client.pid.clone(),
                client.offset.clone(),
            );
            redis.set(&format!("-{word}"));
            let stranger = client.back(&one).await;
            assert_ne!(stranger.sid, sid, "{word}");
            one.refused(command).await;
            redis.set(&format!("+{word}"));
            // Its server may not have noticed yet that it is gone.
            let mut back = stranger;
            while back.sid != sid {
                (back.pid, back.offset) = (pid.clone(), offset.clone());
                back = back.back(&one).await;
            }
            assert_eq!(back.pid, pid, "{word}");
        }
    };
    within("coming back", work).await;
}
