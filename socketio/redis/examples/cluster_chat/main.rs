//! One node of a chat that runs on several, beside nodes of Node's socket.io (`node.mjs`).
//!
//! `scripts/cluster-demo` starts three of them with a Redis and a balancer. By itself, with a Redis on this machine:
//!
//!     cargo run -p socketio-redis --example cluster_chat
//!
//! | variable | means | default |
//! |---|---|---|
//! | `PORT`, `HOST` | where clients come in | 3000, 127.0.0.1 |
//! | `REDIS_URL` | what the nodes share | `redis://127.0.0.1` |
//! | `NODE` | the number of this one | 1 |
//! | `NODES`, `NODES_SECRET` | where each node of this library listens for the others, as `1=host:port,2=host:port`; 32 random bytes or more | no others |
//! | `CLIENT_PACKAGE` | the folder of npm's `socket.io-client` | that of this repository's tests |

use std::time::Duration;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use engineio::Nodes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use socketio::cluster::AdapterError;
use socketio::{Ack, BuildError, ClientBundle, Socket, SocketIo};
use socketio_redis::RedisAdapter;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Where `scripts/setup` installs the browser's client.
const CLIENT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../conformance-tests/node/node_modules/socket.io-client"
);

/// How long the clients of a node that ends may take to go elsewhere.
const DRAIN: Duration = Duration::from_secs(1);

type Failure = Box<dyn std::error::Error>;

/// What every node may know of a client.
#[derive(Clone, Deserialize, Serialize)]
struct Person {
    name: String,
    node: String,
}

#[expect(clippy::print_stderr, reason = "says where to point the browser")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let number = variable("NODE", "1");
    let adapter = RedisAdapter::classic(variable("REDIS_URL", "redis://127.0.0.1"))?;
    let mut builder = SocketIo::builder()
        .adapter(adapter)
        .cluster(|settings| settings.request_timeout(Duration::from_secs(2)))
        .on_adapter_error(tell);
    let nodes = nodes(number.parse()?)?;
    if let Some((nodes, _)) = &nodes {
        // A request that comes to the wrong node is passed on: the balancer need not be sticky.
        builder = builder.engine(|config| config.nodes(nodes.clone()));
    }
    match ClientBundle::from_package(variable("CLIENT_PACKAGE", CLIENT)) {
        Ok(bundle) => builder = builder.client_bundle(bundle),
        Err(error) => eprintln!("the page has no client: {error}"),
    }
    let io = builder.build()?;
    open_chat(&io, &format!("rust-{number}"))?;

    let page = Router::new()
        .route("/", get(|| async { Html(include_str!("index.html")) }))
        .route_service("/socket.io/", io.service())
        .route_service("/socket.io/{file}", io.service());
    let address = format!(
        "{}:{}",
        variable("HOST", "127.0.0.1"),
        variable("PORT", "3000")
    );
    let listener = TcpListener::bind(address).await?;
    // What the others say from now on is heard, so clients may come. Without Redis they are served all the same.
    if let Err(error) = io.ready().await {
        tell(&error);
    }
    eprintln!("listening on http://{}", listener.local_addr()?);
    tokio::select! {
        served = axum::serve(listener, page) => served?,
        served = serve_nodes(&io, nodes) => served?,
        () = is_told_to_end() => io.drain(DRAIN).await,
    }
    Ok(())
}

fn variable(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

/// The others, and where this one listens for them.
fn nodes(own: u16) -> Result<Option<(Nodes, String)>, Failure> {
    let Ok(all) = std::env::var("NODES") else {
        return Ok(None);
    };
    let nodes = Nodes::new(own, variable("NODES_SECRET", ""))?;
    let mut listens = None;
    for node in all.split(',') {
        let (number, address) = node.split_once('=').ok_or("NODES is no list")?;
        match number.parse()? {
            number if number == own => listens = Some(address.to_owned()),
            other => nodes.set(other, address),
        }
    }
    Ok(Some((nodes, listens.ok_or("NODES does not have NODE")?)))
}

/// Answers the other nodes; does not end where there are none.
async fn serve_nodes(io: &SocketIo, nodes: Option<(Nodes, String)>) -> std::io::Result<()> {
    match nodes {
        Some((_, address)) => io.serve_nodes(TcpListener::bind(address).await?).await,
        None => std::future::pending().await,
    }
}

async fn is_told_to_end() {
    let Ok(mut terminated) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminated.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

#[expect(
    clippy::print_stderr,
    reason = "for whoever looks at what a node goes through"
)]
fn tell(error: &AdapterError) {
    match std::error::Error::source(error) {
        Some(source) => eprintln!("{error}: {source}"),
        None => eprintln!("{error}"),
    }
}

fn open_chat(io: &SocketIo, node: &str) -> Result<(), BuildError> {
    let (greeting, entering) = (node.to_owned(), node.to_owned());
    io.namespace("/")
        .share_extension::<Person>()
        .on_connect(move |socket: Socket| {
            let _ = socket.emit("hello", &json!({ "node": greeting }));
            async {}
        })
        .on("enter", move |socket: Socket, name: String| {
            let node = entering.clone();
            async move {
                socket.extensions().insert(Person { name, node });
                let _ = socket.everyone().emit("changed", &());
                Ack(())
            }
        })
        .on("say", |socket, text: String| async move {
            if let Some(person) = socket.extensions().get::<Person>() {
                let said = json!({ "from": person.name, "node": person.node, "text": text });
                let _ = socket.everyone().emit("said", &said);
            }
            Ack(())
        })
        .on(
            "who",
            |socket, (): ()| async move { Ack(who(&socket).await) },
        )
        .on_disconnect(|socket, _| async move {
            let _ = socket.broadcast().emit("changed", &());
        })
        .open()?;
    Ok(())
}

/// Who is there on which node, and whether every node has answered.
async fn who(socket: &Socket) -> Value {
    let found = socket.everyone().fetch_sockets().await;
    let is_complete = found.is_complete();
    let people = found.into_iter().filter_map(|socket| {
        let socket = socket.into_remote();
        let person: Person = serde_json::from_value(socket.data().clone()).ok()?;
        Some(json!({ "id": socket.id(), "name": person.name, "node": person.node }))
    });
    json!({ "is_complete": is_complete, "people": people.collect::<Vec<_>>() })
}
