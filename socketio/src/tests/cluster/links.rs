//! What passes between servers that are linked and well.

use super::{World, received, servers, settle, until};
use crate::cluster::LocalBus;
use crate::testing::{Received, TestClient};
use crate::{Args, Binary, BuildError, Room, SocketIo};

//= CLA-03 test
#[tokio::test(start_paused = true)]
async fn a_broadcast_reaches_the_clients_of_every_server_once() {
    let world = World::new();
    let [one, two, three] = servers(&world).await;
    let (mut a, _) = one.client().await;
    let (mut b, sid_b) = two.client().await;
    let (mut c, sid_c) = three.client().await;
    two.space.socket(&sid_b).unwrap().join("x").unwrap();
    three.space.socket(&sid_c).unwrap().join("x").unwrap();
    one.space.emit("all", &Args((1, "two"))).unwrap();
    one.space
        .to("x")
        .except(sid_b.as_str())
        .emit("x", &())
        .unwrap();
    one.space.everyone().local().emit("here", &()).unwrap();
    two.space
        .socket(&sid_b)
        .unwrap()
        .to("x")
        .emit("not me", &())
        .unwrap();
    assert_eq!(
        received(&mut a).await,
        [r#"42["all",1,"two"]"#, r#"42["here"]"#]
    );
    assert_eq!(received(&mut b).await, [r#"42["all",1,"two"]"#]);
    assert_eq!(
        received(&mut c).await,
        [r#"42["all",1,"two"]"#, r#"42["x"]"#, r#"42["not me"]"#]
    );
}

#[tokio::test(start_paused = true)]
async fn binary_survives_the_way() {
    let world = World::new();
    let [one, two] = servers(&world).await;
    let (mut client, _) = two.client().await;
    one.space
        .emit(
            "bytes",
            &Args((Binary::from(vec![1, 2]), "and", vec![Binary::from(vec![3])])),
        )
        .unwrap();
    let header =
        r#"452-["bytes",{"_placeholder":true,"num":0},"and",[{"_placeholder":true,"num":1}]]"#;
    assert_eq!(client.next_text().await, header);
    assert_eq!(client.next().await, Received::Attachment(vec![1, 2]));
    assert_eq!(client.next().await, Received::Attachment(vec![3]));
}

#[tokio::test(start_paused = true)]
async fn what_one_thread_emits_arrives_in_order_whatever_waits_for_the_bus() {
    const EVENTS: usize = 3_000;
    let world = World::new();
    let [one, two] = servers(&world).await;
    let (mut client, _) = two.client().await;
    // More than the queue of a server holds, without letting it read.
    for number in 0..EVENTS / 2 {
        one.space.emit("n", &number).unwrap();
    }
    settle().await;
    for number in EVENTS / 2..EVENTS {
        one.space.emit("n", &number).unwrap();
    }
    for number in 0..EVENTS {
        assert_eq!(client.next_text().await, format!(r#"42["n",{number}]"#));
    }
    assert_eq!(world.errors(), [""; 0]);
}

//= SRV-BC-01 test
#[tokio::test(start_paused = true)]
async fn sockets_of_other_servers_join_leave_and_are_disconnected() {
    let world = World::new();
    let [one, two] = servers(&world).await;
    let (_a, _) = one.client().await;
    let (mut b, sid_b) = two.client().await;
    let (mut c, _) = two.client().await;
    one.space.everyone().join("r");
    settle().await;
    assert_eq!(one.space.ids_in("r").len(), 1, "the sender's own");
    assert_eq!(two.space.ids_in("r").len(), 2);
    one.space.to(sid_b.as_str()).leave("r");
    settle().await;
    assert_eq!(two.space.ids_in("r").len(), 1);
    one.space.to(sid_b.as_str()).disconnect();
    assert_eq!(b.next_text().await, "41");
    one.space.to("r").close();
    let farewell = [Received::Packet("41".into())];
    assert_eq!(c.drain().await, farewell, "the connection closes");
    assert_eq!(two.space.socket_count(), 0);
    assert_eq!(one.space.socket_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_local_changes_no_other_server() {
    let world = World::new();
    let [one, two] = servers(&world).await;
    let (_a, _) = one.client().await;
    let (_b, _) = two.client().await;
    one.space.everyone().local().join("r");
    one.space.everyone().local().disconnect();
    settle().await;
    assert_eq!(two.space.rooms(), [] as [Room; 0]);
    assert_eq!(two.space.socket_count(), 1);
    one.space.close();
    settle().await;
    assert_eq!(
        two.space.socket_count(),
        1,
        "a namespace closes where it is closed"
    );
}

//= CLA-06 test
#[tokio::test(start_paused = true)]
async fn servers_are_counted_for_each_namespace_while_they_are_there() {
    let world = World::new();
    let [one, two] = servers(&world).await;
    let chat = one.io.namespace("/chat").open().unwrap();
    settle().await;
    assert_eq!(chat.server_count().await.unwrap().get(), 1);
    let other = two.io.namespace("/chat").open().unwrap();
    settle().await;
    assert_eq!(chat.server_count().await.unwrap().get(), 2);
    assert_eq!(other.server_count().await.unwrap().get(), 2);
    other.close();
    settle().await;
    assert_eq!(chat.server_count().await.unwrap().get(), 1);
    two.io.close();
    one.knows(1).await;
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    one.knows(1).await;
}

//= CLA-06 test
#[tokio::test(start_paused = true)]
async fn heartbeats_keep_quiet_servers_known() {
    let world = World::new();
    let [one, two] = servers(&world).await;
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert_eq!(one.space.server_count().await.unwrap().get(), 2);
    assert_eq!(two.space.server_count().await.unwrap().get(), 2);
}

#[tokio::test(start_paused = true)]
async fn dynamic_namespaces_come_and_go_in_the_cluster() {
    let world = World::new();
    let [one, two] = servers(&world).await;
    let rooms_one = one.io.namespaces("/room-#").open().unwrap();
    let two_rooms = two.io.namespaces("/room-#").open().unwrap();
    let (mut a, mut b) = (
        TestClient::open(&one.io).await,
        TestClient::open(&two.io).await,
    );
    a.join("/room-1").await;
    b.join("/room-1").await;
    let space = rooms_one.namespace("/room-1").unwrap();
    until(async || space.server_count().await.unwrap().get() == 2).await;
    space.emit("hi", &()).unwrap();
    assert_eq!(b.next_text().await, r#"42/room-1,["hi"]"#);
    b.send("41/room-1,").await;
    until(async || space.server_count().await.unwrap().get() == 1).await;
    // The second life of the namespace is heard, though the first was.
    b.join("/room-1").await;
    until(async || space.server_count().await.unwrap().get() == 2).await;
    let again = two_rooms.namespace("/room-1").unwrap();
    again.emit("hi", &2).unwrap();
    assert_eq!(a.next_text().await, r#"42/room-1,["hi"]"#);
    assert_eq!(a.next_text().await, r#"42/room-1,["hi",2]"#);
}

#[tokio::test(start_paused = true)]
async fn a_drained_server_has_left_when_draining_ends() {
    let world = World::new();
    let [one, two] = servers(&world).await;
    two.io.drain(std::time::Duration::from_millis(10)).await;
    one.knows(1).await;
    assert_eq!(world.errors(), [""; 0]);
    two.space.emit("too late", &()).unwrap();
    assert_eq!(world.errors(), ["the adapter is closed"]);
}

#[test]
fn a_server_with_an_adapter_needs_a_runtime() {
    let built = SocketIo::builder()
        .adapter(LocalBus::new().adapter())
        .build();
    assert_eq!(built.err(), Some(BuildError::NoRuntime));
}

#[tokio::test(start_paused = true)]
async fn events_are_published_from_threads_without_a_runtime() {
    let world = World::new();
    let [one, two] = servers(&world).await;
    let (mut client, _) = two.client().await;
    let space = one.space.clone();
    std::thread::spawn(move || space.emit("hi", &()).unwrap())
        .join()
        .unwrap();
    assert_eq!(client.next_text().await, r#"42["hi"]"#);
}
