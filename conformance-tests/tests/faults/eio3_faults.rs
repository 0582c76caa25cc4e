//! Faults of an Engine.IO server, protocol 3.
#![allow(
    clippy::too_many_lines,
    reason = "a function is a list of independent faults"
)]

use conformance_tests::Profile::EngineEio3;

use crate::fault::{Answer, Fault};
use crate::frame::{BINARY, Frame, TEXT};

fn is_text(frame: &Frame, text: &str) -> bool {
    frame.text() == Some(text)
}

pub(crate) fn all() -> Vec<Fault> {
    vec![
        Fault::new(
            "protocol 3 is refused on polling",
            EngineEio3,
            "EIO3-GEN-01 EIO4-QRY-05",
        )
        .instead(|head| {
            (head.parameter("EIO") != Some("4") && !head.is_upgrade()).then(|| {
                Answer::new(
                    400,
                    "{\"code\":5,\"message\":\"Unsupported protocol version\"}",
                )
            })
        }),
        Fault::new("the payload limit is missing", EngineEio3, "EIO3-GEN-02").answer(
            |_, answer| {
                answer.replace("\"maxPayload\"", "\"maxPxyload\"");
            },
        ),
        Fault::new(
            "the handshake's answer holds more",
            EngineEio3,
            "EIO3-GEN-03",
        )
        .answer(|head, answer| {
            if head.sid().is_empty() && head.method() == "GET" && answer.status == 200 {
                answer.body.extend_from_slice(b"2:40");
            }
        }),
        Fault::new("binary frames have no type byte", EngineEio3, "EIO3-PKT-01").frames_out(
            |_, mut frame| {
                if frame.opcode == BINARY {
                    frame.payload.remove(0);
                }
                vec![frame]
            },
        ),
        Fault::new("base64 has no type", EngineEio3, "EIO3-PKT-02 EIO3-PLD-02")
            .answer(|_, answer| answer.replace("6:b4", "5:b")),
        Fault::new("unknown packets are ignored", EngineEio3, "EIO3-PKT-03").frames_in(
            |_, frame| {
                let is_known = frame.text().is_none_or(|text| {
                    text.starts_with(|first: char| "0123456".contains(first))
                        || text.starts_with("b4")
                });
                if is_known { vec![frame] } else { vec![] }
            },
        ),
        Fault::new("lengths count bytes", EngineEio3, "EIO3-PLD-01")
            .answer(|_, answer| answer.replace("2:4€", "4:4€")),
        Fault::new(
            "binary payloads say they are text",
            EngineEio3,
            "EIO3-PLD-03",
        )
        .answer(|_, answer| {
            if answer.header("content-type") == Some("application/octet-stream") {
                answer.set("Content-Type", "text/plain; charset=UTF-8");
            }
        }),
        Fault::new(
            "binary bodies are read as text",
            EngineEio3,
            "EIO3-PLD-04 EIO3-PLD-03",
        )
        .head(|head| {
            head.text = head.text.replace("application/octet-stream", "text/plain");
        }),
        Fault::new("bad payloads are ignored", EngineEio3, "EIO3-PLD-05").body(|_, body| {
            let is_right = body
                .first()
                .is_some_and(|first| (b'1'..=b'6').contains(first))
                && body.get(1) == Some(&b':');
            if is_right { body } else { b"1:6".to_vec() }
        }),
        Fault::new(
            "a pong carries the ping's payload",
            EngineEio3,
            "EIO3-HB-01",
        )
        .frames_in(|_, frame| {
            if is_text(&frame, "2probe") {
                return vec![Frame {
                    is_masked: true,
                    ..Frame::new(TEXT, "43probe")
                }];
            }
            vec![frame]
        }),
        Fault::new("pings do not restart the time", EngineEio3, "EIO3-HB-02").frames_in(
            |_, frame| {
                if is_text(&frame, "2") {
                    vec![]
                } else {
                    vec![frame]
                }
            },
        ),
        Fault::new("a client's pong is ignored", EngineEio3, "EIO3-HB-03").frames_in(|_, frame| {
            if is_text(&frame, "3") {
                vec![]
            } else {
                vec![frame]
            }
        }),
        Fault::new("no noop", EngineEio3, "EIO3-UPG-01 EIO3-CLS-01").answer(|_, answer| {
            if answer.body == b"1:6" {
                answer.body = b"0:".to_vec();
            }
        }),
        Fault::new("JSONP is not served", EngineEio3, "EIO3-JSP-01")
            .head(|head| head.retarget("&j=", "&x=")),
    ]
}
