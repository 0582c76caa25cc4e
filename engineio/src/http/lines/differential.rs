//! The lines of heads against an established reader of them.

use super::*;
use crate::proto::testing::Random;

const HEAD_COUNT: u64 = 20_000;

/// What either reader found in a head.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    length: usize,
    method: Vec<u8>,
    target: Vec<u8>,
    is_http_10: bool,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
}

fn ours(mut read: Vec<u8>) -> Result<Option<Found>, Malformed> {
    let Some(first) = request_line(&read)? else {
        return Ok(None);
    };
    let mut found = Found {
        length: first.end,
        method: first.method.of(&read).to_vec(),
        target: first.target.of(&read).to_vec(),
        is_http_10: first.is_http_10,
        fields: Vec::new(),
    };
    loop {
        match line(&mut read, found.length)? {
            None => return Ok(None),
            Some(Line::Last(length)) => return Ok(Some(Found { length, ..found })),
            Some(Line::Field(field, end)) => {
                let (name, value) = (field.name.of(&read), field.value.of(&read));
                found.fields.push((name.to_vec(), value.to_vec()));
                found.length = end;
            }
        }
    }
}

fn theirs(read: &[u8]) -> Result<Option<Found>, httparse::Error> {
    let mut slots = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut slots);
    let httparse::Status::Complete(length) = request.parse(read)? else {
        return Ok(None);
    };
    let fields = request.headers.iter().map(|field| {
        let name = field.name.to_ascii_lowercase();
        (name.into_bytes(), field.value.to_vec())
    });
    Ok(Some(Found {
        length,
        method: request.method.unwrap_or_default().into(),
        target: request.path.unwrap_or_default().into(),
        is_http_10: request.version == Some(0),
        fields: fields.collect(),
    }))
}

/// Whether a head has what the other reader lets pass: a line that ends with LF alone, and a target with a fragment or
/// with bytes that are not ASCII.
fn is_stricter_for(read: &[u8]) -> bool {
    let is_bare = |(at, &byte): (usize, &u8)| {
        byte == b'\n' && at.checked_sub(1).and_then(|before| read.get(before)) != Some(&b'\r')
    };
    let target = read.split(|&byte| byte == b'\r' || byte == b'\n');
    let mut target = target.filter(|line| !line.is_empty());
    let target = target.next().unwrap_or_default();
    read.iter().enumerate().any(is_bare)
        || !target.is_ascii()
        || target
            .split(|&byte| byte == b' ')
            .skip(1)
            .flatten()
            .any(|&byte| byte == b'#')
}

const HEADS: [&str; 5] = [
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a.example:80\r\nUpgrade: websocket\r\n\r\n",
    "POST /e/?a#b HTTP/1.0\r\nContent-Length:2\r\nX-Empty:\r\nX-Blank: \t \r\nX-Text:  a b\tc \t\r\n\r\nok",
    "\r\n\r\nM-SEARCH * HTTP/1.1\r\nA: \u{e9}\u{1f600}\r\n\r\nGET / HTTP/1.1\r\n",
    "OPTIONS http://a.example/\u{e9} HTTP/1.1\r\nOrigin: null\r\n\r\n",
    "G / HTTP/1.1\r\nA:1\r\nB:12345678\r\nC:123456789\r\n\r\n",
];

/// What breaks heads most often.
const BYTES: [u8; 16] = *b"\r\n \t:#/?Aa\0\x1f\x7f\x80\xffH";

fn broken(random: &mut Random, head: &str) -> Vec<u8> {
    let mut read = head.as_bytes().to_vec();
    for _ in 0..random.below(4) {
        let at = random.below(read.len() as u64 + 1) as usize;
        let byte = BYTES.get(random.below(16) as usize).copied();
        match random.below(3) {
            0 => read.truncate(at.max(1)),
            1 => read.splice(at.min(read.len())..at, byte).for_each(drop),
            _ => read
                .iter_mut()
                .skip(at)
                .take(1)
                .zip(byte)
                .for_each(|(place, byte)| *place = byte),
        }
    }
    read
}

#[test]
fn heads_are_read_as_others_read_them_or_refused() {
    let (mut read_count, mut refused_count, mut stricter_count) = (0, 0, 0);
    for seed in 0..HEAD_COUNT {
        let mut random = Random::new(seed);
        let head = HEADS
            .get(random.below(5) as usize)
            .copied()
            .unwrap_or_default();
        let read = broken(&mut random, head);
        let shown = String::from_utf8_lossy(&read).into_owned();
        match (ours(read.clone()), theirs(&read)) {
            (Ok(ours), Ok(theirs)) => {
                assert_eq!(ours, theirs, "seed {seed}: {shown:?}");
                read_count += 1;
            }
            (Err(_), Err(_)) => refused_count += 1,
            (Err(_), Ok(_)) => {
                assert!(is_stricter_for(&read), "seed {seed}: {shown:?}");
                stricter_count += 1;
            }
            (Ok(ours), Err(theirs)) => panic!("seed {seed}: {shown:?}: {ours:?}, {theirs:?}"),
        }
    }
    // Each kind is there.
    assert!(read_count.min(refused_count).min(stricter_count) > 500);
}
