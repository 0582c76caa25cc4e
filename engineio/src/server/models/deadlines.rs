//! The application's deadline, and who else has the turn when it comes up.

use std::time::Duration;

use super::{Part, explore, side_by_side};

/// A deadline that comes up while another thread does its part.
fn is_told_once_beside(other: Part) {
    explore(move |opened| {
        opened.connection.wake_at(Some(opened.now));
        let timer: Part = ("timer", |opened| opened.ring(Duration::ZERO));
        side_by_side(&opened, [timer, other]);
        opened.ring(Duration::from_secs(1));
        assert_eq!(
            opened.told.count("deadline"),
            1,
            "how often a deadline was told"
        );
    });
}

#[test]
fn a_deadline_is_told_once_beside_a_sender() {
    is_told_once_beside(("sender", |opened| {
        let _ = opened.connection.send_text("a");
    }));
}

#[test]
fn a_deadline_is_told_once_beside_a_reader() {
    is_told_once_beside(("reader", |opened| opened.take_turn()));
}

#[test]
fn a_deadline_is_told_once_beside_an_emitter_that_sends_together() {
    is_told_once_beside(("emitter", |opened| opened.connection.together(|| ())));
}
