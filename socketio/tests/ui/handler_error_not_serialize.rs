//! The client reads what a handler fails with, so it has to have a form for it.

use socketio::{Ack, SocketIo};

fn main() {
    let io = SocketIo::new();
    let _ = io
        .namespace("/")
        .on("parse", |_socket, text: String| async move {
            let number: u32 = text.parse()?;
            Ok::<_, std::num::ParseIntError>(Ack(number))
        })
        .open();
}
