//! What an adapter may be like: one whose answers say not whose they are, one with a channel for each room, one that is
//! slow to get ready or to count.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socketio_auth::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, watch};

use super::{Server, received, settle, until};
use crate::cluster::{
    Adapter, AdapterError, ClusterBody, ClusterHandle, ClusterMessage, LocalAdapter, LocalBus,
    Membership, Scope, ServerCount, ServerId, WantedRooms,
};
use crate::testing::TestClient;
use crate::tests::Log;
use crate::{AckError, Event, OwnedArgs, Room, SocketIo};

const NOTHING: [&str; 0] = [];

/// A bus whose adapters are like those of brokers.
#[derive(Clone)]
struct Broker {
    bus: LocalBus,
    /// Answers go to everybody and say not whose they are.
    is_classic: bool,
    wanted_rooms: WantedRooms,
    asks_rooms: bool,
    /// How many servers there are; no number while that takes for ever.
    count: Arc<Mutex<Option<ServerCount>>>,
    /// Publishing takes for ever.
    hangs: Arc<Mutex<bool>>,
    /// Who subscribed to which room.
    subscribed: Arc<Mutex<BTreeSet<(ServerId, Room)>>>,
    /// What was told of rooms.
    told: Log,
    published: Log,
    is_ready: watch::Sender<bool>,
    /// Whether a namespace that is opened is heard.
    opens: watch::Sender<Opens>,
    errors: Log,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opens {
    Yes,
    Waits,
    Fails,
    Panics,
}

impl Broker {
    fn new(servers: usize) -> Self {
        Self {
            bus: LocalBus::new(),
            is_classic: false,
            wanted_rooms: WantedRooms::None,
            asks_rooms: true,
            count: Arc::new(Mutex::new(Some(ServerCount::Exactly(servers)))),
            hangs: Arc::default(),
            subscribed: Arc::default(),
            told: Log::default(),
            published: Log::default(),
            is_ready: watch::Sender::new(true),
            opens: watch::Sender::new(Opens::Yes),
            errors: Log::default(),
        }
    }

    fn classic(servers: usize) -> Self {
        Self {
            is_classic: true,
            ..Self::new(servers)
        }
    }

    fn sharded(servers: usize, wanted_rooms: WantedRooms) -> Self {
        Self {
            wanted_rooms,
            asks_rooms: false,
            ..Self::new(servers)
        }
    }

    fn server(&self) -> (Server, ClusterHandle) {
        let handle = Arc::new(Mutex::new(None));
        let adapter = BrokerAdapter {
            broker: self.clone(),
            inner: self.bus.adapter(),
            handle: Arc::clone(&handle),
        };
        let errors = self.errors.clone();
        let io = SocketIo::builder()
            .adapter(adapter)
            .on_adapter_error(move |error| errors.add(error.to_string()))
            .build()
            .unwrap();
        let handle = handle.lock().unwrap().clone().unwrap();
        (Server::new(io), handle)
    }

    fn set_count(&self, count: Option<ServerCount>) {
        *self.count.lock().unwrap() = count;
    }
}

struct BrokerAdapter {
    broker: Broker,
    inner: LocalAdapter,
    handle: Arc<Mutex<Option<ClusterHandle>>>,
}

impl BrokerAdapter {
    /// The one room that a broadcast is for, if it has a channel.
    fn room_of(&self, body: &ClusterBody) -> Option<Room> {
        let ClusterBody::Broadcast {
            opts,
            request_id: None,
            ..
        } = body
        else {
            return None;
        };
        let [room] = &opts.rooms[..] else { return None };
        let has_channel = match self.broker.wanted_rooms {
            WantedRooms::None => false,
            WantedRooms::Joined => room.as_str().len() != 20,
            WantedRooms::All => true,
        };
        has_channel.then(|| room.clone())
    }
}

impl Adapter for BrokerAdapter {
    fn start(&self, server: ClusterHandle) -> BoxFuture<'_, Result<(), AdapterError>> {
        *self.handle.lock().unwrap() = Some(server.clone());
        self.inner.start(server)
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), AdapterError>> {
        let mut is_ready = self.broker.is_ready.subscribe();
        Box::pin(async move {
            let _ = is_ready.wait_for(|is_ready| *is_ready).await;
            Ok(())
        })
    }

    fn open_namespace(&self, _: &str) -> BoxFuture<'_, Result<(), AdapterError>> {
        let mut opens = self.broker.opens.subscribe();
        Box::pin(async move {
            let opens = opens.wait_for(|opens| *opens != Opens::Waits).await;
            match *opens.unwrap() {
                Opens::Fails => Err(AdapterError::bus("refused")),
                Opens::Panics => panic!("the adapter panics"),
                _ => Ok(()),
            }
        })
    }

    fn publish(&self, mut message: ClusterMessage) -> BoxFuture<'_, Result<(), AdapterError>> {
        let of = message.body.wire_type().unwrap_or_default();
        let to = message.to.as_ref().map_or("all", ServerId::as_str);
        self.broker.published.add(format!("{of} to {to}"));
        if *self.broker.hangs.lock().unwrap() {
            return Box::pin(std::future::pending());
        }
        if self.broker.is_classic && message.body.answered().is_some() {
            message.uid = ServerId::ANONYMOUS;
            message.number = None;
            message.to = None;
        }
        let Some(room) = self.room_of(&message.body) else {
            return self.inner.publish(message);
        };
        let subscribed = self.broker.subscribed.lock().unwrap().clone();
        let heard_by = subscribed.into_iter().filter(|(_, joined)| *joined == room);
        let heard_by: Vec<_> = heard_by.map(|(server, _)| server).collect();
        Box::pin(async move {
            for server in heard_by {
                let message = message.clone().with_addressee(server);
                self.inner.publish(message).await?;
            }
            Ok(())
        })
    }

    fn wanted_rooms(&self) -> WantedRooms {
        self.broker.wanted_rooms
    }

    fn asks_rooms(&self) -> bool {
        self.broker.asks_rooms
    }

    fn room_changed(&self, nsp: &str, room: &Room, is_open: bool) {
        let handle = self.handle.lock().unwrap();
        let server = handle.as_ref().map(|handle| handle.server_id().clone());
        drop(handle);
        let server = server.unwrap_or(ServerId::ANONYMOUS);
        let sign = if is_open { '+' } else { '-' };
        self.broker
            .told
            .add(format!("{nsp}{sign}{}", room.as_str()));
        let mut subscribed = self.broker.subscribed.lock().unwrap();
        if is_open {
            subscribed.insert((server, room.clone()));
        } else {
            subscribed.remove(&(server, room.clone()));
        }
    }

    fn membership(&self) -> Membership {
        Membership::Counted
    }

    fn server_count(&self, _: &str) -> BoxFuture<'_, Result<ServerCount, AdapterError>> {
        let count = *self.broker.count.lock().unwrap();
        Box::pin(async move {
            match count {
                Some(count) => Ok(count),
                None => std::future::pending().await,
            }
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), AdapterError>> {
        self.inner.close()
    }
}

/// Has a client acknowledge the next event.
async fn acknowledge(client: &mut TestClient, args: &str) {
    let event = client.next_text().await;
    let id = event.trim_start_matches("42").split('[').next().unwrap();
    client.send(&format!("43{id}[{args}]")).await;
}

//= RED-RQ-04 test
//= RED-RQ-05 test
#[tokio::test(start_paused = true)]
async fn answers_that_say_not_whose_they_are_are_counted() {
    let broker = Broker::classic(3);
    let ((one, _), (two, _), (three, _)) = (broker.server(), broker.server(), broker.server());
    let (mut b, _) = two.client().await;
    let (mut c, sid_c) = three.client().await;
    three.space.socket(&sid_c).unwrap().join("x").unwrap();
    let before = tokio::time::Instant::now();
    let found = one.space.fetch_sockets().await;
    assert!(found.is_complete());
    assert_eq!(found.items().len(), 2);
    let rooms = one.space.fetch_rooms().await;
    assert!(rooms.is_complete());
    assert_eq!(rooms.items(), [Room::from("x")]);
    let mut acks = one.space.emit_with_ack::<u32>("q", &());
    acknowledge(&mut b, "1").await;
    acknowledge(&mut c, "2").await;
    let (first, second) = (acks.next().await.unwrap(), acks.next().await.unwrap());
    assert_eq!((first.1, second.1), (Ok(1), Ok(2)));
    assert_eq!(acks.next().await, None);
    assert_eq!(before.elapsed(), Duration::ZERO, "nobody is waited for");

    // One that does not answer is missed, not made up for.
    broker.set_count(Some(ServerCount::Exactly(4)));
    let found = one.space.fetch_sockets().await;
    assert_eq!((found.items().len(), found.missing_servers()), (2, 1));
    assert_eq!(before.elapsed(), Duration::from_secs(5));
}

//= CLA-09 test
#[tokio::test(start_paused = true)]
async fn answers_are_addressed_to_who_asked() {
    let broker = Broker::new(2);
    let ((one, handle), (two, _)) = (broker.server(), broker.server());
    let (_a, _) = one.client().await;
    let (mut b, _) = two.client().await;
    broker.published.take();
    let found = one.space.fetch_sockets().await;
    assert!(found.is_complete());
    let mut acks = one.space.emit_with_ack::<u32>("q", &());
    acknowledge(&mut b, "1").await;
    acks.next().await.unwrap().1.unwrap();
    one.space
        .server_side_emit_with_ack::<()>("nobody listens", &())
        .timeout_is_up()
        .await;
    assert!(one.space.fetch_rooms().await.is_complete());
    let id = handle.server_id();
    let answers = [8, 11, 12, 0].map(|kind| format!("{kind} to {id}"));
    let expected = [
        "7 to all",
        &answers[0],
        "3 to all",
        &answers[1],
        &answers[2],
        "9 to all",
        "0 to all",
        &answers[3],
    ];
    assert_eq!(broker.published.take(), expected);
}

/// Waits until the time is up.
trait TimeIsUp {
    async fn timeout_is_up(self);
}

impl<T> TimeIsUp for crate::cluster::Gathering<T> {
    async fn timeout_is_up(self) {
        assert!(!self.await.is_complete());
    }
}

//= SHD-03 test
//= SHD-07 test
#[tokio::test(start_paused = true)]
async fn an_adapter_hears_which_rooms_have_a_member_here() {
    let broker = Broker::sharded(2, WantedRooms::Joined);
    let ((one, _), (two, _)) = (broker.server(), broker.server());
    let (_a, sid_a) = one.client().await;
    let (mut b, sid_b) = two.client().await;
    let socket = two.space.socket(&sid_b).unwrap();
    assert_eq!(broker.told.take(), NOTHING, "its own room is not wanted");
    socket.join("x").unwrap();
    assert_eq!(broker.told.take(), ["/+x"]);
    one.space
        .socket(&sid_a)
        .unwrap()
        .to("x")
        .emit("x", &1)
        .unwrap();
    one.space.to("y").emit("y", &1).unwrap();
    one.space.to(sid_b.as_str()).emit("own", &1).unwrap();
    let heard = [r#"42["x",1]"#, r#"42["own",1]"#];
    assert_eq!(received(&mut b).await, heard);
    assert_eq!(one.space.fetch_rooms().await.items(), [Room::from("x")]);
    socket.leave("x");
    assert_eq!(broker.told.take(), ["/-x"]);
    one.space.to("x").emit("x", &2).unwrap();
    assert_eq!(received(&mut b).await, [""; 0]);
    socket.join("z").unwrap();
    drop(b);
    settle().await;
    assert_eq!(
        broker.told.take(),
        ["/+z", "/-z"],
        "it left with its socket"
    );
}

//= SHD-03 test
#[tokio::test(start_paused = true)]
async fn the_rooms_of_single_sockets_are_told_of_where_wanted() {
    let broker = Broker::sharded(2, WantedRooms::All);
    let ((one, _), (two, _)) = (broker.server(), broker.server());
    let (mut b, sid_b) = two.client().await;
    assert_eq!(broker.told.take(), [format!("/+{sid_b}")]);
    one.space.to(sid_b.as_str()).emit("own", &1).unwrap();
    assert_eq!(received(&mut b).await, [r#"42["own",1]"#]);
    drop(b);
    settle().await;
    assert_eq!(broker.told.take(), [format!("/-{sid_b}")]);
}

//= RDS-08 test
#[tokio::test(start_paused = true)]
async fn clients_are_taken_when_the_adapter_is_ready_or_the_time_for_it_is_up() {
    let broker = Broker::new(1);
    broker.is_ready.send_replace(false);
    let (one, _) = broker.server();
    let mut ready = Box::pin(one.io.ready());
    let waiting =
        std::future::poll_fn(|cx| std::task::Poll::Ready(ready.as_mut().poll(cx).is_pending()));
    assert!(waiting.await);
    broker.is_ready.send_replace(true);
    assert_eq!(ready.await.map_err(|error| error.to_string()), Ok(()));

    broker.is_ready.send_replace(false);
    let before = tokio::time::Instant::now();
    let late = one.io.ready().await;
    assert!(matches!(late, Err(AdapterError::TimedOut)), "{late:?}");
    assert_eq!(before.elapsed(), Duration::from_secs(10));
    assert_eq!(broker.errors.take(), NOTHING, "it was returned");
}

//= RDS-08 test
#[tokio::test]
async fn a_listener_waits_for_the_adapter() {
    let broker = Broker::new(1);
    broker.is_ready.send_replace(false);
    let (one, _) = broker.server();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut serving = Box::pin(one.io.serve(listener));
    let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n";
    client.write_all(request).await.unwrap();
    tokio::select! {
        _ = &mut serving => panic!("it serves"),
        () = settle() => {}
    }
    let mut answer = [0; 12];
    let early = client.try_read(&mut answer).map_err(|error| error.kind());
    assert_eq!(early, Err(std::io::ErrorKind::WouldBlock));
    broker.is_ready.send_replace(true);
    tokio::select! {
        _ = &mut serving => panic!("it serves"),
        read = client.read_exact(&mut answer) => assert_eq!(read.unwrap(), answer.len()),
    }
    assert_eq!(&answer, b"HTTP/1.1 200");
}

/// A server whose dynamic namespaces, and another, are opened while clients are there.
fn growing(broker: &Broker) -> (Server, ClusterHandle) {
    let (server, handle) = broker.server();
    server.io.namespaces("/dyn-#").open().unwrap();
    broker.opens.send_replace(Opens::Waits);
    server.io.namespace("/late").open().unwrap();
    (server, handle)
}

fn is_in(text: &str, namespace: &str) -> bool {
    text.starts_with(&format!("40{namespace},{{"))
}

//= RDS-08 test
#[tokio::test(start_paused = true)]
async fn clients_are_let_into_a_namespace_when_the_adapter_hears_it() {
    for outcome in [Opens::Yes, Opens::Fails, Opens::Panics] {
        for name in ["/dyn-1", "/late"] {
            let broker = Broker::new(2);
            let ((one, _), (two, _)) = (growing(&broker), growing(&broker));
            let (mut a, _) = one.client().await;
            let (mut b, _) = one.client().await;
            for client in [&mut a, &mut b] {
                client.send(&format!("40{name},")).await;
                assert_eq!(received(client).await, NOTHING, "{name}");
            }
            let space = one.io.of(name).unwrap();
            assert_eq!(space.socket_count(), 0);
            broker.opens.send_replace(outcome);
            for client in [&mut a, &mut b] {
                assert!(is_in(&client.next_text().await, name), "{name}");
            }
            // Only now would another server ask, and it misses nobody.
            let (mut c, _) = two.client().await;
            assert!(is_in(&c.join(name).await, name), "at once");
            let found = two.io.of(name).unwrap().fetch_sockets().await;
            assert_eq!((found.is_complete(), found.items().len()), (true, 3));
            let errors = broker.errors.take();
            assert_eq!(errors.is_empty(), outcome == Opens::Yes, "{errors:?}");
        }
    }
}

//= RDS-08 test
#[tokio::test(start_paused = true)]
async fn a_server_without_its_bus_lets_its_clients_in_at_once() {
    let broker = Broker::new(1);
    let (one, handle) = growing(&broker);
    let (mut a, _) = one.client().await;
    a.send("40/dyn-1,").await;
    assert_eq!(received(&mut a).await, NOTHING);
    let before = tokio::time::Instant::now();
    handle.set_connected(false);
    assert!(is_in(&a.next_text().await, "/dyn-1"));
    assert!(is_in(&a.join("/dyn-2").await, "/dyn-2"));
    assert!(is_in(&a.join("/late").await, "/late"));
    // What was let in unheard keeps nobody out when the bus is back. What is opened from then on does.
    handle.set_connected(true);
    let (mut b, _) = one.client().await;
    assert!(is_in(&b.join("/dyn-2").await, "/dyn-2"));
    b.send("40/dyn-3,").await;
    assert_eq!(received(&mut b).await, NOTHING);
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_eq!(broker.errors.take(), NOTHING);
}

//= RDS-08 test
#[tokio::test(start_paused = true)]
async fn an_adapter_that_never_hears_a_namespace_keeps_clients_out_for_ten_seconds() {
    let broker = Broker::new(1);
    let (one, _) = growing(&broker);
    let (mut a, _) = one.client().await;
    let (mut b, _) = one.client().await;
    let before = tokio::time::Instant::now();
    a.send("40/dyn-1,").await;
    assert_eq!(received(&mut a).await, NOTHING);
    tokio::time::advance(Duration::from_secs(4)).await;
    b.send("40/dyn-1,").await;
    assert!(is_in(&a.next_text().await, "/dyn-1"));
    assert!(is_in(&b.next_text().await, "/dyn-1"));
    assert_eq!(before.elapsed(), Duration::from_secs(10));
    assert_eq!(broker.errors.take().len(), 1, "it is told once");
    assert!(is_in(&b.join("/late").await, "/late"), "it was opened then");
    assert_eq!(before.elapsed(), Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn who_goes_while_he_waits_leaves_no_namespace_behind() {
    let broker = Broker::new(1);
    let (one, _) = growing(&broker);
    let (mut a, _) = one.client().await;
    a.send("40/dyn-1,").await;
    assert_eq!(received(&mut a).await, NOTHING);
    assert!(one.io.of("/dyn-1").is_some());
    drop(a);
    broker.opens.send_replace(Opens::Yes);
    until(async || one.io.of("/dyn-1").is_none()).await;
    assert_eq!(broker.errors.take(), NOTHING);
}

//= RDS-07 test
#[tokio::test(start_paused = true)]
async fn a_count_that_may_be_too_low_makes_no_answer_complete() {
    let broker = Broker::new(2);
    let ((one, _), (_two, _)) = (broker.server(), broker.server());
    broker.set_count(Some(ServerCount::AtLeast(1)));
    let before = tokio::time::Instant::now();
    let found = one.space.fetch_sockets().await;
    assert_eq!((found.is_complete(), found.missing_servers()), (false, 0));
    assert!(found.is_count_unknown());
    assert_eq!(before.elapsed(), Duration::from_secs(5));
    let mut acks = one.space.emit_with_ack::<u32>("q", &());
    assert_eq!(acks.next().await, None);
    assert!(acks.is_count_unknown());
    let count = one.space.server_count().await.unwrap();
    assert_eq!((count.get(), count.is_exact()), (1, false));
}

//= RDS-07 test
#[tokio::test(start_paused = true)]
async fn a_question_ends_at_its_limit_from_the_call_while_the_adapter_hangs() {
    let broker = Broker::new(2);
    let ((one, _), (two, _)) = (broker.server(), broker.server());
    let (mut a, _) = one.client().await;
    let (mut b, _) = two.client().await;
    let wait = Duration::from_secs(4);
    let at_limit = async |question: &mut dyn FnMut() -> Waiting| {
        let before = tokio::time::Instant::now();
        let waiting = question();
        // It counts from the call, whenever it is looked at.
        tokio::time::sleep(wait).await;
        waiting.await;
        assert_eq!(before.elapsed(), Duration::from_secs(5));
    };
    for hang in ["count", "publish"] {
        broker.set_count((hang != "count").then_some(ServerCount::Exactly(2)));
        *broker.hangs.lock().unwrap() = hang == "publish";
        at_limit(&mut || {
            let asked = one.space.fetch_sockets();
            Box::pin(async { assert!(!asked.await.is_complete()) })
        })
        .await;
        at_limit(&mut || {
            let asked = one.space.server_side_emit_with_ack::<()>("q", &());
            Box::pin(async { assert!(!asked.await.is_complete()) })
        })
        .await;
        at_limit(&mut || {
            let mut acks = one.space.emit_with_ack::<u32>("q", &());
            Box::pin(async move {
                let late = acks.next().await.unwrap().1;
                assert_eq!(late, Err(AckError::Timeout), "its own client");
                while acks.next().await.is_some() {}
                assert!(acks.is_count_unknown() || acks.missing_servers() > 0);
            })
        })
        .await;
        let before = tokio::time::Instant::now();
        let counted = one.space.server_count().await;
        assert_eq!(counted.is_err(), hang == "count");
        let waited = if hang == "count" { 5 } else { 0 };
        assert_eq!(before.elapsed(), Duration::from_secs(waited));
    }
    assert!(received(&mut a).await.len() >= 2);
    assert_eq!(
        received(&mut b).await.len(),
        1,
        "an event did not wait for the count"
    );
}

type Waiting = std::pin::Pin<Box<dyn Future<Output = ()>>>;

//= RDS-07 test
#[tokio::test(start_paused = true)]
async fn own_sockets_join_leave_and_go_at_once_while_the_bus_is_away() {
    let broker = Broker::classic(2);
    let (one, _) = broker.server();
    let (mut a, sid) = one.client().await;
    *broker.hangs.lock().unwrap() = true;
    one.space.everyone().join("x");
    assert_eq!(one.space.ids_in("x").len(), 1);
    one.space.to("x").emit("hi", &()).unwrap();
    one.space.to("x").leave("x");
    assert_eq!(one.space.ids_in("x").len(), 0);
    one.space.to(sid.as_str()).disconnect();
    assert_eq!(a.next_text().await, r#"42["hi"]"#);
    assert_eq!(a.next_text().await, "41");
}

//= RED-RQ-09 test
#[tokio::test(start_paused = true)]
async fn an_event_of_another_server_with_a_reserved_name_is_ignored_told_and_counted() {
    let broker = Broker::new(1);
    let (one, handle) = broker.server();
    let heard = Log::default();
    let log = heard.clone();
    let builder = one
        .io
        .namespace("/named")
        .on_server_side("x", |_, (): ()| async {});
    let _named = builder
        .on_server_side("disconnect", move |_, (): ()| {
            log.add("heard");
            async {}
        })
        .open()
        .unwrap();
    let (args, id) = (&(), ServerId::new("other"));
    for name in ["x", "disconnect"] {
        let event = ClusterBody::ServerSideEmit {
            packet: Event::from_parts(name, OwnedArgs::new(args).unwrap()),
            request_id: None,
        };
        let scope = Scope::namespace("/named");
        handle.deliver(ClusterMessage::new(id.clone(), scope, event));
    }
    settle().await;
    assert_eq!(heard.take(), NOTHING);
    let ignored = AdapterError::ignored("x").to_string();
    assert_eq!(broker.errors.take(), [ignored]);
}

//= RDS-02 test
#[tokio::test(start_paused = true)]
async fn what_an_adapter_reports_is_told_and_seen() {
    let broker = Broker::new(1);
    let (one, handle) = broker.server();
    assert!(one.io.is_cluster_connected());
    handle.set_connected(false);
    assert!(!one.io.is_cluster_connected());
    handle.report(AdapterError::bus("cut"));
    handle.report(AdapterError::ignored("no map"));
    let told = [AdapterError::bus(""), AdapterError::ignored("")];
    assert_eq!(broker.errors.take(), told.map(|error| error.to_string()));
    #[cfg(feature = "metrics")]
    {
        let stats = one.io.stats().cluster.unwrap();
        assert_eq!((stats.errors, stats.ignored), (1, 1));
        assert!(!stats.is_connected);
    }
}

/// An adapter with nothing but a queue of Tokio's that has room.
struct Queue(mpsc::Sender<ClusterMessage>);

impl Adapter for Queue {
    fn start(&self, _: ClusterHandle) -> BoxFuture<'_, Result<(), AdapterError>> {
        Box::pin(async { Ok(()) })
    }

    fn publish(&self, message: ClusterMessage) -> BoxFuture<'_, Result<(), AdapterError>> {
        Box::pin(async {
            let put = self.0.send(message).await;
            put.map_err(|_| AdapterError::Closed)
        })
    }
}

/// Tokio has a task that has done much say that it waits, where it need not.
#[tokio::test]
async fn what_one_task_emits_is_in_the_adapters_queue_when_the_call_returns() {
    const EVENTS: usize = 1_000;
    let (queue, mut queued) = mpsc::channel(2 * EVENTS);
    let io = SocketIo::builder().adapter(Queue(queue)).build().unwrap();
    let space = io.namespace("/").open().unwrap();
    while queued.try_recv().is_ok() {}
    for number in 0..EVENTS {
        space.emit("n", &number).unwrap();
    }
    let mut numbers = Vec::new();
    while let Ok(message) = queued.try_recv() {
        if let ClusterBody::Broadcast { packet, .. } = message.body {
            numbers.extend(
                packet
                    .args()
                    .get(0)
                    .and_then(|number| number.deserialize::<usize>().ok()),
            );
        }
    }
    let expected: Vec<_> = (0..EVENTS).collect();
    assert_eq!(numbers, expected);
}

/// An adapter whose publications wait for ever, with something that wants a runtime when it is given up.
struct Waits(Arc<Mutex<Vec<bool>>>);

struct WantsRuntime(Arc<Mutex<Vec<bool>>>);

impl Drop for WantsRuntime {
    fn drop(&mut self) {
        let is_inside = tokio::runtime::Handle::try_current().is_ok();
        self.0.lock().unwrap().push(is_inside);
    }
}

impl Adapter for Waits {
    fn start(&self, _: ClusterHandle) -> BoxFuture<'_, Result<(), AdapterError>> {
        Box::pin(async { Ok(()) })
    }

    fn publish(&self, _: ClusterMessage) -> BoxFuture<'_, Result<(), AdapterError>> {
        let held = WantsRuntime(Arc::clone(&self.0));
        Box::pin(async move {
            std::future::pending::<()>().await;
            drop(held);
            Ok(())
        })
    }
}

#[tokio::test]
async fn what_is_too_much_to_publish_is_given_up_inside_the_runtime() {
    let given_up = Arc::default();
    let io = SocketIo::builder()
        .adapter(Waits(Arc::clone(&given_up)))
        .cluster(|settings| settings.max_publishing(0))
        .build()
        .unwrap();
    let space = io.namespace("/").open().unwrap();
    given_up.lock().unwrap().clear();
    std::thread::spawn(move || space.emit("x", &()).unwrap())
        .join()
        .unwrap();
    assert_eq!(*given_up.lock().unwrap(), [true]);
}
