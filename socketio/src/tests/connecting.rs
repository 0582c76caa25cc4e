use std::time::Duration;

use crate::testing::{Received, TestClient};
use crate::tests::{Log, sid_of};
use crate::{ConnectError, Room, SocketIo};

fn server() -> SocketIo {
    let io = SocketIo::new();
    for name in ["/", "/admin"] {
        io.namespace(name)
            .on("ping", |socket, (): ()| async move {
                let _ = socket.emit("pong", &());
            })
            .open()
            .unwrap();
    }
    io
}

//= SIO5-CON-03 test
#[tokio::test(start_paused = true)]
async fn every_namespace_gives_an_id_of_its_own() {
    let io = server();
    let mut client = TestClient::open(&io).await;
    let (root, admin) = (client.join("/").await, client.join("/admin").await);
    assert!(root.starts_with("40{\"sid\":\""), "{root}");
    assert!(admin.starts_with("40/admin,{\"sid\":\""), "{admin}");
    assert_ne!(sid_of(&root), sid_of(&admin));
    assert_eq!(sid_of(&root).len(), 20);
    assert!(!client.opening().contains(&sid_of(&root)));
}

//= SIO5-CON-04 test
#[tokio::test(start_paused = true)]
async fn an_unknown_namespace_is_refused_and_the_rest_goes_on() {
    let mut client = TestClient::open(&server()).await;
    client.join("/").await;
    let refused = client.join("/nope").await;
    assert_eq!(refused, r#"44/nope,{"message":"Invalid namespace"}"#);
    client.send(r#"42["ping"]"#).await;
    assert_eq!(client.next_text().await, r#"42["pong"]"#);
}

//= SIO5-CON-02 test
#[tokio::test(start_paused = true)]
async fn the_connect_payload_is_the_auth_of_the_handshake() {
    let io = SocketIo::new();
    io.namespace("/")
        .on_connect(|socket| async move {
            let _ = socket.emit("auth", &socket.auth());
        })
        .open()
        .unwrap();
    for (payload, seen) in [
        ("", "{}"),
        (r#"{"a":[1]}"#, r#"{"a":[1]}"#),
        (r#"{"a":"\ud83d","b":1}"#, "{\"a\":\"\u{fffd}\",\"b\":1}"),
    ] {
        let mut client = TestClient::open(&io).await;
        client.join_with("/", payload).await;
        assert_eq!(client.next_text().await, format!(r#"42["auth",{seen}]"#));
    }
}

//= SIO5-CON-05 test
#[tokio::test(start_paused = true)]
async fn middleware_refuses_with_message_and_data_one_after_the_other() {
    let (io, log) = (SocketIo::new(), Log::default());
    let (first, second) = (log.clone(), log.clone());
    io.namespace("/")
        .middleware(move |socket| {
            let log = first.clone();
            async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                log.add("first");
                match socket.auth()["as"].as_str() {
                    Some("ann") => Ok(()),
                    Some(_) => Err(ConnectError::new("denied").with_data(&[401])),
                    None => Err("who?".into()),
                }
            }
        })
        .middleware(move |_| {
            let log = second.clone();
            async move {
                log.add("second");
                Ok(())
            }
        })
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    assert_eq!(client.join("/").await, r#"44{"message":"who?"}"#);
    let denied = client.join_with("/", r#"{"as":"bob"}"#).await;
    assert_eq!(denied, r#"44{"message":"denied","data":[401]}"#);
    assert_eq!(log.take(), ["first", "first"]);
    assert!(
        client
            .join_with("/", r#"{"as":"ann"}"#)
            .await
            .starts_with("40{")
    );
    assert_eq!(log.take(), ["first", "second"]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_middleware_refuses_and_nothing_else() {
    let io = SocketIo::new();
    io.namespace("/")
        .middleware(|socket| async move {
            assert!(socket.auth()["ok"] == true);
            Ok(())
        })
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    assert_eq!(client.join("/").await, r#"44{"message":"internal error"}"#);
    assert!(
        client
            .join_with("/", r#"{"ok":true}"#)
            .await
            .starts_with("40{")
    );
}

//= SRV-ORD-04 test
#[tokio::test(start_paused = true)]
async fn what_middleware_emits_precedes_the_answer_and_its_joins_take_effect_with_it() {
    let io = SocketIo::new();
    let space = io
        .namespace("/")
        .middleware(|socket| async move {
            let _ = socket.emit("early", &1);
            socket.join("room").map_err(|error| error.to_string())?;
            match socket.auth()["ok"] == true {
                true => Ok(()),
                false => Err("no".to_owned().into()),
            }
        })
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    assert_eq!(client.join("/").await, r#"42["early",1]"#);
    assert_eq!(client.next_text().await, r#"44{"message":"no"}"#);
    assert_eq!(space.ids_in("room").len(), 0, "a refusal undoes the joins");
    client.join_with("/", r#"{"ok":true}"#).await;
    let sid = sid_of(&client.next_text().await);
    let socket = space.socket(&sid).unwrap();
    assert_eq!(socket.rooms(), [Room::from("room")]);
}

//= SIO5-CON-08 test
#[tokio::test(start_paused = true)]
async fn who_joins_nothing_is_closed_after_the_connect_timeout() {
    let io = server();
    let mut client = TestClient::open(&io).await;
    let opened = tokio::time::Instant::now();
    assert_eq!(client.next().await, Received::Closed);
    assert_eq!(opened.elapsed().as_secs(), 45);
}

//= SIO5-CON-06 test
//= SIO5-CON-09 test
//= SIO5-EVT-02 test
//= SIO5-INV-01 test
//= SIO5-INV-02 test
//= SIO5-INV-03 test
#[tokio::test(start_paused = true)]
async fn what_is_invalid_or_not_allowed_closes_the_connection() {
    let io = server();
    for packet in [
        "40",
        "44{\"message\":\"x\"}",
        "41/admin,",
        r#"42/admin,["ping"]"#,
        "43/admin,1[]",
        "451-/admin,[\"x\",{\"_placeholder\":true,\"num\":0}]",
        "42{}",
        r#"42["connect"]"#,
        "47",
        "4x",
        "4",
    ] {
        let mut client = TestClient::open(&io).await;
        client.join("/").await;
        client.send(packet).await;
        assert_eq!(client.next().await, Received::Closed, "{packet}");
    }
}

//= SIO5-CON-10 test
#[tokio::test(start_paused = true)]
async fn an_event_while_middleware_runs_closes_the_connection() {
    let io = SocketIo::new();
    io.namespace("/")
        .middleware(|_| std::future::pending::<Result<(), ConnectError>>())
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    client.send_all(&["40", r#"42["x"]"#]).await;
    assert_eq!(client.next().await, Received::Closed);
}

//= SIO4-CON-01 test
//= SIO4-CON-02 test
//= SIO4-CON-03 test
//= SIO4-CON-04 test
#[tokio::test(start_paused = true)]
async fn clients_of_protocol_4_join_the_root_by_themselves_and_others_with_a_query() {
    let io = SocketIo::builder()
        .engine(|config| config.allow_eio3(true))
        .build()
        .unwrap();
    for name in ["/", "/admin"] {
        io.namespace(name)
            .on("who", |socket, (): ()| async move {
                let _ = socket.emit("you", &crate::Args((socket.id().as_str(), socket.auth())));
            })
            .open()
            .unwrap();
    }
    let mut client = TestClient::open_with(&io, "EIO=3", &[]).await;
    assert_eq!(client.next_text().await, "40");
    client.send("40/admin?token=a%20b&x=1,").await;
    assert_eq!(client.next_text().await, "40/admin,");
    client.send(r#"42/admin,["who"]"#).await;
    let answer = client.next_text().await;
    assert!(
        answer.starts_with(r#"42/admin,["you","/admin#"#),
        "{answer}"
    );
    assert!(answer.ends_with(r#"{"token":"a b","x":"1"}]"#), "{answer}");
    client.send("40/nope,").await;
    assert_eq!(
        client.next_text().await,
        r#"44/nope,{"message":"Invalid namespace"}"#
    );
}

#[tokio::test(start_paused = true)]
async fn what_middleware_passes_on_by_a_question_mark_is_what_the_client_reads() {
    let io = SocketIo::builder().max_rooms_per_socket(1).build().unwrap();
    io.namespace("/")
        .middleware(|socket| async move {
            let auth = socket.auth();
            let rooms = auth["rooms"].as_array().ok_or("which rooms?")?;
            for room in rooms {
                socket.join(room.as_str().unwrap_or_default())?;
            }
            Ok(())
        })
        .middleware(|socket| async move {
            socket.emit("hello", &())?;
            Ok(())
        })
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    for (auth, message) in [
        ("", "which rooms?"),
        (r#"{"rooms":["a","b"]}"#, "there are too many rooms"),
    ] {
        let refused = client.join_with("/", auth).await;
        assert_eq!(refused, format!(r#"44{{"message":"{message}"}}"#));
    }
    client.send(r#"40{"rooms":["a"]}"#).await;
    client.expect(r#"42["hello"]"#).await;
    assert!(client.next_text().await.starts_with("40{"));
}

#[tokio::test(start_paused = true)]
async fn an_error_of_any_type_of_a_connect_handler_disconnects() {
    let io = SocketIo::new();
    io.namespace("/text")
        .on_connect(|_| async { Err::<(), _>("no") })
        .open()
        .unwrap();
    io.namespace("/boxed")
        .on_connect(|_| async {
            let _: u32 = "x".parse()?;
            Ok::<_, Box<dyn std::error::Error>>(())
        })
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    for namespace in ["/text", "/boxed"] {
        client.join(namespace).await;
        client.expect(&format!("41{namespace},")).await;
    }
}
