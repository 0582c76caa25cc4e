//! When what live sockets have is to be saved for others, in case this server is killed.
//!
//! ```text
//!   held ──► due after `delay`      changed ──► due after `delay`, if not sooner anyway
//!   taken when due ──► due again after `refresh`
//! ```
//!
//! A change does not put off what is due, so that one who changes all the time is saved too.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// When to save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rhythm {
    /// How long behind the first change.
    pub(crate) delay: Duration,
    /// How long behind the last time, without a change.
    pub(crate) refresh: Duration,
}

/// The sockets that are held, by their private id. `S` is how one is found.
pub(crate) struct Leases<S> {
    rhythm: Rhythm,
    held: HashMap<Arc<str>, (S, Instant)>,
    due: BTreeSet<(Instant, Arc<str>)>,
}

impl<S: Clone> Leases<S> {
    pub(crate) fn new(rhythm: Rhythm) -> Self {
        Self {
            rhythm,
            held: HashMap::new(),
            due: BTreeSet::new(),
        }
    }

    /// A socket has come.
    pub(crate) fn hold(&mut self, now: Instant, pid: &Arc<str>, socket: S) {
        self.release(pid);
        self.set(pid, socket, now + self.rhythm.delay);
    }

    /// What it has is another.
    pub(crate) fn change(&mut self, now: Instant, pid: &Arc<str>) {
        let Some((socket, due)) = self.held.get(pid) else {
            return;
        };
        let sooner = now + self.rhythm.delay;
        if sooner < *due {
            let socket = socket.clone();
            self.release(pid);
            self.set(pid, socket, sooner);
        }
    }

    /// It has gone.
    pub(crate) fn release(&mut self, pid: &Arc<str>) {
        if let Some((_, due)) = self.held.remove(pid) {
            self.due.remove(&(due, Arc::clone(pid)));
        }
    }

    /// Those that are to be saved now, at most `max`, longest due first.
    pub(crate) fn take_due(&mut self, now: Instant, max: usize) -> Vec<S> {
        let mut taken = Vec::new();
        while taken.len() < max
            && let Some((at, pid)) = self.due.first().cloned()
            && at <= now
        {
            self.due.remove(&(at, Arc::clone(&pid)));
            if let Some((socket, _)) = self.held.remove(&pid) {
                taken.push(socket.clone());
                self.set(&pid, socket, now + self.rhythm.refresh);
            }
        }
        taken
    }

    fn set(&mut self, pid: &Arc<str>, socket: S, due: Instant) {
        self.held.insert(Arc::clone(pid), (socket, due));
        self.due.insert((due, Arc::clone(pid)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RHYTHM: Rhythm = Rhythm {
        delay: Duration::from_secs(1),
        refresh: Duration::from_secs(60),
    };

    struct Fixture(Leases<&'static str>, Instant);

    impl Fixture {
        #[expect(clippy::disallowed_methods, reason = "some moment to begin with")]
        fn new() -> Self {
            Self(Leases::new(RHYTHM), Instant::now())
        }

        fn after(&mut self, millis: u64) -> Vec<&'static str> {
            self.1 += Duration::from_millis(millis);
            self.0.take_due(self.1, 2)
        }
    }

    #[test]
    fn a_socket_is_saved_behind_a_delay_and_then_from_time_to_time() {
        let mut of = Fixture::new();
        of.0.hold(of.1, &"p".into(), "a");
        assert_eq!(of.after(999), [""; 0]);
        assert_eq!(of.after(1), ["a"]);
        assert_eq!(of.after(59_999), [""; 0]);
        assert_eq!(of.after(1), ["a"]);
        of.0.release(&"p".into());
        assert_eq!(of.after(100_000), [""; 0]);
        assert!(of.0.held.is_empty() && of.0.due.is_empty());
    }

    #[test]
    fn several_changes_are_saved_once_and_do_not_put_it_off() {
        let mut of = Fixture::new();
        of.0.hold(of.1, &"p".into(), "a");
        assert_eq!(of.after(1_000), ["a"]);
        of.0.change(of.1, &"p".into());
        assert_eq!(of.after(600), [""; 0]);
        of.0.change(of.1, &"p".into());
        assert_eq!(of.after(400), ["a"], "a delay behind the first");
        assert_eq!(of.after(1_000), [""; 0]);
        of.0.change(of.1, &"nobody".into());
        assert_eq!(of.after(1_000), [""; 0]);
    }

    #[test]
    fn so_many_are_saved_at_once() {
        let mut of = Fixture::new();
        for (pid, name) in [("p", "a"), ("q", "b"), ("r", "c")] {
            of.0.hold(of.1, &pid.into(), name);
        }
        assert_eq!(of.after(1_000), ["a", "b"], "at the bound");
        assert_eq!(of.after(0), ["c"], "the others next");
    }
}
