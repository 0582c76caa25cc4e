//! What a handler returns to acknowledge has to be wrapped in `Ack`.

use socketio::SocketIo;

fn main() {
    let io = SocketIo::new();
    let _ = io
        .namespace("/")
        .on("double", |_socket, number: u32| async move { number * 2 })
        .open();
}
