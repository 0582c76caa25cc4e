//! Moving a session from long-polling to WebSocket, over real sockets.

mod support;

use engineio::{CloseReason, Config, Connection, CookieOptions};
use support::{Door, Event, Server, WebSocket, get, post, spawn, within};

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";
const WEBSOCKET: &str = "/engine.io/?EIO=4&transport=websocket";

#[tokio::test]
async fn a_thousand_messages_sent_during_an_upgrade_arrive_in_order() {
    //= EIO4-UPG-05 test
    for door in Door::ALL {
        let mut server = Server::start(door, Config::new()).await;
        let sid = server.handshake().await;
        let connection = server.opened().await;
        let target = format!("{POLLING}&sid={sid}");
        for number in 0..300 {
            connection.send_text(&number.to_string()).unwrap();
        }
        let mut received: Vec<String> = packets(&get(server.addr, &target).await.body);
        let mut socket = WebSocket::open(server.addr, &format!("{WEBSOCKET}&sid={sid}")).await;
        socket.send("2probe").await;
        assert_eq!(socket.text().await, "3probe");
        for number in 300..600 {
            connection.send_text(&number.to_string()).unwrap();
        }
        received.extend(packets(&get(server.addr, &target).await.body));
        for number in 600..800 {
            connection.send_text(&number.to_string()).unwrap();
        }
        socket.send("5").await;
        while server.event().await != Event::Upgraded {}
        for number in 800..1_000 {
            connection.send_text(&number.to_string()).unwrap();
        }
        while received.len() < 1_000 {
            received.push(socket.text().await);
        }
        let expected: Vec<String> = (0..1_000).map(|number| format!("4{number}")).collect();
        assert_eq!(received, expected, "{door:?}");
        let late = get(server.addr, &target).await;
        assert_eq!(late.text(), r#"{"code":3,"message":"Bad request"}"#);
    }
}

fn packets(body: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(body);
    text.split('\u{1e}').map(str::to_owned).collect()
}

#[tokio::test]
async fn a_candidate_that_goes_away_leaves_the_session_and_nothing_behind() {
    //= EIO4-UPG-11 test
    for door in Door::ALL {
        let mut server = Server::start(door, Config::new()).await;
        let sid = server.handshake().await;
        server.opened().await;
        for _ in 0..20 {
            let mut socket = WebSocket::open(server.addr, &format!("{WEBSOCKET}&sid={sid}")).await;
            socket.send("4not a probe").await;
            assert_eq!(socket.close_frame().await, b"");
        }
        assert_eq!(server.engine.session_count(), 1);
        let target = format!("{POLLING}&sid={sid}");
        assert_eq!(post(server.addr, &target, "4still here").await.text(), "ok");
        assert_eq!(get(server.addr, &target).await.text(), "4still here");
    }
}

#[tokio::test]
async fn a_poll_waiting_after_the_probe_is_released_with_a_noop() {
    //= EIO4-UPG-03 test
    let mut server = Server::start(Door::Own, Config::new()).await;
    let sid = server.handshake().await;
    server.opened().await;
    let (addr, target) = (server.addr, format!("{POLLING}&sid={sid}"));
    let mut socket = WebSocket::open(addr, &format!("{WEBSOCKET}&sid={sid}")).await;
    let poll = spawn(async move { get(addr, &target).await });
    socket.send("2probe").await;
    assert_eq!(socket.text().await, "3probe");
    assert_eq!(within(poll).await.unwrap().text(), "6");
}

/// A session whose client has had the answer to its probe, and polls no more.
async fn probed(server: &mut Server) -> (String, WebSocket, Connection<()>) {
    let sid = server.handshake().await;
    let connection = server.opened().await;
    let mut socket = WebSocket::open(server.addr, &format!("{WEBSOCKET}&sid={sid}")).await;
    socket.send("2probe").await;
    assert_eq!(socket.text().await, "3probe");
    assert_eq!(server.event().await, Event::Upgrading);
    (format!("{POLLING}&sid={sid}"), socket, connection)
}

#[tokio::test]
async fn a_session_closed_during_its_upgrade_ends_over_the_transport_that_the_client_takes() {
    //= EIO4-UPG-12 test
    let forced = Event::Closed(CloseReason::ForcedClose);
    for door in Door::ALL {
        let mut server = Server::start(door, Config::new()).await;
        for is_upgrading in [true, false] {
            let (target, mut socket, connection) = probed(&mut server).await;
            connection.send_text("bye").unwrap();
            connection.close();
            assert_eq!(server.event().await, forced, "{door:?}");
            if is_upgrading {
                socket.send("5").await;
                assert_eq!(socket.text().await, "4bye", "{door:?}");
            } else {
                assert_eq!(get(server.addr, &target).await.text(), "4bye", "{door:?}");
                let last = get(server.addr, &target).await;
                assert_eq!(last.text(), "6\u{1e}1", "{door:?}");
            }
            assert_eq!(socket.close_frame().await, b"", "{door:?}");
            let late = get(server.addr, &target).await;
            assert_eq!(late.text(), r#"{"code":1,"message":"Session ID unknown"}"#);
        }
        assert_eq!(server.engine.session_count(), 0, "{door:?}");
    }
}

#[tokio::test]
async fn a_page_of_another_origin_cannot_take_over_a_session() {
    let mut server = Server::start(Door::Own, Config::new()).await;
    let home = "Origin: http://a.example\r\n";
    let foreign = "Origin: http://evil.example\r\n";
    let sid = support::request(server.addr, "GET", POLLING, home, b"")
        .await
        .sid();
    server.opened().await;
    let target = format!("{POLLING}&sid={sid}");
    let refused = support::request(server.addr, "POST", &target, foreign, b"4x").await;
    assert_eq!(refused.text(), r#"{"code":3,"message":"Bad request"}"#);
    let upgrade = format!("{WEBSOCKET}&sid={sid}");
    let refused = WebSocket::try_open(server.addr, &upgrade, foreign).await;
    assert!(refused.is_err_and(|response| response.text() == "Bad request"));
    for headers in [home, ""] {
        let response = support::request(server.addr, "POST", &target, headers, b"4x").await;
        assert_eq!(response.text(), "ok");
    }
    let mut socket = WebSocket::try_open(server.addr, &upgrade, home)
        .await
        .unwrap_or_else(|response| panic!("{response:?}"));
    socket.send("5").await;
    while server.event().await != Event::Upgraded {}
    drop(socket);
    assert_eq!(server.closed().await, CloseReason::TransportClose);
}

#[tokio::test]
async fn a_stolen_id_is_of_no_use_without_the_cookie_of_its_browser() {
    for door in Door::ALL {
        let config = Config::new().bind_cookie(CookieOptions::new("binding"));
        let mut server = Server::start(door, config).await;
        let addr = server.addr;
        let opened = support::request(addr, "GET", POLLING, "", b"").await;
        server.opened().await;
        let set = opened.header("set-cookie").unwrap_or_default();
        let (pair, attributes) = set.split_once(';').unwrap_or_default();
        assert_eq!(attributes, " Path=/; HttpOnly; SameSite=Lax", "{door:?}");
        let (target, upgrade) = {
            let sid = opened.sid();
            assert!(
                !pair.contains(&sid),
                "who knows the id must not know the cookie"
            );
            (
                format!("{POLLING}&sid={sid}"),
                format!("{WEBSOCKET}&sid={sid}"),
            )
        };
        let (own, other) = (
            format!("Cookie: a=b; {pair}; c\r\n"),
            "Cookie: binding=AAAAAAAAAAAAAAAAAAAA\r\n",
        );
        for foreign in ["", other, "Cookie: a=binding=b\r\n", "Cookie: binding=\r\n"] {
            for (method, body) in [("GET", &b""[..]), ("POST", b"4x")] {
                let refused = support::request(addr, method, &target, foreign, body).await;
                assert_eq!(refused.text(), r#"{"code":3,"message":"Bad request"}"#);
            }
            let refused = WebSocket::try_open(addr, &upgrade, foreign).await;
            assert!(refused.is_err_and(|response| response.text() == "Bad request"));
        }
        let taken = support::request(addr, "POST", &target, &own, b"4x").await;
        assert_eq!(taken.text(), "ok", "the session went on");
        let mut socket = WebSocket::try_open(addr, &upgrade, &own)
            .await
            .unwrap_or_else(|response| panic!("{response:?}"));
        socket.send("2probe").await;
        assert_eq!(socket.text().await, "3probe");
        socket.send("5").await;
        while server.event().await != Event::Upgraded {}
        drop(socket);
        assert_eq!(server.closed().await, CloseReason::TransportClose);
    }
}

#[tokio::test]
async fn the_sessions_of_one_browser_share_its_cookie() {
    let config = Config::new().bind_cookie(CookieOptions::new("binding"));
    let server = Server::start(Door::Own, config).await;
    let open =
        async |cookie: &str| support::request(server.addr, "GET", POLLING, cookie, b"").await;
    let first = open("").await;
    let set = first.header("set-cookie").unwrap_or_default().to_owned();
    let cookie = format!("Cookie: {}\r\n", set.split(';').next().unwrap_or_default());
    let second = open(&cookie).await;
    assert_eq!(second.header("set-cookie"), None);
    for sid in [first.sid(), second.sid()] {
        let target = format!("{POLLING}&sid={sid}");
        let taken = support::request(server.addr, "POST", &target, &cookie, b"4x").await;
        assert_eq!(taken.text(), "ok");
    }
    // One that the server cannot have set is replaced.
    let third = open("Cookie: binding=short\r\n").await;
    assert!(third.header("set-cookie").is_some_and(|fresh| fresh != set));
}
