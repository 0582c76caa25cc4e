//! Text becomes an error by `.into()`, or by `?`.

use socketio::SocketIo;

fn main() {
    let io = SocketIo::new();
    let _ = io
        .namespace("/")
        .middleware(|socket| async move {
            match socket.auth()["token"].is_string() {
                true => Ok(()),
                false => Err("log in first"),
            }
        })
        .open();
}
