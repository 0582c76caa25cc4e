//! The cases, in files named after the area of the rules they check.
#![allow(
    clippy::too_many_lines,
    reason = "each function of these files is a list of independent cases"
)]

use std::collections::HashMap;

use crate::case::Case;

/// Names each file once.
macro_rules! areas {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*

        /// Every case of the suite, in the order of `spec/PROTOCOL.md`.
        #[must_use]
        pub fn all() -> Vec<Case> {
            let areas = [$($name::cases()),*];
            numbered(areas.into_iter().flat_map(|area| area.cases).collect())
        }
    };
}

areas![
    eio4_query,
    eio4_packet,
    eio4_handshake,
    eio4_polling,
    eio4_errors,
    eio4_websocket,
    eio4_heartbeat,
    eio4_upgrade,
    eio4_close,
    eio4_cors,
    eio4_jsonp,
    http_malformed,
    eio4_compression,
    eio3,
    sio5_packet,
    sio5_connect,
    sio5_event,
    sio5_limits,
    sio5_recovery,
    sio5_msgpack,
    sio4,
    srv_room,
    auth_handshake,
    auth_two_trip,
    cluster,
];

/// Tells apart cases whose names differ in punctuation only.
fn numbered(mut cases: Vec<Case>) -> Vec<Case> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for case in &mut cases {
        let count = counts.entry(case.id()).or_insert(0);
        *count += 1;
        case.ordinal = *count;
    }
    cases
}
