//! Sends every message back, in the root namespace.
//!
//! Run it with `cargo run -p socketio --example echo`, then connect any Socket.IO client to
//! `http://127.0.0.1:3000` and emit `message`.

use socketio::engineio::Cors;
use socketio::{Ack, OwnedArgs, SocketIo};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let io = SocketIo::builder()
        .engine(|config| config.cors(Cors::any()))
        .build()?;
    io.namespace("/")
        .on_connect(|socket| async move { eprintln!("{} is here", socket.id()) })
        .on("message", |socket, args: OwnedArgs| async move {
            if let Err(error) = socket.emit("message", &args) {
                eprintln!("not echoed: {error}");
            }
        })
        .on("ask", |_socket, args: OwnedArgs| async move { Ack(args) })
        .on_disconnect(|socket, reason| async move { eprintln!("{} left: {reason}", socket.id()) })
        .open()?;
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    io.serve(listener).await?;
    Ok(())
}
