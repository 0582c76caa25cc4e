//! When clients are let into a namespace that has just been opened: not before the other servers can reach it, or the first
//! of them would be missed by what is asked right then.
//!
//! ```text
//!   opened ──► Closed ──► Open for good        Settled: the adapter has opened it, or cannot
//!                                              Lost: there is no bus, so there is nobody to be missed by
//!                                              Timeout: the time for it is up
//! ```
//!
//! So neither a bus that is away nor an adapter that does not end keeps clients out for longer than the time limit.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// `W` is a client that waits.
#[derive(Debug)]
pub(crate) enum Input<W> {
    /// A client is to be let in.
    Enter { waiter: W, is_connected: bool },
    /// The adapter has opened the namespace, or has failed to.
    Settled,
    /// The bus was lost.
    Lost,
    /// The time of [`Entrance::poll_timeout`] has come. Early calls are harmless.
    Timeout,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Output<W> {
    LetIn(W),
    /// The adapter took too long. Said once.
    TooLate,
}

/// The machine of one namespace.
#[derive(Debug)]
pub(crate) struct Entrance<W> {
    /// Until when clients wait at most; `None` once it is open.
    closed_until: Option<Instant>,
    waiting: VecDeque<W>,
    is_late: bool,
}

impl<W> Entrance<W> {
    /// Of a namespace that is opened now. One whose time limit the clock cannot tell waits for nothing.
    pub(crate) fn new(now: Instant, time_limit: Duration) -> Self {
        Self {
            closed_until: now.checked_add(time_limit),
            waiting: VecDeque::new(),
            is_late: false,
        }
    }

    //= RDS-08
    pub(crate) fn handle_input(&mut self, now: Instant, input: Input<W>) {
        let opens = match input {
            Input::Enter {
                waiter,
                is_connected,
            } => {
                self.waiting.push_back(waiter);
                !is_connected
            }
            Input::Settled | Input::Lost => true,
            Input::Timeout => false,
        };
        if opens {
            self.closed_until = None;
        } else if self.closed_until.is_some_and(|until| until <= now) {
            self.closed_until = None;
            self.is_late = true;
        }
    }

    /// Call until `None` after every input.
    pub(crate) fn poll_output(&mut self) -> Option<Output<W>> {
        if !self.is_open() {
            None
        } else if std::mem::take(&mut self.is_late) {
            Some(Output::TooLate)
        } else {
            self.waiting.pop_front().map(Output::LetIn)
        }
    }

    /// When to come back with [`Input::Timeout`], if anybody waits.
    pub(crate) const fn poll_timeout(&self) -> Option<Instant> {
        self.closed_until
    }

    /// Whether nobody has to wait any more.
    pub(crate) const fn is_open(&self) -> bool {
        self.closed_until.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);
    const NOBODY: [u32; 0] = [];

    #[expect(clippy::disallowed_methods, reason = "some moment to begin with")]
    fn start() -> Instant {
        Instant::now()
    }

    fn enter(waiter: u32, is_connected: bool) -> Input<u32> {
        Input::Enter {
            waiter,
            is_connected,
        }
    }

    /// Who is let in; 0 stands for what is said of an adapter that is late.
    fn feed(entrance: &mut Entrance<u32>, now: Instant, input: Input<u32>) -> Vec<u32> {
        entrance.handle_input(now, input);
        let outputs = std::iter::from_fn(|| entrance.poll_output());
        let outputs = outputs.map(|output| match output {
            Output::LetIn(waiter) => waiter,
            Output::TooLate => 0,
        });
        outputs.collect()
    }

    /// One that two clients wait at.
    fn closed(now: Instant) -> Entrance<u32> {
        let mut entrance = Entrance::new(now, LIMIT);
        assert_eq!(feed(&mut entrance, now, enter(1, true)), NOBODY);
        assert_eq!(feed(&mut entrance, now, enter(2, true)), NOBODY);
        assert!(!entrance.is_open());
        entrance
    }

    //= RDS-08 test
    #[test]
    fn clients_wait_until_it_is_settled_or_the_bus_is_lost() {
        let now = start();
        for input in [Input::Settled, Input::Lost] {
            let mut entrance = closed(now);
            assert_eq!(feed(&mut entrance, now, input), [1, 2], "in order");
            assert!(entrance.is_open());
            assert_eq!(entrance.poll_timeout(), None);
            assert_eq!(feed(&mut entrance, now, enter(3, true)), [3]);
        }
    }

    //= RDS-08 test
    #[test]
    fn no_client_waits_for_longer_than_the_time_limit_from_the_opening_on() {
        let now = start();
        let mut entrance = closed(now);
        assert_eq!(entrance.poll_timeout(), Some(now + LIMIT));
        let early = now + LIMIT - Duration::from_nanos(1);
        assert_eq!(feed(&mut entrance, early, Input::Timeout), NOBODY);
        assert_eq!(feed(&mut entrance, early, enter(3, true)), NOBODY);
        let late = now + LIMIT;
        assert_eq!(feed(&mut entrance, late, Input::Timeout), [0, 1, 2, 3]);
        assert_eq!(feed(&mut entrance, late, Input::Timeout), NOBODY);
        assert_eq!(feed(&mut entrance, late, enter(4, true)), [4]);

        // Nobody had to tell it.
        let mut entrance = closed(now);
        assert_eq!(feed(&mut entrance, late, enter(3, true)), [0, 1, 2, 3]);
    }

    //= RDS-08 test
    #[test]
    fn without_a_bus_nobody_waits() {
        let now = start();
        let mut entrance = Entrance::new(now, LIMIT);
        assert_eq!(feed(&mut entrance, now, enter(1, false)), [1]);
        // Who is in is missed anyway.
        assert_eq!(feed(&mut entrance, now, enter(2, true)), [2]);
        let mut endless = Entrance::new(now, Duration::MAX);
        assert_eq!(feed(&mut endless, now, enter(1, true)), [1]);
    }
}
