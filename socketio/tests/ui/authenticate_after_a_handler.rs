//! The policy of a namespace comes before its first handler.

use socketio::SocketIo;
use socketio::auth::Policy;

fn guarded(io: &SocketIo, policy: impl Policy) {
    let _ = io
        .namespace("/")
        .on("hello", |_socket, ()| async move {})
        .authenticate(policy)
        .open();
}

fn main() {}
