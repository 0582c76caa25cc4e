//! SIO5-CON and SIO5-DIS: joining and leaving namespaces.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::case::{Area, Profile};
use crate::client::websocket::{Frame, TEXT};
use crate::client::{Link, Transport};
use crate::failure::ensure;

pub(super) fn cases() -> Area {
    let mut area = Area::new("sio5_connect", Profile::Matrix);
    joining(&mut area);
    refusing(&mut area);
    waiting(&mut area);
    timing(&mut area);
    leaving(&mut area);
    area.on(Profile::Socket);
    auth(&mut area);
    area
}

fn joining(area: &mut Area) {
    area.both("SIO5-CON-01", "nothing is joined by itself and nothing is said", |c, transport| async move {
        let mut link = c.link(transport).await?;
        link.is_silent(Duration::from_millis(200)).await
    });
    area.both("SIO5-CON-01 SIO5-EVT-02", "an event before CONNECT ends the connection", |c, transport| async move {
        let mut link = c.link(transport).await?;
        link.send(r#"42["message",1]"#).await?;
        link.is_ended().await
    });
    area.must("SIO5-CON-01 SIO5-EVT-02", "joining another namespace does not join the root", |c| async move {
        let (mut link, _) = c.joined(Transport::WebSocket, "/custom", "").await?;
        link.send(r#"42["message",1]"#).await?;
        link.is_ended().await
    });
    area.both("SIO5-CON-03", "a socket's id is 20 characters, not the session's, and one per namespace", |c, transport| async move {
        let mut link = c.link(transport).await?;
        let one = link.join("/", "").await?;
        let two = link.join("/custom", "").await?;
        let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        for sid in [&one, &two] {
            ensure(sid.len() == 20 && sid.bytes().all(is_safe), "20 URL-safe characters", sid)?;
        }
        ensure(one != two, "two ids", &one)?;
        if let Link::Polling(session) = &link {
            ensure(session.sid() != one && session.sid() != two, "an id of its own", &one)?;
        }
        Ok(())
    });
    area.must("SIO5-CON-03", "the reply holds the sid alone", |c| async move {
        let mut link = c.link(Transport::WebSocket).await?;
        let (_, data) = link.join_reply("/", "").await?;
        ensure(data.as_object().is_some_and(|data| data.len() == 1), "sid alone", &data)
    });
    area.must("SIO5-CON-02", "an id in a CONNECT is ignored", |c| async move {
        let mut link = c.link(Transport::WebSocket).await?;
        link.send("405{\"a\":1}").await?;
        crate::client::sid_of(&link.next("a CONNECT reply").await?, "/")?;
        Ok(())
    });
    for (auth, seen) in [("", "{}"), ("{}", "{}"), (r#"{"token":"123","deep":{"a":[1]}}"#, r#"{"token":"123","deep":{"a":[1]}}"#)] {
        let name = format!("the auth payload [{auth}] is seen as {seen}");
        area.must("SIO5-CON-02", &name, move |c| async move {
            let (mut link, _) = c.joined(Transport::WebSocket, "/auth", auth).await?;
            link.is_packet(&format!(r#"42/auth,["auth",{seen}]"#)).await
        });
    }
    area.must("SRV-ORD-03", "the reply precedes what the connection handler emits", |c| async move {
        let (mut link, _) = c.joined(Transport::WebSocket, "/emit-first", "").await?;
        link.is_packet(r#"42/emit-first,["hello",1]"#).await
    });
    area.must("SRV-ORD-03", "so it does on polling", |c| async move {
        let (mut link, _) = c.joined(Transport::Polling, "/emit-first", "").await?;
        link.is_packet(r#"42/emit-first,["hello",1]"#).await
    });
    area.must("SRV-DYN-01 SRV-DYN-02", "a name that matches the pattern is a namespace", |c| async move {
        let mut link = c.link(Transport::WebSocket).await?;
        link.join("/dyn-42", "").await?;
        link.join("/dyn-43", "").await?;
        link.send(r#"42/dyn-42,["message",1]"#).await?;
        link.is_packet(r#"42/dyn-42,["message-back",1]"#).await?;
        link.send("41/dyn-42,").await?;
        c.settle().await;
        link.join("/dyn-42", "").await?;
        Ok(())
    });
    area.must("SRV-DYN-01 SIO5-CON-04", "a name that does not match is an invalid namespace", |c| async move {
        let mut link = c.link(Transport::WebSocket).await?;
        for name in ["/dyn-", "/dyn-x", "/xdyn-1", "/dyn-1x", "/dyn"] {
            link.send(&format!("40{name},")).await?;
            link.is_packet(&format!(r#"44{name},{{"message":"Invalid namespace"}}"#)).await?;
        }
        Ok(())
    });
    area.must("SIO5-CON-01 SRV-ORD-02", "several CONNECTs in one payload are all answered", |c| async move {
        let mut session = c.polling().await?;
        session.send_all(&["40", "40/custom,", "40/auth,"]).await?;
        let mut names: Vec<String> = Vec::new();
        while names.len() < 3 {
            let packet = session.next("a CONNECT reply").await?;
            if packet.starts_with("40") {
                names.push(packet.split('{').next().unwrap_or_default().to_owned());
            }
        }
        names.sort();
        ensure(names == ["40", "40/auth,", "40/custom,"], "three replies", names.join(" "))
    });
    area.both("SIO5-CON-06", "a second CONNECT for a joined namespace ends the connection", |c, transport| async move {
        let mut link = c.socket(transport).await?;
        link.send("40").await?;
        link.is_ended().await?;
        let (mut link, _) = c.joined(transport, "/custom", "").await?;
        link.send("40/custom,").await?;
        link.is_ended().await
    });
    area.both("SIO5-CON-07", "after leaving, a new CONNECT gets a new id", |c, transport| async move {
        let (mut link, first) = c.joined(transport, "/", "").await?;
        link.send("41").await?;
        c.settle().await;
        let second = link.join("/", "").await?;
        ensure(first != second, "another id", second)?;
        link.send(r#"42["message",1]"#).await?;
        link.is_packet(r#"42["message-back",1]"#).await
    });
    area.must("SIO5-CON-07 SIO5-DIS-02", "after being disconnected, a new CONNECT gets a new id", |c| async move {
        let (mut link, first) = c.joined(Transport::WebSocket, "/", "").await?;
        link.send(r#"42["kick"]"#).await?;
        link.is("41").await?;
        let second = link.join("/", "").await?;
        ensure(first != second, "another id", second)
    });
    area.both("SIO5-CON-09", "a CONNECT_ERROR from the client ends the connection", |c, transport| async move {
        for packet in ["44", r#"44{"message":"x"}"#, r#"44"x""#] {
            let mut link = c.socket(transport).await?;
            link.send(packet).await?;
            link.is_ended().await?;
        }
        Ok(())
    });
    area.must("SIO5-CON-01 SIO5-EVT-01", "an event sent in the same write as CONNECT is served or closes, and does no harm", |c| async move {
        let mut ws = c.ws().await?;
        ws.send_together(&[Frame::new(TEXT, "40"), Frame::new(TEXT, r#"42["message",1]"#)]).await?;
        let _ = ws.next_message("anything").await;
        Ok(())
    }).hostile();
    area.must("SIO5-CON-04", "thousands of CONNECTs for unknown namespaces do no harm", |c| async move {
        let mut ws = c.ws().await?;
        let frames: Vec<Frame> = (0..3000).map(|number| Frame::new(TEXT, format!("40/x{number},"))).collect();
        ws.send_together(&frames).await
    }).hostile();
}

fn refusing(area: &mut Area) {
    area.both("SIO5-CON-04", "an unknown namespace is refused and the connection stays", |c, transport| async move {
        let mut link = c.socket(transport).await?;
        link.send("40/nope,").await?;
        link.is_packet(r#"44/nope,{"message":"Invalid namespace"}"#).await?;
        link.send(r#"42["message",1]"#).await?;
        link.is_packet(r#"42["message-back",1]"#).await
    });
    area.both("SIO5-CON-05", "middleware refuses with its message", |c, transport| async move {
        let mut link = c.link(transport).await?;
        link.send("40/no,").await?;
        link.is_packet(r#"44/no,{"message":"denied"}"#).await
    });
    area.must("SIO5-CON-05", "middleware refuses with its data", |c| async move {
        let mut link = c.link(Transport::WebSocket).await?;
        link.send("40/no-data,").await?;
        link.is_packet(r#"44/no-data,{"message":"denied","data":{"code":7,"why":"x"}}"#).await
    });
    area.must("SIO5-CON-05", "a refused namespace may be tried again", |c| async move {
        let mut link = c.socket(Transport::WebSocket).await?;
        for _ in 0..3 {
            link.send("40/no,").await?;
            link.is_packet(r#"44/no,{"message":"denied"}"#).await?;
        }
        link.send(r#"42["message",1]"#).await?;
        link.is_packet(r#"42["message-back",1]"#).await
    });
    area.both("SIO5-EVT-02 SIO5-CON-05", "an event for a namespace that refused ends the connection", |c, transport| async move {
        let mut link = c.socket(transport).await?;
        link.send("40/no,").await?;
        link.is_packet(r#"44/no,{"message":"denied"}"#).await?;
        link.send(r#"42/no,["message",1]"#).await?;
        link.is_ended().await
    });
}

fn waiting(area: &mut Area) {
    area.both("SIO5-CON-10", "an event while middleware still runs ends the connection", |c, transport| async move {
        let mut link = c.link(transport).await?;
        link.send("40/slow,").await?;
        c.settle().await;
        link.send(r#"42/slow,["message",1]"#).await?;
        link.is_ended().await
    });
    area.must("SIO5-CON-10", "after slow middleware events are served", |c| async move {
        let (mut link, _) = c.joined(Transport::WebSocket, "/slow", "").await?;
        link.send(r#"42/slow,["message",1]"#).await?;
        link.is_packet(r#"42/slow,["message-back",1]"#).await
    });
    area.must("SIO5-CON-12", "a connection that ends while middleware runs never becomes a socket", |c| async move {
        let mut watcher = c.socket(Transport::WebSocket).await?;
        watcher.send(r#"421["join","slow-watch"]"#).await?;
        watcher.is_packet("431[]").await?;
        let mark = format!("{:?}", Instant::now());
        let mut gone = c.link(Transport::WebSocket).await?;
        gone.send(&format!("40/slow,{}", json!({ "name": format!("gone {mark}") }))).await?;
        c.settle().await;
        drop(gone);
        // Later than the other one, so that its news would come first.
        let mut stays = c.link(Transport::WebSocket).await?;
        stays.join("/slow", &json!({ "name": format!("stays {mark}") }).to_string()).await?;
        loop {
            let news = watcher.next("news of the second").await?;
            ensure(!news.contains(&format!("gone {mark}")), "no news of the first", &news)?;
            if news.contains(&format!("stays {mark}")) {
                return Ok(());
            }
        }
    });
}

fn timing(area: &mut Area) {
    area.both("SIO5-CON-08", "a connection that joins nothing is closed after the connect timeout", |c, transport| async move {
        let since = Instant::now();
        let mut link = c.link(transport).await?;
        link.is_ended().await?;
        let took = since.elapsed();
        ensure(
            (Duration::from_millis(900)..Duration::from_millis(1600)).contains(&took),
            "the close after 1000 ms",
            format_args!("{took:?}"),
        )
    });
    area.must("SIO5-CON-08", "a refused CONNECT does not count", |c| async move {
        let mut link = c.link(Transport::WebSocket).await?;
        link.send("40/no,").await?;
        link.is_packet(r#"44/no,{"message":"denied"}"#).await?;
        link.send("40/nope,").await?;
        link.is_packet(r#"44/nope,{"message":"Invalid namespace"}"#).await?;
        link.is_ended().await
    });
    area.must("SIO5-CON-08 SIO5-DIS-01", "having joined once is enough for good", |c| async move {
        let mut link = c.socket(Transport::WebSocket).await?;
        link.send("41").await?;
        link.is_silent(Duration::from_millis(1500)).await?;
        link.join("/", "").await?;
        Ok(())
    });
}

fn leaving(area: &mut Area) {
    area.both("SIO5-DIS-01", "leaving is not answered and the connection stays", |c, transport| async move {
        let mut link = c.socket(transport).await?;
        link.send("41").await?;
        link.is_silent(Duration::from_millis(100)).await
    });
    area.must("SIO5-DIS-01 SIO5-PKT-01", "leaving one namespace leaves the others", |c| async move {
        let mut link = c.socket(Transport::WebSocket).await?;
        link.join("/custom", "").await?;
        link.send("41/custom,").await?;
        link.send(r#"42["message",1]"#).await?;
        link.is_packet(r#"42["message-back",1]"#).await
    });
    area.both("SIO5-EVT-02", "an event for a namespace that was left ends the connection", |c, transport| async move {
        let mut link = c.socket(transport).await?;
        link.join("/custom", "").await?;
        link.send("41/custom,").await?;
        c.settle().await;
        link.send(r#"42/custom,["message",1]"#).await?;
        link.is_ended().await
    });
    for packet in [r#"42/custom,["message",1]"#, "41/custom,", "43/custom,0[]", r#"42/nope,["x"]"#] {
        let name = format!("{packet} for a namespace not joined ends the connection");
        area.both("SIO5-EVT-02 SIO5-INV-02", &name, move |c, transport| async move {
            let mut link = c.socket(transport).await?;
            link.send(packet).await?;
            link.is_ended().await
        });
    }
    area.both("SIO5-DIS-02", "being disconnected is one packet and the connection stays", |c, transport| async move {
        let mut link = c.socket(transport).await?;
        link.join("/custom", "").await?;
        link.send(r#"42/custom,["kick"]"#).await?;
        link.is("41/custom,").await?;
        link.send(r#"42["message",1]"#).await?;
        link.is_packet(r#"42["message-back",1]"#).await
    });
    area.both("SIO5-DIS-03", "being closed is a packet per namespace in the order of joining, then the end", |c, transport| async move {
        let mut link = c.link(transport).await?;
        link.join("/custom", "").await?;
        link.join("/", "").await?;
        link.join("/dyn-1", "").await?;
        link.send(r#"42["kick-all"]"#).await?;
        link.is("41/custom,").await?;
        link.is("41").await?;
        link.is("41/dyn-1,").await?;
        link.is_ended().await
    });
    area.must("SIO5-DIS-03 EIO4-CLS-05", "on polling the packets come first and the close with the next poll", |c| async move {
        let Link::Polling(session) = c.socket(Transport::Polling).await? else { return Ok(()) };
        let mut poll = session.start_poll().await?;
        session.send(r#"42["kick-all"]"#).await?;
        poll.is("41").await?;
        session.is_batch(&["6", "1"]).await?;
        session.is_gone().await
    });
}

fn auth(area: &mut Area) {
    for (auth, seen) in [("", "{}"), (r#"{"token":"123"}"#, r#"{"token":"123"}"#)] {
        let name = format!("the connection handler sees the auth payload [{auth}]");
        area.both("SIO5-CON-02 SRV-ORD-03", &name, move |c, transport| async move {
            let mut link = c.link(transport).await?;
            for (namespace, prefix) in [("/", ""), ("/custom", "/custom,")] {
                link.join(namespace, auth).await?;
                link.is_packet(&format!(r#"42{prefix}["auth",{seen}]"#)).await?;
            }
            Ok(())
        });
    }
}
