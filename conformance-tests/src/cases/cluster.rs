//! RDS, CLA and RED as clients see them: what is said at one node, and what becomes of it at another. Each case is for each node with
//! each other one, in a namespace of its own, so that cases do not hear each other.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::case::{Area, Case, Profile};
use crate::client::Member;
use crate::context::Context;
use crate::failure::{Verdict, ensure};

/// Events whose order is looked at.
const IN_ORDER: usize = 300;

/// A client at one node, and one at another.
struct Pair {
    a: Member,
    b: Member,
    there: Context,
    nsp: String,
}

impl Pair {
    /// In a namespace that nobody else uses, when each of the two knows that the other has it too.
    async fn meet([here, there]: [Context; 2]) -> Verdict<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let nsp = format!("/dyn-{}{number:05}", std::process::id());
        let auth = json!({"token": "t"});
        let mut a = Member::join(&here, &nsp, &auth, "&q=w").await?;
        let mut b = Member::join(&there, &nsp, &auth, "&q=w").await?;
        for member in [&mut a, &mut b] {
            member.call_until(json!(["count"]), &json!(2)).await?;
        }
        Ok(Self { a, b, there, nsp })
    }

    /// Another client at the node of the second one.
    async fn another(&self) -> Verdict<Member> {
        Member::join(&self.there, &self.nsp, &json!({}), "").await
    }
}

/// A case for each pair of nodes.
#[track_caller]
fn each<'a, F>(
    area: &'a mut Area,
    rules: &'static str,
    name: &str,
    run: impl Fn(Pair) -> F + Clone + Send + Sync + 'static,
) -> &'a mut Case
where
    F: Future<Output = Verdict> + Send + 'static,
{
    let case = area.must(rules, name, move |c: Context| {
        let run = run.clone();
        async move {
            for pair in c.pairs() {
                let place = format!("from {} to {}", pair[0].target(), pair[1].target());
                let ran = async { run(Pair::meet(pair).await?).await };
                ran.await.map_err(|failure| failure.at(place))?;
            }
            Ok(())
        }
    });
    case.without_polling()
}

fn is(came: &Value, expected: &Value) -> Verdict {
    ensure(came == expected, expected, came)
}

/// The member is an error, which has no fixed text.
fn is_error(came: &Value) -> Verdict {
    ensure(came["error"].is_string(), "an error", came)
}

pub(super) fn cases() -> Area {
    let mut area = Area::new("cluster", Profile::Cluster);
    tell(&mut area);
    carry(&mut area);
    ask(&mut area);
    reach(&mut area);
    servers(&mut area);
    area
}

fn tell(area: &mut Area) {
    each(area, "CLA-03 RED-BC-04", "an event reaches everyone, a room, one socket, and nobody who is left out", |pair| async move {
        let Pair { mut a, mut b, .. } = pair;
        b.enter("room#1", &mut a).await?;
        let tell = |target: Value, text: &str| json!(["tell", target, "x", text]);
        a.call(tell(json!({}), "all")).await?;
        a.call(tell(json!({"rooms": ["room#1"]}), "room")).await?;
        a.call(tell(json!({"rooms": [b.sid]}), "one")).await?;
        a.call(tell(json!({"rooms": ["room#1", a.sid]}), "several")).await?;
        a.call(tell(json!({"except": ["room#1"]}), "not in the room")).await?;
        a.call(tell(json!({"rooms": ["nobody"]}), "nobody")).await?;
        a.call(tell(json!({"from": "socket"}), "from a")).await?;
        a.call(tell(json!({}), "last")).await?;
        let heard = b.hear_all("x", 6).await?;
        is(&json!(heard), &json!(["all", "room", "one", "several", "from a", "last"]))?;
        let mut heard = a.hear_all("x", 4).await?;
        // The sender's own clients may wait for the broker, and who is asked for alone does not.
        heard.sort_by(|one, other| one.as_str().cmp(&other.as_str()));
        is(&json!(heard), &json!(["all", "last", "not in the room", "several"]))?;
        a.has_heard_all("x").await?;
        b.has_heard_all("x").await
    });
    each(area, "RED-BC-04", "what is local stays on its node", |pair| async move {
        let Pair { mut a, mut b, .. } = pair;
        a.call(json!(["tell", {"local": true}, "x", "local"])).await?;
        a.call(json!(["tell", {}, "x", "all"])).await?;
        is(&json!(b.hear_all("x", 1).await?), &json!(["all"]))?;
        let mut heard = a.hear_all("x", 2).await?;
        heard.sort_by(|one, other| one.as_str().cmp(&other.as_str()));
        is(&json!(heard), &json!(["all", "local"]))?;
        b.has_heard_all("x").await
    });
    each(area, "RDS-05", "a volatile event reaches clients who can take it", |pair| async move {
        let Pair { mut a, mut b, .. } = pair;
        a.call(json!(["tell", {"volatile": true, "from": "socket"}, "x", 1])).await?;
        is(&json!(b.hear_all("x", 1).await?), &json!([1]))
    });
    each(area, "RDS-01", "300 events come in the order they were said in, to whomever", |pair| async move {
        let Pair { mut a, mut b, .. } = pair;
        b.enter("room#1", &mut a).await?;
        let mut last = 0;
        for number in 0..IN_ORDER {
            let target = match number % 2 {
                0 => json!({"from": "socket"}),
                _ => json!({"rooms": ["room#1"]}),
            };
            last = a.ask(&json!(["tell", target, "n", number])).await?;
        }
        a.answer(last).await?;
        let heard = b.hear_all("n", IN_ORDER).await?;
        is(&json!(heard), &json!((0..IN_ORDER).collect::<Vec<_>>()))
    });
}

fn carry(area: &mut Area) {
    each(area, "RDS-06", "text, numbers and what is nested come as they were", |pair| async move {
        let Pair { mut a, mut b, .. } = pair;
        let args = json!([{"deep": [{"text": "é😀\u{0}"}], "empty": {}}, [0, -1, 1.5, 4_294_967_296_u64, null, true, false, ""]]);
        let mut words = vec![json!("tell"), json!({"from": "socket"}), json!("x")];
        words.extend(args.as_array().cloned().unwrap_or_default());
        a.call(Value::Array(words)).await?;
        is(&Value::Array(b.hear("x").await?.args), &args)
    });
    each(area, "RDS-06", "bytes come as they were", |pair| async move {
        let Pair { mut a, mut b, .. } = pair;
        let placeholder = json!({"_placeholder": true, "num": 0});
        for bytes in [vec![0, 1, 255], vec![7; 70_000], Vec::new()] {
            let said = json!(["tell", {"from": "socket"}, "x", {"deep": [placeholder]}]);
            a.call_with_bytes(&said, &bytes).await?;
            let heard = b.hear("x").await?;
            is(&Value::Array(heard.args), &json!([{"deep": [placeholder]}]))?;
            ensure(heard.attachments == [bytes.clone()], format_args!("{} bytes", bytes.len()), "others")?;
        }
        Ok(())
    });
}

fn ask(area: &mut Area) {
    each(area, "CLA-04 RED-RQ-05", "clients of both nodes acknowledge", |pair| async move {
        let Pair { mut a, mut b, .. } = pair;
        b.enter("room#1", &mut a).await?;
        a.call(json!(["join", "room#1"])).await?;
        let asked = a.ask(&json!(["ask", {"rooms": ["room#1"]}, 5000, "q", 7])).await?;
        for (name, member) in [("a", &mut a), ("b", &mut b)] {
            let heard = member.hear("q").await?;
            is(&json!(heard.args), &json!([7]))?;
            member.reply(&heard, &json!([{"from": name}])).await?;
        }
        let mut told = a.answer(asked).await?;
        is(&told["error"], &Value::Null)?;
        let mut answers = told["answers"].take();
        if let Some(answers) = answers.as_array_mut() {
            answers.sort_by_key(ToString::to_string);
        }
        is(&answers, &json!([{"from": "a"}, {"from": "b"}]))
    });
    each(area, "CLA-04 RED-RQ-05", "who does not acknowledge in time is missing, and the others are there", |pair| async move {
        let Pair { mut a, mut b, .. } = pair;
        let asked = a.ask(&json!(["ask", {}, 400, "q", 8])).await?;
        b.hear("q").await?;
        let heard = a.hear("q").await?;
        a.reply(&heard, &json!(["a"])).await?;
        let told = a.answer(asked).await?;
        is_error(&told)?;
        is(&told["answers"], &json!(["a"]))
    });
}

fn reach(area: &mut Area) {
    each(area, "CLA-07 RED-RQ-03", "the sockets of both nodes are found, with what may be known of them", |pair| async move {
        let Pair { mut a, mut b, .. } = pair;
        b.enter("room#1", &mut a).await?;
        a.call(json!(["join", "room#1"])).await?;
        b.call(json!(["data", {"status": "away", "n": [1.5]}])).await?;
        let mut told = a.call(json!(["fetch", {"rooms": ["room#1"]}])).await?;
        is(&told["error"], &Value::Null)?;
        let Value::Array(mut sockets) = told["sockets"].take() else {
            return ensure(false, "a list of sockets", told);
        };
        let mut ids: Vec<&str> = sockets.iter().filter_map(|socket| socket["id"].as_str()).collect();
        ids.sort_unstable();
        let mut expected = [&*a.sid, &*b.sid];
        expected.sort_unstable();
        is(&json!(ids), &json!(expected))?;
        sockets.retain(|socket| socket["id"] == *b.sid);
        let mut found = sockets.remove(0);
        if let Some(rooms) = found["rooms"].as_array_mut() {
            rooms.sort_by_key(ToString::to_string);
        }
        let mut rooms = [json!(b.sid), json!("room#1")];
        rooms.sort_by_key(ToString::to_string);
        is(&found["rooms"], &json!(rooms))?;
        is(&found["data"], &json!({"status": "away", "n": [1.5]}))?;
        is(&found["auth"], &json!({"token": "t"}))?;
        is(&json!([found["query"], found["issued"]]), &json!(["w", "number"]))?;
        let told = a.call(json!(["fetch", {"except": ["room#1"]}])).await?;
        is(&told, &json!({"error": null, "sockets": []}))
    });
    each(area, "CLA-03 RED-RQ-02", "sockets of the other node are moved", |pair| async move {
        let Pair { mut a, mut b, .. } = pair;
        b.enter("room#1", &mut a).await?;
        let here = a.call(json!(["me"])).await?;
        let me = b.call(json!(["me"])).await?;
        let with = |rooms: Value| {
            let mut me = me.clone();
            me["rooms"] = rooms;
            me
        };
        a.call(json!(["move", "join", {"rooms": ["room#1"]}, ["more", "other"]])).await?;
        b.call_until(json!(["me"]), &with(json!(["more", "other", "room#1"]))).await?;
        a.call(json!(["move", "leave", {"rooms": [b.sid]}, ["more"]])).await?;
        b.call_until(json!(["me"]), &with(json!(["other", "room#1"]))).await?;
        is(&a.call(json!(["me"])).await?, &here)
    });
    each(area, "CLA-03 RED-RQ-02", "sockets of the other node are disconnected, and their connections closed where that is asked", |pair| async move {
        let mut another = pair.another().await?;
        let Pair { mut a, mut b, .. } = pair;
        b.enter("room#1", &mut a).await?;
        a.call(json!(["kick", {"rooms": ["room#1"]}, false])).await?;
        b.is_put_out().await?;
        another.call(json!(["me"])).await?;
        a.call(json!(["kick", {"rooms": [another.sid]}, true])).await?;
        another.is_cut_off().await?;
        a.call(json!(["me"])).await.map(drop)
    });
}

fn servers(area: &mut Area) {
    each(area, "CLA-04 RED-RQ-09", "servers tell each other, and not themselves", |pair| async move {
        let Pair { mut a, mut b, .. } = pair;
        a.call(json!(["serverside", "note", 1, {"two": "three"}])).await?;
        b.call_until(json!(["heard"]), &json!([["note", 1, {"two": "three"}]])).await?;
        is(&a.call(json!(["heard"])).await?, &json!([]))
    });
    each(area, "CLA-07 RED-RQ-09", "servers ask each other", |pair| async move {
        let Pair { mut a, mut b, .. } = pair;
        let there = b.call(json!(["me"])).await?["node"].take();
        let told = a.call(json!(["serverside-ask", "note-ack", "x"])).await?;
        is(&told, &json!({"error": null, "answers": [{"node": there, "args": ["x"]}]}))
    });
    each(area, "CLA-10 RED-CH-03", "each node is counted once", |pair| async move {
        let Pair { mut a, mut b, .. } = pair;
        for member in [&mut a, &mut b] {
            is(&member.call(json!(["count"])).await?, &json!(2))?;
        }
        Ok(())
    });
}
