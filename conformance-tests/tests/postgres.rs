//! Nodes of this library and of Node behind one real Postgres, with the official clients. `scripts/setup` installs what this
//! needs.

#![allow(clippy::panic, reason = "a helper that fails fails its test")]
#![allow(clippy::disallowed_methods, reason = "tasks end with their test")]

#[path = "support/node.rs"]
mod node;
#[path = "support/nodes.rs"]
mod nodes;
#[path = "support/postgres.rs"]
mod postgres;
#[path = "support/process.rs"]
mod process;
#[path = "support/redis.rs"]
#[allow(dead_code, reason = "the tests with a Redis are elsewhere")]
mod redis;

use std::error::Error as _;
use std::process::Command;
use std::time::Duration;

use nodes::{Kind, Node, Rust, run_at, start};
use postgres::Postgres;
use postgres_adapter::{MAX_CHANNEL_BYTES, PostgresAdapter, PostgresError};
use process::Listening;
use socketio::cluster::AdapterError;
use socketio::{Namespace, SocketIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_postgres::{Client, NoTls};

fn run(script: &str, kinds: [Kind; 2], environment: &[(&str, &str)]) {
    let postgres = Postgres::start();
    let url = &postgres.url;
    run_at(url, url, script, kinds, "postgres", environment);
}

#[test]
fn ours_with_ours() {
    run("cluster", [Rust, Rust], &[]);
}

#[test]
fn ours_tells_node() {
    run("cluster", [Rust, Node], &[]);
}

#[test]
fn node_tells_ours() {
    run("cluster", [Node, Rust], &[]);
}

/// Prefixes are the operator's, and names of dynamic namespaces the clients'.
//= PGA-01 test
#[test]
fn a_prefix_with_quotes_in_it_is_a_prefix() {
    run("cluster", [Rust, Rust], &[("PREFIX", "it's \"ours\"")]);
}

#[test]
fn an_emitter_of_node_is_heard() {
    run("cluster-postgres", [Rust, Rust], &[]);
}

/// The rules of clusters hold between nodes of these kinds, as the suite's own command sees it.
fn conforms(kinds: &[Kind]) {
    let postgres = Postgres::start();
    let nodes: Vec<Listening> = kinds
        .iter()
        .zip(["one", "two", "three"])
        .map(|(&kind, name)| start(kind, "postgres", &postgres.url, name, &[]))
        .collect();
    let urls = nodes.iter().map(|node| format!("http://{}", node.address));
    let urls: Vec<String> = urls.collect();
    let output = Command::new(env!("CARGO_BIN_EXE_conformance-tests"))
        .args(["--cluster", &urls.join(",")])
        .output()
        .expect("the suite's binary runs");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{kinds:?}: {said}");
    assert!(said.contains(" 0 not run"), "{said}");
}

#[test]
fn the_rules_of_clusters_hold() {
    conforms(&[Rust, Rust, Rust]);
    conforms(&[Rust, Node]);
}

/// A server in this process, and the notes of others that it heard in each namespace.
struct Server {
    io: SocketIo,
    here: Namespace<()>,
    all: Vec<Namespace<()>>,
    notes: mpsc::UnboundedReceiver<(String, u32)>,
    errors: mpsc::UnboundedReceiver<AdapterError>,
}

impl Server {
    fn build(address: &str, namespaces: &[&str]) -> Self {
        let (noting, notes) = mpsc::unbounded_channel();
        let (telling, errors) = mpsc::unbounded_channel();
        let io = SocketIo::builder()
            .adapter(PostgresAdapter::new(address).expect("an address"))
            .cluster(|settings| settings.request_timeout(Duration::from_secs(1)))
            .on_adapter_error(move |error: &AdapterError| {
                let _ = telling.send(error.clone());
            })
            .build()
            .expect("the options are sound");
        let open = |name: &str| {
            let noting = noting.clone();
            let builder = io.namespace(name);
            let builder = builder.on_server_side("note", move |here: Namespace<()>, note: u32| {
                let _ = noting.send((here.name().to_owned(), note));
                async {}
            });
            builder.open().expect("the first of its name")
        };
        let here = open("/");
        let mut all = vec![here.clone()];
        all.extend(namespaces.iter().map(|name| open(name)));
        Self {
            io,
            here,
            all,
            notes,
            errors,
        }
    }

    async fn start(address: &str, namespaces: &[&str]) -> Self {
        let server = Self::build(address, namespaces);
        server.io.ready().await.expect("Postgres is there");
        server
    }

    fn note(&self, nsp: &str, note: u32) {
        let mut all = self.all.iter();
        let namespace = all.find(|one| one.name() == nsp).expect("it is open");
        let said = namespace.server_side_emit("note", &note);
        said.expect("it can be encoded");
    }

    /// Returns when it heard a heartbeat.
    async fn knows_another(&self) {
        let knows = async {
            while self.count().await < 2 {
                tokio::task::yield_now().await;
            }
        };
        let known = tokio::time::timeout(Duration::from_secs(60), knows).await;
        known.expect("the other is there");
    }

    async fn count(&self) -> usize {
        let count = self.here.server_count().await;
        count.map_or(0, |count| count.get())
    }

    async fn told(&mut self, is_it: impl Fn(&AdapterError) -> bool) -> AdapterError {
        let telling = async {
            loop {
                let error = self.errors.recv().await.expect("the server is here");
                if is_it(&error) {
                    return error;
                }
            }
        };
        let told = tokio::time::timeout(Duration::from_secs(60), telling).await;
        told.expect("it is told")
    }
}

fn source(error: &AdapterError) -> Option<&PostgresError> {
    error.source()?.downcast_ref()
}

/// A connection that knows nothing of servers.
async fn stranger(address: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(address, NoTls)
        .await
        .expect("Postgres is there");
    tokio::spawn(connection);
    client
}

//= PGA-01 test
#[tokio::test]
async fn namespaces_of_any_name_have_channels_of_their_own() {
    let fits = format!("/{}", "é".repeat(26));
    let names = [
        "/\"; DROP TABLE socket_io_attachments; --",
        "/it's \\ here\n",
        "/A",
        "/a",
        &*fits,
    ];
    assert_eq!("socket.io#".len() + fits.len(), MAX_CHANNEL_BYTES);
    let postgres = Postgres::start();
    let one = Server::start(&postgres.url, &names).await;
    let mut other = Server::start(&postgres.url, &names).await;
    for (number, name) in (0..).zip(names) {
        one.note(name, number);
        assert_eq!(other.notes.recv().await, Some((name.to_owned(), number)));
    }
}

/// Postgres would cut the name off, and this namespace hear of another one.
//= PGA-01 test
#[tokio::test]
async fn a_name_that_is_too_long_is_told_and_harms_nobody_else() {
    let postgres = Postgres::start();
    let long = format!("/a{}", "é".repeat(26));
    let mut one = Server::start(&postgres.url, &[&long]).await;
    let mut other = Server::start(&postgres.url, &[&long]).await;
    let is_it = |error: &AdapterError| matches!(source(error), Some(PostgresError::InvalidChannel(name)) if name.ends_with(&long));
    other.told(is_it).await;
    one.note(&long, 1);
    one.told(is_it).await;
    one.note("/", 2);
    assert_eq!(other.notes.recv().await, Some(("/".into(), 2)));
}

/// What the reference survives, and what it does not.
//= RDS-02 test
#[tokio::test]
async fn garbage_on_the_channels_is_ignored_and_told() {
    let postgres = Postgres::start();
    let mut one = Server::start(&postgres.url, &[]).await;
    let other = Server::start(&postgres.url, &[]).await;
    let stranger = stranger(&postgres.url).await;
    let mut garbage: Vec<String> = ["", "{", "null", "[]", "{}", "\u{1}", "{\"attachmentId\":"]
        .map(str::to_owned)
        .into();
    garbage.push("[".repeat(7_000));
    for id in [
        "1000",
        "\"1000\"",
        "-1",
        "1e99",
        "{}",
        "\"\"",
        "99999999999999999999",
    ] {
        garbage.push(format!(r#"{{"uid":"u","type":3,"attachmentId":{id}}}"#));
    }
    for kind in 0..16 {
        for rest in [
            "",
            r#","data":{}"#,
            r#","data":{"opts":1,"packet":2,"rooms":3}"#,
        ] {
            garbage.push(format!(r#"{{"uid":"u","nsp":"/","type":{kind}{rest}}}"#));
        }
    }
    let rows = "INSERT INTO socket_io_attachments (payload) VALUES (NULL), ('\\xc1'), ('\\x80') RETURNING id";
    for row in stranger.query(rows, &[]).await.expect("the table is there") {
        let id: i64 = row.get(0);
        garbage.push(format!(r#"{{"uid":"u","type":3,"attachmentId":{id}}}"#));
    }
    for channel in ["socket.io#/", "socket.io-server#", "socket.io#/nobody"] {
        for payload in &garbage {
            let sql = "SELECT pg_notify($1, $2)";
            let said = stranger.execute(sql, &[&channel, payload]).await;
            said.expect("it is no garbage for Postgres");
        }
    }
    other.note("/", 7);
    assert_eq!(one.notes.recv().await, Some(("/".into(), 7)));
    let mut ignored = 0;
    while let Ok(error) = one.errors.try_recv() {
        assert!(matches!(error, AdapterError::Ignored(_)), "{error:?}");
        ignored += 1;
    }
    // Heartbeats of an unknown server are none.
    assert!(ignored > garbage.len(), "{ignored} of {}", garbage.len());
}

/// One that is attached is fetched first.
//= RDS-01 test
#[tokio::test]
async fn what_is_attached_keeps_its_place() {
    let postgres = Postgres::start();
    let (telling, mut told) = mpsc::unbounded_channel();
    let one = Server::start(&postgres.url, &[]).await;
    let other = SocketIo::builder()
        .adapter(PostgresAdapter::new(&postgres.url).expect("an address"))
        .build()
        .expect("the options are sound");
    other
        .namespace("/")
        .on_server_side("text", move |_: Namespace<()>, text: String| {
            let _ = telling.send(text.len());
            async {}
        })
        .open()
        .expect("the first");
    other.ready().await.expect("Postgres is there");
    for length in [10, 100_000, 20, 9_000, 30] {
        let text = "x".repeat(length);
        one.here
            .server_side_emit("text", &text)
            .expect("it is text");
    }
    for length in [10, 100_000, 20, 9_000, 30] {
        assert_eq!(told.recv().await, Some(length));
    }
}

//= PGA-03 test
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_goes_and_comes_back() {
    let mut postgres = Postgres::start();
    let mut one = Server::start(&postgres.url, &[]).await;
    let mut other = Server::start(&postgres.url, &[]).await;
    tokio::join!(one.knows_another(), other.knows_another());
    one.note("/", 1);
    assert_eq!(other.notes.recv().await, Some(("/".into(), 1)));
    postgres.stop();
    for server in [&mut one, &mut other] {
        server
            .told(|error| matches!(error, AdapterError::Bus(_)))
            .await;
        assert!(!server.io.is_cluster_connected());
    }
    let sockets = one.here.everyone().fetch_sockets().await;
    assert!(!sockets.is_complete(), "the other does not answer");
    // What is said meanwhile waits.
    one.note("/", 2);
    postgres.restart();
    for server in [&one, &other] {
        server.io.ready().await.expect("it is back");
    }
    let answers = async {
        loop {
            one.note("/", 3);
            let sockets = one.here.everyone().fetch_sockets().await;
            if sockets.is_complete() && one.count().await == 2 {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), answers)
        .await
        .expect("it works again");
    let notes = std::iter::from_fn(|| other.notes.try_recv().ok());
    assert!(notes.map(|(_, note)| note).any(|note| note == 3));
    assert!(one.io.is_cluster_connected() && other.io.is_cluster_connected());
}

/// This takes the seconds that an answer is waited for.
#[tokio::test]
async fn a_postgres_that_says_nothing_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("it is bound").port();
    let mut server = Server::build(&format!("postgres://postgres@127.0.0.1:{port}"), &[]);
    let accepting = async {
        let mut silent = Vec::new();
        loop {
            silent.push(listener.accept().await.expect("somebody comes"));
        }
    };
    tokio::select! {
        () = accepting => {}
        _ = server.told(|error| source(error) == Some(&PostgresError::Lost)) => {}
    }
    assert!(!server.io.is_cluster_connected());
}

/// Passes bytes on, of one connection by its number only while it may: then it stays, and nothing is said.
async fn pass_on(
    listener: TcpListener,
    address: String,
    ill: usize,
    is_well: watch::Receiver<bool>,
) {
    for number in 0.. {
        let (mut from, _) = listener.accept().await.expect("somebody comes");
        let (address, mut is_well) = (address.clone(), is_well.clone());
        tokio::spawn(async move {
            let to = TcpStream::connect(address).await;
            let mut to = to.expect("Postgres is there");
            let falls_silent = async {
                if number != ill || is_well.wait_for(|is_well| !is_well).await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut from, &mut to) => {}
                () = falls_silent => std::future::pending().await,
            }
        });
    }
}

/// Has the first connection of a server, which listens, or the second, which speaks, fall silent.
async fn falls_silent(ill: usize) {
    let postgres = Postgres::start();
    let (making_ill, is_well) = watch::channel(true);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let here = listener.local_addr().expect("it is bound").to_string();
    let (_, there) = postgres.url.split_once('@').expect("it has a user");
    let there = there.trim_end_matches("/postgres").to_owned();
    let address = postgres.url.replace(&there, &here);
    tokio::spawn(pass_on(listener, there, ill, is_well));
    let mut one = Server::start(&address, &[]).await;
    let other = Server::start(&postgres.url, &[]).await;
    making_ill.send_replace(false);
    one.told(|error| source(error) == Some(&PostgresError::Lost))
        .await;
    assert!(!one.io.is_cluster_connected());
    one.io.ready().await.expect("others are well");
    other.note("/", 1);
    assert_eq!(one.notes.recv().await, Some(("/".into(), 1)));
}

/// This takes the seconds until it counts as lost.
#[tokio::test]
async fn a_connection_that_falls_silent_is_noticed_and_made_anew() {
    tokio::join!(falls_silent(0), falls_silent(1));
}

//= PGA-02 test
#[tokio::test]
async fn what_was_attached_long_ago_is_deleted() {
    let postgres = Postgres::start();
    drop(Server::start(&postgres.url, &[]).await);
    let stranger = stranger(&postgres.url).await;
    let rows = "INSERT INTO socket_io_attachments (created_at) \
         SELECT now() - make_interval(secs => CASE WHEN n > 2500 THEN 0 ELSE 31 END) FROM generate_series(1, 2501) n";
    let made = stranger.execute(rows, &[]).await;
    assert_eq!(made.expect("the table is there"), 2501);
    let _server = Server::start(&postgres.url, &[]).await;
    let deleted = async {
        loop {
            let counted = stranger.query_one("SELECT count(*) FROM socket_io_attachments", &[]);
            let count: i64 = counted.await.expect("the table is there").get(0);
            assert!(count >= 1, "the young one stays");
            if count == 1 {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), deleted)
        .await
        .expect("they are deleted");
}

/// As the example's page says.
#[tokio::test]
async fn who_may_make_no_table_needs_one_and_is_told() {
    let postgres = Postgres::start();
    let owner = stranger(&postgres.url).await;
    let made = owner.batch_execute("CREATE ROLE chat LOGIN").await;
    made.expect("a role");
    let address = postgres.url.replace("postgres@", "chat@");
    let mut server = Server::build(&address, &[]);
    let refused = server
        .told(|error| matches!(error, AdapterError::Bus(_)))
        .await;
    let source = refused.source().expect("it has a reason");
    let said = source.downcast_ref::<tokio_postgres::Error>();
    let said = said
        .and_then(|error| error.as_db_error())
        .expect("Postgres says no");
    assert!(said.message().contains("permission denied"), "{said}");
    let readme = include_str!("../../socketio/examples/postgres_adapter/README.md");
    let sql = readme
        .split("```sql\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let made = owner.batch_execute(sql.expect("the page has it")).await;
    made.expect("it is sound");
    server.io.ready().await.expect("it has a table now");
    let mut other = Server::start(&address, &[]).await;
    server.here.server_side_emit("note", &1).expect("a number");
    assert_eq!(other.notes.recv().await, Some(("/".into(), 1)));
}
