//! Every bound on a client, at the bound and one past it, as the client meets it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, advance};

use crate::testing::{Received, TestClient};
use crate::tests::{Log, sid_of};
use crate::{Ack, JoinError, SocketIo, SocketIoBuilder};

/// A server with these options, whose `/` and `/b` acknowledge `n`.
fn server(change: impl FnOnce(SocketIoBuilder) -> SocketIoBuilder) -> SocketIo {
    let io = change(SocketIo::builder()).build().unwrap();
    for name in ["/", "/b"] {
        io.namespace(name)
            .on("n", |_, (): ()| async {})
            .open()
            .unwrap();
    }
    io
}

async fn joined(io: &SocketIo) -> TestClient {
    let mut client = TestClient::open(io).await;
    assert!(client.join("/").await.starts_with("40{"));
    client
}

async fn asked(client: &mut TestClient, packet: &str) -> String {
    client.send(packet).await;
    client.next_text().await
}

const TOO_MANY: &str = r#"{"message":"Too many namespaces"}"#;

#[tokio::test(start_paused = true)]
async fn a_connection_joins_so_many_namespaces() {
    let io = server(|builder| builder.max_namespaces_per_connection(2));
    io.namespace("/c").open().unwrap();
    let mut client = joined(&io).await;
    assert!(client.join("/b").await.starts_with("40/b,{"));
    assert_eq!(client.join("/c").await, format!("44/c,{TOO_MANY}"));
    client.send("41/b,").await;
    assert!(client.join("/c").await.starts_with("40/c,{"));
}

#[tokio::test(start_paused = true)]
async fn so_many_connects_wait_for_their_answer_at_once() {
    let io = SocketIo::builder().max_concurrent_connects(2);
    let io = io.build().unwrap();
    let open = Arc::new(Semaphore::new(0));
    for name in ["/a", "/b", "/c"] {
        let open = Arc::clone(&open);
        io.namespace(name)
            .middleware(move |_| {
                let open = Arc::clone(&open);
                async move {
                    let _permit = open.acquire().await;
                    Ok(())
                }
            })
            .open()
            .unwrap();
    }
    let mut client = TestClient::open(&io).await;
    client.send_all(&["40/a,", "40/b,", "40/c,"]).await;
    assert_eq!(client.next_text().await, format!("44/c,{TOO_MANY}"));
    open.add_permits(1);
    assert!(client.next_text().await.starts_with("40/a,{"));
    assert!(client.next_text().await.starts_with("40/b,{"));
    assert!(client.join("/c").await.starts_with("40/c,{"));
}

#[tokio::test(start_paused = true)]
async fn the_name_of_a_namespace_has_a_longest_form() {
    let io = server(|builder| builder.packet_limits(|limits| limits.max_namespace_len(8)));
    let mut client = joined(&io).await;
    let refused = client.join("/2345678").await;
    assert_eq!(refused, r#"44/2345678,{"message":"Invalid namespace"}"#);
    for asked in ["40/23456789,", r#"40/23456789,{"token":"x"}"#] {
        client.send(asked).await;
        let refused = client.next_text().await;
        assert_eq!(refused, r#"44/23456789,{"message":"Invalid namespace"}"#);
    }
    let stats = io.stats();
    assert_eq!((stats.connects_rejected, stats.packets_invalid), (3, 0));
    // What is no CONNECT, or not even one of a name that is allowed, stays what it was.
    for invalid in [r#"42/23456789,["n"]"#, "41/23456789,", "40/23456789,]"] {
        let mut client = joined(&io).await;
        client.send(invalid).await;
        assert_eq!(client.next().await, Received::Closed, "{invalid}");
    }
    assert_eq!(asked(&mut client, r#"421["n"]"#).await, "431[]");
}

#[tokio::test(start_paused = true)]
async fn events_come_in_a_burst_and_then_at_their_pace_over_all_namespaces() {
    let io = server(|builder| builder.events_per_second(10, 3));
    let mut client = joined(&io).await;
    client.join("/b").await;
    let answers = [
        (r#"420["n"]"#, "430[]"),
        (r#"42/b,1["n"]"#, "43/b,1[]"),
        (r#"422["n"]"#, "432[]"),
        (r#"423["n"]"#, r#"433[{"error":"rate_limited"}]"#),
        (r#"42/b,4["n"]"#, r#"43/b,4[{"error":"rate_limited"}]"#),
    ];
    for (event, answer) in answers {
        assert_eq!(asked(&mut client, event).await, answer);
    }
    for (wait, answer) in [
        (99, r#"435[{"error":"rate_limited"}]"#),
        (1, "435[]"),
        (0, r#"435[{"error":"rate_limited"}]"#),
        (100, "435[]"),
    ] {
        advance(Duration::from_millis(wait)).await;
        assert_eq!(asked(&mut client, r#"425["n"]"#).await, answer, "{wait}");
    }
}

#[tokio::test(start_paused = true)]
async fn attachments_may_take_their_time_but_not_longer() {
    let limit = Duration::from_secs(5);
    let header = r#"451-7["n",{"_placeholder":true,"num":0}]"#;
    let io = server(|builder| builder.attachment_timeout(limit));
    let mut client = joined(&io).await;
    client.send(header).await;
    tokio::time::sleep(limit - Duration::from_millis(1)).await;
    client.send_attachment(b"x").await;
    assert_eq!(client.next_text().await, "437[]");
    tokio::time::sleep(2 * limit).await;
    client.send(header).await;
    let sent = Instant::now();
    assert_eq!(client.next().await, Received::Closed);
    let waited = sent.elapsed();
    assert!(
        (limit..limit + Duration::from_millis(10)).contains(&waited),
        "{waited:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn attachments_are_bounded_in_number_and_bytes() {
    let io = server(|builder| {
        builder.packet_limits(|limits| limits.max_attachments(2).max_attachment_bytes(10))
    });
    let two = r#"452-7["n",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    let mut client = joined(&io).await;
    client.send(two).await;
    client.send_attachment(&[0; 5]).await;
    client.send_attachment(&[0; 5]).await;
    assert_eq!(client.next_text().await, "437[]");
    client.send(two).await;
    client.send_attachment(&[0; 5]).await;
    client.send_attachment(&[0; 6]).await;
    assert_eq!(client.next().await, Received::Closed, "a byte too many");
    let mut client = joined(&io).await;
    client.send(r#"453-7["n"]"#).await;
    assert_eq!(client.next().await, Received::Closed, "one too many");
}

//= SIO5-CON-08 test
#[tokio::test(start_paused = true)]
async fn who_joins_at_the_last_moment_stays() {
    let limit = Duration::from_secs(5);
    let io = server(|builder| builder.connect_timeout(limit));
    let (mut stays, mut goes) = (TestClient::open(&io).await, TestClient::open(&io).await);
    let refused = goes.join("/nowhere").await;
    assert!(refused.starts_with("44/nowhere,"), "{refused}");
    tokio::time::sleep(limit - Duration::from_millis(1)).await;
    stays.join("/").await;
    assert_eq!(goes.next().await, Received::Closed, "a refusal is no stay");
    tokio::time::sleep(2 * limit).await;
    assert_eq!(asked(&mut stays, r#"421["n"]"#).await, "431[]");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_has_so_many_rooms() {
    let io = SocketIo::builder().max_rooms_per_namespace(2);
    let io = io.build().unwrap();
    let (space, other) = (
        io.namespace("/").open().unwrap(),
        io.namespace("/b").open().unwrap(),
    );
    let (mut a, mut b) = (TestClient::open(&io).await, TestClient::open(&io).await);
    let first = space.socket(&sid_of(&a.join("/").await)).unwrap();
    let second = space.socket(&sid_of(&b.join("/").await)).unwrap();
    assert_eq!(first.join("x"), Ok(()));
    assert_eq!(first.join("y"), Ok(()));
    assert_eq!(first.join("z"), Err(JoinError::TooManyRooms));
    assert_eq!(second.join("z"), Err(JoinError::TooManyRooms));
    assert_eq!(second.join("x"), Ok(()), "it is there already");
    let elsewhere = other.socket(&sid_of(&a.join("/b").await)).unwrap();
    assert_eq!(elsewhere.join("z"), Ok(()));
    first.leave("y");
    assert_eq!(second.join("z"), Ok(()), "an empty room makes room");
}

#[tokio::test(start_paused = true)]
async fn rooms_joined_before_the_answer_to_connect_are_bounded_too() {
    let (io, log) = (
        SocketIo::builder().max_rooms_per_socket(2).build().unwrap(),
        Log::default(),
    );
    let told = log.clone();
    let space = io
        .namespace("/")
        .middleware(move |socket| {
            for room in ["1", "2", "2", "3"] {
                told.add(format!("{:?}", socket.join(room)));
            }
            async { Ok(()) }
        })
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    let socket = space.socket(&sid_of(&client.join("/").await)).unwrap();
    assert_eq!(
        log.take(),
        ["Ok(())", "Ok(())", "Ok(())", "Err(TooManyRooms)"]
    );
    assert_eq!(socket.rooms().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_owes_as_many_acknowledgements_as_he_may_is_left_out_of_a_broadcast() {
    let io = SocketIo::builder().max_pending_acks(1).build().unwrap();
    let space = io.namespace("/").open().unwrap();
    let mut client = TestClient::open(&io).await;
    client.join("/").await;
    let first = space.emit_with_ack::<()>("q", &());
    assert_eq!(first.target_count(), 1);
    let second = space.emit_with_ack::<()>("q", &());
    assert_eq!(second.target_count(), 0);
    drop(first);
    let third = space.emit_with_ack::<()>("q", &());
    assert_eq!(third.target_count(), 1);
}

/// A server whose `wait` ends when the semaphore has a permit for it.
fn waiting(
    log: &Log,
    change: impl FnOnce(SocketIoBuilder) -> SocketIoBuilder,
) -> (SocketIo, Arc<Semaphore>) {
    let io = change(SocketIo::builder()).build().unwrap();
    let open = Arc::new(Semaphore::new(0));
    let (log, gate) = (log.clone(), Arc::clone(&open));
    io.namespace("/")
        .on("wait", move |_, number: u32| {
            log.add(number.to_string());
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.unwrap().forget();
                Ack(number)
            }
        })
        .open()
        .unwrap();
    (io, open)
}

#[tokio::test(start_paused = true)]
async fn so_many_handlers_of_a_connection_wait_at_once() {
    let log = Log::default();
    let (io, open) = waiting(&log, |builder| builder.max_handlers_in_flight(2));
    let mut client = joined(&io).await;
    let events = [r#"421["wait",1]"#, r#"422["wait",2]"#, r#"423["wait",3]"#];
    client.send_all(&events).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(log.take(), ["1", "2"]);
    open.add_permits(1);
    assert_eq!(client.next_text().await, "431[1]");
    assert_eq!(log.take(), ["3"]);
}
