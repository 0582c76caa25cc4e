//! EIO4-CLS: ends of sessions.

use std::time::Duration;

use crate::case::{Area, Profile};
use crate::client::Polling;
use crate::context::Context;
use crate::failure::Verdict;

pub(super) fn cases() -> Area {
    let mut area = Area::new("eio4_close", Profile::Engine);

    area.must("EIO4-CLS-01", "close on polling is answered ok and a held poll with noop", |c| async move {
        let session = c.polling().await?;
        let mut poll = session.start_poll().await?;
        session.post("1").await?.is_ok()?;
        poll.is("6").await?;
        session.is_gone().await
    });
    area.must("EIO4-CLS-01", "close on polling without a held poll ends the session at once", |c| async move {
        let session = c.polling().await?;
        session.post("1").await?.is_taken()?;
        session.is_gone().await
    });
    area.must("EIO4-CLS-02", "close on an upgraded session is ignored", |c| async move {
        let session = c.polling().await?;
        let mut ws = session.upgraded().await?;
        ws.send("1").await?;
        ws.send("4a").await?;
        ws.is("4a").await
    });
    area.must("EIO4-CLS-10", "a fault ends the session at once, with nothing left to poll", |c| async move {
        let session = c.polling().await?;
        session.send("4a").await?;
        session.post("x").await?.is_taken()?;
        session.is_gone().await
    });
    area.must("EIO4-CLS-08 EIO4-HB-05", "a POST under way is destroyed when the server ends the session", |c| async move {
        let session = c.polling().await?;
        let mut post = session.start_post(10).await?;
        post.send(b"4he").await?;
        post.is_closed(Duration::from_secs(2)).await
    });
    area.must("EIO4-CLS-09 EIO4-POL-12", "requests after the end are code 1", |c| async move {
        let session = c.polling().await?;
        session.post("1").await?.is_taken()?;
        session.is_gone().await?;
        session.post("1").await?.is_error(1, "Session ID unknown")?;
        Ok(())
    });
    area.must("EIO4-CLS-01", "sessions that come and go a hundred times leave the server well", |c| async move {
        for _ in 0..50 {
            c.polling().await?.post("1").await?.is_taken()?;
            drop(c.ws().await?);
        }
        Ok(())
    }).hostile();

    // Closes from the application's side need an application: the matrix's `kick-all`.
    area.on_matrix(0);
    area.must("EIO4-CLS-03", "a close by the server answers a held poll with close", |c| async move {
        let session = joined(&c).await?;
        let mut poll = session.start_poll().await?;
        // A bad packet is a fault of Socket.IO's, whose close comes from the application's side.
        session.post("4x").await?.is_taken()?;
        poll.is("1").await?;
        session.is_gone().await
    });
    area.must("EIO4-CLS-04 SIO5-INV-04", "a close by the server waits for the next poll", |c| async move {
        let session = joined(&c).await?;
        session.post("4x").await?.is_taken()?;
        session.is_batch(&["6", "1"]).await?;
        session.is_gone().await
    });
    area.must("EIO4-CLS-05 SIO5-DIS-03", "what was queued comes first, the close with the poll after it", |c| async move {
        let session = joined(&c).await?;
        session.send(r#"42["kick-all"]"#).await?;
        c.settle().await;
        session.is_batch(&["41"]).await?;
        session.is_batch(&["6", "1"]).await?;
        session.is_gone().await
    });
    area.must("EIO4-CLS-06", "while it lingers a session ignores what it receives", |c| async move {
        let session = joined(&c).await?;
        session.post("4x").await?.is_taken()?;
        c.settle().await;
        session.post(r#"42["message",1]"#).await?;
        session.is_batch(&["6", "1"]).await?;
        session.is_gone().await
    });
    area.must("EIO4-CLS-04", "a session that nobody polls is dropped after 30 seconds", |c| async move {
        let session = joined(&c).await?;
        session.post("4x").await?.is_taken()?;
        c.wait(31_500).await;
        session.is_gone().await
    }).within(45);
    area.must("EIO4-WS-05 SIO5-DIS-03", "a close by the application has no status on WebSocket", |c| async move {
        let mut ws = c.ws().await?;
        ws.send("40").await?;
        ws.text("40").await?;
        ws.send(r#"42["kick-all"]"#).await?;
        ws.is("41").await?;
        ws.ends().await
    });
    area.must("EIO4-CLS-04 SIO5-CON-08", "a held poll is answered with close at the connect timeout", |c| async move {
        let session = c.polling().await?;
        let mut poll = session.start_poll().await?;
        poll.is("1").await?;
        session.is_gone().await
    });
    area.must("EIO4-CLS-08 SIO5-CON-08", "a POST under way is destroyed at the connect timeout", |c| async move {
        let session = c.polling().await?;
        let mut post = session.start_post(10).await?;
        post.send(b"42[").await?;
        post.is_closed(Duration::from_secs(3)).await
    });
    area
}

/// A session on polling that has joined `/`.
async fn joined(c: &Context) -> Verdict<Polling> {
    let mut session = c.polling().await?;
    session.send("40").await?;
    session.next("the CONNECT reply").await?;
    Ok(session)
}
