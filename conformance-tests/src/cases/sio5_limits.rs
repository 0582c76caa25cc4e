//! SIO5-LIM: what a conforming client may do without meeting a limit, and what it sees of one. Just below the limits that this
//! project's servers have by default, and above them.

use std::collections::HashSet;

use crate::case::{Area, Profile};
use crate::client::websocket::{Frame, TEXT};
use crate::client::{Link, Transport};
use crate::failure::{Failure, Verdict, ensure};

pub(super) fn cases() -> Area {
    let mut area = Area::new("sio5_limits", Profile::Matrix);
    acknowledgements(&mut area);
    namespaces(&mut area);
    names(&mut area);
    past(&mut area);
    area
}

/// The socket still answers.
async fn is_alive(link: &mut Link) -> Verdict {
    link.send(r#"42["message","alive?"]"#).await?;
    link.is_packet(r#"42["message-back","alive?"]"#).await
}

/// Sends packets in one go, as a client does with what was emitted in one tick.
async fn send_together(link: &mut Link, packets: &[String]) -> Verdict {
    match link {
        Link::WebSocket(ws) => {
            let frames: Vec<Frame> = packets
                .iter()
                .map(|packet| Frame::new(TEXT, packet.clone()))
                .collect();
            ws.send_together(&frames).await
        }
        Link::Polling(polling) => {
            let packets: Vec<&str> = packets.iter().map(String::as_str).collect();
            polling.send_all(&packets).await
        }
    }
}

fn acknowledgements(area: &mut Area) {
    area.both("SIO5-LIM-01", "12,000 questions of one tick are all answered", |c, transport| async move {
        const QUESTIONS: usize = 12_000;
        let mut link = c.socket(transport).await?;
        let asked: Vec<String> = (0..QUESTIONS)
            .map(|n| format!(r#"42{n}["message-with-ack"]"#))
            .collect();
        send_together(&mut link, &asked).await?;
        for n in 0..QUESTIONS {
            link.is_packet(&format!("43{n}[]")).await?;
        }
        is_alive(&mut link).await
    });
    area.must("SIO5-LIM-02", "1,000 questions that are left unanswered cost nobody the connection", |c| async move {
        let mut link = c.socket(Transport::WebSocket).await?;
        send_together(&mut link, &vec![r#"42["ask"]"#.to_owned(); 1_000]).await?;
        link.send(r#"427["message-with-ack"]"#).await?;
        let mut questions = 0;
        loop {
            match link.next("a question, or an acknowledgement behind all of them").await? {
                packet if packet == "437[]" => break,
                packet => ensure(packet.ends_with(r#"["ask"]"#), "a question", packet)?,
            }
            questions += 1;
        }
        ensure(questions == 1_000, "1,000 questions", questions)
    }).without_polling();
    area.must("SIO5-LIM-02", "2,000 questions that wait for their answers are all asked", |c| async move {
        const QUESTIONS: usize = 2_000;
        let mut link = c.socket(Transport::WebSocket).await?;
        send_together(&mut link, &vec![r#"42["ask"]"#.to_owned(); QUESTIONS]).await?;
        let (mut asked, mut answered) = (0, 0);
        while answered < QUESTIONS {
            let packet = link.next("a question, or what came of one").await?;
            if packet == r#"42["answer"]"# {
                answered += 1;
                continue;
            }
            asked += 1;
            let id = packet.strip_prefix("42").and_then(|rest| rest.strip_suffix(r#"["ask"]"#));
            let id = id.ok_or_else(|| Failure::unmet("a question", &packet))?;
            link.send(&format!("43{id}[]")).await?;
        }
        ensure(asked == QUESTIONS, "2,000 questions", asked)
    }).without_polling();
}

fn namespaces(area: &mut Area) {
    area.both("SIO5-LIM-03", "60 namespaces that are asked for at once are all joined", |c, transport| async move {
        let answers = ask_for_namespaces(&mut c.socket(transport).await?, 60).await?;
        let refused = answers.iter().find(|answer| !answer.starts_with("40"));
        ensure(refused.is_none(), "60 CONNECTs", format_args!("{refused:?}"))
    });
    area.both("SIO5-LIM-03", "each of 1,000 namespaces is answered, and the connection goes on", |c, transport| async move {
        let mut link = c.socket(transport).await?;
        ask_for_namespaces(&mut link, 1_000).await?;
        is_alive(&mut link).await
    });
}

/// The answers to so many CONNECTs that leave together, each for another namespace.
async fn ask_for_namespaces(link: &mut Link, count: usize) -> Verdict<Vec<String>> {
    let asked: Vec<String> = (0..count).map(|n| format!("40/dyn-{n},")).collect();
    send_together(link, &asked).await?;
    let (mut names, mut answers) = (HashSet::new(), Vec::new());
    while answers.len() < count {
        let answer = link.next("CONNECT or CONNECT_ERROR").await?;
        let is_answer = answer.starts_with("40/dyn-") || answer.starts_with("44/dyn-");
        ensure(is_answer, "CONNECT or CONNECT_ERROR", &answer)?;
        let name = answer.split_once(',').map_or("", |(start, _)| &start[2..]);
        ensure(names.insert(name.to_owned()), "one answer for each", &answer)?;
        answers.push(answer);
    }
    Ok(answers)
}

fn names(area: &mut Area) {
    area.both("SIO5-LIM-04", "an event's name may have 100,000 characters", |c, transport| async move {
        let mut link = c.socket(transport).await?;
        link.send(&format!(r#"42["{}"]"#, "n".repeat(100_000))).await?;
        is_alive(&mut link).await
    });
    for length in [200, 5_000] {
        let name = format!("a namespace of {length} characters is refused in an answer, and the connection goes on");
        area.both("SIO5-LIM-03", &name, move |c, transport| async move {
            let mut link = c.socket(transport).await?;
            let namespace = format!("/{}", "n".repeat(length));
            link.send(&format!("40{namespace},")).await?;
            let answer = link.next("CONNECT_ERROR").await?;
            ensure(answer.starts_with(&format!("44{namespace},")), "CONNECT_ERROR", answer)?;
            is_alive(&mut link).await
        });
    }
}

/// Past a limit a server may refuse, but says so or ends the connection: nobody waits for what does not come. Not deeper: the
/// reference in Node ends as a process when it sends 5,000 levels.
fn past(area: &mut Area) {
    for (what, value) in [("1,000 levels", 1_000), ("1,500 levels", 1_500)] {
        let name = format!("{what} of nesting are answered, or refused in an answer");
        area.both("SIO5-LIM-05", &name, move |c, transport| async move {
            let mut link = c.socket(transport).await?;
            let value = format!("{}{}", "[".repeat(value), "]".repeat(value));
            link.send(&format!(r#"427["message-with-ack",{value}]"#)).await?;
            match link.next("an acknowledgement").await {
                Ok(answer) if answer == format!("437[{value}]") => is_alive(&mut link).await,
                Ok(answer) => {
                    ensure(value.len() > 2_048 && answer.starts_with("437[{"), "an acknowledgement", answer)?;
                    is_alive(&mut link).await
                }
                Err(failure) => Err(failure),
            }
        });
    }
}

