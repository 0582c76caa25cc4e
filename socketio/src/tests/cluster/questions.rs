//! Questions to other servers, and acknowledgements of their clients.

use std::time::Duration;

use super::{Kind, Server, World, servers, settle};
use crate::args::EncodeError;
use crate::cluster::{AdapterError, ServerAnswer};
use crate::testing::TestClient;
use crate::{Ack, AckError, AckStream, Args, EmitError, NoAck};

async fn next<R: crate::args::FromArgs>(
    acks: &mut AckStream<R>,
) -> Option<(Option<String>, Result<R, AckError>)> {
    let next = acks.next().await;
    next.map(|(id, answer)| (id.map(|id| id.as_str().to_owned()), answer))
}

/// Has a client acknowledge the next event with `args`, JSON without brackets.
async fn acknowledge(client: &mut TestClient, args: &str) {
    let event = client.next_text().await;
    let id: String = event
        .trim_start_matches("42")
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    client.send(&format!("43{id}[{args}]")).await;
}

//= CLA-04 test
#[tokio::test(start_paused = true)]
async fn clients_of_every_server_acknowledge_a_broadcast() {
    let world = World::new();
    let [one, two, _three] = servers(&world).await;
    let (mut a, sid_a) = one.client().await;
    let (mut b, sid_b) = two.client().await;
    let mut acks = one.space.emit_with_ack::<u32>("q", &1);
    acknowledge(&mut a, "1").await;
    acknowledge(&mut b, "2,3").await;
    let mut answers = vec![
        next(&mut acks).await.unwrap(),
        next(&mut acks).await.unwrap(),
    ];
    answers.sort_by_key(|(_, answer)| answer.clone().unwrap());
    assert_eq!(answers, [(Some(sid_a), Ok(1)), (Some(sid_b), Ok(2))]);
    assert_eq!(acks.target_count(), 2);
    let before = tokio::time::Instant::now();
    assert_eq!(next(&mut acks).await, None);
    assert_eq!(before.elapsed(), Duration::ZERO, "all had answered");
    assert_eq!(acks.missing_servers(), 0);
}

//= CLA-07 test
#[tokio::test(start_paused = true)]
async fn clients_that_are_late_anywhere_are_told_of_when_the_time_is_up() {
    let world = World::new();
    let [one, two] = servers(&world).await;
    let (mut a, sid_a) = one.client().await;
    let (_late, sid_late) = one.client().await;
    let (_b, _) = two.client().await;
    let mut acks = one.space.emit_with_ack::<u32>("q", &1);
    acknowledge(&mut a, "1").await;
    let before = tokio::time::Instant::now();
    assert_eq!(next(&mut acks).await, Some((Some(sid_a), Ok(1))));
    assert_eq!(
        next(&mut acks).await,
        Some((Some(sid_late), Err(AckError::Timeout)))
    );
    assert_eq!(next(&mut acks).await, Some((None, Err(AckError::Timeout))));
    assert_eq!(next(&mut acks).await, None);
    let waited = before.elapsed();
    assert!((5_000..5_100).contains(&waited.as_millis()), "{waited:?}");
    assert_eq!(acks.target_count(), 3, "as before");
}

#[tokio::test(start_paused = true)]
async fn clients_that_leave_with_their_server_are_told_of() {
    let world = World::new();
    let [one, two] = servers(&world).await;
    let (mut a, sid_a) = one.client().await;
    let (mut b, sid_b) = two.client().await;
    let (_c, _) = two.client().await;
    let mut acks = one.space.emit_with_ack::<u32>("q", &1);
    acknowledge(&mut a, "1").await;
    acknowledge(&mut b, "2").await;
    assert_eq!(next(&mut acks).await, Some((Some(sid_a), Ok(1))));
    assert_eq!(next(&mut acks).await, Some((Some(sid_b), Ok(2))));
    let before = tokio::time::Instant::now();
    two.io.close();
    let left = (None, Err(AckError::Disconnected));
    assert_eq!(next(&mut acks).await, Some(left));
    assert_eq!(next(&mut acks).await, None);
    assert!(before.elapsed() < Duration::from_secs(1), "nobody waits");
    assert_eq!((acks.target_count(), acks.missing_servers()), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn the_sockets_of_every_server_are_fetched() {
    let world = World::new();
    let [one, two] = servers(&world).await;
    let (_a, sid_a) = one.client().await;
    let mut b = TestClient::open_with(&two.io, "color=red", &[("x-team", "blue")]).await;
    let sid_b = crate::tests::sid_of(&b.join_with("/", r#"{"name":"bob"}"#).await);
    two.space.socket(&sid_b).unwrap().join("x").unwrap();
    let all = one.space.fetch_sockets().await;
    assert!(all.is_complete());
    let ids: Vec<_> = all
        .items()
        .iter()
        .map(|socket| socket.id().as_str())
        .collect();
    assert_eq!(ids, [&*sid_a, &*sid_b]);

    let found = one.space.to("x").fetch_sockets().await.into_items();
    let [socket] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(socket.rooms(), ["x".into()], "its own is left out");
    assert_eq!(socket.data(), 1, "what the namespace shares");
    let handshake = socket.handshake();
    assert_eq!(handshake["headers"]["x-team"], "blue");
    assert_eq!(handshake["query"]["color"], "red");
    assert_eq!(handshake["auth"]["name"], "bob");
    assert_eq!(handshake["secure"], false);
    assert_eq!(handshake["xdomain"], false);
    let issued = handshake["issued"].as_i64().unwrap();
    assert!(issued > 1_600_000_000_000, "{issued}");
    assert!(handshake["time"].as_str().unwrap().ends_with('Z'));
    let local = one.space.everyone().local().fetch_sockets().await;
    assert_eq!(local.items().len(), 1);
    assert!(local.is_complete());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_silent_leaves_a_partial_result() {
    let world = World::new();
    let [one, two, three] = servers(&world).await;
    let (_a, sid_a) = one.client().await;
    let (_b, _) = two.client().await;
    let fetching = one.space.fetch_sockets();
    world.fault.set(Kind::Hangs);
    let found = fetching.await;
    assert!(!found.is_complete());
    assert_eq!(found.missing_servers(), 2);
    assert!(found.failure().is_none());
    let ids: Vec<_> = found.iter_ids();
    assert_eq!(ids, [sid_a]);
    drop(three);
}

trait Ids {
    fn iter_ids(&self) -> Vec<String>;
}

impl Ids for crate::cluster::Gathered<crate::FetchedSocket> {
    fn iter_ids(&self) -> Vec<String> {
        let sockets = self.items().iter();
        sockets.map(|socket| socket.id().to_string()).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_leaves_is_not_waited_for() {
    let world = World::new();
    let server = |answers: bool| {
        let io = world.builder().build().unwrap();
        let space = io
            .namespace("/")
            .on_server_side("q", move |_, (): ()| async move {
                if !answers {
                    std::future::pending::<()>().await;
                }
                Ack(7)
            })
            .open()
            .unwrap();
        Server { io, space }
    };
    let (one, two, three) = (server(true), server(true), server(false));
    for server in [&one, &two, &three] {
        server.knows(3).await;
    }
    let asked = one.space.server_side_emit_with_ack::<u32>("q", &());
    settle().await;
    three.io.close();
    let before = tokio::time::Instant::now();
    let answers = asked.await;
    assert!(before.elapsed() < Duration::from_millis(100));
    assert!(answers.is_complete());
    let answers: Vec<_> = answers.into_iter().map(|found| found.answer).collect();
    assert_eq!(answers, [Ok(7)]);
}

#[tokio::test(start_paused = true)]
async fn servers_hear_the_events_of_others_and_answer_once() {
    let world = World::new();
    let heard = crate::tests::Log::default();
    let server = |name: &'static str| {
        let io = world.builder().build().unwrap();
        let log = heard.clone();
        let space = io
            .namespace("/")
            .on_server_side("q", move |here, Args((a, b)): Args<(u32, u32)>| {
                log.add(format!("{name} {} {a} {b}", here.name()));
                async move { Ack(Args((a + b, "the second is dropped"))) }
            })
            .on_server_side("q", |_, _: crate::OwnedArgs| async { Ack("too late") })
            .on_server_side("silent", |_, (): ()| async { NoAck })
            .open()
            .unwrap();
        Server { io, space }
    };
    let (one, two, three) = (server("one"), server("two"), server("three"));
    for server in [&one, &two, &three] {
        server.knows(3).await;
    }
    one.space.server_side_emit("q", &Args((1, 2))).unwrap();
    settle().await;
    let mut lines = heard.take();
    lines.sort();
    assert_eq!(lines, ["three / 1 2", "two / 1 2"], "not the sender");

    let asked = one.space.server_side_emit_with_ack("q", &Args((3, 4)));
    let answers = asked.await;
    assert!(answers.is_complete());
    let answers: Vec<ServerAnswer<u32>> = answers.into_items();
    assert_eq!(answers.len(), 2);
    assert!(answers.iter().all(|found| found.answer == Ok(7)));
    assert_ne!(answers[0].server, answers[1].server);
    assert_eq!(answers[0].server.as_str().len(), 16);

    // Arguments that a handler cannot read are answered as a client is.
    let asked = one
        .space
        .server_side_emit_with_ack::<serde_json::Value>("q", &"x");
    for found in asked.await {
        assert_eq!(found.answer.unwrap()["error"], "invalid_arguments");
    }
    let silent = one
        .space
        .server_side_emit_with_ack::<()>("silent", &())
        .await;
    assert_eq!(silent.missing_servers(), 2);
    for name in ["connect", "connection", "disconnect", "new_namespace"] {
        let refused = one.space.server_side_emit(name, &());
        assert_eq!(refused, Err(EmitError::Encode(EncodeError::ReservedName)));
        let unasked = one.space.server_side_emit_with_ack::<()>(name, &()).await;
        let failure = unasked.failure();
        assert!(
            matches!(failure, Some(AdapterError::Encode(_))),
            "{failure:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_adapter_that_counts_its_servers_ends_questions_after_as_many_answers() {
    let world = World::counting(2);
    let (one, two) = (world.server(), world.server());
    let (mut b, sid_b) = two.client().await;
    assert_eq!(one.space.server_count().await.unwrap().get(), 2);
    let found = one.space.fetch_sockets().await;
    assert!(found.is_complete());
    assert_eq!(found.iter_ids(), [&*sid_b]);
    let mut acks = one.space.emit_with_ack::<u32>("q", &());
    acknowledge(&mut b, "5").await;
    assert_eq!(next(&mut acks).await, Some((Some(sid_b), Ok(5))));
    assert_eq!(next(&mut acks).await, None);

    world
        .count
        .as_ref()
        .unwrap()
        .store(3, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(one.space.fetch_sockets().await.missing_servers(), 1);
    world
        .count
        .as_ref()
        .unwrap()
        .store(0, std::sync::atomic::Ordering::SeqCst);
    let found = one.space.fetch_sockets().await;
    assert!(!found.is_complete());
    assert!(found.failure().is_some());
    assert!(one.space.server_count().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn without_a_cluster_there_is_one_server_and_its_sockets() {
    let alone = Server::new(crate::SocketIo::new());
    let (_client, sid) = alone.client().await;
    assert_eq!(alone.space.server_count().await.unwrap().get(), 1);
    let found = alone.space.fetch_sockets().await;
    assert!(found.is_complete());
    assert_eq!(found.iter_ids(), [sid]);
    let answers = alone.space.server_side_emit_with_ack::<()>("q", &());
    assert_eq!(answers.await.into_items(), []);
}

#[tokio::test(start_paused = true)]
async fn open_questions_are_bounded_and_given_back() {
    let world = World::new();
    let builder = world.builder().cluster(|settings| settings.max_requests(2));
    let one = Server::new(builder.build().unwrap());
    let _two = world.server();
    one.knows(2).await;
    world.fault.set(Kind::Hangs);
    let (first, _second) = (one.space.fetch_sockets(), one.space.fetch_sockets());
    let third = one.space.fetch_sockets().await;
    let failure = third.failure().unwrap().to_string();
    assert_eq!(failure, "too many questions to the cluster are open");
    drop(first);
    assert!(one.space.fetch_sockets().await.failure().is_none());
}
