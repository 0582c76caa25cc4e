//! The report for a terminal.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::made::reference;
use super::{Report, Status};
use crate::case::Level;

pub(super) fn write(report: &Report) -> String {
    let mut out = String::new();
    let mut not_run = BTreeMap::new();
    for outcome in &report.outcomes {
        let rules = outcome.rules.join(" ");
        match &outcome.status {
            Status::Passed => {}
            Status::Failed { message, trace } => {
                let _ = writeln!(out, "FAILED {} {}  [{rules}]", outcome.level, outcome.id);
                let _ = writeln!(out, "  {}\n  {message}", outcome.at);
                for line in trace {
                    let _ = writeln!(out, "    {line}");
                }
            }
            Status::NotRun { reason } => *not_run.entry(reason).or_insert(0_usize) += 1,
        }
    }
    for (reason, count) in not_run {
        let _ = writeln!(out, "NOT RUN {count} cases: {reason}");
    }
    if let Some(leak) = &report.leak {
        let _ = writeln!(out, "LEAK {leak}");
    }
    let _ = writeln!(out, "{}", report.server);
    if let Some(made) = &report.made {
        let _ = writeln!(out, "  {}", made.line());
    }
    for level in [Level::Must, Level::Should] {
        let of_level = || report.outcomes.iter().filter(move |one| one.level == level);
        let failed = of_level().filter(|one| one.status.is_failed()).count();
        let passed = of_level()
            .filter(|one| one.status == Status::Passed)
            .count();
        let missing = of_level().count() - failed - passed;
        let _ = writeln!(
            out,
            "  {level:<6} {passed:>4} passed {failed:>4} failed {missing:>4} not run"
        );
    }
    for outcome in &report.outcomes {
        if outcome.attempts > 1 && outcome.status == Status::Passed {
            let _ = writeln!(out, "  passed only when run again: {}", outcome.id);
        }
    }
    if report.failures().next().is_some() {
        let _ = writeln!(
            out,
            "  failed: differs there from {}; what that means to clients varies, see the rule in spec/PROTOCOL.md",
            reference()
        );
    }
    out
}
