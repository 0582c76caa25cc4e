use std::time::Duration;

use crate::testing::{Received, TestClient};
use crate::tests::{Log, sid_of};
use crate::{Ack, Event, NoAck, OwnedArgs, Recovery, SocketIo};

//= SIO5-EVT-03 test
#[tokio::test(start_paused = true)]
async fn event_middleware_passes_replaces_or_drops_after_the_catch_all_has_seen_the_event() {
    let (io, log) = (SocketIo::new(), Log::default());
    let seen = log.clone();
    io.namespace("/")
        .on_any(move |_, event, args| seen.add(format!("{event}/{}", args.len())))
        .event_middleware(|_, event| async move {
            match event.name() {
                "drop" => None,
                "slow" => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    Some(event)
                }
                "rename" => Event::new("one", &41).ok(),
                "panic" => std::panic::resume_unwind(Box::new(())),
                _ => Some(event),
            }
        })
        .event_middleware(|_, event| async move { Some(event) })
        .on("one", |_, n: u32| async move { Ack(n + 1) })
        .on("slow", |_, (): ()| async {})
        .on("drop", |_, (): ()| async {})
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    client.join("/").await;
    client
        .send_all(&[
            r#"420["slow"]"#,
            r#"421["drop"]"#,
            r#"422["rename"]"#,
            r#"423["one",1]"#,
            "42",
        ])
        .await;
    for answer in ["432[42]", "433[2]", "430[]"] {
        assert_eq!(client.next_text().await, answer);
    }
    assert_eq!(log.take(), ["slow/0", "drop/0", "rename/0", "one/1", "/0"]);
    client.send(r#"424["panic"]"#).await;
    assert_eq!(client.next_text().await, "41");
}

#[tokio::test(start_paused = true)]
async fn the_fallback_gets_what_has_no_handler_and_the_first_answer_of_several_counts() {
    let (io, log) = (SocketIo::new(), Log::default());
    let (first, second) = (log.clone(), log.clone());
    io.namespace("/")
        .on("many", move |_, (): ()| {
            first.add("first");
            async { NoAck }
        })
        .on("many", |_, (): ()| async { Ack("second") })
        .on("many", move |_, (): ()| {
            second.add("third");
            async { Ack("third") }
        })
        .fallback(|_, event| async move { Ack((event.name().to_owned(), event.args().len())) })
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    client.join("/").await;
    client
        .send_all(&[r#"421["many"]"#, r#"422["unknown",1,2]"#])
        .await;
    assert_eq!(client.next_text().await, r#"431["second"]"#);
    assert_eq!(client.next_text().await, r#"432[["unknown",2]]"#);
    assert_eq!(log.take(), ["first", "third"]);
}

#[tokio::test(start_paused = true)]
async fn what_leaves_is_shown_to_the_hook_once_for_each_socket() {
    let (io, log) = (SocketIo::new(), Log::default());
    let seen = log.clone();
    let space = io
        .namespace("/")
        .on_any_outgoing(move |_, event, args| {
            seen.add(format!("{event} {}", args.as_json().unwrap_or_default()));
        })
        .open()
        .unwrap();
    let (mut a, mut b) = (TestClient::open(&io).await, TestClient::open(&io).await);
    let socket = space.socket(&sid_of(&a.join("/").await)).unwrap();
    b.join("/").await;
    socket.emit("one", &1).unwrap();
    space.emit("all", &"x").unwrap();
    assert_eq!(log.take(), ["one 1", r#"all "x""#, r#"all "x""#]);
    let _answer = socket.emit_with_ack::<()>("asked", &2);
    let _answers = space.emit_with_ack::<()>("all asked", &3);
    assert_eq!(log.take(), ["asked 2", "all asked 3", "all asked 3"]);
}

#[tokio::test(start_paused = true)]
async fn a_hook_of_one_socket_sees_what_leaves_for_it_alone() {
    let (io, log) = (SocketIo::new(), Log::default());
    let of_space = log.clone();
    let space = io
        .namespace("/")
        .on_any_outgoing(move |_, event, _| of_space.add(format!("space {event}")))
        .open()
        .unwrap();
    let (mut a, mut b) = (TestClient::open(&io).await, TestClient::open(&io).await);
    let socket = space.socket(&sid_of(&a.join("/").await)).unwrap();
    let other = space.socket(&sid_of(&b.join("/").await)).unwrap();
    let seen = log.clone();
    let hook = socket.on_any_outgoing(move |_, event, args| {
        seen.add(format!(
            "socket {event} {}",
            args.as_json().unwrap_or_default()
        ));
    });
    socket.emit("one", &1).unwrap();
    other.emit("other", &2).unwrap();
    assert_eq!(log.take(), ["space one", "socket one 1", "space other"]);
    space.emit("all", &"x").unwrap();
    let mut seen = log.take();
    seen.sort();
    assert_eq!(seen, [r#"socket all "x""#, "space all", "space all"]);
    socket.off(hook);
    socket.emit("late", &3).unwrap();
    assert_eq!(log.take(), ["space late"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_for_recovery_is_shown_to_the_hook_too() {
    let recovery = Recovery::new();
    let io = SocketIo::builder().recovery(|_| recovery).build().unwrap();
    let log = Log::default();
    let seen = log.clone();
    let space = io
        .namespace("/")
        .on_any_outgoing(move |socket, event, _| {
            seen.add(event.to_owned());
            if event == "all" {
                // No lock is held here.
                socket.emit("inner", &()).unwrap();
            }
        })
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    let socket = space.socket(&sid_of(&client.join("/").await)).unwrap();
    socket.emit("one", &()).unwrap();
    space.emit("all", &()).unwrap();
    assert_eq!(log.take(), ["one", "all", "inner"]);
}

//= SIO5-INV-01 test
#[tokio::test(start_paused = true)]
async fn what_is_invalid_is_told_to_every_joined_socket() {
    let (io, log) = (
        SocketIo::builder().events_per_second(1, 2).build().unwrap(),
        Log::default(),
    );
    for name in ["/", "/b"] {
        let told = log.clone();
        io.namespace(name)
            .on("n", |_, _: u32| async {})
            .on_invalid(move |socket, invalid| {
                told.add(format!("{}: {invalid}", socket.namespace_name()));
            })
            .open()
            .unwrap();
    }
    let mut client = TestClient::open(&io).await;
    client.join("/").await;
    client.join("/b").await;
    client
        .send_all(&[r#"421["n",1]"#, r#"422["n"]"#, r#"423["n",1]"#])
        .await;
    assert_eq!(client.next_text().await, "431[]");
    assert_eq!(
        client.next_text().await,
        r#"432[{"error":"invalid_arguments"}]"#
    );
    assert_eq!(client.next_text().await, r#"433[{"error":"rate_limited"}]"#);
    client.send("42{}").await;
    assert_eq!(client.next().await, Received::Closed);
    assert_eq!(
        log.take(),
        [
            r#"/: arguments of "n": argument 0 is missing: expected u32"#,
            r#"/: "n" was dropped: too many events"#,
            "/: invalid payload",
            "/b: invalid payload",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_past_a_limit_is_refused_by_itself_and_its_sender_is_told() {
    let builder =
        SocketIo::builder().packet_limits(|limits| limits.max_depth(900).max_values(1_000));
    let (io, log) = (builder.build().unwrap(), Log::default());
    let told = log.clone();
    io.namespace("/")
        .on("n", |_, value: OwnedArgs| async move { Ack(value) })
        .on_invalid(move |_, invalid| told.add(invalid.to_string()))
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    client.join("/").await;
    let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    let wide = "1,".repeat(1_000);
    client.send(&format!(r#"421["n",{deep}]"#)).await;
    client.send(&format!(r#"422["n",{wide}1]"#)).await;
    client.send(&format!(r#"42["n",{deep}]"#)).await;
    client.send(r#"423["n",1]"#).await;
    for answer in [
        r#"431[{"error":"too_deep"}]"#,
        r#"432[{"error":"too_many_values"}]"#,
        "433[1]",
    ] {
        assert_eq!(client.next_text().await, answer);
    }
    assert_eq!(
        log.take(),
        [
            r#""n" was dropped: payload nested too deep"#,
            r#""n" was dropped: too many values in the payload"#,
            r#""n" was dropped: payload nested too deep"#,
        ]
    );
    // An event of nobody who is in closes the connection like any.
    client.send(&format!(r#"42/other,["n",{deep}]"#)).await;
    assert_eq!(client.next().await, Received::Closed);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_json_behind_a_limit_closes_the_connection_as_before_it() {
    let builder =
        SocketIo::builder().packet_limits(|limits| limits.max_depth(900).max_values(1_000));
    let (io, log) = (builder.build().unwrap(), Log::default());
    let told = log.clone();
    io.namespace("/")
        .on_invalid(move |_, invalid| told.add(invalid.to_string()))
        .open()
        .unwrap();
    let (deep, wide) = ("[".repeat(100_000), "1,".repeat(1_000));
    for args in [
        deep.clone(),
        format!("{deep}{}", "]".repeat(100_000)),
        format!("{deep}{}", "}".repeat(100_001)),
        "{\"a\":".repeat(1_000),
        format!("{wide}]"),
        format!("{wide}1]]"),
        format!("{wide}x]"),
    ] {
        let mut client = TestClient::open(&io).await;
        client.join("/").await;
        client.send(&format!(r#"421["n",{args}"#)).await;
        assert_eq!(client.next().await, Received::Closed, "{args:.20}");
        assert_eq!(log.take(), ["invalid payload"], "{args:.20}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_socket_takes_handlers_of_its_own_for_once_for_ever_and_until_removed() {
    let io = SocketIo::new();
    let space = io.namespace("/").open().unwrap();
    let (mut a, mut b) = (TestClient::open(&io).await, TestClient::open(&io).await);
    let socket = space.socket(&sid_of(&a.join("/").await)).unwrap();
    b.join("/").await;
    socket.once("x", |_, (): ()| async { Ack("once") });
    let always = socket.on("x", |_, (): ()| async { Ack("always") });
    socket.on("y", |socket, (): ()| async move {
        let _ = socket.emit("done", &());
    });
    a.send_all(&[r#"421["x"]"#, r#"422["x"]"#]).await;
    assert_eq!(a.next_text().await, r#"431["once"]"#);
    assert_eq!(a.next_text().await, r#"432["always"]"#);
    socket.off(always);
    a.send_all(&[r#"423["x"]"#, r#"42["y"]"#]).await;
    assert_eq!(
        a.next_text().await,
        r#"42["done"]"#,
        "nobody answers the third"
    );
    socket.off_all("y");
    b.send(r#"421["x"]"#).await;
    a.send_all(&[r#"42["y"]"#, "41"]).await;
    socket.closed().await;
    let weak = std::sync::Arc::new(());
    let kept = std::sync::Arc::clone(&weak);
    socket.on("late", move |_, (): ()| {
        let _ = &kept;
        async {}
    });
    assert_eq!(
        std::sync::Arc::strong_count(&weak),
        1,
        "who has left keeps no handlers"
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_is_told_of_and_again_when_it_has_caught_up() {
    let io = SocketIo::builder()
        .engine(|config| config.high_watermark(1000))
        .build()
        .unwrap();
    let log = Log::default();
    let (slow, drained) = (log.clone(), log.clone());
    let space = io
        .namespace("/")
        .on_slow(move |_| slow.add("slow"))
        .on_drained(move |_| drained.add("drained"))
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    let socket = space.socket(&sid_of(&client.join("/").await)).unwrap();
    let large = "x".repeat(2 << 20);
    socket.emit("large", &large).unwrap();
    socket.emit("more", &()).unwrap();
    assert!(socket.queued_bytes() > 1000);
    client.next_text().await;
    client.next_text().await;
    while socket.queued_bytes() > 0 {
        tokio::task::yield_now().await;
    }
    tokio::task::yield_now().await;
    assert_eq!(log.take(), ["slow", "drained"]);
}
