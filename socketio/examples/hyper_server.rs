//! Behind the application's own hyper server, beside its plain routes, and drained when it ends.
//!
//! Run it with `cargo run -p socketio --example hyper_server`. `curl http://127.0.0.1:3000/health` is answered by the
//! application; a Socket.IO client of the same address is greeted.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use socketio::SocketIo;
use socketio::engineio::BodyError;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How long those who are connected have to go elsewhere when the program ends.
const DRAIN: Duration = Duration::from_secs(5);

/// How long to wait when the machine has nothing left for a connection.
const PAUSE: Duration = Duration::from_millis(50);

/// Of all answers, those of the sockets included.
type Body = BoxBody<Bytes, BodyError>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let io = SocketIo::new();
    io.namespace("/")
        .on_connect(|socket| async move { socket.emit("hello", "from behind hyper") })
        .open()?;

    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    eprintln!("listening on http://{}", listener.local_addr()?);

    let mut connections = JoinSet::new();
    let mut told_to_end = pin!(tokio::signal::ctrl_c());
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(io.clone(), stream));
                }
                Err(error) => {
                    eprintln!("nobody can be let in: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            // Forgets those that have ended.
            Some(_) = connections.join_next() => {}
            _ = &mut told_to_end => break,
        }
    }
    io.drain(DRAIN).await;
    Ok(())
}

/// One connection: any number of requests, the last of which may become a WebSocket.
async fn serve(io: SocketIo, stream: TcpStream) {
    // Small packets must not wait for the acknowledgement of earlier ones.
    let _ = stream.set_nodelay(true);
    let peer = stream.peer_addr().ok();
    let routes = service_fn(move |request: Request<Incoming>| {
        let sockets = peer.map_or_else(|| io.service(), |peer| io.service().peer(peer));
        let connected = io.connection_count();
        async move {
            if request.uri().path().starts_with("/socket.io/") {
                return sockets
                    .call(request)
                    .await
                    .map(|answer| answer.map(Body::new));
            }
            Ok::<_, Infallible>(plain(&request, connected))
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), routes)
        .with_upgrades()
        .await;
    if let Err(error) = served {
        eprintln!("a connection ended early: {error}");
    }
}

/// The rest of the application.
fn plain(request: &Request<Incoming>, connected: usize) -> Response<Body> {
    let (status, text) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/health") => (StatusCode::OK, format!("{connected} connected\n")),
        _ => (StatusCode::NOT_FOUND, "there is nothing here\n".to_owned()),
    };
    let mut answer = Response::new(Full::from(text).map_err(|never| match never {}).boxed());
    *answer.status_mut() = status;
    answer
}
