//! The turn, and who waits for it.

use tokio::io::AsyncWriteExt;

use super::{Opened, explore, explore_with, side_by_side, spawn, whole};
use crate::config::Config;
use crate::proto::event::Input;
use crate::server::clock;
use crate::server::stream::Stream;
use crate::server::stream::form::FrameForm;
use crate::server::transport::polling::{PostContent, Posted, post};
use crate::server::transport::websocket;
use crate::transport::Transport;
use crate::websocket::Decoder;

/// "4hi" as a client masks it, with a key of zeros.
const HI: &[u8] = b"\x81\x83\0\0\0\x004hi";

/// The probe and the switch of a client that upgrades.
const SWITCH: &[u8] = b"\x81\x86\0\0\0\x002probe\x81\x81\0\0\0\x005";

/// The WebSocket of a client that upgrades, says "hi" and leaves.
fn switch(opened: &Opened) {
    let (here, mut there) = tokio::io::duplex(64);
    // Nothing comes behind what was read with the handshake, but the client hears what it is told.
    schedules::block_on(there.shutdown()).unwrap();
    schedules::block_on(websocket::begin(
        Some(opened.shared().clone()),
        Stream::Foreign(Box::new(here)),
        None,
        [SWITCH, HI].concat(),
        FrameForm::default(),
        Decoder::new(1_000),
        true,
    ));
}

#[test]
fn a_post_that_finds_the_turn_taken_is_read_when_it_ends() {
    explore(|opened| {
        side_by_side(
            &opened,
            [
                ("post", |opened| {
                    let posting = post(opened.shared(), whole("4hi"), PostContent::Text);
                    assert_eq!(schedules::block_on(posting), Posted::Ok);
                }),
                ("emitter", |opened| opened.take_turn()),
                ("sender", |opened| opened.send("a")),
            ],
        );
        assert_eq!(opened.told.made(), ["hi"]);
    });
}

#[test]
fn a_websocket_that_finds_the_turn_taken_reads_on_when_it_ends() {
    explore_with(Config::new(), Transport::WebSocket, |opened| {
        side_by_side(
            &opened,
            [
                ("websocket", |opened| {
                    let (here, there) = tokio::io::duplex(64);
                    drop(there);
                    schedules::block_on(websocket::begin(
                        Some(opened.shared().clone()),
                        Stream::Foreign(Box::new(here)),
                        None,
                        HI.to_vec(),
                        FrameForm::default(),
                        Decoder::new(1_000),
                        false,
                    ));
                }),
                ("emitter", |opened| opened.take_turn()),
            ],
        );
        assert_eq!(opened.told.made(), ["hi", "close"]);
    });
}

#[test]
fn an_upgrade_that_finds_the_turn_taken_is_told_when_it_ends_and_before_what_follows_it() {
    explore(|opened| {
        opened
            .shared()
            .handle(clock::now(), Input::CandidateAttached);
        let websocket = spawn("websocket", &opened, switch);
        let emitter = spawn("emitter", &opened, |opened| opened.take_turn());
        websocket.join();
        emitter.join();
        assert_eq!(opened.told.made(), ["upgrade", "hi", "close"]);
    });
}

#[test]
fn a_switch_that_finds_a_post_waits_for_it_and_both_are_told_in_order() {
    explore(|opened| {
        opened
            .shared()
            .handle(clock::now(), Input::CandidateAttached);
        let websocket = spawn("websocket", &opened, switch);
        let poster = spawn("post", &opened, |opened| {
            let posting = post(opened.shared(), whole("4first"), PostContent::Text);
            schedules::block_on(posting)
        });
        websocket.join();
        let posted = poster.join();
        let told = opened.told.made();
        let behind = ["upgrade", "hi", "close"];
        match posted {
            Posted::Ok => assert_eq!(told, [&["first"][..], &behind].concat()),
            _ => assert_eq!(told, behind, "{posted:?}"),
        }
    });
}
