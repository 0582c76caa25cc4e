//! A Socket.IO server on a thread of its own whose allocations are counted.

use std::net::SocketAddr;

use benches::allocations::Count;
use socketio::{Ack, OwnedArgs, SocketIo};

use crate::counted;

/// What a client asks for.
pub(crate) const TARGET: &str = "/socket.io/?EIO=4&transport=websocket";

/// Starts it; it ends with the process.
pub(crate) fn start() -> (SocketAddr, Count) {
    counted::start(serve)
}

async fn serve(listener: tokio::net::TcpListener) {
    server().serve(listener).await.unwrap();
}

/// The same server, for whoever serves it in another way.
pub(crate) fn server() -> SocketIo {
    let io = SocketIo::new();
    io.namespace("/")
        .on("relay", |socket, args: OwnedArgs| async move {
            let _ = socket.emit("relayed", &args);
        })
        .on("text", |socket, text: String| async move {
            let _ = socket.emit("text", &text);
        })
        .on("number", |_, number: u32| async move { Ack(number) })
        .on("everyone", |socket, args: OwnedArgs| async move {
            let _ = socket.everyone().emit("everyone", &args);
        })
        .open()
        .unwrap();
    io
}
