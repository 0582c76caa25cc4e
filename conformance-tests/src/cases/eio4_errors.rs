//! EIO4-ERR: refusals, their order and their form.

use std::time::Duration;

use crate::case::{Area, Profile};
use crate::client::http::{Request, Response};
use crate::client::websocket::{KEY, WebSocket};
use crate::context::Context;
use crate::failure::{Failure, Verdict, ensure};

const UNKNOWN_SID: &str = "EIO=4&transport=polling&sid=abcdefghijklmnopqrst";

pub(super) fn cases() -> Area {
    let mut area = Area::new("eio4_errors", Profile::Engine);
    forms(&mut area);
    order(&mut area);
    matching(&mut area);
    upgrades(&mut area);
    configured(&mut area);
    area
}

fn forms(area: &mut Area) {
    area.must("EIO4-ERR-01", "refusals are JSON with code and message", |c| async move {
        let response = c.get(UNKNOWN_SID).await?;
        response.is_error(1, "Session ID unknown")?.is_like_header("Content-Type", "application/json")?;
        Ok(())
    });
    area.must("EIO4-ERR-01", "a code is a number, not a string", |c| async move {
        let response = c.get(UNKNOWN_SID).await?;
        ensure(response.text().contains("\"code\":1"), "\"code\":1", response.shown())
    });
    for transport in ["", "transport=", "transport=nope", "transport=webtransport", "transport=__proto__", "transport=constructor"] {
        let name = format!("an unknown transport is code 0: [{transport}]");
        area.must("EIO4-ERR-01 EIO4-ERR-02", &name, move |c| async move {
            c.get(&format!("EIO=4&{transport}")).await?.is_error(0, "Transport unknown")?;
            Ok(())
        });
    }
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let name = format!("a handshake by {method} is code 2");
        area.must("EIO4-ERR-01 EIO4-ERR-02", &name, move |c| async move {
            let request = Request::new(method, "EIO=4&transport=polling").body("4a");
            c.request(request).await?.is_error(2, "Bad handshake method")?;
            Ok(())
        });
    }
    area.must("EIO4-ERR-01", "WebSocket without an upgrade is code 3", |c| async move {
        c.get("EIO=4&transport=websocket").await?.is_error(3, "Bad request")?;
        Ok(())
    });
    area.must("EIO4-ERR-01 EIO3-GEN-01", "protocol 3 is code 5 where it is off", |c| async move {
        c.get("EIO=3&transport=polling").await?.is_error(5, "Unsupported protocol version")?;
        Ok(())
    });
    area.must("EIO4-ERR-01", "HEAD opens no session", |c| async move {
        c.request(Request::new("HEAD", "EIO=4&transport=polling")).await?.is_status(400)?;
        Ok(())
    });
}

fn order(area: &mut Area) {
    area.must("EIO4-ERR-02", "the transport is checked before the session", |c| async move {
        c.get("EIO=4&transport=nope&sid=abcdefghijklmnopqrst").await?.is_error(0, "Transport unknown")?;
        Ok(())
    });
    area.must("EIO4-ERR-02", "the session is checked before the method", |c| async move {
        c.request(Request::new("PUT", UNKNOWN_SID)).await?.is_error(1, "Session ID unknown")?;
        Ok(())
    });
    area.must("EIO4-ERR-02", "the session is checked before the protocol version", |c| async move {
        let query = UNKNOWN_SID.replace("EIO=4", "EIO=3");
        c.get(&query).await?.is_error(1, "Session ID unknown")?;
        Ok(())
    });
    area.must("EIO4-ERR-02", "the method is checked before WebSocket's upgrade", |c| async move {
        c.post("EIO=4&transport=websocket", "").await?.is_error(2, "Bad handshake method")?;
        Ok(())
    });
    area.must("EIO4-ERR-02", "the method is checked before the protocol version", |c| async move {
        c.post("EIO=3&transport=polling", "").await?.is_error(2, "Bad handshake method")?;
        Ok(())
    });
    area.must("EIO4-ERR-02", "WebSocket's upgrade is checked before the protocol version", |c| async move {
        c.get("EIO=3&transport=websocket").await?.is_error(3, "Bad request")?;
        Ok(())
    });
}

fn matching(area: &mut Area) {
    area.must("EIO4-ERR-03", "plain requests must name the session's transport", |c| async move {
        let mut session = c.polling().await?;
        c.get(&session.upgrade_query()).await?.is_error(3, "Bad request")?;
        c.post(&session.upgrade_query(), "4a").await?.is_error(3, "Bad request")?;
        session.is_alive().await
    });
    area.must("EIO4-ERR-03", "polling on a session born on WebSocket is code 3", |c| async move {
        let (mut ws, open) = c.ws_open("EIO=4&transport=websocket").await?;
        let query = format!("EIO=4&transport=polling&sid={}", open.sid);
        c.get(&query).await?.is_error(3, "Bad request")?;
        c.post(&query, "4a").await?.is_error(3, "Bad request")?;
        ws.send("4a").await?;
        ws.is("4a").await
    });
    area.must("EIO4-ERR-04", "plain requests must name the session's protocol", |c| async move {
        let mut session = c.polling().await?;
        let query = session.query.replace("EIO=4", "EIO=3");
        c.get(&query).await?.is_error(3, "Bad request")?;
        c.post(&query, "2:4a").await?.is_error(3, "Bad request")?;
        session.is_alive().await
    });
    area.must("EIO4-ERR-04 EIO4-UPG-01", "upgrades must name the session's protocol", |c| async move {
        let mut session = c.polling().await?;
        let query = session.upgrade_query().replace("EIO=4", "EIO=3");
        c.refused(&query).await?.is_upgrade_error("Bad request")?;
        session.is_alive().await
    });
}

fn upgrades(area: &mut Area) {
    area.must("EIO4-ERR-05", "a refused upgrade is bare text and the connection closes", |c| async move {
        let request = Context::upgrade_request("EIO=4&transport=websocket&sid=abcdefghijklmnopqrst");
        let (response, mut wire) = c.upgrade(request).await?;
        response
            .is_upgrade_error("Session ID unknown")?
            .is_like_header("Connection", "close")?
            .is_like_header("Content-Type", "text/html")?
            .is_header("Content-Length", "18")?;
        wire.is_closed(Duration::from_secs(2)).await
    });
    area.must("EIO4-ERR-05", "an upgrade to an unknown transport is refused", |c| async move {
        c.refused("EIO=4&transport=nope").await?.is_upgrade_error("Transport unknown")?;
        c.refused("EIO=4").await?.is_upgrade_error("Transport unknown")?;
        Ok(())
    }).hostile();
    area.should("EIO4-ERR-07", "an upgrade with protocol 3 is refused before the 101 where it is off", |c| async move {
        c.refused("EIO=3&transport=websocket").await?.is_upgrade_error("Unsupported protocol version")?;
        Ok(())
    });
    area.must("EIO3-GEN-01", "an upgrade with protocol 3 comes to nothing where it is off", |c| async move {
        let (response, wire) = c.upgrade(Context::upgrade_request("EIO=3&transport=websocket")).await?;
        if response.status != 101 {
            return response.is_status(400).map(|_| ());
        }
        let mut wire = wire;
        let rest = wire.take_to_end().await?;
        ensure(rest.starts_with(b"HTTP/1.1 400"), "no session", crate::trace::shown(&rest))
    });
    area.should("EIO4-ERR-08", "an upgrade that says polling is refused or closed at once", |c| async move {
        let (response, wire) = c.upgrade(Context::upgrade_request("EIO=4&transport=polling")).await?;
        if response.status == 101 {
            return WebSocket::new(wire, response).is_closed().await;
        }
        response.is_upgrade_error("Bad request")?;
        Ok(())
    });
    area.must("EIO4-ERR-09", "an upgrade outside the path is not answered as the engine's", |c| async move {
        let mut request = Context::upgrade_request("/elsewhere/?EIO=4&transport=websocket");
        request = request.header("Connection", "Upgrade");
        let mut wire = c.start(&request).await?;
        match Response::read(&mut wire, "GET").await {
            // Servers that have other routes may answer for them.
            Ok(response) => ensure(response.status != 101, "no WebSocket", response.shown()),
            Err(failure) if failure.kind() == crate::failure::Kind::Unmet => Ok(()),
            Err(failure) => Err(failure),
        }
    });
    area.must("EIO4-ERR-10", "an upgrade by POST is refused", |c| async move {
        let request = Request::post("EIO=4&transport=websocket", "")
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", KEY);
        let (response, _) = c.upgrade(request).await?;
        response.is_upgrade_error("Bad handshake method")?;
        Ok(())
    });

    area.should("EIO4-ERR-11", "another WebSocket version is refused and 13 is named", |c| async move {
        for version in ["12", "14", "0", "x", ""] {
            let request = Context::upgrade_request("EIO=4&transport=websocket")
                .header("Sec-WebSocket-Version", version);
            let (response, _) = c.upgrade(request).await?;
            response.is_status(400)?;
            ensure(
                response.value("Sec-WebSocket-Version").is_some_and(|named| named.contains("13")),
                "Sec-WebSocket-Version with 13",
                response.shown(),
            )?;
        }
        Ok(())
    }).hostile();
    for name in ["Sec-WebSocket-Version", "Sec-WebSocket-Key"] {
        let claim = format!("a WebSocket handshake without {name} is refused");
        area.should("EIO4-ERR-11", &claim, move |c| async move {
            let request = Context::upgrade_request("EIO=4&transport=websocket").without(name);
            c.upgrade(request).await?.0.is_status(400)?;
            Ok(())
        }).hostile();
    }
    for key in ["", "abc", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZSBhbmQgbW9yZQ==", "!!!!!!!!!!!!!!!!!!!!!!=="] {
        let claim = format!("a WebSocket key that is not 16 bytes in base64 is refused: [{key}]");
        area.should("EIO4-ERR-11", &claim, move |c| async move {
            let request = Context::upgrade_request("EIO=4&transport=websocket")
                .header("Sec-WebSocket-Key", key);
            c.upgrade(request).await?.0.is_status(400)?;
            Ok(())
        }).hostile();
    }
    area.should("EIO4-ERR-11", "an upgrade to another protocol is refused", |c| async move {
        let request = Context::upgrade_request("EIO=4&transport=websocket").header("Upgrade", "h2c");
        let (response, _) = c.upgrade(request).await?;
        ensure(response.status == 400, "status 400", response.shown())
    }).hostile();
    area.should("EIO4-ERR-11", "the first of the offered subprotocols is chosen", |c| async move {
        let request = Context::upgrade_request("EIO=4&transport=websocket")
            .header("Sec-WebSocket-Protocol", "one, two");
        c.websocket_by(request).await?.response.is_header("Sec-WebSocket-Protocol", "one")?;
        Ok(())
    });
    area.must("EIO4-ERR-11 EIO4-HS-05", "the handshake's tokens may be written in any case and in lists", |c| async move {
        let request = Context::upgrade_request("EIO=4&transport=websocket")
            .header("Connection", "keep-alive, upgrade")
            .header("Upgrade", "WebSocket");
        let mut ws = c.websocket_by(request).await?;
        crate::context::Open::parse(&ws.text("an open packet").await?)?;
        Ok(())
    });
}

fn configured(area: &mut Area) {
    area.on_matrix(2);
    area.must("EIO4-ERR-01 EIO4-ERR-06", "what the admission hook refuses is code 4 with status 403", |c| async move {
        let response = c.get("EIO=4&transport=polling&deny=1").await?;
        refused_with_four(&response)
    });
    area.must("EIO4-ERR-05 EIO4-ERR-06", "an upgrade that the admission hook refuses is 400 and text", |c| async move {
        let response = c.get("EIO=4&transport=polling&deny=1").await?;
        let message = message_of(&response)?;
        c.refused("EIO=4&transport=websocket&deny=1").await?.is_upgrade_error(&message)?;
        Ok(())
    });
    area.must("EIO4-ERR-02", "the method is checked before the admission hook", |c| async move {
        c.post("EIO=4&transport=polling&deny=1", "").await?.is_error(2, "Bad handshake method")?;
        Ok(())
    });
    area.must("EIO4-ERR-02", "WebSocket's upgrade is checked before the admission hook", |c| async move {
        c.get("EIO=4&transport=websocket&deny=1").await?.is_error(3, "Bad request")?;
        Ok(())
    });
    area.must("EIO4-ERR-02", "the admission hook is asked before the protocol version", |c| async move {
        let response = c.get("EIO=3&transport=polling&deny=1").await?;
        refused_with_four(&response)
    });
    area.must("EIO4-ERR-02", "the admission hook is not asked again for a session's later requests", |c| async move {
        let session = c.polling().await?;
        c.post(&format!("{}&deny=1", session.query), "40").await?.is_taken()?;
        Ok(())
    });

    area.on_matrix(5);
    area.must("EIO4-ERR-12", "where WebSocket is off, an upgrade request gets the JSON refusal", |c| async move {
        c.refused("EIO=4&transport=websocket").await?.is_error(0, "Transport unknown")?;
        Ok(())
    });
    area.must("EIO4-ERR-12 EIO4-ERR-02", "where WebSocket is off, it is an unknown transport", |c| async move {
        c.get("EIO=4&transport=websocket").await?.is_error(0, "Transport unknown")?;
        Ok(())
    });
}

fn refused_with_four(response: &Response) -> Verdict {
    response.is_error(4, &message_of(response)?)?;
    Ok(())
}

/// The hook's message is the server's own.
fn message_of(response: &Response) -> Verdict<String> {
    let value: serde_json::Value = serde_json::from_slice(&response.body)
        .map_err(|_| Failure::unmet("a refusal in JSON", response.shown()))?;
    match value.get("message").and_then(serde_json::Value::as_str) {
        Some(message) => Ok(message.to_owned()),
        None => Err(Failure::unmet("a message", response.shown())),
    }
}
