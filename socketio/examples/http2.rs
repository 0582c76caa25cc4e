//! TLS and HTTP/2 behind an application's own axum routes: a browser has one connection for the page and for all its
//! WebSockets.
//!
//! Run it with `cargo run -p socketio --all-features --example http2 -- certificate.pem key.pem` (the example `tls` says how
//! to make these), open <https://localhost:3443>, and see what each request was at <https://localhost:3443/spoken>.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, Response};
use axum::routing::get;
use axum::{Extension, Router};
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use socketio::engineio::PeerAddr;
use socketio::{Ack, BuildError, DisconnectReason, Socket, SocketIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// How long a handshake may take; who needs longer is nobody's client.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long to wait when the machine has nothing left for a connection.
const PAUSE: Duration = Duration::from_millis(50);
/// How often a connection of HTTP/2 is asked whether anybody is there. Its sessions are pinged beside that.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Opens a WebSocket, and shows what its request and the others were.
const PAGE: &str = r#"<!doctype html>
<title>HTTP/2</title>
<pre id="spoken"></pre>
<script>
  const socket = new WebSocket(`wss://${location.host}/socket.io/?EIO=4&transport=websocket`);
  socket.onopen = async () => {
    document.getElementById("spoken").textContent = await (await fetch("/spoken")).text();
  };
</script>
"#;

fn build() -> Result<SocketIo, BuildError> {
    let io = SocketIo::new();
    io.namespace("/")
        .on("join", |socket, room: String| async move {
            Ack(socket.join(room).is_ok())
        })
        .on("say", |socket, (room, text): (String, String)| async move {
            Ack(socket.namespace().to(room).emit("said", &text).is_ok())
        })
        .on("echo", |_, text: String| async move { Ack(text) })
        .on_disconnecting(|socket: Socket, _: DisconnectReason| {
            for room in socket.rooms() {
                let _ = socket.to(room).emit("left", socket.id());
            }
        })
        .open()?;
    Ok(io)
}

/// What the requests were, in the order in which they came.
type Spoken = Arc<Mutex<String>>;

async fn note(State(spoken): State<Spoken>, request: Request, next: Next) -> Response {
    let protocol = request.extensions().get::<Protocol>();
    let protocol = protocol.map_or("-", Protocol::as_str);
    let line = format!(
        "{:?} {} {} {protocol}\n",
        request.version(),
        request.method(),
        request.uri().path()
    );
    spoken
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push_str(&line);
    next.run(request).await
}

fn routes(io: &SocketIo) -> Router {
    let spoken = Spoken::default();
    let known = Arc::clone(&spoken);
    let said = move || async move { known.lock().unwrap_or_else(PoisonError::into_inner).clone() };
    Router::new()
        .route("/", get(|| async { Html(PAGE) }))
        .route("/spoken", get(said))
        .route_service("/socket.io/", io.service().secure(true))
        .layer(from_fn_with_state(spoken, note))
}

/// Reads a chain of certificates and the key of the first.
fn acceptor(chain: &str, key: &str) -> Result<TlsAcceptor, Box<dyn std::error::Error>> {
    let chain = CertificateDer::pem_file_iter(chain)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    // Both are spoken: the server below finds out which.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Serves one connection, from its handshake on.
async fn serve(routes: Router, acceptor: TlsAcceptor, stream: TcpStream, peer: SocketAddr) {
    // Small packets must not wait for the acknowledgement of earlier ones.
    let _ = stream.set_nodelay(true);
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await else {
        return;
    };
    let routes = routes.layer(Extension(PeerAddr(peer)));
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new());
    server
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE)
        // WebSockets on its streams (RFC 8441).
        .enable_connect_protocol();
    let service = TowerToHyperService::new(routes);
    // How it ends is the peer's business.
    let _ = server
        .serve_connection_with_upgrades(TokioIo::new(stream), service)
        .await;
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(chain), Some(key)) = (arguments.next(), arguments.next()) else {
        return Err("how to call it: http2 CERTIFICATE.pem KEY.pem [ADDRESS]".into());
    };
    let acceptor = acceptor(&chain, &key)?;
    let address = arguments.next();
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:3443")).await?;
    let routes = routes(&build()?);
    eprintln!("listening on https://{}", listener.local_addr()?);

    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(serve(routes.clone(), acceptor.clone(), stream, peer));
                }
                Err(error) => {
                    eprintln!("nobody can be let in: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            // Forgets those that have ended.
            Some(_) = connections.join_next() => {}
        }
    }
}
