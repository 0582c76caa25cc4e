use std::time::Duration;

use serde_json::{Value, json};
use socketio::testing::TestClient;
use socketio::{Args, SocketIo};

use super::auction::{GOING, build};

/// A client that has said its name.
async fn bidder(io: &SocketIo, name: &str) -> TestClient {
    let mut client = TestClient::open(io).await;
    client.connect("/", &json!({ "name": name })).await;
    client
}

/// What everyone hears of bids, as name and amount.
async fn hears(client: &mut TestClient, event: &str, name: &str, amount: u32) {
    let Args(heard) = client.expect_event::<Args<(String, u32)>>(event).await;
    assert_eq!(heard, (name.to_owned(), amount));
}

#[tokio::test]
async fn everyone_hears_a_bid() {
    let io = build().unwrap();
    let mut ann = bidder(&io, "ann").await;
    let mut bob = bidder(&io, "bob").await;
    assert_eq!(ann.emit_with_ack::<u32>("bid", &100).await, 100);
    hears(&mut ann, "bid", "ann", 100).await;
    hears(&mut bob, "bid", "ann", 100).await;
}

#[tokio::test]
async fn a_bid_has_to_be_higher_than_the_last() {
    let io = build().unwrap();
    let mut ann = bidder(&io, "ann").await;
    for (amount, answer) in [
        (100, json!(100)),
        (100, json!({ "error": "more than 100, please" })),
        (101, json!(101)),
    ] {
        assert_eq!(ann.emit_with_ack::<Value>("bid", &amount).await, answer);
    }
}

#[tokio::test]
async fn what_is_no_amount_is_refused_before_the_handler() {
    let io = build().unwrap();
    let mut ann = bidder(&io, "ann").await;
    for nonsense in [json!("a lot"), json!(-1), json!(null)] {
        let answer = ann.emit_with_ack::<Value>("bid", &nonsense).await;
        assert_eq!(answer, json!({ "error": "invalid_arguments" }));
    }
}

#[tokio::test]
async fn nobody_bids_without_a_name() {
    let io = build().unwrap();
    let mut stranger = TestClient::open(&io).await;
    // What is sent and what is answered, as it is on the wire.
    assert_eq!(
        stranger.join("/").await,
        r#"44{"message":"say who you are"}"#
    );
}

/// The clock is paused: the ten seconds of the hammer pass at once.
#[tokio::test(start_paused = true)]
async fn the_hammer_sells_to_the_highest_bid() {
    let io = build().unwrap();
    let mut ann = bidder(&io, "ann").await;
    assert_eq!(ann.emit_with_ack::<u32>("bid", &100).await, 100);
    let before = tokio::time::Instant::now();
    assert!(ann.emit_with_ack::<bool>("hammer", &()).await);
    assert!(before.elapsed() >= GOING);
    hears(&mut ann, "bid", "ann", 100).await;
    hears(&mut ann, "going", "ann", 100).await;
    hears(&mut ann, "sold", "ann", 100).await;
}

#[tokio::test(start_paused = true)]
async fn a_higher_bid_stops_the_hammer() {
    let io = build().unwrap();
    let mut ann = bidder(&io, "ann").await;
    let mut bob = bidder(&io, "bob").await;
    assert_eq!(ann.emit_with_ack::<u32>("bid", &100).await, 100);
    ann.emit("hammer", &()).await;
    hears(&mut bob, "bid", "ann", 100).await;
    hears(&mut bob, "going", "ann", 100).await;
    assert_eq!(bob.emit_with_ack::<u32>("bid", &101).await, 101);
    hears(&mut bob, "bid", "bob", 101).await;
    // Long after the hammer nothing is sold.
    bob.expect_silence(GOING + Duration::from_secs(1)).await;
}
