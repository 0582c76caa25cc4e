//! What a server keeps for each client that is connected and says nothing, over TLS and over HTTP/2: bytes, counted.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod counted;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::serve::ListenerExt as _;
use benches::allocations::{Count, Counting};
use benches::wire::{self, opcode};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http2::SendRequest;
use hyper::ext::Protocol;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use socketio::SocketIo;
use socketio::engineio::{Certificates, TlsListener};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const TARGET: &str = "/socket.io/?EIO=4&transport=websocket";

/// Connected before the count begins: pools and tables have their size then.
const WARM_UP: usize = 100;
/// Connected while it goes on. Tables that grow by doubling are spread over as many.
const COUNTED: usize = 400;

/// Of a connection of TLS with its session, in bytes.
const TLS_MAX: i64 = 9 * 1024;
/// Of a session on a stream of HTTP/2, beside its connection.
const HTTP2_MAX: i64 = 3 * 1024;
/// Of such a connection, nearly all of it buffers of hyper and h2.
const CONNECTION_MAX: i64 = 40 * 1024;
/// Sessions of one connection; servers announce 100 or more.
const STREAMS: usize = 100;

fn server() -> SocketIo {
    let io = SocketIo::new();
    io.namespace("/").open().unwrap();
    io
}

fn pem(name: &str) -> std::path::PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.join("../engineio/tests/pem").join(name)
}

type Secured = StreamOwned<ClientConnection, TcpStream>;

fn client(version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(pem("root.pem")).unwrap())
        .unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// Reads until `found` sees what it waits for in all that was said.
fn hear(stream: &mut Secured, found: impl Fn(&[u8]) -> bool) {
    let mut heard = Vec::new();
    while !found(&heard) {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "the server hung up");
        heard.extend_from_slice(&buffer[..count]);
    }
}

fn has(text: &str) -> impl Fn(&[u8]) -> bool {
    move |heard| {
        heard
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    }
}

fn join(address: SocketAddr, config: &Arc<ClientConfig>) -> Secured {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut stream = StreamOwned::new(session, stream);
    stream.write_all(&wire::upgrade_request(TARGET)).unwrap();
    hear(&mut stream, has("pingTimeout"));
    stream.write_all(&wire::frame(opcode::TEXT, b"40")).unwrap();
    hear(&mut stream, has("40{"));
    stream
}

fn each(count: Count, mut connect: impl FnMut()) -> i64 {
    for _ in 0..WARM_UP {
        connect();
    }
    let before = count.held_bytes();
    for _ in 0..COUNTED {
        connect();
    }
    (count.held_bytes() - before) / i64::try_from(COUNTED).unwrap()
}

#[test]
fn an_idle_connection_of_tls() {
    for version in [&TLS12, &TLS13] {
        let (address, count) = counted::start(|listener| async move {
            let certificates = Certificates::from_pem_files(pem("first.pem"), pem("first.key.pem"));
            let listener = TlsListener::new(listener, certificates.unwrap());
            server().serve(listener).await.unwrap();
        });
        let config = client(version);
        let mut clients = Vec::new();
        let each = each(count, || clients.push(join(address, &config)));
        println!("{:?}: {each} bytes", version.version);
        assert!(each <= TLS_MAX, "{each} bytes");
    }
}

/// A stream of the connection, as a session that has joined.
async fn join_on(requests: &mut SendRequest<Empty<Bytes>>) -> TokioIo<Upgraded> {
    let mut request = hyper::Request::connect(format!("http://t{TARGET}"))
        .version(hyper::Version::HTTP_2)
        .header("sec-websocket-version", "13")
        .body(Empty::new())
        .unwrap();
    request
        .extensions_mut()
        .insert(Protocol::from_static("websocket"));
    requests.ready().await.unwrap();
    let response = requests.send_request(request).await.unwrap();
    let mut stream = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    for (said, expected) in [(&b""[..], "pingTimeout"), (b"40", "40{")] {
        if !said.is_empty() {
            let frame = wire::frame(opcode::TEXT, said);
            stream.write_all(&frame).await.unwrap();
        }
        let (mut heard, found) = (Vec::new(), has(expected));
        while !found(&heard) {
            assert!(stream.read_buf(&mut heard).await.unwrap() > 0);
        }
    }
    stream
}

#[test]
fn an_idle_session_over_http2() {
    let (address, count) = counted::start(|listener| async move {
        let routes = Router::new().fallback_service(server().service());
        // Or the first message waits for the acknowledgement of the head before it.
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
        axum::serve(listener, routes).await.unwrap();
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let connect = async || {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (mut requests, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .unwrap();
        let mut driving = tokio::task::JoinSet::new();
        driving.spawn(connection);
        // Once the server has said what it can do.
        let first = hyper::Request::get("http://t/").body(Empty::new()).unwrap();
        requests.send_request(first).await.unwrap();
        (requests, driving)
    };
    let mut connections = Vec::new();
    let alone = each(count, || connections.push(runtime.block_on(connect())));
    println!("a connection of HTTP/2 without sessions: {alone} bytes");
    assert!(alone <= CONNECTION_MAX, "{alone} bytes");

    let mut streams = Vec::new();
    let mut number = 0;
    let each = each(count, || {
        let (requests, _) = &mut connections[number / STREAMS];
        streams.push(runtime.block_on(join_on(requests)));
        number += 1;
    });
    println!("a session over HTTP/2: {each} bytes");
    assert!(each <= HTTP2_MAX, "{each} bytes");
}
