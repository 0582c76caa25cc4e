use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::testing::{Received, TestClient};
use crate::tests::Log;
use crate::{Ack, SocketIo, SocketIoBuilder};

/// A server that handles one event at a time: `wait` ends when the semaphore has a permit for it, and so does `ask`, which
/// then asks its client.
fn strict(
    log: &Log,
    change: impl FnOnce(SocketIoBuilder) -> SocketIoBuilder,
) -> (SocketIo, Arc<Semaphore>) {
    let builder = SocketIo::builder().max_handlers_in_flight(1);
    let io = change(builder).build().unwrap();
    let open = Arc::new(Semaphore::new(0));
    let (waits, asks) = (Arc::clone(&open), Arc::clone(&open));
    let (waited, asked) = (log.clone(), log.clone());
    let (told, left) = (log.clone(), log.clone());
    io.namespace("/")
        .on("wait", move |_, number: u32| {
            waited.add(number.to_string());
            let open = Arc::clone(&waits);
            async move {
                open.acquire().await.unwrap().forget();
                Ack(number)
            }
        })
        .on("ask", move |socket, number: u32| {
            asked.add(number.to_string());
            let (open, log) = (Arc::clone(&asks), asked.clone());
            async move {
                open.acquire().await.unwrap().forget();
                let answer = socket.emit_with_ack::<u32>("question", &number).await;
                log.add(format!("{answer:?}"));
            }
        })
        .on_invalid(move |_, invalid| told.add(invalid.to_string()))
        .on_disconnect(move |_, reason| {
            left.add(reason.as_str());
            async {}
        })
        .open()
        .unwrap();
    (io, open)
}

async fn joined(io: &SocketIo) -> TestClient {
    let mut client = TestClient::open(io).await;
    client.join("/").await;
    client
}

/// Whether an answer comes without anything else having to happen.
async fn hears(client: &mut TestClient) -> Option<String> {
    tokio::time::timeout(Duration::from_secs(1), client.next_text())
        .await
        .ok()
}

const WAITS: &str = r#"422["wait",2]"#;

#[tokio::test(start_paused = true)]
async fn a_full_inbox_stops_reading_until_a_handler_ends() {
    // Twice the event is less, and more, than may wait.
    for (inbox_max_bytes, is_read) in [(1_000, true), (100, false)] {
        let log = Log::default();
        let (io, open) = strict(&log, |builder| builder.inbox_max_bytes(inbox_max_bytes));
        let mut client = joined(&io).await;
        client.send_all(&[r#"421["wait",1]"#, WAITS, WAITS]).await;
        client.send("40/nowhere,").await;
        assert_eq!(hears(&mut client).await.is_some(), is_read);
        open.add_permits(3);
        for answer in ["431[1]", "432[2]", "432[2]"] {
            assert_eq!(client.next_text().await, answer);
        }
        if !is_read {
            let refused = client.next_text().await;
            assert!(refused.starts_with("44/nowhere,"), "what waited is read");
        }
        assert_eq!(log.take(), ["1", "2", "2"]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_read_behind_a_full_inbox() {
    let log = Log::default();
    let (io, open) = strict(&log, |builder| builder.inbox_max_bytes(100));
    let mut client = joined(&io).await;
    open.add_permits(2);
    client.send(r#"42["ask",1]"#).await;
    assert_eq!(client.next_text().await, r#"420["question",1]"#);
    client.send_all(&[WAITS, WAITS, "430[10]"]).await;
    assert_eq!(client.next_text().await, "432[2]");
    assert_eq!(log.take(), ["1", "Ok(10)", "2", "2"]);
}

#[tokio::test(start_paused = true)]
async fn a_question_has_the_answer_read_that_nobody_waited_for_before() {
    let log = Log::default();
    let (io, open) = strict(&log, |builder| builder.inbox_max_bytes(100));
    let mut client = joined(&io).await;
    client.send_all(&[r#"42["ask",1]"#, WAITS]).await;
    client.send("40/nowhere,").await;
    assert_eq!(hears(&mut client).await, None, "nothing more is read");
    open.add_permits(1);
    assert_eq!(client.next_text().await, r#"420["question",1]"#);
    let refused = client.next_text().await;
    assert!(refused.starts_with("44/nowhere,"), "{refused}");
    // Answered, what waits is too much again.
    client.send("430[10]").await;
    client.send_all(&[WAITS, WAITS, "40/nowhere,"]).await;
    assert_eq!(hears(&mut client).await, None);
    open.add_permits(3);
    for answer in ["432[2]", "432[2]", "432[2]"] {
        assert_eq!(client.next_text().await, answer);
    }
    assert!(client.next_text().await.starts_with("44/nowhere,"));
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_given_up_does_not_keep_the_reading_going() {
    let log = Log::default();
    let (io, open) = strict(&log, |builder| {
        let limit = Some(Duration::from_secs(10));
        builder.inbox_max_bytes(100).ack_timeout(limit)
    });
    open.add_permits(1);
    let mut client = joined(&io).await;
    client.send(r#"42["ask",1]"#).await;
    assert_eq!(client.next_text().await, r#"420["question",1]"#);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(log.take(), ["1", "Err(Timeout)"]);
    client.send_all(&[WAITS, WAITS, "40/nowhere,"]).await;
    assert_eq!(hears(&mut client).await, None);
}

#[tokio::test(start_paused = true)]
async fn who_owes_an_answer_and_sends_more_than_may_wait_is_put_out_and_told() {
    for (inbox_overflow_bytes, is_closed) in [(1_000, false), (500, true), (0, true)] {
        let log = Log::default();
        let (io, open) = strict(&log, |builder| {
            builder
                .inbox_max_bytes(100)
                .inbox_overflow_bytes(inbox_overflow_bytes)
        });
        open.add_permits(1);
        let mut client = joined(&io).await;
        client.send(r#"42["ask",1]"#).await;
        assert_eq!(client.next_text().await, r#"420["question",1]"#);
        client.send_all(&[WAITS, WAITS, WAITS]).await;
        if !is_closed {
            assert_eq!(hears(&mut client).await, None);
            assert_eq!(log.take(), ["1"]);
            continue;
        }
        assert_eq!(client.next().await, Received::Closed);
        let told =
            format!("an answer is owed, and more than {inbox_overflow_bytes} bytes of events wait");
        let log = log.take();
        assert_eq!(log[..2], ["1", &told]);
        assert!(log.contains(&"forced close".to_owned()), "{log:?}");
        assert!(log.contains(&"Err(Disconnected)".to_owned()), "{log:?}");
        assert_eq!(io.stats().socket_count(), 0);
    }
}
