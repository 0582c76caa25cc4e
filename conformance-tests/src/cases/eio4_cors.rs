//! EIO4-COR and EIO4-CK: cross-origin requests and the cookie.

use crate::case::{Area, Profile};
use crate::client::http::{Request, Response};
use crate::context::Context;
use crate::failure::{Verdict, ensure};

const ORIGIN: &str = "http://a.example";

fn preflight(query: &str) -> Request {
    Request::new("OPTIONS", query)
        .header("Origin", ORIGIN)
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "x-one,x-two")
}

/// The header is a list that names this, letter case aside.
fn names(response: &Response, header: &str, item: &str) -> Verdict {
    let is_named = response
        .value(header)
        .is_some_and(|list| list.split(',').any(|one| one.trim().eq_ignore_ascii_case(item)));
    ensure(is_named, format_args!("{header} with {item}"), response.shown())
}

pub(super) fn cases() -> Area {
    let mut area = Area::new("eio4_cors", Profile::Engine);
    any_origin(&mut area);
    area.on_matrix(0);
    no_cors(&mut area);
    area.on_matrix(2);
    one_origin(&mut area);
    cookie(&mut area);
    area
}

fn any_origin(area: &mut Area) {
    area.must("EIO4-COR-02 EIO4-COR-04", "a preflight is answered 204 and lets any origin in", |c| async move {
        let response = c.request(preflight("EIO=4&transport=polling")).await?;
        response
            .is_bare(204)?
            .is_header("Access-Control-Allow-Origin", "*")?
            .is_header("Access-Control-Allow-Methods", "GET,HEAD,PUT,PATCH,POST,DELETE")?
            .is_header("Access-Control-Allow-Headers", "x-one,x-two")?;
        // The reference sends a length of 0; RFC 9110 §8.6 wants none with a 204.
        ensure(
            response.value("Content-Length").is_none_or(|length| length == "0"),
            "no Content-Length, or 0",
            response.shown(),
        )?;
        names(&response, "Vary", "Access-Control-Request-Headers")
    });
    area.must("EIO4-COR-02", "a preflight is answered before any other check", |c| async move {
        for query in ["EIO=3&transport=nope", "", "EIO=4&transport=polling&sid=unknown"] {
            c.request(preflight(query)).await?.is_status(204)?;
        }
        Ok(())
    });
    area.must("EIO4-COR-02 EIO4-POL-09", "a preflight for a live session does it no harm", |c| async move {
        let mut session = c.polling().await?;
        c.request(preflight(&session.query)).await?.is_status(204)?;
        session.is_alive().await
    });
    area.must("EIO4-COR-03 EIO4-COR-04", "any origin is allowed without Vary, on handshakes, polls and POSTs", |c| async move {
        let session = c.polling().await?;
        let allowed = |response: Response| {
            response.is_header("Access-Control-Allow-Origin", "*")?.is_without("Vary").map(|_| ())
        };
        allowed(c.get("EIO=4&transport=polling").await?)?;
        allowed(session.post("4a").await?)?;
        allowed(session.get().await?)
    });
    area.must("EIO4-COR-03", "refusals carry the CORS headers too", |c| async move {
        c.get("EIO=4&transport=nope").await?.is_header("Access-Control-Allow-Origin", "*")?;
        Ok(())
    });
    area.must("EIO4-COR-03", "a WebSocket's 101 carries the CORS headers", |c| async move {
        c.websocket("EIO=4&transport=websocket")
            .await?
            .response
            .is_header("Access-Control-Allow-Origin", "*")?;
        Ok(())
    });
    area.must("EIO4-COR-03", "a refused upgrade carries none", |c| async move {
        c.refused("EIO=4&transport=nope").await?.is_without("Access-Control-Allow-Origin")?;
        Ok(())
    });
    area.must("EIO4-COR-05", "an Origin with control characters is refused", |c| async move {
        for origin in ["http://a\u{1}b", "http://a\u{7f}", "\u{8}"] {
            let request = Request::get("EIO=4&transport=polling").header("Origin", origin);
            c.request(request).await?.is_status(400)?;
        }
        Ok(())
    }).hostile();
}

fn no_cors(area: &mut Area) {
    area.must("EIO4-COR-01", "without CORS there are no CORS headers", |c| async move {
        let request = Request::get("EIO=4&transport=polling").header("Origin", ORIGIN);
        c.request(request)
            .await?
            .is_status(200)?
            .is_without("Access-Control-Allow-Origin")?
            .is_without("Vary")?;
        Ok(())
    });
    area.must("EIO4-COR-01", "without CORS a preflight is a bad handshake", |c| async move {
        c.request(preflight("EIO=4&transport=polling")).await?.is_error(2, "Bad handshake method")?;
        Ok(())
    });
    area.must("EIO4-COR-01 EIO4-POL-09", "without CORS a preflight for a session is 500 and does it no harm", |c| async move {
        let mut session = c.polling().await?;
        c.request(preflight(&session.query)).await?.is_bare(500)?;
        session.send("40").await?;
        session.next("40").await?;
        Ok(())
    });
    area.must("EIO4-CK-01", "without the option there is no cookie", |c| async move {
        c.get("EIO=4&transport=polling").await?.is_without("Set-Cookie")?;
        Ok(())
    });
}

fn one_origin(area: &mut Area) {
    area.must("EIO4-COR-02 EIO4-COR-04", "a preflight names the configured origin, methods, headers and credentials", |c| async move {
        let response = c.request(preflight("EIO=4&transport=polling")).await?;
        response
            .is_status(204)?
            .is_header("Access-Control-Allow-Origin", ORIGIN)?
            .is_like_header("Access-Control-Allow-Methods", "GET,POST")?
            .is_like_header("Access-Control-Allow-Headers", "content-type")?
            .is_header("Access-Control-Allow-Credentials", "true")?;
        names(&response, "Vary", "Origin")
    });
    area.must("EIO4-COR-03 EIO4-COR-04", "the configured origin is named on every answer, with Vary", |c| async move {
        for origin in [ORIGIN, "http://b.example"] {
            let request = Request::get("EIO=4&transport=polling").header("Origin", origin);
            let response = c.request(request).await?;
            response
                .is_status(200)?
                .is_header("Access-Control-Allow-Origin", ORIGIN)?
                .is_header("Access-Control-Allow-Credentials", "true")?;
            names(&response, "Vary", "Origin")?;
        }
        Ok(())
    });
    area.must("EIO4-COR-03", "refusals name the origin and its credentials", |c| async move {
        let response = c.get("EIO=4&transport=nope").await?;
        response
            .is_error(0, "Transport unknown")?
            .is_header("Access-Control-Allow-Origin", ORIGIN)?
            .is_header("Access-Control-Allow-Credentials", "true")?;
        names(&response, "Vary", "Origin")
    });
    area.must("EIO4-COR-03", "a WebSocket's 101 names the origin", |c| async move {
        let ws = c.websocket("EIO=4&transport=websocket").await?;
        ws.response.is_header("Access-Control-Allow-Origin", ORIGIN)?;
        names(&ws.response, "Vary", "Origin")
    });
    area.must("EIO4-COR-04", "a disallowed origin is still served, WebSocket included", |c| async move {
        let request = Context::upgrade_request("EIO=4&transport=websocket")
            .header("Origin", "http://evil.example");
        c.websocket_by(request).await?;
        Ok(())
    });
}

fn cookie(area: &mut Area) {
    area.must("EIO4-CK-01", "the handshake's answer sets the session's cookie", |c| async move {
        let response = c.get("EIO=4&transport=polling").await?;
        let session = crate::client::Polling::opened(&c, "EIO=4&transport=polling", &response)?;
        response.is_header(
            "Set-Cookie",
            &format!("io={}; Path=/; HttpOnly; SameSite=Lax", session.sid()),
        )?;
        Ok(())
    });
    area.must("EIO4-CK-02", "later answers set no cookie", |c| async move {
        let session = c.polling().await?;
        session.post("40").await?.is_taken()?.is_without("Set-Cookie")?;
        session.get().await?.is_status(200)?.is_without("Set-Cookie")?;
        Ok(())
    });
    area.must("EIO4-CK-02", "a WebSocket handshake sets no cookie", |c| async move {
        c.websocket("EIO=4&transport=websocket").await?.response.is_without("Set-Cookie")?;
        Ok(())
    });
}
