//! A client that talks to a server whose allocations are counted.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use benches::allocations::Count;
use benches::wire;

/// Messages before the count begins: pools and tables have their size then.
const WARM_UP: u64 = 200;

/// Messages that are counted.
pub(crate) const COUNTED: u64 = 1000;

/// A client that waits for each answer.
pub(crate) struct Client {
    stream: TcpStream,
    heard: Vec<u8>,
}

impl Client {
    /// Opens a session.
    pub(crate) fn open(address: SocketAddr, target: &str) -> Self {
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

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    fn listen(&mut self) {
        let mut buffer = [0; 65_536];
        let count = self.stream.read(&mut buffer).unwrap();
        assert!(count > 0, "the server hung up");
        self.heard.extend_from_slice(&buffer[..count]);
    }

    /// The payload of the next frame.
    pub(crate) fn hear(&mut self) -> Vec<u8> {
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
pub(crate) fn allocations(count: Count, mut exchange: impl FnMut()) -> u64 {
    for _ in 0..WARM_UP {
        exchange();
    }
    let before = count.so_far();
    for _ in 0..COUNTED {
        exchange();
    }
    count.so_far() - before
}
