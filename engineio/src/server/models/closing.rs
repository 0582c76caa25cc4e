//! The end of a session, which more than one may bring about.

use super::{explore, side_by_side};

#[test]
fn a_close_is_told_once_and_beside_no_other_call_whoever_closes() {
    explore(|opened| {
        side_by_side(
            &opened,
            [
                ("closer", |opened| opened.connection.close()),
                ("aborter", |opened| opened.connection.abort()),
                ("reader", |opened| opened.take_turn()),
            ],
        );
        assert_eq!(
            opened.told.count("close"),
            1,
            "how often the close was told"
        );
    });
}
