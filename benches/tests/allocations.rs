//! How often a server allocates for each message: a count, so it can fail where a time could not.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod engine_server;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use benches::allocations::{Count, Counting};
use benches::wire::{self, opcode};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Messages before the count begins: pools and tables have their size then.
const WARM_UP: u64 = 200;

/// Messages that are counted.
const COUNTED: u64 = 1000;

/// A client that waits for each answer.
struct Client {
    stream: TcpStream,
    heard: Vec<u8>,
}

impl Client {
    /// Opens a session.
    fn open(address: SocketAddr, target: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut client = Self {
            stream,
            heard: Vec::new(),
        };
        client.send(&wire::upgrade_request(target));
        while wire::read_response(&client.heard).is_none() {
            client.listen();
        }
        let (_, length) = wire::read_response(&client.heard).unwrap();
        client.heard.drain(..length);
        let open = client.hear();
        assert!(open.starts_with(b"0{"), "{open:?}");
        client
    }

    fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    fn listen(&mut self) {
        let mut buffer = [0; 65_536];
        let count = self.stream.read(&mut buffer).unwrap();
        assert!(count > 0, "the server hung up");
        self.heard.extend_from_slice(&buffer[..count]);
    }

    /// The payload of the next frame.
    fn hear(&mut self) -> Vec<u8> {
        loop {
            if let Some((frame, length)) = wire::read_frame(&self.heard) {
                let payload = frame.payload.to_vec();
                self.heard.drain(..length);
                return payload;
            }
            self.listen();
        }
    }
}

/// What the server allocates for so many exchanges.
fn allocations(count: Count, mut exchange: impl FnMut()) -> u64 {
    for _ in 0..WARM_UP {
        exchange();
    }
    let before = count.so_far();
    for _ in 0..COUNTED {
        exchange();
    }
    count.so_far() - before
}

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
