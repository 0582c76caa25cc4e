//! The other servers, and which of their messages were heard.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::message::ServerId;

/// How many other servers are known at once. One more takes the place of the one that was silent for longest.
pub(super) const MAX_SERVERS: usize = 1024;

/// How far back a message of a server is known to be a repeat. What is older counts as one, so that a bus that delivers
/// again after a pause does no harm; a bus must not reorder the messages of one server by as many.
pub(super) const REPEAT_WINDOW: u64 = 1024;

const WORD_BITS: u64 = 64;
const WORDS: usize = (REPEAT_WINDOW / WORD_BITS) as usize;

/// Whether a message was heard before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    First,
    Repeat,
}

impl Heard {
    pub(super) const fn is_repeat(self) -> bool {
        matches!(self, Self::Repeat)
    }
}

#[derive(Default)]
pub(super) struct Members {
    known: HashMap<ServerId, Member>,
}

struct Member {
    heard_at: Instant,
    numbers: Numbers,
}

impl Members {
    /// Notes a sign of life.
    pub(super) fn hear(&mut self, now: Instant, server: &ServerId, number: Option<u64>) -> Heard {
        if !self.known.contains_key(server) {
            self.make_room();
            let member = Member {
                heard_at: now,
                numbers: Numbers::default(),
            };
            self.known.insert(server.clone(), member);
        }
        let Some(member) = self.known.get_mut(server) else {
            return Heard::First;
        };
        member.heard_at = now;
        number.map_or(Heard::First, |number| member.numbers.hear(number))
    }

    fn make_room(&mut self) {
        if self.known.len() < MAX_SERVERS {
            return;
        }
        let longest = self.known.iter().min_by_key(|(_, member)| member.heard_at);
        if let Some(id) = longest.map(|(id, _)| id.clone()) {
            self.known.remove(&id);
        }
    }

    pub(super) fn remove(&mut self, server: &ServerId) {
        self.known.remove(server);
    }

    /// Notes a sign of life of a server that is known, or comes anew.
    pub(super) fn is_alive(&mut self, now: Instant, server: &ServerId) {
        self.hear(now, server, None);
    }

    /// Forgets those that have been silent for longer.
    pub(super) fn take_silent(&mut self, now: Instant, max_silence: Duration) -> Vec<ServerId> {
        let silent: Vec<_> = self
            .known
            .iter()
            .filter(|(_, member)| now.saturating_duration_since(member.heard_at) > max_silence)
            .map(|(id, _)| id.clone())
            .collect();
        for id in &silent {
            self.known.remove(id);
        }
        silent
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &ServerId> {
        self.known.keys()
    }
}

/// Which entries of a log that servers share were read, of each sender, be it there or not. What comes by a bus beside the log
/// may be far ahead of it, and is no measure of it.
#[derive(Default)]
pub(super) struct Written {
    known: HashMap<ServerId, Sender>,
    /// How often something was noted.
    noted: u64,
}

#[derive(Default)]
struct Sender {
    noted_at: u64,
    numbers: Numbers,
    /// It has said farewell, maybe ahead of what it had written.
    has_left: bool,
}

impl Written {
    /// Notes an entry.
    pub(super) fn hear(&mut self, sender: &ServerId, number: u64) -> Heard {
        self.sender(sender).numbers.hear(number)
    }

    pub(super) fn set_left(&mut self, sender: &ServerId, has_left: bool) {
        if has_left || self.known.contains_key(sender) {
            self.sender(sender).has_left = has_left;
        }
    }

    pub(super) fn has_left(&self, sender: &ServerId) -> bool {
        self.known.get(sender).is_some_and(|known| known.has_left)
    }

    /// One more than [`MAX_SERVERS`] takes the place of the one of which nothing was noted for longest.
    fn sender(&mut self, sender: &ServerId) -> &mut Sender {
        if self.known.len() >= MAX_SERVERS && !self.known.contains_key(sender) {
            let longest = self.known.iter().min_by_key(|(_, known)| known.noted_at);
            if let Some(id) = longest.map(|(id, _)| id.clone()) {
                self.known.remove(&id);
            }
        }
        self.noted = self.noted.saturating_add(1);
        let known = self.known.entry(sender.clone()).or_default();
        known.noted_at = self.noted;
        known
    }
}

/// The numbers heard among the last [`REPEAT_WINDOW`]: a ring of bits behind the highest.
#[derive(Default)]
pub(super) struct Numbers {
    highest: Option<u64>,
    heard: [u64; WORDS],
}

impl Numbers {
    pub(super) fn hear(&mut self, number: u64) -> Heard {
        let first_new = self
            .highest
            .map_or(number, |highest| highest.wrapping_add(1));
        if self.highest.is_none_or(|highest| number > highest) {
            let passed = number.wrapping_sub(first_new);
            if passed >= REPEAT_WINDOW {
                self.heard = [0; WORDS];
            } else {
                for skipped in first_new..=number {
                    self.set(skipped, false);
                }
            }
            self.highest = Some(number);
        } else if self
            .highest
            .is_some_and(|highest| highest.wrapping_sub(number) >= REPEAT_WINDOW)
            || self.is_set(number)
        {
            return Heard::Repeat;
        }
        self.set(number, true);
        Heard::First
    }

    fn place(number: u64) -> (usize, u64) {
        let at = number % REPEAT_WINDOW;
        // Below `WORDS`, which is a `usize`.
        let word = usize::try_from(at / WORD_BITS).unwrap_or_default();
        (word, 1 << (at % WORD_BITS))
    }

    fn is_set(&self, number: u64) -> bool {
        let (word, bit) = Self::place(number);
        self.heard.get(word).is_some_and(|word| word & bit != 0)
    }

    fn set(&mut self, number: u64, is_heard: bool) {
        let (word, bit) = Self::place(number);
        if let Some(word) = self.heard.get_mut(word) {
            *word = if is_heard { *word | bit } else { *word & !bit };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(number: usize) -> ServerId {
        ServerId::new(format!("{number:016x}"))
    }

    #[test]
    fn a_number_is_new_once_in_any_order_within_the_window() {
        let mut numbers = Numbers::default();
        for number in [7, 3, 5, 4, 6, REPEAT_WINDOW + 2] {
            assert_eq!(numbers.hear(number), Heard::First, "{number}");
            assert_eq!(numbers.hear(number), Heard::Repeat, "{number}");
        }
    }

    #[test]
    fn what_is_older_than_the_window_counts_as_heard() {
        let mut numbers = Numbers::default();
        assert_eq!(numbers.hear(REPEAT_WINDOW), Heard::First);
        assert_eq!(numbers.hear(1), Heard::First, "at the bound");
        assert_eq!(numbers.hear(0), Heard::Repeat, "one past it");
    }

    #[test]
    fn a_leap_forgets_the_numbers_behind_the_window_only() {
        let mut numbers = Numbers::default();
        assert_eq!(numbers.hear(10), Heard::First);
        assert_eq!(numbers.hear(10 + REPEAT_WINDOW - 1), Heard::First);
        assert_eq!(numbers.hear(10), Heard::Repeat);
        assert_eq!(numbers.hear(11), Heard::First);
        assert_eq!(numbers.hear(u64::MAX), Heard::First);
        assert_eq!(numbers.hear(u64::MAX - 1), Heard::First);
        assert_eq!(numbers.hear(12), Heard::Repeat);
    }

    #[test]
    fn of_so_many_senders_is_known_what_they_wrote() {
        let mut written = Written::default();
        for number in 0..MAX_SERVERS {
            assert_eq!(written.hear(&server(number), 1), Heard::First);
        }
        assert_eq!(written.hear(&server(0), 1), Heard::Repeat, "at the bound");
        assert_eq!(written.hear(&server(MAX_SERVERS), 1), Heard::First);
        assert_eq!(written.known.len(), MAX_SERVERS);
        assert_eq!(written.hear(&server(0), 1), Heard::Repeat);
        assert_eq!(written.hear(&server(1), 1), Heard::First, "one past it");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "some moment to begin with")]
    fn one_server_past_the_bound_replaces_the_longest_silent() {
        let (mut members, start) = (Members::default(), Instant::now());
        for number in 0..MAX_SERVERS {
            let now = start + Duration::from_secs(number as u64);
            members.hear(now, &server(number), None);
        }
        assert_eq!(members.ids().count(), MAX_SERVERS);
        let late = start + Duration::from_secs(MAX_SERVERS as u64);
        members.hear(late, &server(MAX_SERVERS), None);
        assert_eq!(members.ids().count(), MAX_SERVERS);
        assert!(!members.ids().any(|id| *id == server(0)));
        assert!(members.ids().any(|id| *id == server(MAX_SERVERS)));
    }
}
