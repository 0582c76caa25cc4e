use std::time::Duration;

use futures_core::Stream;

use crate::testing::TestClient;
use crate::tests::sid_of;
use crate::{AckError, EmitError, Namespace, SocketIo};

async fn server() -> (SocketIo, Namespace<()>) {
    let io = SocketIo::new();
    let space = io.namespace("/").open().unwrap();
    (io, space)
}

async fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    std::future::poll_fn(|cx| std::pin::Pin::new(&mut *stream).poll_next(cx)).await
}

//= SIO5-ACK-02 test
//= SIO5-ACK-03 test
//= SIO5-ACK-05 test
#[tokio::test(start_paused = true)]
async fn acknowledgements_resolve_in_any_order_and_unknown_ones_are_ignored() {
    let (io, space) = server().await;
    let mut client = TestClient::open(&io).await;
    let socket = space.socket(&sid_of(&client.join("/").await)).unwrap();
    let first = socket.emit_with_ack::<u32>("q", &1);
    let second = socket.emit_with_ack::<()>("q", &2);
    assert_eq!(client.next_text().await, r#"420["q",1]"#);
    assert_eq!(client.next_text().await, r#"421["q",2]"#);
    client
        .send_all(&["4399[0]", "43[0]", "431", "430[7,8]", "430[9]"])
        .await;
    assert_eq!(second.await, Ok(()));
    assert_eq!(first.await, Ok(7));
    let third = socket.emit_with_ack::<u32>("q", &());
    client.send(r#"432["x"]"#).await;
    assert!(matches!(third.await, Err(AckError::Decode(_))));
}

//= SIO5-ACK-04 test
#[tokio::test(start_paused = true)]
async fn an_acknowledgement_can_be_late_and_a_client_can_leave() {
    let (io, space) = server().await;
    let mut client = TestClient::open(&io).await;
    let socket = space.socket(&sid_of(&client.join("/").await)).unwrap();
    let late = socket
        .timeout(Duration::from_secs(1))
        .emit_with_ack::<u32>("q", &());
    let error = late.await.unwrap_err();
    assert_eq!(error.to_string(), "operation has timed out");
    client.send("430[1]").await;
    let never = socket.emit_with_ack::<u32>("q", &());
    client.send("41").await;
    assert_eq!(never.await, Err(AckError::Disconnected));
    let refused = socket.emit_with_ack::<u32>("q", &()).await;
    assert_eq!(refused, Err(AckError::Emit(EmitError::Disconnected)));
}

#[tokio::test(start_paused = true)]
async fn a_socket_owes_no_more_acknowledgements_than_the_bound() {
    let io = SocketIo::builder().max_pending_acks(2).build().unwrap();
    let space = io.namespace("/").open().unwrap();
    let mut client = TestClient::open(&io).await;
    let socket = space.socket(&sid_of(&client.join("/").await)).unwrap();
    let (_first, second) = (
        socket.emit_with_ack::<()>("q", &()),
        socket.emit_with_ack::<()>("q", &()),
    );
    let third = socket.emit_with_ack::<()>("q", &());
    assert_eq!(third.await, Err(AckError::Emit(EmitError::TooManyAcks)));
    drop(second);
    let fourth = socket.emit_with_ack::<()>("q", &());
    client.send("433[]").await;
    assert_eq!(
        fourth.await,
        Ok(()),
        "an acknowledgement given up makes room"
    );
}

//= SRV-BACK-01 test
//= SRV-BACK-02 test
#[tokio::test(start_paused = true)]
async fn the_answers_to_a_broadcast_come_one_by_one_with_who_gave_them() {
    let (io, space) = server().await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = TestClient::open(&io).await;
        let sid = sid_of(&client.join("/").await);
        clients.push((client, sid));
    }
    let mut answers = space
        .everyone()
        .timeout(Duration::from_secs(1))
        .emit_with_ack::<u32>("q", &1);
    assert_eq!(answers.target_count(), 3);
    for (client, _) in &mut clients {
        assert_eq!(client.next_text().await, r#"420["q",1]"#, "one id for all");
    }
    clients[1].0.send("430[11]").await;
    let (id, answer) = next(&mut answers).await.unwrap();
    assert_eq!(
        (id.unwrap().as_str(), answer),
        (clients[1].1.as_str(), Ok(11))
    );
    clients[0].0.send("41").await;
    let (id, answer) = next(&mut answers).await.unwrap();
    assert_eq!(
        (id.unwrap().as_str(), answer),
        (clients[0].1.as_str(), Err(AckError::Disconnected))
    );
    let (id, answer) = next(&mut answers).await.unwrap();
    assert_eq!(
        (id.unwrap().as_str(), answer),
        (clients[2].1.as_str(), Err(AckError::Timeout))
    );
    assert!(next(&mut answers).await.is_none());
    let mut nobody = space.to("nowhere").emit_with_ack::<u32>("q", &1);
    assert!(next(&mut nobody).await.is_none(), "no targets, no wait");
}
