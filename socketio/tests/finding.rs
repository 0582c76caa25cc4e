//! Finding namespaces and sockets, and what only one socket listens to, over real sockets.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use std::sync::{Arc, Mutex};

use serde_json::json;
use socketio::auth::{AuthContext, Credential, Grant, InHandshake, Outcome, auth_fn};
use socketio::cluster::LocalBus;
use socketio::namespace::NamespaceEvent;
use socketio::testing::TestClient;
use socketio::{Ack, BuildError, JoinError, Socket, SocketIo};

use support::{Flavor, Server, WebSocket, within};

async fn ask(client: &mut WebSocket, packet: &str) -> String {
    client.writer.send(packet).await;
    client.reader.text().await
}

/// Joins a namespace.
async fn join(client: &mut WebSocket, name: &str) -> String {
    ask(client, &format!("40{name},")).await
}

#[tokio::test]
async fn a_namespace_is_found_by_its_name_and_by_the_type_of_its_identities() {
    let users = auth_fn(|_: AuthContext, credential: Credential| async move {
        Outcome::Accept(Grant::new(credential.token().len(), credential.token()))
    });
    let io = SocketIo::new();
    io.namespace("/chat").open().unwrap();
    io.namespace("/sizes")
        .authenticate(InHandshake::new(users))
        .open()
        .unwrap();
    assert_eq!(io.of("/chat").unwrap().name(), "/chat");
    assert!(io.of("/sizes").is_none(), "its identities are numbers");
    assert_eq!(io.of_as::<usize>("/sizes").unwrap().name(), "/sizes");
    assert!(io.of_as::<usize>("/chat").is_none());
    assert!(io.of("/none").is_none());
    assert_eq!(io.namespace_names(), ["/chat".into(), "/sizes".into()]);
    io.of("/chat").unwrap().close();
    assert_eq!(io.namespace_names(), ["/sizes".into()]);
}

#[tokio::test]
async fn who_listens_hears_of_namespaces_that_come_and_go() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hearer = Arc::clone(&heard);
    let io = SocketIo::builder()
        .on_namespace(|_| panic!("changes nothing"))
        .on_namespace(move |event| {
            hearer.lock().unwrap().push(match event {
                NamespaceEvent::Opened {
                    name, is_dynamic, ..
                } => format!("+{name} {is_dynamic}"),
                NamespaceEvent::Closed {
                    name, is_dynamic, ..
                } => format!("-{name} {is_dynamic}"),
                _ => "?".to_owned(),
            });
        })
        .build()
        .unwrap();
    io.namespace("/").open().unwrap();
    io.namespaces("/d/*").open().unwrap();
    let server = Server::start(Flavor::CurrentThread, &io);
    let mut client = WebSocket::join(server.address).await;
    join(&mut client, "/d/a").await;
    assert_eq!(io.namespace_names(), ["/".into(), "/d/a".into()]);
    client.writer.send("41/d/a,").await;
    while io.of("/d/a").is_some() {
        tokio::task::yield_now().await;
    }
    io.of("/").unwrap().close();
    assert_eq!(
        *heard.lock().unwrap(),
        ["+/ false", "+/d/a true", "-/d/a true", "-/ false"]
    );
}

#[tokio::test]
async fn parameters_of_dynamic_names_are_typed_and_other_names_are_not_of_the_set() {
    let io = SocketIo::new();
    io.namespace("/").open().unwrap();
    io.namespaces("/tenant/{id}/{room}")
        .param::<u8>("id")
        .on("where", |socket, (): ()| async move {
            let id = socket.param::<u8>("id");
            let room = socket.namespace().param::<String>("room");
            Ack((
                id,
                room,
                socket.param::<u8>("room"),
                socket.param::<u8>("none"),
            ))
        })
        .open()
        .unwrap();
    let server = Server::start(Flavor::TwoWorkers, &io);
    let mut client = WebSocket::join(server.address).await;
    assert!(
        join(&mut client, "/tenant/255/hall")
            .await
            .starts_with("40/tenant/255/hall,{")
    );
    let answer = ask(&mut client, r#"42/tenant/255/hall,7["where"]"#).await;
    assert_eq!(answer, r#"43/tenant/255/hall,7[[255,"hall",null,null]]"#);
    for other in [
        "/tenant/256/hall",
        "/tenant/x/hall",
        "/tenant/1/",
        "/tenant/1/a/b",
    ] {
        let refused = format!(r#"44{other},{{"message":"Invalid namespace"}}"#);
        assert_eq!(join(&mut client, other).await, refused);
    }
}

#[test]
fn a_pattern_that_is_in_doubt_is_refused_at_the_start() {
    let io = SocketIo::new();
    let refused = |opened: Result<_, BuildError>| {
        let error: BuildError = opened.err().unwrap();
        assert!(matches!(error, BuildError::NamespacePattern(_)), "{error}");
    };
    for pattern in ["/{id", "/{}", "/{a}{b}", "/{a}/{a}"] {
        refused(io.namespaces(pattern).open());
    }
    refused(io.namespaces("/{id}").param::<u8>("ident").open());
    let any = io.namespaces_where(|_, _| async { true });
    refused(any.param::<u8>("id").open());
}

#[tokio::test]
async fn a_socket_leaves_all_rooms_at_once_also_those_it_is_yet_to_join() {
    let io = SocketIo::new();
    let space = io
        .namespace("/")
        .middleware(|socket: Socket| async move {
            socket.join("lobby").unwrap();
            socket.leave_all();
            socket.join("hall").unwrap();
            Ok(())
        })
        .on("leave", |socket, (): ()| async move {
            socket.join("stage")?;
            let before = socket.rooms().len();
            socket.leave_all();
            Ok::<_, JoinError>(Ack((before, socket.rooms().len())))
        })
        .open()
        .unwrap();
    let server = Server::start(Flavor::TwoWorkers, &io);
    let mut client = WebSocket::join(server.address).await;
    assert_eq!(space.rooms().len(), 1, "only the last: {:?}", space.rooms());
    assert_eq!(ask(&mut client, r#"421["leave"]"#).await, "431[[2,0]]");
    let id = space.sockets()[0].id().as_str().to_owned();
    space.to(&id).emit("still", &"there").unwrap();
    assert_eq!(client.reader.text().await, r#"42["still","there"]"#);
}

#[tokio::test]
async fn hooks_and_middleware_of_one_socket_see_its_events_alone_until_they_are_taken_off() {
    let io = SocketIo::new();
    io.namespace("/")
        .event_middleware(|_, event| async move { (event.name() != "never").then_some(event) })
        .on("watch", |socket, (): ()| async move {
            let hook = socket.on_any(|socket, event, args| {
                let _ = socket.emit("seen", &(event, args.len()));
            });
            let middleware = socket.event_middleware(|_, event| async move {
                tokio::task::yield_now().await;
                (event.name() != "say").then_some(event)
            });
            socket.once("stop", move |socket, (): ()| async move {
                socket.off(hook);
                socket.off(middleware);
            });
        })
        .on("say", |_, (): ()| async { Ack("said") })
        .open()
        .unwrap();
    for flavor in Flavor::ALL {
        let server = Server::start(flavor, &io);
        let mut watched = WebSocket::join(server.address).await;
        let mut other = WebSocket::join(server.address).await;
        assert_eq!(ask(&mut watched, r#"421["watch"]"#).await, "431[]");
        assert_eq!(
            ask(&mut watched, r#"422["say",1]"#).await,
            r#"42["seen",["say",1]]"#
        );
        assert_eq!(
            ask(&mut watched, r#"42["never"]"#).await,
            r#"42["seen",["never",0]]"#
        );
        assert_eq!(ask(&mut other, r#"422["say"]"#).await, r#"432["said"]"#);
        assert_eq!(
            ask(&mut watched, r#"423["stop"]"#).await,
            r#"42["seen",["stop",0]]"#
        );
        assert_eq!(
            watched.reader.text().await,
            "433[]",
            "the say was not answered"
        );
        assert_eq!(ask(&mut watched, r#"424["say"]"#).await, r#"434["said"]"#);
    }
}

#[tokio::test]
async fn fetched_sockets_are_acted_upon_wherever_they_are_and_rooms_are_those_of_all_servers() {
    let bus = LocalBus::new();
    let open = || {
        let io = SocketIo::builder().adapter(bus.adapter()).build().unwrap();
        let space = io
            .namespace("/")
            .share_data(|socket| json!({ "rooms": socket.rooms().len() }))
            .open()
            .unwrap();
        (io, space)
    };
    let ((here, mine), (there, theirs)) = (open(), open());
    while mine.server_count().await.unwrap().get() < 2
        || theirs.server_count().await.unwrap().get() < 2
    {
        tokio::task::yield_now().await;
    }
    let (mut one, mut two) = (
        TestClient::open(&here).await,
        TestClient::open(&there).await,
    );
    one.join("/").await;
    two.join("/").await;
    mine.sockets()[0].join("b").unwrap();
    theirs.sockets()[0].join("a").unwrap();
    theirs.sockets()[0].join("b").unwrap();
    let rooms = mine.fetch_rooms().await;
    let names: Vec<_> = rooms.items().iter().map(|room| room.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    let found = mine.to("a").fetch_sockets().await;
    let [remote] = found.items() else {
        panic!("one socket: {found:?}")
    };
    assert_eq!(remote.data()["rooms"], 2);
    assert_eq!(remote.id(), theirs.sockets()[0].id());
    remote.join("c");
    remote.leave("a");
    remote.emit("hello", &"you").unwrap();
    assert_eq!(two.next_text().await, r#"42["hello","you"]"#);
    let names = |space: &socketio::Namespace<()>| {
        let mut names: Vec<_> = space
            .rooms()
            .iter()
            .map(|room| room.as_str().to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(&theirs), ["b", "c"], "the event came behind them");
    let mut asked = remote.emit_with_ack::<u8>("answer", &());
    assert_eq!(two.expect_event::<()>("answer").await, ());
    two.answer(&7_u8).await;
    let (_, answer) = within(asked.next()).await.unwrap();
    assert_eq!(answer.unwrap(), 7);
    remote.disconnect();
    assert_eq!(two.next_text().await, "41");
    assert_eq!(mine.socket_count(), 1, "nobody else");
}
