//! EIO4-POL: HTTP long-polling.

use std::time::Duration;

use bytes::Bytes;

use crate::case::{Area, Profile};
use crate::client::http::{Request, Response};
use crate::failure::ensure;

pub(super) fn cases() -> Area {
    let mut area = Area::new("eio4_polling", Profile::Engine);

    area.must("EIO4-POL-01", "a poll is answered at once with everything queued", |c| async move {
        let session = c.polling().await?;
        session.send("4a").await?;
        session.send("4b").await?;
        session.is_batch(&["4a", "4b"]).await
    });
    area.must("EIO4-POL-01 EIO4-POL-06", "a poll with nothing to say is held until there is", |c| async move {
        let session = c.polling().await?;
        let mut poll = session.start_poll().await?;
        poll.wire.is_silent(Duration::from_millis(80)).await?;
        session.send("4a").await?;
        poll.is("4a").await
    });
    area.must("EIO4-POL-01 EIO4-HB-01", "a held poll ends with the ping at the latest", |c| async move {
        let session = c.polling().await?;
        session.start_poll().await?.is("2").await
    });
    area.must("EIO4-POL-02", "a POST is answered ok as text/html", |c| async move {
        let session = c.polling().await?;
        let response = session.post("4a").await?;
        response
            .is_ok()?
            .is_like_header("Content-Type", "text/html")?
            .is_header("Content-Length", "2")?;
        Ok(())
    });
    area.must("EIO4-POL-03 EIO4-HB-06", "a POST that ends the session is still answered ok", |c| async move {
        let session = c.polling().await?;
        session.post("2").await?.is_ok()?;
        session.is_gone().await
    });
    area.must("EIO4-POL-04", "a second poll gets 400, the first gets close, the session ends", |c| async move {
        let session = c.polling().await?;
        let mut first = session.start_poll().await?;
        session.get().await?.is_bare(400)?;
        first.is("1").await?;
        session.is_gone().await
    });
    area.must("EIO4-POL-05", "a second POST gets 400 and the first's connection is destroyed", |c| async move {
        let session = c.polling().await?;
        let mut poll = session.start_poll().await?;
        let mut first = session.start_post(10).await?;
        first.send(b"4hel").await?;
        c.settle().await;
        session.post("4a").await?.is_bare(400)?;
        first.is_closed(Duration::from_secs(2)).await?;
        poll.is("1").await?;
        session.is_gone().await
    });
    area.must("EIO4-POL-06", "a poll and a POST may be under way together", |c| async move {
        let session = c.polling().await?;
        let mut post = session.start_post(6).await?;
        post.send(b"4he").await?;
        let mut poll = session.start_poll().await?;
        post.send(b"llo").await?;
        Response::read(&mut post, "POST").await?.is_taken()?;
        poll.is("4hello").await
    });
    area.must("EIO4-POL-06", "requests of one session may share a connection", |c| async move {
        let session = c.polling().await?;
        let mut wire = c.start(&Request::post(session.query.as_str(), "4a")).await?;
        Response::read(&mut wire, "POST").await?.is_taken()?;
        wire.send(&Request::get(session.query.as_str()).bytes(c.target())).await?;
        Response::read(&mut wire, "GET").await?.is_body("4a")?;
        Ok(())
    });

    area.must("EIO4-POL-07", "a body of exactly the limit is taken", |c| async move {
        let mut session = c.polling().await?;
        // 333,333 characters of three bytes each: the limit counts bytes.
        let text = format!("4{}", "€".repeat(333_333));
        session.send(&text).await?;
        session.is(&text).await
    });
    area.must("EIO4-POL-07", "one byte more is refused and the session stays", |c| async move {
        let mut session = c.polling().await?;
        let body = format!("4{}a", "€".repeat(333_333));
        session.post(body).await?.is_bare(413)?;
        session.is_alive().await
    }).hostile();
    area.must("EIO4-POL-07", "a chunked body beyond the limit is refused, none of it handled, and the session stays", |c| async move {
        let mut session = c.polling().await?;
        let request = Request::post(session.query.as_str(), format!("4first\u{1e}4{}", "x".repeat(1_000_000)))
            .chunked();
        c.request(request).await?.is_bare(413)?;
        session.is_alive().await
    }).hostile();
    area.must("EIO4-POL-08 EIO4-CLS-10", "octet-stream is refused and ends the session", |c| async move {
        let session = c.polling().await?;
        let mut poll = session.start_poll().await?;
        let request = Request::post(session.query.as_str(), vec![4, 1, 2])
            .header("Content-Type", "application/octet-stream");
        c.request(request).await?.is_bare(400)?;
        poll.is("1").await?;
        session.is_gone().await
    }).hostile();
    for kind in ["application/octet-stream; charset=x", "Application/Octet-Stream", "application/json", "x"] {
        let name = format!("a body of type {kind} is read as text");
        area.must("EIO4-POL-08", &name, move |c| async move {
            let mut session = c.polling().await?;
            let request = Request::post(session.query.as_str(), "4a").header("Content-Type", kind);
            c.request(request).await?.is_taken()?;
            session.is("4a").await
        });
    }
    area.must("EIO4-POL-08", "a body without a type is read as text", |c| async move {
        let mut session = c.polling().await?;
        let request = Request::post(session.query.as_str(), "4a").without("Content-Type");
        c.request(request).await?.is_taken()?;
        session.is("4a").await
    });

    for method in ["PUT", "DELETE", "PATCH"] {
        let name = format!("{method} on a session is 500 and does it no harm");
        area.must("EIO4-POL-09", &name, move |c| async move {
            let mut session = c.polling().await?;
            let request = Request::new(method, session.query.as_str()).body("4a");
            c.request(request).await?.is_bare(500)?;
            session.is_alive().await
        });
    }

    area.must("EIO4-POL-10", "dropping a held poll ends the session", |c| async move {
        let session = c.polling().await?;
        drop(session.start_poll().await?);
        c.settle().await;
        session.is_gone().await
    });
    area.must("EIO4-POL-10", "resetting a held poll's connection ends the session", |c| async move {
        let session = c.polling().await?;
        session.start_poll().await?.wire.reset();
        c.settle().await;
        session.is_gone().await
    }).hostile();
    area.must("EIO4-POL-10 EIO4-CLS-10", "dropping a POST in its body ends the session", |c| async move {
        let session = c.polling().await?;
        let mut poll = session.start_poll().await?;
        let mut post = session.start_post(10).await?;
        post.send(b"4he").await?;
        drop(post);
        poll.is("1").await?;
        session.is_gone().await
    }).hostile();

    area.must("EIO4-POL-11", "chunked bodies are taken", |c| async move {
        let mut session = c.polling().await?;
        let request = Request::post(session.query.as_str(), "4hello €uro\u{1e}4second").chunked();
        c.request(request).await?.is_taken()?;
        session.is("4hello €uro").await?;
        session.is("4second").await
    });
    area.must("EIO4-POL-11", "invalid UTF-8 becomes the replacement character", |c| async move {
        let mut session = c.polling().await?;
        session.post(Bytes::from_static(b"4a\xffb")).await?.is_taken()?;
        session.is("4a\u{fffd}b").await
    });
    area.must("EIO4-POL-11 EIO4-PLD-02", "a byte order mark is not skipped", |c| async move {
        let session = c.polling().await?;
        session.post("\u{feff}4a").await?.is_taken()?;
        session.is_gone().await
    });
    area.must("EIO4-POL-12", "after its close a session is unknown to polls, POSTs and upgrades", |c| async move {
        let session = c.polling().await?;
        session.send("1").await?;
        session.is_gone().await?;
        session.post("4a").await?.is_error(1, "Session ID unknown")?;
        c.refused(&session.upgrade_query()).await?.is_upgrade_error("Session ID unknown")?;
        Ok(())
    });
    area.must("EIO4-POL-13 EIO4-CLS-01", "packets after a close are ignored", |c| async move {
        let session = c.polling().await?;
        let mut poll = session.start_poll().await?;
        session.send_all(&["4a", "1", "4b"]).await?;
        // Whether the echo still goes out is the server's own affair: the client has said goodbye.
        let answer = poll.response().await?.text();
        ensure(matches!(answer.as_str(), "4a" | "6"), "4a or a noop", answer)?;
        session.is_gone().await
    });

    area.must("EIO4-POL-14", "polls have their headers", |c| async move {
        let session = c.polling().await?;
        session.send("4a").await?;
        session
            .get()
            .await?
            .is_header("Cache-Control", "no-store")?
            .is_header("Content-Length", "2")?
            .is_like_header("Content-Type", "text/plain; charset=UTF-8")?
            .is_without("X-XSS-Protection")?;
        Ok(())
    });
    area.must("EIO4-POL-14", "POSTs are not to be cached", |c| async move {
        let session = c.polling().await?;
        session.post("4a").await?.is_taken()?.is_header("Cache-Control", "no-store")?;
        Ok(())
    });
    for agent in ["Mozilla/4.0 (compatible;MSIE 9.0)", "Mozilla/5.0 (Windows NT 6.1; Trident/7.0)"] {
        let name = format!("old browsers get X-XSS-Protection: {agent}");
        area.must("EIO4-POL-14", &name, move |c| async move {
            let request = Request::get("EIO=4&transport=polling").header("User-Agent", agent);
            let response = c.request(request).await?;
            ensure(
                response.value("X-XSS-Protection") == Some("0"),
                "X-XSS-Protection: 0",
                response.shown(),
            )
        });
    }
    area
}
