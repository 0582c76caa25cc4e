//! Faults of an authenticating Socket.IO server.
#![allow(
    clippy::too_many_lines,
    reason = "a function is a list of independent faults"
)]

use conformance_tests::Profile::{Auth, AuthEio3};

use crate::fault::{Fault, Head};
use crate::frame::{Frame, TEXT};

fn keep(packet: &str) -> Vec<String> {
    vec![packet.to_owned()]
}

fn swap(packet: &str, from: &str, to: &str) -> Vec<String> {
    vec![packet.replace(from, to)]
}

/// A text frame that the client never sent.
fn forged(payload: &str) -> Frame {
    Frame {
        is_masked: true,
        ..Frame::new(TEXT, payload)
    }
}

fn code(packet: &str, from: &str, to: &str) -> Vec<String> {
    swap(
        packet,
        &format!("\"code\":\"{from}\""),
        &format!("\"code\":\"{to}\""),
    )
}

pub(crate) fn all() -> Vec<Fault> {
    let to_header = |head: &mut Head| {
        let token = head.parameter("token").map(str::to_owned);
        if let Some(token) = token {
            head.text = head
                .text
                .replacen("\r\n", &format!("\r\nX-Auth-Token: {token}\r\n"), 1);
        }
    };
    vec![
        Fault::new("the query's token counts", Auth, "AUTH-SRC").head(to_header),
        Fault::new("cookies count from everywhere", Auth, "AUTH-COOKIE")
            .head(|head| head.strip("origin")),
        Fault::new("the first of two tokens wins", Auth, "AUTH-AMB").frames_in(|_, frame| {
            let is_auth = frame.text().is_some_and(|text| text.starts_with("40{"));
            if is_auth {
                vec![forged("40")]
            } else {
                vec![frame]
            }
        }),
        Fault::new("a missing token is an invalid one", Auth, "AUTH-REQ")
            .packets_out(|_, packet| code(packet, "credentials_required", "invalid_token")),
        Fault::new(
            "a token of a bad format is an invalid one",
            Auth,
            "AUTH-FMT",
        )
        .packets_out(|_, packet| code(packet, "credentials_bad_format", "invalid_token")),
        Fault::new(
            "an expired token is an invalid one",
            Auth,
            "AUTH-JWT AUTH-2RT",
        )
        .packets_out(|_, packet| code(packet, "token_expired", "invalid_token")),
        Fault::new("a bad token is welcome", Auth, "AUTH-JWT AUTH-TRY").packets_out(|_, packet| {
            let is_refused = packet.starts_with("44{") && packet.contains("invalid_token");
            vec![if is_refused {
                "40{\"sid\":\"aaaaaaaaaaaaaaaaaaaa\"}".to_owned()
            } else {
                packet.to_owned()
            }]
        }),
        Fault::new("one may try for ever", Auth, "AUTH-TRY")
            .packets_out(|_, packet| code(packet, "too_many_attempts", "invalid_token")),
        Fault::new("a namespace without a policy is open", Auth, "AUTH-NSP").packets_out(
            |_, packet| {
                vec![if packet.starts_with("44/admin") {
                    "40/admin,{\"sid\":\"aaaaaaaaaaaaaaaaaaaa\"}".to_owned()
                } else {
                    packet.to_owned()
                }]
            },
        ),
        Fault::new("guests are refused", Auth, "AUTH-GUEST").packets_out(|_, packet| {
            vec![if packet.starts_with("40/guest") {
                "44/guest,{\"message\":\"no\"}".to_owned()
            } else {
                packet.to_owned()
            }]
        }),
        Fault::new(
            "the payload counts where the header is wanted",
            Auth,
            "AUTH-HDR",
        )
        .packets_out(|_, packet| {
            vec![if packet.starts_with("44/header") {
                "40/header,{\"sid\":\"aaaaaaaaaaaaaaaaaaaa\"}".to_owned()
            } else {
                packet.to_owned()
            }]
        }),
        Fault::new("a public namespace judges tokens", Auth, "AUTH-PUB").packets_in(|_, packet| {
            let has_token = packet.starts_with("40/public,{");
            vec![if has_token {
                "40/nope,".to_owned()
            } else {
                packet.to_owned()
            }]
        }),
        Fault::new("a large payload is welcome", Auth, "AUTH-BIND").packets_out(|_, packet| {
            vec![if packet.starts_with("44") {
                "40{}".to_owned()
            } else {
                packet.to_owned()
            }]
        }),
        Fault::new(
            "authentication is not confirmed",
            Auth,
            "AUTH-2RT AUTH-EITHER AUTH-RENEW",
        )
        .packets_out(|_, packet| {
            if packet.contains("[\"authenticated\"]") {
                vec!["6".to_owned()]
            } else {
                keep(packet)
            }
        }),
        Fault::new(
            "a refused socket stays",
            Auth,
            "AUTH-GRACE AUTH-TIME AUTH-REVOKE",
        )
        .packets_out(|_, packet| {
            if packet.starts_with("41") {
                vec!["6".to_owned()]
            } else {
                keep(packet)
            }
        }),
        Fault::new("the timeout is silent", Auth, "AUTH-TIME").packets_out(|_, packet| {
            if packet.contains("auth_timeout") || packet.contains("authentication timeout") {
                vec!["6".to_owned()]
            } else {
                keep(packet)
            }
        }),
        Fault::new(
            "an unauthenticated socket hears a broadcast",
            Auth,
            "AUTH-WAIT",
        )
        .packets_out(|_, packet| {
            if packet.starts_with("40/legacy,") {
                return vec![
                    packet.to_owned(),
                    "42/legacy,[\"heard\",\"secret\"]".to_owned(),
                ];
            }
            keep(packet)
        }),
        Fault::new("another's token is welcome", Auth, "AUTH-RENEW")
            .packets_out(|_, packet| code(packet, "identity_mismatch", "ok")),
        Fault::new("a token's end is not announced", Auth, "AUTH-EXP")
            .packets_out(|_, packet| swap(packet, "token_expiring", "expiring")),
        Fault::new("the older dialect is not spoken", Auth, "AUTH-LEGACY").packets_out(
            |_, packet| swap(packet, "[\"authenticated\",true]", "[\"authenticated\"]"),
        ),
        Fault::new("revoked tokens are invalid ones", Auth, "AUTH-REVOKE")
            .packets_out(|_, packet| code(packet, "token_revoked", "invalid_token")),
        Fault::new(
            "protocol 3 is refused in protocol 5's shape",
            AuthEio3,
            "AUTH-EIO3",
        )
        .packets_out(|_, packet| {
            vec![if packet.starts_with("44{") {
                format!("44{{\"message\":\"x\",\"data\":{}}}", &packet[2..])
            } else {
                packet.to_owned()
            }]
        }),
    ]
}
