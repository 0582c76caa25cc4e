//! A guest reads along, logs in on the same socket, and may speak from then on. Nothing reconnects.
//!
//! Run it with `cargo run -p socketio --example guest_login`, and from Node:
//!
//! ```js
//! const socket = io("http://127.0.0.1:3000"); // no token: a guest
//! socket.on("said", (from, text) => console.log(from, text));
//! console.log(await socket.emitWithAck("say", "hello")); // { error: "log in first" }
//! await socket.emitWithAck("authenticate", { token: "token-of-ann" });
//! console.log(await socket.emitWithAck("say", "hello")); // "said"
//! ```

use socketio::auth::{AuthContext, Code, Credential, Grant, InHandshake, Outcome, auth_fn};
use socketio::engineio::Cors;
use socketio::namespace::IdentityChange;
use socketio::{Ack, Args, BuildError, JoinError, Socket, SocketIo};
use tokio::net::TcpListener;

/// Who a client is, the data of its socket.
#[derive(Clone, Debug, PartialEq)]
enum Visitor {
    Guest,
    Member { name: String },
}

/// The room of everyone who is logged in.
const MEMBERS: &str = "members";

/// Judges a token. A database would be asked here, or the signature of a JWT checked.
async fn member(_context: AuthContext, credential: Credential) -> Outcome<Visitor> {
    let name = match credential.token() {
        "token-of-ann" => "ann",
        "token-of-bob" => "bob",
        // A bad token never makes a guest.
        _ => return Outcome::Reject(Code::InvalidToken.into()),
    };
    let visitor = Visitor::Member {
        name: name.to_owned(),
    };
    Outcome::Accept(Grant::new(visitor, name))
}

fn build() -> Result<SocketIo<Visitor>, BuildError> {
    // A client that presents nothing is a guest, and may emit `authenticate` whenever it likes.
    let policy = InHandshake::new(auth_fn(member)).guest(|| Visitor::Guest);
    let io = SocketIo::builder()
        .authenticate(policy)
        .engine(|engine| engine.cors(Cors::any()))
        .build()?;
    io.namespace("/")
        // Who brings a token along is a member at once.
        .on_connect(|socket| async move { settle(&socket) })
        // Who logs in later becomes one here; a member whose token has ended becomes a guest again.
        .on_identity_change(
            |socket: Socket<Visitor>, change: IdentityChange<Visitor>| async move {
                eprintln!("{:?} is {:?} now", change.before, change.after);
                settle(&socket)
            },
        )
        .on("say", |socket, text: String| async move {
            let Visitor::Member { name } = &*socket.data() else {
                return Err("log in first");
            };
            // Guests hear what is said, members that they are read as well.
            let _ = socket.broadcast().emit("said", &Args((name, &text)));
            let _ = socket.to(MEMBERS).emit("members", &Args((name, "spoke")));
            Ok(Ack("said"))
        })
        .open()?;
    Ok(io)
}

/// Puts a socket where its holder belongs.
fn settle(socket: &Socket<Visitor>) -> Result<(), JoinError> {
    match &*socket.data() {
        Visitor::Member { .. } => socket.join(MEMBERS),
        Visitor::Guest => {
            socket.leave(MEMBERS);
            Ok(())
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    build()?.serve(listener).await?;
    Ok(())
}
