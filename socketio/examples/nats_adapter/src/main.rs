//! A small chat on as many servers as are started, which share a nats-server:
//!
//!     nats-server &
//!     cargo run -p nats_adapter -- --nats nats://127.0.0.1:4222 --port 3000 &
//!     cargo run -p nats_adapter -- --nats nats://127.0.0.1:4222 --port 3001
//!
//! A client of either emits `say` with a text, `join` with a room, `tell` with a room and a text, and asks `who` is there; all that are
//! meant hear `said`, whichever server they are connected to.

use std::error::Error as _;
use std::time::Duration;

use nats_adapter::NatsAdapter;
use socketio::cluster::AdapterError;
use socketio::engineio::Cors;
use socketio::{Ack, Args, Socket, SocketIo};
use tokio::net::TcpListener;

/// How long clients may take to go elsewhere.
const DRAIN: Duration = Duration::from_secs(1);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let nats = option("--nats").unwrap_or_else(|| "nats://127.0.0.1:4222".to_owned());
    let port = option("--port").map_or(Ok(3000), |port| port.parse::<u16>())?;
    let io = SocketIo::builder()
        .engine(|config| config.cors(Cors::any()))
        .adapter(NatsAdapter::new(nats)?)
        .on_adapter_error(report)
        .build()?;
    io.namespace("/")
        .on("say", |socket: Socket, text: String| async move {
            let _ = socket.everyone().emit("said", &text);
        })
        .on("join", |socket: Socket, room: String| async move {
            Ack(socket.join(room).is_ok())
        })
        .on(
            "tell",
            |socket: Socket, Args((room, text)): Args<(String, String)>| async move {
                let _ = socket.to(room).emit("said", &text);
            },
        )
        .on("who", |socket: Socket, (): ()| async move {
            let found = socket.namespace().fetch_sockets().await;
            let ids = found.items().iter().map(|socket| socket.id().to_string());
            Ack(ids.collect::<Vec<_>>())
        })
        .open()?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    tokio::select! {
        served = io.serve(listener) => served?,
        stopped = tokio::signal::ctrl_c() => stopped?,
    }
    // The others hear that it goes.
    io.drain(DRAIN).await;
    Ok(())
}

/// The word behind this one of the command line.
fn option(name: &str) -> Option<String> {
    let mut words = std::env::args().skip_while(|word| word != name);
    words.nth(1)
}

/// While NATS is away each server goes on with its own clients.
fn report(error: &AdapterError) {
    let source = error.source().map(ToString::to_string);
    eprintln!("{error}: {}", source.unwrap_or_default());
}
