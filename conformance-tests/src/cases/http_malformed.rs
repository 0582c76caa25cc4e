//! HTTP that no client should send. What counts is that the server refuses it, or ignores it, and lives on.

use std::time::Duration;

use crate::case::{Area, Profile};
use crate::client::http::Response;
use crate::context::Context;
use crate::failure::{Verdict, ensure};

/// Sends bytes on a connection of their own and expects no session: a refusal, or the end of the connection.
async fn is_refused(c: &Context, bytes: &[u8]) -> Verdict {
    let mut wire = c.wire().await?;
    wire.send(bytes).await?;
    match Response::read(&mut wire, "GET").await {
        Ok(response) => ensure(response.status >= 400, "a refusal", response.shown()),
        Err(failure) if failure.kind() == crate::failure::Kind::Unmet => Ok(()),
        Err(failure) => Err(failure),
    }
}

pub(super) fn cases() -> Area {
    let mut area = Area::new("http_malformed", Profile::Engine);
    for (what, rest) in [
        ("a version that is none", "GET {path}?EIO=4&transport=polling HTTP/9.9\r\nHost: x\r\n\r\n"),
        ("a header without a colon", "GET {path}?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n"),
        ("a header name with a space", "GET {path}?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\na b: c\r\n\r\n"),
        ("a NUL in a header", "GET {path}?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nA: \u{0}\r\n\r\n"),
        ("a length that is no number", "POST {path}?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n"),
        ("a negative length", "POST {path}?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"),
        ("two lengths", "POST {path}?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        ("a length beyond 64 bits", "POST {path}?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n"),
        ("a chunk length that is none", "POST {path}?EIO=4&transport=polling&sid=x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        ("no HTTP at all", "\u{1}\u{2}\u{3}\u{4}\r\n\r\n"),
        ("a WebSocket frame as a request", "\u{1}\u{5}4hello\r\n\r\n"),
    ] {
        let name = format!("{what} is refused");
        area.must("EIO4-ERR-01", &name, move |c| async move {
            let bytes = rest.replace("{path}", &c.target().path);
            is_refused(&c, bytes.as_bytes()).await
        }).hostile();
    }
    area.must("EIO4-ERR-01", "too many headers are refused", |c| async move {
        let mut request = format!("GET {}?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n", c.target().path);
        for number in 0..5000 {
            request.push_str(&format!("x-{number}: {number}\r\n"));
        }
        request.push_str("\r\n");
        is_refused(&c, request.as_bytes()).await
    }).hostile();
    area.must("EIO4-ERR-01", "a header of a megabyte is refused", |c| async move {
        let request = format!(
            "GET {}?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nx: {}\r\n\r\n",
            c.target().path,
            "y".repeat(1_000_000)
        );
        is_refused(&c, request.as_bytes()).await
    }).hostile();
    area.must("EIO4-ERR-01", "a target of a megabyte is refused", |c| async move {
        let request = format!(
            "GET {}?EIO=4&transport=polling&x={} HTTP/1.1\r\nHost: x\r\n\r\n",
            c.target().path,
            "y".repeat(1_000_000)
        );
        is_refused(&c, request.as_bytes()).await
    }).hostile();
    area.must("EIO4-POL-10", "connections that end in the middle of a head do no harm", |c| async move {
        let head = format!("GET {}?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n", c.target().path);
        for cut in (0..head.len()).step_by(7) {
            let mut wire = c.wire().await?;
            wire.send(&head.as_bytes()[..cut]).await?;
            if cut % 2 == 0 {
                wire.reset();
            }
        }
        Ok(())
    }).hostile();
    area.must("EIO4-POL-06", "a hundred silent connections do not keep others out", |c| async move {
        let mut held = Vec::new();
        for _ in 0..100 {
            held.push(c.wire().await?);
        }
        let mut session = c.polling().await?;
        session.is_alive().await
    }).hostile();
    area.must("EIO4-POL-06", "slow heads and slow bodies do not hold up others", |c| async move {
        let mut held = Vec::new();
        for _ in 0..50 {
            let mut wire = c.wire().await?;
            wire.send(b"GET /").await?;
            held.push(wire);
        }
        let slow = c.polling().await?;
        let _post = slow.start_post(1000).await?;
        let mut session = c.polling().await?;
        session.is_alive().await
    }).hostile();
    area.must("EIO4-POL-06", "two requests in one write are both answered, in order", |c| async move {
        let session = c.polling().await?;
        session.send("4a").await?;
        let mut wire = c.wire().await?;
        let get = crate::client::http::Request::get(session.query.as_str()).bytes(c.target());
        let unknown = crate::client::http::Request::get("EIO=4&transport=nope").bytes(c.target());
        wire.send(&[get, unknown].concat()).await?;
        Response::read(&mut wire, "GET").await?.is_body("4a")?;
        Response::read(&mut wire, "GET").await?.is_error(0, "Transport unknown")?;
        Ok(())
    });
    area.must("EIO4-POL-02", "a request line that arrives byte by byte is answered", |c| async move {
        let mut wire = c.wire().await?;
        let request = crate::client::http::Request::get("EIO=4&transport=polling").bytes(c.target());
        for byte in request {
            wire.send(&[byte]).await?;
        }
        Response::read(&mut wire, "GET").await?.is_status(200)?;
        Ok(())
    });
    area.must("EIO4-POL-12", "an answer that nobody reads does no harm", |c| async move {
        for _ in 0..10 {
            let session = c.polling().await?;
            session.send(&format!("4{}", "x".repeat(900_000))).await?;
            let wire = c.start(&crate::client::http::Request::get(session.query.as_str())).await?;
            tokio::time::sleep(Duration::from_millis(5)).await;
            wire.reset();
        }
        Ok(())
    }).hostile();
    requests(&mut area);
    area
}

/// A handshake with these lines behind the request line.
fn handshake(c: &Context, lines: &str) -> Vec<u8> {
    format!("GET {}?EIO=4&transport=polling HTTP/1.1\r\n{lines}\r\n", c.target().path).into_bytes()
}

fn requests(area: &mut Area) {
    for (what, lines) in [("no Host", ""), ("two Hosts", "Host: a\r\nHost: b\r\n")] {
        area.should("EIO4-HTTP-01", &format!("a request with {what} is refused"), move |c| async move {
            let mut wire = c.wire().await?;
            wire.send(&handshake(&c, lines)).await?;
            Response::read(&mut wire, "GET").await?.is_status(400)?;
            Ok(())
        });
    }
    area.should("EIO4-HTTP-02", "an upgrade to HTTP/2 is ignored", |c| async move {
        let mut wire = c.wire().await?;
        let lines = "Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n";
        wire.send(&handshake(&c, lines)).await?;
        Response::read(&mut wire, "GET").await?.is_status(200)?;
        Ok(())
    });
    area.should("EIO4-HTTP-03", "an idle connection is kept as long as announced", |c| async move {
        const LONGEST: u64 = 14;
        let mut wire = c.wire().await?;
        let request = handshake(&c, "Host: x\r\nConnection: keep-alive\r\n");
        wire.send(&request).await?;
        let response = Response::read(&mut wire, "GET").await?;
        let announced = response.value("keep-alive").and_then(|value| value.split("timeout=").nth(1)?.parse().ok());
        let idle = announced.unwrap_or(2_u64).saturating_sub(1).min(LONGEST);
        c.wait(idle * 1000).await;
        wire.send(&request).await?;
        Response::read(&mut wire, "GET").await?.is_status(200)?;
        Ok(())
    }).within(25);
    area.should("EIO4-HTTP-04", "a handshake with two keys is refused", |c| async move {
        let mut wire = c.wire().await?;
        let key = format!("Sec-WebSocket-Key: {}\r\n", crate::client::websocket::KEY);
        let lines = format!("Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n{key}{key}");
        let request = handshake(&c, &lines);
        let request = String::from_utf8_lossy(&request).replace("polling", "websocket");
        wire.send(request.as_bytes()).await?;
        let response = Response::read(&mut wire, "GET").await?;
        ensure(response.status >= 400, "a refusal", response.shown())
    }).without_polling();
    area.should("EIO4-HTTP-05", "90 headers are taken", |c| async move {
        let mut wire = c.wire().await?;
        let more: String = (1..90).map(|n| format!("x-{n}: {n}\r\n")).collect();
        wire.send(&handshake(&c, &format!("Host: x\r\n{more}"))).await?;
        Response::read(&mut wire, "GET").await?.is_status(200)?;
        Ok(())
    });
}
