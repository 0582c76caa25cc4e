//! Values as both encoders of Node write them (RDS-06), and what JSON makes of them there.

use serde_json::Value as Json;
use socketio_auth::server::lenient_json;

use super::pack;
use crate::proto::cluster::wire::{msgpack, read};

/// What the reference's classic encoder writes wrongly: numbers arrive as 0 at its own readers, too, and of half a pair of
/// surrogates it makes another character.
const WRONG: [&str; 4] = ["two64", "huge", "minus_huge", "lone_surrogate"];

/// How we write what we have no value for: a date, half a pair, `undefined` and bytes in JSON.
const OTHERWISE: [&str; 10] = [
    "date",
    "date_whole",
    "date_early",
    "date_late",
    "lone_surrogate",
    "bytes",
    "nan",
    "infinity",
    "undefined_member",
    // a double to one of the encoders, and lossless as a whole number
    "u53",
];

fn unhex(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

struct Row<'a> {
    name: &'a str,
    notepack: Vec<u8>,
    msgpack: Vec<u8>,
    json: Json,
}

fn rows() -> Vec<Row<'static>> {
    let lines = include_str!("vectors/encoders.txt").lines();
    let rows = lines.map(|line| {
        let mut words = line.splitn(4, ' ');
        let mut next = || words.next().unwrap();
        Row {
            name: next(),
            notepack: unhex(next()),
            msgpack: unhex(next()),
            json: lenient_json::from_str(next()).unwrap(),
        }
    });
    rows.collect()
}

/// What JSON makes of numbers that it has not, and of `undefined`, is up to JSON.
fn expected(row: &Row<'_>) -> Json {
    match row.name {
        "undefined_member" => serde_json::json!({"b": 1}),
        _ => row.json.clone(),
    }
}

#[test]
fn what_both_write_is_what_json_would_have_been() {
    for row in rows() {
        for (encoder, bytes) in [("notepack", &row.notepack), ("msgpack", &row.msgpack)] {
            if encoder == "notepack" && WRONG.contains(&row.name) {
                assert!(read(bytes).is_ok(), "{}", row.name);
                continue;
            }
            let mut found = read(bytes).unwrap().into_json();
            if let (Json::Object(members), "undefined_member") = (&mut found, row.name) {
                members.retain(|_, value| !value.is_null());
            }
            if row.name == "lone_surrogate" {
                assert!(found.as_str().unwrap().contains('\u{fffd}'));
            } else {
                assert_eq!(
                    to_number(&found),
                    to_number(&expected(&row)),
                    "{encoder} {}",
                    row.name
                );
            }
        }
    }
}

/// Numbers as JavaScript compares them.
fn to_number(json: &Json) -> Json {
    json.as_f64().map_or_else(|| json.clone(), Json::from)
}

#[test]
fn we_write_what_the_streams_encoder_writes() {
    for row in rows() {
        if OTHERWISE.contains(&row.name) || row.name == "minus_i53" {
            continue;
        }
        assert_eq!(pack(row.json.clone()), row.msgpack, "{}", row.name);
        if !WRONG.contains(&row.name) && row.name != "beyond" {
            assert_eq!(pack(row.json), row.notepack, "{}", row.name);
        }
    }
}

#[test]
fn whole_numbers_beyond_the_safe_ones_are_doubles() {
    assert_eq!(
        pack(9_007_199_254_740_992_u64.into())[0],
        0xcf,
        "at the bound"
    );
    assert_eq!(
        pack(9_007_199_254_740_993_u64.into())[0],
        0xcb,
        "one past it"
    );
    assert_eq!(pack((-9_007_199_254_740_992_i64).into())[0], 0xd3);
    assert_eq!(pack((-9_007_199_254_740_993_i64).into())[0], 0xcb);
    for number in [u64::MAX, 1 << 53, (1 << 53) + 1] {
        let packed = pack(number.into());
        let back = msgpack::read(&packed).unwrap().into_json();
        assert_eq!(to_number(&back), to_number(&number.into()));
    }
}
