//! What a server keeps for each client of permessage-deflate that has said and heard enough to fill its contexts, and says
//! nothing now: bytes, counted.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod counted;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use benches::allocations::{Count, Counting};
use benches::wire;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use socketio::SocketIo;
use socketio::engineio::PerMessageDeflate;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const TARGET: &str = "/socket.io/?EIO=4&transport=websocket";

/// What a browser offers.
const OFFER: &str = "permessage-deflate; client_max_window_bits";

/// Connected before the count begins: the worker has its zlib then, and its buffers.
const WARM_UP: usize = 20;
/// Connected while it goes on.
const COUNTED: usize = 50;

/// Said and heard by each, twice: more than the largest window.
const MESSAGE_BYTES: usize = 40_000;

/// Kept of a compressing client, whatever it said, in bytes.
const KEPT_MAX: i64 = 40_000;
/// The same where the client was told to have a window of 4 KiB.
const SMALL_WINDOW_MAX: i64 = 6_500;
/// The same without any context: about what is kept of a client that does not compress.
const CONTEXTLESS_MAX: i64 = 2_400;
/// Zlib's state, of which a worker has some and a client has none.
const WORKER_MAX: i64 = 700_000;

/// A client's end of the extension.
struct Client {
    stream: TcpStream,
    heard: Vec<u8>,
    compress: Compress,
    decompress: Decompress,
    is_contextless: bool,
}

impl Client {
    fn join(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut client = Self {
            stream,
            heard: Vec::new(),
            compress: Compress::new(Compression::fast(), false),
            decompress: Decompress::new(false),
            is_contextless: false,
        };
        let request = wire::upgrade_request_with(TARGET, OFFER);
        client.stream.write_all(&request).unwrap();
        while wire::read_response(&client.heard).is_none() {
            client.listen();
        }
        let (_, length) = wire::read_response(&client.heard).unwrap();
        let head = String::from_utf8(client.heard.drain(..length).collect()).unwrap();
        assert!(head.contains("permessage-deflate"), "{head}");
        client.is_contextless = head.contains("client_no_context_takeover");
        if head.contains("client_max_window_bits=12") {
            client.compress = Compress::new_with_window_bits(Compression::fast(), false, 12);
        }
        assert!(client.hear().starts_with(b"0{"));
        client.say(b"40");
        assert!(client.hear().starts_with(b"40{"));
        client
    }

    fn listen(&mut self) {
        let mut buffer = [0; 65_536];
        let count = self.stream.read(&mut buffer).unwrap();
        assert!(count > 0, "the server hung up");
        self.heard.extend_from_slice(&buffer[..count]);
    }

    fn say(&mut self, message: &[u8]) {
        let mut payload = Vec::with_capacity(message.len() + 100);
        self.compress
            .compress_vec(message, &mut payload, FlushCompress::Sync)
            .unwrap();
        payload.truncate(payload.len() - 4);
        if self.is_contextless {
            self.compress.reset();
        }
        self.stream
            .write_all(&wire::compressed_frame(wire::opcode::TEXT, &payload))
            .unwrap();
    }

    fn hear(&mut self) -> Vec<u8> {
        let (payload, is_compressed) = loop {
            if let Some((frame, length)) = wire::read_frame(&self.heard) {
                let heard = (frame.payload.to_vec(), frame.is_compressed);
                self.heard.drain(..length);
                break heard;
            }
            self.listen();
        };
        if !is_compressed {
            return payload;
        }
        let mut message = Vec::with_capacity(2 * MESSAGE_BYTES);
        let whole = [&payload[..], &[0, 0, 0xff, 0xff]].concat();
        self.decompress
            .decompress_vec(&whole, &mut message, FlushDecompress::Sync)
            .unwrap();
        message
    }

    /// Says something long, twice, and hears it back.
    fn talk(&mut self) {
        let text: String = (0..)
            .flat_map(|number: u32| number.to_string().into_bytes())
            .map(char::from)
            .take(MESSAGE_BYTES)
            .collect();
        for _ in 0..2 {
            self.say(format!("42[\"message\",\"{text}\"]").as_bytes());
            assert_eq!(self.hear(), format!("42[\"back\",\"{text}\"]").as_bytes());
        }
    }
}

fn start(options: PerMessageDeflate) -> (SocketAddr, Count) {
    counted::start(move |listener| async move {
        let io = SocketIo::builder()
            .engine(|config| config.per_message_deflate(options))
            .build()
            .unwrap();
        io.namespace("/")
            .on("message", |socket, text: String| async move {
                socket.emit("back", &text).unwrap();
            })
            .open()
            .unwrap();
        io.serve(listener).await.unwrap();
    })
}

/// What the worker keeps when its clients have said and heard something, and what each of them adds.
fn kept(options: PerMessageDeflate) -> (i64, i64) {
    let (address, count) = start(options);
    let before = count.held_bytes();
    let mut clients: Vec<Client> = (0..WARM_UP).map(|_| Client::join(address)).collect();
    clients.iter_mut().for_each(Client::talk);
    let warm = count.held_bytes();
    let first = clients.len();
    clients.extend((0..COUNTED).map(|_| Client::join(address)));
    clients[first..].iter_mut().for_each(Client::talk);
    let each = (count.held_bytes() - warm) / i64::try_from(COUNTED).unwrap();
    let worker = warm - before - each * i64::try_from(WARM_UP).unwrap();
    println!("{options:?}: {each} bytes each, {worker} of the worker");
    (each, worker)
}

#[test]
fn a_client_of_the_defaults() {
    let (each, worker) = kept(PerMessageDeflate::new());
    // Or nothing was kept because nothing was compressed.
    assert!(each > 32 * 1024, "{each} bytes");
    assert!(each <= KEPT_MAX, "{each} bytes");
    assert!(worker <= WORKER_MAX, "{worker} bytes");
}

#[test]
fn a_client_with_a_small_window() {
    let (each, worker) = kept(PerMessageDeflate::new().client_window_bits(12));
    assert!(each > 4 * 1024, "{each} bytes");
    assert!(each <= SMALL_WINDOW_MAX, "{each} bytes");
    assert!(worker <= WORKER_MAX, "{worker} bytes");
}

#[test]
fn a_client_with_contexts_both_ways() {
    let options = PerMessageDeflate::new().server_context_bytes(4_096);
    let (each, worker) = kept(options);
    assert!(each > 36 * 1024, "{each} bytes");
    assert!(each <= KEPT_MAX, "{each} bytes");
    assert!(worker <= WORKER_MAX, "{worker} bytes");
}

#[test]
fn a_client_without_contexts() {
    let options = PerMessageDeflate::new().client_context_takeover(false);
    let (each, worker) = kept(options);
    assert!(each <= CONTEXTLESS_MAX, "{each} bytes");
    assert!(worker <= WORKER_MAX, "{worker} bytes");
}
