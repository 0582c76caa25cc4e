//! What holds of the decoders whatever they are given. The fuzz targets call these functions, and an ordinary test
//! replays the inputs they found worth keeping.
//!
//! Each takes any bytes, and panics where a property does not hold.

use http::Method;

use crate::http::Handshake;
use crate::http::request::{Caller, Headers, RequestView};
use crate::http::{Decision, Facts, Gate, Head, HeadLimits, Options, Query, Rejection, decide};
use crate::jsonp::{jsonp_request, jsonp_response};
use crate::packet::{Packet, ParseError, Protocol, encode_binary, parse_binary, parse_text};
use crate::payload::{PayloadContent, PayloadEncoder, decode_v3_binary, decode_v3_text, decode_v4};
use crate::proto::world;
use crate::transport::Transport;
use crate::websocket::{Decoder, Event, Fault, Inflater, PerMessageDeflate, negotiate};

/// The largest message that the frame decoder takes here: room for frames that get a buffer of their own.
const MESSAGE_MAX_BYTES: usize = 40_000;

/// How large a head may be.
const HEAD_MAX_BYTES: usize = 2_000;
const HEADERS_MAX: usize = 32;

/// One packet, as text and as a binary frame: what was parsed is written and parsed to the same.
pub fn packet(data: &[u8]) {
    for protocol in [Protocol::V4, Protocol::V3] {
        if let Ok(text) = std::str::from_utf8(data)
            && let Ok(packet) = parse_text(protocol, text)
        {
            let written = text_of(protocol, &packet);
            assert_eq!(parse_text(protocol, &written), Ok(packet));
        }
        if let Ok(Some(Packet::Binary(message))) = parse_binary(protocol, data) {
            let mut frame = Vec::new();
            encode_binary(protocol, &message, &mut frame);
            assert_eq!(frame, data);
        }
    }
}

/// The bodies of both protocols: nothing follows an error, and what was decoded is written and decoded to the same.
pub fn payload(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for supports_binary in [false, true] {
        payload_of(Protocol::V4, supports_binary, decode_v4(&text));
        payload_of(Protocol::V3, supports_binary, decode_v3_text(&text));
        payload_of(Protocol::V3, supports_binary, decode_v3_binary(data));
    }
}

fn payload_of<'a>(
    protocol: Protocol,
    supports_binary: bool,
    mut decoder: impl Iterator<Item = Result<Packet<'a>, ParseError>>,
) {
    let mut packets = Vec::new();
    for packet in &mut decoder {
        let Ok(packet) = packet else { break };
        packets.push(packet);
    }
    assert_eq!(decoder.next(), None, "nothing follows an error or the end");
    if packets.is_empty() {
        return;
    }
    let mut encoder = PayloadEncoder::new(protocol, supports_binary);
    for packet in &packets {
        match packet {
            Packet::Binary(message) => encoder.push_binary(message),
            packet => encoder.push_text(&text_of(protocol, packet)),
        }
    }
    let (body, content) = encoder.finish();
    match (protocol, content) {
        (_, PayloadContent::OctetStream) => same(decode_v3_binary(&body), &packets),
        (Protocol::V4, PayloadContent::Text) => same(decode_v4(as_text(&body)), &packets),
        (Protocol::V3, PayloadContent::Text) => same(decode_v3_text(as_text(&body)), &packets),
    }
}

fn same<'a>(
    decoder: impl Iterator<Item = Result<Packet<'a>, ParseError>>,
    expected: &[Packet<'_>],
) {
    let decoded: Result<Vec<_>, _> = decoder.collect();
    assert_eq!(decoded.as_deref(), Ok(expected));
}

fn text_of(protocol: Protocol, packet: &Packet<'_>) -> String {
    let mut written = Vec::new();
    packet.encode_text(protocol, &mut written);
    as_text(&written).to_owned()
}

fn as_text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes)
        .expect("the text forms are UTF-8, because only text and base64 go in")
}

/// The frames of a WebSocket: however the stream is cut, the same events come out of it, none too large.
///
/// The first byte says whether messages may be compressed, the second how large the pieces are.
pub fn websocket(data: &[u8]) {
    let [first, second, stream @ ..] = data else {
        return;
    };
    let is_compressed = first & 1 != 0;
    let whole = events(is_compressed, stream, stream.len().max(1));
    let pieces = events(is_compressed, stream, usize::from(*second).max(1));
    assert_eq!(whole, pieces);
    if stream.len() < 1_000 {
        assert_eq!(whole, events(is_compressed, stream, 1));
    }
}

/// The events as text and bytes, and the fault at the end if there is one.
fn events(
    is_compressed: bool,
    stream: &[u8],
    piece_bytes: usize,
) -> (Vec<(String, Vec<u8>)>, Option<Fault>) {
    let inflater = is_compressed.then(inflater).flatten();
    let mut decoder = Decoder::new(MESSAGE_MAX_BYTES).with_inflater(inflater);
    let mut events = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let mut piece = Vec::new();
        if let Some(room) = decoder.read_room() {
            let count = room.len().min(piece_bytes).min(rest.len());
            let (read, after) = rest.split_at(count);
            room.iter_mut().zip(read).for_each(|(to, from)| *to = *from);
            decoder.note_read(count);
            rest = after;
        } else {
            let (read, after) = rest.split_at(piece_bytes.min(rest.len()));
            piece = read.to_vec();
            rest = after;
        }
        let mut input = &mut piece[..];
        loop {
            match decoder.decode(input) {
                Ok(Some((event, after))) => {
                    events.push(copied(event));
                    input = after;
                }
                Ok(None) => break,
                Err(fault) => return (events, Some(fault)),
            }
        }
    }
    (events, None)
}

fn copied(event: Event<'_>) -> (String, Vec<u8>) {
    let (name, data) = match event {
        Event::Text(text) => ("text", text.as_bytes()),
        Event::Binary(data) => ("binary", data),
        Event::Ping(data) => {
            assert!(data.len() <= 125, "control frames are short");
            ("ping", data)
        }
        Event::Pong => ("pong", &[][..]),
        Event::Close(code) => return (format!("close {code:?}"), Vec::new()),
    };
    assert!(data.len() <= MESSAGE_MAX_BYTES, "no message is too large");
    (name.to_owned(), data.to_vec())
}

fn inflater() -> Option<Inflater> {
    let offer = &b"permessage-deflate"[..];
    negotiate(std::iter::once(offer), &PerMessageDeflate::default())
        .and_then(|agreement| Inflater::new(&agreement))
}

/// What a request comes to: only what is on offer is decided on, and only for a session that was found.
///
/// Two bytes of choices, the query to the end of the line, and the origin.
pub fn request(data: &[u8]) {
    let [first, second, text @ ..] = data else {
        return;
    };
    let bit = |byte: u8, at: u32| byte.checked_shr(at).unwrap_or(0) & 1 != 0;
    let text = String::from_utf8_lossy(text);
    let (query, origin) = text.split_once('\n').unwrap_or((&text, ""));
    let methods = [Method::GET, Method::POST, Method::PUT, Method::OPTIONS];
    let [method, ..] = &methods[usize::from(second & 3)..] else {
        return;
    };
    let target = format!("/engine.io/?{query}");
    let headers = http::HeaderMap::new();
    let view = RequestView::new(
        method,
        &target,
        Headers::Map(&headers, None),
        &Caller::UNKNOWN,
    );
    let query = Query::parse(&view);
    assert!(query.sid.as_deref() != Some(""), "an empty sid is none");
    let is_number = |index: &str| index.bytes().all(|byte| byte.is_ascii_digit());
    assert!(query.jsonp.as_deref().is_none_or(is_number));

    let options = Options {
        polling: bit(*first, 0),
        websocket: bit(*first, 1),
        allow_eio3: bit(*first, 2),
    };
    let gate = Gate {
        method,
        is_upgrade: bit(*first, 3),
        origin: (!origin.is_empty()).then_some(origin.as_bytes()),
        is_origin_allowed: bit(*first, 4),
    };
    let facts = bit(*first, 5).then_some(Facts {
        transport: if bit(*first, 6) {
            Transport::Polling
        } else {
            Transport::WebSocket
        },
        protocol: if bit(*first, 7) {
            Protocol::V4
        } else {
            Protocol::V3
        },
        is_bound: bit(*second, 7),
    });
    let decision = decide(options, gate, &query, |sid| {
        assert_eq!(Some(sid), query.sid.as_deref());
        facts
    });
    let decision = decision.map_err(|misfit| misfit.0);
    judge(options, gate, &query, facts, &decision);
}

fn judge(
    options: Options,
    gate: Gate<'_>,
    query: &Query<'_>,
    facts: Option<Facts>,
    decision: &Result<Decision, Rejection>,
) {
    let is_offered = match query.transport {
        Some(Transport::Polling) => options.polling,
        Some(Transport::WebSocket) => options.websocket,
        None => false,
    };
    assert_eq!(*decision == Err(Rejection::TransportUnknown), !is_offered);
    let Ok(decision) = decision else { return };
    let is_websocket = query.transport == Some(Transport::WebSocket);
    assert_eq!(gate.is_upgrade, is_websocket, "no upgrade but to WebSocket");
    assert!(gate.is_origin_allowed);
    if *decision == Decision::Open {
        assert!(query.sid.is_none() && gate.method == Method::GET);
        return;
    }
    assert!(query.sid.is_some());
    assert!(
        facts.is_some_and(|facts| facts.protocol == query.protocol && facts.is_bound),
        "a session keeps its protocol and its origin"
    );
    match *decision {
        Decision::Candidate => assert!(is_websocket),
        _ => assert_eq!(facts.map(|facts| facts.transport), query.transport),
    }
}

/// The head of a request, and what of it decides on a WebSocket: what goes into the answer breaks no header.
pub fn head(data: &[u8]) {
    let mut read = data.to_vec();
    let limits = HeadLimits {
        bytes: HEAD_MAX_BYTES,
        headers: HEADERS_MAX,
    };
    let Ok(Some(head)) = Head::parse(&mut read, limits) else {
        return;
    };
    let lines = read.get(..head.length).unwrap_or_default();
    let ends = lines.iter().filter(|&&byte| byte == b'\n').count();
    let view = head.view(&read, &Caller::UNKNOWN);
    let headers = view.headers().inspect(|(name, value)| {
        assert!(!name.is_empty() && !name.bytes().any(|byte| byte.is_ascii_uppercase()));
        assert!(!value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
    });
    // Empty lines may come before it.
    assert!(headers.count().saturating_add(2) <= ends);
    let is_value = |text: &str| http::HeaderValue::from_str(text).is_ok();
    if let Ok(handshake) = Handshake::parse(&view) {
        let accept = handshake.accept.unwrap_or_default();
        assert!(std::str::from_utf8(&accept).is_ok_and(is_value));
        assert!(handshake.subprotocol.is_none_or(is_value));
    }
    let offers = view.header_values("sec-websocket-extensions");
    if let Some(agreement) = negotiate(offers, &PerMessageDeflate::default()) {
        assert!(is_value(&agreement.header()));
    }
    let _ = Query::parse(&view);
}

/// JSONP in both directions: nothing leaves the string of the script, and a form gives back what went in.
pub fn jsonp(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let script = jsonp_response(&text, &text);
    let script = as_text(&script);
    let inner = script
        .split_once("](\"")
        .and_then(|(_, rest)| rest.strip_suffix("\");"))
        .expect("a call with one string, because that is all that is written");
    let mut is_escaped = false;
    for character in inner.chars() {
        assert!(is_escaped || character != '"', "the string ends at its end");
        assert!(!matches!(
            character,
            '\0'..='\x1f' | '\u{2028}' | '\u{2029}'
        ));
        is_escaped = !is_escaped && character == '\\';
    }
    assert!(!is_escaped, "the closing quote is not escaped");

    let _ = jsonp_request(&text);
    // What a client does to it (EIO4-JSP-03).
    let escaped = text.replace("\\n", "\\\\n");
    let form: String = escaped.bytes().map(|byte| format!("%{byte:02x}")).collect();
    assert_eq!(jsonp_request(&format!("d={form}")).as_deref(), Some(&*text));
}

/// A session and a world around it that does as the bytes say: the invariants of both hold at every step.
pub fn session(data: &[u8]) {
    world::play(data);
}

/// Has everything that is random on this thread follow from `seed`: ids of sessions, and how a drain is spread. For
/// simulations; such ids are no secrets.
pub fn seed(seed: u64) {
    crate::random::seeded::seed(seed);
}
