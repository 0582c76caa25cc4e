//! What a client gets back on another server.

use super::nodes::{Client, Server};
use super::server::Redis;
use super::within;

/// What a client hears on another server which joined a room behind one event and left another behind one.
async fn hears_again(begins_later: bool) -> Vec<u32> {
    let redis = Redis::start();
    let (one, two) = (Server::new(&redis.url), Server::new(&redis.url));
    one.io.ready().await.unwrap();
    two.io.ready().await.unwrap();
    let mut client = Client::of(&one).await;
    let socket = one.here.socket(&client.sid).unwrap();
    one.tell(0);
    client.hears(0).await;
    let last = client.offset.clone();
    socket.join("left").unwrap();
    let say = |room: &str, number: u32| two.here.to(room).emit("n", &number).unwrap();
    say("joined", 1);
    say("left", 2);
    client.hears(2).await;
    socket.join("joined").unwrap();
    socket.leave("left");
    say("left", 3);
    say("joined", 4);
    client.hears(4).await;
    client.has_heard([0, 2, 4]);
    // As if nothing had come behind the first.
    client.offset = last;
    let three = Server::new(&redis.url);
    three.io.ready().await.unwrap();
    let other = if begins_later { three } else { two };
    let sid = client.sid.clone();
    let back = client.moves(&one, &other).await;
    assert_eq!(back.sid, sid);
    back.heard
}

//= SIO5-CSR-06 test
//= STR-05 test
#[tokio::test]
async fn what_was_said_in_a_room_is_heard_again_by_who_was_in_it_then() {
    for begins_later in [false, true] {
        let heard = within("coming back", hears_again(begins_later)).await;
        assert_eq!(heard, [2, 4], "begins later: {begins_later}");
    }
}
