//! EIO4-QRY: the endpoint and its query string.

use crate::case::{Area, Profile};
use crate::client::http::Request;
use crate::client::{Link, Polling, Transport};
use crate::failure::ensure;

const UNSUPPORTED: &str = "Unsupported protocol version";

pub(super) fn cases() -> Area {
    let mut area = Area::new("eio4_query", Profile::Engine);

    area.must("EIO4-QRY-01", "a longer path below the server's is the server's", |c| async move {
        let target = format!("{}foo/bar?EIO=4&transport=polling", c.target().path);
        let response = c.request(Request::get(target)).await?;
        Polling::opened(&c, "EIO=4&transport=polling", &response)?.is_alive().await
    });
    area.must("EIO4-QRY-01", "the path without its slash is not the server's", |c| async move {
        let path = c.target().path.trim_end_matches('/').to_owned();
        let response = c.request(Request::get(format!("{path}?EIO=4&transport=polling"))).await?;
        ensure(response.status != 200, "no session", response.shown())
    });
    area.must("EIO4-QRY-01", "a name that only begins like the path is not the server's", |c| async move {
        let path = c.target().path.trim_end_matches('/').to_owned();
        let response = c.request(Request::get(format!("{path}X/?EIO=4&transport=polling"))).await?;
        ensure(response.status != 200, "no session", response.shown())
    });

    area.must("EIO4-QRY-03", "values are percent-decoded", |c| async move {
        Polling::open(&c, "EIO=%34&transport=%70olling").await?;
        Ok(())
    });
    area.must("EIO4-QRY-03", "names are percent-decoded", |c| async move {
        Polling::open(&c, "%45IO=4&tr%61nsport=polling").await?;
        Ok(())
    });
    area.must("EIO4-QRY-03", "the sid is percent-decoded", |c| async move {
        let session = c.polling().await?;
        let encoded: String = session.sid().bytes().map(|byte| format!("%{byte:02X}")).collect();
        let query = session.query.replace(session.sid(), &encoded);
        c.post(&query, "4a").await?.is_taken()?;
        Ok(())
    });
    area.must("EIO4-QRY-03", "names of parameters are case-sensitive", |c| async move {
        c.get("eio=4&transport=polling").await?.is_error(5, UNSUPPORTED)?;
        c.get("EIO=4&Transport=polling").await?.is_error(0, "Transport unknown")?;
        Ok(())
    });
    area.must("EIO4-QRY-03", "values of parameters are case-sensitive", |c| async move {
        c.get("EIO=4&transport=Polling").await?.is_error(0, "Transport unknown")?;
        c.get("EIO=4&transport=POLLING").await?.is_error(0, "Transport unknown")?;
        Ok(())
    });
    area.must("EIO4-QRY-03", "unknown parameters are ignored", |c| async move {
        let query = "a=b&EIO=4&__proto__=x&transport=polling&c&=d&%=%zz";
        Polling::open(&c, query).await?.is_alive().await
    });

    area.must("EIO4-QRY-04", "the last EIO wins", |c| async move {
        let response = c.get("EIO=3&EIO=4&transport=polling").await?;
        Polling::opened(&c, "EIO=4&transport=polling", &response)?.is_alive().await?;
        c.get("EIO=4&EIO=3&transport=polling").await?.is_error(5, UNSUPPORTED)?;
        Ok(())
    });
    area.must("EIO4-QRY-04", "the last transport wins", |c| async move {
        Polling::open(&c, "EIO=4&transport=nope&transport=polling").await?;
        c.get("EIO=4&transport=polling&transport=nope").await?.is_error(0, "Transport unknown")?;
        Ok(())
    });
    area.must("EIO4-QRY-04 EIO4-QRY-06", "an empty last sid is no sid", |c| async move {
        Polling::open(&c, "EIO=4&transport=polling&sid=a&sid=").await?;
        c.get("EIO=4&transport=polling&sid=&sid=a").await?.is_error(1, "Session ID unknown")?;
        Ok(())
    });

    for eio in ["", "EIO=", "EIO=04", "EIO=4.0", "EIO=5", "EIO=%204", "EIO=4%20", "EIO=four", "EIO=-4", "EIO=3"] {
        let name = format!("only exactly 4 is protocol 4, not [{eio}]");
        area.must("EIO4-QRY-05 EIO3-GEN-01", &name, move |c| async move {
            let query = format!("{eio}&transport=polling");
            c.get(query.trim_start_matches('&')).await?.is_error(5, UNSUPPORTED)?;
            Ok(())
        });
    }

    area.must("EIO4-QRY-06", "an empty sid asks for a new session", |c| async move {
        Polling::open(&c, "EIO=4&transport=polling&sid=").await?;
        Ok(())
    });
    area.must("EIO4-QRY-07", "t is ignored, on the handshake and later", |c| async move {
        let mut session = Polling::open(&c, "EIO=4&transport=polling&t=abc").await?;
        session.query.push_str("&t=abc");
        session.is_alive().await?;
        session.is_alive().await
    });

    area.must("EIO4-QRY-08 EIO4-WS-01", "b64 turns binary frames into base64 text on WebSocket", |c| async move {
        let (mut ws, _) = c.ws_open("EIO=4&transport=websocket&b64=1").await?;
        ws.send_binary(vec![1, 2, 3]).await?;
        ws.is("bAQID").await
    });
    area.must("EIO4-QRY-08", "b64 with the value 0 still counts", |c| async move {
        let (mut ws, _) = c.ws_open("EIO=4&transport=websocket&b64=0").await?;
        ws.send_binary(vec![1, 2, 3]).await?;
        ws.is("bAQID").await
    });
    area.must("EIO4-QRY-08", "b64 without a value does not count", |c| async move {
        let (mut ws, _) = c.ws_open("EIO=4&transport=websocket&b64=").await?;
        ws.send_binary(vec![1, 2, 3]).await?;
        ws.is_binary(&[1, 2, 3]).await
    });
    area.must("EIO4-QRY-08", "b64 changes nothing on polling", |c| async move {
        let mut session = Polling::open(&c, "EIO=4&transport=polling&b64=1").await?;
        session.send_all(&["bAQID", "4x"]).await?;
        session.is("bAQID").await?;
        session.is("4x").await
    });

    area.must("EIO4-QRY-09", "j changes nothing on WebSocket", |c| async move {
        let (mut ws, _) = c.ws_open("EIO=4&transport=websocket&j=1").await?;
        ws.send("4a").await?;
        ws.is("4a").await
    });

    area.both("EIO4-QRY-10", "a session id is 20 characters of the URL-safe alphabet", |c, transport| async move {
        let sid = match transport {
            Transport::Polling => c.polling().await?.open.sid,
            Transport::WebSocket => c.ws_open("EIO=4&transport=websocket").await?.1.sid,
        };
        let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        ensure(
            sid.len() == 20 && sid.bytes().all(is_safe),
            "20 characters of A-Z a-z 0-9 - _",
            &sid,
        )
    });
    area.must("EIO4-QRY-10", "session ids do not repeat and are not a simple sequence", |c| async move {
        let mut seen: Vec<String> = Vec::new();
        for _ in 0..8 {
            let sid = c.polling().await?.open.sid;
            let is_close = |other: &String| {
                sid.bytes().zip(other.bytes()).filter(|(one, two)| one != two).count() < 8
            };
            ensure(!seen.iter().any(is_close), "ids that differ in most places", &sid)?;
            seen.push(sid);
        }
        Ok(())
    });
    for sid in ["__proto__", "constructor", "toString", "../../etc", "%00", "AAAAAAAAAAAAAAAAAAAA", "%F0%9F%98%80"] {
        let name = format!("the server accepts no id that it did not issue: {sid}");
        area.must("EIO4-QRY-10 EIO4-HS-07 EIO4-ERR-01", &name, move |c| async move {
            let query = format!("EIO=4&transport=polling&sid={sid}");
            c.get(&query).await?.is_error(1, "Session ID unknown")?;
            c.post(&query, "4a").await?.is_error(1, "Session ID unknown")?;
            Ok(())
        });
    }
    area.must("EIO4-QRY-10", "a very long session id is unknown", |c| async move {
        let query = format!("EIO=4&transport=polling&sid={}", "x".repeat(4000));
        c.get(&query).await?.is_error(1, "Session ID unknown")?;
        Ok(())
    });
    area.must("EIO4-QRY-10", "a session's id in another letter case is unknown", |c| async move {
        let mut session = c.polling().await?;
        let flipped: String = session
            .sid()
            .chars()
            .map(|letter| if letter.is_lowercase() { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() })
            .collect();
        let query = session.query.replace(session.sid(), &flipped);
        c.get(&query).await?.is_error(1, "Session ID unknown")?;
        session.is_alive().await
    });
    area.both("EIO4-PKT-01", "a session's first message comes back", |c, transport| async move {
        let mut link: Link = c.link(transport).await?;
        link.send("4hello").await?;
        link.is("4hello").await
    });
    area
}
