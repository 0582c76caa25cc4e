//! A handler that pauses, and whoever resumes or leaves meanwhile.

use tokio::net::UnixStream;

use super::{Opened, explore, explore_in_runtime, explore_with, spawn, whole};
use crate::config::Config;
use crate::server::stream::Stream;
use crate::server::stream::form::FrameForm;
use crate::server::transport::polling::{PostContent, Posted, post};
use crate::server::transport::websocket;
use crate::transport::Transport;
use crate::websocket::Decoder;

/// "4pause" and "4hi" as a client masks them, with keys of zeros.
const PAUSE: &[u8] = b"\x81\x86\0\0\0\x004pause";
const HI: &[u8] = b"\x81\x83\0\0\0\x004hi";

/// Runs a WebSocket on which so much was read with the handshake.
fn run(opened: &Opened, stream: Stream, read: Vec<u8>) {
    schedules::block_on(websocket::begin(
        Some(opened.shared().clone()),
        stream,
        None,
        read,
        FrameForm::default(),
        Decoder::new(1_000),
        false,
    ));
}

/// Resumes as soon as the handler is about to pause, or later.
fn resume(opened: &Opened) {
    schedules::block_on(opened.told.is_pausing.notified());
    opened.connection.resume();
}

#[test]
fn a_websocket_whose_handler_is_resumed_while_it_pauses_is_read_on() {
    explore_with(Config::new(), Transport::WebSocket, |opened| {
        let websocket = spawn("websocket", &opened, |opened| {
            let (here, there) = tokio::io::duplex(64);
            drop(there);
            run(
                opened,
                Stream::Foreign(Box::new(here)),
                [PAUSE, HI].concat(),
            );
        });
        let resumer = spawn("resumer", &opened, resume);
        let emitter = spawn("emitter", &opened, Opened::take_turn);
        websocket.join();
        resumer.join();
        emitter.join();
        assert_eq!(opened.told.made(), ["pause", "hi", "close"]);
    });
}

#[test]
fn a_post_whose_handler_is_resumed_while_it_pauses_is_read_on() {
    explore(|opened| {
        let poster = spawn("post", &opened, |opened| {
            schedules::block_on(post(
                opened.shared(),
                whole("4pause\u{1e}4hi"),
                PostContent::Text,
            ))
        });
        let resumer = spawn("resumer", &opened, resume);
        let emitter = spawn("emitter", &opened, Opened::take_turn);
        assert_eq!(poster.join(), Posted::Ok);
        resumer.join();
        emitter.join();
        assert_eq!(opened.told.made(), ["pause", "hi"]);
    });
}

#[test]
fn whoever_leaves_while_nobody_reads_is_missed_and_what_was_not_read_is_not_told() {
    explore_in_runtime(|runtime| {
        let stream = runtime.block_on(async {
            let (here, there) = UnixStream::pair().unwrap();
            drop(there);
            // From here on the runtime does not look, so it is to know already.
            here.readable().await.unwrap();
            here
        });
        let opened = Opened::new(Config::new(), Transport::WebSocket);
        let websocket = spawn("websocket", &opened, |opened| {
            run(opened, Stream::Unix(stream), [PAUSE, HI].concat());
        });
        let emitter = spawn("emitter", &opened, Opened::take_turn);
        websocket.join();
        emitter.join();
        opened.told.check_calls_were_serial();
        assert_eq!(opened.told.made(), ["pause", "close"]);
    });
}
