//! An authenticator says who somebody is. A policy says when it is asked, and is what a namespace takes.

use socketio::SocketIo;
use socketio::auth::{AuthContext, Authenticator, Code, Credential, Grant, Outcome};

struct OneKey;

impl Authenticator for OneKey {
    type Identity = u64;

    async fn authenticate(&self, _: &AuthContext, credential: &Credential) -> Outcome<u64> {
        match credential.token() {
            "key" => Outcome::Accept(Grant::new(7, "seven")),
            _ => Outcome::Reject(Code::InvalidToken.into()),
        }
    }
}

fn main() {
    let io = SocketIo::new();
    let _ = io
        .namespace("/")
        .authenticate(OneKey)
        .on("hello", |_socket, ()| async move {})
        .open();
}
