//! SIO4: Socket.IO protocol 4, over Engine.IO 3.

use crate::case::{Area, Profile};
use crate::client::Polling;
use crate::client::websocket::WebSocket;
use crate::context::{Context, Open};
use crate::failure::{Verdict, ensure};

/// A WebSocket whose root was joined by the server.
async fn joined(c: &Context) -> Verdict<(WebSocket, Open)> {
    let (mut ws, open) = c.ws_open("EIO=3&transport=websocket").await?;
    ws.is("40").await?;
    Ok((ws, open))
}

/// The next packet is this one, its JSON compared as JSON.
async fn is_packet(ws: &mut WebSocket, expected: &str) -> Verdict {
    let came = ws.text(expected).await?;
    ensure(
        crate::client::is_same_packet(&came, expected),
        format_args!("packet {expected}"),
        came,
    )
}

pub(super) fn cases() -> Area {
    let mut area = Area::new("sio4", Profile::Matrix);
    area.on_matrix(3);
    connecting(&mut area);
    packets(&mut area);
    area
}

fn connecting(area: &mut Area) {
    area.must("SIO4-CON-01 SIO4-CON-02", "the root is joined at once, without JSON", |c| async move {
        joined(&c).await?;
        Ok(())
    });
    area.must("SIO4-CON-01 EIO3-GEN-03", "on polling it comes with the next poll", |c| async move {
        let session = c.polling3().await?;
        session.get().await?.is_body("2:40")?;
        Ok(())
    });
    area.must("SIO4-CON-02 SIO4-CON-03", "another namespace is joined on request, without JSON", |c| async move {
        let (mut ws, _) = joined(&c).await?;
        ws.send("40/custom,").await?;
        ws.is("40/custom,").await
    });
    area.must("SIO4-CON-03", "the comma may be missing", |c| async move {
        let (mut ws, _) = joined(&c).await?;
        ws.send("40/custom").await?;
        ws.is("40/custom,").await
    });
    area.must("SIO4-CON-03", "the query becomes the auth object and the reply names the path", |c| async move {
        let (mut ws, _) = joined(&c).await?;
        ws.send("40/custom?token=abc&x=1,").await?;
        ws.is("40/custom,").await?;
        is_packet(&mut ws, r#"42/custom,["auth",{"token":"abc","x":"1"}]"#).await
    });
    area.must("SIO4-CON-03", "a JSON payload is ignored", |c| async move {
        let (mut ws, _) = joined(&c).await?;
        ws.send(r#"40/custom?a=b,{"token":"x"}"#).await?;
        ws.is("40/custom,").await?;
        is_packet(&mut ws, r#"42/custom,["auth",{"a":"b"}]"#).await
    });
    area.must("SIO4-CON-04", "the root's socket id is the session's", |c| async move {
        let (mut one, open) = joined(&c).await?;
        let (mut two, _) = joined(&c).await?;
        two.send(format!(r#"42["to","{}","private"]"#, open.sid)).await?;
        is_packet(&mut one, r#"42["room","private"]"#).await
    });
    area.must("SIO4-CON-04", "another namespace's socket id is made of both", |c| async move {
        let (mut one, open) = joined(&c).await?;
        let (mut two, _) = joined(&c).await?;
        for ws in [&mut one, &mut two] {
            ws.send("40/custom,").await?;
            ws.is("40/custom,").await?;
            is_packet(ws, r#"42/custom,["auth",{}]"#).await?;
        }
        two.send(format!(r#"42/custom,["to","/custom#{}","private"]"#, open.sid)).await?;
        is_packet(&mut one, r#"42/custom,["room","private"]"#).await
    });
    area.must("SIO4-CON-05", "a CONNECT for the joined root ends the connection", |c| async move {
        let (mut ws, _) = joined(&c).await?;
        ws.send("40").await?;
        ws.ends().await
    });
    area.must("SIO4-ERR-01", "middleware refuses with its message alone", |c| async move {
        let (mut ws, _) = joined(&c).await?;
        ws.send("40/no,").await?;
        ws.is(r#"44/no,"denied""#).await
    });
    area.should("SIO4-ERR-02", "an unknown namespace is refused with an object", |c| async move {
        let (mut ws, _) = joined(&c).await?;
        ws.send("40/nope,").await?;
        is_packet(&mut ws, r#"44/nope,{"message":"Invalid namespace"}"#).await
    });
    area.should("SIO4-PKT-03", "a name with two slashes is no host", |c| async move {
        let (mut ws, _) = joined(&c).await?;
        ws.send("40//evil/custom,").await?;
        is_packet(&mut ws, r#"44//evil/custom,{"message":"Invalid namespace"}"#).await
    });
    area.must("SIO4-CON-01", "protocol 5 is served beside it", |c| async move {
        let mut link = c.socket(crate::client::Transport::WebSocket).await?;
        link.send(r#"42["message",1]"#).await?;
        link.is_packet(r#"42["message-back",1]"#).await
    });
}

fn packets(area: &mut Area) {
    area.must("SIO4-PKT-02", "events and acks are as in protocol 5", |c| async move {
        let (mut ws, _) = joined(&c).await?;
        ws.send(r#"42["message",1,"x",{"a":[]}]"#).await?;
        is_packet(&mut ws, r#"42["message-back",1,"x",{"a":[]}]"#).await?;
        ws.send(r#"427["message-with-ack",1]"#).await?;
        is_packet(&mut ws, "437[1]").await
    });
    area.must("SIO4-PKT-02", "attachments have the type byte of protocol 3", |c| async move {
        let (mut ws, _) = joined(&c).await?;
        ws.send(r#"451-["message",{"_placeholder":true,"num":0}]"#).await?;
        ws.send_binary(vec![4, 1, 2, 3]).await?;
        is_packet(&mut ws, r#"451-["message-back",{"_placeholder":true,"num":0}]"#).await?;
        ws.is_binary(&[4, 1, 2, 3]).await
    });
    area.must("SIO4-PKT-02", "attachments may come as base64", |c| async move {
        let mut session: Polling = c.polling3().await?;
        session.is("40").await?;
        session.send_all(&[r#"451-["message",{"_placeholder":true,"num":0}]"#, "b4AQID"]).await?;
        session.is(r#"451-["message-back",{"_placeholder":true,"num":0}]"#).await?;
        session.is("b4AQID").await
    });
    area.must("SIO4-PKT-02", "the server's questions are answered", |c| async move {
        let (mut ws, _) = joined(&c).await?;
        ws.send(r#"42["ask",1]"#).await?;
        let asked = ws.text("ask").await?;
        let id: String = asked.chars().skip(2).take_while(char::is_ascii_digit).collect();
        ws.send(format!(r#"43{id}["yes"]"#)).await?;
        is_packet(&mut ws, r#"42["answer","yes"]"#).await
    });
    for packet in [r#"42["connect"]"#, r#"42/nope,["x"]"#, "4x", "47", "4", r#"42{}"#, "44", r#"450-["x"]"#] {
        let name = format!("{packet} ends the connection");
        area.must("SIO4-PKT-01 SIO5-INV-01", &name, move |c| async move {
            let (mut ws, _) = joined(&c).await?;
            ws.send(packet).await?;
            ws.ends().await
        }).hostile();
    }
    area.must("SIO4-PKT-02 EIO3-HB-01", "a ping in between is answered", |c| async move {
        let (mut ws, _) = joined(&c).await?;
        ws.send("2").await?;
        ws.is("3").await?;
        ws.send(r#"42["message",1]"#).await?;
        is_packet(&mut ws, r#"42["message-back",1]"#).await
    });
    area.must("SIO4-PKT-02 SIO5-DIS-02", "the server's disconnect is the packet of protocol 5", |c| async move {
        let (mut ws, _) = joined(&c).await?;
        ws.send("40/custom,").await?;
        ws.is("40/custom,").await?;
        is_packet(&mut ws, r#"42/custom,["auth",{}]"#).await?;
        ws.send(r#"42/custom,["kick"]"#).await?;
        ws.is("41/custom,").await
    });
    area.must("SIO4-PKT-02 SRV-ROOM-01", "a room may hold sockets of both protocols", |c| async move {
        let room = format!("mixed-{}", std::process::id());
        let (mut old, _) = joined(&c).await?;
        let mut new = c.socket(crate::client::Transport::WebSocket).await?;
        old.send(format!(r#"421["join","{room}"]"#)).await?;
        is_packet(&mut old, "431[]").await?;
        new.send(&format!(r#"421["join","{room}"]"#)).await?;
        new.is_packet("431[]").await?;
        new.send(&format!(r#"451-["to","{room}",{{"_placeholder":true,"num":0}}]"#)).await?;
        new.send_binary(&[1, 2]).await?;
        is_packet(&mut old, r#"451-["room",{"_placeholder":true,"num":0}]"#).await?;
        old.is_binary(&[4, 1, 2]).await?;
        old.send(format!(r#"42["to","{room}",7]"#)).await?;
        new.is_packet(r#"42["room",7]"#).await
    });
}
