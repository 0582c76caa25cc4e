//! What strangers cost: counts of allocations and of bytes, so that they can fail where a time could not.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod counted;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use benches::allocations::{self, Count, Counting};
use benches::wire::{self, opcode};
use serde_json::Value;
use socketio::SocketIo;
use socketio::auth::{AuthContext, Authenticator, Credential, InHandshake, Outcome, SourceKind};
use socketio_auth::TwoRoundTrip;
use socketio_auth::jwt::{Algorithm, JwtAuthenticator};
use socketio_auth::testing::{StaticAuth, TokenMint, block_on};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const CLIENTS: usize = 64;

/// A server whose `/in` lets everybody in who has a token, and whose `/pending` waits for one.
fn start() -> (SocketAddr, Count) {
    counted::start(async |listener| {
        let io = SocketIo::new();
        let open = InHandshake::new(StaticAuth::accept("ann"));
        io.namespace("/in").authenticate(open).open().unwrap();
        let waiting = TwoRoundTrip::new(StaticAuth::accept("ann"));
        let waiting = waiting.timeout(Duration::from_secs(60));
        io.namespace("/pending")
            .authenticate(waiting)
            .open()
            .unwrap();
        io.serve(listener).await.unwrap();
    })
}

/// A client that has connected to a namespace.
fn connect(address: SocketAddr, packet: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let mut request = wire::upgrade_request("/socket.io/?EIO=4&transport=websocket");
    request.extend(wire::frame(opcode::TEXT, packet.as_bytes()));
    stream.write_all(&request).unwrap();
    let mut heard = Vec::new();
    while !String::from_utf8_lossy(&heard).contains("40/") {
        let mut buffer = [0; 4096];
        let length = stream.read(&mut buffer).unwrap();
        assert!(length > 0, "the server hung up");
        heard.extend_from_slice(&buffer[..length]);
    }
    stream
}

/// What the server holds for so many clients of a namespace.
fn held_bytes(packet: &str) -> i64 {
    let (address, count) = start();
    let _warm = connect(address, packet);
    let before = count.held_bytes();
    let clients: Vec<_> = (0..CLIENTS).map(|_| connect(address, packet)).collect();
    let held = count.held_bytes() - before;
    drop(clients);
    held
}

#[test]
fn a_pending_socket_costs_no_more_memory_than_a_connected_one() {
    let connected = held_bytes(r#"40/in,{"token":"t"}"#);
    let pending = held_bytes("40/pending,");
    assert!(pending > 0, "{pending}");
    assert!(pending <= connected, "{pending} and {connected} bytes");
}

/// What a connect allocates whose namespace anybody may join, and how much more one with a verified token does.
const CONNECT: u64 = 11;
const TOKEN: u64 = 26;

#[test]
fn a_token_adds_little_to_a_connect() {
    let mint = TokenMint::new(Algorithm::Hs256)
        .issuer("https://id.example")
        .audience("chat");
    let key = mint.verifying_key();
    let (address, count) = counted::start(async |listener| {
        let jwt = JwtAuthenticator::<Value>::builder()
            .key(key)
            .issuer("https://id.example")
            .audience("chat")
            .build()
            .unwrap();
        let io = SocketIo::new();
        io.namespace("/open").open().unwrap();
        let guarded = InHandshake::new(jwt);
        io.namespace("/in").authenticate(guarded).open().unwrap();
        io.serve(listener).await.unwrap();
    });
    let allocated = |packet: &str| {
        let _warm: Vec<_> = (0..CLIENTS).map(|_| connect(address, packet)).collect();
        let before = count.so_far();
        let _clients: Vec<_> = (0..CLIENTS).map(|_| connect(address, packet)).collect();
        (count.so_far() - before) / CLIENTS as u64
    };
    let open = allocated("40/open,");
    assert!(open <= CONNECT, "{open}");
    let token = mint.token("ann").sign();
    let guarded = allocated(&format!("40/in,{{\"token\":\"{token}\"}}"));
    assert!(guarded <= open + TOKEN, "{guarded}, without a token {open}");
}

/// What refusing a token allocates, once everything has its size.
fn cost(jwt: &JwtAuthenticator<Value>, token: &str) -> u64 {
    let count = allocations::count_this_thread();
    let (context, token) = (
        AuthContext::new("/"),
        Credential::new(token, SourceKind::Payload),
    );
    let refuse = || {
        let outcome = block_on(jwt.authenticate(&context, &token));
        assert!(!matches!(outcome, Outcome::Accept(_)), "not a good one");
    };
    refuse();
    let before = count.so_far();
    refuse();
    count.so_far() - before
}

#[test]
fn rejecting_garbage_costs_no_more_than_a_bad_signature() {
    let mint = TokenMint::new(Algorithm::Hs256)
        .issuer("https://id.example")
        .audience("chat");
    let jwt = JwtAuthenticator::<Value>::builder()
        .key(mint.verifying_key())
        .issuer("https://id.example")
        .audience("chat")
        .build()
        .unwrap();
    let forged = mint.token("ann").sign_wrongly();
    let bad_signature = cost(&jwt, &forged);
    let header = forged.split('.').next().unwrap();
    let garbage = [
        "x".repeat(forged.len()),
        "x".repeat(8 * 1024),
        "x".repeat(1_000_000),
        ".".repeat(forged.len()),
        format!("{header}.{}.x", "A".repeat(7000)),
        format!("{}.e30.x", "A".repeat(7000)),
        format!("{header}.e30.{}", "A".repeat(7000)),
        mint.token("ann").unsigned("none"),
        mint.token("ann").header("crit", "x").sign(),
        mint.token("ann")
            .header("jku", "https://evil.example")
            .sign(),
    ];
    for token in garbage {
        let shown = &token[..token.len().min(60)];
        let allocated = cost(&jwt, &token);
        assert!(
            allocated <= bad_signature,
            "{allocated} allocations, {bad_signature} for a bad signature: {shown}"
        );
    }
}
