//! TLS at the engine's own door, over real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

mod support;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engineio::{Certificates, CloseReason, Config, TlsError, TlsListener};
use support::http::Response;
use support::{Server, WebSocket, connected, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{
    ClientConfig, ProtocolVersion, RootCertStore, ServerConfig, SupportedProtocolVersion, version,
};

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";
const WEBSOCKET: &str = "/engine.io/?EIO=4&transport=websocket";
const BOTH: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];

fn pem(name: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.join("tests/pem").join(name)
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(pem(name)).unwrap()
}

fn first() -> Certificates {
    Certificates::from_pem_files(pem("first.pem"), pem("first.key.pem")).unwrap()
}

fn shown_by(name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(pem(name)).unwrap()
}

/// A folder with files that can be written.
fn files(test: &str) -> (PathBuf, PathBuf) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    std::fs::create_dir_all(&folder).unwrap();
    let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
    std::fs::write(&chain, read("first.pem")).unwrap();
    std::fs::write(&key, read("first.key.pem")).unwrap();
    (chain, key)
}

async fn serving(config: Config, certificates: Certificates) -> Server {
    bounded(config, certificates, |listener| listener).await
}

async fn bounded(
    config: Config,
    certificates: Certificates,
    bounds: impl FnOnce(TlsListener<TcpListener>) -> TlsListener<TcpListener>,
) -> Server {
    Server::serving(config, |engine, listener| {
        let listener = bounds(TlsListener::new(listener, certificates));
        async move { drop(engine.serve(listener).await) }
    })
    .await
}

fn client(versions: &[&'static SupportedProtocolVersion], protocols: &[&str]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(shown_by("root.pem")).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    TlsConnector::from(Arc::new(config))
}

async fn handshake(
    connector: &TlsConnector,
    stream: TcpStream,
) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from("localhost").unwrap();
    within(connector.connect(name, stream)).await
}

async fn connect(addr: SocketAddr) -> TlsStream<TcpStream> {
    let stream = within(TcpStream::connect(addr)).await.unwrap();
    handshake(&client(&BOTH, &[]), stream).await.unwrap()
}

async fn websocket(addr: SocketAddr) -> WebSocket<TlsStream<TcpStream>> {
    let opened = WebSocket::try_over(connect(addr).await, WEBSOCKET, "").await;
    let mut socket = opened.unwrap_or_else(|refused| panic!("{refused:?}"));
    socket.sid().await;
    socket
}

fn certificate_of(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    let (_, session) = stream.get_ref();
    session.peer_certificates().unwrap()[0].clone().into_owned()
}

/// What is said up to the end, which has to be an end in order.
async fn rest_of(stream: &mut TcpStream) -> Vec<u8> {
    let mut said = Vec::new();
    within(stream.read_to_end(&mut said)).await.unwrap();
    said
}

#[tokio::test]
async fn sessions_are_as_at_the_plain_door_and_secure() {
    let config = Config::new().response_headers(|request, headers| {
        let said = format!("{} {}", request.is_secure(), request.peer().unwrap());
        headers.insert("x-said", said.try_into().unwrap());
    });
    let mut server = serving(config, first()).await;
    for version in BOTH {
        let stream = within(TcpStream::connect(server.addr)).await.unwrap();
        let here = stream.local_addr().unwrap();
        let mut stream = handshake(&client(&[version], &["h2", "http/1.1"]), stream)
            .await
            .unwrap();
        let (_, session) = stream.get_ref();
        assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
        let expected = [ProtocolVersion::TLSv1_2, ProtocolVersion::TLSv1_3];
        assert!(
            session
                .protocol_version()
                .is_some_and(|version| expected.contains(&version))
        );

        let request = format!("GET {POLLING} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
        within(stream.write_all(request.as_bytes())).await.unwrap();
        let mut answer = Vec::new();
        // It is an error where the end is not announced.
        within(stream.read_to_end(&mut answer)).await.unwrap();
        let answer = Response::parse(&answer);
        assert_eq!(answer.header("x-said"), Some(&*format!("true {here}")));
        assert!(!answer.sid().is_empty());
        server.opened().await;
    }

    let mut socket = websocket(server.addr).await;
    server.opened().await;
    let text = format!("4{}", "m".repeat(999_999));
    socket.send(&text).await;
    assert!(socket.text().await == text);
    socket.send("4!close").await;
    assert_eq!(socket.close_frame().await, b"");
    assert_eq!(server.closed().await, CloseReason::ForcedClose);
}

#[tokio::test]
async fn bounds_by_address_see_the_peer() {
    let server = serving(Config::new().max_sessions_per_peer(1), first()).await;
    let _socket = websocket(server.addr).await;
    let refused = WebSocket::try_over(connect(server.addr).await, WEBSOCKET, "").await;
    assert_eq!(refused.err().map(|answer| answer.status), Some(503));
}

#[tokio::test]
async fn certificates_are_replaced_under_open_connections_and_broken_files_change_nothing() {
    let (chain, key) = files("reload");
    let certificates = Certificates::from_pem_files(&chain, &key).unwrap();
    let server = serving(Config::new(), certificates.clone()).await;
    let mut old = websocket(server.addr).await;
    assert_eq!(certificate_of(&old.stream), shown_by("first.pem"));

    for (file, text, said) in [
        (
            &chain,
            &b"-----BEGIN CERTIFICATE-----\nAAAA"[..],
            "no whole certificate",
        ),
        (&chain, b"", "no whole certificate"),
        (&key, b"nothing", "no private key"),
        // Another one's: the moment between the writing of one file and of the other.
        (&chain, &read("second.pem"), "cannot be used"),
    ] {
        let kept = std::fs::read(file).unwrap();
        std::fs::write(file, text).unwrap();
        let error = certificates.reload().unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        std::fs::write(file, kept).unwrap();
    }
    std::fs::remove_file(&chain).unwrap();
    let error = certificates.reload().unwrap_err().to_string();
    assert!(error.contains("chain.pem cannot be read"), "{error}");
    assert_eq!(
        certificate_of(&connect(server.addr).await),
        shown_by("first.pem")
    );

    std::fs::write(&chain, read("second.pem")).unwrap();
    std::fs::write(&key, read("second.key.pem")).unwrap();
    certificates.reload().unwrap();
    let new = websocket(server.addr).await;
    assert_eq!(certificate_of(&new.stream), shown_by("second.pem"));
    old.send("4still here").await;
    assert_eq!(old.text().await, "4still here");

    certificates.replace(&first());
    assert_eq!(
        certificate_of(&connect(server.addr).await),
        shown_by("first.pem")
    );
}

#[tokio::test]
async fn a_client_resumes_until_the_certificate_is_replaced() {
    let certificates = first();
    let server = serving(Config::new(), certificates.clone()).await;
    let connector = client(&BOTH, &[]);
    let mut kinds = Vec::new();
    for round in 0..3 {
        if round == 2 {
            certificates.reload().unwrap();
        }
        let stream = within(TcpStream::connect(server.addr)).await.unwrap();
        let stream = handshake(&connector, stream).await.unwrap();
        kinds.push(format!(
            "{:?}",
            stream.get_ref().1.handshake_kind().unwrap()
        ));
        // The tickets come behind the handshake.
        let socket = WebSocket::try_over(stream, WEBSOCKET, "").await;
        socket
            .unwrap_or_else(|refused| panic!("{refused:?}"))
            .sid()
            .await;
    }
    assert_eq!(kinds, ["Full", "Resumed", "Full"]);
}

#[tokio::test]
async fn what_is_no_tls_is_told_so_and_ends_in_order() {
    let server = serving(Config::new(), first()).await;
    let plain = format!("GET {POLLING} HTTP/1.1\r\nHost: t\r\n\r\n").into_bytes();
    let long = vec![b'x'; 10_000_000];
    for garbage in [&plain[..], &[0; 64], &[0xff; 4000], &long] {
        let mut stream = connected(server.addr, garbage).await;
        within(stream.shutdown()).await.unwrap();
        let said = rest_of(&mut stream).await;
        const ALERT: u8 = 21;
        assert_eq!(said.first(), Some(&ALERT), "{said:?}");
    }
    // Nothing that both speak.
    let stream = within(TcpStream::connect(server.addr)).await.unwrap();
    let error = handshake(&client(&BOTH, &["h2"]), stream)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("NoApplicationProtocol"),
        "{error}"
    );
    assert_eq!(server.engine.session_count(), 0);
    websocket(server.addr).await;
}

#[tokio::test]
async fn a_handshake_has_the_time_of_the_first_head_and_nobody_waits_for_it() {
    let config = Config::new().header_timeout(Duration::from_millis(300));
    let server = serving(config, first()).await;
    // Nothing, the beginning of a record, and a handshake without a request.
    let mut silent = connected(server.addr, b"").await;
    let mut begun = connected(server.addr, &[22, 3, 1, 2, 0, 1]).await;
    websocket(server.addr).await;
    assert_eq!(rest_of(&mut silent).await, b"");
    assert_eq!(rest_of(&mut begun).await, b"");
    let mut idle = connect(server.addr).await;
    let mut said = Vec::new();
    within(idle.read_to_end(&mut said)).await.unwrap();
    assert_eq!(said, b"");
}

#[tokio::test]
async fn a_silent_client_past_the_bound_gives_way_and_one_within_its_grace_does_not() {
    let config = Config::new().header_timeout(Duration::from_secs(3600));
    let server = bounded(config.clone(), first(), |listener| {
        listener.max_handshakes(2).handshake_grace(Duration::ZERO)
    })
    .await;
    let mut oldest = connected(server.addr, b"").await;
    let _other = connected(server.addr, &[22, 3, 1]).await;
    // The third displaces the first, and whoever is through needs no place any more.
    let mut sockets = vec![websocket(server.addr).await];
    assert_eq!(rest_of(&mut oldest).await, b"");
    sockets.push(websocket(server.addr).await);
    sockets.push(websocket(server.addr).await);
    for socket in &mut sockets {
        socket.send("4here").await;
        assert_eq!(socket.text().await, "4here");
    }

    let server = bounded(config, first(), |listener| {
        let grace = Duration::from_secs(3600);
        listener.max_handshakes(1).handshake_grace(grace)
    })
    .await;
    let mut within_grace = connected(server.addr, b"").await;
    let stream = within(TcpStream::connect(server.addr)).await.unwrap();
    let waiting = support::spawn(async move { handshake(&client(&BOTH, &[]), stream).await });
    // It leaves, and so there is a place.
    within(within_grace.write_all(b"no TLS")).await.unwrap();
    assert!(!rest_of(&mut within_grace).await.is_empty());
    within(waiting).await.unwrap().unwrap();
}

#[tokio::test]
async fn whoever_leaves_leaves_nothing() {
    let mut server = serving(Config::new(), first()).await;
    let socket = websocket(server.addr).await;
    server.opened().await;
    drop(socket);
    assert_eq!(server.closed().await, CloseReason::TransportClose);
    let mut socket = websocket(server.addr).await;
    server.opened().await;
    within(socket.stream.shutdown()).await.unwrap();
    assert_eq!(server.closed().await, CloseReason::TransportClose);
    drop(socket);
    server.until_gone().await;
}

#[test]
fn a_protocol_that_is_not_spoken_is_not_announced() {
    let config = |protocols: &[&str]| {
        let key = PrivateKeyDer::from_pem_slice(&read("first.key.pem")).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![shown_by("first.pem")], key)
            .unwrap();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        config
    };
    let refused = Certificates::from_config(config(&["h2", "http/1.1"]));
    assert!(matches!(refused, Err(TlsError::Protocol(name)) if name == "h2"));
    let made = Certificates::from_config(config(&[])).unwrap();
    assert!(matches!(made.reload(), Err(TlsError::NoFiles)));
    assert!(Certificates::from_config(config(&["http/1.1"])).is_ok());
    assert!(Certificates::from_pem(&read("first.pem"), &read("first.key.pem")).is_ok());
    let mixed = Certificates::from_pem(&read("first.pem"), &read("second.key.pem"));
    assert!(matches!(mixed, Err(TlsError::Unusable(_))));
}
