//! Every wait for a client that this crate adds to the engine's, and the limit that ends it. Each limit has a length of its
//! own, so that it shows which one it was.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;

use super::auth::{token, users};
use crate::auth::{InHandshake, NamespacePolicy, TwoRoundTrip};
use crate::testing::{Received, TestClient};
use crate::tests::sid_of;
use crate::{AckError, ConnectError, Namespace, SocketIo};

const CONNECT: Duration = Duration::from_secs(3);
const ATTACHMENTS: Duration = Duration::from_secs(5);
const ACK: Duration = Duration::from_secs(7);
const LOGIN: Duration = Duration::from_secs(11);
const VERIFY: Duration = Duration::from_secs(2);
const MIDDLEWARE: Duration = Duration::from_secs(13);
const GRACE: Duration = Duration::from_secs(1);
const PING: Duration = Duration::from_secs(17);
const PONG: Duration = Duration::from_secs(19);

/// The engine wakes no earlier than asked.
const SLACK: Duration = Duration::from_millis(20);

fn limits(settings: &mut NamespacePolicy) {
    settings.deadline = LOGIN;
    settings.verify_timeout = VERIFY;
    settings.middleware_timeout = MIDDLEWARE;
    settings.reject_grace = GRACE;
}

async fn forever() -> Result<(), ConnectError> {
    std::future::pending().await
}

/// `/` is open, `/login` wants two round trips and `/token` a token; nobody ever gets past the middleware of `/slow`, which is
/// open, and `/slow-token`; and it is never decided whether there is `/perhaps`.
fn server() -> (SocketIo, Namespace<()>) {
    let io = SocketIo::builder()
        .engine(|config| config.ping_interval(PING).ping_timeout(PONG))
        .connect_timeout(CONNECT)
        .attachment_timeout(ATTACHMENTS)
        .build()
        .unwrap();
    let space = io.namespace("/").open().unwrap();
    io.namespace("/slow")
        .middleware(|_| forever())
        .open()
        .unwrap();
    let two_trips = TwoRoundTrip::new(users()).settings(limits);
    io.namespace("/login")
        .authenticate(two_trips)
        .open()
        .unwrap();
    let handshake = || InHandshake::new(users()).settings(limits);
    io.namespace("/token")
        .authenticate(handshake())
        .open()
        .unwrap();
    io.namespace("/slow-token")
        .authenticate(handshake())
        .middleware(|_| forever())
        .open()
        .unwrap();
    io.namespaces_where(|_, _| std::future::pending())
        .open()
        .unwrap();
    (io, space)
}

async fn joined(io: &SocketIo) -> TestClient {
    let mut client = TestClient::open(io).await;
    client.join("/").await;
    client
}

async fn closed(client: &mut TestClient) {
    while client.next().await != Received::Closed {}
}

type Ends = Pin<Box<dyn Future<Output = ()>>>;

struct Wait {
    name: &'static str,
    limit: Duration,
    ends: fn(SocketIo, Namespace<()>) -> Ends,
}

macro_rules! waits {
    ($($name:literal, $limit:expr, |$io:ident, $space:pat_param| $ends:block)*) => {
        [$(Wait { name: $name, limit: $limit, ends: |$io, $space| Box::pin(async move $ends) }),*]
    };
}

fn waits() -> impl IntoIterator<Item = Wait> {
    waits! {
        "a CONNECT", CONNECT, |io, _| { closed(&mut TestClient::open(&io).await).await }
        "middleware, of a client that has joined nothing", CONNECT, |io, _| {
            let mut client = TestClient::open(&io).await;
            client.send("40/slow,").await;
            closed(&mut client).await;
        }
        "whether there is such a namespace", CONNECT, |io, _| {
            let mut client = joined(&io).await;
            assert!(client.join("/perhaps").await.starts_with("44/perhaps,"));
        }
        "an attachment", ATTACHMENTS, |io, _| {
            let mut client = joined(&io).await;
            client.send(r#"451-["n",{"_placeholder":true,"num":0}]"#).await;
            closed(&mut client).await;
        }
        "an acknowledgement", ACK, |io, space| {
            let mut client = TestClient::open(&io).await;
            let socket = space.socket(&sid_of(&client.join("/").await)).unwrap();
            let answer = socket.timeout(ACK).emit_with_ack::<()>("q", &()).await;
            assert_eq!(answer, Err(AckError::Timeout));
        }
        "an acknowledgement without a limit", PING + PONG, |io, space| {
            let mut client = TestClient::open(&io).await;
            let socket = space.socket(&sid_of(&client.join("/").await)).unwrap();
            let answer = socket.emit_with_ack::<()>("q", &()).await;
            assert_eq!(answer, Err(AckError::Disconnected));
        }
        "a login", LOGIN, |io, _| {
            let mut client = TestClient::open(&io).await;
            client.join("/login").await;
            closed(&mut client).await;
        }
        "another attempt", GRACE, |io, _| {
            let mut client = TestClient::open(&io).await;
            client.join("/login").await;
            client.send(r#"42/login,["authenticate",{"token":"bad"}]"#).await;
            closed(&mut client).await;
        }
        "a verification", VERIFY, |io, _| {
            let mut client = TestClient::open(&io).await;
            let refused = client.join_with("/token", &token("hang")).await;
            assert!(refused.contains("auth_unavailable"), "{refused}");
        }
        "middleware, of a client with a token", MIDDLEWARE, |io, _| {
            let mut client = joined(&io).await;
            let refused = client.join_with("/slow-token", &token("user:ann")).await;
            assert!(refused.contains("auth_unavailable"), "{refused}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_wait_for_a_client_ends_at_the_limit_that_is_named_for_it() {
    for Wait { name, limit, ends } in waits() {
        let (io, space) = server();
        let start = Instant::now();
        let ended = tokio::time::timeout(100 * PING, ends(io, space)).await;
        assert!(ended.is_ok(), "{name}: it does not end");
        let waited = start.elapsed();
        let is_in_time = (limit..limit + SLACK).contains(&waited);
        assert!(is_in_time, "{name}: {waited:?}, not {limit:?}");
    }
}
