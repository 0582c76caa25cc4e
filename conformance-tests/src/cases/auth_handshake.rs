//! AUTH: tokens that come with the handshake. The rules are those of the fixture's auth profile.

use serde_json::{Value, json};

use crate::case::{Area, Profile};
use crate::client::http::Request;
use crate::client::token::Token;
use crate::client::websocket::WebSocket;
use crate::client::{Link, Transport};
use crate::context::Context;
use crate::failure::{Failure, Verdict, ensure};

/// The profile's one allowed origin.
const ORIGIN: &str = "http://a.example";

/// `{"token": …}` as CONNECT carries it.
pub(super) fn auth(token: &str) -> String {
    json!({ "token": token }).to_string()
}

/// What the server says about the socket.
pub(super) async fn whoami(link: &mut Link, namespace: &str) -> Verdict<Value> {
    let prefix = if namespace == "/" { String::new() } else { format!("{namespace},") };
    link.send(&format!(r#"42{prefix}77["whoami"]"#)).await?;
    let mut answer = link.next("the answer to whoami").await?;
    // Other cases shout in the same namespaces.
    while answer.contains(r#"["heard","#) {
        answer = link.next("the answer to whoami").await?;
    }
    let data = answer.strip_prefix(&format!("43{prefix}77"));
    let data: Option<Value> = data.and_then(|data| serde_json::from_str(data).ok());
    data.and_then(|mut data| data.get_mut(0).map(Value::take))
        .ok_or_else(|| Failure::unmet("an answer to whoami", answer))
}

pub(super) fn is_subject(who: &Value, subject: &str) -> Verdict {
    ensure(
        who["sub"] == subject && who["guest"] == false,
        format_args!("the subject {subject}"),
        who,
    )
}

fn is_guest(who: &Value) -> Verdict {
    ensure(who["sub"].is_null() && who["guest"] == true, "a guest", who)
}

/// CONNECT is refused with this code, in the shape that clients know.
pub(super) async fn is_refused(link: &mut Link, namespace: &str, auth: &str, code: &str) -> Verdict {
    let prefix = if namespace == "/" { String::new() } else { format!("{namespace},") };
    link.send(&format!("40{prefix}{auth}")).await?;
    let answer = link.next("a CONNECT_ERROR").await?;
    let data = answer.strip_prefix(&format!("44{prefix}"));
    let data: Option<Value> = data.and_then(|data| serde_json::from_str(data).ok());
    let data = data.ok_or_else(|| Failure::unmet("a CONNECT_ERROR", &answer))?;
    let is_it = data["data"]["code"] == code
        && data["data"]["type"] == "UnauthorizedError"
        && data["message"].is_string()
        && data["message"] == data["data"]["message"];
    ensure(is_it, format_args!("44{prefix}… with the code {code}"), answer)
}

/// A session whose handshake had these headers.
async fn with_headers(c: &Context, headers: &[(&str, &str)]) -> Verdict<Link> {
    let mut request = Context::upgrade_request("EIO=4&transport=websocket");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    opened(c, request).await
}

async fn opened(c: &Context, request: Request) -> Verdict<Link> {
    let mut ws: WebSocket = c.websocket_by(request).await?;
    ws.text("an open packet").await?;
    Ok(Link::WebSocket(ws))
}

pub(super) fn cases() -> Area {
    let mut area = Area::new("auth_handshake", Profile::Auth);
    sources(&mut area);
    bad_tokens(&mut area);
    namespaces(&mut area);
    over_eio3(&mut area);
    area
}

fn sources(area: &mut Area) {
    area.both("AUTH-SRC", "the token may come in the auth payload", |c, transport| async move {
        let mut link = c.link(transport).await?;
        link.join("/", &auth(&Token::of("ann").signed())).await?;
        is_subject(&whoami(&mut link, "/").await?, "ann")
    });
    area.must("AUTH-SRC", "the auth payload's token may have a scheme", |c| async move {
        for scheme in ["Bearer", "bearer"] {
            let mut link = c.link(Transport::WebSocket).await?;
            link.join("/", &auth(&format!("{scheme} {}", Token::of("ann").signed()))).await?;
        }
        Ok(())
    });
    area.must("AUTH-SRC", "the token may come as bearer, in any letter case", |c| async move {
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let value = format!("{scheme} {}", Token::of("bob").signed());
            let mut link = with_headers(&c, &[("Authorization", &value)]).await?;
            link.join("/", "").await?;
            is_subject(&whoami(&mut link, "/").await?, "bob")?;
        }
        Ok(())
    });
    area.must("AUTH-SRC", "the token may come as x-auth-token", |c| async move {
        let mut link = with_headers(&c, &[("X-Auth-Token", &Token::of("cy").signed())]).await?;
        link.join("/", "").await?;
        is_subject(&whoami(&mut link, "/").await?, "cy")
    });
    area.must("AUTH-SRC", "the token may come as a cookie, from the allowed origin or none", |c| async move {
        let cookie = format!("a=b; token={}; c=d", Token::of("dan").signed());
        for headers in [&[("Cookie", cookie.as_str())][..], &[("Cookie", &cookie), ("Origin", ORIGIN)]] {
            let mut link = with_headers(&c, headers).await?;
            link.join("/", "").await?;
            is_subject(&whoami(&mut link, "/").await?, "dan")?;
        }
        Ok(())
    });
    area.must("AUTH-COOKIE", "a cookie from a foreign origin is refused, for guests too", |c| async move {
        let cookie = format!("token={}", Token::of("dan").signed());
        for namespace in ["/", "/guest"] {
            let headers = [("Cookie", cookie.as_str()), ("Origin", "http://evil.example")];
            let mut link = with_headers(&c, &headers).await?;
            is_refused(&mut link, namespace, "", "origin_not_allowed").await?;
        }
        Ok(())
    });
    area.must("AUTH-SRC", "the query's token is not looked at", |c| async move {
        let query = format!("EIO=4&transport=websocket&token={}", Token::of("eve").signed());
        let mut link = opened(&c, Context::upgrade_request(&query)).await?;
        is_refused(&mut link, "/", "", "credentials_required").await
    });
    area.must("AUTH-AMB", "the same token twice is one token", |c| async move {
        let token = Token::of("ann").signed();
        let mut link = with_headers(&c, &[("X-Auth-Token", &token)]).await?;
        link.join("/", &auth(&token)).await?;
        is_subject(&whoami(&mut link, "/").await?, "ann")
    });
    area.must("AUTH-AMB", "two different tokens are refused", |c| async move {
        let mut link = with_headers(&c, &[("X-Auth-Token", &Token::of("ann").signed())]).await?;
        is_refused(&mut link, "/", &auth(&Token::of("bob").signed()), "ambiguous_credentials").await
    });
    for (what, value) in [("absent", "{}"), ("null", r#"{"token":null}"#), ("empty", r#"{"token":""}"#)] {
        let name = format!("a token that is {what} is required");
        area.both("AUTH-REQ", &name, move |c, transport| async move {
            let mut link = c.link(transport).await?;
            is_refused(&mut link, "/", value, "credentials_required").await
        });
    }
    for value in [r#"{"token":1}"#, r#"{"token":{}}"#, r#"{"token":["a"]}"#, r#"{"token":true}"#] {
        let name = format!("a token that is no string has a bad format: {value}");
        area.must("AUTH-FMT", &name, move |c| async move {
            let mut link = c.link(Transport::WebSocket).await?;
            is_refused(&mut link, "/", value, "credentials_bad_format").await
        }).hostile();
    }
    area.must("AUTH-FMT", "a bearer header without a token has a bad format", |c| async move {
        let mut link = with_headers(&c, &[("Authorization", "Bearer")]).await?;
        is_refused(&mut link, "/", "", "credentials_bad_format").await
    });
    area.must("AUTH-FMT", "a foreign scheme alone is refused as such", |c| async move {
        let mut link = with_headers(&c, &[("Authorization", "Basic YTpi")]).await?;
        is_refused(&mut link, "/", "", "credentials_bad_scheme").await
    });
    area.must("AUTH-FMT", "a foreign scheme beside a good token does not count", |c| async move {
        let mut link = with_headers(&c, &[("Authorization", "Basic YTpi")]).await?;
        link.join("/", &auth(&Token::of("ann").signed())).await?;
        Ok(())
    });
}

fn bad_tokens(area: &mut Area) {
    let good = || Token::of("mallory");
    let tampered = {
        let token = good().signed();
        let (head, signature) = token.rsplit_once('.').unwrap_or_default();
        let claims = good().with("sub", json!("admin")).unsigned();
        debug_assert!(!head.is_empty(), "a signed token has three parts");
        format!("{claims}.{signature}")
    };
    let bad: Vec<(&str, &str, String)> = vec![
        ("that is garbage", "invalid_token", "garbage".to_owned()),
        ("of empty parts", "invalid_token", "..".to_owned()),
        ("of two parts", "invalid_token", good().unsigned()),
        ("with another's signature", "invalid_token", tampered),
        ("signed with another secret", "invalid_token", good().secret("another-secret-of-at-least-32-bytes-x").signed()),
        ("signed with no secret", "invalid_token", good().secret("").signed()),
        ("with the algorithm none", "invalid_token", format!("{}.", good().header("alg", &json!("none")).unsigned())),
        ("with the algorithm NONE, signed", "invalid_token", good().header("alg", &json!("NONE")).signed()),
        ("that says RS256", "invalid_token", good().header("alg", &json!("RS256")).signed()),
        ("that says HS512", "invalid_token", good().header("alg", &json!("HS512")).signed()),
        ("without an audience", "invalid_token", good().without("aud").signed()),
        ("for another audience", "invalid_token", good().with("aud", json!("other")).signed()),
        ("without an issuer", "invalid_token", good().without("iss").signed()),
        ("from another issuer", "invalid_token", good().with("iss", json!("https://evil.example")).signed()),
        ("without an end", "invalid_token", good().without("exp").signed()),
        ("without a subject", "invalid_token", good().without("sub").signed()),
        ("whose subject is a number", "invalid_token", good().with("sub", json!(1)).signed()),
        ("whose end is text", "invalid_token", good().with("exp", json!("tomorrow")).signed()),
        ("that begins tomorrow", "invalid_token", good().with("nbf", json!(crate::client::token::now() + 86_400)).signed()),
        ("that has expired", "token_expired", good().for_seconds(-10).signed()),
        ("that has expired and is for another audience", "invalid_token", good().for_seconds(-10).secret("another-secret-of-at-least-32-bytes-x").signed()),
    ];
    for (what, code, token) in bad {
        let name = format!("a token {what} is {code}");
        area.must("AUTH-JWT", &name, move |c| {
            let token = token.clone();
            async move {
                let mut link = c.link(Transport::WebSocket).await?;
                is_refused(&mut link, "/", &auth(&token), code).await
            }
        });
    }
    let strict: Vec<(&str, String)> = vec![
        ("with a critical header", good().header("crit", &json!(["exp"])).signed()),
        ("whose issuer is a list", good().with("iss", json!(["https://issuer.example"])).signed()),
        ("issued tomorrow", good().with("iat", json!(crate::client::token::now() + 86_400)).signed()),
        ("of more than 8 KiB", good().with("pad", json!("x".repeat(9000))).signed()),
    ];
    for (what, token) in strict {
        let name = format!("a token {what} is invalid_token");
        area.should("AUTH-JWT", &name, move |c| {
            let token = token.clone();
            async move {
                let mut link = c.link(Transport::WebSocket).await?;
                is_refused(&mut link, "/", &auth(&token), "invalid_token").await
            }
        });
    }
    area.must("AUTH-JWT", "a refusal says nothing about the server's keys, audience or issuer", |c| async move {
        let mut link = c.link(Transport::WebSocket).await?;
        link.send(&format!("40{}", auth(&good_for_other()))).await?;
        let answer = link.next("a CONNECT_ERROR").await?;
        ensure(
            !answer.contains("issuer.example") && !answer.contains("fixture"),
            "no detail",
            answer,
        )
    });
    area.must("AUTH-TRY", "a refused CONNECT may be tried again with a good token", |c| async move {
        let mut link = c.link(Transport::WebSocket).await?;
        is_refused(&mut link, "/", &auth("garbage"), "invalid_token").await?;
        link.join("/", &auth(&Token::of("ann").signed())).await?;
        is_subject(&whoami(&mut link, "/").await?, "ann")
    });
    area.must("AUTH-TRY", "after three failures even a good token is refused", |c| async move {
        let mut link = c.link(Transport::WebSocket).await?;
        for _ in 0..3 {
            is_refused(&mut link, "/", &auth("garbage"), "invalid_token").await?;
        }
        is_refused(&mut link, "/", &auth(&Token::of("ann").signed()), "too_many_attempts").await
    });
    area.must("AUTH-TRY", "missing tokens do not count as failures", |c| async move {
        let mut link = c.link(Transport::WebSocket).await?;
        for _ in 0..5 {
            is_refused(&mut link, "/", "", "credentials_required").await?;
        }
        link.join("/", &auth(&Token::of("ann").signed())).await?;
        Ok(())
    });
}

fn good_for_other() -> String {
    Token::of("ann").with("aud", json!("other")).with("iss", json!("other")).signed()
}

fn namespaces(area: &mut Area) {
    area.must("AUTH-NSP", "a namespace without a word of its own is guarded", |c| async move {
        let mut link = c.link(Transport::WebSocket).await?;
        is_refused(&mut link, "/admin", "", "credentials_required").await?;
        link.join("/admin", &auth(&Token::of("ann").signed())).await?;
        is_subject(&whoami(&mut link, "/admin").await?, "ann")
    });
    area.must("AUTH-NSP", "joining one namespace does not open another", |c| async move {
        let mut link = c.link(Transport::WebSocket).await?;
        link.join("/", &auth(&Token::of("ann").signed())).await?;
        is_refused(&mut link, "/admin", "", "credentials_required").await
    });
    area.must("AUTH-NSP SIO5-EVT-02", "an event for a namespace that refused ends the connection", |c| async move {
        let mut link = c.link(Transport::WebSocket).await?;
        is_refused(&mut link, "/", "", "credentials_required").await?;
        link.send(r#"421["whoami"]"#).await?;
        link.is_ended().await
    });
    area.must("AUTH-NSP", "who was refused hears no broadcast", |c| async move {
        let mut inside = c.link(Transport::WebSocket).await?;
        inside.join("/admin", &auth(&Token::of("ann").signed())).await?;
        let mut outside = c.link(Transport::WebSocket).await?;
        outside.join("/public", "").await?;
        is_refused(&mut outside, "/admin", "", "credentials_required").await?;
        inside.send(r#"42/admin,["shout","secret"]"#).await?;
        inside.is_packet(r#"42/admin,["heard","secret"]"#).await?;
        whoami(&mut outside, "/public").await?;
        Ok(())
    });
    area.must("AUTH-GUEST", "without a token one is a guest where guests are welcome", |c| async move {
        let mut link = c.link(Transport::WebSocket).await?;
        link.join("/guest", "").await?;
        is_guest(&whoami(&mut link, "/guest").await?)
    });
    area.must("AUTH-GUEST", "with a good token one is no guest, with a bad one one is refused", |c| async move {
        let mut link = c.link(Transport::WebSocket).await?;
        is_refused(&mut link, "/guest", &auth("garbage"), "invalid_token").await?;
        link.join("/guest", &auth(&Token::of("ann").signed())).await?;
        is_subject(&whoami(&mut link, "/guest").await?, "ann")
    });
    area.must("AUTH-HDR", "where the header is wanted, the payload does not count", |c| async move {
        let mut link = c.link(Transport::WebSocket).await?;
        is_refused(&mut link, "/header", &auth(&Token::of("ann").signed()), "missing_authorization_header").await?;
        let value = format!("Bearer {}", Token::of("bob").signed());
        let mut link = with_headers(&c, &[("Authorization", &value)]).await?;
        link.join("/header", "").await?;
        is_subject(&whoami(&mut link, "/header").await?, "bob")
    });
    area.must("AUTH-PUB", "a public namespace looks at no token", |c| async move {
        for payload in [String::new(), auth("garbage"), auth(&Token::of("ann").signed())] {
            let mut link = c.link(Transport::WebSocket).await?;
            link.join("/public", &payload).await?;
            is_guest(&whoami(&mut link, "/public").await?)?;
        }
        Ok(())
    });
    area.must("AUTH-NSP", "a socket's identity holds in its rooms and after a reconnect it is checked again", |c| async move {
        let mut link = c.link(Transport::WebSocket).await?;
        link.join("/", &auth(&Token::of("ann").signed())).await?;
        link.send(r#"421["join","red"]"#).await?;
        link.is_packet("431[]").await?;
        let who = whoami(&mut link, "/").await?;
        ensure(who["rooms"] == json!(["red"]), "the room red", &who)?;
        link.send("41").await?;
        c.settle().await;
        is_refused(&mut link, "/", "", "credentials_required").await
    });
    area.must("AUTH-EXP", "the end of the token is known", |c| async move {
        let end = crate::client::token::now() + 500;
        let mut link = c.link(Transport::WebSocket).await?;
        link.join("/", &auth(&Token::of("ann").with("exp", json!(end)).signed())).await?;
        let who = whoami(&mut link, "/").await?;
        ensure(who["expires_at"] == end, format_args!("expires_at {end}"), who)
    });
    area.should("AUTH-EXP", "the reply says how long the token lasts", |c| async move {
        let mut link = c.link(Transport::WebSocket).await?;
        let (_, reply) = link.join_reply("/", &auth(&Token::of("ann").signed())).await?;
        ensure(
            reply["auth"]["expires_in"].as_u64().is_some_and(|left| (590..=600).contains(&left)),
            "auth.expires_in",
            reply,
        )
    });
    area.must("AUTH-BIND", "a huge auth payload is refused and does no harm", |c| async move {
        let mut link = c.link(Transport::WebSocket).await?;
        link.send(&format!("40{}", auth(&"x".repeat(500_000)))).await?;
        let answer = link.next("a CONNECT_ERROR").await?;
        ensure(answer.starts_with("44"), "a CONNECT_ERROR", answer)
    }).hostile();
}

fn over_eio3(area: &mut Area) {
    area.on(Profile::AuthEio3);
    area.must("AUTH-EIO3", "in protocol 3 the query's token opens the root", |c| async move {
        let query = format!("EIO=3&transport=websocket&token={}", Token::of("old").signed());
        let (mut ws, _) = c.ws_open(&query).await?;
        ws.is("40").await
    });
    area.must("AUTH-EIO3 SIO4-ERR-03", "in protocol 3 a refusal of the root is the data itself and the session stays", |c| async move {
        let (mut ws, _) = c.ws_open("EIO=3&transport=websocket").await?;
        let answer = ws.text("a CONNECT_ERROR").await?;
        let data: Option<Value> = answer.strip_prefix("44").and_then(|data| serde_json::from_str(data).ok());
        let is_it = data.is_some_and(|data| {
            data["code"] == "credentials_required" && data["type"] == "UnauthorizedError"
        });
        ensure(is_it, "44 with the code credentials_required", answer)?;
        ws.send("2").await?;
        ws.is("3").await
    });
    area.must("AUTH-EIO3", "in protocol 3 the namespace's query may carry the token", |c| async move {
        let (mut ws, _) = c.ws_open("EIO=3&transport=websocket").await?;
        ws.text("a CONNECT_ERROR").await?;
        ws.send(format!("40/admin?token={},", Token::of("old").signed())).await?;
        ws.is("40/admin,").await
    });
}
