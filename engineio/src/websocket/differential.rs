//! The codec against an established one, in both directions.

#![allow(clippy::arithmetic_side_effects, reason = "an overflow fails the test")]

use std::io::{self, Cursor, Read, Write};

use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

use super::decode::{Decoder, Event};
use super::encode::{write_close, write_frame, write_header};
use super::fault::Fault;
use super::frame::Opcode;
use super::mask;
use crate::message::MessageBuffer;
use crate::proto::testing::Random;

const STREAM_COUNT: u64 = 3_000;
const MAX_MESSAGE_BYTES: usize = 70_000;

/// Bytes to read; what is written is lost.
struct Source(Cursor<Vec<u8>>);

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Source {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What either side made of a stream.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close(Option<u16>),
    Fault(Fault),
}

fn theirs(stream: Vec<u8>, role: Role) -> Vec<Seen> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    let mut socket = WebSocket::from_raw_socket(Source(Cursor::new(stream)), role, Some(config));
    let mut seen = Vec::new();
    loop {
        seen.push(match socket.read() {
            Ok(Message::Text(text)) => Seen::Text(text.to_string()),
            Ok(Message::Binary(data)) => Seen::Binary(data.to_vec()),
            Ok(Message::Ping(data)) => Seen::Ping(data.to_vec()),
            Ok(Message::Pong(_)) => Seen::Pong,
            Ok(Message::Close(Some(frame)))
                if frame.code == CloseCode::Protocol && frame.reason == "Protocol violation" =>
            {
                // It answers a forbidden code so, and reports no error.
                Seen::Fault(Fault::Protocol)
            }
            Ok(Message::Close(frame)) => Seen::Close(frame.map(|frame| frame.code.into())),
            Ok(Message::Frame(_)) => continue,
            Err(Error::Utf8(_)) => Seen::Fault(Fault::InvalidUtf8),
            Err(Error::Capacity(_)) => Seen::Fault(Fault::TooBig),
            Err(Error::Protocol(
                tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            )) => {
                return seen;
            }
            Err(Error::Protocol(_)) => Seen::Fault(Fault::Protocol),
            Err(_) => return seen,
        });
        if matches!(seen.last(), Some(Seen::Close(_) | Seen::Fault(_))) {
            return seen;
        }
    }
}

fn ours(stream: &[u8], random: &mut Random) -> Vec<Seen> {
    let mut decoder = Decoder::new(MAX_MESSAGE_BYTES);
    let mut seen = Vec::new();
    let mut left = stream;
    while !left.is_empty() {
        let most = if random.one_in(2) { 10 } else { 100_000 };
        let length = usize::try_from(random.below(most)).unwrap() + 1;
        let (piece, behind) = left.split_at(length.min(left.len()));
        left = behind;
        let mut piece = piece.to_vec();
        let mut rest = &mut piece[..];
        loop {
            match decoder.decode(rest) {
                Ok(Some((event, after))) => {
                    seen.push(match event {
                        Event::Text(text) => Seen::Text(text.to_owned()),
                        Event::Binary(data) => Seen::Binary(data.to_vec()),
                        Event::Ping(data) => Seen::Ping(data.to_vec()),
                        Event::Pong => Seen::Pong,
                        Event::Close(code) => {
                            seen.push(Seen::Close(code));
                            return seen;
                        }
                    });
                    rest = after;
                }
                Ok(None) => break,
                Err(fault) => {
                    seen.push(Seen::Fault(fault));
                    return seen;
                }
            }
        }
    }
    seen
}

/// A client's stream: sound messages in fragments with control frames between them, at its end often a close
/// frame or something forbidden.
struct Stream<'r> {
    random: &'r mut Random,
    bytes: Vec<u8>,
}

impl Stream<'_> {
    fn frame(&mut self, first: u8, payload: &[u8]) {
        let start = self.bytes.len();
        write_header(&mut self.bytes, Opcode::Text, payload.len());
        self.bytes[start] = first;
        self.bytes[start + 1] |= 0x80;
        let key = [0; 4].map(|_: u8| u8::try_from(self.random.below(256)).unwrap());
        self.bytes.extend_from_slice(&key);
        let mut masked = payload.to_vec();
        mask::apply(&mut masked, key);
        self.bytes.extend_from_slice(&masked);
    }

    fn payload(&mut self, most: u64) -> Vec<u8> {
        let length = self.random.below(most);
        (0..length)
            .map(|_| u8::try_from(self.random.below(256)).unwrap())
            .collect()
    }

    fn text(&mut self) -> Vec<u8> {
        let length = self.random.below(40);
        let text: String = (0..length)
            .map(|_| {
                ['a', 'é', '€', '😀', '\0', '\u{10ffff}']
                    [usize::try_from(self.random.below(6)).unwrap()]
            })
            .collect();
        text.into_bytes()
    }

    /// A message in up to four fragments, cut anywhere.
    fn message(&mut self, opcode: u8, payload: &[u8]) {
        let mut first = opcode;
        let mut rest = payload;
        for _ in 0..self.random.below(4) {
            let length = u64::try_from(rest.len()).unwrap() + 1;
            let (piece, behind) =
                rest.split_at(usize::try_from(self.random.below(length)).unwrap());
            self.frame(first, piece);
            first = 0;
            rest = behind;
            if self.random.one_in(3) {
                let data = self.payload(126);
                let control = if self.random.one_in(2) { 0x89 } else { 0x8a };
                self.frame(control, &data);
            }
        }
        self.frame(0x80 | first, rest);
    }

    fn sound(&mut self) {
        match self.random.below(8) {
            0 => {
                let data = self.payload(300);
                self.message(2, &data);
            }
            1 if self.random.one_in(20) => {
                let data = self.payload(70_000);
                self.message(2, &data);
            }
            2 => {
                let data = self.payload(126);
                self.frame(0x89, &data);
            }
            _ => {
                let text = self.text();
                self.message(1, &text);
            }
        }
    }

    fn end(&mut self) {
        match self.random.below(16) {
            0 => self.frame(0x88, b""),
            1 => {
                let codes = [1000_u16, 1001, 1002, 1003, 1007, 1008, 1011, 3000, 4999];
                let code = codes[usize::try_from(self.random.below(9)).unwrap()];
                let mut payload = code.to_be_bytes().to_vec();
                payload.extend_from_slice("why €".as_bytes());
                self.frame(0x88, &payload);
            }
            2 => {
                let codes = [0_u16, 999, 1005, 1006, 1015, 1016, 2999, 5000, 65_535];
                let code = codes[usize::try_from(self.random.below(9)).unwrap()];
                self.frame(0x88, &code.to_be_bytes());
            }
            3 => self.frame(0x88, b"\x03"),
            4 => self.frame(0x88, b"\x03\xe8\xff"),
            5 => self.frame(0x81, b"\xc0\x80"),
            6 => self.frame(0x81, b"ab\xed\xa0\x80"),
            7 => {
                self.frame(0x01, b"cut \xe2\x82");
                self.frame(0x80, b"x");
            }
            8 => self.frame(0x80, b"of nothing"),
            9 => {
                self.frame(0x01, b"begun");
                self.frame(0x81, b"begun again");
            }
            10 => self.frame(0xc1, b"reserved"),
            11 => self.frame(0x83, b"opcode"),
            12 => self.frame(0x09, b"cut control"),
            13 => self.frame(0x89, &[7; 126]),
            14 => self.frame(0x82, &vec![7; MAX_MESSAGE_BYTES + 1]),
            _ => {
                let whole = self.bytes.len();
                self.frame(0x82, b"cut off by the end");
                let cut = usize::try_from(self.random.below(20)).unwrap();
                self.bytes.truncate(whole + cut);
            }
        }
    }
}

#[test]
fn every_stream_means_the_same_to_both() {
    let mut faults = 0;
    for seed in 0..STREAM_COUNT {
        let mut random = Random::new(seed);
        let mut stream = Stream {
            random: &mut random,
            bytes: Vec::new(),
        };
        for _ in 0..stream.random.below(8) {
            stream.sound();
        }
        stream.end();
        let bytes = stream.bytes;
        let expected = theirs(bytes.clone(), Role::Server);
        faults += u32::from(matches!(expected.last(), Some(Seen::Fault(_))));
        assert_eq!(ours(&bytes, &mut random), expected, "seed {seed}");
    }
    assert!(faults > 1_000, "the streams are not all sound: {faults}");
}

#[test]
fn an_unmasked_frame_is_refused_by_both() {
    let mut stream = Vec::new();
    write_frame(&mut stream, Opcode::Text, b"unmasked");
    let expected = vec![Seen::Fault(Fault::Protocol)];
    assert_eq!(ours(&stream, &mut Random::new(1)), expected);
    assert_eq!(theirs(stream, Role::Server), expected);
}

#[test]
fn what_the_server_writes_is_read_back() {
    let mut random = Random::new(7);
    for length in [0, 1, 124, 125, 126, 127, 65_534, 65_535, 65_536, 69_990] {
        let text = "x".repeat(length);
        let mut buffer = MessageBuffer::new();
        buffer.push_text(&text);
        buffer
            .push_text_with(|out| {
                out.extend_from_slice(text.as_bytes());
                Ok::<_, ()>(())
            })
            .unwrap();
        buffer.push_binary(text.as_bytes());
        let mut stream = buffer.into_storage();
        let ping: Vec<u8> = (0..random.below(126)).map(|_| 7).collect();
        write_frame(&mut stream, Opcode::Ping, &ping);
        write_close(&mut stream, Some(1009));
        assert_eq!(
            theirs(stream, Role::Client),
            [
                Seen::Text(format!("4{text}")),
                Seen::Text(format!("4{text}")),
                Seen::Binary(text.into_bytes()),
                Seen::Ping(ping),
                Seen::Close(Some(1009)),
            ],
            "{length}"
        );
    }
    let mut stream = Vec::new();
    write_close(&mut stream, None);
    assert_eq!(theirs(stream, Role::Client), [Seen::Close(None)]);
}
