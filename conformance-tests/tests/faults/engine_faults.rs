//! Faults of an Engine.IO server, protocol 4.
#![allow(
    clippy::too_many_lines,
    reason = "a function is a list of independent faults"
)]

use conformance_tests::Profile::{Engine, Matrix};

use crate::fault::{Answer, Fault, Habit, Head};
use crate::frame::{BINARY, CLOSE, Frame, PONG, TEXT};

pub(crate) fn all() -> Vec<Fault> {
    [
        query(),
        packets(),
        handshake(),
        polling(),
        refusals(),
        websocket(),
        heartbeat(),
        upgrade(),
        closing(),
        extras(),
    ]
    .concat()
}

fn keep(packet: &str) -> Vec<String> {
    vec![packet.to_owned()]
}

fn is_poll_body(head: &Head, answer: &Answer, body: &str) -> bool {
    head.is_poll() && answer.status == 200 && answer.body == body.as_bytes()
}

fn is_text(frame: &Frame, text: &str) -> bool {
    frame.text() == Some(text)
}

fn query() -> Vec<Fault> {
    vec![
        Fault::new("the path's slash does not matter", Engine, "EIO4-QRY-01").head(|head| {
            head.retarget("/engine.io?", "/engine.io/?");
        }),
        Fault::new("parameters are not percent-decoded", Engine, "EIO4-QRY-03")
            .head(|head| head.retarget("%", "%25")),
        Fault::new("a parameter's first occurrence wins", Engine, "EIO4-QRY-04").head(|head| {
            for name in ["EIO", "transport", "sid"] {
                if let Some(first) = head.parameter(name) {
                    let pair = format!("&{name}={first}");
                    head.retarget(" HTTP", &format!("{pair} HTTP"));
                }
            }
        }),
        Fault::new(
            "any EIO is taken for 4",
            Engine,
            "EIO4-QRY-05 EIO3-GEN-01 EIO4-ERR-04",
        )
        .head(|head| {
            for wrong in ["EIO=04", "EIO=4.0", "EIO=5", "EIO=3", "EIO=four"] {
                head.retarget(wrong, "EIO=4");
            }
        }),
        Fault::new(
            "an empty sid is an unknown one",
            Engine,
            "EIO4-QRY-06 EIO4-QRY-04",
        )
        .head(|head| {
            if head.target().ends_with("sid=") {
                head.retarget(" HTTP", "none HTTP");
            }
        }),
        Fault::new("t is refused", Engine, "EIO4-QRY-07")
            .instead(|head| head.parameter("t").map(|_| Answer::new(400, "no"))),
        Fault::new("b64 is ignored", Engine, "EIO4-QRY-08")
            .head(|head| head.retarget("b64=", "x=")),
        Fault::new(
            "JSONP is not served",
            Engine,
            "EIO4-QRY-09 EIO4-JSP-01 EIO4-JSP-02 EIO4-JSP-03",
        )
        .head(|head| {
            head.retarget("&j=", "&x=");
        }),
        Fault::new("ids are a counter", Engine, "EIO4-QRY-10").packets_out(|_, packet| {
            // Still a prefix of the true id, so that nothing else breaks.
            match packet.find("\"sid\":\"") {
                Some(at) => vec![format!(
                    "{}{}",
                    &packet[..at + 7],
                    "0000000000000000000000000000000001\"}"
                )],
                None => keep(packet),
            }
        }),
    ]
}

fn packets() -> Vec<Fault> {
    vec![
        Fault::new("characters beyond ASCII are lost", Engine, "EIO4-PKT-01")
            .packets_out(|_, packet| vec![packet.chars().filter(char::is_ascii).collect()]),
        Fault::new("a message without payload gets one", Engine, "EIO4-PKT-02").packets_out(
            |_, packet| {
                vec![if packet == "4" {
                    "4 ".to_owned()
                } else {
                    packet.to_owned()
                }]
            },
        ),
        Fault::new("empty binary frames are dropped", Engine, "EIO4-PKT-03").frames_out(
            |_, frame| {
                if frame.opcode == BINARY && frame.payload.is_empty() {
                    vec![]
                } else {
                    vec![frame]
                }
            },
        ),
        Fault::new("b is not known", Engine, "EIO4-PKT-04").packets_in(|_, packet| {
            vec![if packet.starts_with('b') {
                "4b".to_owned()
            } else {
                packet.to_owned()
            }]
        }),
        Fault::new(
            "unknown packets are ignored",
            Engine,
            "EIO4-PKT-06 EIO4-WS-07 EIO4-PLD-02",
        )
        .packets_in(|_, packet| {
            if packet.starts_with(|first: char| "0123456b".contains(first)) {
                keep(packet)
            } else {
                vec!["6".to_owned()]
            }
        }),
        Fault::new("stray packets are errors", Engine, "EIO4-PKT-07").packets_in(|head, packet| {
            let is_stray = packet.starts_with(['0', '6'])
                || (packet.starts_with('5') && head.sid().is_empty());
            if is_stray {
                vec!["x".to_owned()]
            } else {
                keep(packet)
            }
        }),
        Fault::new("payloads end with a separator", Engine, "EIO4-PLD-01").answer(
            |head, answer| {
                if head.is_poll() && answer.status == 200 {
                    answer.body.push(0x1e);
                }
            },
        ),
        Fault::new(
            "payloads are handled in reverse",
            Engine,
            "EIO4-PLD-03 SRV-ORD-02 EIO4-POL-13",
        )
        .habit(Habit::ReversePayloads),
        Fault::new("frames are handled in reverse", Engine, "EIO4-WS-01")
            .habit(Habit::ReverseFrames),
    ]
}

fn handshake() -> Vec<Fault> {
    vec![
        Fault::new(
            "the open packet's members are in another order",
            Engine,
            "EIO4-HS-01",
        )
        .packets_out(|_, packet| {
            match (
                packet.starts_with("0{"),
                packet.split_once(",\"maxPayload\":"),
            ) {
                (true, Some((rest, limit))) => vec![
                    format!("0{{\"maxPayload\":{limit}")
                        .replace('}', &format!(",{}}}", &rest[2..])),
                ],
                _ => keep(packet),
            }
        }),
        Fault::new("the limit is not advertised as it is", Engine, "EIO4-HS-02")
            .packets_out(|_, packet| vec![packet.replace("1000000", "100000")]),
        Fault::new("no upgrade is offered", Engine, "EIO4-HS-03")
            .packets_out(|_, packet| vec![packet.replace("[\"websocket\"]", "[]")]),
        Fault::new("the handshake's answer holds more", Engine, "EIO4-HS-04").answer(
            |head, answer| {
                if head.method() == "GET" && head.sid().is_empty() && answer.status == 200 {
                    answer.body.extend_from_slice(b"\x1e4hello");
                }
            },
        ),
        Fault::new("a WebSocket's open packet is missing", Engine, "EIO4-HS-05").packets_out(
            |head, packet| {
                if head.is_upgrade() && packet.starts_with('0') {
                    vec![]
                } else {
                    keep(packet)
                }
            },
        ),
        Fault::new(
            "an unknown sid opens a session",
            Engine,
            "EIO4-HS-07 EIO4-QRY-10 EIO4-POL-12 EIO4-CLS-10",
        )
        .answer(|head, answer| {
            if answer.status == 400 && answer.text().contains("\"code\":1") {
                *answer = Answer::new(
                    200,
                    if head.method() == "GET" {
                        "0{\"sid\":\"x\"}"
                    } else {
                        "ok"
                    },
                );
            }
        }),
    ]
}

fn polling() -> Vec<Fault> {
    vec![
        Fault::new("polls are not held", Engine, "EIO4-POL-01")
            .instead(|head| head.is_poll().then(|| Answer::new(200, "6"))),
        Fault::new("POSTs are answered as plain text", Engine, "EIO4-POL-02").answer(
            |head, answer| {
                if head.method() == "POST" {
                    answer.set("Content-Type", "text/plain");
                }
            },
        ),
        Fault::new(
            "a POST that ends the session is an error",
            Engine,
            "EIO4-POL-03",
        )
        .body(|head, body| {
            if !body.starts_with(b"4") || body.contains(&b'z') || body.is_empty() {
                head.memory.note("bad");
            }
            body
        })
        .answer(|head, answer| {
            if head.method() == "POST" && head.memory.has("bad") {
                *answer = Answer::new(400, "bad payload");
            }
        }),
        Fault::new("polls wait for each other", Engine, "EIO4-POL-04").habit(Habit::QueuePolls),
        Fault::new("POSTs wait for each other", Engine, "EIO4-POL-05").habit(Habit::QueuePosts),
        Fault::new("a POST waits for the poll", Engine, "EIO4-POL-06").habit(Habit::QueueAll),
        Fault::new("a large body is answered ok", Engine, "EIO4-POL-07").answer(|_, answer| {
            if answer.status == 413 {
                *answer = Answer::new(200, "ok");
            }
        }),
        Fault::new("octet-stream is read as text", Engine, "EIO4-POL-08").head(|head| {
            head.text = head.text.replace("application/octet-stream", "text/plain");
        }),
        Fault::new("other content types are refused", Engine, "EIO4-POL-08").instead(|head| {
            let kind = head.header("content-type")?;
            (kind == "application/json").then(|| Answer::new(415, ""))
        }),
        Fault::new("any method is a POST", Engine, "EIO4-POL-09").head(|head| {
            for method in ["PUT", "DELETE", "PATCH"] {
                if let Some(rest) = head.text.strip_prefix(method) {
                    head.text = format!("POST{rest}");
                }
            }
        }),
        Fault::new(
            "a client that goes is not noticed",
            Engine,
            "EIO4-POL-10 EIO4-WS-06",
        )
        .habit(Habit::KeepServerSide),
        Fault::new("chunked bodies are refused", Engine, "EIO4-POL-11").instead(|head| {
            head.header("transfer-encoding")
                .map(|_| Answer::new(411, ""))
        }),
        Fault::new("a byte order mark is skipped", Engine, "EIO4-POL-11").body(|_, body| {
            body.strip_prefix(b"\xef\xbb\xbf")
                .map(<[u8]>::to_vec)
                .unwrap_or(body)
        }),
        Fault::new("polls may be cached", Engine, "EIO4-POL-14")
            .answer(|_, answer| answer.strip("cache-control")),
        Fault::new("old browsers get no header", Engine, "EIO4-POL-14")
            .answer(|_, answer| answer.strip("x-xss-protection")),
    ]
}

fn refusals() -> Vec<Fault> {
    vec![
        Fault::new("codes are strings", Engine, "EIO4-ERR-01").answer(|_, answer| {
            answer.replace("\"code\":1", "\"code\":\"1\"");
        }),
        Fault::new("refusals are text", Engine, "EIO4-ERR-01").answer(|_, answer| {
            if answer.text().starts_with("{\"code\"") {
                answer.set("Content-Type", "text/plain");
            }
        }),
        Fault::new("the method is checked last", Engine, "EIO4-ERR-02").answer(|head, answer| {
            if answer.text().contains("\"code\":2") && head.parameter("EIO") == Some("3") {
                answer.body = b"{\"code\":5,\"message\":\"Unsupported protocol version\"}".to_vec();
            }
        }),
        Fault::new(
            "another transport's requests are for an unknown session",
            Engine,
            "EIO4-ERR-03 EIO4-UPG-13",
        )
        .answer(|head, answer| {
            if !head.sid().is_empty() && answer.text().contains("\"code\":3") {
                answer.body = b"{\"code\":1,\"message\":\"Session ID unknown\"}".to_vec();
            }
        }),
        Fault::new(
            "refused upgrades are JSON",
            Engine,
            "EIO4-ERR-05 EIO4-ERR-10",
        )
        .answer(|head, answer| {
            if head.is_upgrade() && answer.status == 400 {
                answer.body = b"{\"code\":1,\"message\":\"Session ID unknown\"}".to_vec();
            }
        }),
        Fault::new(
            "the hook's refusal is code 3",
            Matrix,
            "EIO4-ERR-06 EIO4-ERR-01",
        )
        .port(2)
        .answer(|_, answer| {
            if answer.status == 403 {
                answer.status = 400;
                answer.replace("\"code\":4", "\"code\":3");
            }
        }),
        Fault::new("an upgrade anywhere is a WebSocket", Engine, "EIO4-ERR-09").head(|head| {
            head.retarget("/elsewhere/", "/engine.io/");
        }),
        Fault::new(
            "a WebSocket without WebSocket is refused as text",
            Matrix,
            "EIO4-ERR-12",
        )
        .port(5)
        .answer(|head, answer| {
            if head.is_upgrade() && answer.status == 400 {
                *answer = Answer::new(400, "Transport unknown");
            }
        }),
    ]
}

fn websocket() -> Vec<Fault> {
    vec![
        Fault::new("binary goes out as text", Engine, "EIO4-WS-01 EIO4-PKT-03").frames_out(
            |_, frame| match frame.opcode {
                BINARY => vec![Frame::new(TEXT, "bAQID")],
                _ => vec![frame],
            },
        ),
        Fault::new(
            "every close has the status 1000",
            Engine,
            "EIO4-WS-02 EIO4-WS-03 EIO4-WS-05 EIO4-WS-07 EIO4-UPG-07 EIO4-UPG-10 EIO4-HB-05",
        )
        .frames_out(|_, frame| match frame.opcode {
            CLOSE => vec![Frame::new(CLOSE, 1000_u16.to_be_bytes())],
            _ => vec![frame],
        }),
        Fault::new("pong frames are empty", Engine, "EIO4-WS-04").frames_out(
            |_, frame| match frame.opcode {
                PONG => vec![Frame::new(PONG, "")],
                _ => vec![frame],
            },
        ),
        Fault::new("permessage-deflate is agreed on", Engine, "EIO4-WS-08").answer(|_, answer| {
            if answer.status == 101 {
                answer.set("Sec-WebSocket-Extensions", "permessage-deflate");
            }
        }),
        Fault::new(
            "close as a packet closes a WebSocket",
            Engine,
            "EIO4-CLS-02",
        )
        .frames_in(|_, frame| {
            if is_text(&frame, "1") {
                return vec![Frame {
                    is_masked: true,
                    ..Frame::new(CLOSE, "")
                }];
            }
            vec![frame]
        }),
    ]
}

fn heartbeat() -> Vec<Fault> {
    vec![
        Fault::new("pings come late", Engine, "EIO4-HB-01 EIO4-HB-02")
            .late(|frame| if is_text(frame, "2") { 160 } else { 0 }),
        Fault::new(
            "pongs are not seen",
            Engine,
            "EIO4-HB-02 EIO4-HB-03 EIO4-HB-07",
        )
        .packets_in(|_, packet| {
            if packet.starts_with('3') {
                vec!["6".to_owned()]
            } else {
                keep(packet)
            }
        }),
        Fault::new("every packet counts as a pong", Engine, "EIO4-HB-04").packets_in(
            |_, packet| match packet {
                "4a" | "4b" => vec!["3".to_owned(), packet.to_owned()],
                _ => keep(packet),
            },
        ),
        Fault::new("a session without pongs lives on", Engine, "EIO4-HB-05").frames_out(
            |_, frame| {
                if frame.opcode == CLOSE {
                    vec![]
                } else {
                    vec![frame]
                }
            },
        ),
        Fault::new("pings from the client are ignored", Engine, "EIO4-HB-06").packets_in(
            |head, packet| {
                if packet.starts_with('2')
                    && head
                        .parameter("sid")
                        .is_none_or(|_| head.method() == "POST")
                {
                    vec!["6".to_owned()]
                } else {
                    keep(packet)
                }
            },
        ),
    ]
}

fn upgrade() -> Vec<Fault> {
    vec![
        Fault::new(
            "a candidate hears an open packet",
            Engine,
            "EIO4-UPG-01 EIO4-UPG-02",
        )
        .answer(|head, answer| {
            if answer.status == 101 && !head.sid().is_empty() {
                answer.body = Frame::new(TEXT, "0{}").bytes();
            }
        }),
        Fault::new(
            "a probe is answered with a bare pong",
            Engine,
            "EIO4-UPG-02",
        )
        .packets_out(|_, packet| {
            vec![if packet == "3probe" {
                "3".to_owned()
            } else {
                packet.to_owned()
            }]
        }),
        Fault::new("no noop", Engine, "EIO4-UPG-03").answer(|head, answer| {
            if is_poll_body(head, answer, "6") {
                answer.body.clear();
            }
        }),
        Fault::new("polling stops at the probe", Engine, "EIO4-UPG-04")
            .frames_in(|head, frame| {
                if is_text(&frame, "2probe") {
                    head.memory.note(head.sid());
                }
                vec![frame]
            })
            .instead(|head| {
                let is_stopped = !head.is_upgrade() && head.memory.has(head.sid());
                is_stopped.then(|| Answer::new(400, "{\"code\":3,\"message\":\"Bad request\"}"))
            }),
        Fault::new(
            "the upgrade packet is not seen",
            Engine,
            "EIO4-UPG-05 EIO4-UPG-06 EIO4-UPG-13",
        )
        .frames_in(|_, frame| {
            let is_upgrade = frame.text().is_some_and(|text| text.starts_with('5'));
            if is_upgrade { vec![] } else { vec![frame] }
        }),
        Fault::new("candidates may say anything", Engine, "EIO4-UPG-07").frames_in(
            |head, frame| {
                let is_right = frame
                    .text()
                    .is_some_and(|text| text == "2probe" || text.starts_with('5'));
                if head.sid().is_empty() || is_right || frame.opcode >= CLOSE {
                    vec![frame]
                } else {
                    vec![]
                }
            },
        ),
        Fault::new(
            "candidates are never closed",
            Engine,
            "EIO4-UPG-07 EIO4-UPG-09 EIO4-UPG-10",
        )
        .frames_out(|head, frame| {
            if !head.sid().is_empty() && frame.opcode == CLOSE {
                vec![]
            } else {
                vec![frame]
            }
        }),
        Fault::new(
            "a candidate's death is the session's",
            Engine,
            "EIO4-UPG-11",
        )
        .instead(|head| {
            let is_dead = head.memory.has(&format!("closed {}", head.sid()));
            (is_dead && !head.sid().is_empty())
                .then(|| Answer::new(400, "{\"code\":1,\"message\":\"Session ID unknown\"}"))
        })
        .frames_in(|head, frame| {
            if frame.opcode == CLOSE {
                head.memory.note(&format!("closed {}", head.sid()));
            }
            vec![frame]
        }),
        Fault::new(
            "a session's end leaves its candidate open",
            Engine,
            "EIO4-UPG-12",
        )
        .frames_out(|head, frame| {
            if !head.sid().is_empty() && frame.opcode == CLOSE {
                vec![Frame::new(TEXT, "6")]
            } else {
                vec![frame]
            }
        }),
    ]
}

fn closing() -> Vec<Fault> {
    vec![
        Fault::new(
            "a goodbye is not heard",
            Engine,
            "EIO4-CLS-01 EIO4-POL-12 EIO4-POL-13 EIO4-CLS-09",
        )
        .body(|_, body| {
            let text = String::from_utf8_lossy(&body).into_owned();
            text.split('\u{1e}')
                .map(|packet| if packet == "1" { "6" } else { packet })
                .collect::<Vec<_>>()
                .join("\u{1e}")
                .into_bytes()
        }),
        Fault::new(
            "held polls hear a noop instead of close",
            Engine,
            "EIO4-POL-04 EIO4-UPG-06 EIO4-HB-05 EIO4-CLS-10",
        )
        .answer(|head, answer| {
            if is_poll_body(head, answer, "1") {
                answer.body = b"6".to_vec();
            }
        }),
        Fault::new(
            "held polls hear a noop instead of the application's close",
            Matrix,
            "EIO4-CLS-03",
        )
        .answer(|head, answer| {
            if is_poll_body(head, answer, "1") {
                answer.body = b"6".to_vec();
            }
        }),
        Fault::new(
            "a lingering session says close alone",
            Matrix,
            "EIO4-CLS-04 EIO4-CLS-05 EIO4-CLS-06",
        )
        .answer(|head, answer| {
            if is_poll_body(head, answer, "6\u{1e}1") {
                answer.body = b"1".to_vec();
            }
        }),
        Fault::new(
            "a POST under way is answered although the session ends",
            Engine,
            "EIO4-CLS-08 EIO4-POL-05",
        )
        .habit(Habit::ForgiveDestroyed),
        Fault::new("a fault lingers", Engine, "EIO4-CLS-10").answer(|head, answer| {
            if head.is_poll() && answer.text().contains("\"code\":1") {
                *answer = Answer::new(200, "6\u{1e}1");
            }
        }),
    ]
}

fn extras() -> Vec<Fault> {
    vec![
        Fault::new("nothing is compressed", Engine, "EIO4-CMP-01")
            .head(|head| head.strip("accept-encoding")),
        Fault::new(
            "CORS headers where there should be none",
            Matrix,
            "EIO4-COR-01",
        )
        .answer(|_, answer| {
            answer.set("Access-Control-Allow-Origin", "*");
        }),
        Fault::new("preflights are not answered", Engine, "EIO4-COR-02")
            .instead(|head| (head.method() == "OPTIONS").then(|| Answer::new(405, ""))),
        Fault::new(
            "answers carry no CORS headers",
            Engine,
            "EIO4-COR-03 EIO4-COR-04",
        )
        .answer(|_, answer| {
            answer.strip("access-control-allow-origin");
        }),
        Fault::new("Vary is missing", Matrix, "EIO4-COR-04 EIO4-COR-03")
            .port(2)
            .answer(|_, answer| answer.strip("vary")),
        Fault::new(
            "an Origin with control characters is served",
            Engine,
            "EIO4-COR-05",
        )
        .head(|head| head.strip("origin")),
        Fault::new("the cookie is for scripts too", Matrix, "EIO4-CK-01")
            .port(2)
            .answer(|_, answer| {
                let cookie = answer
                    .header("set-cookie")
                    .map(|cookie| cookie.replace("; HttpOnly", ""));
                if let Some(cookie) = cookie {
                    answer.set("Set-Cookie", &cookie);
                }
            }),
        Fault::new("every answer sets a cookie", Matrix, "EIO4-CK-02")
            .port(2)
            .answer(|_, answer| {
                answer.set("Set-Cookie", "io=x; Path=/; HttpOnly; SameSite=Lax");
            }),
        Fault::new("JSONP answers are JavaScript", Engine, "EIO4-JSP-02").answer(|_, answer| {
            if answer.body.starts_with(b"___eio") {
                answer.set("Content-Type", "text/javascript");
            }
        }),
        Fault::new("JSONP bodies are read as they are", Engine, "EIO4-JSP-03").body(|_, body| {
            body.strip_prefix(b"d=")
                .map(|rest| [b"e=", rest].concat())
                .unwrap_or(body)
        }),
        Fault::new("a host is not asked for", Engine, "EIO4-HTTP-01").head(|head| {
            let hosts = head.text.matches("Host: ").count();
            if hosts != 1 {
                head.strip("host");
                head.text = head.text.replacen("\r\n", "\r\nHost: x\r\n", 1);
            }
        }),
        Fault::new("any upgrade is one to WebSocket", Engine, "EIO4-HTTP-02").instead(|head| {
            (head.header("upgrade") == Some("h2c")).then(|| Answer::new(400, "Bad request"))
        }),
        Fault::new(
            "idle connections are closed unannounced",
            Engine,
            "EIO4-HTTP-03",
        )
        .instead(|head| {
            let open = r#"0{"sid":"AAAAAAAAAAAAAAAAAAAA"}"#;
            let mut answer = Answer::new(200, open);
            answer.set("Keep-Alive", "timeout=2");
            (head.header("connection") == Some("keep-alive")).then_some(answer)
        }),
        Fault::new("the first key counts", Engine, "EIO4-HTTP-04").head(|head| {
            let key = head.header("sec-websocket-key").map(str::to_owned);
            if let Some(key) = key {
                head.strip("sec-websocket-key");
                let line = format!("\r\nSec-WebSocket-Key: {key}\r\n");
                head.text = head.text.replacen("\r\n", &line, 1);
            }
        }),
        Fault::new("64 headers are the most", Engine, "EIO4-HTTP-05")
            .instead(|head| (head.text.lines().count() > 66).then(|| Answer::new(431, ""))),
        Fault::new("bad HTTP is answered 200", Engine, "EIO4-ERR-01").answer(|_, answer| {
            if answer.status == 400 && answer.body.is_empty() {
                answer.status = 200;
            }
        }),
    ]
}
