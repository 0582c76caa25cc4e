//! Whether the server is the one that a profile's cases mean, before they run in vain.
//!
//! A server may be quite right and still not do what `spec/FIXTURE.md` asks: it then fails every case, which says
//! nothing about it. What is looked for is the least that no server does by itself, in any form and on either transport:
//! a server that does it wrongly is for the cases.

use tokio::time::timeout;

use crate::case::Profile;
use crate::client::http::Request;
use crate::client::msgpack::Packed;
use crate::client::{Link, Target, Transport};
use crate::context::Context;
use crate::failure::{Failure, Verdict};
use crate::health;
use crate::options::Options;
use crate::trace::Trace;

/// What the fixtures send back.
const WORD: &str = "is-this-the-fixture";

/// Characters of an answer that are shown; its beginning says what it is.
const BRIEF_CHARACTERS: usize = 240;

/// Packets that are read before it is given up that one of them is the answer.
const MAX_PACKETS: usize = 16;

/// A fresh client gets a session; the error names what was asked, and where a server does answer if it is another path.
pub(crate) async fn serves(target: &Target) -> Result<(), String> {
    let Err(failure) = health::serves(target).await else {
        return Ok(());
    };
    let mut told = format!("GET {target}?EIO=4&transport=polling: {}", brief(&failure));
    if let Some((path, profile)) = elsewhere(target).await {
        told.push_str(&format!(
            "; a session does open at {path}: name that path in --url, or choose --profile {profile}"
        ));
    }
    Err(told)
}

/// A failure as part of a sentence.
fn brief(failure: &Failure) -> String {
    let text = failure.to_string();
    match text.char_indices().nth(BRIEF_CHARACTERS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// Where the path is answered with 404 and a session opens at a usual one: that path, and a profile that means it.
async fn elsewhere(target: &Target) -> Option<(&'static str, &'static str)> {
    let context = Context::new(target.clone(), Trace::new());
    let answer = context.get("EIO=4&transport=polling").await.ok()?;
    answer.is_status(404).ok()?;
    for profile in [Profile::Engine, Profile::Socket] {
        let path = profile.default_path();
        let other = Target {
            path: path.to_owned(),
            ..target.clone()
        };
        if other != *target && health::serves(&other).await.is_ok() {
            return Some((path, profile.name()));
        }
    }
    None
}

/// The server does something of what its fixture does; the error is one sentence that says what was tried.
pub(crate) async fn is_fixture(target: &Target, options: &Options) -> Result<(), String> {
    let profile = options.profile;
    let context = Context::new(target.clone(), Trace::new()).patient(options.patience);
    let transports: &[Transport] = match options.is_without_polling {
        true => &[Transport::WebSocket],
        false => &[Transport::WebSocket, Transport::Polling],
    };
    let mut why = None;
    for &transport in transports {
        // Heartbeats end no wait for an answer.
        let limit = options.patience * 2;
        let asked = timeout(limit, answers(&context, profile, transport));
        match asked.await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(failure)) => why = Some(failure),
            Err(_) => {
                why = Some(Failure::silent("an answer", format_args!("{limit:?}")));
            }
        }
    }
    let why = why.map_or_else(String::new, |failure| format!(" ({})", brief(&failure)));
    let started = match profile.environment() {
        [] => String::new(),
        variables => {
            let names: Vec<&str> = variables.iter().map(|(name, _)| *name).collect();
            format!(", started with {}", names.join(" and "))
        }
    };
    Err(format!(
        "{target} opens sessions but does not behave as conformance-tests/spec/{} asks of a server for the profile \
         {}{started}: {} did not get an answer{why}",
        match profile {
            Profile::Cluster => "FIXTURE-CLUSTER.md",
            _ => "FIXTURE.md",
        },
        profile.name(),
        asked(profile),
    ))
}

/// What is asked, in words.
fn asked(profile: Profile) -> &'static str {
    match profile {
        Profile::Engine => "a message that is to be sent back",
        Profile::EngineEio3 => "a message that is to be sent back, over protocol 3,",
        Profile::SocketEio3 => {
            "the events `message` and `message-with-ack` in `/`, over protocol 3,"
        }
        Profile::SocketMsgpack => "the event `message` in `/`, in msgpack,",
        Profile::Socket | Profile::Matrix => "the events `message` and `message-with-ack` in `/`",
        Profile::Auth => "the event `whoami` in `/public`",
        Profile::Cluster => "the event `me` in `/`",
        Profile::AuthEio3 => "a handshake of protocol 3, or the event `whoami` in `/public`,",
    }
}

/// The fixture's answer comes, whatever it looks like.
async fn answers(context: &Context, profile: Profile, transport: Transport) -> Verdict {
    let is_eio3 = matches!(profile, Profile::EngineEio3 | Profile::SocketEio3);
    let mut link = match is_eio3 {
        true => context.link3(transport).await?,
        false => context.link(transport).await?,
    };
    match profile {
        Profile::Engine | Profile::EngineEio3 => {
            link.send(&format!("4{WORD}")).await?;
            hears(&mut link, |packet| packet.contains(WORD)).await
        }
        Profile::Socket | Profile::Matrix | Profile::SocketEio3 => {
            // Protocol 4 of Socket.IO joins `/` by itself.
            if !is_eio3 {
                link.send("40").await?;
            }
            is_let_in(&link.next("an answer to CONNECT").await?, "/")?;
            let asked = [
                format!(r#"42["message","{WORD}"]"#),
                format!(r#"421["message-with-ack","{WORD}"]"#),
            ];
            for event in &asked {
                link.send(event).await?;
            }
            // A server that sends back whatever comes is another profile's.
            hears(&mut link, |packet| {
                packet.contains(WORD) && asked.iter().all(|event| event != packet)
            })
            .await
        }
        Profile::Cluster => {
            link.send("40").await?;
            link.next("an answer to CONNECT").await?;
            link.send(r#"421["me"]"#).await?;
            hears(&mut link, |packet| {
                packet.starts_with("431[") && packet.contains("\"node\"")
            })
            .await
        }
        Profile::SocketMsgpack => says_it_in_msgpack(&mut link).await,
        Profile::Auth | Profile::AuthEio3 => {
            if profile == Profile::AuthEio3 {
                let request = Request::get("EIO=3&transport=polling");
                context.request(request).await?.is_status(200)?;
            }
            link.send("40/public,").await?;
            is_let_in(&link.next("an answer to CONNECT").await?, "/public")?;
            link.send(r#"42/public,1["whoami"]"#).await?;
            hears(&mut link, |packet| packet.contains("\"sub\"")).await
        }
    }
}

/// The answer to CONNECT is not that nobody comes in: whoever goes on regardless loses the connection, which says nothing
/// about why.
fn is_let_in(answer: &str, namespace: &str) -> Verdict {
    match answer.starts_with("44") {
        true => Err(Failure::refused(namespace, answer)),
        false => Ok(()),
    }
}

/// One of the next packets is the answer.
async fn hears(link: &mut Link, is_answer: impl Fn(&str) -> bool) -> Verdict {
    for _ in 0..MAX_PACKETS {
        if is_answer(&link.next("an answer").await?) {
            return Ok(());
        }
    }
    Err(Failure::unmet("an answer", "other packets only"))
}

async fn says_it_in_msgpack(link: &mut Link) -> Verdict {
    let packet = |kind: i64, data: Packed| {
        let members = [
            ("type", Packed::Int(kind)),
            ("nsp", Packed::text("/")),
            ("data", data),
        ];
        Packed::map(members).encode()
    };
    link.send_binary(&packet(0, Packed::Map(Vec::new())))
        .await?;
    let answer = Packed::decode(&link.next_binary().await?)?;
    if answer.get("type") == Some(&Packed::Int(4)) {
        return Err(Failure::refused("/", format_args!("{answer:?}")));
    }
    let event = Packed::List(vec![Packed::text("message"), Packed::text(WORD)]);
    link.send_binary(&packet(2, event)).await?;
    for _ in 0..MAX_PACKETS {
        let came = link.next_binary().await?;
        if came.windows(WORD.len()).any(|part| part == WORD.as_bytes()) {
            return Ok(());
        }
    }
    Err(Failure::unmet("an answer", "other packets only"))
}
