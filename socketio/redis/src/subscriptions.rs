//! What is to be subscribed, what is, and what has to be done about it. Pure: no I/O, and time is an argument.
//!
//! ```text
//!   want / give_up ──► wanted?          take ──► one command at a time for each channel
//!   finish ──► as wanted meanwhile? if not, once more       disconnected ──► nothing is subscribed, all that is wanted is to be
//! ```
//!
//! Whatever happens between a command and its confirmation, the last state that was wanted wins.

use std::collections::{BTreeSet, HashMap};

/// How something is subscribed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Channel,
    Pattern,
    Sharded,
}

/// One subscription.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Subscription {
    pub(crate) kind: Kind,
    pub(crate) name: String,
}

impl Subscription {
    pub(crate) fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
        }
    }
}

/// A command to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) subscription: Subscription,
    /// Or unsubscribe.
    pub(crate) subscribe: bool,
}

impl Step {
    pub(crate) const fn command(&self) -> &'static str {
        match (self.subscription.kind, self.subscribe) {
            (Kind::Channel, true) => "SUBSCRIBE",
            (Kind::Channel, false) => "UNSUBSCRIBE",
            (Kind::Pattern, true) => "PSUBSCRIBE",
            (Kind::Pattern, false) => "PUNSUBSCRIBE",
            (Kind::Sharded, true) => "SSUBSCRIBE",
            (Kind::Sharded, false) => "SUNSUBSCRIBE",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Absent,
    Present,
    /// A command was sent and is not confirmed: to subscribe, or to unsubscribe.
    Busy {
        subscribe: bool,
    },
    /// The same to subscribe, and it was lost again before that was known.
    Lost,
}

#[derive(Debug)]
struct Entry {
    is_wanted: bool,
    state: State,
}

/// When to try again what was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Again<T> {
    /// It cannot be had for now.
    Soon(T),
    /// It is not allowed.
    Later(T),
}

impl<T: Copy> Again<T> {
    const fn at(self) -> T {
        match self {
            Self::Soon(at) | Self::Later(at) => at,
        }
    }
}

/// All subscriptions of a connection. `T` is a moment.
#[derive(Debug)]
pub(crate) struct Table<T> {
    entries: HashMap<Subscription, Entry>,
    /// Where something is to be done now.
    due: BTreeSet<Subscription>,
    /// What was refused, and when to try again.
    refused: HashMap<Subscription, Again<T>>,
    /// How many are wanted and not confirmed.
    missing: usize,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            due: BTreeSet::new(),
            refused: HashMap::new(),
            missing: 0,
        }
    }
}

impl<T: Copy + Ord> Table<T> {
    pub(crate) fn want(&mut self, subscription: &Subscription) {
        self.set(subscription, true);
    }

    pub(crate) fn give_up(&mut self, subscription: &Subscription) {
        self.set(subscription, false);
    }

    fn set(&mut self, subscription: &Subscription, is_wanted: bool) {
        let entry = self.entries.entry(subscription.clone()).or_insert(Entry {
            is_wanted: false,
            state: State::Absent,
        });
        if entry.is_wanted == is_wanted {
            return self.settle(subscription);
        }
        entry.is_wanted = is_wanted;
        if entry.state != State::Present {
            self.missing = match is_wanted {
                true => self.missing.saturating_add(1),
                false => self.missing.saturating_sub(1),
            };
        }
        self.refused.remove(subscription);
        self.settle(subscription);
    }

    /// Notes whether something is to be done, and forgets what is neither wanted nor there.
    fn settle(&mut self, subscription: &Subscription) {
        let Some(entry) = self.entries.get(subscription) else {
            return;
        };
        let is_due = match entry.state {
            State::Busy { .. } | State::Lost => false,
            State::Absent => entry.is_wanted && !self.refused.contains_key(subscription),
            State::Present => !entry.is_wanted && !self.refused.contains_key(subscription),
        };
        if is_due {
            self.due.insert(subscription.clone());
        } else {
            self.due.remove(subscription);
        }
        if !entry.is_wanted && entry.state == State::Absent {
            self.entries.remove(subscription);
        }
    }

    /// Takes up to `max` commands to send. Each must be [finished](Self::finish), unless the connection is lost.
    pub(crate) fn take(&mut self, now: T, max: usize) -> Vec<Step> {
        let again = |(subscription, again): (&Subscription, &Again<T>)| {
            (again.at() <= now).then(|| subscription.clone())
        };
        let again: Vec<_> = self.refused.iter().filter_map(again).collect();
        for subscription in again {
            self.refused.remove(&subscription);
            self.settle(&subscription);
        }
        let mut steps = Vec::new();
        while steps.len() < max {
            let Some(subscription) = self.due.pop_first() else {
                break;
            };
            if let Some(entry) = self.entries.get_mut(&subscription) {
                let subscribe = entry.is_wanted;
                entry.state = State::Busy { subscribe };
                steps.push(Step {
                    subscription,
                    subscribe,
                });
            }
        }
        steps
    }

    /// A command was confirmed, or refused and is to be tried again then.
    pub(crate) fn finish(&mut self, step: &Step, outcome: Result<(), Again<T>>) {
        let Some(entry) = self.entries.get_mut(&step.subscription) else {
            return;
        };
        let is_there = match outcome {
            Ok(()) => step.subscribe && entry.state != State::Lost,
            Err(_) => !step.subscribe,
        };
        entry.state = if is_there {
            State::Present
        } else {
            State::Absent
        };
        // What was being unsubscribed counts as missing from when it was wanted again.
        if is_there && entry.is_wanted {
            self.missing = self.missing.saturating_sub(1);
        }
        if let Err(again) = outcome {
            self.refused.insert(step.subscription.clone(), again);
        }
        self.settle(&step.subscription);
    }

    /// Redis ended a subscription by itself, as when a slot goes elsewhere. False if it was asked to, or there is none.
    pub(crate) fn lost(&mut self, subscription: &Subscription) -> bool {
        let Some(entry) = self.entries.get_mut(subscription) else {
            return false;
        };
        entry.state = match entry.state {
            State::Present => State::Absent,
            State::Busy { subscribe: true } => State::Lost,
            State::Busy { subscribe: false } | State::Absent | State::Lost => return false,
        };
        if entry.state == State::Absent && entry.is_wanted {
            self.missing = self.missing.saturating_add(1);
        }
        self.refused.remove(subscription);
        self.settle(subscription);
        true
    }

    /// All that is wanted.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = &Subscription> {
        let wanted = self.entries.iter().filter(|(_, entry)| entry.is_wanted);
        wanted.map(|(subscription, _)| subscription)
    }

    /// Nothing is subscribed any more.
    pub(crate) fn disconnected(&mut self) {
        self.refused.clear();
        self.due.clear();
        self.entries.retain(|_, entry| entry.is_wanted);
        self.missing = self.entries.len();
        for (subscription, entry) in &mut self.entries {
            entry.state = State::Absent;
            self.due.insert(subscription.clone());
        }
    }

    /// True when all that is wanted is confirmed.
    pub(crate) const fn is_settled(&self) -> bool {
        self.missing == 0
    }

    /// True when all that is wanted is confirmed, but what is not allowed: there is nothing to wait for.
    pub(crate) fn is_answered(&self) -> bool {
        let is_missing = |(subscription, again): &(&Subscription, &Again<T>)| {
            let entry = self.entries.get(*subscription);
            let is_missing =
                entry.is_some_and(|entry| entry.is_wanted && entry.state != State::Present);
            is_missing && matches!(again, Again::Later(_))
        };
        self.missing == self.refused.iter().filter(is_missing).count()
    }

    pub(crate) fn is_wanted(&self, subscription: &Subscription) -> bool {
        let entry = self.entries.get(subscription);
        entry.is_some_and(|entry| entry.is_wanted)
    }

    /// Whether it is subscribed, and wanted.
    pub(crate) fn is_confirmed(&self, subscription: &Subscription) -> bool {
        let entry = self.entries.get(subscription);
        entry.is_some_and(|entry| entry.is_wanted && entry.state == State::Present)
    }

    /// Whether it is to be confirmed, and was not refused.
    pub(crate) fn is_awaited(&self, subscription: &Subscription) -> bool {
        let entry = self.entries.get(subscription);
        entry.is_some_and(|entry| entry.is_wanted && entry.state != State::Present)
            && !self.refused.contains_key(subscription)
    }

    /// When something that was refused is to be tried again.
    pub(crate) fn next_retry(&self) -> Option<T> {
        self.refused.values().map(|again| again.at()).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room() -> Subscription {
        Subscription::new(Kind::Sharded, "p#/#room#")
    }

    fn step(subscribe: bool) -> Step {
        Step {
            subscription: room(),
            subscribe,
        }
    }

    #[test]
    fn what_is_wanted_is_subscribed_once() {
        let mut table = Table::<u32>::default();
        assert!(table.is_settled());
        table.want(&room());
        table.want(&room());
        assert!(!table.is_settled());
        assert_eq!(table.take(0, 9), [step(true)]);
        assert_eq!(table.take(0, 9), []);
        assert!(!table.is_settled(), "not before it is confirmed");
        table.finish(&step(true), Ok(()));
        assert!(table.is_settled());
        assert_eq!(table.take(0, 9), []);
        table.give_up(&room());
        assert_eq!(table.take(0, 9), [step(false)]);
        table.finish(&step(false), Ok(()));
        assert_eq!(table.take(0, 9), []);
        assert!(
            table.entries.is_empty() && table.is_settled(),
            "nothing is kept"
        );
    }

    #[test]
    fn one_command_is_on_its_way_for_each_channel_and_the_last_state_wins() {
        let mut table = Table::<u32>::default();
        table.want(&room());
        assert_eq!(table.take(0, 9), [step(true)]);
        table.give_up(&room());
        table.want(&room());
        table.give_up(&room());
        assert_eq!(table.take(0, 9), [], "its first command is not confirmed");
        table.finish(&step(true), Ok(()));
        assert_eq!(table.take(0, 9), [step(false)]);
        table.want(&room());
        assert!(!table.is_settled(), "it is about to be gone");
        table.finish(&step(false), Ok(()));
        assert!(!table.is_settled());
        assert_eq!(table.take(0, 9), [step(true)]);
        table.finish(&step(true), Ok(()));
        assert!(table.is_settled());
    }

    #[test]
    fn what_is_left_before_it_was_sent_is_never_sent() {
        let mut table = Table::<u32>::default();
        table.want(&room());
        table.give_up(&room());
        assert_eq!(table.take(0, 9), []);
        assert!(table.is_settled() && table.entries.is_empty());
    }

    #[test]
    fn what_is_refused_is_tried_again_later() {
        let mut table = Table::<u32>::default();
        table.want(&room());
        assert!(!table.is_answered());
        let steps = table.take(0, 9);
        assert!(!table.is_answered());
        table.finish(&steps[0], Err(Again::Soon(3)));
        assert!(!table.is_answered(), "it may be there soon");
        let steps = table.take(3, 9);
        table.finish(&steps[0], Err(Again::Later(5)));
        assert_eq!(table.next_retry(), Some(5));
        assert!(!table.is_settled());
        assert!(table.is_answered(), "nothing will come of waiting");
        let other = Subscription::new(Kind::Pattern, "p#/#*");
        table.want(&other);
        assert!(!table.is_answered());
        let allowed = table.take(4, 9);
        table.finish(&allowed[0], Ok(()));
        assert!(table.is_confirmed(&other) && !table.is_confirmed(&room()));
        assert!(table.is_answered());
        assert_eq!(table.take(4, 9), []);
        assert_eq!(table.take(5, 9), [step(true)]);
        table.finish(&steps[0], Err(Again::Later(9)));
        assert!(table.is_answered());
        table.give_up(&room());
        assert!(table.is_answered() && table.is_settled());
        assert_eq!(table.take(9, 9), [], "nobody wants it any more");
        assert_eq!(table.next_retry(), None);
    }

    #[test]
    fn all_is_subscribed_again_after_a_cut() {
        let mut table = Table::<u32>::default();
        let other = Subscription::new(Kind::Pattern, "p#/#*");
        table.want(&room());
        table.want(&other);
        for step in table.take(0, 9) {
            table.finish(&step, Ok(()));
        }
        table.give_up(&room());
        let lost = table.take(0, 9);
        table.disconnected();
        assert!(!table.is_settled());
        let again = table.take(0, 9);
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].subscription, other);
        // What was on its way over the lost connection means nothing any more.
        table.finish(&lost[0], Ok(()));
        table.finish(&again[0], Ok(()));
        assert!(table.is_settled());
    }

    #[test]
    fn what_redis_ends_by_itself_is_subscribed_again() {
        let mut table = Table::<u32>::default();
        assert!(!table.lost(&room()), "there is none");
        table.want(&room());
        let subscribe = table.take(0, 9);
        // Before it was known that it was there.
        assert!(table.lost(&room()));
        table.finish(&subscribe[0], Ok(()));
        assert!(!table.is_settled());
        assert_eq!(table.take(0, 9), [step(true)]);
        table.finish(&step(true), Ok(()));
        assert!(table.is_settled());
        assert!(table.lost(&room()));
        assert!(!table.is_settled());
        assert_eq!(table.take(0, 9), [step(true)]);
        table.finish(&step(true), Ok(()));
        table.give_up(&room());
        assert_eq!(table.take(0, 9), [step(false)]);
        assert!(!table.lost(&room()), "as it was asked to");
        table.finish(&step(false), Ok(()));
        assert!(table.is_settled() && table.entries.is_empty());
    }

    #[test]
    fn a_batch_has_a_bound() {
        let mut table = Table::<u32>::default();
        for number in 0..10 {
            table.want(&Subscription::new(Kind::Sharded, number.to_string()));
        }
        assert_eq!(table.take(0, 4).len(), 4);
        assert_eq!(table.take(0, 4).len(), 4);
        assert_eq!(table.take(0, 4).len(), 2);
    }

    /// Any order of wishes, confirmations, refusals and cuts ends where the last wish was.
    #[test]
    fn whatever_happens_the_last_wish_comes_true() {
        let mut draws = crate::draws::Draws::new();
        let mut below = |bound| draws.below(bound);
        for _ in 0..500 {
            let mut table = Table::<u32>::default();
            let (mut there, mut wanted) = ([false; 3], [false; 3]);
            let name = |index: usize| Subscription::new(Kind::Sharded, index.to_string());
            let mut on_the_way: Vec<Step> = Vec::new();
            let mut now = 0;
            for _ in 0..60 {
                let index = usize::from(below(3));
                match below(6) {
                    0 | 1 => {
                        wanted[index] = true;
                        table.want(&name(index));
                    }
                    2 => {
                        wanted[index] = false;
                        table.give_up(&name(index));
                    }
                    3 => on_the_way.extend(table.take(now, 2)),
                    4 if !on_the_way.is_empty() => {
                        let step = on_the_way.remove(0);
                        if below(4) == 0 {
                            table.finish(&step, Err(Again::Soon(now + 1)));
                        } else {
                            let index: usize = step.subscription.name.parse().unwrap();
                            there[index] = step.subscribe;
                            table.finish(&step, Ok(()));
                        }
                    }
                    5 if below(10) == 0 => {
                        table.disconnected();
                        on_the_way.clear();
                        there = [false; 3];
                    }
                    _ => now += 1,
                }
                let all_there = (0..3).all(|index| !wanted[index] || there[index]);
                if table.is_settled() {
                    let busy = on_the_way.iter().any(|step| !step.subscribe);
                    assert!(all_there || busy);
                }
            }
            loop {
                now += 10;
                on_the_way.extend(table.take(now, 9));
                if on_the_way.is_empty() {
                    break;
                }
                for step in on_the_way.drain(..) {
                    let index: usize = step.subscription.name.parse().unwrap();
                    there[index] = step.subscribe;
                    table.finish(&step, Ok(()));
                }
            }
            assert_eq!(there, wanted);
            assert!(table.is_settled());
        }
    }
}
