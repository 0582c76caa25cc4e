//! From samples to a table.

use std::fmt::Write as _;

use super::layer::Layer;
use super::options::Options;
use super::scenarios::{Goal, LEFT_BEHIND_MAX, P99_MAX, Spec, VALIDITY, VALIDITY_MAX};
use super::servers::ServerKind;
use crate::load::Sample;

struct Entry {
    spec: &'static Spec,
    kind: ServerKind,
    sample: Sample,
}

/// All samples of a run.
pub(super) struct Report {
    servers: Vec<ServerKind>,
    entries: Vec<Entry>,
}

/// One line of the table: something that a sample shows.
struct Measure {
    title: String,
    unit: &'static str,
    goal: Goal,
    of: fn(&Sample) -> Option<f64>,
}

impl Measure {
    /// What a scenario's samples show.
    fn all(spec: &Spec) -> Vec<Self> {
        if spec.needs_fresh_server() {
            let mut all = vec![Self {
                title: spec.title.to_owned(),
                unit: "B",
                goal: spec.goal,
                of: bytes_per_connection,
            }];
            // What TLS and zlib leave behind is for their libraries to say.
            if spec.layer == Layer::Plain {
                all.push(Self {
                    title: "resident bytes when they have left".to_owned(),
                    unit: "MiB",
                    goal: Goal::Absolute(LEFT_BEHIND_MAX / MIB),
                    of: left_behind,
                });
            }
            return all;
        }
        let mut all = vec![Self {
            title: spec.title.to_owned(),
            unit: "µs",
            goal: spec.goal,
            of: |sample| Some(sample.nanos_per_unit() / 1000.0),
        }];
        if spec.name == VALIDITY {
            all.push(Self {
                title: "its latency, 99 of 100 within".to_owned(),
                unit: "µs",
                goal: Goal::Floor(P99_MAX),
                of: p99,
            });
        }
        all
    }
}

const MIB: f64 = 1024.0 * 1024.0;

fn p99(sample: &Sample) -> Option<f64> {
    Some(sample.latencies.percentile(99)?.as_secs_f64() * 1e6)
}

#[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 bytes")]
fn bytes_per_connection(sample: &Sample) -> Option<f64> {
    let [before, held, _] = sample.resident?;
    Some(held.saturating_sub(before) as f64 / sample.units.max(1) as f64)
}

#[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 bytes")]
fn left_behind(sample: &Sample) -> Option<f64> {
    let [_, _, after] = sample.resident?;
    Some(after as f64 / MIB)
}

impl Report {
    pub(super) fn new(servers: Vec<ServerKind>) -> Self {
        Self {
            servers,
            entries: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, spec: &'static Spec, kind: ServerKind, sample: Sample) {
        self.entries.push(Entry { spec, kind, sample });
    }

    /// What one server's samples show, a value for each round.
    fn values(&self, spec: &Spec, kind: ServerKind, of: fn(&Sample) -> Option<f64>) -> Vec<f64> {
        self.entries
            .iter()
            .filter(|entry| entry.spec.name == spec.name && entry.kind == kind)
            .filter_map(|entry| of(&entry.sample))
            .collect()
    }

    /// The whole report, as Markdown.
    pub(super) fn render(&self, options: &Options, machine: &str) -> String {
        let mut out = format!(
            "{machine}; {} rounds of {:?}\n\n",
            options.rounds, options.time
        );
        out.push_str("| |");
        for kind in &self.servers {
            let _ = write!(out, " {} |", kind.name());
        }
        out.push_str(" ours / floor | ours / socketioxide | target | |\n|---|");
        out.push_str(&"---|".repeat(self.servers.len() + 4));
        out.push('\n');
        let mut specs: Vec<&Spec> = Vec::new();
        for entry in &self.entries {
            if !specs.iter().any(|spec| spec.name == entry.spec.name) {
                specs.push(entry.spec);
            }
        }
        for spec in &specs {
            for measure in Measure::all(spec) {
                self.render_measure(&mut out, spec, &measure);
            }
        }
        self.render_flavors(&mut out, &specs);
        let _ = write!(
            out,
            "\nServer's processor time for each unit; median of the rounds ± half the range. {}",
            self.validity()
        );
        out
    }

    /// What more than one thread costs, where servers with more took part.
    fn render_flavors(&self, out: &mut String, specs: &[&Spec]) {
        let kinds = self.servers.iter();
        for (kind, most) in kinds.filter_map(|kind| Some((*kind, kind.flavor_max()?))) {
            for spec in specs.iter().filter(|spec| !spec.needs_fresh_server()) {
                let of = |sample: &Sample| Some(sample.nanos_per_unit());
                let values = |kind| self.values(spec, kind, of);
                let Some(ratio) = ratio(&values(kind), &values(ServerKind::Ours)) else {
                    continue;
                };
                let verdict = if ratio <= most {
                    "reached"
                } else {
                    "**missed**"
                };
                let (name, title) = (kind.name(), spec.title);
                let _ = writeln!(
                    out,
                    "\n{name}, {title}: {ratio:.2} × one thread, target ≤ {most} ×, {verdict}"
                );
            }
        }
    }

    fn render_measure(&self, out: &mut String, spec: &Spec, measure: &Measure) {
        let values = |kind| self.values(spec, kind, measure.of);
        let _ = write!(out, "| {} |", measure.title);
        for kind in &self.servers {
            let _ = match spread(&values(*kind)) {
                Some((middle, half)) => write!(
                    out,
                    " {} {} ±{:.0} % |",
                    digits(middle),
                    measure.unit,
                    half * 100.0
                ),
                None => write!(out, " – |"),
            };
        }
        let ours = values(ServerKind::Ours);
        let to_floor = ratio(&ours, &values(ServerKind::Floor));
        let to_peer = ratio(&ours, &values(ServerKind::Socketioxide));
        for ratio in [to_floor, to_peer] {
            let _ = match ratio {
                Some(ratio) => write!(out, " {ratio:.2} |"),
                None => write!(out, " – |"),
            };
        }
        let within = |kind, most| ratio(&ours, &values(kind)).map(|it| it <= most);
        let (target, reached) = match measure.goal {
            Goal::Floor(most) => (format!("≤ {most} × floor"), to_floor.map(|it| it <= most)),
            Goal::Socketioxide(most) => (
                format!("≤ {most} × socketioxide"),
                to_peer.map(|it| it <= most),
            ),
            Goal::Node(most) => (format!("≤ {most} × node"), within(ServerKind::Node, most)),
            Goal::Nginx(most) => (
                format!("≤ {most} × behind nginx"),
                within(ServerKind::OursNginx, most),
            ),
            Goal::Absolute(most) => (
                format!("≤ {most} {}", measure.unit),
                median(&ours).map(|it| it <= most),
            ),
        };
        let verdict = match reached {
            Some(true) => "reached",
            Some(false) => "**missed**",
            None => "–",
        };
        let _ = writeln!(out, " {target} | {verdict} |");
    }

    /// Whether the floor was low enough for the ratios to mean something.
    fn validity(&self) -> String {
        let of = |sample: &Sample| Some(sample.nanos_per_unit());
        let values = |kind| {
            self.entries
                .iter()
                .filter(|entry| entry.spec.name == VALIDITY && entry.kind == kind)
                .filter_map(|entry| of(&entry.sample))
                .collect::<Vec<f64>>()
        };
        match ratio(
            &values(ServerKind::Floor),
            &values(ServerKind::Socketioxide),
        ) {
            Some(share) if share <= VALIDITY_MAX => format!(
                "Valid: the floor costs {share:.2} of socketioxide on the small echo, at most {VALIDITY_MAX} is asked."
            ),
            Some(share) => format!(
                "**Not valid**: the floor costs {share:.2} of socketioxide on the small echo, at most {VALIDITY_MAX} is asked."
            ),
            None => {
                format!("Validity unknown: `{VALIDITY}` did not run with floor and socketioxide.")
            }
        }
    }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let sorted = sorted(values);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get(sorted.len().saturating_sub(1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

/// The median, and half the range as a share of it.
fn spread(values: &[f64]) -> Option<(f64, f64)> {
    let sorted = sorted(values);
    let (low, high) = (sorted.first()?, sorted.last()?);
    let middle = median(values)?;
    Some((middle, (high - low) / 2.0 / middle.max(f64::MIN_POSITIVE)))
}

/// The median of the rounds' ratios: neighbours in time are compared, so a slow minute hits both.
fn ratio(values: &[f64], to: &[f64]) -> Option<f64> {
    let ratios: Vec<f64> = values.iter().zip(to).map(|(a, b)| a / b).collect();
    median(&ratios)
}

pub(crate) fn digits(value: f64) -> String {
    match value {
        _ if value >= 100.0 => format!("{value:.0}"),
        _ if value >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_counts() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0]), Some(2.5));
        assert_eq!(spread(&[1.0, 2.0, 3.0]), Some((2.0, 0.5)));
    }

    #[test]
    fn a_ratio_compares_rounds_and_not_totals() {
        // A slow second round for both changes nothing.
        assert_eq!(ratio(&[2.0, 20.0, 2.0], &[1.0, 10.0, 1.0]), Some(2.0));
        assert_eq!(ratio(&[1.0], &[]), None);
    }
}
