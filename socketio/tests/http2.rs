//! WebSockets on streams of HTTP/2 (RFC 8441), behind a server that announces them, over real sockets.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::ext::Protocol;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use socketio::{Ack, DisconnectReason, Socket, SocketIo, SocketIoBuilder};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use support::{Flavor, Server, WebSocket, within};

/// One connection of HTTP/2.
struct Http2 {
    requests: SendRequest<Empty<Bytes>>,
    /// What drives the connection, until it is dropped.
    _driving: JoinSet<()>,
}

impl Http2 {
    /// Connects, and waits until the server has said what it can do.
    async fn open(server: &Server) -> Self {
        let stream = within(TcpStream::connect(server.address)).await.unwrap();
        let (requests, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
        let mut driving = JoinSet::new();
        driving.spawn(async {
            let _ = connection.await;
        });
        let mut client = Self {
            requests,
            _driving: driving,
        };
        let first = client.send(Method::GET, "/none", None, &[]).await;
        assert_eq!(first.status(), StatusCode::NOT_FOUND);
        client
    }

    async fn send(
        &mut self,
        method: Method,
        target: &str,
        protocol: Option<Protocol>,
        headers: &[(&str, &str)],
    ) -> Response<Incoming> {
        let mut request = Request::builder()
            .method(method)
            .version(Version::HTTP_2)
            .uri(format!("http://t{target}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Empty::new()).unwrap();
        if let Some(protocol) = protocol {
            request.extensions_mut().insert(protocol);
        }
        within(self.requests.send_request(request)).await.unwrap()
    }

    async fn connect(&mut self, query: &str, headers: &[(&str, &str)]) -> Response<Incoming> {
        let target = format!("/socket.io/?EIO=4&transport=websocket{query}");
        let protocol = Some(Protocol::from_static("websocket"));
        self.send(Method::CONNECT, &target, protocol, headers).await
    }

    async fn websocket(&mut self, query: &str) -> WebSocket<TokioIo<Upgraded>> {
        let response = self.connect(query, &VERSION).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(!response.headers().contains_key("sec-websocket-accept"));
        let upgraded = within(hyper::upgrade::on(response)).await.unwrap();
        WebSocket::over(TokioIo::new(upgraded))
    }
}

const VERSION: [(&str, &str); 1] = [("sec-websocket-version", "13")];

fn serving(builder: SocketIoBuilder) -> (Server, SocketIo, mpsc::UnboundedReceiver<String>) {
    let (told, left) = mpsc::unbounded_channel();
    let io = builder.build().unwrap();
    io.namespace("/")
        .on("echo", |_, text: String| async move { Ack(text) })
        .on("fill", |socket, count: usize| async move {
            for _ in 0..count {
                let _ = socket.emit("full", &"x".repeat(1000));
            }
        })
        .on("protocol", |socket, (): ()| async move {
            let version = socket.handshake().header("sec-websocket-version");
            Ack((format!("{:?}", socket.transport()), version.is_some()))
        })
        .on_disconnect(move |_: Socket, reason: DisconnectReason| {
            told.send(reason.to_string()).unwrap();
            async {}
        })
        .open()
        .unwrap();
    let app = Router::new().route_service("/socket.io/", io.service());
    let server = Server::serving(Flavor::TwoWorkers, async move |listener| {
        axum::serve(listener, app).await
    });
    (server, io, left)
}

#[tokio::test]
async fn several_websockets_share_a_connection_and_each_has_its_own_session() {
    let (server, io, mut left) = serving(SocketIo::builder());
    let mut client = Http2::open(&server).await;
    let mut first = client.websocket("").await;
    let mut second = client.websocket("").await;
    first.enter().await;
    second.enter().await;
    assert_eq!(io.of("/").unwrap().socket_count(), 2);
    first.writer.send(r#"421["protocol"]"#).await;
    assert_eq!(first.reader.text().await, r#"431[["WebSocket",false]]"#);
    let long = "x".repeat(60_000);
    for socket in [&mut first, &mut second] {
        socket
            .writer
            .send(&format!(r#"422["echo","{long}"]"#))
            .await;
        assert_eq!(socket.reader.text().await, format!(r#"432["{long}"]"#));
    }
    drop(first);
    assert_eq!(within(left.recv()).await.unwrap(), "transport close");
    second.writer.send(r#"423["echo","still"]"#).await;
    assert_eq!(second.reader.text().await, r#"433["still"]"#);
    io.of("/").unwrap().everyone().close();
    assert_eq!(second.reader.text().await, "41");
    second.reader.drain().await;
}

#[tokio::test]
async fn a_session_moves_from_polling_to_a_websocket_of_the_same_connection() {
    let (server, _io, _left) = serving(SocketIo::builder());
    let mut client = Http2::open(&server).await;
    let polling = "/socket.io/?EIO=4&transport=polling";
    let response = client.send(Method::GET, polling, None, &[]).await;
    let body = within(response.into_body().collect())
        .await
        .unwrap()
        .to_bytes();
    let open: serde_json::Value = serde_json::from_slice(&body[1..]).unwrap();
    let sid = open["sid"].as_str().unwrap();
    let mut socket = client.websocket(&format!("&sid={sid}")).await;
    socket.writer.send("2probe").await;
    assert_eq!(socket.reader.text().await, "3probe");
    socket.writer.send("5").await;
    socket.writer.send("40").await;
    assert!(socket.reader.text().await.starts_with("40{"));
}

#[tokio::test]
async fn what_is_no_handshake_is_refused_as_on_a_connection_of_its_own() {
    let (server, io, _left) = serving(SocketIo::builder());
    let mut client = Http2::open(&server).await;
    for (query, headers, status) in [
        ("", &[("sec-websocket-version", "8")][..], 400),
        ("&transport=polling", &VERSION[..], 400),
        ("&sid=unknown", &VERSION[..], 400),
        ("", &[][..], 400),
    ] {
        let response = client.connect(query, headers).await;
        assert_eq!(response.status(), status, "{query} {headers:?}");
        assert!(!response.headers().contains_key("connection"));
    }
    assert_eq!(io.connection_count(), 0);
}

#[tokio::test]
async fn the_bounds_are_those_of_any_websocket() {
    let (server, io, mut left) = serving(SocketIo::builder().engine(|config| {
        config
            .max_payload(10_000)
            .max_queued_bytes(500_000)
            .ping_interval(Duration::from_secs(600))
    }));
    let mut client = Http2::open(&server).await;
    let mut large = client.websocket("").await;
    large.enter().await;
    large
        .writer
        .send(&format!(r#"421["echo","{}"]"#, "x".repeat(10_000)))
        .await;
    assert!(large.reader.next().await.is_none(), "one past the bound");
    assert_eq!(within(left.recv()).await.unwrap(), "transport error");
    // It reads nothing, and the windows of HTTP/2 are full before the queue is.
    let mut slow = client.websocket("").await;
    slow.enter().await;
    slow.writer.send(r#"42["fill",20000]"#).await;
    assert_eq!(within(left.recv()).await.unwrap(), "forced close");
    while io.connection_count() > 0 {
        tokio::task::yield_now().await;
    }
}
