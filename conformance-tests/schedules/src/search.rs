//! Which schedules are tried, and in which order.
//!
//! By itself a thread runs on until it is blocked; then the first that can run does. A schedule is written as what it
//! does otherwise. Most races need one or two preemptions (switches away from a thread that could have run on), and there are
//! polynomially many schedules with so few, so all of them are tried: first those without any, then with one, and so on.
//! What fails therefore fails with as few preemptions as it can.

use std::fmt;
use std::str::FromStr;

/// How one execution went: where it did not go on by itself, and with which thread instead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule(Vec<(usize, usize)>);

impl Schedule {
    pub(crate) fn push(&mut self, step: usize, thread: usize) {
        self.0.push((step, thread));
    }
}

impl fmt::Display for Schedule {
    /// `12:2,30:1`: at the 12th step thread 2 goes on, at the 30th thread 1.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (step, thread)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{step}:{thread}")?;
        }
        Ok(())
    }
}

/// The text is no schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSchedule;

impl FromStr for Schedule {
    type Err = NoSchedule;

    fn from_str(text: &str) -> Result<Self, NoSchedule> {
        let number = |digits: &str| digits.trim().parse().map_err(|_| NoSchedule);
        let parts = text.split(',').filter(|part| !part.trim().is_empty());
        let switches = parts.map(|part| {
            let (step, thread) = part.split_once(':').ok_or(NoSchedule)?;
            Ok((number(step)?, number(thread)?))
        });
        switches.collect::<Result<_, _>>().map(Self)
    }
}

/// Who may run next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Never empty; first who does by itself.
    pub(crate) threads: Vec<usize>,
    /// Any other than the first would be a preemption.
    pub(crate) is_preemptive: bool,
}

impl Options {
    /// `runnable` are those who can run, in ascending order, and `current` is who has run until now.
    pub(crate) fn new(runnable: &[usize], current: Option<usize>, is_yielding: bool) -> Self {
        let current = current.filter(|id| runnable.contains(id));
        let others = |but| runnable.iter().copied().filter(move |id| *id != but);
        let (threads, is_preemptive) = match current {
            Some(current) if !is_yielding => {
                let first = std::iter::once(current);
                (first.chain(others(current)).collect(), true)
            }
            // Who yields in vain runs on all the same.
            Some(current) if runnable.len() > 1 => (others(current).collect(), false),
            _ => (runnable.to_vec(), false),
        };
        Self {
            threads,
            is_preemptive,
        }
    }
}

#[derive(Debug)]
struct Choice {
    options: Options,
    picked: usize,
    /// How many preemptions there were before it.
    preemptions: usize,
}

impl Choice {
    fn preemptions_with_it(&self) -> usize {
        self.preemptions + usize::from(self.options.is_preemptive && self.picked > 0)
    }
}

/// Goes through all schedules of a model within a number of preemptions, depth first.
#[derive(Debug)]
pub(crate) struct Search {
    max_preemptions: usize,
    /// Of the round that is gone through just now.
    preemptions: usize,
    path: Vec<Choice>,
    /// How many of them the execution has come to.
    step: usize,
    is_begun: bool,
}

impl Search {
    pub(crate) fn new(max_preemptions: usize) -> Self {
        Self {
            max_preemptions,
            preemptions: 0,
            path: Vec::new(),
            step: 0,
            is_begun: false,
        }
    }

    /// Goes on to the next schedule; false when there is none.
    pub(crate) fn begin(&mut self) -> bool {
        self.step = 0;
        if !self.is_begun {
            self.is_begun = true;
            return true;
        }
        while let Some(last) = self.path.last_mut() {
            let may_switch = !last.options.is_preemptive || last.preemptions < self.preemptions;
            if may_switch && last.picked + 1 < last.options.threads.len() {
                last.picked += 1;
                return true;
            }
            self.path.pop();
        }
        if self.preemptions == self.max_preemptions {
            return false;
        }
        self.preemptions += 1;
        true
    }

    /// Who runs next.
    pub(crate) fn choose(&mut self, options: &Options) -> usize {
        let step = self.step;
        self.step += 1;
        let Some(known) = self.path.get(step) else {
            let preemptions = self.path.last().map_or(0, Choice::preemptions_with_it);
            self.path.push(Choice {
                options: options.clone(),
                picked: 0,
                preemptions,
            });
            return options.threads[0];
        };
        assert!(
            known.options == *options,
            "the model does not do the same under the same schedule: at step {step} {:?} could run, and {:?} before",
            options.threads,
            known.options.threads
        );
        known.options.threads[known.picked]
    }
}

/// Runs one schedule again.
#[derive(Debug)]
pub(crate) struct Replay {
    schedule: Schedule,
    step: usize,
    is_begun: bool,
}

impl Replay {
    pub(crate) fn new(schedule: Schedule) -> Self {
        Self {
            schedule,
            step: 0,
            is_begun: false,
        }
    }

    /// True once.
    pub(crate) fn begin(&mut self) -> bool {
        !std::mem::replace(&mut self.is_begun, true)
    }

    pub(crate) fn choose(&mut self, options: &Options) -> usize {
        let step = self.step;
        self.step += 1;
        let switch = self.schedule.0.iter().find(|(at, _)| *at == step);
        let Some(&(_, thread)) = switch else {
            return options.threads[0];
        };
        assert!(
            options.threads.contains(&thread),
            "the schedule is not of this model: at step {step} thread {thread} cannot run"
        );
        thread
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Threads that take so many steps each, all runnable from the beginning to their end.
    fn schedules_of(lengths: &[usize], preemptions: usize) -> Vec<Vec<usize>> {
        let mut search = Search::new(preemptions);
        let mut seen = Vec::new();
        while search.begin() {
            let mut left = lengths.to_vec();
            let (mut order, mut current) = (Vec::new(), None);
            loop {
                let runnable: Vec<usize> = (0..left.len()).filter(|id| left[*id] > 0).collect();
                if runnable.is_empty() {
                    break;
                }
                let next = search.choose(&Options::new(&runnable, current, false));
                left[next] -= 1;
                order.push(next);
                current = Some(next);
            }
            seen.push(order);
        }
        seen
    }

    /// Switches away from a thread that had steps left.
    fn preemptions_of(order: &[usize]) -> usize {
        let pairs = order.windows(2).enumerate();
        pairs
            .filter(|(at, pair)| pair[0] != pair[1] && order[at + 2..].contains(&pair[0]))
            .count()
    }

    #[test]
    fn every_schedule_within_the_preemptions_is_tried_and_none_beyond() {
        let all: BTreeSet<Vec<usize>> = schedules_of(&[3, 3], 9).into_iter().collect();
        assert_eq!(all.len(), 20, "six steps, three of them the first's");
        for preemptions in 0..4 {
            let seen: BTreeSet<Vec<usize>> =
                schedules_of(&[3, 3], preemptions).into_iter().collect();
            let expected = all
                .iter()
                .filter(|order| preemptions_of(order) <= preemptions);
            assert!(seen.iter().eq(expected), "{preemptions}: {seen:?}");
        }
    }

    #[test]
    fn what_needs_few_preemptions_comes_first() {
        let seen = schedules_of(&[4, 4, 2], 2);
        let first_with = |count| seen.iter().position(|order| preemptions_of(order) == count);
        assert!(first_with(0) < first_with(1) && first_with(1) < first_with(2));
        let before = &seen[..first_with(2).unwrap()];
        let with_one: BTreeSet<_> = seen
            .iter()
            .filter(|order| preemptions_of(order) == 1)
            .collect();
        let found = before.iter().filter(|order| preemptions_of(order) == 1);
        assert_eq!(found.collect::<BTreeSet<_>>(), with_one);
    }

    #[test]
    fn who_yields_gives_way_if_there_is_anybody() {
        let options = |runnable: &[usize]| Options::new(runnable, Some(0), true);
        assert_eq!(options(&[0, 1]).threads, [1]);
        assert_eq!(options(&[0]).threads, [0]);
    }

    #[test]
    fn a_schedule_is_read_as_it_is_written() {
        for text in ["", "3:1", "12:2,30:1"] {
            assert_eq!(text.parse::<Schedule>().unwrap().to_string(), text);
        }
        for text in ["3", "3:", ":1", "a:1", "3:1;4:0"] {
            assert_eq!(text.parse::<Schedule>(), Err(NoSchedule), "{text}");
        }
    }
}
