use std::time::Duration;

use crate::namespace::RoomEvent;
use crate::testing::TestClient;
use crate::tests::{Log, sid_of};
use crate::{Args, JoinError, Namespace, Room, Socket, SocketIo};

fn server() -> (SocketIo, Namespace<()>) {
    let io = SocketIo::builder().max_rooms_per_socket(2).build().unwrap();
    let space = io
        .namespace("/")
        .on("done", |socket, (): ()| async move {
            let _ = socket.emit("done", &());
        })
        .open()
        .unwrap();
    (io, space)
}

async fn join(io: &SocketIo, space: &Namespace<()>) -> (TestClient, Socket) {
    let mut client = TestClient::open(io).await;
    let socket = space.socket(&sid_of(&client.join("/").await)).unwrap();
    (client, socket)
}

/// What a client has received so far.
async fn received(client: &mut TestClient) -> Vec<String> {
    client.send(r#"42["done"]"#).await;
    let mut texts = Vec::new();
    loop {
        match client.next_text().await {
            text if text == r#"42["done"]"# => return texts,
            text => texts.push(text),
        }
    }
}

//= SRV-ROOM-01 test
#[tokio::test(start_paused = true)]
async fn a_broadcast_reaches_the_union_of_rooms_once_each_without_exceptions_and_sender() {
    let (io, space) = server();
    let (mut a, socket_a) = join(&io, &space).await;
    let (mut b, socket_b) = join(&io, &space).await;
    let (mut c, socket_c) = join(&io, &space).await;
    socket_a.join("x").unwrap();
    socket_b.join("x").unwrap();
    socket_b.join("y").unwrap();
    socket_c.join("y").unwrap();
    space.to("x").to("y").emit("all", &1).unwrap();
    space.to("x").except("y").emit("x-y", &()).unwrap();
    socket_a.to("x").emit("not me", &Args((1, "a"))).unwrap();
    socket_b.broadcast().emit("others", &()).unwrap();
    space.to(socket_c.id()).emit("you", &()).unwrap();
    space.to("nowhere").emit("nobody", &()).unwrap();
    assert_eq!(
        received(&mut a).await,
        [r#"42["all",1]"#, r#"42["x-y"]"#, r#"42["others"]"#]
    );
    assert_eq!(
        received(&mut b).await,
        [r#"42["all",1]"#, r#"42["not me",1,"a"]"#]
    );
    assert_eq!(
        received(&mut c).await,
        [r#"42["all",1]"#, r#"42["others"]"#, r#"42["you"]"#]
    );
}

//= SRV-BC-01 test
#[tokio::test(start_paused = true)]
async fn rooms_are_joined_left_and_emptied_for_many_at_once() {
    let (io, space) = server();
    let (mut a, socket_a) = join(&io, &space).await;
    let (mut b, socket_b) = join(&io, &space).await;
    space.everyone().join("r");
    assert_eq!(space.ids_in("r").len(), 2);
    space.to(socket_a.id()).leave("r");
    assert_eq!(space.ids_in("r"), [socket_b.id().clone()]);
    space.to("r").disconnect();
    assert_eq!(b.next_text().await, "41");
    assert_eq!(received(&mut a).await, [""; 0]);
    assert_eq!(space.socket_count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_socket_is_in_no_more_rooms_than_the_bound() {
    let (io, space) = server();
    let (_client, socket) = join(&io, &space).await;
    assert_eq!(socket.join("1"), Ok(()));
    assert_eq!(socket.join("2"), Ok(()));
    assert_eq!(socket.join("2"), Ok(()));
    assert_eq!(socket.join("3"), Err(JoinError::TooManyRooms));
    assert_eq!(socket.rooms(), [Room::from("1"), Room::from("2")]);
    socket.leave("1");
    assert_eq!(socket.join("3"), Ok(()));
    socket.disconnect();
    assert_eq!(socket.join("4"), Err(JoinError::Disconnected));
}

//= SRV-ROOM-02 test
#[tokio::test(start_paused = true)]
async fn namespaces_do_not_hear_each_other() {
    let (io, space) = server();
    let other = io.namespace("/other").open().unwrap();
    let (mut client, socket) = join(&io, &space).await;
    client.join("/other").await;
    socket.join("r").unwrap();
    other.to("r").emit("x", &()).unwrap();
    other.emit("y", &()).unwrap();
    assert_eq!(received(&mut client).await, [r#"42/other,["y"]"#]);
}

#[tokio::test(start_paused = true)]
async fn rooms_tell_of_their_lives_and_can_be_listed() {
    let (io, log) = (SocketIo::new(), Log::default());
    let told = log.clone();
    let space = io
        .namespace("/")
        .on_room(move |event| {
            told.add(match event {
                RoomEvent::Created { room } => format!("created {}", room.as_str()),
                RoomEvent::Joined { room, .. } => format!("joined {}", room.as_str()),
                RoomEvent::Left { room, .. } => format!("left {}", room.as_str()),
                RoomEvent::Deleted { room } => format!("deleted {}", room.as_str()),
            });
        })
        .open()
        .unwrap();
    let (_a, first) = join(&io, &space).await;
    let (_b, second) = join(&io, &space).await;
    first.join("x").unwrap();
    second.join("x").unwrap();
    second.join("x").unwrap();
    assert_eq!(space.rooms(), [Room::from("x")]);
    first.leave("x");
    second.disconnect();
    let expected = [
        "created x",
        "joined x",
        "joined x",
        "left x",
        "left x",
        "deleted x",
    ];
    assert_eq!(log.take(), expected);
    assert_eq!(first.join("x".repeat(1025)), Err(JoinError::NameTooLong));
    assert_eq!(first.join("x".repeat(1024)), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_closed_namespace_disconnects_its_sockets_and_frees_its_name() {
    let (io, space) = server();
    let (mut client, _socket) = join(&io, &space).await;
    space.close();
    assert_eq!(client.next_text().await, "41");
    assert_eq!(
        client.join("/").await,
        r#"44{"message":"Invalid namespace"}"#
    );
    io.namespace("/").open().unwrap();
    assert!(client.join("/").await.starts_with("40{"));
}

#[tokio::test(start_paused = true)]
async fn who_is_let_into_a_namespace_that_was_closed_meanwhile_leaves_at_once() {
    let io = SocketIo::new();
    let space = io
        .namespace("/")
        .middleware(|_| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(())
        })
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    client.send_all(&["40", "40/nowhere,"]).await;
    assert!(client.next_text().await.starts_with("44/nowhere,"));
    space.close();
    assert!(client.next_text().await.starts_with("40{"));
    assert_eq!(client.next_text().await, "41");
    assert_eq!(space.socket_count(), 0);
}
