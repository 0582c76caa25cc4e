//! What an application keeps with a socket, and what it shares with all of them, over real sockets.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::Serialize;
use serde_json::json;
use socketio::auth::{AuthContext, Credential, Grant, InHandshake, Outcome, auth_fn};
use socketio::testing::TestClient;
use socketio::{Ack, ConnectError, DisconnectReason, Socket, SocketIo};
use tokio::sync::mpsc;

use support::{Flavor, Server, WebSocket, within};

/// Of one socket.
#[derive(Serialize)]
struct Profile {
    number: u32,
}

#[derive(Default)]
struct Clicks(AtomicU32);

/// Of the whole server.
#[derive(Default)]
struct Arrivals(AtomicU32);

struct Left(Mutex<Option<mpsc::UnboundedSender<(u32, u32)>>>);

fn counting() -> (SocketIo, mpsc::UnboundedReceiver<(u32, u32)>) {
    let (told, left) = mpsc::unbounded_channel();
    let io = SocketIo::builder()
        .state(Arrivals::default())
        .state(Left(Mutex::new(Some(told))))
        .build()
        .unwrap();
    io.namespace("/")
        .share_extension::<Profile>()
        .middleware(|socket: Socket| async move {
            let number = socket.state::<Arrivals>().0.fetch_add(1, Ordering::Relaxed);
            socket.extensions().insert(Profile { number });
            Ok(())
        })
        .on("number", |socket, (): ()| async move {
            Ack(socket.extensions().get::<Profile>().unwrap().number)
        })
        .on("click", |socket, (): ()| async move {
            let clicks = socket.extensions().get_or_insert_with(Clicks::default);
            Ack(clicks.0.fetch_add(1, Ordering::Relaxed) + 1)
        })
        .on("forget", |socket, (): ()| async move {
            let had = socket.extensions().remove::<Clicks>().is_some();
            Ack((had, socket.extensions().get::<Clicks>().is_some()))
        })
        .on_disconnect(|socket: Socket, _: DisconnectReason| async move {
            let number = socket.extensions().get::<Profile>().unwrap().number;
            let clicks = socket.extensions().get::<Clicks>();
            let clicks = clicks.map_or(0, |clicks| clicks.0.load(Ordering::Relaxed));
            let left = socket.state::<Left>().0.lock().unwrap();
            left.as_ref().unwrap().send((number, clicks)).unwrap();
        })
        .open()
        .unwrap();
    (io, left)
}

async fn ask(client: &mut WebSocket, packet: &str) -> String {
    client.writer.send(packet).await;
    client.reader.text().await
}

#[tokio::test]
async fn extensions_last_from_the_middleware_to_the_disconnect_handler_and_are_each_sockets_own() {
    for flavor in Flavor::ALL {
        let (io, mut left) = counting();
        let server = Server::start(flavor, &io);
        let mut first = WebSocket::join(server.address).await;
        let mut second = WebSocket::join(server.address).await;
        assert_eq!(ask(&mut first, r#"421["number"]"#).await, "431[0]");
        assert_eq!(ask(&mut second, r#"421["number"]"#).await, "431[1]");
        assert_eq!(ask(&mut first, r#"422["click"]"#).await, "432[1]");
        assert_eq!(ask(&mut first, r#"422["click"]"#).await, "432[2]");
        assert_eq!(ask(&mut second, r#"422["click"]"#).await, "432[1]");
        assert_eq!(
            ask(&mut second, r#"423["forget"]"#).await,
            "433[[true,false]]"
        );
        drop(first);
        assert_eq!(within(left.recv()).await, Some((0, 2)));
        drop(second);
        assert_eq!(within(left.recv()).await, Some((1, 0)));
        assert_eq!(io.state::<Arrivals>().0.load(Ordering::Relaxed), 2);
    }
}

#[tokio::test]
async fn what_is_shared_of_a_socket_is_what_the_application_says() {
    let (io, _left) = counting();
    let quiet = io.namespace("/quiet").open().unwrap();
    let loud = io
        .namespace("/loud")
        .share_extension::<Profile>()
        .on_connect(|socket: Socket| async move {
            socket.extensions().insert(Profile { number: 7 });
            socket.extensions().insert(Clicks::default());
        })
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    client.join("/quiet").await;
    client.join("/loud").await;
    let data = |found: &socketio::cluster::Gathered<socketio::FetchedSocket>| {
        found.items()[0].data().clone()
    };
    assert_eq!(data(&quiet.fetch_sockets().await), json!({}));
    assert_eq!(data(&loud.fetch_sockets().await), json!({"number": 7}));
}

#[tokio::test]
async fn a_state_that_nobody_gave_ends_the_socket_that_asked_and_no_other() {
    let io = SocketIo::builder().state(1_u8).build().unwrap();
    io.namespace("/")
        .on("missing", |socket, (): ()| async move {
            Ack(*socket.state::<u16>())
        })
        .on("tried", |socket, (): ()| async move {
            Ack((
                socket.try_state::<u16>().copied(),
                socket.try_state::<u8>().copied(),
            ))
        })
        .open()
        .unwrap();
    let server = Server::start(Flavor::TwoWorkers, &io);
    let mut asks = WebSocket::join(server.address).await;
    let mut other = WebSocket::join(server.address).await;
    assert_eq!(
        ask(&mut asks, r#"421["missing"]"#).await,
        r#"431[{"error":"internal"}]"#
    );
    assert_eq!(asks.reader.text().await, "41");
    assert_eq!(ask(&mut other, r#"421["tried"]"#).await, "431[[null,1]]");
}

/// The one whom middleware knows.
struct Known(String);

#[tokio::test]
async fn middleware_keeps_things_for_whom_it_lets_in_and_no_subject_has_what_was_anothers() {
    let users = auth_fn(|_: AuthContext, credential: Credential| async move {
        let name = credential.token().to_owned();
        Outcome::Accept(Grant::new(name.clone(), name.as_str()))
    });
    let policy = InHandshake::new(users)
        .guest(|| "guest".to_owned())
        .settings(|settings| {
            settings.allow_switch = true;
            settings.min_renewal_interval = std::time::Duration::ZERO;
        });
    let io = SocketIo::builder().authenticate(policy).build().unwrap();
    io.namespace("/")
        .middleware(|socket: Socket<String>| async move {
            let name = socket.data().to_string();
            socket.extensions().insert(Known(name.clone()));
            assert_eq!(socket.extensions().get::<Known>().unwrap().0, name);
            if name == "mallory" {
                return Err(ConnectError::new("members only"));
            }
            Ok(())
        })
        .on("note", |socket, (): ()| async move {
            socket.extensions().insert(Clicks::default());
        })
        .on("known", |socket, (): ()| async move {
            let known = socket
                .extensions()
                .get::<Known>()
                .map(|known| known.0.clone());
            Ack((known, socket.extensions().get::<Clicks>().is_some()))
        })
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    client.connect("/", &()).await;
    let known = |known: &str, has_clicks: bool| (known.to_owned(), has_clicks);
    client.emit_with_ack::<()>("note", &()).await;
    assert_eq!(
        client.emit_with_ack::<(String, bool)>("known", &()).await,
        known("guest", true)
    );
    let login = |name: &str| json!({ "token": name });
    let _: serde_json::Value = client
        .emit_with_ack("authenticate", &login("mallory"))
        .await;
    assert_eq!(
        client.emit_with_ack::<(String, bool)>("known", &()).await,
        known("guest", true)
    );
    let _: serde_json::Value = client.emit_with_ack("authenticate", &login("ann")).await;
    assert_eq!(
        client.emit_with_ack::<(String, bool)>("known", &()).await,
        known("ann", true)
    );
    let _: serde_json::Value = client.emit_with_ack("authenticate", &login("bob")).await;
    assert_eq!(
        client.emit_with_ack::<(String, bool)>("known", &()).await,
        known("bob", false)
    );
}
