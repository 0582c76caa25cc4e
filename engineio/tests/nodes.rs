//! Several nodes without sticky sessions: whichever a request reaches, the session answers.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use std::net::SocketAddr;

use engineio::{CloseReason, Config, Cors, Engine, Nodes};
use support::{Door, Event, Server, WebSocket, get, post, request, send_raw, spawn, within};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";
const WEBSOCKET: &str = "/engine.io/?EIO=4&transport=websocket";
const UNKNOWN: &str = r#"{"code":1,"message":"Session ID unknown"}"#;
const SECRET: [u8; 32] = [7; 32];

/// A node of a cluster, and its listener for the others.
struct Node {
    server: Server,
    nodes: Nodes,
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Node {
    async fn start(number: u16, door: Door, config: Config) -> Self {
        let nodes = Nodes::new(number, SECRET).unwrap();
        let server = Server::start(door, config.nodes(nodes.clone())).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let engine = server.engine.clone();
        let serving = spawn(async move {
            let _ = engine.serve_nodes(listener).await;
        });
        Self {
            server,
            nodes,
            address,
            serving,
        }
    }

    fn addr(&self) -> SocketAddr {
        self.server.addr
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Two nodes that know each other.
async fn pair(door: Door, config: impl Fn() -> Config) -> (Node, Node) {
    let one = Node::start(1, door, config()).await;
    let two = Node::start(2, door, config()).await;
    one.nodes.set(2, two.address.to_string());
    two.nodes.set(1, one.address.to_string());
    (one, two)
}

#[tokio::test]
async fn every_request_of_a_polling_session_may_reach_another_node() {
    for door in Door::ALL {
        let (mut one, two) = pair(door, Config::new).await;
        let sid = one.server.handshake().await;
        let connection = one.server.opened().await;
        let target = format!("{POLLING}&sid={sid}");
        for addr in [two.addr(), one.addr(), two.addr()] {
            assert_eq!(post(addr, &target, "4to you").await.text(), "ok");
            assert_eq!(one.server.event().await, Event::Text("to you".to_owned()));
            assert_eq!(get(addr, &target).await.text(), "4to you");
        }
        // One that waits is answered there.
        let waiting = spawn(async move { get(two.addr(), &target).await });
        within(async {
            // A second poll beside the first is refused, and ends the session; so nothing is asked meanwhile.
            connection.send_text("late").unwrap();
        })
        .await;
        assert_eq!(within(waiting).await.unwrap().text(), "4late", "{door:?}");
    }
}

#[tokio::test]
async fn an_upgrade_may_land_on_another_node() {
    for door in Door::ALL {
        let (mut one, two) = pair(door, Config::new).await;
        let sid = one.server.handshake().await;
        let connection = one.server.opened().await;
        let mut socket = WebSocket::open(two.addr(), &format!("{WEBSOCKET}&sid={sid}")).await;
        socket.send("2probe").await;
        assert_eq!(socket.text().await, "3probe");
        socket.send("5").await;
        while one.server.event().await != Event::Upgraded {}
        let long = "x".repeat(300_000);
        for text in ["short", &long] {
            socket.send(&format!("4{text}")).await;
            assert_eq!(socket.text().await, format!("4{text}"));
            assert_eq!(one.server.event().await, Event::Text(text.to_owned()));
        }
        connection.close();
        socket.close_frame().await;
        assert_eq!(one.server.closed().await, CloseReason::ForcedClose);
        one.server.until_empty().await;
    }
}

#[tokio::test]
async fn who_leaves_one_node_leaves_the_session_of_the_other() {
    for door in Door::ALL {
        let (mut one, two) = pair(door, Config::new).await;
        let sid = one.server.handshake().await;
        one.server.opened().await;
        let mut socket = WebSocket::open(two.addr(), &format!("{WEBSOCKET}&sid={sid}")).await;
        socket.send("2probe").await;
        assert_eq!(socket.text().await, "3probe");
        socket.send("5").await;
        while one.server.event().await != Event::Upgraded {}
        drop(socket);
        assert_eq!(one.server.closed().await, CloseReason::TransportClose);
    }
}

#[tokio::test]
async fn a_node_that_is_gone_leaves_sessions_that_nobody_knows() {
    let (one, two) = pair(Door::Own, Config::new).await;
    let sid = one.server.handshake().await;
    let target = format!("{POLLING}&sid={sid}");
    assert_eq!(post(two.addr(), &target, "4hi").await.text(), "ok");
    let (addr, other) = (two.addr(), target.clone());
    assert_eq!(get(addr, &target).await.text(), "4hi");
    let waiting = spawn(async move { get(addr, &other).await });
    one.serving.abort();
    drop(one);
    two.nodes.set(1, free_address().await);
    for answer in [
        get(two.addr(), &target).await,
        post(two.addr(), &target, "4x").await,
    ] {
        assert_eq!((answer.status, answer.text()), (400, UNKNOWN));
    }
    two.nodes.remove(1);
    assert_eq!(get(two.addr(), &target).await.text(), UNKNOWN);
    waiting.abort();
}

#[tokio::test]
async fn a_node_that_came_back_under_its_number_is_reached_and_knows_none_of_its_old_sessions() {
    let (one, two) = pair(Door::Own, Config::new).await;
    let old = format!("{POLLING}&sid={}", one.server.handshake().await);
    assert_eq!(post(two.addr(), &old, "4hi").await.text(), "ok");
    drop(one);
    let again = Node::start(1, Door::Own, Config::new()).await;
    two.nodes.set(1, again.address.to_string());
    assert_eq!(get(two.addr(), &old).await.text(), UNKNOWN);
    let new = format!("{POLLING}&sid={}", again.server.handshake().await);
    assert_eq!(post(two.addr(), &new, "4hi").await.text(), "ok");
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_as_by_the_node_that_has_the_session() {
    for door in Door::ALL {
        let config = || Config::new().max_payload(1000).cors(Cors::any());
        let (one, two) = pair(door, config).await;
        let octets = "Content-Type: application/octet-stream\r\n";
        for (method, target, headers, body) in [
            ("PUT", POLLING, "", &b""[..]),
            ("GET", WEBSOCKET, "", b""),
            ("GET", "/engine.io/?EIO=3&transport=polling", "", b""),
            ("GET", "/engine.io/?EIO=4&transport=pigeon", "", b""),
            ("POST", POLLING, octets, b"4x"),
            ("OPTIONS", POLLING, "", b""),
            (
                "POST",
                POLLING,
                "Origin: http://elsewhere.example\r\n",
                b"4x",
            ),
        ] {
            let mut said = Vec::new();
            for addr in [one.addr(), two.addr()] {
                // Some of it ends a session.
                let target = format!("{target}&sid={}", one.server.handshake().await);
                let answer = request(addr, method, &target, headers, body).await;
                let mut head: Vec<_> = answer.head.lines().map(str::to_owned).collect();
                head.retain(|line| !line.to_ascii_lowercase().starts_with("date:"));
                head.sort();
                said.push((head, answer.body));
            }
            assert_eq!(said[0], said[1], "{door:?} {method} {target}");
        }
        let sid = one.server.handshake().await;
        let target = format!("{POLLING}&sid={sid}");
        let at_the_bound = format!("4{}", "x".repeat(999));
        assert_eq!(post(two.addr(), &target, &at_the_bound).await.text(), "ok");
        assert_eq!(
            post(two.addr(), &target, at_the_bound + "x").await.status,
            413
        );
    }
}

/// Two tables that contradict each other must not send a request in circles.
#[tokio::test]
async fn a_request_is_passed_on_once() {
    let (one, two) = pair(Door::Own, Config::new).await;
    let three = Node::start(3, Door::Own, Config::new()).await;
    three.nodes.set(1, one.address.to_string());
    let target = format!("{POLLING}&sid={}", one.server.handshake().await);
    assert_eq!(post(three.addr(), &target, "4hi").await.text(), "ok");
    two.nodes.set(1, three.address.to_string());
    assert_eq!(post(two.addr(), &target, "4hi").await.text(), UNKNOWN);
}

#[tokio::test]
async fn headers_that_only_nodes_say_are_not_believed_of_clients() {
    let (one, two) = pair(Door::Own, Config::new).await;
    let sid = one.server.handshake().await;
    let target = format!("{POLLING}&sid={sid}");
    let forged = format!(
        "X-Engineio-Node: {}\r\nX-Engineio-Client: 192.0.2.1:1;1;-\r\n",
        "0".repeat(40)
    );
    let answer = request(two.addr(), "POST", &target, &forged, b"4hi").await;
    assert_eq!(answer.text(), "ok");
}

#[tokio::test]
async fn a_stranger_at_the_listener_of_the_nodes_gets_nothing() {
    let (one, two) = pair(Door::Own, Config::new).await;
    // Of another cluster.
    let nodes = Nodes::new(9, [8; 32])
        .unwrap()
        .node(1, one.address.to_string());
    let stranger = Server::start(Door::Own, Config::new().nodes(nodes)).await;
    let target = format!("{POLLING}&sid={}", one.server.handshake().await);
    assert_eq!(get(stranger.addr, &target).await.text(), UNKNOWN);
    // No HTTP/2 at all.
    let said = send_raw(one.address, b"GET / HTTP/1.1\r\nHost: t\r\n\r\n").await;
    assert!(!said.starts_with(b"HTTP/1.1 200"));
    assert_eq!(post(two.addr(), &target, "4hi").await.text(), "ok");
}

#[tokio::test]
async fn nodes_are_served_by_an_engine_that_has_them_alone() {
    let server = Server::start(Door::Own, Config::new()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let error = server.engine.serve_nodes(listener).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    let config = Config::new()
        .nodes(Nodes::new(1, SECRET).unwrap())
        .id_generator(|| Box::pin(async { None }));
    let refused = Engine::new(config, Nobody).unwrap_err();
    assert_eq!(refused, engineio::ConfigError::NodesAndIds);
}

struct Nobody;

impl engineio::Handler for Nobody {
    type Data = ();

    fn on_open(&self, _: &engineio::RequestView<'_>, _: engineio::Protocol) {}

    fn on_message(&self, _: &engineio::Connection<()>, _: engineio::Message<'_>) -> engineio::Flow {
        engineio::Flow::Continue
    }

    fn on_close(&self, _: &engineio::Connection<()>, _: CloseReason) {}
}

async fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}
