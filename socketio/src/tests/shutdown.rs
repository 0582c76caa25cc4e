//! How a server ends: at once, or little by little.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::testing::TestClient;
use crate::tests::Log;
use crate::tests::polling::Polling;
use crate::{Namespace, SocketIo};

const DEADLINE: Duration = Duration::from_secs(10);

/// Tells the log how a handler ended.
struct Ended {
    log: Log,
    how: &'static str,
}

impl Ended {
    fn well(mut self) {
        self.how = "done";
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.log.add(self.how);
    }
}

/// A server that writes down when its sockets leave, in milliseconds from now, and why; a handler waits as long as
/// it is told.
fn server(log: &Log) -> (SocketIo, Namespace<()>) {
    let io = SocketIo::new();
    let started = Instant::now();
    let (left, waits) = (log.clone(), log.clone());
    let space = io
        .namespace("/")
        .on("wait", move |_, seconds: u64| {
            let ended = Ended {
                log: waits.clone(),
                how: "dropped",
            };
            async move {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                ended.well();
            }
        })
        .on_disconnect(move |_, reason| {
            left.add(format!("{} {reason}", started.elapsed().as_millis()));
            async {}
        })
        .open()
        .unwrap();
    (io, space)
}

/// How a handshake is answered: status, and when to come back.
async fn handshake(io: &SocketIo) -> (u16, Option<u64>) {
    let request = http::Request::get("/socket.io/?EIO=4&transport=polling").header("host", "test");
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let response = hyper::service::Service::call(&io.service(), request).await;
    let response = response.unwrap();
    let retry_after = response.headers().get("retry-after");
    let seconds = retry_after.map(|value| value.to_str().unwrap().parse().unwrap());
    (response.status().as_u16(), seconds)
}

#[tokio::test(start_paused = true)]
async fn draining_closes_one_client_after_the_other_at_random_within_the_deadline() {
    const CLIENTS: u64 = 20;
    let log = Log::default();
    let (io, space) = server(&log);
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let mut client = TestClient::open(&io).await;
        client.join("/").await;
        clients.spawn(async move { client.drain().await });
    }
    let started = Instant::now();
    io.drain(DEADLINE).await;
    assert!(started.elapsed() < DEADLINE, "all have gone before");
    while let Some(received) = clients.join_next().await {
        //= SIO5-DIS-04
        assert_eq!(received.unwrap(), [], "no DISCONNECT");
    }
    assert_eq!(space.socket_count(), 0);
    // A fifth of the time is kept for the last to take what is queued.
    let share = DEADLINE.as_millis() as u64 * 4 / 5 / CLIENTS;
    let mut delays = Vec::new();
    for (index, line) in (0..).zip(log.take()) {
        let (at, reason) = line.split_once(' ').unwrap();
        assert_eq!(reason, "server shutting down");
        let at: u64 = at.parse().unwrap();
        let of_index = index * share..=(index + 1) * share;
        assert!(of_index.contains(&at), "{at} is not in {of_index:?}");
        delays.push(at - of_index.start());
    }
    assert_eq!(delays.len() as u64, CLIENTS);
    delays.sort_unstable();
    delays.dedup();
    assert!(delays.len() > 1, "there is chance in it: {delays:?}");
}

#[tokio::test(start_paused = true)]
async fn draining_waits_for_handlers_until_the_deadline_and_drops_them_then() {
    for (seconds, waited, ended) in [(7, 7, "done"), (11, 10, "dropped")] {
        let log = Log::default();
        let (io, _space) = server(&log);
        let mut client = TestClient::open(&io).await;
        client.join("/").await;
        client.send(&format!(r#"42["wait",{seconds}]"#)).await;
        client.send("41").await;
        client.join("/").await;
        drop(client);
        let started = Instant::now();
        io.drain(DEADLINE).await;
        assert_eq!(started.elapsed().as_secs(), waited);
        tokio::task::yield_now().await;
        assert_eq!(log.take().last().unwrap(), ended);
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_take_the_last_events_is_cut_off_at_the_deadline() {
    let log = Log::default();
    let (io, space) = server(&log);
    let mut client = TestClient::open(&io).await;
    client.join("/").await;
    let polling = Polling::join(&io).await;
    space.emit("last", &"x".repeat(2 << 20)).unwrap();
    let started = Instant::now();
    io.drain(DEADLINE).await;
    let elapsed = started.elapsed();
    assert!(
        (DEADLINE..DEADLINE + Duration::from_millis(20)).contains(&elapsed),
        "{elapsed:?}"
    );
    assert_eq!((space.socket_count(), io.connection_count()), (0, 0));
    assert_eq!(log.take().len(), 2);
    drop((client, polling));
}

#[tokio::test(start_paused = true)]
async fn who_leaves_by_himself_during_a_drain_is_not_shut_down() {
    let log = Log::default();
    let (io, space) = server(&log);
    let mut client = TestClient::open(&io).await;
    client.join("/").await;
    let closed = space.sockets().remove(0).closed();
    let mut draining = Box::pin(io.drain(DEADLINE));
    assert!(crate::running::poll_now(draining.as_mut()).is_pending());
    drop(client);
    closed.await;
    assert_eq!(log.take(), ["0 transport close"]);
    draining.await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_drains_or_is_closed_refuses_whoever_comes() {
    let (io, space) = server(&Log::default());
    assert_eq!(handshake(&io).await, (200, None));
    assert!(!io.is_draining());
    let mut client = TestClient::open(&io).await;
    client.join("/").await;
    let mut draining = Box::pin(io.drain(DEADLINE));
    assert!(crate::running::poll_now(draining.as_mut()).is_pending());
    assert!(io.is_draining());
    let (status, seconds) = handshake(&io).await;
    assert_eq!(status, 503);
    assert!(seconds.is_some_and(|seconds| seconds > 0), "{seconds:?}");
    let sockets = space.socket_count();
    drop(draining);
    assert_eq!(sockets, 1, "who is in is not cut off by that");

    let (io, _space) = server(&Log::default());
    io.close();
    assert!(io.is_draining());
    assert_eq!(handshake(&io).await.0, 503);
}

#[tokio::test(start_paused = true)]
async fn closing_drops_the_handlers_that_wait() {
    let log = Log::default();
    let (io, space) = server(&log);
    let mut client = TestClient::open(&io).await;
    client.join("/").await;
    client.send(r#"42["wait",1]"#).await;
    client.send("40/nowhere,").await;
    client.next_text().await;
    io.close();
    assert_eq!((space.socket_count(), io.connection_count()), (0, 0));
    assert_eq!(log.take(), ["0 server shutting down"]);
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    assert_eq!(log.take(), ["dropped"]);
    assert_eq!(client.drain().await, []);
}
