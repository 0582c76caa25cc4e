//! A handler may move to another thread while it waits, so what it holds meanwhile has to be `Send`.

use std::rc::Rc;

use socketio::SocketIo;

fn main() {
    let io = SocketIo::new();
    let _ = io
        .namespace("/")
        .on("wait", |socket, name: String| async move {
            let name = Rc::new(name);
            socket.closed().await;
            drop(name);
        })
        .open();
}
