//! A chat with a login: JSON Web Tokens, rooms, acknowledgements, typing notices, and tokens renewed in band.
//!
//!     cargo run --release -p chat
//!
//! Then open <http://127.0.0.1:3000> in two windows. `PORT`, `JWT_SECRET`, `TOKEN_LIFE_SECONDS` and
//! `CLIENT_PACKAGE`, the folder of the official client's npm package, change the defaults.

mod hall;
mod tokens;
mod web;

use std::sync::Arc;

use hall::{Hall, Message};
use serde::Deserialize;
use serde_json::json;
use socketio::auth::InHandshake;
use socketio::{Ack, Args, BuildError, ClientBundle, Namespace, Socket, SocketIo};
use tokens::{Claims, Tokens};

/// Where `scripts/setup` installs the browser's client.
const CLIENT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../conformance-tests/node/node_modules/socket.io-client"
);

#[derive(Deserialize)]
struct Saying {
    room: String,
    text: String,
}

#[expect(clippy::print_stdout, reason = "says where to point the browser")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tokens = Arc::new(Tokens::from_environment()?);
    let hall = Arc::new(Hall::new());

    // Every namespace asks for a token, unless it says otherwise.
    let mut builder = SocketIo::builder().authenticate(InHandshake::new(tokens.authenticator()));
    // Where the tests have installed the official client, it is served from here; else the page has a small one of its
    // own, so that the example needs nothing but itself.
    let client = std::env::var("CLIENT_PACKAGE").unwrap_or_else(|_| CLIENT.to_owned());
    if let Ok(bundle) = ClientBundle::from_package(client) {
        builder = builder.client_bundle(bundle);
    }
    let io = builder.build()?;
    let status = open_status(&io, Arc::clone(&hall))?;
    open_chat(&io, &hall, status)?;

    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, web::routes(&io, tokens, hall)).await?;
    Ok(())
}

/// What strangers may know: how many people are in.
fn open_status(io: &SocketIo<Claims>, hall: Arc<Hall>) -> Result<Namespace<()>, BuildError> {
    io.namespace("/status")
        .public()
        .on_connect(move |socket| {
            let sent = socket.emit("count", &hall.people().len());
            async move { sent }
        })
        .open()
}

fn open_chat(
    io: &SocketIo<Claims>,
    hall: &Arc<Hall>,
    status: Namespace<()>,
) -> Result<(), BuildError> {
    let (entering, speaking) = (Arc::clone(hall), Arc::clone(hall));
    let (leaving, telling) = (Arc::clone(hall), status.clone());
    io.namespace("/")
        .on("enter", move |socket, room: String| {
            let entered = enter(&entering, &socket, &room);
            tell_everyone(&entering, &socket, &status);
            async move { entered }
        })
        .on("say", move |socket, saying: Saying| {
            let said = say(&speaking, &socket, saying);
            async move { said }
        })
        .on(
            "typing",
            |socket, Args((room, is_typing)): Args<(String, bool)>| async move {
                let notice =
                    json!({ "room": room, "name": socket.data().sub, "is_typing": is_typing });
                let _ = socket.to(room).volatile().emit("typing", &notice);
            },
        )
        .on_disconnect(move |socket, _reason| {
            leaving.leave(socket.id());
            tell_everyone(&leaving, &socket, &telling);
            async {}
        })
        .open()?;
    Ok(())
}

/// Lets a socket into a room; it hears what was said there, and all that is said from now on.
fn enter(
    hall: &Hall,
    socket: &Socket<Claims>,
    room: &str,
) -> Result<Ack<serde_json::Value>, &'static str> {
    let history = hall.enter(socket.id(), &socket.data().sub, room)?;
    socket.join(room).map_err(|_| "you are gone already")?;
    Ok(Ack(json!({ "history": history })))
}

/// Tells the others in the room, and its author when the server got it.
fn say(hall: &Hall, socket: &Socket<Claims>, saying: Saying) -> Result<Ack<Message>, &'static str> {
    let message = hall.say(socket.id(), saying.room, saying.text)?;
    // The room is checked: the socket is in it.
    let _ = socket.to(message.room.as_str()).emit("said", &message);
    Ok(Ack(message))
}

/// The lists that every page shows, and the number that strangers see.
fn tell_everyone(hall: &Hall, socket: &Socket<Claims>, status: &Namespace<()>) {
    let people = hall.people();
    let everyone = socket.everyone();
    let _ = everyone.clone().emit("online", &people);
    let _ = everyone.emit("rooms", &hall.rooms());
    let _ = status.emit("count", &people.len());
}
