//! One node of a chat that runs on several. What a client says (`say`) is heard by all clients of all nodes (`said`).
//!
//!     cargo run -p postgres_adapter -- 3000 postgres://postgres@localhost

use std::time::Duration;

use postgres_adapter::PostgresAdapter;
use socketio::cluster::AdapterError;
use socketio::{Ack, Socket, SocketIo};
use tokio::net::TcpListener;

/// How long clients may take to go elsewhere.
const DRAIN: Duration = Duration::from_secs(1);

const USAGE: &str =
    "usage: postgres_adapter PORT postgres://USER[:PASSWORD]@HOST[:PORT][/DATABASE]";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(port), Some(address)) = (words.next(), words.next()) else {
        return Err(USAGE.into());
    };
    let io = SocketIo::builder()
        .adapter(PostgresAdapter::new(&address)?)
        .on_adapter_error(tell)
        .build()?;
    io.namespace("/")
        .on("say", |socket: Socket, words: String| async move {
            let said = socket.everyone().emit("said", &words);
            Ack(said.is_ok())
        })
        .open()?;
    let listener = TcpListener::bind(("127.0.0.1", port.parse()?)).await?;
    tokio::select! {
        served = io.serve(listener) => served?,
        stopped = tokio::signal::ctrl_c() => stopped?,
    }
    // The others hear that it goes.
    io.drain(DRAIN).await;
    Ok(())
}

fn tell(error: &AdapterError) {
    let source = std::error::Error::source(error).map(ToString::to_string);
    eprintln!("{error}: {}", source.unwrap_or_default());
}
