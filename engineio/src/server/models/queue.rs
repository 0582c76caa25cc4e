//! The queue, and whoever waits for it.

use tokio::io::{AsyncReadExt, duplex};

use super::{Opened, explore, explore_with, side_by_side, spawn};
use crate::config::Config;
use crate::server::session::connection::SendError;
use crate::server::stream::Stream;
use crate::server::stream::form::FrameForm;
use crate::server::transport::polling::{Polled, poll};
use crate::server::transport::websocket;
use crate::transport::Transport;
use crate::websocket::Decoder;

/// The text of an answered poll.
fn polled(opened: &Opened) -> String {
    match schedules::block_on(poll(opened.shared())) {
        Polled::Body(body) => String::from_utf8(body.bytes).unwrap(),
        Polled::Refused => String::from("refused"),
    }
}

fn narrow() -> Config {
    Config::new().high_watermark(1)
}

#[test]
fn a_poll_that_waits_is_answered_by_whoever_sends() {
    explore(|opened| {
        let poller = spawn("poller", &opened, polled);
        let sender = spawn("sender", &opened, |opened| opened.send("a"));
        let emitter = spawn("emitter", &opened, Opened::take_turn);
        assert_eq!(poller.join(), "4a");
        sender.join();
        emitter.join();
    });
}

#[test]
fn what_several_send_answers_polls_once_each() {
    explore(|opened| {
        let poller = spawn("poller", &opened, |opened| {
            let first = polled(opened);
            match first.len() {
                2 => format!("{first}\u{1e}{}", polled(opened)),
                _ => first,
            }
        });
        let senders =
            ["a", "b"].map(|text| spawn("sender", &opened, move |opened| opened.send(text)));
        let heard = poller.join();
        senders.into_iter().for_each(schedules::Thread::join);
        assert!(matches!(&*heard, "4a\u{1e}4b" | "4b\u{1e}4a"), "{heard:?}");
    });
}

#[test]
fn a_poll_that_waits_is_answered_by_a_close() {
    explore(|opened| {
        let poller = spawn("poller", &opened, polled);
        let closer = spawn("closer", &opened, |opened| opened.connection.close());
        // One that comes behind the close is answered as that of a client that waits for a pong or an upgrade.
        let heard = poller.join();
        assert!(matches!(&*heard, "1" | "6\u{1e}1"), "{heard:?}");
        closer.join();
    });
}

#[test]
fn whoever_waits_for_room_goes_on_when_a_poll_takes_the_queue() {
    explore_with(narrow(), Transport::Polling, |opened| {
        opened.send("aa");
        let waiter = spawn("waiter", &opened, |opened| {
            schedules::block_on(opened.connection.ready())
        });
        let poller = spawn("poller", &opened, polled);
        let emitter = spawn("emitter", &opened, Opened::take_turn);
        assert_eq!(waiter.join(), Ok(()));
        assert_eq!(poller.join(), "4aa");
        emitter.join();
    });
}

#[test]
fn whoever_waits_for_room_learns_that_the_session_is_closed() {
    explore_with(narrow(), Transport::Polling, |opened| {
        opened.send("aa");
        let waiter = spawn("waiter", &opened, |opened| {
            schedules::block_on(opened.connection.ready())
        });
        let closer = spawn("closer", &opened, |opened| opened.connection.abort());
        assert_eq!(waiter.join(), Err(SendError::Closed));
        closer.join();
    });
}

#[test]
fn a_queue_that_no_poll_takes_is_told_slow_by_whoever_fills_it() {
    for fill in [(|opened| opened.send("aa")) as fn(&Opened), |opened| {
        opened.connection.together(|| opened.send("aa"));
    }] {
        explore_with(narrow(), Transport::Polling, move |opened| {
            side_by_side(&opened, [("sender", fill), ("emitter", Opened::take_turn)]);
            assert_eq!(opened.told.made(), ["slow"]);
        });
    }
}

#[test]
fn a_queue_that_was_told_slow_is_told_drained_when_a_poll_takes_it() {
    explore_with(narrow(), Transport::Polling, |opened| {
        opened.send("aa");
        side_by_side(
            &opened,
            [
                ("poller", |opened| drop(polled(opened))),
                ("emitter", Opened::take_turn),
                ("other", Opened::take_turn),
            ],
        );
        assert_eq!(opened.told.made(), ["slow", "drained"]);
    });
}

#[test]
fn what_is_sent_leaves_over_a_stream_that_only_its_task_writes_to() {
    explore_with(Config::new(), Transport::WebSocket, |opened| {
        // Less than a frame, so that every write is cut short.
        let (here, mut there) = duplex(4);
        let websocket = spawn("websocket", &opened, move |opened| {
            schedules::block_on(websocket::begin(
                Some(opened.shared().clone()),
                Stream::Foreign(Box::new(here)),
                None,
                Vec::new(),
                FrameForm::default(),
                Decoder::new(1_000),
                false,
            ));
        });
        let client = schedules::spawn("client", move || {
            let mut received = [0; 8];
            schedules::block_on(there.read_exact(&mut received)).unwrap();
            received
        });
        let sender = spawn("sender", &opened, |opened| {
            opened.send("a");
            opened.send("b");
        });
        assert_eq!(client.join(), *b"\x81\x024a\x81\x024b");
        sender.join();
        websocket.join();
    });
}
