//! EIO4-HS: how sessions open.

use serde_json::json;

use crate::case::{Area, Profile};
use crate::client::websocket::ACCEPT;
use crate::context::Open;
use crate::failure::ensure;

pub(super) fn cases() -> Area {
    let mut area = Area::new("eio4_handshake", Profile::Engine);

    area.both("EIO4-HS-01", "the open packet has its members in their order", |c, transport| async move {
        let open = match transport {
            crate::client::Transport::Polling => c.polling().await?.open,
            crate::client::Transport::WebSocket => c.ws_open("EIO=4&transport=websocket").await?.1,
        };
        let names = ["sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"];
        let places: Vec<Option<usize>> =
            names.iter().map(|name| open.text.find(&format!("\"{name}\":"))).collect();
        ensure(
            places.iter().all(Option::is_some) && places.is_sorted(),
            "sid, upgrades, pingInterval, pingTimeout, maxPayload in this order",
            &open.text,
        )
    });
    area.must("EIO4-HS-01", "the heartbeat's times are advertised in milliseconds", |c| async move {
        let open = c.polling().await?.open;
        open.is("pingInterval", &json!(300))?;
        open.is("pingTimeout", &json!(200))
    });
    area.both("EIO4-HS-02", "the payload limit is advertised", |c, transport| async move {
        let open = match transport {
            crate::client::Transport::Polling => c.polling().await?.open,
            crate::client::Transport::WebSocket => c.ws_open("EIO=4&transport=websocket").await?.1,
        };
        open.is("maxPayload", &json!(1_000_000))
    });
    area.must("EIO4-HS-02", "answers are not split by the payload limit", |c| async move {
        let mut session = c.polling().await?;
        let text = format!("4{}", "x".repeat(700_000));
        session.send(&text).await?;
        session.send(&text).await?;
        session.is_batch(&[&text, &text]).await?;
        session.is_alive().await
    });
    area.must("EIO4-HS-03", "polling sessions may upgrade to WebSocket", |c| async move {
        c.polling().await?.open.is("upgrades", &json!(["websocket"]))
    });
    area.must("EIO4-HS-03", "WebSocket sessions have nothing to upgrade to", |c| async move {
        let (_, open) = c.ws_open("EIO=4&transport=websocket").await?;
        open.is("upgrades", &json!([]))
    }).without_polling();
    area.must("EIO4-HS-01 EIO4-HS-04", "the handshake's answer holds the open packet alone", |c| async move {
        let response = c.get("EIO=4&transport=polling").await?;
        ensure(!response.text().contains('\u{1e}'), "one packet", response.shown())?;
        Open::parse(&response.text())?;
        Ok(())
    });
    area.must("EIO4-HS-01 EIO4-POL-14", "the handshake's answer has the headers of a poll", |c| async move {
        let response = c.get("EIO=4&transport=polling").await?;
        response
            .is_status(200)?
            .is_like_header("Content-Type", "text/plain; charset=UTF-8")?
            .is_header("Cache-Control", "no-store")?
            .is_header("Content-Length", &response.body.len().to_string())?;
        Ok(())
    });
    area.must("EIO4-HS-05", "a WebSocket opens with 101 and at once the open packet", |c| async move {
        let mut ws = c.websocket("EIO=4&transport=websocket").await?;
        ws.response
            .is_status(101)?
            .is_like_header("Connection", "Upgrade")?
            .is_like_header("Upgrade", "websocket")?
            .is_header("Sec-WebSocket-Accept", ACCEPT)?;
        Open::parse(&ws.text("an open packet").await?)?;
        Ok(())
    }).without_polling();
    area.must("EIO4-HS-05 EIO4-WS-08", "no extension and no subprotocol is agreed on unasked", |c| async move {
        let ws = c.websocket("EIO=4&transport=websocket").await?;
        ws.response
            .is_without("Sec-WebSocket-Extensions")?
            .is_without("Sec-WebSocket-Protocol")?;
        Ok(())
    }).without_polling();
    area.must("EIO4-HS-07 EIO4-ERR-01", "a GET with an unknown sid opens no session", |c| async move {
        let query = "EIO=4&transport=polling&sid=abcdefghijklmnopqrst";
        c.get(query).await?.is_error(1, "Session ID unknown")?;
        c.get(query).await?.is_error(1, "Session ID unknown")?;
        Ok(())
    });

    area.on_matrix(0);
    area.must("EIO4-HS-01", "the default heartbeat is 25 and 20 seconds", |c| async move {
        let open = c.polling().await?.open;
        open.is("pingInterval", &json!(25_000))?;
        open.is("pingTimeout", &json!(20_000))
    });
    area.on_matrix(5);
    area.must("EIO4-HS-03", "nothing is offered when only polling is enabled", |c| async move {
        c.polling().await?.open.is("upgrades", &json!([]))
    });
    area.on_matrix(6);
    area.must("EIO4-HS-03 EIO4-ERR-02", "polling is unknown when only WebSocket is enabled", |c| async move {
        c.get("EIO=4&transport=polling").await?.is_error(0, "Transport unknown")?;
        let (_, open) = c.ws_open("EIO=4&transport=websocket").await?;
        open.is("upgrades", &json!([]))
    });
    area
}
