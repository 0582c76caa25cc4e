//! Nobody is told what a connect handler returns.

use socketio::{Ack, SocketIo};

fn main() {
    let io = SocketIo::new();
    let _ = io
        .namespace("/")
        .on_connect(|_socket| async move { Ack("welcome") })
        .open();
}
