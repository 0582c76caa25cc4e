//! SRV-ROOM, SRV-BACK and SRV-VOL: rooms and broadcasts.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::case::{Area, Profile};
use crate::client::{Link, Transport};
use crate::context::Context;
use crate::failure::{Failure, Verdict, ensure};

/// A room that no other case uses.
fn room() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("room-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Sends a packet that asks for an ack with the id 1 and waits for it.
async fn done(link: &mut Link, packet: &str) -> Verdict {
    link.send(packet).await?;
    link.is_packet("431[]").await
}

async fn member(c: &Context, transport: Transport, room: &str) -> Verdict<Link> {
    let mut link = c.socket(transport).await?;
    done(&mut link, &format!(r#"421["join","{room}"]"#)).await?;
    Ok(link)
}

pub(super) fn cases() -> Area {
    let mut area = Area::new("srv_room", Profile::Matrix);
    area.both("SRV-ROOM-01", "a room's members hear what is said to it, the sender does not", |c, transport| async move {
        let room = room();
        let mut one = member(&c, transport, &room).await?;
        let mut two = member(&c, transport, &room).await?;
        let mut outside = c.socket(transport).await?;
        one.send(&format!(r#"42["to","{room}",1,"x"]"#)).await?;
        two.is_packet(r#"42["room",1,"x"]"#).await?;
        for link in [&mut one, &mut outside] {
            link.send(r#"42["message",1]"#).await?;
            link.is_packet(r#"42["message-back",1]"#).await?;
        }
        Ok(())
    });
    area.must("SRV-ROOM-01", "one may speak to a room without being in it", |c| async move {
        let room = room();
        let mut one = member(&c, Transport::WebSocket, &room).await?;
        let mut outside = c.socket(Transport::WebSocket).await?;
        outside.send(&format!(r#"42["to","{room}",7]"#)).await?;
        one.is_packet(r#"42["room",7]"#).await
    });
    area.must("SRV-ROOM-01", "a socket is in the room of its own id", |c| async move {
        let (mut one, sid) = c.joined(Transport::WebSocket, "/", "").await?;
        let mut two = c.socket(Transport::WebSocket).await?;
        two.send(&format!(r#"42["to","{sid}","private"]"#)).await?;
        one.is_packet(r#"42["room","private"]"#).await
    });
    area.must("SRV-ROOM-01", "joining twice is joining once", |c| async move {
        let room = room();
        let mut one = member(&c, Transport::WebSocket, &room).await?;
        done(&mut one, &format!(r#"421["join","{room}"]"#)).await?;
        let mut two = c.socket(Transport::WebSocket).await?;
        two.send(&format!(r#"42["to","{room}",1]"#)).await?;
        one.is_packet(r#"42["room",1]"#).await?;
        one.send(r#"42["message",1]"#).await?;
        one.is_packet(r#"42["message-back",1]"#).await
    });
    area.must("SRV-ROOM-01", "an unknown room matches nobody", |c| async move {
        let mut one = c.socket(Transport::WebSocket).await?;
        one.send(&format!(r#"42["to","{}",1]"#, room())).await?;
        one.send(r#"42["message",1]"#).await?;
        one.is_packet(r#"42["message-back",1]"#).await
    });
    area.must("SRV-ROOM-01 SIO5-DIS-06", "who leaves the namespace leaves its rooms", |c| async move {
        let room = room();
        let mut one = member(&c, Transport::WebSocket, &room).await?;
        one.send("41").await?;
        c.settle().await;
        one.join("/", "").await?;
        let mut two = c.socket(Transport::WebSocket).await?;
        two.send(&format!(r#"42["to","{room}",1]"#)).await?;
        c.settle().await;
        one.send(r#"42["message",1]"#).await?;
        one.is_packet(r#"42["message-back",1]"#).await
    });
    area.must("SRV-ROOM-02", "rooms of the same name in two namespaces are apart", |c| async move {
        let room = room();
        let mut one = member(&c, Transport::WebSocket, &room).await?;
        let (mut two, _) = c.joined(Transport::WebSocket, "/custom", "").await?;
        two.send(&format!(r#"42/custom,["to","{room}",1]"#)).await?;
        two.send(r#"42/custom,["message",1]"#).await?;
        two.is_packet(r#"42/custom,["message-back",1]"#).await?;
        one.send(r#"42["message",1]"#).await?;
        one.is_packet(r#"42["message-back",1]"#).await
    });
    area.must("SRV-ROOM-02", "a broadcast to a namespace stays in it", |c| async move {
        // A dynamic namespace of its own, so that no other case hears the broadcast.
        let name = format!("/dyn-{}", 900_000 + std::process::id());
        let (mut one, _) = c.joined(Transport::WebSocket, &name, "").await?;
        let (mut two, _) = c.joined(Transport::WebSocket, &name, "").await?;
        let (mut other, _) = c.joined(Transport::WebSocket, "/emit-first", "").await?;
        other.is_packet(r#"42/emit-first,["hello",1]"#).await?;
        one.send(&format!(r#"42{name},["all","x",1]"#)).await?;
        one.is_packet(&format!(r#"42{name},["all","x",1]"#)).await?;
        two.is_packet(&format!(r#"42{name},["all","x",1]"#)).await?;
        other.is_silent(Duration::from_millis(60)).await
    });
    area.must("SRV-ROOM-01 SIO5-BIN-01", "binary goes to a room", |c| async move {
        let room = room();
        let mut one = member(&c, Transport::WebSocket, &room).await?;
        let mut polling = member(&c, Transport::Polling, &room).await?;
        let mut two = c.socket(Transport::WebSocket).await?;
        two.send(&format!(r#"451-["to","{room}",{{"_placeholder":true,"num":0}}]"#)).await?;
        two.send_binary(&[1, 2, 3]).await?;
        for link in [&mut one, &mut polling] {
            link.is_packet(r#"451-["room",{"_placeholder":true,"num":0}]"#).await?;
            link.is_binary(&[1, 2, 3]).await?;
        }
        Ok(())
    });
    area.must("SRV-ROOM-01", "a connection that ends is forgotten by its rooms", |c| async move {
        let room = room();
        drop(member(&c, Transport::WebSocket, &room).await?);
        let mut two = member(&c, Transport::WebSocket, &room).await?;
        let mut three = c.socket(Transport::WebSocket).await?;
        three.send(&format!(r#"42["to","{room}",1]"#)).await?;
        two.is_packet(r#"42["room",1]"#).await
    });

    volatile(&mut area);
    surveys(&mut area);

    area.on(Profile::Socket);
    area.must("SRV-ROOM-01", "a room may be left", |c| async move {
        let room = room();
        let mut one = greeted(&c).await?;
        let mut two = greeted(&c).await?;
        // Enough that a server of several shards has some on each.
        let mut others = Vec::new();
        for _ in 0..10 {
            others.push(greeted(&c).await?);
        }
        for link in [&mut one, &mut two].into_iter().chain(&mut others) {
            done(link, &format!(r#"421["join","{room}"]"#)).await?;
        }
        one.send(&format!(r#"42["roomcast","{room}","hi"]"#)).await?;
        for link in &mut others {
            link.is_packet(r#"42["broadcast","hi"]"#).await?;
        }
        one.is_packet(r#"42["broadcast","hi"]"#).await?;
        two.is_packet(r#"42["broadcast","hi"]"#).await?;
        done(&mut two, &format!(r#"421["leave","{room}"]"#)).await?;
        one.send(&format!(r#"42["roomcast","{room}","again"]"#)).await?;
        one.is_packet(r#"42["broadcast","again"]"#).await?;
        two.send(r#"42["message",1]"#).await?;
        two.is_packet(r#"42["message-back",1]"#).await
    });
    area.must("SRV-ROOM-01 SIO5-BIN-01", "binary is broadcast to the members of a room", |c| async move {
        let room = room();
        let mut one = greeted(&c).await?;
        let mut two = greeted(&c).await?;
        done(&mut two, &format!(r#"421["join","{room}"]"#)).await?;
        one.send(&format!(r#"451-["roomcast","{room}",{{"b":{{"_placeholder":true,"num":0}}}}]"#)).await?;
        one.send_binary(&[1, 2]).await?;
        two.is_packet(r#"451-["broadcast",{"b":{"_placeholder":true,"num":0}}]"#).await?;
        two.is_binary(&[1, 2]).await
    });
    area
}

async fn greeted(c: &Context) -> Verdict<Link> {
    let mut link = c.socket(Transport::WebSocket).await?;
    link.is_packet(r#"42["auth",{}]"#).await?;
    Ok(link)
}

fn volatile(area: &mut Area) {
    area.must("SRV-VOL-01", "with a poll held, the first volatile packet is sent and the others are dropped", |c| async move {
        let Link::Polling(mut session) = c.socket(Transport::Polling).await? else { return Ok(()) };
        let mut poll = session.start_poll().await?;
        session.send(r#"42["volatile",3]"#).await?;
        poll.is(r#"42["v",0]"#).await?;
        session.send(r#"42["message",1]"#).await?;
        session.is(r#"42["message-back",1]"#).await
    });
    area.must("SRV-VOL-01", "with no poll held, volatile packets are dropped", |c| async move {
        let Link::Polling(mut session) = c.socket(Transport::Polling).await? else { return Ok(()) };
        session.send(r#"42["volatile",3]"#).await?;
        session.send(r#"42["message",1]"#).await?;
        session.is(r#"42["message-back",1]"#).await
    });
    area.must("SRV-VOL-02", "the first of a burst of volatile packets arrives, and what is not volatile", |c| async move {
        let mut link = c.socket(Transport::WebSocket).await?;
        link.send(r#"42["volatile",3]"#).await?;
        link.send(r#"42["message",1]"#).await?;
        link.is_packet(r#"42["v",0]"#).await?;
        let mut allowed = [r#"42["v",1]"#, r#"42["v",2]"#].iter();
        loop {
            let came = link.next("the rest of the burst").await?;
            if came == r#"42["message-back",1]"# {
                return Ok(());
            }
            ensure(allowed.any(|packet| *packet == came), "a later packet of the burst", came)?;
        }
    });
    area.must("SRV-VOL-01", "on an idle WebSocket a volatile packet is sent", |c| async move {
        let mut link = c.socket(Transport::WebSocket).await?;
        link.send(r#"42["volatile",1]"#).await?;
        link.is_packet(r#"42["v",0]"#).await
    });
}

/// The id of `42<id>["q",7]`.
async fn asked(link: &mut Link) -> Verdict<String> {
    let packet = link.next("q").await?;
    let id = packet.strip_prefix("42").and_then(|rest| rest.strip_suffix(r#"["q",7]"#));
    id.map(str::to_owned)
        .filter(|id| id.parse::<u64>().is_ok())
        .ok_or_else(|| Failure::unmet(r#"42<id>["q",7]"#, packet))
}

fn surveys(area: &mut Area) {
    area.must("SRV-BACK-01", "a room's answers are collected in the order of arrival", |c| async move {
        let room = room();
        let mut one = member(&c, Transport::WebSocket, &room).await?;
        let mut two = member(&c, Transport::WebSocket, &room).await?;
        let mut asker = c.socket(Transport::WebSocket).await?;
        asker.send(&format!(r#"42["survey","{room}",7]"#)).await?;
        let (id, same) = (asked(&mut one).await?, asked(&mut two).await?);
        ensure(id == same, "one id for all", format_args!("{id} and {same}"))?;
        two.send(&format!(r#"43{id}["second","x"]"#)).await?;
        two.send(r#"42["message",1]"#).await?;
        two.is_packet(r#"42["message-back",1]"#).await?;
        one.send(&format!(r#"43{id}["first"]"#)).await?;
        asker.is_packet(r#"42["answers",["second","first"],false]"#).await
    });
    area.must("SRV-BACK-02", "at the timeout there are the answers so far, and late ones are dropped", |c| async move {
        let room = room();
        let mut one = member(&c, Transport::WebSocket, &room).await?;
        let mut two = member(&c, Transport::WebSocket, &room).await?;
        let mut asker = c.socket(Transport::WebSocket).await?;
        asker.send(&format!(r#"42["survey","{room}",7]"#)).await?;
        let id = asked(&mut one).await?;
        asked(&mut two).await?;
        one.send(&format!(r#"43{id}["in time"]"#)).await?;
        asker.is_packet(r#"42["answers",["in time"],true]"#).await?;
        two.send(&format!(r#"43{id}["late"]"#)).await?;
        two.send(r#"42["message",1]"#).await?;
        two.is_packet(r#"42["message-back",1]"#).await?;
        asker.send(r#"42["message",1]"#).await?;
        asker.is_packet(r#"42["message-back",1]"#).await
    });
    area.must("SRV-BACK-02", "with nobody to ask there is an empty answer at once", |c| async move {
        let mut asker = c.socket(Transport::WebSocket).await?;
        asker.send(&format!(r#"42["survey","{}",7]"#, room())).await?;
        asker.is_packet(r#"42["answers",[],false]"#).await
    });
    area.must("SRV-BC-01", "a room's sockets are disconnected together and their connections stay", |c| async move {
        let room = room();
        let mut one = member(&c, Transport::WebSocket, &room).await?;
        let mut two = member(&c, Transport::Polling, &room).await?;
        let mut other = c.socket(Transport::WebSocket).await?;
        other.send(&format!(r#"42["kick-room","{room}"]"#)).await?;
        for link in [&mut one, &mut two] {
            link.is("41").await?;
            link.join("/", "").await?;
        }
        other.send(r#"42["message",1]"#).await?;
        other.is_packet(r#"42["message-back",1]"#).await
    });
}
