//! How often a server allocates for each message: a count, so it can fail where a time could not.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod client;
mod counted;
mod engine_server;

use benches::allocations::Counting;
use benches::wire::{self, opcode};

use client::{COUNTED, Client, allocations};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn an_engine_allocates_nothing_for_an_echo() {
    let (address, count) = engine_server::start();
    let mut client = Client::open(address, engine_server::TARGET);
    for (kind, opcode, message) in [
        ("16 bytes of text", opcode::TEXT, [b'4'; 17].to_vec()),
        ("128 bytes of data", opcode::BINARY, vec![7; 128]),
        ("1 KiB of text", opcode::TEXT, vec![b'4'; 1025]),
        ("16 KiB of data", opcode::BINARY, vec![7; 16 * 1024]),
    ] {
        let frame = wire::frame(opcode, &message);
        let allocated = allocations(count, || {
            client.send(&frame);
            assert_eq!(client.hear(), message);
        });
        // A read that ends within a large frame has a part of it kept.
        let most = if message.len() > 8 * 1024 {
            2 * COUNTED
        } else {
            0
        };
        assert!(allocated <= most, "{kind}: {allocated} in {COUNTED}");
    }
}

#[test]
fn an_engine_allocates_nothing_for_a_burst_answered_in_one_write() {
    let (address, count) = engine_server::start();
    let mut client = Client::open(address, engine_server::TARGET);
    let message = b"4sixteen bytes...".to_vec();
    let burst = wire::frame(opcode::TEXT, &message).repeat(8);
    let allocated = allocations(count, || {
        client.send(&burst);
        for _ in 0..8 {
            assert_eq!(client.hear(), message);
        }
    });
    assert_eq!(allocated, 0);
}

#[test]
fn a_broadcast_is_encoded_once_however_many_hear_it() {
    let (address, count) = engine_server::start();
    let mut clients: Vec<Client> = Vec::new();
    let mut counts = Vec::new();
    for listeners in [1, 20] {
        clients.resize_with(listeners, || Client::open(address, engine_server::TARGET));
        let message = b"4!everyone";
        let frame = wire::frame(opcode::TEXT, message);
        counts.push(allocations(count, || {
            clients[0].send(&frame);
            for client in &mut clients {
                assert_eq!(client.hear(), message);
            }
        }));
    }
    assert_eq!(counts[0], counts[1]);
    assert!(counts[0] <= 4 * COUNTED, "{} in {COUNTED}", counts[0]);
}
