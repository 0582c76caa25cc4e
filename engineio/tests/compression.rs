//! Compression of WebSocket messages and of polling responses.
#![cfg(all(feature = "deflate", feature = "compression"))]

mod support;

use std::io::Read as _;

use engineio::{Config, EncodedMessage, PerMessageDeflate, SendOptions};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use support::{Door, Server, WebSocket, request};

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";
const WEBSOCKET: &str = "/engine.io/?EIO=4&transport=websocket";

/// A client's end of the extension, straight from the RFC.
struct Peer {
    compress: Compress,
    decompress: Decompress,
}

impl Peer {
    fn new() -> Self {
        Self {
            compress: Compress::new(Compression::default(), false),
            decompress: Decompress::new(false),
        }
    }

    fn deflate(&mut self, message: &[u8]) -> Vec<u8> {
        let mut payload = Vec::with_capacity(message.len() + 100);
        self.compress
            .compress_vec(message, &mut payload, FlushCompress::Sync)
            .expect("there is room");
        payload.truncate(payload.len() - 4);
        payload
    }

    /// What a frame says, compressed or not.
    fn read(&mut self, (first, payload): (u8, Vec<u8>)) -> Vec<u8> {
        match first {
            0xc1 => self.inflate(&payload),
            _ => payload,
        }
    }

    fn inflate(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut message = Vec::with_capacity(2_000_000);
        let whole = [payload, &[0, 0, 0xff, 0xff]].concat();
        self.decompress
            .decompress_vec(&whole, &mut message, FlushDecompress::Sync)
            .expect("a valid stream");
        message
    }
}

async fn open(server: &Server, offer: &str) -> WebSocket {
    let header = format!("Sec-WebSocket-Extensions: {offer}\r\n");
    WebSocket::try_open(server.addr, WEBSOCKET, &header)
        .await
        .expect("a handshake")
}

#[tokio::test]
async fn nothing_is_negotiated_unless_configured() {
    //= EIO4-WS-08 test
    let server = Server::start(Door::Own, Config::new()).await;
    let mut socket = open(&server, "permessage-deflate").await;
    assert_eq!(socket.handshake.header("sec-websocket-extensions"), None);
    socket.sid().await;
    socket.send_bytes(&WebSocket::frame(0xc1, b"x")).await;
    assert_eq!(socket.close_frame().await, 1002_u16.to_be_bytes());
}

#[tokio::test]
async fn with_a_context_short_messages_are_compressed_too_through_every_door() {
    //= EIO4-CMP-03 test
    for door in Door::ALL {
        let deflate = PerMessageDeflate::new().server_context_bytes(32_768);
        let server = Server::start(door, Config::new().per_message_deflate(deflate)).await;
        let mut socket = open(&server, "permessage-deflate; client_max_window_bits").await;
        assert_eq!(
            socket.handshake.header("sec-websocket-extensions"),
            Some("permessage-deflate")
        );
        let mut peer = Peer::new();
        let (first, open) = socket.next().await.unwrap();
        assert_eq!(first, 0xc1);
        assert!(peer.inflate(&open).starts_with(b"0{\"sid\""));
        let tiny = "4tiny, tiny, tiny";
        for text in [tiny, tiny, &format!("4{}", "long ".repeat(40_000))] {
            let payload = peer.deflate(text.as_bytes());
            socket.send_bytes(&WebSocket::frame(0xc1, &payload)).await;
            let (first, echo) = socket.next().await.unwrap();
            assert_eq!(first, 0xc1);
            assert_eq!(peer.inflate(&echo), text.as_bytes());
        }
        // Fragments, and uncompressed messages between compressed ones, both ways.
        let payload = peer.deflate(b"4in two pieces");
        let (a, b) = payload.split_at(3);
        socket.send_bytes(&WebSocket::frame(0x41, a)).await;
        socket.send_bytes(&WebSocket::frame(0x80, b)).await;
        assert_eq!(peer.read(socket.next().await.unwrap()), b"4in two pieces");
        socket.send("4plain").await;
        let (first, echo) = socket.next().await.unwrap();
        assert_eq!(
            (first, &echo[..]),
            (0x81, &b"4plain"[..]),
            "it would not be shorter"
        );
        socket.send(tiny).await;
        let (first, echo) = socket.next().await.unwrap();
        assert_eq!(first, 0xc1);
        assert_eq!(peer.inflate(&echo), tiny.as_bytes());
    }
}

#[tokio::test]
async fn by_default_the_threshold_holds_and_recipients_share_the_bytes() {
    //= EIO4-CMP-03 test
    let deflate = PerMessageDeflate::new().threshold(100);
    let config = Config::new().per_message_deflate(deflate);
    let mut server = Server::start(Door::Own, config).await;
    let mut sockets = Vec::new();
    for _ in 0..2 {
        let mut socket = open(&server, "permessage-deflate").await;
        socket.next().await.unwrap();
        sockets.push((socket, server.opened().await));
    }
    let below = EncodedMessage::text(&"x".repeat(98));
    let at = EncodedMessage::text(&"x".repeat(99));
    let mut forms = Vec::new();
    for (socket, connection) in &mut sockets {
        connection.send(&below).unwrap();
        connection.send(&at).unwrap();
        connection
            .send_as(&at, SendOptions::new().compress(false))
            .unwrap();
        assert_eq!(socket.next().await.unwrap().0, 0x81, "below the threshold");
        let (first, payload) = socket.next().await.unwrap();
        assert_eq!(first, 0xc1, "at the threshold, its type included");
        assert_eq!(Peer::new().inflate(&payload).len(), 100);
        forms.push(payload);
        assert_eq!(socket.next().await.unwrap().0, 0x81, "not to be compressed");
    }
    assert_eq!(forms[0], forms[1]);
}

#[tokio::test]
async fn recipients_share_what_their_window_reaches_whoever_is_first() {
    //= EIO4-CMP-03 test
    let config = Config::new().per_message_deflate(PerMessageDeflate::new());
    let mut server = Server::start(Door::Own, config).await;
    let mut sockets = Vec::new();
    for bits in [9, 15, 10, 9, 15, 10] {
        let offer = format!("permessage-deflate; server_max_window_bits={bits}");
        let mut socket = open(&server, &offer).await;
        socket.next().await.unwrap();
        sockets.push((bits, socket, server.opened().await));
    }
    // Longer than the small windows, and again after so much that only the large one reaches back.
    let text: String = (0..1_000_u32).map(|n| (n * n).to_string()).collect();
    let message = EncodedMessage::text(&text.repeat(2));
    let mut lengths = Vec::new();
    for (bits, socket, connection) in &mut sockets {
        connection.send(&message).unwrap();
        let (first, payload) = socket.next().await.unwrap();
        assert_eq!(first, 0xc1);
        let mut client = Decompress::new_with_window_bits(false, *bits);
        let mut heard = Vec::with_capacity(20_000);
        client
            .decompress_vec(
                &[&payload[..], &[0, 0, 0xff, 0xff]].concat(),
                &mut heard,
                FlushDecompress::Sync,
            )
            .unwrap();
        assert_eq!(heard[1..], *text.repeat(2).as_bytes());
        lengths.push(payload.len());
    }
    assert_eq!(lengths[..3], lengths[3..]);
    assert!(lengths[1] < lengths[0] * 2 / 3, "{lengths:?}");
}

#[tokio::test]
async fn a_compressed_bomb_ends_its_own_connection() {
    let config = Config::new()
        .max_payload(10_000)
        .per_message_deflate(PerMessageDeflate::new().threshold(16));
    let mut server = Server::start(Door::Own, config).await;
    let mut socket = open(&server, "permessage-deflate").await;
    socket.next().await.unwrap();
    server.opened().await;
    let bomb = Peer::new().deflate(&vec![b'4'; 5_000_000]);
    assert!(
        bomb.len() < 10_000,
        "it would pass as it is: {}",
        bomb.len()
    );
    socket.send_bytes(&WebSocket::frame(0xc1, &bomb)).await;
    assert_eq!(socket.close_frame().await, 1009_u16.to_be_bytes());
    server.closed().await;
    let mut fresh = open(&server, "permessage-deflate").await;
    fresh.next().await.unwrap();
    let at_limit = Peer::new().deflate(&vec![b'4'; 10_000]);
    fresh.send_bytes(&WebSocket::frame(0xc1, &at_limit)).await;
    assert_eq!(fresh.next().await.unwrap().0, 0xc1);
}

#[tokio::test]
async fn a_long_polling_response_is_compressed_from_the_threshold_on() {
    //= EIO4-CMP-01 test
    //= EIO4-CMP-02 test
    let mut server = Server::start(Door::Own, Config::new()).await;
    let sid = server.handshake().await;
    let connection = server.opened().await;
    let target = format!("{POLLING}&sid={sid}");
    let encoding = "Accept-Encoding: gzip, deflate, br\r\n";
    let poll = async || request(server.addr, "GET", &target, encoding, b"").await;

    connection.send_text(&"x".repeat(1022)).unwrap();
    assert_eq!(poll().await.header("content-encoding"), None);

    connection.send_text(&"x".repeat(1023)).unwrap();
    let response = poll().await;
    assert_eq!(response.header("content-encoding"), Some("gzip"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&response.body[..])
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text.len(), 1024);

    let message = EncodedMessage::text(&"x".repeat(2_000));
    let plain = SendOptions::new().compress(false);
    connection.send_as(&message, plain).unwrap();
    assert_eq!(poll().await.header("content-encoding"), None);
    connection.send_as(&message, plain).unwrap();
    connection.send_text("one that may").unwrap();
    assert_eq!(poll().await.header("content-encoding"), Some("gzip"));
}
