//! What goes wrong between servers.

use super::{Kind, World, received, servers, settle};
use crate::cluster::handle::Hearing;
use crate::cluster::{
    AdapterError, ClusterBody, ClusterMessage, ClusterOptions, RequestId, Scope, ServerId,
};
use crate::{Event, OwnedArgs};

#[tokio::test(start_paused = true)]
async fn a_message_that_comes_twice_is_acted_on_once() {
    let world = World::new();
    let [one, two] = servers(&world).await;
    let (mut a, _) = one.client().await;
    let (mut b, _) = two.client().await;
    world.fault.set(Kind::Twice);
    one.space.emit("n", &1).unwrap();
    one.space.emit("n", &2).unwrap();
    let all = [r#"42["n",1]"#, r#"42["n",2]"#];
    assert_eq!(received(&mut a).await, all, "its own come back to nothing");
    assert_eq!(received(&mut b).await, all);
    assert_eq!(one.space.fetch_sockets().await.items().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn answers_that_come_twice_count_once_without_numbers_too() {
    let world = World::new();
    let [one, two, _three] = servers(&world).await;
    let (_b, _) = two.client().await;
    world.fault.set(Kind::TwiceUnnumbered);
    let found = one.space.fetch_sockets().await;
    assert!(found.is_complete());
    assert_eq!(found.items().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_publication_reaches_the_local_clients_and_is_told() {
    let world = World::new();
    let [one, two] = servers(&world).await;
    let (mut a, sid_a) = one.client().await;
    let (mut b, _) = two.client().await;
    for (fault, told) in [
        (Kind::Fails, "the bus of the cluster failed"),
        (Kind::Panics, "the adapter panicked"),
    ] {
        world.fault.set(fault);
        one.space.emit("hi", &()).unwrap();
        assert_eq!(world.errors(), [told]);
        let found = one.space.fetch_sockets().await;
        assert_eq!(found.failure().unwrap().to_string(), told);
        assert_eq!(found.missing_servers(), 1);
        assert_eq!(found.items().len(), 1, "what is here is found");
        one.space.to(sid_a.as_str()).join("r");
        assert_eq!(one.space.ids_in("r").len(), 1);
        world.errors();
        world.fault.set(Kind::None);
        assert_eq!(received(&mut a).await, [r#"42["hi"]"#]);
        assert_eq!(received(&mut b).await, [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn publications_that_wait_are_bounded() {
    let world = World::new();
    let builder = world
        .builder()
        .cluster(|settings| settings.max_publishing(2));
    let one = super::Server::new(builder.build().unwrap());
    world.fault.set(Kind::Hangs);
    for _ in 0..2 {
        one.space.emit("hi", &()).unwrap();
    }
    assert_eq!(world.errors(), [""; 0], "at the bound");
    one.space.emit("hi", &()).unwrap();
    let told = AdapterError::TooManyPublishing.to_string();
    assert_eq!(world.errors(), [told], "one past it");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_crashes_is_gone_after_its_silence() {
    let world = World::new();
    let [one, two] = servers(&world).await;
    drop(two);
    settle().await;
    tokio::time::sleep(std::time::Duration::from_secs(12)).await;
    one.knows(1).await;
}

//= CLA-01 test
#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_is_ignored() {
    let world = World::new();
    let [one] = servers(&world).await;
    let (mut client, _) = one.client().await;
    let opts = ClusterOptions::default;
    let id = || RequestId::new("no such question");
    let args = || OwnedArgs::new(&()).unwrap();
    let event = |name: &str| Event::new(name, &()).unwrap();
    let bodies = [
        ClusterBody::FetchSocketsResponse {
            request_id: id(),
            sockets: Vec::new(),
        },
        ClusterBody::ServerSideEmitResponse {
            request_id: id(),
            packet: args(),
        },
        ClusterBody::BroadcastClientCount {
            request_id: id(),
            client_count: u64::MAX,
        },
        ClusterBody::BroadcastAck {
            request_id: id(),
            packet: args(),
            socket: None,
        },
        ClusterBody::Broadcast {
            packet: event("connect"),
            opts: opts(),
            request_id: Some(id()),
        },
        ClusterBody::ServerSideEmit {
            packet: event("nobody listens"),
            request_id: Some(id()),
        },
        ClusterBody::SocketsJoin {
            opts: opts(),
            rooms: vec!["x".repeat(5_000).into()],
        },
        ClusterBody::AllRoomsResponse {
            request_id: id(),
            rooms: Vec::new(),
        },
        ClusterBody::AdapterClose,
    ];
    for body in bodies {
        let names = ["/", "/nowhere", "*", ""].map(Scope::namespace);
        for scope in names.into_iter().chain([Scope::Server]) {
            for sender in ["", "x"] {
                let sender = ServerId::new(sender);
                let message = ClusterMessage::new(sender, scope.clone(), body.clone());
                one.io.server.hear(message.clone().with_number(u64::MAX));
                one.io.server.hear(message);
            }
        }
    }
    settle().await;
    assert_eq!(received(&mut client).await, [""; 0]);
    assert_eq!(one.space.rooms(), []);
}

//= CLA-05 test
#[tokio::test(start_paused = true)]
async fn a_process_that_only_sends_is_heard_and_not_counted() {
    let world = World::new();
    let [one] = servers(&world).await;
    let (mut client, _) = one.client().await;
    one.io.server.hear(ClusterMessage::new(
        ServerId::new(ServerId::EMITTER),
        Scope::namespace("/"),
        ClusterBody::Broadcast {
            packet: Event::new("news", &1).unwrap(),
            opts: ClusterOptions::default(),
            request_id: None,
        },
    ));
    assert_eq!(received(&mut client).await, [r#"42["news",1]"#]);
    assert_eq!(one.space.server_count().await.unwrap().get(), 1);
}
