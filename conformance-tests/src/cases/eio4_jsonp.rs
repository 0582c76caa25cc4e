//! EIO4-JSP: JSONP polling.

use crate::case::{Area, Profile};
use crate::client::http::{Request, Response};
use crate::context::{Context, Open};
use crate::failure::{Failure, Verdict, ensure};

const HANDSHAKE: &str = "EIO=4&transport=polling";

/// The payload inside `___eio[n]("…");`.
fn unwrapped(response: &Response, callback: &str) -> Verdict<String> {
    let text = response.text();
    let inner = text
        .strip_prefix(&format!("___eio[{callback}]("))
        .and_then(|rest| rest.strip_suffix(");"))
        .and_then(|json| serde_json::from_str::<String>(json).ok());
    inner.ok_or_else(|| Failure::unmet(format_args!("___eio[{callback}](\"…\");"), response.shown()))
}

/// Opens a session with this `j` and gives the query of its later requests.
async fn opened(c: &Context, j: &str, callback: &str) -> Verdict<String> {
    let response = c.get(&format!("{HANDSHAKE}&j={j}")).await?;
    let open = Open::parse(&unwrapped(&response, callback)?)?;
    Ok(format!("{HANDSHAKE}&sid={}", open.sid))
}

/// A form as a browser posts it.
fn form(query: &str, body: &str) -> Request {
    Request::post(query, body.to_owned()).header("Content-Type", "application/x-www-form-urlencoded")
}

pub(super) fn cases() -> Area {
    let mut area = Area::new("eio4_jsonp", Profile::Engine);
    area.must("EIO4-JSP-01 EIO4-QRY-09", "j wraps the handshake's answer in a call", |c| async move {
        opened(&c, "0", "0").await?;
        Ok(())
    });
    area.must("EIO4-JSP-01", "what is no digit is removed from j", |c| async move {
        opened(&c, "abc12x", "12").await?;
        opened(&c, "%3Cscript%3E7", "7").await?;
        Ok(())
    });
    area.must("EIO4-JSP-01 EIO4-QRY-09", "the handshake's j holds for the whole session", |c| async move {
        let query = opened(&c, "5", "5").await?;
        for suffix in ["", "&j=9", "&j=5"] {
            c.request(form(&format!("{query}{suffix}"), "d=4a")).await?.is_taken()?;
            let response = c.get(&format!("{query}{suffix}")).await?;
            let payload = unwrapped(&response, "5")?;
            ensure(payload == "4a", "payload 4a", payload)?;
        }
        Ok(())
    });
    area.must("EIO4-JSP-01 EIO4-QRY-09", "a later j does not make a plain session JSONP", |c| async move {
        let session = c.polling().await?;
        session.send("4a").await?;
        c.get(&format!("{}&j=1", session.query)).await?.is_body("4a")?;
        Ok(())
    });
    area.must("EIO4-JSP-02", "the answer is plain text", |c| async move {
        let response = c.get(&format!("{HANDSHAKE}&j=1")).await?;
        response.is_like_header("Content-Type", "text/plain; charset=UTF-8")?;
        Ok(())
    });
    area.must("EIO4-JSP-02", "line separators are escaped", |c| async move {
        let query = opened(&c, "1", "1").await?;
        c.request(form(&query, "d=4a%E2%80%A8b%E2%80%A9")).await?.is_taken()?;
        let response = c.get(&query).await?;
        let payload = unwrapped(&response, "1")?;
        ensure(payload == "4a\u{2028}b\u{2029}", "both separators", payload)?;
        ensure(!response.text().contains(['\u{2028}', '\u{2029}']), "escapes", response.shown())
    });
    area.must("EIO4-JSP-03", "a body is a form whose field is d", |c| async move {
        let query = opened(&c, "1", "1").await?;
        c.request(form(&query, "x=1&d=4hello+w%C3%B6rld%26&y=2")).await?.is_taken()?;
        let payload = unwrapped(&c.get(&query).await?, "1")?;
        ensure(payload == "4hello wörld&", "packet 4hello wörld&", payload)
    });
    area.must("EIO4-JSP-03", "an escaped newline is a newline and a doubled escape is one", |c| async move {
        let query = opened(&c, "1", "1").await?;
        c.request(form(&query, "d=4he%5Cnllo%5C%5Cn")).await?.is_taken()?;
        let payload = unwrapped(&c.get(&query).await?, "1")?;
        ensure(payload == "4he\nllo\\n", "he<LF>llo and a backslash n", payload)
    });
    area.must("EIO4-JSP-03", "a form without d is answered ok and nothing comes of it", |c| async move {
        let query = opened(&c, "1", "1").await?;
        c.request(form(&query, "x=4a")).await?.is_ok()?;
        c.request(form(&query, "d=4b")).await?.is_ok()?;
        let payload = unwrapped(&c.get(&query).await?, "1")?;
        ensure(payload == "4b", "packet 4b alone", payload)
    });
    area.must("EIO4-JSP-01", "several packets are one string", |c| async move {
        let query = opened(&c, "1", "1").await?;
        c.request(form(&query, "d=4a%1E4b%1EbAQID")).await?.is_taken()?;
        let payload = unwrapped(&c.get(&query).await?, "1")?;
        ensure(payload == "4a\u{1e}4b\u{1e}bAQID", "three packets", payload)
    });
    area
}
