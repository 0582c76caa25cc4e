//! One claim per rule of the protocol that the machine decides.

use std::time::Duration;

use crate::packet::Protocol;
use crate::proto::close_reason::CloseReason;
use crate::proto::event::Input::{
    CandidateAttached, CandidateGone, CandidatePacket, Close, Discard, Packet, Paused, PollArrived,
    PollDropped, PostArrived, PostDone, PostDropped, PostRead, PostUnreadable, Resumed,
    WebSocketClosed, WebSocketFailed,
};
use crate::proto::event::{Input, Output, PollAnswer, Probing, Received};
use crate::proto::session::{LINGER, LOOK_INTERVAL, NOOP_INTERVAL, RETURN_WAIT};
use crate::proto::testing::{Bench, PING_INTERVAL, PING_TIMEOUT, STALL_TIMEOUT, UPGRADE_TIMEOUT};
use crate::transport::Transport;

const MESSAGE: Input = Packet(Received::Message);
const PONG: Input = Packet(Received::Pong);
const PING: Input = Packet(Received::Ping);
const PROBE: Input = CandidatePacket(Probing::Probe);
const UPGRADE: Input = CandidatePacket(Probing::Upgrade);
const OTHER: Input = CandidatePacket(Probing::Other);
const MILLISECOND: Duration = Duration::from_millis(1);

fn closed(reason: CloseReason) -> Vec<Output> {
    vec![Output::Closed(reason), Output::Gone]
}

/// A WebSocket session that ends at once.
fn aborted(reason: CloseReason) -> Vec<Output> {
    [vec![Output::AbortWebSocket], closed(reason)].concat()
}

fn answered(answer: PollAnswer, then: Vec<Output>) -> Vec<Output> {
    [vec![Output::AnswerPoll(answer)], then].concat()
}

// Long-polling

#[test]
fn a_poll_waits_until_a_packet_is_queued_and_takes_all_of_them() {
    //= EIO4-POL-01 test
    let mut bench = Bench::polling();
    assert_eq!(bench.feed(PollArrived), []);
    assert_eq!(bench.send("4a"), [Output::AnswerPoll(PollAnswer::Queued)]);
    assert_eq!(bench.collect(), ["4a"]);
    assert_eq!(bench.send("4b"), []);
    assert_eq!(bench.send("4c"), []);
    assert_eq!(
        bench.feed(PollArrived),
        [Output::AnswerPoll(PollAnswer::Queued)]
    );
    assert_eq!(bench.collect(), ["4b", "4c"]);
}

#[test]
fn a_post_is_dispatched_between_its_arrival_and_its_end() {
    //= EIO4-POL-02 test
    let mut bench = Bench::polling();
    assert_eq!(bench.feed(PostArrived), []);
    assert_eq!(bench.feed(PostRead), []);
    assert_eq!(bench.feed(MESSAGE), [Output::Deliver]);
    assert_eq!(bench.feed(PostDone), []);
}

#[test]
fn a_post_whose_content_ends_the_session_is_still_answered() {
    //= EIO4-POL-03 test
    for (packet, reason) in [
        (Received::Undecodable, CloseReason::ParseError),
        (Received::Ping, CloseReason::TransportError),
    ] {
        let mut bench = Bench::polling().given(&[PostArrived, PostRead]);
        let outputs = bench.feed(Packet(packet));
        assert_eq!(outputs, closed(reason), "nothing destroys the POST");
        assert_eq!(bench.feed(PostDone), []);
    }
}

#[test]
fn a_second_poll_is_refused_and_closes_the_session() {
    //= EIO4-POL-04 test
    let mut bench = Bench::polling().given(&[PollArrived]);
    assert_eq!(
        bench.feed(PollArrived),
        [
            Output::RefusePoll,
            Output::AnswerPoll(PollAnswer::Close),
            Output::Closed(CloseReason::TransportError),
            Output::Gone,
        ]
    );
}

#[test]
fn a_second_post_is_refused_and_destroys_the_first() {
    //= EIO4-POL-05 test
    let mut bench = Bench::polling().given(&[PollArrived, PostArrived]);
    assert_eq!(
        bench.feed(PostArrived),
        [
            Output::RefusePost,
            Output::AnswerPoll(PollAnswer::Close),
            Output::DestroyPost,
            Output::Closed(CloseReason::TransportError),
            Output::Gone,
        ]
    );
}

#[test]
fn a_poll_and_a_post_go_on_together() {
    //= EIO4-POL-06 test
    let mut bench = Bench::polling();
    for input in [PollArrived, PostArrived, PostRead] {
        assert_eq!(bench.feed(input), []);
    }
    assert_eq!(bench.feed(MESSAGE), [Output::Deliver]);
    assert_eq!(bench.feed(PostDone), []);
    assert_eq!(bench.send("4a"), [Output::AnswerPoll(PollAnswer::Queued)]);
}

#[test]
fn a_post_that_was_too_large_leaves_the_session_usable() {
    //= EIO4-POL-07 test
    let mut bench = Bench::polling().given(&[PostArrived]);
    assert_eq!(bench.feed(PostDone), []);
    assert!(bench.session.is_open());
    assert_eq!(bench.feed(PostArrived), []);
}

#[test]
fn a_post_of_an_unreadable_type_closes_the_session() {
    //= EIO4-POL-08 test
    let mut bench = Bench::polling().given(&[PostArrived]);
    assert_eq!(
        bench.feed(PostUnreadable),
        closed(CloseReason::TransportError)
    );
}

#[test]
fn a_dropped_poll_or_post_closes_the_session() {
    //= EIO4-POL-10 test
    for (arrived, dropped) in [(PollArrived, PollDropped), (PostArrived, PostDropped)] {
        let mut bench = Bench::polling().given(&[arrived]);
        assert_eq!(bench.feed(dropped), closed(CloseReason::TransportError));
    }
}

#[test]
fn after_the_close_requests_are_refused() {
    //= EIO4-POL-12 test
    let mut bench = Bench::polling().given(&[Discard]);
    assert_eq!(bench.feed(PollArrived), [Output::RefusePoll]);
    assert_eq!(bench.feed(PostArrived), [Output::RefusePost]);
    assert_eq!(bench.feed(CandidateAttached), [Output::CloseCandidate]);
}

#[test]
fn packets_after_a_close_packet_are_ignored() {
    //= EIO4-POL-13 test
    let mut bench = Bench::polling().given(&[PostArrived, PostRead, Packet(Received::Close)]);
    assert_eq!(bench.feed(MESSAGE), []);
}

// Heartbeat

#[test]
fn the_first_ping_comes_after_the_interval_poll_or_no_poll() {
    //= EIO4-HB-01 test
    let mut bench = Bench::polling();
    assert_eq!(
        bench.session.poll_timeout(),
        Some(bench.now + PING_INTERVAL)
    );
    assert_eq!(bench.after(PING_INTERVAL - MILLISECOND), []);
    assert_eq!(bench.after(MILLISECOND), [], "queued like any packet");
    assert_eq!(bench.session.poll_timeout(), Some(bench.now + PING_TIMEOUT));
    assert_eq!(
        bench.feed(PollArrived),
        [Output::AnswerPoll(PollAnswer::Queued)]
    );
    assert_eq!(bench.collect(), ["2"]);

    let mut bench = Bench::websocket();
    assert_eq!(bench.after(PING_INTERVAL), [Output::Flush]);
    assert_eq!(bench.written(), ["2"]);
}

#[test]
fn a_pong_restarts_the_interval_from_now() {
    //= EIO4-HB-02 test
    let mut bench = Bench::websocket();
    bench.after(PING_INTERVAL);
    bench.after(PING_TIMEOUT - MILLISECOND);
    assert_eq!(bench.feed(PONG), []);
    assert_eq!(
        bench.session.poll_timeout(),
        Some(bench.now + PING_INTERVAL)
    );
}

#[test]
fn an_unsolicited_pong_restarts_the_interval_too() {
    //= EIO4-HB-03 test
    let mut bench = Bench::websocket();
    bench.after(PING_INTERVAL / 2);
    assert_eq!(bench.feed(PONG), []);
    assert_eq!(
        bench.session.poll_timeout(),
        Some(bench.now + PING_INTERVAL)
    );
}

#[test]
fn one_other_packet_per_ping_extends_the_wait_for_the_pong() {
    //= EIO4-HB-04 test
    for packet in [Received::Message, Received::Meaningless, Received::Close] {
        let mut bench = Bench::websocket();
        bench.after(PING_INTERVAL);
        let half = PING_TIMEOUT / 2;
        bench.after(half);
        bench.feed(Packet(packet));
        let extended = bench.now + PING_TIMEOUT;
        assert_eq!(bench.session.poll_timeout(), Some(extended), "{packet:?}");
        bench.after(half);
        bench.feed(MESSAGE);
        assert_eq!(bench.session.poll_timeout(), Some(extended), "only once");
        assert_eq!(bench.after(half), aborted(CloseReason::PingTimeout));
    }
}

#[test]
fn an_unanswered_ping_closes_on_either_transport() {
    //= EIO4-HB-05 test
    let mut bench = Bench::websocket();
    bench.after(PING_INTERVAL);
    bench.written();
    assert_eq!(bench.after(PING_TIMEOUT - MILLISECOND), []);
    assert_eq!(bench.after(MILLISECOND), aborted(CloseReason::PingTimeout));

    let mut bench = Bench::polling().given(&[PollArrived]);
    bench.after(PING_INTERVAL);
    bench.collect();
    bench.feed(PollArrived);
    assert_eq!(
        bench.after(PING_TIMEOUT),
        answered(PollAnswer::Close, closed(CloseReason::PingTimeout))
    );
}

#[test]
fn a_closed_session_is_abandoned_when_nobody_comes_back() {
    let mut bench = Bench::polling();
    assert!(!bench.session.is_abandoned(bench.now), "it is open");
    bench.send("4a");
    bench.feed(Close);
    assert!(
        !bench
            .session
            .is_abandoned(bench.now + RETURN_WAIT - MILLISECOND)
    );
    assert!(bench.session.is_abandoned(bench.now + RETURN_WAIT));
    bench.feed(PostArrived);
    assert!(
        !bench.session.is_abandoned(bench.now + LINGER),
        "it is here"
    );
    bench.feed(PostDone);
    bench.feed(Discard);
    assert!(bench.session.is_abandoned(bench.now), "it is over");

    let mut bench = Bench::websocket();
    bench.feed(Close);
    assert!(
        !bench.session.is_abandoned(bench.now + LINGER),
        "it is connected"
    );
}

#[test]
fn a_ping_is_to_be_answered_by_when_it_was_due_and_not_by_when_it_was_sent() {
    //= EIO4-HB-05 test
    let mut bench = Bench::websocket();
    let due = bench.now + PING_INTERVAL;
    bench.after(PING_INTERVAL + 2 * MILLISECOND);
    assert_eq!(bench.session.poll_timeout(), Some(due + PING_TIMEOUT));
}

#[test]
fn a_timer_that_is_very_late_leaves_the_client_nine_tenths_of_its_time() {
    let (at_bound, past_it) = (PING_TIMEOUT / 10, PING_TIMEOUT / 10 + MILLISECOND);
    for (late, by) in [
        (at_bound, PING_TIMEOUT),
        (past_it, PING_TIMEOUT + MILLISECOND),
        (5 * PING_TIMEOUT, 5 * PING_TIMEOUT + PING_TIMEOUT * 9 / 10),
    ] {
        let mut bench = Bench::websocket();
        let due = bench.now + PING_INTERVAL;
        bench.after(PING_INTERVAL + late);
        assert_eq!(bench.session.poll_timeout(), Some(due + by), "{late:?}");
    }
}

#[test]
fn a_poll_at_the_ping_timeout_is_refused_however_late_the_timer_is() {
    //= EIO4-HB-05 test
    let mut bench = Bench::polling();
    bench.after(PING_INTERVAL);
    bench.now += PING_TIMEOUT - MILLISECOND;
    let in_time = vec![Output::AnswerPoll(PollAnswer::Queued)];
    assert_eq!(bench.feed(PollArrived), in_time);
    bench.now += MILLISECOND;
    let mut refused = closed(CloseReason::PingTimeout);
    refused.push(Output::RefusePoll);
    assert_eq!(bench.feed(PollArrived), refused);
}

#[test]
fn a_ping_from_the_client_is_the_wrong_direction() {
    //= EIO4-HB-06 test
    let mut bench = Bench::websocket();
    assert_eq!(bench.feed(PING), aborted(CloseReason::TransportError));
    let mut bench = Bench::polling().given(&[PollArrived]);
    assert_eq!(
        bench.feed(PING),
        answered(PollAnswer::Close, closed(CloseReason::TransportError))
    );
}

#[test]
fn an_upgrade_keeps_the_wait_for_a_pong() {
    //= EIO4-HB-08 test
    let mut bench = Bench::polling();
    bench.after(PING_INTERVAL);
    let deadline = bench.session.poll_timeout();
    let mut bench = bench.given(&[CandidateAttached, PROBE, UPGRADE]);
    assert_eq!(bench.session.poll_timeout(), deadline);
    assert_eq!(bench.after(PING_TIMEOUT), aborted(CloseReason::PingTimeout));
}

#[test]
fn protocol_3_answers_pings_and_times_out_without_them() {
    //= EIO3-HB-01 test
    //= EIO3-HB-02 test
    //= EIO3-HB-03 test
    let mut bench = Bench::new(Protocol::V3, Transport::WebSocket);
    let whole = PING_INTERVAL + PING_TIMEOUT;
    assert_eq!(bench.session.poll_timeout(), Some(bench.now + whole));
    bench.after(whole / 2);
    assert_eq!(bench.feed(PING), [Output::Flush]);
    assert_eq!(bench.written(), ["3"]);
    assert_eq!(bench.session.poll_timeout(), Some(bench.now + whole));
    bench.after(whole / 2);
    bench.feed(MESSAGE);
    assert_eq!(
        bench.after(whole / 2),
        aborted(CloseReason::PingTimeout),
        "only pings count"
    );
    let mut bench = Bench::new(Protocol::V3, Transport::WebSocket);
    assert_eq!(bench.feed(PONG), aborted(CloseReason::TransportError));
}

#[test]
fn protocol_3_keeps_its_timer_through_an_upgrade() {
    //= EIO3-HB-04 test
    let bench = Bench::new(Protocol::V3, Transport::Polling);
    let mut bench = bench.given(&[CandidateAttached, PROBE, UPGRADE]);
    assert_eq!(
        bench.after(PING_INTERVAL + PING_TIMEOUT),
        aborted(CloseReason::PingTimeout)
    );
}

#[test]
fn while_we_do_not_read_silence_is_not_the_peers_fault() {
    let mut bench = Bench::websocket();
    bench.after(PING_INTERVAL);
    bench.written();
    bench.feed(Paused);
    bench.after(PING_TIMEOUT);
    assert!(bench.session.is_open(), "the pong may lie unread");
    bench.feed(PONG);
    bench.feed(Paused);
    let stalled_at = bench.now;
    while bench.now < stalled_at + STALL_TIMEOUT - MILLISECOND {
        let next = bench.session.poll_timeout().unwrap();
        let until = next.min(stalled_at + STALL_TIMEOUT - MILLISECOND);
        assert_ne!(
            bench.after(until - bench.now),
            aborted(CloseReason::ForcedClose)
        );
    }
    assert_eq!(bench.after(MILLISECOND), aborted(CloseReason::ForcedClose));
}

/// What is written when so much time has passed.
fn heard(bench: &mut Bench, time: Duration) -> String {
    bench.after(time);
    bench.written().concat()
}

#[test]
fn while_we_do_not_read_the_peer_is_pinged_as_ever() {
    // Before a ping, while one is out, and while one is out whose answer was given more time.
    for (is_pinged, given, first) in [
        (false, &[][..], PING_INTERVAL),
        (true, &[], PING_INTERVAL),
        (true, &[MESSAGE], Duration::ZERO),
    ] {
        let mut bench = Bench::websocket();
        if is_pinged {
            assert_eq!(heard(&mut bench, PING_INTERVAL), "2");
        }
        let mut bench = bench.given(given).given(&[Paused]);
        for wait in [first, PING_INTERVAL, PING_INTERVAL] {
            if let Some(less) = wait.checked_sub(MILLISECOND) {
                bench.now += less;
                assert_eq!(heard(&mut bench, Duration::ZERO), "", "{given:?}");
                // What a slow peer takes does not put its ping off.
                bench.feed(Paused);
                bench.now += MILLISECOND;
            }
            assert_eq!(heard(&mut bench, Duration::ZERO), "2", "{given:?}");
        }
        // The next one it has to answer.
        bench.feed(Resumed);
        assert_eq!(heard(&mut bench, PING_INTERVAL), "2");
        assert_eq!(bench.after(PING_TIMEOUT - MILLISECOND), []);
        assert_eq!(bench.after(MILLISECOND), aborted(CloseReason::PingTimeout));
    }
}

#[test]
fn a_websocket_that_we_do_not_read_is_written_to_each_second() {
    let mut bench = Bench::websocket();
    bench.feed(Paused);
    for _ in 0..5 {
        bench.now += LOOK_INTERVAL - MILLISECOND;
        // Progress of a slow peer.
        bench.feed(Paused);
        assert_eq!(bench.after(Duration::ZERO), []);
        assert_eq!(bench.after(MILLISECOND), [Output::Flush]);
        assert_eq!(bench.frames(), [b"\x8a\0"]);
    }
    // It does not take the place of one that is owed.
    bench.session.outbox.push_websocket_pong(b"owed");
    bench.after(LOOK_INTERVAL);
    assert_eq!(bench.frames(), [b"\x8a\x04owed"]);
    bench.feed(Resumed);
    assert_eq!(bench.after(LOOK_INTERVAL), []);

    let mut bench = Bench::polling().given(&[PollArrived, Paused]);
    assert_eq!(bench.after(LOOK_INTERVAL), [], "its poll is there");
}

#[test]
fn while_we_do_not_read_a_client_of_protocol_3_has_its_answers() {
    let mut bench = Bench::new(Protocol::V3, Transport::WebSocket);
    heard(&mut bench, PING_INTERVAL);
    bench.feed(Paused);
    assert_eq!(
        heard(&mut bench, Duration::ZERO),
        "3",
        "its ping may lie unread"
    );
    for _ in 0..3 {
        assert_eq!(heard(&mut bench, PING_INTERVAL / 2 - MILLISECOND), "");
        assert_eq!(heard(&mut bench, MILLISECOND), "3");
    }
    bench.feed(Resumed);
    assert_eq!(bench.after(PING_INTERVAL + PING_TIMEOUT - MILLISECOND), []);
    assert_eq!(bench.after(MILLISECOND), aborted(CloseReason::PingTimeout));
}

// Upgrade

#[test]
fn a_candidate_is_attached_and_told_nothing() {
    //= EIO4-UPG-01 test
    let mut bench = Bench::polling();
    assert_eq!(bench.feed(CandidateAttached), [Output::Upgrading]);
    assert_eq!(bench.session.transport(), Transport::Polling);
}

#[test]
fn every_probe_is_answered() {
    //= EIO4-UPG-02 test
    let mut bench = Bench::polling().given(&[CandidateAttached]);
    for _ in 0..3 {
        assert_eq!(bench.feed(PROBE), [Output::AnswerProbe]);
    }
}

#[test]
fn after_a_probe_each_waiting_poll_is_released_within_a_tenth_of_a_second() {
    //= EIO4-UPG-03 test
    let mut bench = Bench::polling().given(&[CandidateAttached, PollArrived, PROBE]);
    assert_eq!(bench.after(NOOP_INTERVAL - MILLISECOND), []);
    bench.feed(PROBE);
    assert_eq!(
        bench.after(MILLISECOND),
        [],
        "the latest probe is what counts"
    );
    for _ in 0..3 {
        assert_eq!(
            bench.after(NOOP_INTERVAL),
            [Output::AnswerPoll(PollAnswer::Noop)]
        );
        assert_eq!(bench.after(NOOP_INTERVAL), [], "nobody waits");
        bench.feed(PollArrived);
    }
}

#[test]
fn between_probe_and_upgrade_traffic_stays_on_polling() {
    //= EIO4-UPG-04 test
    let mut bench = Bench::polling().given(&[CandidateAttached, PROBE]);
    bench.feed(PollArrived);
    assert_eq!(bench.send("4a"), [Output::AnswerPoll(PollAnswer::Queued)]);
    bench.collect();
    bench.feed(PostArrived);
    bench.feed(PostRead);
    assert_eq!(bench.feed(MESSAGE), [Output::Deliver]);
}

#[test]
fn the_switch_takes_the_queue_along_in_order() {
    //= EIO4-UPG-05 test
    let mut bench = Bench::polling().given(&[CandidateAttached, PROBE]);
    bench.send("4a");
    bench.send("4b");
    assert_eq!(bench.feed(UPGRADE), [Output::Upgraded]);
    assert_eq!(bench.session.transport(), Transport::WebSocket);
    assert_eq!(bench.send("4c"), [Output::Flush]);
    assert_eq!(bench.written(), ["4a", "4b", "4c"]);
}

#[test]
fn a_poll_that_waits_at_the_switch_is_answered_with_a_close() {
    //= EIO4-UPG-06 test
    let mut bench = Bench::polling().given(&[CandidateAttached, PROBE, PollArrived]);
    assert_eq!(
        bench.feed(UPGRADE),
        [Output::AnswerPoll(PollAnswer::Close), Output::Upgraded]
    );
}

#[test]
fn any_other_packet_closes_the_candidate_and_only_that() {
    //= EIO4-UPG-07 test
    for given in [&[CandidateAttached][..], &[CandidateAttached, PROBE]] {
        let mut bench = Bench::polling().given(given);
        assert_eq!(bench.feed(OTHER), [Output::CloseCandidate]);
        assert!(bench.session.is_open());
        assert_eq!(bench.feed(PollArrived), []);
        assert_eq!(
            bench.feed(CandidateAttached),
            [Output::Upgrading],
            "the next may try"
        );
    }
}

#[test]
fn an_upgrade_without_a_probe_is_accepted() {
    //= EIO4-UPG-08 test
    let mut bench = Bench::polling().given(&[CandidateAttached]);
    assert_eq!(bench.feed(UPGRADE), [Output::Upgraded]);
}

#[test]
fn probing_does_not_extend_the_upgrade_timeout() {
    //= EIO4-UPG-09 test
    let mut bench = Bench::polling().given(&[CandidateAttached, PROBE]);
    bench.after(UPGRADE_TIMEOUT - MILLISECOND);
    bench.feed(PROBE);
    assert_eq!(bench.after(MILLISECOND), [Output::CloseCandidate]);
    assert!(bench.session.is_open());
    assert_eq!(bench.feed(PollArrived), []);
}

#[test]
fn a_second_candidate_is_closed_at_once() {
    //= EIO4-UPG-10 test
    let mut bench = Bench::polling().given(&[CandidateAttached]);
    assert_eq!(bench.feed(CandidateAttached), [Output::CloseCandidate]);
    assert_eq!(
        bench.feed(PROBE),
        [Output::AnswerProbe],
        "the first goes on"
    );
    assert_eq!(bench.feed(UPGRADE), [Output::Upgraded]);
    assert_eq!(bench.feed(CandidateAttached), [Output::CloseCandidate]);
}

#[test]
fn the_death_of_a_candidate_leaves_the_session_alone() {
    //= EIO4-UPG-11 test
    let mut bench = Bench::polling().given(&[CandidateAttached, PROBE, PollArrived]);
    assert_eq!(bench.feed(CandidateGone), []);
    assert_eq!(bench.after(NOOP_INTERVAL), [], "no noop any more");
    assert_eq!(bench.send("4a"), [Output::AnswerPoll(PollAnswer::Queued)]);
}

#[test]
fn the_end_of_the_session_closes_its_candidate() {
    //= EIO4-UPG-12 test
    for input in [Discard, PING, Packet(Received::Close)] {
        let mut bench = Bench::polling().given(&[CandidateAttached, PROBE]);
        assert!(
            bench.feed(input).contains(&Output::CloseCandidate),
            "{input:?}"
        );
    }
    // One without the answer to its probe goes on polling.
    let mut bench = Bench::polling().given(&[CandidateAttached]);
    assert!(bench.feed(Close).contains(&Output::CloseCandidate));
    // One that polls is told at once.
    let mut bench = Bench::polling().given(&[CandidateAttached, PROBE, PollArrived]);
    assert_eq!(
        bench.feed(Close),
        [
            Output::CloseCandidate,
            Output::AnswerPoll(PollAnswer::Close),
            Output::Closed(CloseReason::ForcedClose),
            Output::Gone
        ]
    );
}

/// Closed when the client may have stopped to poll, with a message that is still to leave.
fn closed_while_upgrading() -> Bench {
    let mut bench = Bench::polling().given(&[CandidateAttached, PROBE]);
    bench.send("4bye");
    assert!(bench.session.has_peer());
    assert_eq!(
        bench.feed(Close),
        [Output::Closed(CloseReason::ForcedClose)]
    );
    bench
}

#[test]
fn a_session_closed_during_its_upgrade_ends_over_the_transport_that_the_client_takes() {
    //= EIO4-UPG-12 test
    let mut bench = closed_while_upgrading();
    assert_eq!(
        bench.feed(UPGRADE),
        [Output::Upgraded, Output::FinishWebSocket]
    );
    assert_eq!(bench.written(), ["4bye"]);
    assert_eq!(bench.feed(PollArrived), [Output::RefusePoll]);
    assert_eq!(bench.feed(PostArrived), [Output::RefusePost]);
    assert_eq!(bench.feed(WebSocketClosed), [Output::Gone]);

    let mut bench = closed_while_upgrading();
    assert_eq!(
        bench.feed(PollArrived),
        [Output::AnswerPoll(PollAnswer::Queued)]
    );
    assert_eq!(bench.collect(), ["4bye"]);
    let told_by_poll = [
        Output::AnswerPoll(PollAnswer::NoopThenClose),
        Output::CloseCandidate,
        Output::Gone,
    ];
    assert_eq!(bench.clone().feed(PollArrived), told_by_poll);
    assert_eq!(
        bench.feed(UPGRADE),
        [Output::Upgraded, Output::FinishWebSocket],
        "that poll was the last"
    );
}

#[test]
fn a_closed_session_waits_for_an_upgrade_no_longer_than_an_open_one() {
    //= EIO4-UPG-09 test
    let mut bench = closed_while_upgrading();
    assert_eq!(bench.after(UPGRADE_TIMEOUT - MILLISECOND), []);
    assert!(!bench.session.is_abandoned(bench.now), "a drain waits");
    let expiry = bench.now + MILLISECOND;
    assert_eq!(bench.session.poll_timeout(), Some(expiry));
    assert_eq!(bench.after(MILLISECOND), [Output::CloseCandidate]);
    assert!(bench.session.is_abandoned(bench.now));
    assert_eq!(
        bench.feed(PollArrived),
        [Output::AnswerPoll(PollAnswer::Queued)]
    );

    for (input, expected) in [
        (CandidateGone, &[][..]),
        (OTHER, &[Output::CloseCandidate]),
        (PROBE, &[Output::CloseCandidate]),
        (Discard, &[Output::CloseCandidate, Output::Gone]),
    ] {
        let mut bench = closed_while_upgrading();
        assert_eq!(bench.feed(input), expected, "{input:?}");
        assert!(!bench.session.has_peer(), "{input:?}");
    }
}

#[test]
fn a_post_that_the_close_destroys_holds_the_switch_up_until_it_is_gone() {
    //= EIO4-UPG-17 test
    let given = [CandidateAttached, PostArrived, UPGRADE];
    let mut bench = Bench::polling().given(&given);
    assert_eq!(
        bench.feed(Close),
        [
            Output::DestroyPost,
            Output::Closed(CloseReason::ForcedClose)
        ]
    );
    assert_eq!(
        bench.feed(PostDropped),
        [Output::Upgraded, Output::FinishWebSocket]
    );
}

#[test]
fn after_the_upgrade_polling_is_refused() {
    //= EIO4-UPG-13 test
    let mut bench = Bench::polling().given(&[CandidateAttached, UPGRADE]);
    assert_eq!(bench.feed(PollArrived), [Output::RefusePoll]);
    assert_eq!(bench.feed(PostArrived), [Output::RefusePost]);
    assert!(bench.session.is_open());
}

#[test]
fn a_session_born_on_websocket_takes_no_candidate() {
    //= EIO4-UPG-14 test
    let mut bench = Bench::websocket();
    assert_eq!(bench.feed(CandidateAttached), [Output::CloseCandidate]);
}

#[test]
fn with_upgrades_off_a_candidate_is_closed() {
    //= EIO4-UPG-15 test
    let now = Bench::polling().now;
    let mut bench = Bench::at(now, Protocol::V4, Transport::Polling, false);
    assert_eq!(bench.feed(CandidateAttached), [Output::CloseCandidate]);
}

#[test]
fn a_post_in_progress_is_dispatched_before_the_switch() {
    //= EIO4-UPG-17 test
    let mut bench = Bench::polling().given(&[CandidateAttached, PROBE, PostArrived]);
    assert_eq!(bench.feed(UPGRADE), [], "not yet");
    bench.feed(PostRead);
    assert_eq!(bench.feed(MESSAGE), [Output::Deliver]);
    assert_eq!(bench.feed(PostDone), [Output::Upgraded]);

    let mut bench = Bench::polling().given(&[CandidateAttached, PostArrived, UPGRADE]);
    assert_eq!(
        bench.feed(OTHER),
        [Output::CloseCandidate],
        "the candidate has nothing more to say"
    );
    let mut lingering = Bench::polling().given(&[Close]);
    assert_eq!(lingering.feed(CandidateAttached), [Output::CloseCandidate]);
}

// Closing

#[test]
fn a_close_packet_over_polling_releases_the_poll_with_a_noop() {
    //= EIO4-CLS-01 test
    let mut bench = Bench::polling().given(&[PollArrived, PostArrived, PostRead]);
    assert_eq!(
        bench.feed(Packet(Received::Close)),
        answered(PollAnswer::Noop, closed(CloseReason::TransportClose))
    );
}

#[test]
fn a_close_packet_over_websocket_is_ignored() {
    //= EIO4-CLS-02 test
    let mut bench = Bench::websocket();
    assert_eq!(bench.feed(Packet(Received::Close)), []);
    assert!(bench.session.is_open());
}

#[test]
fn closing_answers_the_waiting_poll_with_a_close() {
    //= EIO4-CLS-03 test
    let mut bench = Bench::polling().given(&[PollArrived]);
    assert_eq!(
        bench.feed(Close),
        answered(PollAnswer::Close, closed(CloseReason::ForcedClose))
    );
}

#[test]
fn closed_without_a_poll_the_session_lingers_for_the_next_or_thirty_seconds() {
    //= EIO4-CLS-04 test
    let forced = [Output::Closed(CloseReason::ForcedClose)];
    let mut bench = Bench::polling();
    assert_eq!(bench.feed(Close), forced);
    assert_eq!(
        bench.feed(PollArrived),
        [Output::AnswerPoll(PollAnswer::NoopThenClose), Output::Gone]
    );
    let mut bench = Bench::polling();
    assert_eq!(bench.feed(Close), forced);
    assert_eq!(bench.after(LINGER - MILLISECOND), []);
    assert_eq!(bench.after(MILLISECOND), [Output::Gone]);
}

#[test]
fn what_is_queued_at_the_close_comes_first_and_alone() {
    //= EIO4-CLS-05 test
    let mut bench = Bench::polling();
    bench.send("4bye");
    bench.feed(Close);
    assert_eq!(
        bench.feed(PollArrived),
        [Output::AnswerPoll(PollAnswer::Queued)]
    );
    assert_eq!(bench.collect(), ["4bye"]);
    assert_eq!(
        bench.feed(PollArrived),
        [Output::AnswerPoll(PollAnswer::NoopThenClose), Output::Gone]
    );
}

#[test]
fn what_a_handler_sends_before_it_closes_goes_first() {
    //= EIO4-CLS-05 test
    let mut bench = Bench::polling().given(&[PollArrived]);
    bench.queue("4bye");
    assert_eq!(
        bench.feed(Close),
        [
            Output::AnswerPoll(PollAnswer::Queued),
            Output::Closed(CloseReason::ForcedClose)
        ]
    );
    assert_eq!(bench.collect(), ["4bye"]);
    assert_eq!(
        bench.feed(PollArrived),
        [Output::AnswerPoll(PollAnswer::NoopThenClose), Output::Gone]
    );
}

#[test]
fn a_lingering_session_ignores_what_it_receives() {
    //= EIO4-CLS-06 test
    let mut bench = Bench::polling().given(&[Close]);
    assert!(!bench.session.is_open());
    for input in [PostArrived, PostRead, MESSAGE, PostDone] {
        assert_eq!(bench.feed(input), [], "{input:?}");
    }
}

#[test]
fn discarding_ends_the_session_at_once() {
    //= EIO4-CLS-07 test
    let mut bench = Bench::polling().given(&[PollArrived]);
    assert_eq!(
        bench.feed(Discard),
        answered(PollAnswer::Close, closed(CloseReason::ForcedClose))
    );
    let mut bench = Bench::polling();
    assert_eq!(bench.feed(Discard), closed(CloseReason::ForcedClose));
    let mut bench = Bench::websocket();
    assert_eq!(bench.feed(Discard), aborted(CloseReason::ForcedClose));
    let mut lingering = Bench::polling().given(&[Close]);
    assert_eq!(lingering.feed(Discard), [Output::Gone], "told only once");
}

#[test]
fn a_post_being_read_is_destroyed_by_our_close() {
    //= EIO4-CLS-08 test
    let mut bench = Bench::polling().given(&[PostArrived]);
    assert!(bench.feed(Discard).contains(&Output::DestroyPost));
    let mut bench = Bench::polling().given(&[PostArrived, PollArrived]);
    assert!(
        bench.feed(Close).contains(&Output::DestroyPost),
        "with a poll to tell, the close is over at once"
    );
}

#[test]
fn every_end_has_its_reason() {
    //= EIO4-CLS-09 test
    for (input, reason) in [
        (WebSocketClosed, CloseReason::TransportClose),
        (WebSocketFailed, CloseReason::TransportError),
        (Packet(Received::Undecodable), CloseReason::ParseError),
        (Discard, CloseReason::ForcedClose),
    ] {
        assert_eq!(Bench::websocket().feed(input), aborted(reason));
    }
    let words: Vec<_> = CloseReason::ALL
        .iter()
        .map(|reason| reason.as_str())
        .collect();
    assert_eq!(
        words,
        [
            "transport close",
            "transport error",
            "ping timeout",
            "parse error",
            "forced close"
        ]
    );
}

#[test]
fn a_fault_of_the_peer_gives_the_waiting_poll_what_is_queued_and_never_lingers() {
    //= EIO4-CLS-10 test
    let mut bench = Bench::polling().given(&[PostArrived, PostRead]);
    bench.send("4last");
    assert_eq!(
        bench.feed(Packet(Received::Undecodable)),
        closed(CloseReason::ParseError)
    );
    assert_eq!(bench.feed(PollArrived), [Output::RefusePoll]);
    // While packets are dispatched what they cause waits, with the poll, for the end.
    let mut bench = Bench::polling().given(&[PollArrived, PostArrived, PostRead]);
    bench.session.outbox.push_ping();
    assert_eq!(
        bench.feed(Packet(Received::Undecodable)),
        answered(PollAnswer::Queued, closed(CloseReason::ParseError))
    );
}

#[test]
fn closing_a_websocket_writes_what_is_queued_and_waits_for_the_peer() {
    let mut bench = Bench::websocket();
    bench.send("4bye");
    assert_eq!(
        bench.feed(Close),
        [
            Output::FinishWebSocket,
            Output::Closed(CloseReason::ForcedClose)
        ]
    );
    assert_eq!(bench.written(), ["4bye"]);
    assert_eq!(bench.feed(WebSocketClosed), [Output::Gone]);
    let mut bench = Bench::websocket().given(&[Close]);
    assert_eq!(
        bench.after(LINGER),
        [Output::AbortWebSocket, Output::Gone],
        "a peer that does not answer"
    );
}
