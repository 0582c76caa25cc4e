//! The report as JUnit XML.

use std::fmt::Write as _;

use super::{Report, Status};

pub(super) fn write(report: &Report) -> String {
    let failed = report.failures().count();
    let is_skipped = |status: &Status| matches!(status, Status::NotRun { .. });
    let skipped = report
        .outcomes
        .iter()
        .filter(|outcome| is_skipped(&outcome.status))
        .count();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = write!(
        out,
        "<testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\" skipped=\"{skipped}\"",
        escaped(&report.server),
        report.outcomes.len()
    );
    if let Some(made) = &report.made {
        let _ = write!(
            out,
            " timestamp=\"{}\" time=\"{}\"",
            escaped(&made.at),
            made.seconds
        );
    }
    out.push_str(">\n");
    for outcome in &report.outcomes {
        let (area, name) = outcome.id.split_once('/').unwrap_or(("", &outcome.id));
        let seconds = format!(
            "{}.{:03}",
            outcome.took_millis / 1000,
            outcome.took_millis % 1000
        );
        let _ = write!(
            out,
            "  <testcase classname=\"{}\" name=\"{} [{}]\" time=\"{seconds}\"",
            escaped(area),
            escaped(name),
            escaped(&outcome.rules.join(" "))
        );
        let _ = match &outcome.status {
            Status::Passed => writeln!(out, "/>"),
            Status::Failed { message, trace } => writeln!(
                out,
                "><failure message=\"{}\">{}</failure></testcase>",
                escaped(message),
                escaped(&trace.join("\n"))
            ),
            Status::NotRun { reason } => writeln!(
                out,
                "><skipped message=\"{}\"/></testcase>",
                escaped(reason)
            ),
        };
    }
    out.push_str("</testsuite>\n");
    out
}

/// XML has no way to write control characters; traces are escaped before, messages may hold some.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push('\n'),
            control if control.is_control() => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}
