//! AUTH: authentication by an event after CONNECT, renewal, expiry and revocation.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::auth_handshake::{auth, is_subject, whoami};
use crate::case::{Area, Profile};
use crate::client::token::Token;
use crate::client::{Link, Transport};
use crate::context::Context;
use crate::failure::{Failure, Verdict, ensure};

const TWO_TRIP: &str = "/two-trip";

/// A socket of `/two-trip` that has not yet said who it is.
async fn pending(c: &Context) -> Verdict<Link> {
    Ok(c.joined(Transport::WebSocket, TWO_TRIP, "").await?.0)
}

fn authenticate(token: &str) -> String {
    format!("42{TWO_TRIP},{}", json!(["authenticate", { "token": token }]))
}

/// An `authenticated` socket of `/two-trip`.
async fn active(c: &Context, token: &Token) -> Verdict<Link> {
    let mut link = pending(c).await?;
    link.send(&authenticate(&token.signed())).await?;
    link.is_packet(r#"42/two-trip,["authenticated"]"#).await?;
    Ok(link)
}

/// The next packet is `unauthorized` with this code; gives the id of its ack.
async fn is_unauthorized(link: &mut Link, namespace: &str, code: &str) -> Verdict<u64> {
    let packet = link.next("unauthorized").await?;
    let bad = || Failure::unmet(format_args!("unauthorized with the code {code}"), &packet);
    let prefix = if namespace == "/" { "42".to_owned() } else { format!("42{namespace},") };
    let rest = packet.strip_prefix(&prefix).ok_or_else(bad)?;
    let (id, data) = rest.split_at(rest.find('[').ok_or_else(bad)?);
    let data: Value = serde_json::from_str(data).map_err(|_| bad())?;
    let is_it = data[0] == "unauthorized"
        && data[1]["data"]["code"] == code
        && data[1]["data"]["type"] == "UnauthorizedError"
        && data[1]["message"] == data[1]["inner"]["message"];
    ensure(is_it, format_args!("unauthorized with the code {code}"), &packet)?;
    id.parse().map_err(|_| bad())
}

pub(super) fn cases() -> Area {
    let mut area = Area::new("auth_two_trip", Profile::Auth);
    opening(&mut area);
    refusing(&mut area);
    waiting(&mut area);
    renewing(&mut area);
    ending(&mut area);
    dialect(&mut area);
    area
}

fn opening(area: &mut Area) {
    area.both("AUTH-2RT", "a good token is answered with authenticated", |c, transport| async move {
        let (mut link, _) = c.joined(transport, TWO_TRIP, "").await?;
        link.send(&authenticate(&Token::of("ann").signed())).await?;
        link.is_packet(r#"42/two-trip,["authenticated"]"#).await?;
        is_subject(&whoami(&mut link, TWO_TRIP).await?, "ann")
    });
    area.must("AUTH-2RT", "the token may have a scheme", |c| async move {
        let mut link = pending(&c).await?;
        link.send(&authenticate(&format!("Bearer {}", Token::of("ann").signed()))).await?;
        link.is_packet(r#"42/two-trip,["authenticated"]"#).await
    });
    area.must("AUTH-2RT", "who asks for an ack gets one beside the event", |c| async move {
        let mut link = pending(&c).await?;
        let event = authenticate(&Token::of("ann").signed()).replace("two-trip,", "two-trip,9");
        link.send(&event).await?;
        let (one, two) = (link.next("two packets").await?, link.next("two packets").await?);
        let is_event = |packet: &str| packet == r#"42/two-trip,["authenticated"]"#;
        let is_ack = |packet: &str| packet.starts_with(r#"43/two-trip,9[{"expires_in":"#);
        ensure(
            (is_event(&one) && is_ack(&two)) || (is_event(&two) && is_ack(&one)),
            "authenticated and an ack with expires_in",
            format_args!("{one} and {two}"),
        )
    });
    area.must("AUTH-2RT", "the handshake's token does not count", |c| async move {
        let (mut link, _) = c.joined(Transport::WebSocket, TWO_TRIP, &auth(&Token::of("ann").signed())).await?;
        is_unauthorized(&mut link, TWO_TRIP, "auth_timeout").await?;
        Ok(())
    });
    area.must("AUTH-EITHER", "either way opens a namespace that takes both", |c| async move {
        let (mut link, _) = c.joined(Transport::WebSocket, "/either", &auth(&Token::of("ann").signed())).await?;
        is_subject(&whoami(&mut link, "/either").await?, "ann")?;
        let (mut link, _) = c.joined(Transport::WebSocket, "/either", "").await?;
        let event = authenticate(&Token::of("bob").signed()).replace(TWO_TRIP, "/either");
        link.send(&event).await?;
        link.is_packet(r#"42/either,["authenticated"]"#).await?;
        is_subject(&whoami(&mut link, "/either").await?, "bob")
    });
    area.must("AUTH-EITHER", "a bad token at the handshake is refused there", |c| async move {
        let mut link = c.link(Transport::WebSocket).await?;
        super::auth_handshake::is_refused(&mut link, "/either", &auth("garbage"), "invalid_token").await
    });
}

fn refusing(area: &mut Area) {
    for (what, code, token) in [
        ("that is garbage", "invalid_token", "garbage".to_owned()),
        ("that has expired", "token_expired", Token::of("ann").for_seconds(-10).signed()),
        ("of another audience", "invalid_token", Token::of("ann").with("aud", json!("x")).signed()),
    ] {
        let name = format!("a token {what} is unauthorized, and without an ack the socket is ended in a second");
        area.must("AUTH-2RT AUTH-GRACE", &name, move |c| {
            let token = token.clone();
            async move {
                let mut link = pending(&c).await?;
                let since = Instant::now();
                link.send(&authenticate(&token)).await?;
                is_unauthorized(&mut link, TWO_TRIP, code).await?;
                // The deadline of a second may come first; then the same code is not sent twice.
                link.is("41/two-trip,").await?;
                let took = since.elapsed();
                ensure(took < Duration::from_millis(1700), "the end within a second", format_args!("{took:?}"))?;
                link.is_ended().await
            }
        });
    }
    area.must("AUTH-GRACE", "acknowledging unauthorized ends the socket at once", |c| async move {
        let mut link = pending(&c).await?;
        link.send(&authenticate("garbage")).await?;
        let id = is_unauthorized(&mut link, TWO_TRIP, "invalid_token").await?;
        let since = Instant::now();
        link.send(&format!("43{TWO_TRIP},{id}[]")).await?;
        link.is("41/two-trip,").await?;
        let took = since.elapsed();
        ensure(took < Duration::from_millis(500), "the end at once", format_args!("{took:?}"))?;
        link.is_ended().await
    });
    area.must("AUTH-2RT", "a failure ends its own namespace only", |c| async move {
        let mut link = c.link(Transport::WebSocket).await?;
        link.join("/public", "").await?;
        link.join(TWO_TRIP, "").await?;
        link.send(&authenticate("garbage")).await?;
        let id = is_unauthorized(&mut link, TWO_TRIP, "invalid_token").await?;
        link.send(&format!("43{TWO_TRIP},{id}[]")).await?;
        link.is("41/two-trip,").await?;
        whoami(&mut link, "/public").await?;
        Ok(())
    });
    area.must("AUTH-TRY", "after a failure a good token is still welcome", |c| async move {
        let mut link = pending(&c).await?;
        link.send(&authenticate("garbage")).await?;
        is_unauthorized(&mut link, TWO_TRIP, "invalid_token").await?;
        link.send(&authenticate(&Token::of("ann").signed())).await?;
        link.is_packet(r#"42/two-trip,["authenticated"]"#).await?;
        link.is_silent(Duration::from_millis(1300)).await?;
        is_subject(&whoami(&mut link, TWO_TRIP).await?, "ann")
    });
    area.must("AUTH-REQ", "an authenticate without a token requires one", |c| async move {
        for data in [r#"["authenticate"]"#, r#"["authenticate",{}]"#, r#"["authenticate",{"token":""}]"#, r#"["authenticate",null]"#] {
            let mut link = pending(&c).await?;
            link.send(&format!("42{TWO_TRIP},{data}")).await?;
            is_unauthorized(&mut link, TWO_TRIP, "credentials_required").await?;
        }
        Ok(())
    }).hostile();
    area.must("AUTH-FMT", "a token that is no string has a bad format", |c| async move {
        let mut link = pending(&c).await?;
        link.send(&format!(r#"42{TWO_TRIP},["authenticate",{{"token":{{}}}}]"#)).await?;
        is_unauthorized(&mut link, TWO_TRIP, "credentials_bad_format").await?;
        Ok(())
    }).hostile();
}

fn waiting(area: &mut Area) {
    area.both("AUTH-TIME", "who does not authenticate in a second is unauthorized and ended", |c, transport| async move {
        let since = Instant::now();
        let (mut link, _) = c.joined(transport, TWO_TRIP, "").await?;
        is_unauthorized(&mut link, TWO_TRIP, "auth_timeout").await?;
        let took = since.elapsed();
        ensure(
            (Duration::from_millis(850)..Duration::from_millis(1500)).contains(&took),
            "auth_timeout after a second",
            format_args!("{took:?}"),
        )?;
        link.is("41/two-trip,").await?;
        link.is_ended().await
    });
    area.must("AUTH-WAIT", "events before authentication are not handled", |c| async move {
        let mut link = pending(&c).await?;
        link.send(&format!(r#"42{TWO_TRIP},5["whoami"]"#)).await?;
        link.send(&format!(r#"42{TWO_TRIP},["shout","smuggled"]"#)).await?;
        link.is_silent(Duration::from_millis(150)).await?;
        link.send(&authenticate(&Token::of("ann").signed())).await?;
        link.is_packet(r#"42/two-trip,["authenticated"]"#).await?;
        is_subject(&whoami(&mut link, TWO_TRIP).await?, "ann")
    });
    area.must("AUTH-WAIT", "a waiting socket hears no broadcast, room or private message", |c| async move {
        // In the namespace of the older dialect, so that members of other cases do not hear it either.
        let (mut waiting, sid) = c.joined(Transport::WebSocket, "/legacy", "").await?;
        let (mut member, _) = c.joined(Transport::WebSocket, "/legacy", "").await?;
        let event = json!(["authentication", { "token": Token::of("ann").signed() }]);
        member.send(&format!("42/legacy,{event}")).await?;
        member.is_packet(r#"42/legacy,["authenticated",true]"#).await?;
        member.send(r#"42/legacy,["shout","secret"]"#).await?;
        member.send(&format!(r#"42/legacy,["roomcast","{sid}","secret"]"#)).await?;
        is_heard(&mut member, "secret").await?;
        let packet = waiting.next("unauthorized").await?;
        ensure(packet.contains("authentication timeout"), "the timeout alone", packet)
    });
    area.must("AUTH-WAIT", "an ack before authentication does no harm", |c| async move {
        let mut link = pending(&c).await?;
        link.send(&format!("43{TWO_TRIP},0[]")).await?;
        link.send(&authenticate(&Token::of("ann").signed())).await?;
        link.is_packet(r#"42/two-trip,["authenticated"]"#).await
    });
    area.must("AUTH-WAIT", "what is sent right behind authenticate is handled after it", |c| async move {
        let mut link = pending(&c).await?;
        link.send(&authenticate(&Token::of("ann").signed())).await?;
        link.send(&format!(r#"42{TWO_TRIP},5["whoami"]"#)).await?;
        link.is_packet(r#"42/two-trip,["authenticated"]"#).await?;
        let answer = link.next("the answer to whoami").await?;
        ensure(answer.contains(r#""sub":"ann""#), "ann", answer)
    });
    area.must("AUTH-TIME", "leaving and joining again does not lengthen the time", |c| async move {
        let since = Instant::now();
        let mut link = c.link(Transport::WebSocket).await?;
        link.join("/public", "").await?;
        link.join(TWO_TRIP, "").await?;
        c.wait(600).await;
        link.send(&format!("41{TWO_TRIP},")).await?;
        c.settle().await;
        link.join(TWO_TRIP, "").await?;
        is_unauthorized(&mut link, TWO_TRIP, "auth_timeout").await?;
        let took = since.elapsed();
        ensure(took < Duration::from_millis(1450), "auth_timeout after a second", format_args!("{took:?}"))
    });
}

/// Other cases shout in the same namespace.
async fn is_heard(link: &mut Link, what: &str) -> Verdict {
    loop {
        let packet = link.next("heard").await?;
        ensure(packet.contains("heard"), "heard", &packet)?;
        if packet.contains(what) {
            return Ok(());
        }
    }
}

fn renewing(area: &mut Area) {
    area.must("AUTH-RENEW", "a socket may renew its token in either mode", |c| async move {
        let mut link = c.link(Transport::WebSocket).await?;
        link.join("/", &auth(&Token::of("ann").for_seconds(100).signed())).await?;
        let end = crate::client::token::now() + 900;
        let fresh = Token::of("ann").with("exp", json!(end)).signed();
        link.send(&format!("42{}", json!(["authenticate", { "token": fresh }]))).await?;
        link.is_packet(r#"42["authenticated"]"#).await?;
        let who = whoami(&mut link, "/").await?;
        ensure(who["expires_at"] == end, "the new end", who)
    });
    area.must("AUTH-RENEW", "another's token is a mismatch and the identity stays", |c| async move {
        let mut link = active(&c, &Token::of("ann")).await?;
        link.send(&authenticate(&Token::of("bob").signed())).await?;
        let id = is_unauthorized(&mut link, TWO_TRIP, "identity_mismatch").await?;
        link.send(&format!("43{TWO_TRIP},{id}[]")).await?;
        is_subject(&whoami(&mut link, TWO_TRIP).await?, "ann")
    });
    area.must("AUTH-RENEW", "a bad token at renewal leaves the old one in force", |c| async move {
        let mut link = active(&c, &Token::of("ann")).await?;
        link.send(&authenticate("garbage")).await?;
        is_unauthorized(&mut link, TWO_TRIP, "invalid_token").await?;
        is_subject(&whoami(&mut link, TWO_TRIP).await?, "ann")
    });
    area.must("AUTH-RENEW", "renewals in quick succession are limited", |c| async move {
        let mut link = active(&c, &Token::of("ann")).await?;
        c.wait(1100).await;
        link.send(&authenticate(&Token::of("ann").signed())).await?;
        link.is_packet(r#"42/two-trip,["authenticated"]"#).await?;
        link.send(&authenticate(&Token::of("ann").signed())).await?;
        is_unauthorized(&mut link, TWO_TRIP, "rate_limited").await?;
        is_subject(&whoami(&mut link, TWO_TRIP).await?, "ann")
    });
}

fn ending(area: &mut Area) {
    area.must("AUTH-EXP", "a token that expires ends the connection, announced and without a DISCONNECT", |c| async move {
        let mut link = c.link(Transport::WebSocket).await?;
        link.join("/", &auth(&Token::of("ann").for_seconds(3).signed())).await?;
        let notice = link.next("token_expiring").await?;
        ensure(notice.starts_with(r#"42["token_expiring",{"expires_in":"#), "token_expiring", notice)?;
        is_unauthorized(&mut link, "/", "token_expired").await?;
        link.is_ended().await
    });
    area.must("AUTH-EXP AUTH-RENEW", "a token that is renewed in time does not end the connection", |c| async move {
        let mut link = c.link(Transport::WebSocket).await?;
        link.join("/", &auth(&Token::of("ann").for_seconds(3).signed())).await?;
        link.next("token_expiring").await?;
        let fresh = Token::of("ann").signed();
        link.send(&format!("42{}", json!(["authenticate", { "token": fresh }]))).await?;
        link.is_packet(r#"42["authenticated"]"#).await?;
        link.is_silent(Duration::from_millis(2500)).await?;
        is_subject(&whoami(&mut link, "/").await?, "ann")
    });
    area.must("AUTH-REVOKE", "a revoked subject is ended everywhere and its old tokens are refused", |c| async move {
        let token = Token::of("revoked");
        let mut one = c.link(Transport::WebSocket).await?;
        one.join("/", &auth(&token.signed())).await?;
        let mut two = active(&c, &token).await?;
        let mut other = c.link(Transport::WebSocket).await?;
        other.join("/admin", &auth(&Token::of("kept").signed())).await?;
        let mut public = c.link(Transport::WebSocket).await?;
        public.join("/public", "").await?;
        public.send(r#"42/public,1["revoke","revoked"]"#).await?;
        public.is_packet("43/public,1[]").await?;
        is_unauthorized(&mut one, "/", "token_revoked").await?;
        one.is("41").await?;
        one.is_ended().await?;
        is_unauthorized(&mut two, TWO_TRIP, "token_revoked").await?;
        two.is("41/two-trip,").await?;
        let mut again = c.link(Transport::WebSocket).await?;
        super::auth_handshake::is_refused(&mut again, "/", &auth(&token.signed()), "token_revoked").await?;
        is_subject(&whoami(&mut other, "/admin").await?, "kept")
    });
}

fn dialect(area: &mut Area) {
    area.must("AUTH-LEGACY", "the older dialect is authentication and authenticated with true", |c| async move {
        let (mut link, _) = c.joined(Transport::WebSocket, "/legacy", "").await?;
        let event = json!(["authentication", { "token": Token::of("ann").signed() }]);
        link.send(&format!("42/legacy,{event}")).await?;
        link.is_packet(r#"42/legacy,["authenticated",true]"#).await?;
        is_subject(&whoami(&mut link, "/legacy").await?, "ann")
    });
    area.must("AUTH-LEGACY", "the older dialect's refusal is a message alone", |c| async move {
        let (mut link, _) = c.joined(Transport::WebSocket, "/legacy", "").await?;
        link.send(r#"42/legacy,["authentication",{"token":"garbage"}]"#).await?;
        let packet = link.next("unauthorized").await?;
        let start = packet.find('[').unwrap_or(0);
        let data: Value = packet.get(start..).and_then(|data| serde_json::from_str(data).ok()).unwrap_or_default();
        let members = data[1].as_object().map(serde_json::Map::len);
        ensure(
            data[0] == "unauthorized" && data[1]["message"].is_string() && members == Some(1),
            r#"["unauthorized",{"message":…}]"#,
            packet,
        )
    });
    area.must("AUTH-LEGACY AUTH-TIME", "the older dialect's timeout says so", |c| async move {
        let (mut link, _) = c.joined(Transport::WebSocket, "/legacy", "").await?;
        let packet = link.next("unauthorized").await?;
        ensure(packet.contains("authentication timeout"), "authentication timeout", packet)?;
        link.is("41/legacy,").await
    });
}
