//! What servers of the Node modules did about tokens, each way with this crate, for clients of Socket.IO 2 and 4.
//!
//!     JWT_SECRET=… cargo run --example classic -- WAY TOKENS
//!
//! `WAY` is one of `two-trips`, `query`, `jwt-auth`, `options`, `handshake`, `socketio-auth`, `python`. `TOKENS` is `strict` for those
//! with `sub`, `exp`, `iss` and `aud`, or `loose` for those that the modules' own examples sign, `{ id: 7 }` and no more.
//! `PORT` changes the port, 3000.
//!
//! `//= coming_from:` names the row of the guide's table that a line stands for.

mod options;
mod ways;

use std::time::Duration;

use serde_json::Value;
use socketio::SocketIo;
use socketio::auth::Policy;
use socketio::auth::jwt::{JwtAuthenticator, JwtBuildError};

/// What judges tokens; the claims are of no certain type.
type Tokens = JwtAuthenticator<Value>;

type Failure = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let secret = std::env::var("JWT_SECRET")?;
    let way = std::env::args().nth(1).unwrap_or_default();
    let tokens = match std::env::args().nth(2).as_deref() {
        Some("loose") => loose(&secret)?,
        _ => strict(&secret)?,
    };
    match way.as_str() {
        "two-trips" => serve(ways::two_trips(tokens)?).await,
        "query" => serve(ways::query(tokens)?).await,
        "jwt-auth" => serve(ways::jwt_auth(tokens)?).await,
        "options" => serve(options::one_by_one(&secret)?).await,
        "handshake" => serve(ways::handshake(tokens)?).await,
        "socketio-auth" => serve(ways::socketio_auth(tokens)?).await,
        "python" => serve(ways::python(tokens)?).await,
        _ => Err("name one of the ways".into()),
    }
}

/// Tokens as they should be.
fn strict(secret: &str) -> Result<Tokens, JwtBuildError> {
    JwtAuthenticator::builder()
        .hs256(secret)
        .issuer("https://issuer.example")
        .audience("fixture")
        .build()
}

/// Tokens as the modules' examples have them: `jwt.sign({ id: 7 }, secret)`.
fn loose(secret: &str) -> Result<Tokens, JwtBuildError> {
    JwtAuthenticator::builder()
        .hs256(secret)
        .any_issuer()
        .any_audience()
        .subject_claim("id") //= coming_from: a payload without `sub`, such as `{ id: 7 }`
        .accept_endless_tokens(Duration::from_secs(8 * 60 * 60)) //= coming_from: tokens without `exp`, `iss`, `aud`
        .build()
}

/// A server that clients of Socket.IO 2 may talk to, too.
fn server<P: Policy>(policy: P) -> Result<SocketIo<P::Identity>, socketio::BuildError> {
    SocketIo::builder()
        .engine(|config| config.allow_eio3(true))
        .authenticate(policy)
        .build()
}

#[expect(clippy::print_stdout, reason = "says where to point a client")]
async fn serve<D: Send + Sync + 'static>(io: SocketIo<D>) -> Result<(), Failure> {
    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    io.serve(listener).await?;
    Ok(())
}
