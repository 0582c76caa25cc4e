//! The payload of an event has to implement `Deserialize`.

use socketio::SocketIo;

struct Move {
    x: f64,
}

fn main() {
    let io = SocketIo::new();
    let _ = io
        .namespace("/")
        .on("move", |_socket, to: Move| async move { drop(to.x) })
        .open();
}
