//! What an emitter says, as a subscriber of a real Redis hears it. `scripts/setup` installs what this needs.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

#[path = "../../../conformance-tests/tests/support/redis.rs"]
mod server;

use std::net::TcpListener;

use redis::{AsyncConnectionConfig, Client, PushInfo, PushKind, Value};
use server::Redis;
use socketio::Args;
use socketio::cluster::wire::classic;
use socketio::cluster::{ClusterBody, ClusterMessage};
use socketio_redis::Emitter;
use tokio::sync::mpsc;

/// Everything that is published.
async fn listen(
    redis: &Redis,
) -> (
    redis::aio::MultiplexedConnection,
    mpsc::UnboundedReceiver<PushInfo>,
) {
    let (pushes, heard) = mpsc::unbounded_channel();
    let client = Client::open(format!("{}/?protocol=resp3", redis.url)).unwrap();
    let config = AsyncConnectionConfig::new().set_push_sender(pushes);
    let connecting = client.get_multiplexed_async_connection_with_config(&config);
    let mut connection = connecting.await.unwrap();
    let mut subscribe = redis::cmd("PSUBSCRIBE");
    subscribe.arg("*");
    let subscribed = subscribe.query_async::<Value>(&mut connection);
    subscribed.await.unwrap();
    (connection, heard)
}

/// The channel and the content of the next message.
async fn next(heard: &mut mpsc::UnboundedReceiver<PushInfo>) -> (String, Vec<u8>) {
    loop {
        let PushInfo { kind, data } = heard.recv().await.unwrap();
        if let (PushKind::PMessage, [_, Value::BulkString(channel), Value::BulkString(payload)]) =
            (kind, &*data)
        {
            return (String::from_utf8(channel.clone()).unwrap(), payload.clone());
        }
    }
}

async fn request(heard: &mut mpsc::UnboundedReceiver<PushInfo>) -> ClusterMessage {
    let (channel, payload) = next(heard).await;
    assert_eq!(channel, "socket.io-request#/news#");
    classic::decode_request(&payload, "/news").unwrap()
}

#[tokio::test]
async fn everything_goes_to_its_channel_in_order() {
    let redis = Redis::start();
    let (_connection, mut heard) = listen(&redis).await;
    let emitter = Emitter::new(&redis.url).unwrap();
    emitter.emit("x", &1).await.unwrap();
    let news = emitter.of("news");
    news.clone()
        .to("r")
        .except("s")
        .volatile()
        .emit("x", &Args((1, "two")))
        .await
        .unwrap();
    news.clone().to("a").to("b").emit("x", &()).await.unwrap();
    news.clone().to("a").join(["b", "c"]).await.unwrap();
    news.clone().leave(["b"]).await.unwrap();
    news.clone().to("a").disconnect(true).await.unwrap();
    news.server_side_emit("note", &1).await.unwrap();

    assert_eq!(
        next(&mut heard).await,
        (
            "socket.io#/#".into(),
            b"\x93\xa7emitter\x83\xa4type\x02\xa4data\x92\xa1x\x01\xa3nsp\xa1/\x83\xa5rooms\x90\xa6except\x90\xa5flags\x80".to_vec()
        )
    );
    let (channel, payload) = next(&mut heard).await;
    assert_eq!(channel, "socket.io#/news#r#");
    let message = classic::decode_broadcast(&payload, "/news").unwrap();
    let ClusterBody::Broadcast { packet, opts, .. } = &message.body else {
        panic!("{message:?}");
    };
    assert_eq!(
        (packet.name(), packet.args().as_json()),
        ("x", Some(r#"1,"two""#))
    );
    assert!(opts.flags.volatile && opts.except.len() == 1 && message.uid.is_emitter());
    assert_eq!(next(&mut heard).await.0, "socket.io#/news#");
    for kind in [4, 5, 6, 9] {
        let message = request(&mut heard).await;
        assert_eq!(message.body.wire_type(), Some(kind));
    }
}

#[tokio::test]
async fn a_lost_connection_is_made_again() {
    let redis = Redis::start();
    let (mut connection, mut heard) = listen(&redis).await;
    let emitter = Emitter::new(&redis.url).unwrap();
    emitter.emit("x", &1).await.unwrap();
    next(&mut heard).await;
    let mut kill = redis::cmd("CLIENT");
    kill.arg("KILL")
        .arg("TYPE")
        .arg("normal")
        .arg("SKIPME")
        .arg("yes");
    kill.query_async::<Value>(&mut connection).await.unwrap();
    // What is said over a connection that is just being lost may not arrive, which is told.
    while emitter.emit("x", &2).await.is_err() {}
    assert_eq!(next(&mut heard).await.0, "socket.io#/#");
}

#[tokio::test]
async fn nobody_there_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    drop(listener);
    let emitter = Emitter::new(&url).unwrap();
    assert!(emitter.emit("x", &1).await.is_err());
}
