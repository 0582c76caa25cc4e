//! The example's adapter for NATS, held to what the adapters for Redis are, with a real nats-server: clusters that speak to the official
//! clients, a bus that goes and comes back, garbage, odd names, and every bound. `scripts/setup` installs what this needs.

#![allow(clippy::panic, reason = "a helper that fails fails its test")]

#[path = "support/nats.rs"]
mod nats;
#[path = "support/node.rs"]
mod node;
#[path = "support/nodes.rs"]
#[allow(dead_code, reason = "no adapter of Node speaks to this one")]
mod nodes;
#[path = "support/process.rs"]
mod process;

use std::error::Error as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nats::{Nats, Speaker};
use nats_adapter::{ConnectOptions, NatsAdapter};
use nodes::{Rust, run_at, start};
use process::Listening;
use serde_json::{Value, json};
use socketio::cluster::{AdapterError, ServerCount};
use socketio::testing::TestClient;
use socketio::{Namespace, SocketIo};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;

fn run(script: &str) {
    let nats = Nats::start();
    let pid = nats.pid().to_string();
    let environment = [("BUS_PID", &*pid)];
    run_at(
        &nats.url(),
        &nats.url(),
        script,
        [Rust, Rust],
        "nats",
        &environment,
    );
}

#[test]
fn two_servers_are_one_to_the_official_clients() {
    run("cluster");
}

#[test]
fn a_nats_server_that_goes_and_comes_back() {
    run("cluster-outage");
}

#[test]
fn the_rules_of_clusters_hold() {
    let nats = Nats::start();
    let start = |name| start(Rust, "nats", &nats.url(), name, &[]);
    let nodes: [Listening; 3] = ["one", "two", "three"].map(start);
    let urls = nodes
        .iter()
        .map(|node| format!("http://{}", node.address))
        .collect::<Vec<_>>()
        .join(",");
    let mut suite = Command::new(env!("CARGO_BIN_EXE_conformance-tests"));
    let output = suite.args(["--cluster", &urls]).output();
    let output = output.expect("the suite's binary runs");
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}");
    assert!(report.contains(" 0 not run"), "{report}");
}

/// What went wrong, as it was told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<AdapterError>>>);

impl Told {
    fn is_empty(&self) -> bool {
        self.0.lock().expect("nobody panics").is_empty()
    }

    fn take(&self) -> Vec<String> {
        let told = std::mem::take(&mut *self.0.lock().expect("nobody panics"));
        let text = |error: &AdapterError| {
            let source = error.source().map(ToString::to_string);
            format!("{error}: {}", source.unwrap_or_default())
        };
        told.iter().map(text).collect()
    }
}

/// One server of a cluster.
struct Server {
    io: SocketIo,
    told: Told,
    root: Namespace<()>,
}

impl Server {
    fn new(url: &str) -> Self {
        Self::with(NatsAdapter::new(url).expect("an address"))
    }

    fn with(adapter: NatsAdapter) -> Self {
        let told = Told::default();
        let errors = told.clone();
        let io = SocketIo::builder()
            .adapter(adapter)
            .cluster(|settings| settings.request_timeout(Duration::from_secs(1)))
            .on_adapter_error(move |error| {
                let mut errors = errors.0.lock().expect("nobody panics");
                errors.push(error.clone());
            })
            .build()
            .expect("it can be built");
        let root = io.namespace("/").open().expect("it is free");
        io.namespaces("/room-#").open().expect("it is free");
        Self { io, told, root }
    }

    /// One that hears the others.
    async fn ready(url: &str) -> Self {
        let server = Self::new(url);
        server.io.ready().await.expect("NATS is there");
        server
    }

    /// A client that has joined the namespace.
    async fn client(&self, nsp: &str) -> TestClient {
        let mut client = TestClient::open(&self.io).await;
        client.connect(nsp, &()).await;
        client
    }

    /// Lets NATS work until it is so.
    async fn until(&self, is_so: impl AsyncFn() -> bool) {
        for _ in 0..100_000 {
            if is_so().await {
                return;
            }
            self.io.ready().await.expect("NATS is there");
        }
        panic!("it never came about: {:?}", self.told.take());
    }

    async fn knows(&self, servers: usize) {
        self.until(async || {
            let count = self.root.server_count().await;
            count.is_ok_and(|count| count == ServerCount::Exactly(servers))
        })
        .await;
    }
}

fn runtime(threads: usize) -> Runtime {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(threads).enable_all().build();
    runtime.expect("a runtime")
}

/// Two servers that know each other.
async fn pair(nats: &Nats) -> (Server, Server) {
    let (one, two) = (
        Server::ready(&nats.url()).await,
        Server::ready(&nats.url()).await,
    );
    one.knows(2).await;
    two.knows(2).await;
    (one, two)
}

/// A way to the nats-server on which its words wait while it is shut.
struct Gate {
    url: String,
    is_open: watch::Sender<bool>,
    /// How often somebody spoke to himself, to hear it.
    echoes: watch::Receiver<usize>,
    _carrying: JoinSet<()>,
}

impl Gate {
    async fn before(nats: &Nats) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("nats://{}", listener.local_addr().expect("it is bound"));
        let nats = nats.url().replace("nats://", "");
        let (is_open, mut opened) = watch::channel(true);
        let (echoing, echoes) = watch::channel(0);
        let mut carrying = JoinSet::new();
        carrying.spawn(async move {
            let (client, _) = listener.accept().await.expect("a client");
            let nats = TcpStream::connect(nats).await.expect("it listens");
            let ((says, mut hears), (mut answers, mut asked)) =
                (client.into_split(), nats.into_split());
            let up = async {
                let mut lines = BufReader::new(says).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    let _ = asked.write_all(format!("{line}\r\n").as_bytes()).await;
                    if line.starts_with("PUB _INBOX.") {
                        echoing.send_modify(|echoes| *echoes += 1);
                    }
                }
            };
            let down = async {
                let mut bytes = [0; 4096];
                while let Ok(read @ 1..) = answers.read(&mut bytes).await {
                    let _ = opened.wait_for(|is_open| *is_open).await;
                    let _ = hears.write_all(&bytes[..read]).await;
                }
            };
            tokio::join!(up, down);
        });
        Self {
            url,
            is_open,
            echoes,
            _carrying: carrying,
        }
    }
}

#[tokio::test]
async fn clients_are_let_in_when_the_nats_server_has_the_subscription() {
    let nats = Nats::start();
    let mut gate = Gate::before(&nats).await;
    let server = Server::ready(&gate.url).await;
    gate.is_open.send_replace(false);
    gate.echoes.mark_unchanged();
    let mut joined = std::pin::pin!(server.client("/room-7"));
    tokio::select! {
        biased;
        _ = &mut joined => panic!("nobody knows whether it is heard"),
        asked = gate.echoes.changed() => asked.expect("it is carried"),
    }
    gate.is_open.send_replace(true);
    joined.await;
}

#[tokio::test]
async fn what_is_opened_is_heard_when_it_says_so() {
    let nats = Nats::start();
    let server = Server::ready(&nats.url()).await;
    let mut speaker = Speaker::new(&nats);
    for subject in ["socket.io.nsp.%2F", "socket.io.server"] {
        assert!(speaker.is_heard(subject), "{subject}");
    }
    // A client is let in behind the subscription, and the last that goes takes it along.
    let subject = "socket.io.nsp.%2Froom%2D7";
    assert!(!speaker.is_heard(subject));
    let client = server.client("/room-7").await;
    assert!(speaker.is_heard(subject));
    drop(client);
    let speaker = Mutex::new(speaker);
    let is_heard = || speaker.lock().expect("nobody panics").is_heard(subject);
    server.until(async || !is_heard()).await;
}

#[tokio::test]
async fn a_user_needs_no_more_than_the_page_says() {
    let page = include_str!("../../socketio/examples/nats_adapter/README.md");
    assert!(page.contains("It needs `<prefix>.>` and `_INBOX.>`."));
    let subjects = r#"["socket.io.>", "_INBOX.>"]"#;
    let settings = format!(
        "authorization {{ users: [{{ user: chat, password: secret, \
         permissions: {{ publish: {subjects}, subscribe: {subjects} }} }}] }}"
    );
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nats.conf");
    fs::write(&file, settings).expect("our own folder");
    let nats = Nats::with(file.to_str().expect("a name of our own"));
    let server = || {
        let chat = ConnectOptions::with_user_and_password("chat".into(), "secret".into());
        let adapter = NatsAdapter::new(nats.url()).expect("an address");
        Server::with(adapter.options(chat))
    };
    let (one, two) = (server(), server());
    for server in [&one, &two] {
        server.io.ready().await.expect("NATS is there");
    }
    one.knows(2).await;
    let mut client = two.client("/").await;
    one.root.emit("x", &1).expect("a number");
    assert_eq!(client.expect_event::<u32>("x").await, 1);
    assert!(one.root.fetch_sockets().await.is_complete());
    assert_eq!(one.told.take(), [""; 0]);
    assert_eq!(two.told.take(), [""; 0]);
}

#[tokio::test]
async fn namespaces_may_be_called_anything() {
    let nats = Nats::start();
    let (one, two) = pair(&nats).await;
    let long = format!("/{}", "x".repeat(200));
    let names = [
        "/a b", "/a.b", "/a*", "/*", "/>", "/a%20b", "/é😀", "/\t", "/server", &long,
    ];
    for name in names {
        let open = |server: &Server| server.io.namespace(name).open().expect("it is free");
        let (here, _there) = (open(&one), open(&two));
        two.io.ready().await.expect("NATS is there");
        let mut client = two.client(name).await;
        here.emit("name", name).expect("it is text");
        assert_eq!(client.expect_event::<String>("name").await, name);
    }
    assert_eq!(one.told.take(), [""; 0]);
    assert_eq!(two.told.take(), [""; 0]);
}

#[tokio::test]
async fn garbage_on_every_subject_is_ignored() {
    let nats = Nats::start();
    let (one, two) = pair(&nats).await;
    let mut client = two.client("/").await;
    let mut speaker = Speaker::new(&nats);
    speaker.overhear("socket.io.nsp.%2F");
    two.root.emit("x", &0).expect("a number");
    assert_eq!(client.expect_event::<u32>("x").await, 0);
    let said: Value = serde_json::from_slice(&speaker.overheard()).expect("JSON");
    let answers = format!("socket.io.to.{}", said["uid"].as_str().expect("an id"));
    let question = |asker: &str| {
        let asked = json!({"opts": {"rooms": [], "except": [], "flags": {}}, "requestId": "r"});
        let question = json!({"type": 7, "uid": asker, "nsp": "/", "data": asked});
        question.to_string().into_bytes()
    };
    let payloads = [
        b"".to_vec(),
        b"{".to_vec(),
        vec![0xc1],
        vec![0x91; 100_000],
        br#"{"type":3,"uid":"u","nsp":"/","data":{}}"#.to_vec(),
        br#"{"type":2,"uid":"u","nsp":"/other"}"#.to_vec(),
        br#"{"type":2,"uid":"u"}"#.to_vec(),
        question("a b.>*"),
        // The answer would take more than a command may.
        question(&"x".repeat(5_000)),
    ];
    let mut speaker = Speaker::new(&nats);
    for subject in [
        "socket.io.nsp.%2F",
        "socket.io.server",
        &format!("{answers}.%2F"),
        &format!("{answers}.%2Fother"),
        &format!("{answers}.%FF"),
    ] {
        for payload in &payloads {
            speaker.say(subject, payload);
        }
    }
    speaker.finish();
    one.root.emit("x", &1).expect("a number");
    assert_eq!(client.expect_event::<u32>("x").await, 1);
    // What is asked and answered, comes by the other subjects.
    two.until(async || two.root.fetch_sockets().await.items().len() == 1)
        .await;
    let told = two.told.take();
    for what in [
        "neither JSON nor msgpack",
        "there is no packet",
        "about another namespace",
        "a subject would have more than 2048 bytes",
    ] {
        assert!(
            told.iter().any(|error| error.contains(what)),
            "{what}: {told:?}"
        );
    }
    assert!(
        !told.iter().any(|error| error.contains("disconnected")),
        "{told:?}"
    );
    assert!(two.io.is_cluster_connected());
}

/// At the nats-server's `max_payload`, and one byte past it.
#[tokio::test]
async fn what_is_too_long_for_the_nats_server_is_refused_and_costs_no_connection() {
    const MAX_PAYLOAD: usize = 1024 * 1024;
    let nats = Nats::start();
    let (one, two) = pair(&nats).await;
    let mut client = two.client("/").await;
    let mut speaker = Speaker::new(&nats);
    speaker.overhear("socket.io.nsp.%2F");
    one.root.emit("x", "").expect("text");
    assert_eq!(client.expect_event::<String>("x").await, "");
    let rest = MAX_PAYLOAD - speaker.overheard().len();
    one.root.emit("x", &*"y".repeat(rest)).expect("text");
    one.root.emit("x", &*"y".repeat(rest + 1)).expect("text");
    one.root.emit("x", "last").expect("text");
    for length in [rest, 4] {
        assert_eq!(client.expect_event::<String>("x").await.len(), length);
    }
    let told = one.told.take();
    let [refused] = &told[..] else {
        panic!("{told:?}");
    };
    assert!(
        refused.contains("Payload size limit of 1048576"),
        "{refused}"
    );
    assert!(one.io.is_cluster_connected());
}

/// What the client holds, and what waits in line for it: `MAX_QUEUED` and `max_publishing`. Nothing else runs meanwhile.
#[tokio::test]
async fn what_waits_for_nats_is_bounded_and_stays_in_order() {
    const WAITING: usize = 512 + 1024;
    let nats = Nats::start();
    let (one, two) = pair(&nats).await;
    let mut client = two.client("/").await;
    one.io.ready().await.expect("NATS is there");
    // What was asked for just now is taken back, and the queue is empty.
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    for number in 0..=WAITING {
        one.root.emit("n", &number).expect("a number");
    }
    assert_eq!(one.told.take().len(), 1);
    for number in 0..WAITING {
        assert_eq!(client.expect_event::<usize>("n").await, number);
    }
    one.root.emit("n", &WAITING).expect("a number");
    assert_eq!(client.expect_event::<usize>("n").await, WAITING);
    assert_eq!(one.told.take(), [""; 0]);
}

/// A server that does not come to reading what is said in the namespace `/held`, until it may go on.
struct Held {
    server: Server,
    space: Namespace<()>,
    go_on: Sender<()>,
}

impl Held {
    fn new(nats: &Nats, runtime: &Runtime) -> Self {
        let (began, has_begun) = channel();
        let (go_on, held) = channel::<()>();
        let held = Mutex::new(held);
        let server = runtime.block_on(Server::ready(&nats.url()));
        let hold = move |_: Namespace<()>, (): ()| {
            let _ = began.send(());
            let _ = held.lock().expect("nobody panics").recv();
            async {}
        };
        let space = server.io.namespace("/held").on_server_side("hold", hold);
        let space = runtime.block_on(async { space.open().expect("it is free") });
        runtime.block_on(server.io.ready()).expect("NATS is there");
        let hold = br#"{"type":9,"uid":"emitter","nsp":"/held","data":{"packet":["hold"]}}"#;
        Speaker::new(nats).say(HELD, hold);
        has_begun.recv().expect("it is there");
        Self {
            server,
            space,
            go_on,
        }
    }
}

const HELD: &str = "socket.io.nsp.%2Fheld";

/// `MAX_UNREAD` of one subject, but for the server's own heartbeats, and one more.
#[test]
fn messages_that_are_not_read_in_time_are_dropped_which_is_told() {
    const MAX_UNREAD: usize = 65_536;
    const HEARTBEATS: usize = 16;
    let nats = Nats::start();
    let runtime = runtime(2);
    let Held { server, go_on, .. } = Held::new(&nats, &runtime);
    let mut speaker = Speaker::new(&nats);
    let mut say = |messages: usize| {
        for _ in 0..messages {
            speaker.say(HELD, b"");
        }
        speaker.finish();
        runtime.block_on(server.io.ready()).expect("NATS is there");
    };
    say(MAX_UNREAD - HEARTBEATS);
    assert_eq!(server.told.take(), [""; 0]);
    say(HEARTBEATS + 1);
    runtime.block_on(server.until(async || !server.told.is_empty()));
    let told = server.told.take();
    assert!(
        told.iter().all(|error| error.contains("slow consumer")),
        "{told:?}"
    );
    assert!(server.io.is_cluster_connected());
    go_on.send(()).expect("it is held");
}

/// Answers have a subject of their own, so many of them may be read before an event that was said before them.
#[test]
fn an_event_that_answers_overtook_is_heard() {
    const MORE_THAN_NUMBERS_TELL: usize = 1_100;
    let nats = Nats::start();
    let runtime = runtime(3);
    let one = runtime.block_on(Server::ready(&nats.url()));
    let there = runtime.block_on(async { one.io.namespace("/held").open().expect("it is free") });
    runtime.block_on(one.io.ready()).expect("NATS is there");
    let held = Held::new(&nats, &runtime);
    runtime.block_on(async {
        let mut client = held.server.client("/held").await;
        there.emit("x", &1).expect("a number");
        for _ in 0..MORE_THAN_NUMBERS_TELL {
            let asked = held.space.fetch_sockets().await;
            assert!(asked.is_complete());
        }
        held.go_on.send(()).expect("it is held");
        assert_eq!(client.expect_event::<u32>("x").await, 1);
    });
}

/// Nobody says that it goes.
#[test]
fn a_question_ends_where_a_server_was_killed() {
    let nats = Nats::start();
    let (mine, others) = (runtime(1), runtime(1));
    let two = others.block_on(Server::ready(&nats.url()));
    mine.block_on(async {
        let one = Server::ready(&nats.url()).await;
        one.knows(2).await;
        assert!(one.root.fetch_sockets().await.is_complete());
        others.shutdown_background();
        drop(two);
        assert!(!one.root.fetch_sockets().await.is_complete());
        assert_eq!(one.told.take(), [""; 0]);
    });
}

#[tokio::test]
async fn what_a_server_said_before_it_closed_is_heard_and_it_is_missed_by_nobody() {
    let nats = Nats::start();
    let (one, two) = pair(&nats).await;
    let mut client = two.client("/").await;
    one.root.emit("x", &1).expect("a number");
    one.io.drain(Duration::from_secs(5)).await;
    assert_eq!(client.expect_event::<u32>("x").await, 1);
    // It said that it goes, and nobody waits for it.
    two.io.ready().await.expect("NATS is there");
    two.knows(1).await;
    assert!(two.root.fetch_sockets().await.is_complete());
    assert_eq!(one.told.take(), [""; 0]);
}

#[tokio::test]
async fn a_server_that_starts_before_nats_is_ready_when_nats_is() {
    let away = Nats::start().kill();
    let one = Server::new(&away.url());
    let two = Server::new(&away.url());
    assert!(!one.io.is_cluster_connected());
    // Whoever comes meanwhile is served.
    let mut client = two.client("/").await;
    let nats = away.start_again();
    for server in [&one, &two] {
        server.io.ready().await.expect("NATS is there");
        assert!(server.io.is_cluster_connected());
        let told = server.told.take();
        assert!(
            told.iter().all(|error| error.contains("client error")),
            "{told:?}"
        );
    }
    one.root.emit("x", &1).expect("a number");
    assert_eq!(client.expect_event::<u32>("x").await, 1);
    drop(nats);
}
