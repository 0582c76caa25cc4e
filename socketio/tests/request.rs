//! What middleware and handlers know of the request that a connection began with, over real sockets.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use socketio::auth::limits::TrustedProxies;
use socketio::auth::{
    AuthContext, AuthField, Code, Credential, CredentialSource, Extract, Grant, HandshakeView,
    InHandshake, Outcome, SourceKind, auth_fn,
};
use socketio::{Ack, ConnectError, Socket, SocketIo, SocketIoBuilder};
use tokio::net::TcpStream;

use support::{Flavor, Server, WebSocket};

/// What the application's own layer puts into requests.
#[derive(Clone)]
struct User(&'static str);

/// What the application makes of a request.
struct Languages(Vec<String>);

fn answering(builder: SocketIoBuilder) -> SocketIo {
    let io = builder.build().unwrap();
    io.namespace("/")
        .middleware(|socket: Socket| async move {
            let user = socket.handshake().extension::<User>();
            match user.is_some_and(|user| user.0 == "mallory") {
                true => Err(ConnectError::new("members only")),
                false => Ok(()),
            }
        })
        .on("user", |socket, (): ()| async move {
            let user = socket.handshake().extension::<User>();
            Ack(user.map(|user| user.0))
        })
        .on("languages", |socket, (): ()| async move {
            let languages = socket.handshake().extension::<Languages>();
            Ack(languages.map(|languages| languages.0.clone()))
        })
        .on("cookie", |socket, name: String| async move {
            Ack(socket.handshake().cookie(&name).map(str::to_owned))
        })
        .on("header", |socket, name: String| async move {
            let value = socket.handshake().header(&name);
            Ack(value.map(|value| String::from_utf8_lossy(value).into_owned()))
        })
        .on("origin", |socket, (): ()| async move {
            Ack(socket.handshake().origin().map(str::to_owned))
        })
        .on("peer", |socket, (): ()| async move {
            let handshake = socket.handshake();
            let proxy = handshake.proxy().map(|proxy| proxy.ip());
            Ack((handshake.peer(), proxy, handshake.is_secure()))
        })
        .open()
        .unwrap();
    io
}

/// What the server acknowledges.
async fn ask(client: &mut WebSocket, event: &str) -> String {
    client.writer.send(&format!("421[{event}]")).await;
    let answer = client.reader.text().await;
    let answer = answer
        .strip_prefix("431[")
        .and_then(|rest| rest.strip_suffix("]"));
    answer.unwrap().to_owned()
}

#[tokio::test]
async fn what_was_asked_for_is_kept_and_nothing_else() {
    let plain = answering(SocketIo::builder());
    let asked = answering(
        SocketIo::builder()
            .keep_only_headers(["X-Request-Id", "cookie", "authorization"])
            .keep_cookies(["theme", "locale"])
            .keep_of_request(|request| {
                let languages = request.header_str("accept-language")?.split(',');
                Some(Languages(languages.map(str::to_owned).collect()))
            }),
    );
    let headers = "Cookie: session=secret; theme=dark\r\nX-Request-Id: 7\r\nUser-Agent: t\r\n\
                   Authorization: Bearer secret\r\nOrigin: http://a.example\r\nAccept-Language: de,en\r\n";
    let expected = [
        // event, without asking, with
        (r#""cookie","theme""#, "null", r#""dark""#),
        (r#""cookie","locale""#, "null", "null"),
        (r#""cookie","session""#, "null", "null"),
        (r#""header","x-request-id""#, r#""7""#, r#""7""#),
        (r#""header","user-agent""#, r#""t""#, "null"),
        (r#""header","cookie""#, "null", "null"),
        (r#""header","authorization""#, "null", "null"),
        (
            r#""origin""#,
            r#""http://a.example""#,
            r#""http://a.example""#,
        ),
        (r#""languages""#, "null", r#"["de","en"]"#),
    ];
    let (plain, asked) = (
        Server::start(Flavor::TwoWorkers, &plain),
        Server::start(Flavor::TwoWorkers, &asked),
    );
    let mut without = WebSocket::join_with(plain.address, headers).await;
    let mut with = WebSocket::join_with(asked.address, headers).await;
    for (event, unasked, kept) in expected {
        assert_eq!(ask(&mut without, event).await, unasked, "{event}");
        assert_eq!(ask(&mut with, event).await, kept, "{event}");
    }
}

/// Takes the user that a layer has put beside the request.
struct OfLayer;

impl CredentialSource for OfLayer {
    fn extract(&self, request: &HandshakeView<'_>) -> Extract {
        let extensions = request.extensions::<http::Extensions>();
        match extensions.and_then(|extensions| extensions.get::<User>()) {
            Some(user) => Extract::Found(Credential::new(user.0, SourceKind::Custom)),
            None => Extract::Absent,
        }
    }
}

#[tokio::test]
async fn an_authenticator_judges_what_a_layer_has_established_and_not_what_a_client_claims() {
    let users = auth_fn(|_: AuthContext, found: Credential| async move {
        match (found.source(), found.token()) {
            (SourceKind::Custom, user) => Outcome::Accept(Grant::new(user.to_owned(), user)),
            _ => Outcome::Reject(Code::InvalidToken.into()),
        }
    });
    let io: SocketIo<String> = SocketIo::builder()
        .authenticate(InHandshake::new(users).sources(OfLayer.or(AuthField("token"))))
        .build()
        .unwrap();
    io.namespace("/")
        .on("whoami", |socket, ()| async move {
            Ack(socket.data().to_string())
        })
        .open()
        .unwrap();
    let routes = Router::new().fallback_service(io.service());
    let known = routes.clone().layer(Extension(User("ada")));
    for (routes, reply) in [(known, r#""ada""#), (routes, "")] {
        let server = Server::serving(Flavor::TwoWorkers, async move |listener| {
            axum::serve(listener, routes).await
        });
        if reply.is_empty() {
            let stream = TcpStream::connect(server.address).await.unwrap();
            let mut client = WebSocket::open_with(stream, "/socket.io/", "", "").await;
            assert!(client.reader.text().await.starts_with('0'));
            client.writer.send(r#"40{"token":"ada"}"#).await;
            let refused = client.reader.text().await;
            assert!(refused.contains("invalid_token"), "{refused}");
        } else {
            let mut client = WebSocket::join_with(server.address, "").await;
            assert_eq!(ask(&mut client, r#""whoami""#).await, reply);
        }
    }
}

#[tokio::test]
async fn what_layers_of_axum_know_reaches_middleware_and_handlers() {
    for (user, keeps) in [("ada", true), ("ada", false)] {
        let builder = SocketIo::builder();
        let io = answering(if keeps {
            builder.keep_extension::<User>()
        } else {
            builder
        });
        let service = io
            .service()
            .peer_from(|ConnectInfo(peer): &ConnectInfo<SocketAddr>| *peer);
        let app = Router::new()
            .route_service("/socket.io/", service)
            .layer(Extension(User(user)))
            .into_make_service_with_connect_info::<SocketAddr>();
        let server = Server::serving(Flavor::TwoWorkers, async move |listener| {
            axum::serve(listener, app).await
        });
        let mut client = WebSocket::join_with(server.address, "").await;
        let expected = if keeps { r#""ada""# } else { "null" };
        assert_eq!(ask(&mut client, r#""user""#).await, expected);
        let peer = ask(&mut client, r#""peer""#).await;
        assert!(peer.starts_with(r#"["127.0.0.1:"#), "{peer}");
        assert!(
            !peer.contains(":0\""),
            "the port is the client's own: {peer}"
        );
    }
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_client_is_the_peer_and_its_connection_is_what_counts() {
    let trusting = |proxy: &str| {
        let proxies = TrustedProxies::new([proxy]).unwrap();
        answering(SocketIo::builder().trusted_proxies(proxies))
    };
    let (ours, others) = (trusting("127.0.0.0/8"), trusting("10.0.0.0/8"));
    let ours = Server::start(Flavor::TwoWorkers, &ours);
    let others = Server::start(Flavor::TwoWorkers, &others);
    let client = |address: &str, proxy: &str, is_secure: bool| {
        format!(r#"["{address}:0",{proxy},{is_secure}]"#)
    };
    let here = r#""127.0.0.1""#;
    for (headers, expected) in [
        (
            "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n",
            client("192.0.2.7", here, true),
        ),
        (
            "X-Forwarded-For: 6.6.6.6, 192.0.2.7\r\n",
            client("192.0.2.7", here, false),
        ),
        // Only the last is the proxy's own word.
        (
            "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https, http\r\n",
            client("192.0.2.7", here, false),
        ),
        (
            "X-Forwarded-Proto: https\r\n",
            client("127.0.0.1", here, true),
        ),
    ] {
        let mut behind = WebSocket::join_with(ours.address, headers).await;
        assert_eq!(ask(&mut behind, r#""peer""#).await, expected, "{headers}");
        let mut stranger = WebSocket::join_with(others.address, headers).await;
        let peer = ask(&mut stranger, r#""peer""#).await;
        assert!(
            peer.starts_with(r#"["127.0.0.1:"#) && peer.ends_with(",null,false]"),
            "{peer}"
        );
    }
}

#[tokio::test]
async fn each_client_behind_the_proxy_has_a_bound_of_its_own() {
    let io = answering(
        SocketIo::builder()
            .trusted_proxies(TrustedProxies::new(["127.0.0.1"]).unwrap())
            .engine(|config| config.max_sessions_per_peer(1)),
    );
    let server = Server::start(Flavor::TwoWorkers, &io);
    let from = |address: &str| format!("X-Forwarded-For: {address}\r\n");
    let first = WebSocket::join_with(server.address, &from("192.0.2.7")).await;
    let second = WebSocket::answer_to(server.address, &from("192.0.2.7")).await;
    assert!(
        second.starts_with("HTTP/1.1 503"),
        "one past the bound: {second}"
    );
    let _other = WebSocket::join_with(server.address, &from("192.0.2.8")).await;
    drop(first);
    while io.connection_count() > 1 {
        tokio::task::yield_now().await;
    }
    let _again = WebSocket::join_with(server.address, &from("192.0.2.7")).await;
}
