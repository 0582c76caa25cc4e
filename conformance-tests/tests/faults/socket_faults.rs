//! Faults of a Socket.IO server.
#![allow(
    clippy::too_many_lines,
    reason = "a function is a list of independent faults"
)]

use conformance_tests::Profile::{AuthEio3, Matrix, Socket, SocketMsgpack};

use crate::fault::{Fault, Habit};
use crate::frame::{BINARY, CLOSE, Frame, TEXT};

pub(crate) fn all() -> Vec<Fault> {
    [
        packets(),
        connecting(),
        leaving(),
        events(),
        binary(),
        recovery(),
        msgpack(),
        protocol_4(),
        rooms(),
        further(),
    ]
    .concat()
}

fn keep(packet: &str) -> Vec<String> {
    vec![packet.to_owned()]
}

fn swap(packet: &str, from: &str, to: &str) -> Vec<String> {
    vec![packet.replace(from, to)]
}

/// A frame that the client never sent.
fn forged(opcode: u8, payload: &str) -> Frame {
    Frame {
        is_masked: true,
        ..Frame::new(opcode, payload)
    }
}

fn holds(frame: &Frame, part: &[u8]) -> bool {
    frame
        .payload
        .windows(part.len())
        .any(|window| window == part)
}

fn packets() -> Vec<Fault> {
    vec![
        Fault::new(
            "a namespace has no comma",
            Matrix,
            "SIO5-PKT-01 SIO5-CON-03",
        )
        .packets_out(|_, packet| swap(packet, "/custom,", "/custom")),
        Fault::new("a namespace ends at its bracket", Matrix, "SIO5-PKT-02")
            .packets_out(|_, packet| swap(packet, "/nope[\"x\"]{,", "/nope,")),
        Fault::new("a namespace has a query", Matrix, "SIO5-PKT-03")
            .packets_in(|_, packet| swap(packet, "/custom?x=1", "/custom")),
        Fault::new("ids keep their zeros", Matrix, "SIO5-PKT-04")
            .packets_out(|_, packet| swap(packet, "437[", "43007[")),
        Fault::new(
            "bad packets are ignored",
            Matrix,
            "SIO5-PKT-06 SIO5-PKT-08 SIO5-INV-01 SIO5-INV-03",
        )
        .packets_in(|_, packet| {
            let is_bad = [
                "4x", "47", "48", "49", "42{", "42[]", "42[null", "43{", "41{", "40[", "45[",
                "450-",
            ]
            .iter()
            .any(|bad| packet.starts_with(bad));
            if is_bad || packet == "4" {
                vec!["6".to_owned()]
            } else {
                keep(packet)
            }
        }),
        Fault::new("reserved names are ordinary", Matrix, "SIO5-PKT-07").packets_in(|_, packet| {
            vec![
                packet
                    .replace("[\"connect", "[\"konnect")
                    .replace("[\"disconnect", "[\"diskonnect")
                    .replace("Listener", "Lizzener"),
            ]
        }),
        Fault::new(
            "an event without payload is an error",
            Matrix,
            "SIO5-PKT-09",
        )
        .packets_in(|_, packet| {
            vec![if packet == "42" {
                "4x".to_owned()
            } else {
                packet.to_owned()
            }]
        }),
        Fault::new("odd keys are dropped", Matrix, "SIO5-PKT-11")
            .packets_out(|_, packet| swap(packet, "\"__proto__\":{\"x\":1},", "")),
        Fault::new("the POST of a bad packet is refused", Matrix, "SIO5-INV-04")
            .body(|head, body| {
                if body == b"4x" || body == b"40" {
                    head.memory.note(head.sid());
                }
                body
            })
            .answer(|head, answer| {
                if head.method() == "POST" && head.memory.has(head.sid()) {
                    answer.status = 400;
                }
            }),
        Fault::new(
            "packets out of place are ignored",
            Matrix,
            "SIO5-INV-02 SIO5-EVT-02",
        )
        .packets_in(|_, packet| {
            if packet.starts_with("42/nope") || packet == "41/custom," {
                vec!["6".to_owned()]
            } else {
                keep(packet)
            }
        }),
    ]
}

fn connecting() -> Vec<Fault> {
    vec![
        Fault::new("the root is joined unasked", Matrix, "SIO5-CON-01").packets_out(|_, packet| {
            let mut packets = keep(packet);
            if packet.starts_with("0{") {
                packets.push("40{\"sid\":\"aaaaaaaaaaaaaaaaaaaa\"}".to_owned());
            }
            packets
        }),
        Fault::new("the auth payload is lost", Matrix, "SIO5-CON-02").packets_out(|_, packet| {
            if packet.starts_with("42/auth,") {
                vec!["42/auth,[\"auth\",null]".to_owned()]
            } else {
                keep(packet)
            }
        }),
        Fault::new(
            "the auth payload is lost in the root",
            Socket,
            "SIO5-CON-02",
        )
        .packets_in(|_, packet| swap(packet, "\"token\"", "\"t\"")),
        Fault::new(
            "an unknown namespace has another message",
            Matrix,
            "SIO5-CON-04 SRV-DYN-01",
        )
        .packets_out(|_, packet| swap(packet, "Invalid namespace", "Unknown namespace")),
        Fault::new("a refusal loses its message", Matrix, "SIO5-CON-05")
            .packets_out(|_, packet| swap(packet, "\"denied\"", "\"error\"")),
        Fault::new("a refusal loses its data", Matrix, "SIO5-CON-05")
            .packets_out(|_, packet| swap(packet, ",\"data\":{\"code\":7,\"why\":\"x\"}", "")),
        Fault::new("a second CONNECT is ignored", Matrix, "SIO5-CON-06").packets_in(
            |head, packet| {
                let word = format!("{} {packet}", head.sid());
                if packet.starts_with("40") && !head.sid().is_empty() && head.memory.has(&word) {
                    return vec!["6".to_owned()];
                }
                head.memory.note(&word);
                keep(packet)
            },
        ),
        Fault::new("no CONNECT after leaving", Matrix, "SIO5-CON-07").packets_in(|head, packet| {
            if packet == "41" && !head.sid().is_empty() {
                head.memory.note(head.sid());
            }
            vec![if packet == "40" && head.memory.has(head.sid()) {
                "40/nope,".to_owned()
            } else {
                packet.to_owned()
            }]
        }),
        Fault::new("who joins nothing may stay", Matrix, "SIO5-CON-08").frames_out(|_, frame| {
            if frame.opcode == CLOSE {
                vec![]
            } else {
                vec![frame]
            }
        }),
        Fault::new("a CONNECT_ERROR is ignored", Matrix, "SIO5-CON-09").packets_in(|_, packet| {
            if packet.starts_with("44") {
                vec!["6".to_owned()]
            } else {
                keep(packet)
            }
        }),
        Fault::new("the first event precedes the reply", Matrix, "SRV-ORD-03").packets_out(
            |_, packet| {
                if packet.starts_with("40/emit-first") {
                    return vec!["42/emit-first,[\"hello\",1]".to_owned(), packet.to_owned()];
                }
                keep(packet)
            },
        ),
        Fault::new("the first event is lost", Socket, "SRV-ORD-03 SIO5-CON-02").packets_out(
            |_, packet| {
                if packet.contains("[\"auth\"") {
                    vec![]
                } else {
                    keep(packet)
                }
            },
        ),
        Fault::new(
            "dynamic namespaces are unknown",
            Matrix,
            "SRV-DYN-01 SRV-DYN-02",
        )
        .packets_out(|_, packet| match packet.strip_prefix("40/dyn-42,") {
            Some(_) => vec!["44/dyn-42,{\"message\":\"Invalid namespace\"}".to_owned()],
            None => keep(packet),
        }),
    ]
}

fn leaving() -> Vec<Fault> {
    vec![
        Fault::new("leaving ends the connection", Matrix, "SIO5-DIS-01").packets_in(|_, packet| {
            vec![if packet == "41" {
                "4x".to_owned()
            } else {
                packet.to_owned()
            }]
        }),
        Fault::new(
            "leaving is not heard",
            Matrix,
            "SIO5-DIS-06 SIO5-EVT-02 SIO5-CON-07",
        )
        .packets_in(|_, packet| {
            if packet.starts_with("41") {
                vec!["6".to_owned()]
            } else {
                keep(packet)
            }
        }),
        Fault::new(
            "being disconnected is not said",
            Matrix,
            "SIO5-DIS-02 SIO5-DIS-03",
        )
        .packets_out(|_, packet| {
            if packet.starts_with("41") {
                vec!["6".to_owned()]
            } else {
                keep(packet)
            }
        }),
        Fault::new("being disconnected has a payload", Matrix, "SIO5-DIS-02").packets_out(
            |_, packet| {
                vec![if packet.starts_with("41") {
                    format!("{packet}{{}}")
                } else {
                    packet.to_owned()
                }]
            },
        ),
    ]
}

fn events() -> Vec<Fault> {
    vec![
        Fault::new("arguments are lost", Matrix, "SIO5-EVT-01").packets_out(
            |_, packet| match packet.rsplit_once(',') {
                Some((head, _)) if packet.contains("message-back") => vec![format!("{head}]")],
                _ => keep(packet),
            },
        ),
        Fault::new(
            "events are handled in reverse",
            Matrix,
            "SRV-ORD-01 SRV-ORD-02",
        )
        .habit(Habit::ReverseFrames),
        Fault::new("an ack has the wrong id", Matrix, "SIO5-ACK-01")
            .packets_out(|_, packet| swap(packet, "431[", "432[")),
        Fault::new("no ack is asked for", Matrix, "SIO5-ACK-02").packets_out(|_, packet| {
            match packet.split_once("[\"ask\"") {
                Some((_, rest)) => vec![format!("42[\"ask\"{rest}")],
                None => keep(packet),
            }
        }),
        Fault::new("an unknown ack is an error", Matrix, "SIO5-ACK-03").packets_in(|_, packet| {
            vec![if packet.starts_with("43987") {
                "4x".to_owned()
            } else {
                packet.to_owned()
            }]
        }),
        Fault::new("an ack without data is lost", Matrix, "SIO5-ACK-05").packets_in(|_, packet| {
            let is_bare = packet.starts_with("43") && !packet.contains('[');
            if is_bare {
                vec!["6".to_owned()]
            } else {
                keep(packet)
            }
        }),
    ]
}

fn binary() -> Vec<Fault> {
    vec![
        Fault::new("the order of attachments is lost", Matrix, "SIO5-BIN-01").frames_out(
            |_, mut frame| {
                if frame.opcode == BINARY {
                    frame.payload = if frame.payload == [4] {
                        vec![1, 2, 3]
                    } else {
                        vec![4]
                    };
                }
                vec![frame]
            },
        ),
        Fault::new(
            "placeholders are filled in the order of arrival",
            Matrix,
            "SIO5-BIN-02",
        )
        .packets_in(|_, packet| {
            swap(
                packet,
                "\"num\":1},{\"a\":{\"_placeholder\":true,\"num\":0}",
                "\"num\":0},{\"a\":{\"_placeholder\":true,\"num\":1}",
            )
        }),
        Fault::new("a negative number is 0", Matrix, "SIO5-BIN-03").packets_in(|_, packet| {
            if packet.starts_with("451-") {
                swap(packet, "\"num\":-1", "\"num\":0")
            } else {
                keep(packet)
            }
        }),
        Fault::new(
            "what looks like a placeholder is lost",
            Matrix,
            "SIO5-BIN-04",
        )
        .packets_out(|_, packet| {
            if packet.starts_with("42") {
                swap(packet, "{\"_placeholder\":true,\"num\":0}", "null")
            } else {
                keep(packet)
            }
        }),
        Fault::new("an unused attachment is an error", Matrix, "SIO5-BIN-05").packets_in(
            |_, packet| {
                vec![
                    if packet == r#"452-["message",{"_placeholder":true,"num":1}]"# {
                        "4x".to_owned()
                    } else {
                        packet.to_owned()
                    },
                ]
            },
        ),
        Fault::new("nine attachments are the limit", Matrix, "SIO5-BIN-06")
            .packets_in(|_, packet| swap(packet, "4510-", "4511-")),
        Fault::new("stray binary is ignored", Matrix, "SIO5-BIN-07").frames_in(|_, frame| {
            if frame.opcode == BINARY {
                vec![]
            } else {
                vec![frame]
            }
        }),
        Fault::new("attachments in base64 are lost", Matrix, "SIO5-BIN-08").packets_in(
            |_, packet| {
                if packet.starts_with('b') {
                    vec!["6".to_owned()]
                } else {
                    keep(packet)
                }
            },
        ),
        Fault::new("large attachments are cut", Matrix, "SIO5-BIN-09").frames_out(
            |_, mut frame| {
                if frame.opcode == BINARY {
                    frame.payload.truncate(65_536);
                }
                vec![frame]
            },
        ),
    ]
}

fn recovery() -> Vec<Fault> {
    vec![
        Fault::new("there is no pid", Matrix, "SIO5-CSR-01")
            .port(4)
            .packets_out(|_, packet| swap(packet, "\"pid\"", "\"p\"")),
        Fault::new("there are no offsets", Matrix, "SIO5-CSR-02")
            .port(4)
            .packets_out(|_, packet| match packet.rsplit_once(',') {
                Some((head, _))
                    if packet.starts_with("42[\"message-back\"") || packet.starts_with("45") =>
                {
                    vec![format!("{head}]")]
                }
                _ => keep(packet),
            }),
        Fault::new(
            "nobody comes back",
            Matrix,
            "SIO5-CSR-03 SIO5-CSR-04 SIO5-CSR-06 SIO5-CSR-08",
        )
        .port(4)
        .packets_in(|_, packet| swap(packet, "\"offset\":", "\"offzet\":")),
        Fault::new("everybody comes back", Matrix, "SIO5-CSR-07 SIO5-CSR-03")
            .port(4)
            .packets_out(|_, packet| {
                vec![if packet.starts_with("40{") {
                    r#"40{"sid":"aaaaaaaaaaaaaaaaaaaa","pid":"bbbbbbbbbbbbbbbbbbbb"}"#.to_owned()
                } else {
                    packet.to_owned()
                }]
            }),
    ]
}

fn msgpack() -> Vec<Fault> {
    let profile = SocketMsgpack;
    vec![
        Fault::new(
            "packets have a trailing byte",
            profile,
            "SIO5-MP-01 SIO5-MP-05",
        )
        .frames_out(|_, mut frame| {
            if frame.opcode == BINARY {
                frame.payload.push(0);
            }
            vec![frame]
        }),
        Fault::new(
            "packets without a namespace are ignored",
            profile,
            "SIO5-MP-02",
        )
        .frames_in(|_, frame| {
            if frame.opcode == BINARY && !holds(&frame, b"nsp") {
                vec![]
            } else {
                vec![frame]
            }
        }),
        Fault::new("reserved names are refused", profile, "SIO5-MP-03").frames_in(|_, frame| {
            if holds(&frame, b"\xa7connect") {
                vec![forged(TEXT, "4x")]
            } else {
                vec![frame]
            }
        }),
        Fault::new("text is ignored", profile, "SIO5-MP-04").frames_in(|_, frame| {
            if frame.opcode == TEXT {
                vec![]
            } else {
                vec![frame]
            }
        }),
        Fault::new("extensions are refused", profile, "SIO5-MP-06").frames_in(|_, frame| {
            if holds(&frame, &[0xc7, 3, 0]) {
                vec![forged(TEXT, "4x")]
            } else {
                vec![frame]
            }
        }),
        Fault::new(
            "an unknown namespace has another message",
            profile,
            "SIO5-MP-07",
        )
        .frames_out(|_, mut frame| {
            if holds(&frame, b"Invalid namespace") {
                let text = b"Unknown namespace";
                let at = frame
                    .payload
                    .windows(text.len())
                    .position(|window| window == b"Invalid namespace");
                if let Some(at) = at {
                    frame.payload[at..at + text.len()].copy_from_slice(text);
                }
            }
            vec![frame]
        }),
    ]
}

fn protocol_4() -> Vec<Fault> {
    let fault = |name, rules| Fault::new(name, Matrix, rules).port(3);
    vec![
        fault("the root is not joined", "SIO4-CON-01").packets_out(|head, packet| {
            if packet == "40" && head.is_upgrade() {
                vec![]
            } else {
                keep(packet)
            }
        }),
        fault("replies carry JSON", "SIO4-CON-02").packets_out(|_, packet| {
            vec![if packet == "40/custom," {
                "40/custom,{\"sid\":\"x\"}".to_owned()
            } else {
                packet.to_owned()
            }]
        }),
        fault("a namespace's query is lost", "SIO4-CON-03").frames_in(|_, frame| {
            let text = frame.text().map(|text| text.replace("token=abc&", ""));
            match text {
                Some(text) if frame.text().is_some_and(|old| old != text) => {
                    vec![forged(TEXT, &text)]
                }
                _ => vec![frame],
            }
        }),
        fault("ids are others", "SIO4-CON-04").packets_out(|_, packet| {
            if packet.contains("private") {
                vec![]
            } else {
                keep(packet)
            }
        }),
        fault("a CONNECT for the root is ignored", "SIO4-CON-05").frames_in(|head, frame| {
            if frame.text() == Some("40") && head.parameter("EIO") == Some("3") {
                vec![]
            } else {
                vec![frame]
            }
        }),
        fault("a refusal is an object", "SIO4-ERR-01").packets_out(|_, packet| {
            swap(packet, "44/no,\"denied\"", "44/no,{\"message\":\"denied\"}")
        }),
        fault("bad packets are ignored", "SIO4-PKT-01").frames_in(|_, frame| {
            let is_bad = |text: &str| matches!(text, "4x" | "47" | "4" | "44" | "42{}");
            if frame.text().is_some_and(is_bad) {
                vec![]
            } else {
                vec![frame]
            }
        }),
        fault("attachments have no type byte", "SIO4-PKT-02").frames_out(|_, mut frame| {
            if frame.opcode == BINARY {
                frame.payload.remove(0);
            }
            vec![frame]
        }),
    ]
}

fn rooms() -> Vec<Fault> {
    vec![
        Fault::new("rooms hear nothing", Matrix, "SRV-ROOM-01").packets_out(|_, packet| {
            if packet.starts_with("42[\"room\"") {
                vec!["6".to_owned()]
            } else {
                keep(packet)
            }
        }),
        Fault::new("the sender hears itself", Matrix, "SRV-ROOM-01").packets_in(|_, packet| {
            if packet.starts_with("42[\"to\"") {
                vec![packet.to_owned(), "42[\"burst\",1]".to_owned()]
            } else {
                keep(packet)
            }
        }),
        Fault::new("a broadcast is heard everywhere", Matrix, "SRV-ROOM-02").packets_in(
            |_, packet| {
                // What another namespace would hear.
                if packet.starts_with("42/custom,[\"to\"") {
                    return vec![packet.to_owned(), "42/custom,[\"burst\",1]".to_owned()];
                }
                keep(packet)
            },
        ),
    ]
}

fn further() -> Vec<Fault> {
    vec![
        Fault::new("volatile packets are queued", Matrix, "SRV-VOL-01").packets_out(|_, packet| {
            if packet == "42[\"v\",0]" {
                vec![packet.to_owned(), "42[\"v\",1]".to_owned()]
            } else {
                keep(packet)
            }
        }),
        Fault::new(
            "a volatile packet takes the next with it",
            Matrix,
            "SRV-VOL-02",
        )
        .packets_in(|head, packet| {
            if packet == "42[\"volatile\",3]" {
                head.memory.note("a burst");
            } else if packet.starts_with("42[\"message\"") && head.memory.has("a burst") {
                return vec!["6".to_owned()];
            }
            keep(packet)
        }),
        Fault::new("half an emoji spoils its neighbours", Matrix, "SIO5-PKT-12")
            .packets_out(|_, packet| swap(packet, "\"ann ", "{},\"ann ")),
        Fault::new("many values are too many", Matrix, "SIO5-PKT-13").packets_in(|_, packet| {
            let commas = packet.bytes().filter(|&byte| byte == b',').count();
            if commas > 50_000 {
                return vec!["4x".to_owned()];
            }
            keep(packet)
        }),
        Fault::new("deep values are too deep", Matrix, "SIO5-PKT-13").packets_in(|_, packet| {
            if packet.contains(&"[".repeat(101)) {
                return vec!["4x".to_owned()];
            }
            keep(packet)
        }),
        Fault::new(
            "a tick has so many acknowledgements and no more",
            Matrix,
            "SIO5-LIM-01",
        )
        .packets_out(|_, packet| {
            if packet.starts_with("4311") && packet.ends_with("[]") {
                return Vec::new();
            }
            keep(packet)
        }),
        Fault::new("the last questions are not asked", Matrix, "SIO5-LIM-02").packets_in(
            |head, packet| {
                if packet == "42[\"ask\"]" {
                    head.memory.note("asked");
                } else if packet.starts_with("427[\"message-with-ack\"]")
                    && head.memory.has("asked")
                {
                    return vec!["41".to_owned()];
                }
                keep(packet)
            },
        ),
        Fault::new("59 namespaces are enough", Matrix, "SIO5-LIM-03").packets_out(|_, packet| {
            if packet.starts_with("40/dyn-59,") {
                return vec![r#"44/dyn-59,{"message":"Too many namespaces"}"#.to_owned()];
            }
            keep(packet)
        }),
        Fault::new(
            "a long namespace ends the connection",
            Matrix,
            "SIO5-LIM-03",
        )
        .packets_in(|_, packet| {
            if packet.len() > 4_000 && packet.starts_with("40/nnn") {
                return vec!["4x".to_owned()];
            }
            keep(packet)
        }),
        Fault::new("long names are no names", Matrix, "SIO5-LIM-04").packets_in(|_, packet| {
            if packet.len() > 50_000 && packet.starts_with("42[\"nnn") {
                return vec!["4x".to_owned()];
            }
            keep(packet)
        }),
        Fault::new("what is too deep is dropped", Matrix, "SIO5-LIM-05").packets_in(|_, packet| {
            if packet.contains(&"[".repeat(900)) {
                return Vec::new();
            }
            keep(packet)
        }),
        Fault::new(
            "an answer stands behind events that nobody reads",
            Matrix,
            "SIO5-ACK-06",
        )
        .packets_in(|_, packet| {
            if packet.starts_with("43") && packet.ends_with("[0]") {
                return vec!["6".to_owned()];
            }
            keep(packet)
        }),
        Fault::new("answers are sorted", Matrix, "SRV-BACK-01").packets_out(|_, packet| {
            swap(packet, "[\"second\",\"first\"]", "[\"first\",\"second\"]")
        }),
        Fault::new("a timeout is not said", Matrix, "SRV-BACK-02")
            .packets_out(|_, packet| swap(packet, "],true]", "],false]")),
        Fault::new("a room is not disconnected", Matrix, "SRV-BC-01")
            .packets_in(|_, packet| swap(packet, "kick-room", "pick-room")),
        Fault::new("an early event is ignored", Matrix, "SIO5-CON-10").packets_in(|_, packet| {
            if packet.starts_with("42/slow,") {
                vec!["6".to_owned()]
            } else {
                keep(packet)
            }
        }),
        Fault::new(
            "the end of a waiting client is not noticed",
            Matrix,
            "SIO5-CON-12",
        )
        .habit(Habit::KeepServerSide),
        Fault::new("a refused event is handled", Matrix, "SIO5-EVT-03")
            .packets_in(|_, packet| swap(packet, "421[\"forbidden\"", "421[\"message-with-ack\"")),
        Fault::new("a late ack counts", Socket, "SIO5-ACK-04").packets_in(|_, packet| {
            vec![if packet.contains("[\"late\"]") {
                "42[\"message\",\"late\"]".to_owned()
            } else {
                packet.to_owned()
            }]
        }),
        Fault::new("a refused root hears no more", AuthEio3, "SIO4-ERR-03").frames_in(
            |_, frame| {
                if frame.text() == Some("2") {
                    vec![]
                } else {
                    vec![frame]
                }
            },
        ),
    ]
}
