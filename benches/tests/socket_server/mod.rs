//! A Socket.IO server on a thread of its own whose allocations are counted.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;

use benches::allocations::{self, Count};
use socketio::{Ack, OwnedArgs, SocketIo};

/// What a client asks for.
pub(crate) const TARGET: &str = "/socket.io/?EIO=4&transport=websocket";

/// Starts it; it ends with the process.
pub(crate) fn start() -> (SocketAddr, Count) {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let count = allocations::count_this_thread();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
                .await
                .unwrap();
            tell.send((listener.local_addr().unwrap(), count)).unwrap();
            serve(listener).await;
        });
    });
    told.recv().unwrap()
}

async fn serve(listener: tokio::net::TcpListener) {
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
    io.serve(listener).await.unwrap();
}
