//! Connect middleware says whether the client may join.

use socketio::SocketIo;

fn main() {
    let io = SocketIo::new();
    let _ = io
        .namespace("/")
        .middleware(|_socket| async move {})
        .open();
}
