//! The ways in, each in at most fifteen lines.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use socketio::auth::{
    AuthField, Authenticator as _, BearerHeader, Code, CredentialSource as _, Dialect, Grant,
    Header, InHandshake, Query, Rejection, TwoRoundTrip,
};
use socketio::{Ack, BuildError, Socket, SocketIo};

use crate::{Tokens, server};

/// Written by hand in most applications: a handler of `authenticate`, a flag, and a timer of five seconds.
//= coming_from: `socket.on("authenticate", …)`, a flag, `setTimeout(…, 5000)`
pub(crate) fn two_trips(tokens: Tokens) -> Result<SocketIo<Value>, BuildError> {
    let io = server(TwoRoundTrip::new(tokens).timeout(Duration::from_secs(5)))?;
    io.namespace("/")
        .on_connect(|socket| async move { socket.emit("welcome", &*socket.data()) })
        .on("whoami", whoami)
        .open()?;
    Ok(io)
}

/// `io.use((socket, next) => jwt.verify(socket.handshake.query.token, …))`
//= coming_from: `io.use(…)` that reads `socket.handshake.query.token`
//= coming_from: `next(new Error("Authentication error"))`
pub(crate) fn query(tokens: Tokens) -> Result<SocketIo<Value>, BuildError> {
    let refused = Rejection::new(Code::CredentialsRequired).with_message("Authentication error");
    let policy = InHandshake::new(tokens).sources(Query("token"));
    let io = server(policy.missing(refused))?;
    io.namespace("/")
        .middleware(|socket: Socket<Value>| async move {
            let is_banned = socket.data()["banned"] == true; // from here on as before
            if is_banned {
                Err("banned".into())
            } else {
                Ok(())
            }
        })
        .on("whoami", whoami)
        .open()?;
    Ok(io)
}

/// `io.use(jwtAuth.authenticate({ secret, succeedWithoutToken: true }, verify))` of socketio-jwt-auth.
//= coming_from: `jwtAuth.authenticate({ secret, algorithm }, verify)`
//= coming_from: `done(null, user)` / `done(null, false, message)` / `done(error)`
//= coming_from: `succeedWithoutToken`, `logged_in: false`
//= coming_from: `x-auth-token`, `auth_token`
//= coming_from: `socket.request.user`
pub(crate) fn jwt_auth(tokens: Tokens) -> Result<SocketIo<User>, BuildError> {
    let users = tokens.check(|grant: Grant<Value>| async move {
        match find(grant.identity()) {
            Ok(Some(user)) => Ok(grant.map(|_| user)),
            Ok(None) => Err(Rejection::new(Code::InvalidToken).with_message("no such user")),
            Err(error) => Err(Rejection::unavailable(error)),
        }
    });
    let policy = InHandshake::new(users).sources(Header("x-auth-token").or(Query("auth_token")));
    let io = server(policy.guest(User::default))?;
    io.namespace("/")
        .on_connect(|socket| async move { socket.emit("success", &*socket.data()) })
        .open()?;
    Ok(io)
}

/// The handshake for the whole server, and otherwise for one namespace.
//= coming_from: `namespace` per `authorize`
//= coming_from: an `auth` extractor or middleware per namespace
//= coming_from: `socket.extensions`
pub(crate) fn handshake(tokens: Tokens) -> Result<SocketIo<Value>, BuildError> {
    let admins = tokens.clone().check(only_admins);
    let sources = || AuthField("token").or(BearerHeader).or(Query("token")); // the last for Socket.IO 2
    let io = server(InHandshake::new(tokens).sources(sources()))?;
    io.namespace("/").on("whoami", whoami).open()?;
    io.namespace("/admin")
        .authenticate(InHandshake::new(admins).sources(sources()))
        .on("whoami", whoami)
        .open()?;
    io.namespace("/status").public().open()?;
    Ok(io)
}

/// `require("socketio-auth")(io, { authenticate, postAuthenticate, disconnect, timeout: 1000 })`
//= coming_from: `authenticate(socket, data, callback)`
//= coming_from: `timeout`
//= coming_from: events `authentication`, `authenticated`, `unauthorized`
//= coming_from: sockets without rooms until then, but with handlers
//= coming_from: `postAuthenticate`
//= coming_from: `disconnect`
pub(crate) fn socketio_auth(tokens: Tokens) -> Result<SocketIo<Value>, BuildError> {
    let policy = TwoRoundTrip::new(tokens).timeout(Duration::from_secs(1));
    let io = server(policy.dialect(Dialect::SocketIoAuth))?;
    io.namespace("/")
        .on_connect(|socket| async move { socket.emit("welcome", &*socket.data()) })
        .on_disconnect(|socket, reason| async move {
            let _ = socket.everyone().emit("left", &reason.to_string());
        })
        .on("whoami", whoami)
        .open()?;
    Ok(io)
}

/// python-socketio's `connect(sid, environ, auth)`.
//= coming_from: `connect(sid, environ, auth)` that raises `ConnectionRefusedError`
//= coming_from: `auth` argument
//= coming_from: `environ["HTTP_AUTHORIZATION"]`
//= coming_from: `save_session`, `get_session`
//= coming_from: user code for expiry
pub(crate) fn python(tokens: Tokens) -> Result<SocketIo<Value>, BuildError> {
    let policy = InHandshake::new(tokens.check(only_admins));
    let io = server(policy.sources(AuthField("token").or(BearerHeader)))?;
    io.namespace("/").on("whoami", whoami).open()?;
    Ok(io)
}

/// Answers with what the token said.
pub(crate) async fn whoami(socket: Socket<Value>, (): ()) -> Ack<Value> {
    Ack(Value::clone(&socket.data()))
}

async fn only_admins(grant: Grant<Value>) -> Result<Grant<Value>, Rejection> {
    if grant.identity()["admin"] == true {
        return Ok(grant);
    }
    Err(Rejection::new(Code::InvalidToken).with_message("for admins only"))
}

/// What stands in the database.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct User {
    name: Option<String>,
    logged_in: bool,
}

fn find(claims: &Value) -> Result<Option<User>, &'static str> {
    let name = claims["name"].as_str().unwrap_or("anonymous").to_owned();
    match name.as_str() {
        "nobody" => Ok(None),
        "down" => Err("the database is down"),
        _ => Ok(Some(User {
            name: Some(name),
            logged_in: true,
        })),
    }
}
