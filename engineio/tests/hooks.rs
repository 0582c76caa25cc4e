//! What applications hook into: admission, cookies, and what a handler hears besides messages.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use engineio::{
    AllowedOrigins, CloseReason, Config, Connection, CookieOptions, Engine, Flow, Handler, Message,
    Protocol, Refusal, RequestView, Transport,
};
use http::StatusCode;
use support::{Door, Event, Server, WebSocket, get, request, spawn, within};
use tokio::net::TcpListener;

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";
const WEBSOCKET: &str = "/engine.io/?EIO=4&transport=websocket";

#[tokio::test]
async fn the_admission_hook_refuses_with_its_own_status_and_text() {
    //= EIO4-ERR-06 test
    let config = Config::new().admission(|request| {
        let verdict = match request.header("x-ticket") {
            Some(b"good") => Ok(()),
            Some(_) => Err(Refusal::forbidden()),
            None => Err(Refusal::forbidden()
                .message("a ticket, please")
                .status(StatusCode::UNAUTHORIZED)),
        };
        Box::pin(std::future::ready(verdict))
    });
    for door in Door::ALL {
        let server = Server::start(door, config.clone()).await;
        let refused = get(server.addr, POLLING).await;
        assert_eq!(refused.status, 401, "{door:?}");
        assert_eq!(refused.text(), r#"{"code":4,"message":"a ticket, please"}"#);
        let refused = request(server.addr, "GET", POLLING, "X-Ticket: bad\r\n", b"").await;
        assert_eq!(refused.status, 403, "{door:?}");
        assert_eq!(refused.text(), r#"{"code":4,"message":"Forbidden"}"#);
        let refused = WebSocket::try_open(server.addr, WEBSOCKET, "").await;
        let refused = refused.err().expect("it has no ticket");
        assert_eq!((refused.status, refused.text()), (400, "a ticket, please"));
        assert_eq!(server.engine.session_count(), 0);
        let good = "X-Ticket: good\r\n";
        request(server.addr, "GET", POLLING, good, b"").await.sid();
        let mut socket = WebSocket::try_open(server.addr, WEBSOCKET, good)
            .await
            .unwrap_or_else(|response| panic!("{response:?}"));
        socket.sid().await;
    }
}

/// What a request asks for, the code that it is refused with, and why. Code 200: it is not refused.
const REFUSED: [(&str, &str, &str, u8, &str); 11] = [
    (
        "GET",
        "/engine.io/?EIO=4",
        "",
        0,
        "the query names no transport that there is",
    ),
    (
        "GET",
        "/engine.io/?EIO=4&transport=pigeon",
        "",
        0,
        "the query names no transport that there is",
    ),
    (
        "GET",
        "/engine.io/?EIO=4&transport=polling&sid=x",
        "",
        1,
        "no session has this id: it has ended, or was opened elsewhere",
    ),
    (
        "POST",
        POLLING,
        "",
        2,
        "a session is opened with GET, and this names none",
    ),
    (
        "GET",
        WEBSOCKET,
        "",
        3,
        "the transport websocket without an upgrade",
    ),
    (
        "GET",
        POLLING,
        "Connection: Upgrade\r\nUpgrade: websocket\r\n",
        3,
        "an upgrade to WebSocket that names the transport polling",
    ),
    (
        "GET",
        POLLING,
        "Origin: https://c.example\r\n",
        3,
        "the origin is not one of those allowed",
    ),
    (
        "POST",
        "/engine.io/?EIO=4&transport=polling&sid=SID",
        "Origin: https://a.example\r\n",
        200,
        "",
    ),
    (
        "POST",
        "/engine.io/?EIO=4&transport=polling&sid=SID",
        "Origin: https://b.example\r\n",
        3,
        "another origin than the session's, or without its cookie",
    ),
    (
        "POST",
        "/engine.io/?EIO=3&transport=polling&sid=SID",
        "",
        3,
        "another protocol version than the session's",
    ),
    (
        "GET",
        "/engine.io/?EIO=3&transport=polling",
        "",
        5,
        "the protocol version is not served",
    ),
];

#[tokio::test]
async fn a_refusal_says_which_check_failed() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let hearing = Arc::clone(&told);
    let config = Config::new()
        .allowed_origins(AllowedOrigins::new([
            "https://a.example",
            "https://b.example",
        ]))
        .on_connection_error(move |_, error| {
            let told = (error.code, error.context);
            hearing.lock().unwrap().push(told);
        });
    let polling_only = config.clone().transports([Transport::Polling]);
    let websocket_only = config.clone().transports([Transport::WebSocket]);
    let server = Server::start(Door::Own, config).await;
    let sid = server.handshake().await;
    for (method, target, headers, code, context) in REFUSED {
        let target = target.replace("SID", &sid);
        request(server.addr, method, &target, headers, b"6").await;
        let expected = (code != 200).then_some((Some(code), context));
        assert_eq!(told.lock().unwrap().pop(), expected, "{method} {target}");
    }
    for (config, target, context) in [
        (
            polling_only,
            WEBSOCKET,
            "the transport websocket is not offered",
        ),
        (
            websocket_only,
            POLLING,
            "the transport polling is not offered",
        ),
    ] {
        let server = Server::start(Door::Own, config).await;
        get(server.addr, target).await;
        assert_eq!(told.lock().unwrap().pop(), Some((Some(0), context)));
    }
}

#[tokio::test]
async fn the_cookie_is_set_on_polling_and_where_asked_on_websocket() {
    //= EIO4-CK-02 test
    for (door, on_websocket) in Door::ALL.into_iter().zip([false, true, true]) {
        let config = Config::new()
            .cookie(CookieOptions::default())
            .cookie_on_websocket(on_websocket);
        let server = Server::start(door, config).await;
        let opened = get(server.addr, POLLING).await;
        let expected = format!("io={}; Path=/; HttpOnly; SameSite=Lax", opened.sid());
        assert_eq!(opened.header("set-cookie"), Some(&*expected), "{door:?}");
        let mut socket = WebSocket::open(server.addr, WEBSOCKET).await;
        let expected = format!("io={}; Path=/; HttpOnly; SameSite=Lax", socket.sid().await);
        let set = socket.handshake.header("set-cookie");
        assert_eq!(set, on_websocket.then_some(&*expected), "{door:?}");
    }
}

#[tokio::test]
async fn a_handler_hears_of_a_probe_before_the_upgrade() {
    for door in Door::ALL {
        let mut server = Server::start(door, Config::new()).await;
        let sid = server.handshake().await;
        let mut socket = WebSocket::open(server.addr, &format!("{WEBSOCKET}&sid={sid}")).await;
        socket.send("2probe").await;
        assert_eq!(socket.text().await, "3probe");
        socket.send("5").await;
        for expected in [Event::Opened, Event::Upgrading, Event::Upgraded] {
            assert_eq!(server.event().await, expected, "{door:?}");
        }
    }
}

#[tokio::test]
async fn a_handler_hears_of_heartbeats_over_either_transport_and_protocol() {
    //= EIO4-HB-01 test
    let config = Config::new()
        .ping_interval(Duration::from_millis(50))
        .ping_timeout(Duration::from_secs(30))
        .allow_eio3(true);
    let mut server = Server::start(Door::Own, config).await;
    let mut socket = WebSocket::open(server.addr, WEBSOCKET).await;
    assert_eq!(server.event().await, Event::Opened);
    socket.sid().await;
    assert_eq!(socket.text().await, "2");
    socket.send("3").await;
    assert_eq!(server.event().await, Event::Heartbeat);

    let target = format!("{POLLING}&sid={}", server.handshake().await);
    assert_eq!(server.event().await, Event::Opened);
    let (addr, polled) = (server.addr, target.clone());
    let poll = spawn(async move { get(addr, &polled).await });
    assert_eq!(within(poll).await.unwrap().text(), "2");
    support::post(server.addr, &target, "3").await;
    assert_eq!(server.event().await, Event::Heartbeat);

    let mut socket = WebSocket::open(server.addr, "/engine.io/?EIO=3&transport=websocket").await;
    assert_eq!(server.event().await, Event::Opened);
    socket.sid().await;
    socket.send("2").await;
    assert_eq!(server.event().await, Event::Heartbeat);
    assert_eq!(socket.text().await, "3");
    // In the wrong direction it is none, and ends the session.
    socket.send("3").await;
    assert!(matches!(server.event().await, Event::Closed(_)));
}

/// Panics at one kind of call, and tells how its sessions end.
struct Panics {
    at: &'static str,
    closed: tokio::sync::mpsc::UnboundedSender<CloseReason>,
}

impl Panics {
    fn hear(&self, call: &str) {
        assert_ne!(call, self.at, "as asked");
    }
}

impl Handler for Panics {
    type Data = ();

    fn on_open(&self, _: &RequestView<'_>, _: Protocol) {
        self.hear("open");
    }

    fn on_ready(&self, connection: &Connection<()>) {
        self.hear("ready");
        if self.at == "deadline" {
            connection.wake_at(Some(tokio::time::Instant::now().into_std()));
        }
    }

    fn on_deadline(&self, _: &Connection<()>) {
        self.hear("deadline");
    }

    fn on_message(&self, _: &Connection<()>, _: Message<'_>) -> Flow {
        Flow::Continue
    }

    fn on_close(&self, _: &Connection<()>, reason: CloseReason) {
        let _ = self.closed.send(reason);
    }

    fn on_heartbeat(&self, _: &Connection<()>) {
        self.hear("heartbeat");
    }

    fn on_upgrading(&self, _: &Connection<()>) {
        self.hear("upgrading");
    }

    fn on_upgrade(&self, _: &Connection<()>) {
        self.hear("upgrade");
    }
}

#[tokio::test]
async fn a_panic_before_the_session_is_open_refuses_it() {
    let (closed, mut ends) = tokio::sync::mpsc::unbounded_channel();
    let engine = Engine::new(Config::new(), Panics { at: "open", closed }).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let serving = engine.clone();
    spawn(async move { serving.serve(listener).await });
    let refused = get(addr, "/engine.io/?EIO=4&transport=polling").await;
    assert_eq!(refused.status, 500);
    let target = "/engine.io/?EIO=4&transport=websocket";
    let refused = WebSocket::try_open(addr, target, "").await.err();
    assert_eq!(refused.map(|response| response.status), Some(500));
    assert_eq!(engine.session_count(), 0);
    drop(engine);
    assert!(ends.try_recv().is_err(), "nobody is told of what never was");
}

#[tokio::test]
async fn a_panic_in_any_call_ends_the_session() {
    const AT_ONCE: [&str; 2] = ["ready", "deadline"];
    for at in AT_ONCE
        .into_iter()
        .chain(["heartbeat", "upgrading", "upgrade"])
    {
        let (closed, mut ends) = tokio::sync::mpsc::unbounded_channel();
        let config = Config::new().allow_eio3(true);
        let engine = Engine::new(config, Panics { at, closed }).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let serving = engine.clone();
        spawn(async move { serving.serve(listener).await });
        let opened = get(addr, "/engine.io/?EIO=3&transport=polling").await;
        if !AT_ONCE.contains(&at) {
            let target = format!("/engine.io/?EIO=3&transport=polling&sid={}", opened.sid());
            support::post(addr, &target, "1:2").await;
        }
        if ["upgrading", "upgrade"].contains(&at) {
            let target = format!("/engine.io/?EIO=3&transport=websocket&sid={}", opened.sid());
            let mut socket = WebSocket::open(addr, &target).await;
            socket.send("2probe").await;
            socket.send("5").await;
        }
        let reason = within(ends.recv()).await;
        assert_eq!(reason, Some(CloseReason::ForcedClose), "{at}");
        within(async {
            while engine.session_count() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}
