//! Clients that come back to another server than theirs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use serde_json::Value;
use socketio_auth::BoxFuture;

use super::{settle, until};
use crate::auth::{
    AuthContext, Credential, Grant, InHandshake, Outcome, auth_fn, revocation::Revocation,
};
use crate::cluster::{
    Adapter, AdapterError, ClusterBody, ClusterHandle, ClusterMessage, EntryId, LocalAdapter,
    LocalBus, LocalLogBounds, LogBounds, LogRead, Scope, ServerId, SharedLog, SharedSession,
};
use crate::testing::TestClient;
use crate::tests::sid_of;
use crate::{Namespace, Room, SocketIo, SocketIoBuilder};

/// One server's way to a bus with a log, which can be cut for ever as by a kill, or fail.
#[derive(Clone)]
struct Mortal(Arc<Inner>);

struct Inner {
    adapter: LocalAdapter,
    /// What was published last of what is kept.
    last: Mutex<Option<ClusterMessage>>,
    is_dead: AtomicBool,
    is_failing: AtomicBool,
    gives_back: AtomicBool,
    server: OnceLock<ClusterHandle>,
    /// The store answers nothing.
    is_hanging: AtomicBool,
    /// Called before the log is read next.
    on_read: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Mortal {
    fn new(bus: &LocalBus) -> Self {
        Self(Arc::new(Inner {
            adapter: bus.adapter(),
            last: Mutex::default(),
            is_dead: AtomicBool::new(false),
            is_failing: AtomicBool::new(false),
            gives_back: AtomicBool::new(false),
            server: OnceLock::new(),
            is_hanging: AtomicBool::new(false),
            on_read: Mutex::default(),
        }))
    }

    fn is_dead(&self) -> bool {
        self.0.is_dead.load(Ordering::SeqCst)
    }

    fn store(&self) -> Arc<dyn SharedLog> {
        self.0.adapter.log().unwrap()
    }
}

impl Adapter for Mortal {
    fn start(&self, server: ClusterHandle) -> BoxFuture<'_, Result<(), AdapterError>> {
        let _ = self.0.server.set(server.clone());
        self.0.adapter.start(server)
    }

    fn publish(&self, message: ClusterMessage) -> BoxFuture<'_, Result<(), AdapterError>> {
        if self.0.is_failing.load(Ordering::SeqCst) {
            return Box::pin(async { Err(AdapterError::bus("cut")) });
        }
        if self.is_dead() {
            return Box::pin(async { Ok(()) });
        }
        if message.is_kept() {
            *self.0.last.lock().unwrap() = Some(message.clone());
        }
        if self.0.gives_back.load(Ordering::SeqCst) {
            self.0.server.get().unwrap().deliver_unwritten(message);
            return Box::pin(async { Ok(()) });
        }
        self.0.adapter.publish(message)
    }

    fn log(&self) -> Option<Arc<dyn SharedLog>> {
        Some(Arc::new(self.clone()))
    }

    fn close(&self) -> BoxFuture<'_, Result<(), AdapterError>> {
        self.0.adapter.close()
    }
}

impl SharedLog for Mortal {
    fn save_session(
        &self,
        pid: &str,
        session: SharedSession,
        lifetime: Duration,
    ) -> BoxFuture<'_, Result<(), AdapterError>> {
        if self.is_dead() {
            return Box::pin(async { Ok(()) });
        }
        // It saves when it is called.
        drop(self.store().save_session(pid, session, lifetime));
        Box::pin(async { Ok(()) })
    }

    fn find_session(
        &self,
        pid: &str,
    ) -> BoxFuture<'_, Result<Option<SharedSession>, AdapterError>> {
        if self.0.is_hanging.load(Ordering::SeqCst) {
            return Box::pin(std::future::pending());
        }
        let (store, pid) = (self.store(), pid.to_owned());
        Box::pin(async move { store.find_session(&pid).await })
    }

    fn take_session(&self, pid: &str) -> BoxFuture<'_, Result<bool, AdapterError>> {
        if self.is_dead() {
            return Box::pin(async { Ok(false) });
        }
        let (store, pid) = (self.store(), pid.to_owned());
        Box::pin(async move { store.take_session(&pid).await })
    }

    fn read(
        &self,
        nsp: &str,
        after: EntryId,
        bounds: LogBounds,
    ) -> BoxFuture<'_, Result<Option<LogRead>, AdapterError>> {
        let on_read = self.0.on_read.lock().unwrap().take();
        if let Some(on_read) = on_read {
            on_read();
        }
        let (store, nsp) = (self.store(), nsp.to_owned());
        Box::pin(async move { store.read(&nsp, after, bounds).await })
    }
}

/// What the application keeps with a socket.
struct Name(&'static str);

struct Node<D = ()> {
    io: SocketIo<D>,
    space: Namespace<D>,
    adapter: Mortal,
}

fn builder(bus: &LocalBus) -> (SocketIoBuilder, Mortal) {
    let adapter = Mortal::new(bus);
    let builder = SocketIo::builder()
        .adapter(adapter.clone())
        .recovery(|recovery| recovery.max_disconnection(Duration::from_secs(60)));
    (builder, adapter)
}

fn bus() -> LocalBus {
    LocalBus::with_log(LocalLogBounds::default())
}

fn node(bus: &LocalBus) -> Node {
    let (builder, adapter) = builder(bus);
    let io = builder.build().unwrap();
    let space = io
        .namespace("/")
        .share_data(|socket| socket.extensions().get::<Name>().map(|name| name.0))
        .open()
        .unwrap();
    Node { io, space, adapter }
}

impl<D: Send + Sync + 'static> Node<D> {
    /// Nothing of it reaches the others any more, its sockets' last words neither.
    fn kill(self) {
        self.adapter.0.is_dead.store(true, Ordering::SeqCst);
        self.io.close();
    }
}

/// What a client knows.
struct Member {
    client: TestClient,
    id: String,
    pid: String,
    heard: String,
}

fn text_of(packet: &str) -> (Value, String) {
    let mut event: Vec<Value> = serde_json::from_str(packet.trim_start_matches("42")).unwrap();
    let offset = event.pop().unwrap().as_str().unwrap().to_owned();
    let text = event.pop().unwrap();
    (text, offset)
}

impl Member {
    async fn join<D: Send + Sync + 'static>(node: &Node<D>, auth: &str) -> Self {
        let mut client = TestClient::open(&node.io).await;
        let reply = client.join_with("/", auth).await;
        let json: Value = serde_json::from_str(&reply[2..]).unwrap();
        let pid = json["pid"].as_str().unwrap().to_owned();
        let mut member = Self {
            client,
            id: sid_of(&reply),
            pid,
            heard: String::new(),
        };
        node.space
            .socket(&member.id)
            .unwrap()
            .emit("first", &0)
            .unwrap();
        assert_eq!(member.hear().await, 0);
        member
    }

    /// What the next event says.
    async fn hear(&mut self) -> Value {
        let packet = self.client.next_text().await;
        let (text, offset) = text_of(&packet);
        let of = |offset: &str| offset.parse::<EntryId>().unwrap();
        assert!(
            self.heard.is_empty() || of(&self.heard) < of(&offset),
            "they only grow"
        );
        self.heard = offset;
        text
    }

    fn claim(&self, token: &str) -> String {
        let (pid, offset) = (&self.pid, &self.heard);
        format!(r#"{{"token":"{token}","pid":"{pid}","offset":"{offset}"}}"#)
    }

    /// Comes back, whether or not as the one it was; what came before the answer.
    async fn come_back<D: Send + Sync + 'static>(
        &mut self,
        node: &Node<D>,
        token: &str,
    ) -> (bool, Vec<Value>) {
        let claim = self.claim(token);
        self.client = TestClient::open(&node.io).await;
        self.client.send(&format!("40{claim}")).await;
        let mut missed = Vec::new();
        loop {
            let packet = self.client.next_text().await;
            if packet.starts_with("40") {
                let is_it = sid_of(&packet) == self.id;
                assert_eq!(packet.contains(&self.pid), is_it);
                return (is_it, missed);
            }
            let (text, offset) = text_of(&packet);
            self.heard = offset;
            missed.push(text);
        }
    }
}

/// Lets the sockets be saved that are due.
async fn saved() {
    tokio::time::sleep(Duration::from_secs(3)).await;
}

//= STR-07 test
#[tokio::test(start_paused = true)]
async fn clients_of_all_servers_hear_one_order() {
    let bus = bus();
    let (one, two) = (node(&bus), node(&bus));
    let (mut a, mut b) = (
        Member::join(&one, "{}").await,
        Member::join(&two, "{}").await,
    );
    for number in 1..5 {
        one.space.emit("n", &number).unwrap();
        two.space.emit("n", &(number * 10)).unwrap();
    }
    let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
    for _ in 0..8 {
        of_a.push((a.hear().await, a.heard.clone()));
        of_b.push((b.hear().await, b.heard.clone()));
    }
    assert_eq!(of_a, of_b);
    one.space.everyone().volatile().emit("v", &1).unwrap();
    assert_eq!(
        a.client.next_text().await,
        r#"42["v",1]"#,
        "no name, and once"
    );
    assert_eq!(b.client.next_text().await, r#"42["v",1]"#);
    one.space.everyone().local().emit("l", &1).unwrap();
    assert_eq!(a.client.next_text().await, r#"42["l",1]"#);
    let refused = one.space.emit("connect", &1);
    assert!(refused.is_err(), "{refused:?}");
}

//= STR-07 test
#[tokio::test(start_paused = true)]
async fn an_event_that_cannot_be_published_reaches_own_clients_without_a_name() {
    let bus = bus();
    let (one, two) = (node(&bus), node(&bus));
    let (mut a, mut b) = (
        Member::join(&one, "{}").await,
        Member::join(&two, "{}").await,
    );
    one.adapter.0.is_failing.store(true, Ordering::SeqCst);
    one.space.emit("n", &1).unwrap();
    assert_eq!(a.client.next_text().await, r#"42["n",1]"#);
    one.adapter.0.is_failing.store(false, Ordering::SeqCst);
    one.space.emit("n", &2).unwrap();
    assert_eq!((a.hear().await, b.hear().await), (2.into(), 2.into()));
}

//= STR-07 test
#[tokio::test(start_paused = true)]
async fn an_event_that_is_given_back_reaches_own_clients_once_and_without_a_name() {
    let bus = bus();
    let one = node(&bus);
    let mut a = Member::join(&one, "{}").await;
    one.adapter.0.gives_back.store(true, Ordering::SeqCst);
    one.space.emit("n", &1).unwrap();
    assert_eq!(a.client.next_text().await, r#"42["n",1]"#);
    // Own clients had this one when it was sent.
    one.space.everyone().volatile().emit("v", &2).unwrap();
    assert_eq!(a.client.next_text().await, r#"42["v",2]"#);
    one.space.to("nobody").emit("n", &3).unwrap();
    one.adapter.0.gives_back.store(false, Ordering::SeqCst);
    one.space.emit("n", &4).unwrap();
    assert_eq!(a.hear().await, 4);
}

//= STR-06 test
#[tokio::test(start_paused = true)]
async fn clients_of_a_killed_server_come_back_elsewhere_with_all_they_had() {
    let bus = bus();
    let (one, two) = (node(&bus), node(&bus));
    let mut member = Member::join(&one, "{}").await;
    let socket = one.space.socket(&member.id).unwrap();
    socket.extensions().insert(Name("ann"));
    socket.join("r").unwrap();
    saved().await;
    one.space.to("r").emit("n", &1).unwrap();
    assert_eq!(member.hear().await, 1);
    drop(socket);
    one.kill();
    two.space.to("r").emit("n", &2).unwrap();
    two.space.to("other").emit("n", &3).unwrap();
    two.space.except("r").emit("n", &4).unwrap();
    two.space.to(member.id.as_str()).emit("n", &5).unwrap();
    settle().await;
    let (is_it, missed) = member.come_back(&two, "").await;
    assert!(is_it);
    assert_eq!(missed, [2, 5]);
    let socket = two.space.socket(&member.id).unwrap();
    assert_eq!(socket.rooms(), [Room::from("r")]);
    assert_eq!(socket.extensions().get::<Name>().unwrap().0, "ann");
    assert_eq!(socket.recovered_data(), Some(&"ann".into()));
    two.space.to("r").emit("n", &6).unwrap();
    assert_eq!(member.hear().await, 6);

    // It is taken once, and a server that came later has to read what it missed.
    let three = node(&bus);
    drop(std::mem::replace(
        &mut member.client,
        TestClient::open(&two.io).await,
    ));
    until(async || two.space.socket(&member.id).is_none()).await;
    two.space.to("r").emit("n", &7).unwrap();
    settle().await;
    let late = node(&bus);
    for (node, expected) in [(&late, (true, vec![7.into()])), (&three, (true, vec![]))] {
        assert_eq!(member.come_back(node, "").await, expected);
    }
}

//= STR-08 test
#[tokio::test(start_paused = true)]
async fn what_is_read_of_the_log_and_what_comes_live_is_heard_once() {
    let bus = bus();
    let (one, writer) = (node(&bus), node(&bus));
    let mut member = Member::join(&one, "{}").await;
    saved().await;
    one.kill();
    writer.space.emit("n", &1).unwrap();
    let two = node(&bus);
    let space = writer.space.clone();
    // What is written while it comes back is read for it, and then read by the server.
    *two.adapter.0.on_read.lock().unwrap() = Some(Box::new(move || {
        space.emit("n", &2).unwrap();
    }));
    assert_eq!(
        member.come_back(&two, "").await,
        (true, vec![1.into(), 2.into()])
    );
    assert!(
        two.adapter.0.on_read.lock().unwrap().is_none(),
        "it was read"
    );
    writer.space.emit("n", &3).unwrap();
    assert_eq!(member.hear().await, 3, "and nothing in between");
}

#[tokio::test(start_paused = true)]
async fn word_of_an_earlier_return_that_comes_late_ends_no_later_life() {
    let bus = bus();
    let (one, two) = (node(&bus), node(&bus));
    let mut member = Member::join(&one, "{}").await;
    let mut lives = Vec::new();
    for back_to in [&two, &one, &two] {
        saved().await;
        assert!(member.come_back(back_to, "").await.0);
        saved().await;
        let session = one.adapter.find_session(&member.pid).await.unwrap();
        lives.push(session.unwrap().life);
    }
    assert!(lives.is_sorted_by(|one, next| one < next), "{lives:?}");
    let returned = async |life| {
        let body = ClusterBody::Returned {
            socket: member.id.as_str().into(),
            life,
        };
        let late = ClusterMessage::new(ServerId::new("late"), Scope::namespace("/"), body);
        one.adapter.publish(late).await.unwrap();
        settle().await;
    };
    for life in &lives {
        returned(*life).await;
        assert!(two.space.socket(&member.id).is_some());
    }
    returned(lives[2] + 1).await;
    until(async || two.space.socket(&member.id).is_none()).await;
}

//= CLA-05 test
#[tokio::test(start_paused = true)]
async fn what_is_written_again_is_heard_once_by_who_comes_to_a_server_that_began_meanwhile() {
    for is_before in [true, false] {
        let bus = bus();
        let one = node(&bus);
        let mut member = Member::join(&one, "{}").await;
        saved().await;
        one.space.emit("n", &1).unwrap();
        assert_eq!(member.hear().await, 1);
        let message = one.adapter.0.last.lock().unwrap().clone().unwrap();
        one.kill();
        let two = node(&bus);
        if is_before {
            two.adapter.publish(message.clone()).await.unwrap();
        }
        assert_eq!(member.come_back(&two, "").await, (true, vec![]));
        two.adapter.publish(message).await.unwrap();
        two.space.emit("n", &2).unwrap();
        assert_eq!(member.hear().await, 2, "nothing in between");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_may_come_back_before_its_server_knows_that_it_is_gone() {
    let bus = bus();
    let (one, two) = (node(&bus), node(&bus));
    for back_to in [&one, &two] {
        let mut member = Member::join(&one, "{}").await;
        let former = one.space.socket(&member.id).unwrap();
        former.join("r").unwrap();
        saved().await;
        let open = std::mem::replace(&mut member.client, TestClient::open(&one.io).await);
        let (is_it, missed) = member.come_back(back_to, "").await;
        assert_eq!((is_it, missed), (true, vec![]));
        until(async || !former.is_connected()).await;
        settle().await;
        let socket = back_to.space.socket(&member.id).unwrap();
        assert!(socket.is_connected());
        assert_eq!(socket.rooms(), [Room::from("r")]);
        assert_eq!(back_to.space.ids_in("r").len(), 1);
        back_to.space.to("r").emit("n", &1).unwrap();
        assert_eq!(member.hear().await, 1);
        drop(open);
        member.client.send("41").await;
        until(async || back_to.space.socket(&member.id).is_none()).await;
        let (is_it, _) = member.come_back(back_to, "").await;
        assert!(!is_it, "it had left");
    }
}

fn guarded(bus: &LocalBus) -> Node<()> {
    guarded_by(bus, |io| io.namespace("/").open().unwrap())
}

fn guarded_by(bus: &LocalBus, open: impl FnOnce(&SocketIo) -> Namespace<()>) -> Node<()> {
    let (builder, adapter) = builder(bus);
    let policy = InHandshake::new(auth_fn(
        |_: AuthContext, credential: Credential| async move {
            let token = credential.token().to_owned();
            let (subject, session) = token.split_once('.').unwrap();
            Outcome::Accept(Grant::new((), subject).with_session_id(session))
        },
    ));
    let io = builder.authenticate(policy).build().unwrap();
    let space = open(&io);
    Node { io, space, adapter }
}

//= SIO5-CSR-07 test
#[tokio::test(start_paused = true)]
async fn a_session_without_a_subject_goes_to_whom_the_application_says_and_else_to_nobody() {
    let bus = bus();
    let (none, asked, panics) = (
        guarded(&bus),
        guarded_by(&bus, |io| {
            let adopts = io
                .namespace("/")
                .adopt_session(|subject, session| session.data == subject.id());
            adopts.open().unwrap()
        }),
        guarded_by(&bus, |io| {
            let adopts = io
                .namespace("/")
                .adopt_session(|_, _| panic!("of the application"));
            adopts.open().unwrap()
        }),
    );
    let mut member = Member::join(&none, r#"{"token":"ann.1"}"#).await;
    let save = async |subject: Option<&str>| {
        let mut session = SharedSession::new(&member.id, vec!["r".into()]);
        session.data = "ann".into();
        session.life = u64::MAX;
        session.grant = subject.map(|subject| Grant::new((), subject).into_parts().1);
        let (store, lifetime) = (none.adapter.store(), Duration::from_secs(60));
        let saved = store.save_session(&member.pid, session, lifetime).await;
        saved.unwrap();
    };
    save(None).await;
    let mut clients = Vec::new();
    for (node, token, is_theirs) in [
        (&none, "ann.1", false),
        (&panics, "ann.1", false),
        (&asked, "eve.1", false),
        (&asked, "ann.1", true),
    ] {
        let mut client = TestClient::open(&node.io).await;
        client.send(&format!("40{}", member.claim(token))).await;
        let reply = client.next_text().await;
        assert_eq!(sid_of(&reply) == member.id, is_theirs, "{token}");
        clients.push(client);
    }
    save(Some("eve")).await;
    assert!(
        !member.come_back(&asked, "ann.1").await.0,
        "it names somebody"
    );
}

//= SIO5-CSR-07 test
#[tokio::test(start_paused = true)]
async fn only_the_same_subject_gets_it_back_and_nobody_once_it_is_revoked() {
    let bus = bus();
    let (one, two) = (guarded(&bus), guarded(&bus));
    let mut member = Member::join(&one, r#"{"token":"ann.1"}"#).await;
    saved().await;
    one.kill();
    assert!(!member.come_back(&two, "eve.1").await.0);
    assert!(
        member.come_back(&two, "ann.2").await.0,
        "it was left to its owner"
    );
    saved().await;

    let three = guarded(&bus);
    tokio::time::sleep(Duration::from_secs(20)).await;
    let mut kicked = Member::join(&two, r#"{"token":"bob.1"}"#).await;
    saved().await;
    two.kill();
    tokio::time::sleep(Duration::from_secs(20)).await;
    three.io.auth().kick(&Revocation::session("1"));
    assert!(!kicked.come_back(&three, "bob.2").await.0);
    assert!(
        member.come_back(&three, "ann.3").await.0,
        "by the second login it was saved"
    );
}

#[tokio::test(start_paused = true)]
async fn a_live_client_is_renewed_and_one_that_is_away_too_long_is_a_stranger() {
    let bus = bus();
    let (one, two) = (node(&bus), node(&bus));
    let mut member = Member::join(&one, "{}").await;
    member
        .client
        .expect_silence(Duration::from_secs(1_000))
        .await;
    one.kill();
    assert!(member.come_back(&two, "").await.0);
    drop(std::mem::replace(
        &mut member.client,
        TestClient::open(&two.io).await,
    ));
    until(async || two.space.socket(&member.id).is_none()).await;
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert!(!member.come_back(&two, "").await.0);
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_has_too_much_is_not_saved_and_that_is_told() {
    let bus = bus();
    let two = node(&bus);
    for (bytes, comes_back) in [(74, true), (73, false)] {
        let (builder, adapter) = builder(&bus);
        let errors = crate::tests::Log::default();
        let told = errors.clone();
        let io = builder
            .recovery(|recovery| recovery.max_session_bytes(bytes))
            .on_adapter_error(move |error| told.add(error.to_string()))
            .build()
            .unwrap();
        let space = io.namespace("/").open().unwrap();
        let one = Node { io, space, adapter };
        let mut member = Member::join(&one, "{}").await;
        // Beside its own, of 20 bytes and 16, and `{}`; twice, as it joins after something was said.
        one.space.socket(&member.id).unwrap().join("ab").unwrap();
        saved().await;
        let told = AdapterError::SessionTooLarge.to_string();
        assert_eq!(errors.take().contains(&told), !comes_back);
        one.kill();
        assert_eq!(member.come_back(&two, "").await.0, comes_back);
    }
}

#[tokio::test(start_paused = true)]
async fn clients_of_a_server_that_ends_in_order_come_back_elsewhere() {
    let bus = bus();
    let (one, two) = (node(&bus), node(&bus));
    let mut member = Member::join(&one, "{}").await;
    one.space.socket(&member.id).unwrap().join("r").unwrap();
    one.io.close();
    settle().await;
    assert_eq!(member.come_back(&two, "").await, (true, vec![]));
    assert_eq!(two.space.ids_in("r").len(), 1, "it was saved at the end");
}

#[tokio::test(start_paused = true)]
async fn what_was_said_in_a_room_before_the_client_came_into_it_is_not_for_it() {
    let bus = bus();
    let (one, two) = (node(&bus), node(&bus));
    let mut member = Member::join(&one, "{}").await;
    let socket = one.space.socket(&member.id).unwrap();
    for number in [1, 2] {
        two.space.to("r").emit("n", &number).unwrap();
        settle().await;
        socket.join("r").unwrap();
    }
    saved().await;
    one.kill();
    assert_eq!(member.come_back(&two, "").await, (true, vec![2.into()]));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_has_not_the_namespace_yet_reads_what_was_said_there() {
    let bus = bus();
    let nodes = [(); 3].map(|()| {
        let (builder, adapter) = builder(&bus);
        let io = builder.build().unwrap();
        let family = io.namespaces("/dyn-#").on("hi", |_, (): ()| async {});
        (io, family.open().unwrap(), adapter)
    });
    let [(one, ones, adapter), (two, twos, _), (three, threes, _)] = &nodes;
    let mut client = TestClient::open(one).await;
    let reply = client.join("/dyn-1").await;
    let (_, json) = reply.split_once(',').unwrap();
    let json: Value = serde_json::from_str(json).unwrap();
    ones.namespaces()[0].emit("n", &0).unwrap();
    let (_, heard) = text_of(client.next_text().await.split_once(',').unwrap().1);
    saved().await;
    let mut other = TestClient::open(three).await;
    other.join("/dyn-1").await;
    adapter.0.is_dead.store(true, Ordering::SeqCst);
    one.close();
    threes.namespaces()[0].emit("n", &1).unwrap();
    settle().await;
    assert!(twos.namespaces().is_empty());
    let mut client = TestClient::open(two).await;
    let pid = &json["pid"];
    let claim = format!(r#"40/dyn-1,{{"pid":{pid},"offset":"{heard}"}}"#);
    client.send(&claim).await;
    let missed = client.next_text().await;
    assert_eq!(text_of(missed.split_once(',').unwrap().1).0, 1);
    let answer = client.next_text().await;
    assert!(answer.contains(json["sid"].as_str().unwrap()), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_makes_a_stranger_when_the_time_is_up() {
    let bus = bus();
    let (one, two) = (node(&bus), node(&bus));
    let mut member = Member::join(&one, "{}").await;
    saved().await;
    one.kill();
    two.adapter.0.is_hanging.store(true, Ordering::SeqCst);
    let before = tokio::time::Instant::now();
    assert_eq!(member.come_back(&two, "").await, (false, vec![]));
    assert_eq!(before.elapsed(), Duration::from_secs(5));
    two.adapter.0.is_hanging.store(false, Ordering::SeqCst);
    assert!(member.come_back(&two, "").await.0, "it was left");
}

#[tokio::test(start_paused = true)]
async fn one_entry_past_the_bound_of_a_replay_makes_a_stranger_and_leaves_the_session() {
    let bus = bus();
    let (one, writer) = (node(&bus), node(&bus));
    let mut member = Member::join(&one, "{}").await;
    saved().await;
    one.kill();
    for number in 0..3 {
        writer.space.to("others").emit("n", &number).unwrap();
    }
    for (entries, comes_back) in [(2, false), (3, true)] {
        let (builder, adapter) = builder(&bus);
        let builder = builder.recovery(|recovery| recovery.max_replay(entries, 1_000_000));
        let io = builder.build().unwrap();
        let space = io.namespace("/").open().unwrap();
        let late = Node { io, space, adapter };
        assert_eq!(member.come_back(&late, "").await.0, comes_back);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_without_recovery_hears_and_sends_each_event_once_and_at_once() {
    let bus = bus();
    let one = node(&bus);
    let io = SocketIo::builder().adapter(bus.adapter()).build().unwrap();
    let space = io.namespace("/").open().unwrap();
    let mut a = Member::join(&one, "{}").await;
    let mut b = TestClient::open(&io).await;
    b.join("/").await;
    space.emit("n", &1).unwrap();
    one.space.emit("n", &2).unwrap();
    space.emit("n", &3).unwrap();
    for number in 1..4 {
        assert_eq!(a.hear().await, number);
    }
    let mut heard = Vec::new();
    for _ in 0..3 {
        heard.push(b.next_text().await);
    }
    heard.sort();
    assert_eq!(
        heard,
        [1, 2, 3].map(|number| format!(r#"42["n",{number}]"#))
    );
    b.expect_silence(Duration::from_secs(1)).await;
}
