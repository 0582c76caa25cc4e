//! Private messages, and who is online: by person, not by socket, since one person has several tabs open.
//!
//! Run it with `cargo run -p socketio --example private_messages`, and from Node:
//!
//! ```js
//! const socket = io("http://127.0.0.1:3000", { auth: { token: "token-of-ann" } });
//! socket.on("online", (people) => console.log("here are", people));
//! socket.on("message", ({ from, text }) => console.log(from, text));
//! const { delivered } = await socket.emitWithAck("message", { to: "bob", text: "are you there?" });
//! ```

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use socketio::auth::{AuthContext, Code, Credential, Grant, InHandshake, Outcome, auth_fn};
use socketio::engineio::Cors;
use socketio::{Ack, BuildError, Sent, Socket, SocketIo};
use tokio::net::TcpListener;

/// The longest message, in bytes.
const TEXT_MAX: usize = 4_000;

/// The data of a socket: whose it is.
struct Person {
    name: String,
}

#[derive(Deserialize)]
struct Outgoing {
    to: String,
    text: String,
}

#[derive(Serialize)]
struct Incoming<'a> {
    from: &'a str,
    to: &'a str,
    text: &'a str,
}

#[derive(Serialize)]
struct Receipt {
    /// Whether the other has a tab open.
    delivered: bool,
}

/// How many tabs each person has open; of the whole server.
#[derive(Default)]
struct Presence(Mutex<BTreeMap<String, usize>>);

impl Presence {
    fn enter(&self, socket: &Socket<Person>) {
        let mut tabs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = tabs.entry(socket.data().name.clone()).or_default();
        *open += 1;
        if *open == 1 {
            tell(socket, &tabs);
        } else {
            // The others know already.
            let _ = socket.emit("online", &names(&tabs));
        }
    }

    fn leave(&self, socket: &Socket<Person>) {
        let mut tabs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = &socket.data().name;
        if let Some(open) = tabs.get_mut(name) {
            *open -= 1;
            if *open == 0 {
                tabs.remove(name);
                tell(socket, &tabs);
            }
        }
    }
}

/// Tells everyone who is here. Called with the lock held, so that the last list that a client hears is the true one;
/// `emit` does not wait.
fn tell(socket: &Socket<Person>, tabs: &BTreeMap<String, usize>) {
    let _ = socket.everyone().emit("online", &names(tabs));
}

fn names(tabs: &BTreeMap<String, usize>) -> Vec<&String> {
    tabs.keys().collect()
}

/// The room of all tabs of a person. No client chooses the name of a room here, so none can be joined by guessing.
fn tabs_of(name: &str) -> String {
    format!("person:{name}")
}

fn build() -> Result<SocketIo<Person>, BuildError> {
    let io = SocketIo::builder()
        .authenticate(InHandshake::new(auth_fn(person)))
        .state(Presence::default())
        .engine(|engine| engine.cors(Cors::any()))
        .build()?;
    io.namespace("/")
        .on_connect(|socket| async move {
            // Counted first: whoever cannot join is disconnected, and then counted out.
            socket.state::<Presence>().enter(&socket);
            socket.join(tabs_of(&socket.data().name))
        })
        .on("message", |socket, message: Outgoing| async move {
            send(&socket, &message)
        })
        .on_disconnect(|socket, _reason| async move { socket.state::<Presence>().leave(&socket) })
        .open()?;
    Ok(io)
}

/// To all tabs of the other, and to the sender's own other tabs, which show it too.
fn send(socket: &Socket<Person>, message: &Outgoing) -> Result<Ack<Receipt>, &'static str> {
    let Outgoing { to, text } = message;
    if text.is_empty() || text.len() > TEXT_MAX {
        return Err("a message is 1 to 4,000 bytes long");
    }
    let from = &socket.data().name;
    let incoming = Incoming { from, to, text };
    // Nobody in the room: the message is dropped, and this says so. A database would keep it.
    let sent = socket.to(tabs_of(to)).emit("message", &incoming);
    let _ = socket
        .to(tabs_of(from))
        .except(tabs_of(to))
        .emit("message", &incoming);
    let delivered = sent.is_ok_and(|sent| sent != Sent::Dropped);
    Ok(Ack(Receipt { delivered }))
}

/// Judges a token. A database would be asked here, or the signature of a JWT checked.
async fn person(_context: AuthContext, credential: Credential) -> Outcome<Person> {
    let Some(name @ ("ann" | "bob" | "cleo")) = credential.token().strip_prefix("token-of-") else {
        return Outcome::Reject(Code::InvalidToken.into());
    };
    let person = Person {
        name: name.to_owned(),
    };
    Outcome::Accept(Grant::new(person, name))
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
