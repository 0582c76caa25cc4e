//! A server whose user of Redis may not do what is needed, for a while.

use super::nodes::{Client, Server};
use super::server::Redis;
use super::{ask, within};

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
        let answer = ask(&self.redis, &format!("ACL SETUSER app {rule}"));
        assert_eq!(answer, "+OK");
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
            let mut stranger = client.moves(&two, &one).await;
            assert_ne!(stranger.sid, sid, "{word}");
            one.refused(command).await;
            redis.set(&format!("+{word}"));
            (stranger.pid, stranger.offset) = (pid.clone(), offset);
            let recovered = stranger.moves(&one, &one).await;
            assert_eq!((recovered.sid, recovered.pid), (sid, pid), "{word}");
        }
    };
    within("coming back", work).await;
}
