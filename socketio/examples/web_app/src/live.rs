//! Socket.IO: who may connect, and what is live.

use serde::Serialize;
use socketio::auth::{AuthContext, Authenticator, Code, Cookie, CookieOrigins, Credential};
use socketio::auth::{Grant, InHandshake, Outcome, Rejection};
use socketio::engineio::AllowedOrigins;
use socketio::{Ack, BuildError, ClientBundle, EmitError, Namespace, Sent, Socket, SocketIo};

use crate::accounts::COOKIE;
use crate::database::{Database, Note, User};

/// The longest note, in bytes.
pub(crate) const TEXT_MAX: usize = 1_000;

/// Where `scripts/setup` installs the browser's client. An application of your own has it among its files.
const CLIENT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../conformance-tests/node/node_modules/socket.io-client"
);

/// Asks the database for the session of the cookie.
struct Sessions(Database);

impl Authenticator for Sessions {
    type Identity = User;

    async fn authenticate(&self, _context: &AuthContext, cookie: &Credential) -> Outcome<User> {
        match self.0.session(cookie.token().to_owned()).await {
            Ok(Some(session)) => {
                let subject = session.user.id.to_string();
                let grant = Grant::new(session.user, subject)
                    // Sockets end with their session: when it is over, or when somebody logs out.
                    .with_expires_at(session.expires_at)
                    .with_session_id(session.id.to_string());
                Outcome::Accept(grant)
            }
            Ok(None) => Outcome::Reject(Code::InvalidToken.into()),
            // Not the client's fault: it does not count as an attempt, and may try again.
            Err(failure) => Outcome::Reject(Rejection::unavailable(failure.to_string())),
        }
    }
}

/// A server that lets in who is logged in, from `pages` and from no other.
pub(crate) fn build(database: &Database, pages: &[&str]) -> Result<SocketIo<User>, BuildError> {
    // Any page can make a browser send a cookie, so the pages that may are named.
    let cookie = Cookie::new(COOKIE, CookieOrigins::new(pages));
    let policy = InHandshake::new(Sessions(database.clone())).sources(cookie);
    let mut builder = SocketIo::builder()
        .authenticate(policy)
        .state(database.clone())
        // The layer of CORS says who may read; this, who may open anything, for a WebSocket asks no layer.
        .engine(|engine| engine.allowed_origins(AllowedOrigins::new(pages)));
    if let Ok(bundle) = ClientBundle::from_package(CLIENT) {
        builder = builder.client_bundle(bundle);
    }
    builder.build()
}

pub(crate) fn open_notes(io: &SocketIo<User>) -> Result<Namespace<User>, BuildError> {
    io.namespace("/notes")
        .on_connect(|socket| async move {
            let _ = socket.join(tabs_of(&socket.data()));
            // Joined first, read then: what is written meanwhile comes twice rather than never.
            match socket.state::<Database>().notes(socket.data().id).await {
                Ok(notes) => socket.emit("notes", &notes),
                Err(failure) => {
                    eprintln!("{failure}");
                    Ok(Sent::Dropped)
                }
            }
        })
        .on("add", |socket, text: String| async move {
            add(&socket, text).await
        })
        .open()
}

async fn add(socket: &Socket<User>, text: String) -> Result<Ack<Note>, &'static str> {
    if !is_note(&text) {
        return Err("a note is 1 to 1,000 bytes long");
    }
    let user = socket.data();
    let added = socket.state::<Database>().add_note(user.id, text).await;
    let note = added.map_err(|failure| {
        eprintln!("{failure}");
        "try again later"
    })?;
    // The other tabs; this one has the acknowledgement.
    let _ = socket.to(tabs_of(&user)).emit("note", &note);
    Ok(Ack(note))
}

/// A second namespace, guarded in the same way because the server is.
pub(crate) fn open_account(io: &SocketIo<User>) -> Result<(), BuildError> {
    #[derive(Serialize)]
    struct Account {
        name: String,
    }
    io.namespace("/account")
        .on("whoami", |socket, ()| async move {
            let name = socket.data().name.clone();
            Ack(Account { name })
        })
        .open()?;
    Ok(())
}

/// Shows a note in all tabs of its author, from anywhere in the program.
pub(crate) fn show(notes: &Namespace<User>, user: &User, note: &Note) -> Result<Sent, EmitError> {
    notes.to(tabs_of(user)).emit("note", note)
}

pub(crate) fn is_note(text: &str) -> bool {
    (1..=TEXT_MAX).contains(&text.len())
}

fn tabs_of(user: &User) -> String {
    format!("user:{}", user.id)
}
