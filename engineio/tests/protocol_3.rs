//! Protocol 3 over real sockets: upgrade, heartbeat, close.

mod support;

use std::time::Duration;

use engineio::{CloseReason, Config};
use support::{Door, Event, Server, WebSocket, get, post};

const POLLING: &str = "/engine.io/?EIO=3&transport=polling";
const WEBSOCKET: &str = "/engine.io/?EIO=3&transport=websocket";

fn config() -> Config {
    Config::new().allow_eio3(true)
}

#[tokio::test]
async fn it_upgrades_with_what_is_queued_in_order() {
    for door in Door::ALL {
        let mut server = Server::start(door, config()).await;
        let sid = get(server.addr, POLLING).await.sid();
        let connection = server.opened().await;
        let mut socket = WebSocket::open(server.addr, &format!("{WEBSOCKET}&sid={sid}")).await;
        socket.send("2probe").await;
        assert_eq!(socket.text().await, "3probe");
        connection.send_text("first").unwrap();
        connection.send_binary(&[7]).unwrap();
        socket.send("5").await;
        assert_eq!(socket.text().await, "4first");
        assert_eq!(socket.next().await, Some((0x82, vec![4, 7])));
        while server.event().await != Event::Upgraded {}
        socket.send("2").await;
        assert_eq!(socket.text().await, "3");
        let late = get(server.addr, &format!("{POLLING}&sid={sid}")).await;
        assert_eq!(late.status, 400, "{door:?}");
    }
}

#[tokio::test]
async fn a_client_that_does_not_ping_is_given_up_on_either_transport() {
    //= EIO3-HB-02 test
    let config = config()
        .ping_interval(Duration::from_millis(400))
        .ping_timeout(Duration::from_millis(400));
    let mut server = Server::start(Door::Own, config).await;
    get(server.addr, POLLING).await.sid();
    assert_eq!(server.closed().await, CloseReason::PingTimeout);
    let mut socket = WebSocket::open(server.addr, WEBSOCKET).await;
    socket.sid().await;
    assert_eq!(socket.close_frame().await, b"");
    assert_eq!(server.closed().await, CloseReason::PingTimeout);
    server.until_empty().await;
}

#[tokio::test]
async fn either_side_closes_either_transport() {
    for door in Door::ALL {
        let mut server = Server::start(door, config()).await;
        let target = format!("{POLLING}&sid={}", get(server.addr, POLLING).await.sid());
        assert_eq!(post(server.addr, &target, "1:1").await.text(), "ok");
        assert_eq!(server.closed().await, CloseReason::TransportClose);

        let target = format!("{POLLING}&sid={}", get(server.addr, POLLING).await.sid());
        post(server.addr, &target, "4:4bye7:4!close").await;
        assert_eq!(get(server.addr, &target).await.text(), "4:4bye");
        assert_eq!(get(server.addr, &target).await.text(), "1:61:1");

        let mut socket = WebSocket::open(server.addr, WEBSOCKET).await;
        socket.sid().await;
        socket.send("4!close").await;
        assert_eq!(socket.close_frame().await, b"");
        socket.send_bytes(&WebSocket::frame(0x88, b"")).await;
        server.until_empty().await;
    }
}
