//! EIO4-HB: ping and pong. The fixture pings every 300 ms and waits 200 ms.

use std::time::Duration;

use tokio::time::Instant;

use crate::case::{Area, Profile};
use crate::client::websocket::WebSocket;
use crate::failure::{Verdict, ensure};

const INTERVAL_MILLIS: u64 = 300;
const TIMEOUT_MILLIS: u64 = 200;

/// How late an answer may be on a busy machine.
const LATE_MILLIS: u64 = 120;

/// How early: the server's clock started before ours.
const EARLY_MILLIS: u64 = 40;

/// Fails unless about this many milliseconds have passed.
fn is_about(since: Instant, millis: u64, what: &str) -> Verdict {
    let came = since.elapsed();
    let from = Duration::from_millis(millis.saturating_sub(EARLY_MILLIS));
    let to = Duration::from_millis(millis + LATE_MILLIS);
    ensure(
        (from..=to).contains(&came),
        format_args!("{what} after {millis} ms"),
        format_args!("{came:?}"),
    )
}

/// A session on WebSocket whose pings the case answers itself.
async fn watched(c: &crate::context::Context) -> Verdict<WebSocket> {
    let mut ws = c.ws().await?;
    ws.watch_pings();
    Ok(ws)
}

pub(super) fn cases() -> Area {
    let mut area = Area::new("eio4_heartbeat", Profile::Engine);
    websocket(&mut area);
    for case in &mut area.cases {
        case.is_polling = false;
    }
    polling(&mut area);
    area
}

fn websocket(area: &mut Area) {
    area.must("EIO4-HB-01", "the first ping comes one interval after the opening", |c| async move {
        let mut ws = watched(&c).await?;
        let since = Instant::now();
        ws.is("2").await?;
        is_about(since, INTERVAL_MILLIS, "a ping")
    });
    area.must("EIO4-HB-02", "the next ping comes one interval after the pong", |c| async move {
        let mut ws = watched(&c).await?;
        ws.is("2").await?;
        c.wait(100).await;
        ws.send("3").await?;
        let since = Instant::now();
        ws.is("2").await?;
        is_about(since, INTERVAL_MILLIS, "the next ping")
    });
    area.must("EIO4-HB-02", "a session that answers lives", |c| async move {
        let mut ws = watched(&c).await?;
        for _ in 0..4 {
            ws.is("2").await?;
            ws.send("3").await?;
        }
        ws.send("4a").await?;
        ws.is("4a").await
    });
    area.must("EIO4-HB-03", "an unasked pong restarts the interval", |c| async move {
        let mut ws = watched(&c).await?;
        c.wait(200).await;
        ws.send("3").await?;
        let since = Instant::now();
        ws.is("2").await?;
        is_about(since, INTERVAL_MILLIS, "the ping")
    });
    area.must("EIO4-HB-04", "the first other packet restarts the timeout", |c| async move {
        let mut ws = watched(&c).await?;
        ws.is("2").await?;
        c.wait(120).await;
        ws.send("4a").await?;
        ws.is("4a").await?;
        let since = Instant::now();
        ws.ends().await?;
        is_about(since, TIMEOUT_MILLIS, "the close")
    });
    area.must("EIO4-HB-04", "further packets do not restart it again", |c| async move {
        let mut ws = watched(&c).await?;
        ws.is("2").await?;
        c.wait(60).await;
        ws.send("4a").await?;
        ws.is("4a").await?;
        let since = Instant::now();
        c.wait(100).await;
        ws.send("4b").await?;
        ws.is("4b").await?;
        ws.ends().await?;
        is_about(since, TIMEOUT_MILLIS, "the close")
    });
    area.must("EIO4-HB-04", "a pong after another packet still saves the session", |c| async move {
        let mut ws = watched(&c).await?;
        ws.is("2").await?;
        ws.send("4a").await?;
        ws.is("4a").await?;
        ws.send("3").await?;
        ws.is("2").await
    });
    area.must("EIO4-HB-05", "a ping without a pong ends the session after the timeout", |c| async move {
        let mut ws = watched(&c).await?;
        ws.is("2").await?;
        let since = Instant::now();
        ws.ends().await?;
        is_about(since, TIMEOUT_MILLIS, "the close")
    });
    area.must("EIO4-HB-07", "a pong's payload is not looked at", |c| async move {
        let mut ws = watched(&c).await?;
        ws.is("2").await?;
        ws.send("3abc").await?;
        ws.is("2").await
    });
    area.must("EIO4-HB-03", "a flood of pongs does no harm", |c| async move {
        let mut ws = watched(&c).await?;
        let pong = crate::client::websocket::Frame::new(crate::client::websocket::TEXT, "3");
        ws.send_together(&vec![pong; 5000]).await?;
        ws.send("4a").await?;
        ws.is("4a").await
    }).hostile();
}

fn polling(area: &mut Area) {
    area.both("EIO4-HB-06", "a ping from the client ends the session", |c, transport| async move {
        for packet in ["2", "2probe", "2x"] {
            let mut link = c.link(transport).await?;
            link.send(packet).await?;
            link.is_ended().await?;
        }
        Ok(())
    });
    area.must("EIO4-HB-06 EIO4-CLS-10", "a pending poll hears of it with close", |c| async move {
        let session = c.polling().await?;
        let mut poll = session.start_poll().await?;
        session.post("2").await?.is_taken()?;
        poll.is("1").await?;
        session.is_gone().await
    }).hostile();
    area.must("EIO4-HB-01 EIO4-HB-02", "polling sessions are pinged after each pong", |c| async move {
        let session = c.polling().await?;
        session.start_poll().await?.is("2").await?;
        session.send("3").await?;
        let since = Instant::now();
        session.start_poll().await?.is("2").await?;
        is_about(since, INTERVAL_MILLIS, "the next ping")
    });
    area.must("EIO4-HB-01 EIO4-POL-01", "a ping is queued while nobody polls", |c| async move {
        let session = c.polling().await?;
        c.wait(INTERVAL_MILLIS + 80).await;
        session.is_batch(&["2"]).await
    });
    area.must("EIO4-HB-01 EIO4-HB-05", "the timeout runs although nobody polls", |c| async move {
        let session = c.polling().await?;
        c.wait(INTERVAL_MILLIS + TIMEOUT_MILLIS + 150).await;
        session.is_gone().await
    });
    area.must("EIO4-HB-05", "a pending poll hears of the timeout with close", |c| async move {
        let session = c.polling().await?;
        session.start_poll().await?.is("2").await?;
        let mut poll = session.start_poll().await?;
        poll.is("1").await?;
        session.is_gone().await
    });
    area.must("EIO4-HB-04", "polling alone does not keep a session alive", |c| async move {
        let session = c.polling().await?;
        session.start_poll().await?.is("2").await?;
        let since = Instant::now();
        session.start_poll().await?.is("1").await?;
        is_about(since, TIMEOUT_MILLIS, "the close")
    });
    area.should("EIO4-HB-08", "a ping that is open while the transport changes still has its timeout", |c| async move {
        let session = c.polling().await?;
        session.start_poll().await?.is("2").await?;
        let mut ws = session.upgraded().await?;
        ws.watch_pings();
        ws.ends().await
    });
    area.must("EIO4-HB-02 EIO4-UPG-05", "an upgraded session is pinged on its new transport", |c| async move {
        let session = c.polling().await?;
        session.start_poll().await?.is("2").await?;
        session.send("3").await?;
        let mut ws = session.upgraded().await?;
        ws.watch_pings();
        ws.is("2").await?;
        ws.send("3").await?;
        ws.is("2").await
    });
    area.both("EIO4-HB-02", "a session may be silent for several intervals as long as it answers", |c, transport| async move {
        let mut link = c.link(transport).await?;
        for _ in 0..3 {
            link.is("2").await?;
            link.send("3").await?;
        }
        link.send("4a").await?;
        link.is("4a").await
    });
}
