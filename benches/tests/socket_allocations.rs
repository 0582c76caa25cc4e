//! How often a Socket.IO server allocates for each event, and what it keeps for a client that says nothing: counts, so
//! they can fail where a measurement could not.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod client;
mod counted;
mod socket_server;

use std::net::SocketAddr;

use axum::Router;
use benches::allocations::{Count, Counting};
use benches::wire::{self, opcode};
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;

use client::{COUNTED, Client, allocations};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// For an event whose arguments are relayed as they are: the arguments, and the handler's future.
const RELAY: u64 = 2;

/// For an event with a string: the string, and the handler's future.
const STRING: u64 = 2;

/// For an event that is acknowledged with a number: the handler's future.
const NUMBER: u64 = 1;

/// For a relayed event with one attachment: what waits for it, its name, the attachment, what shares these, and the handler's
/// future.
const BINARY: u64 = 5;

/// For a broadcast, however many hear it: the arguments, the handler's future, who is meant, the message, and its bytes.
const BROADCAST: u64 = 5;

/// Clients there before those whose memory is counted: the tables of all have their size then.
const CLIENTS_BEFORE: usize = 230;

/// All clients; larger tables would be made for 448.
const CLIENTS_MAX: usize = 440;

/// What is kept for an idle client, as asked of the allocator: the session with the client's state, the task and
/// the registration of its stream with tokio (256 each), its socket, and a share of the table of deadlines. Behind servers of
/// hyper and axum it is the same, for they keep nothing once the WebSocket is there.
const IDLE_BYTES: usize = 1_590;

/// Opens a session and joins the namespace.
fn join(address: SocketAddr) -> Client {
    let mut client = Client::open(address, socket_server::TARGET);
    client.send(&wire::frame(opcode::TEXT, b"40"));
    let answer = client.hear();
    assert!(answer.starts_with(b"40{"), "{answer:?}");
    client
}

/// Checks one exchange of a single client: `sent` leads to `heard`, with at most so many allocations.
fn check(most: u64, sent: &[(u8, &[u8])], heard: &[&[u8]]) {
    let (address, count) = socket_server::start();
    let mut client = join(address);
    let mut frames = Vec::new();
    for (opcode, message) in sent {
        frames.extend_from_slice(&wire::frame(*opcode, message));
    }
    let allocated = allocations(count, || {
        client.send(&frames);
        for message in heard {
            assert_eq!(client.hear(), *message);
        }
    });
    assert!(allocated <= most * COUNTED, "{allocated} in {COUNTED}");
}

#[test]
fn relayed_text_is_kept_once() {
    for text in ["sixteen bytes...".to_owned(), "x".repeat(1024)] {
        let sent = format!(r#"42["relay","{text}"]"#);
        let heard = format!(r#"42["relayed","{text}"]"#);
        check(
            RELAY,
            &[(opcode::TEXT, sent.as_bytes())],
            &[heard.as_bytes()],
        );
    }
}

#[test]
fn a_string_is_the_only_copy_of_it() {
    let message = br#"42["text","sixteen bytes..."]"#;
    check(STRING, &[(opcode::TEXT, message)], &[message]);
}

#[test]
fn an_acknowledgement_takes_nothing() {
    let asked = br#"427["number",1]"#;
    check(NUMBER, &[(opcode::TEXT, asked)], &[b"437[1]"]);
}

#[test]
fn relayed_data_is_kept_once() {
    let sent = br#"451-["relay",{"_placeholder":true,"num":0}]"#;
    let heard = br#"451-["relayed",{"_placeholder":true,"num":0}]"#;
    let data = [7; 128];
    check(
        BINARY,
        &[(opcode::TEXT, sent), (opcode::BINARY, &data)],
        &[heard, &data],
    );
}

#[test]
fn a_delivery_takes_nothing() {
    let (address, count) = socket_server::start();
    let mut clients: Vec<Client> = Vec::new();
    for listeners in [1, 20] {
        clients.resize_with(listeners, || join(address));
        let message = br#"42["everyone","hello"]"#;
        let frame = wire::frame(opcode::TEXT, message);
        let allocated = allocations(count, || {
            clients[0].send(&frame);
            for client in &mut clients {
                assert_eq!(client.hear(), message);
            }
        });
        assert!(
            allocated <= BROADCAST * COUNTED,
            "{allocated} in {COUNTED} to {listeners}"
        );
    }
}

fn check_idle((address, count): (SocketAddr, Count)) {
    let mut clients: Vec<Client> = Vec::new();
    clients.resize_with(CLIENTS_BEFORE, || join(address));
    let before = count.held_bytes();
    clients.resize_with(CLIENTS_MAX, || join(address));
    let held = usize::try_from(count.held_bytes() - before).unwrap();
    let each = held / (CLIENTS_MAX - CLIENTS_BEFORE);
    assert!(each <= IDLE_BYTES, "{each}");
}

#[test]
fn an_idle_client_keeps_little() {
    check_idle(socket_server::start());
}

#[test]
fn an_idle_client_behind_hyper_keeps_no_more() {
    check_idle(counted::start(|listener| async move {
        let service = socket_server::server().service();
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service.clone())
                .with_upgrades();
            connections.spawn(connection);
            while connections.try_join_next().is_some() {}
        }
    }));
}

#[test]
fn an_idle_client_behind_axum_keeps_no_more() {
    check_idle(counted::start(|listener| async move {
        let service = socket_server::server().service();
        let routes = Router::new().fallback_service(service);
        axum::serve(listener, routes).await.unwrap();
    }));
}
