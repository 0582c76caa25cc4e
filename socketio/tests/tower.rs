//! The server in the company of tower: as a layer, nested, and inside of what applications put around it.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, Request, StatusCode};
use axum::routing::get;
use socketio::{Ack, SocketIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tower_http::compression::CompressionLayer;
use tower_http::cors::CorsLayer;
use tower_http::request_id::{
    MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer,
};
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

use support::{Flavor, Server, WebSocket, within};

fn served() -> SocketIo {
    let io = SocketIo::builder()
        .keep_extension::<RequestId>()
        .engine(|config| {
            config
                .files(|_, name| (name == "socket.io.js").then(|| http::Response::new("it".into())))
        })
        .build()
        .unwrap();
    io.namespace("/")
        .on("request", |socket, (): ()| async move {
            let id = socket.handshake().extension::<RequestId>();
            Ack(id.map(|id| id.header_value().to_str().unwrap().to_owned()))
        })
        .open()
        .unwrap();
    io
}

fn serving(app: Router) -> Server {
    Server::serving(Flavor::TwoWorkers, async move |listener| {
        axum::serve(listener, app).await
    })
}

/// The answer to a request: its head, and what is behind it.
async fn fetch(address: SocketAddr, request: &str, headers: &str) -> (String, Vec<u8>) {
    let mut stream = within(TcpStream::connect(address)).await.unwrap();
    let request = format!("{request} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n{headers}\r\n");
    within(stream.write_all(request.as_bytes())).await.unwrap();
    let mut answer = Vec::new();
    within(stream.read_to_end(&mut answer)).await.unwrap();
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let behind = answer.split_off(end + 4);
    (String::from_utf8(answer).unwrap().to_lowercase(), behind)
}

const POLL: &str = "GET /socket.io/?EIO=4&transport=polling";

/// Numbers requests.
#[derive(Clone)]
struct Seven;

impl MakeRequestId for Seven {
    fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<RequestId> {
        Some(RequestId::new(HeaderValue::from_static("seven")))
    }
}

#[tokio::test]
async fn a_layer_takes_its_own_requests_and_leaves_the_others_to_what_is_inside() {
    let io = served();
    let app = Router::new()
        .route("/hello", get(|| async { "hello" }))
        .layer(io.layer());
    let server = serving(app);
    let (head, body) = fetch(server.address, "GET /hello", "").await;
    assert!(
        head.starts_with("http/1.1 200") && body == b"hello",
        "{head}"
    );
    let (head, _) = fetch(server.address, "GET /none", "").await;
    assert!(head.starts_with("http/1.1 404"), "{head}");
    let (head, body) = fetch(server.address, POLL, "").await;
    assert!(
        head.starts_with("http/1.1 200") && body.starts_with(b"0{\"sid\""),
        "{head}"
    );
    let mut client = WebSocket::join(server.address).await;
    client.writer.send(r#"421["request"]"#).await;
    assert_eq!(client.reader.text().await, "431[null]");
}

#[tokio::test]
async fn a_nested_server_serves_every_path_below_its_own() {
    let io = served();
    let app = Router::new()
        .route("/hello", get(|| async { "hello" }))
        .nest_service("/api/live", io.service().nested());
    let server = serving(app);
    let stream = TcpStream::connect(server.address).await.unwrap();
    let mut client = WebSocket::open_with(stream, "/api/live/", "", "").await;
    assert!(client.reader.text().await.starts_with("0{"));
    client.writer.send("40").await;
    assert!(client.reader.text().await.starts_with("40{"));
    let (head, _) = fetch(server.address, "GET /api/live/socket.io.js", "").await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let (head, _) = fetch(server.address, POLL, "").await;
    assert!(head.starts_with("http/1.1 404"), "it is not there: {head}");
}

#[tokio::test]
async fn what_applications_put_around_it_composes() {
    let io = served();
    let layered = |inner: Router| {
        inner
            .layer(TraceLayer::new_for_http())
            .layer(CompressionLayer::new())
            .layer(CorsLayer::permissive())
            .layer(PropagateRequestIdLayer::x_request_id())
            .layer(SetRequestIdLayer::x_request_id(Seven))
            .layer(TimeoutLayer::with_status_code(
                StatusCode::REQUEST_TIMEOUT,
                Duration::from_secs(90),
            ))
    };
    let hello = || Router::new().route("/hello", get(|| async { "hello ".repeat(1000) }));
    let routed = hello().route_service("/socket.io/", io.service());
    for app in [layered(hello().layer(io.layer())), layered(routed)] {
        let server = serving(app);
        let headers = "Accept-Encoding: gzip\r\nOrigin: http://a.example\r\n";
        let (head, body) = fetch(server.address, "GET /hello", headers).await;
        assert!(head.contains("content-encoding: gzip"), "{head}");
        assert!(body.len() < 1000);
        let (head, _) = fetch(server.address, POLL, headers).await;
        assert!(head.starts_with("http/1.1 200"), "{head}");
        assert!(head.contains("access-control-allow-origin: *"), "{head}");
        assert!(head.contains("x-request-id: seven"), "{head}");
        let mut client = WebSocket::join_with(server.address, headers).await;
        client.writer.send(r#"421["request"]"#).await;
        assert_eq!(client.reader.text().await, r#"431["seven"]"#);
    }
}
