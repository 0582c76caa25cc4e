use super::{Bounds, Inbox, Next, Numbered, Reading, Waiting};

/// An event of so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sized(usize);

impl Waiting for Sized {
    fn resident_bytes(&self) -> usize {
        self.0
    }
}

const PLACE: usize = size_of::<Numbered<Sized>>();

const BOUNDS: Bounds = Bounds {
    max_in_flight: 2,
    max_bytes: 1_000,
    overflow_bytes: 5_000,
};

const AWAITED: bool = true;
const FREE: bool = false;

type Calls = Inbox<Sized, &'static str>;

/// An inbox whose events wait, for as many handlers as may are in flight.
fn held_up() -> Calls {
    let mut inbox = Calls::default();
    for _ in 0..BOUNDS.max_in_flight {
        inbox.begin_flight();
    }
    inbox
}

/// Adds an event that takes so many bytes in all.
fn push(inbox: &mut Calls, bytes: usize, is_awaited: bool) -> Reading {
    inbox.push_event(Sized(bytes - PLACE));
    inbox.reading(&BOUNDS, is_awaited)
}

/// All the calls that can be made now.
fn calls(inbox: &mut Calls) -> Vec<String> {
    assert!(inbox.begin());
    let calls = std::iter::from_fn(|| inbox.next(&BOUNDS)).map(|next| match next {
        Next::Event(Sized(bytes)) => bytes.to_string(),
        Next::Other(call) => call.to_owned(),
    });
    calls.collect()
}

#[test]
fn calls_are_made_in_order_by_one_at_a_time() {
    let mut inbox = Calls::default();
    assert!(inbox.begin_event(&BOUNDS));
    assert!(!inbox.begin_event(&BOUNDS) && !inbox.begin());
    inbox.push_event(Sized(1));
    inbox.push("left");
    inbox.push_event(Sized(2));
    assert!(matches!(inbox.next(&BOUNDS), Some(Next::Event(Sized(1)))));
    assert!(!inbox.begin(), "whoever calls asks for the next");
    assert!(matches!(inbox.next(&BOUNDS), Some(Next::Other("left"))));
    assert!(matches!(inbox.next(&BOUNDS), Some(Next::Event(Sized(2)))));
    assert!(inbox.next(&BOUNDS).is_none());
    assert!(inbox.begin_event(&BOUNDS), "the right was given back");
}

#[test]
fn so_many_handlers_are_in_flight_and_then_all_but_events_is_called() {
    let mut inbox = Calls::default();
    inbox.begin_flight();
    assert!(inbox.begin_event(&BOUNDS), "one more may be");
    assert!(inbox.next(&BOUNDS).is_none());
    inbox.begin_flight();
    assert!(!inbox.begin_event(&BOUNDS));
    inbox.push_event(Sized(1));
    inbox.push("left");
    inbox.push_event(Sized(2));
    inbox.push("joined");
    assert_eq!(calls(&mut inbox), ["left", "joined"]);
    inbox.end_flight();
    assert!(!inbox.begin_event(&BOUNDS), "others came before");
    inbox.push("late");
    assert_eq!(calls(&mut inbox), ["1", "2", "late"]);
}

#[test]
fn reading_stops_past_the_bound_and_goes_on_below_half_of_it() {
    let mut inbox = held_up();
    assert_eq!(push(&mut inbox, 500, FREE), Reading::GoesOn);
    assert_eq!(push(&mut inbox, 500, FREE), Reading::GoesOn);
    assert!(!inbox.take_resumed(&BOUNDS), "it never stopped");
    assert_eq!(push(&mut inbox, 100, FREE), Reading::Pauses);
    assert!(!inbox.take_resumed(&BOUNDS));
    inbox.end_flight();
    assert!(inbox.begin());
    assert!(inbox.next(&BOUNDS).is_some());
    assert!(!inbox.take_resumed(&BOUNDS), "600 bytes wait");
    assert!(inbox.next(&BOUNDS).is_some());
    assert!(inbox.take_resumed(&BOUNDS));
    assert!(!inbox.take_resumed(&BOUNDS), "told once");
}

#[test]
fn while_an_answer_is_awaited_the_inbox_grows_to_the_second_bound_and_no_further() {
    let mut inbox = held_up();
    assert_eq!(push(&mut inbox, 5_000, AWAITED), Reading::GoesOn);
    assert_eq!(push(&mut inbox, PLACE, AWAITED), Reading::Overflows);
    let mut inbox = held_up();
    assert_eq!(push(&mut inbox, 5_001, AWAITED), Reading::Overflows);
}

#[test]
fn when_the_answer_came_what_waits_stops_the_reading_again() {
    let mut inbox = held_up();
    assert_eq!(push(&mut inbox, 3_000, AWAITED), Reading::GoesOn);
    assert_eq!(push(&mut inbox, PLACE, FREE), Reading::Pauses);
    // However much it is: nobody waits, so this is no overflow.
    assert_eq!(push(&mut inbox, 9_000, FREE), Reading::Pauses);
}

#[test]
fn an_answer_that_becomes_awaited_ends_the_pause() {
    let mut inbox = held_up();
    assert!(!inbox.take_awaited(), "it is read");
    assert_eq!(push(&mut inbox, 1_001, FREE), Reading::Pauses);
    assert!(inbox.take_awaited());
    assert!(!inbox.take_awaited(), "told once");
    assert_eq!(push(&mut inbox, 1_001, AWAITED), Reading::GoesOn);
    assert!(!inbox.take_awaited());
}

#[test]
fn bounds_that_cross_are_the_first() {
    let bounds = Bounds {
        overflow_bytes: 0,
        ..BOUNDS
    };
    for (bytes, reading) in [(1_000, Reading::GoesOn), (1_001, Reading::Overflows)] {
        let mut inbox = held_up();
        inbox.push_event(Sized(bytes - PLACE));
        assert_eq!(inbox.reading(&bounds, AWAITED), reading);
    }
}

#[test]
fn events_of_who_left_take_no_room_and_keep_nobody_waiting() {
    let mut inbox = held_up();
    assert_eq!(push(&mut inbox, 400, FREE), Reading::GoesOn);
    inbox.push("left");
    assert_eq!(push(&mut inbox, 700, FREE), Reading::Pauses);
    assert_eq!(calls(&mut inbox), ["left"]);
    inbox.drop_events(|event| event.0 == 700 - PLACE);
    assert!(inbox.take_resumed(&BOUNDS));
    inbox.end_flight();
    assert_eq!(calls(&mut inbox), [(400 - PLACE).to_string()]);
    inbox.release();
    assert!(inbox.begin_event(&BOUNDS));
    assert_eq!(inbox.bytes, 0);
}
