//! The table of the pairs.

use std::fmt::Write as _;
use std::time::Duration;

use super::options::Options;
use super::pair::Pair;
use crate::compare::report::{digits, median};
use crate::load::cluster::{Rate, Round};

/// What a pair showed.
pub(super) struct Figures {
    pub(super) pair: Pair,
    pub(super) rounds: Vec<Round>,
    pub(super) most: Option<Rate>,
    pub(super) half: Option<Rate>,
}

impl Figures {
    pub(super) fn new(pair: Pair) -> Self {
        Self {
            pair,
            rounds: Vec::new(),
            most: None,
            half: None,
        }
    }

    fn cost(&self, of: impl Fn(&Round) -> f64) -> String {
        let all: Vec<f64> = self.rounds.iter().map(of).collect();
        median(&all).map_or_else(
            || "–".to_owned(),
            // A difference of two measurements may come out below nothing.
            |micros| format!("{} µs", digits(micros.max(0.0))),
        )
    }
}

type OfRound = fn(&Round) -> f64;

type Line<'o> = (String, Box<dyn Fn(&Figures) -> String + 'o>);

fn lines(options: &Options) -> Vec<Line<'_>> {
    let members = options.members;
    let costs: [(String, OfRound); 5] = [
        ("the sender, for each broadcast".into(), |round| {
            round.heard.first()
        }),
        ("of that, what only a cluster costs".into(), |round| {
            round.unheard.first() - round.local.first()
        }),
        (
            format!("the other server, {members} clients in the room"),
            |round| round.heard.second(),
        ),
        ("the other server, nobody in the room".into(), |round| {
            round.unheard.second()
        }),
        ("Redis".into(), |round| round.heard.redis()),
    ];
    let mut lines: Vec<Line<'_>> = Vec::new();
    for (title, of) in costs {
        lines.push((title, Box::new(move |figures| figures.cost(of))));
    }
    lines.push((
        "broadcasts a second until queues grow".into(),
        Box::new(|figures| {
            figures.most.as_ref().map_or_else(String::new, |most| {
                let (rate, load) = (most.rate, most.second_load * 100.0);
                format!("{rate:.0} ({load:.0} % of its core)")
            })
        }),
    ));
    for percent in [50, 99] {
        lines.push((
            format!("latency at half of that, {percent} of 100 within"),
            Box::new(move |figures| {
                let half = figures.half.as_ref();
                let latency = half.and_then(|half| half.latencies.percentile(percent));
                latency.map_or_else(String::new, millis)
            }),
        ));
    }
    lines
}

fn millis(latency: Duration) -> String {
    format!("{} ms", digits(latency.as_secs_f64() * 1000.0))
}

/// As Markdown.
pub(super) fn render(options: &Options, machine: &str, figures: &[Figures]) -> String {
    let mut out = format!(
        "{machine}; {} rounds of {:?}\n\n| |",
        options.rounds, options.time
    );
    for figures in figures {
        let _ = write!(out, " {} |", figures.pair.name());
    }
    let _ = write!(out, "\n|---|{}\n", "---|".repeat(figures.len()));
    for (title, of) in lines(options) {
        let _ = write!(out, "| {title} |");
        for figures in figures {
            let _ = write!(out, " {} |", of(figures));
        }
        out.push('\n');
    }
    out.push_str("\nProcessor time in user space and the kernel, medians of the rounds.");
    out
}
