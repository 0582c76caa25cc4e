//! The report as one self-contained page: rules as rows, servers as columns, cases and traces on click.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Outcome, Report, Status};
use crate::case::Level;

const STYLE: &str = include_str!("page.css");

pub(super) fn write(reports: &[Report]) -> String {
    let mut page = String::new();
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Engine.IO and Socket.IO conformance</title>\n<style>\n{STYLE}</style></head>\n\
         <body style=\"--servers: {}\">\n<h1>Engine.IO and Socket.IO conformance</h1>\n\
         <p>Each row is a rule of the protocol, each column a server. A row opens on click and shows the rule, its cases, and \
         for each failed one what was sent, what was expected and what came.</p>\n",
        reports.len()
    );
    totals(&mut page, reports);
    page.push_str(
        "<div class=\"controls\"><div><label><input type=\"checkbox\" id=\"failed\"> only rules with failures</label>\
         <label><input type=\"checkbox\" id=\"must\"> only MUST</label></div>\n",
    );
    header(&mut page, reports);
    page.push_str("</div>\n");
    let rules = Rules::of(reports);
    for (area, ids) in &rules.areas {
        let _ = writeln!(page, "<section><h2>{}</h2>", escaped(area));
        for id in ids {
            rules.write_row(&mut page, id, reports);
        }
        page.push_str("</section>\n");
    }
    page.push_str("</body></html>\n");
    page
}

fn totals(page: &mut String, reports: &[Report]) {
    page.push_str("<div class=\"totals\">\n");
    for report in reports {
        let _ = write!(
            page,
            "<div class=\"total\"><b>{}</b>",
            escaped(&report.server)
        );
        for level in [Level::Must, Level::Should] {
            let of_level = || report.outcomes.iter().filter(|one| one.level == level);
            let passed = of_level()
                .filter(|one| one.status == Status::Passed)
                .count();
            let class = match (passed == of_level().count(), level) {
                (true, _) => "passed",
                (false, Level::Must) => "failed",
                (false, Level::Should) => "advice",
            };
            let _ = write!(
                page,
                "<span class=\"{class}\">{level} {passed} of {}</span>",
                of_level().count()
            );
        }
        if let Some(leak) = &report.leak {
            let _ = write!(page, "<div class=\"failed\">{}</div>", escaped(leak));
        }
        page.push_str("</div>\n");
    }
    page.push_str("</div>\n");
}

fn header(page: &mut String, reports: &[Report]) {
    page.push_str("<div class=\"row head\"><span>rule</span><span class=\"level\">level</span>");
    for report in reports {
        let _ = write!(page, "<span>{}</span>", escaped(&report.server));
    }
    page.push_str("</div>\n");
}

/// The rules that the reports speak of, and the text of each.
struct Rules {
    /// Area and its rules, in the order of the specification.
    areas: Vec<(String, Vec<String>)>,
    texts: BTreeMap<String, String>,
}

impl Rules {
    fn of(reports: &[Report]) -> Self {
        let (order, texts) = specification();
        let mut areas: Vec<(String, Vec<String>)> = Vec::new();
        for id in order {
            let is_checked = |outcome: &Outcome| outcome.rules.contains(&id);
            if !reports
                .iter()
                .any(|report| report.outcomes.iter().any(is_checked))
            {
                continue;
            }
            let area = id
                .rsplit_once('-')
                .map_or(id.as_str(), |(area, _)| area)
                .to_owned();
            match areas.last_mut() {
                Some((last, ids)) if *last == area => ids.push(id),
                _ => areas.push((area, vec![id])),
            }
        }
        Self { areas, texts }
    }

    fn write_row(&self, page: &mut String, id: &str, reports: &[Report]) {
        let of_rule = |report: &Report| -> Vec<Outcome> {
            let mine = report.outcomes.iter();
            mine.filter(|one| one.rules.iter().any(|rule| rule == id))
                .cloned()
                .collect()
        };
        let columns: Vec<Vec<Outcome>> = reports.iter().map(of_rule).collect();
        let is_must = columns.iter().flatten().any(|one| one.level == Level::Must);
        let is_clean = columns
            .iter()
            .flatten()
            .all(|one| one.status == Status::Passed);
        let level = if is_must { "MUST" } else { "SHOULD" };
        let _ = write!(
            page,
            "<details class=\"{} {}\"><summary class=\"row\"><span class=\"rule\"><span class=\"id\">{}</span> {}</span>\
             <span class=\"level\">{level}</span>",
            if is_clean { "clean" } else { "unclean" },
            if is_must { "binding" } else { "lesser" },
            escaped(id),
            escaped(self.texts.get(id).map_or("", String::as_str)),
        );
        for column in &columns {
            let (class, text) = mark(column);
            let _ = write!(page, "<span class=\"mark {class}\">{text}</span>");
        }
        page.push_str("</summary><div class=\"inside\">\n");
        if let Some(text) = self.texts.get(id) {
            let _ = write!(page, "<p>{}</p>", escaped(text));
        }
        page.push_str("<ul>");
        for (report, column) in reports.iter().zip(&columns) {
            write_cases(page, &report.server, column);
        }
        page.push_str("</ul></div></details>\n");
    }
}

/// A cell: how many of the rule's cases passed.
fn mark(outcomes: &[Outcome]) -> (&'static str, String) {
    let passed = outcomes
        .iter()
        .filter(|one| one.status == Status::Passed)
        .count();
    let has_failed = |level| {
        outcomes
            .iter()
            .any(|one| one.level == level && one.status.is_failed())
    };
    let class = match () {
        () if outcomes.is_empty() => return ("missing", "–".to_owned()),
        () if has_failed(Level::Must) => "failed",
        () if has_failed(Level::Should) => "advice",
        () if passed < outcomes.len() => "missing",
        () => "passed",
    };
    (class, format!("{passed} of {}", outcomes.len()))
}

fn write_cases(page: &mut String, server: &str, outcomes: &[Outcome]) {
    for outcome in outcomes {
        let (class, word) = match (&outcome.status, outcome.level) {
            (Status::Passed, _) => ("passed", "passed"),
            (Status::Failed { .. }, Level::Must) => ("failed", "failed"),
            (Status::Failed { .. }, Level::Should) => ("advice", "failed"),
            (Status::NotRun { .. }, _) => ("missing", "not run"),
        };
        let _ = write!(
            page,
            "<li><span class=\"{class}\">{word}</span> {} <span class=\"where\">{} {} · {} · {} ms</span>",
            escaped(&outcome.name),
            escaped(server),
            outcome.level,
            escaped(&outcome.profile),
            outcome.took_millis,
        );
        match &outcome.status {
            Status::Passed => {}
            Status::Failed { message, trace } => {
                let _ = write!(
                    page,
                    "<pre>{}\n\n{}</pre>",
                    escaped(message),
                    escaped(&trace.join("\n"))
                );
            }
            Status::NotRun { reason } => {
                let _ = write!(page, "<pre>{}</pre>", escaped(reason));
            }
        }
        page.push_str("</li>");
    }
}

/// The rules of the specification in their order, and the text of each.
fn specification() -> (Vec<String>, BTreeMap<String, String>) {
    let texts = [
        include_str!("../../spec/PROTOCOL.md"),
        include_str!("../../spec/AUTH.md"),
    ];
    let (mut order, mut found) = (Vec::new(), BTreeMap::new());
    for text in texts {
        let mut current: Option<String> = None;
        for line in text.lines() {
            if let Some((id, rest)) = line
                .strip_prefix("- **")
                .and_then(|line| line.split_once("**"))
            {
                order.push(id.to_owned());
                found.insert(id.to_owned(), sentence(rest));
                current = Some(id.to_owned());
            } else if let (Some(id), Some(rest)) = (&current, line.strip_prefix("  ")) {
                let rule: &mut String = found.entry(id.clone()).or_default();
                rule.push(' ');
                rule.push_str(rest.trim());
            } else {
                current = None;
            }
        }
    }
    (order, found)
}

/// A rule's text without its level and its marks of evidence.
fn sentence(rest: &str) -> String {
    let rest = rest.trim_start();
    let rest = ["MUST", "SHOULD", "MAY"]
        .iter()
        .find_map(|level| rest.strip_prefix(level))
        .unwrap_or(rest);
    let rest = rest.trim_start();
    match rest
        .strip_prefix("`[")
        .and_then(|marked| marked.split_once('`'))
    {
        Some((_, text)) => text.trim().to_owned(),
        None => rest.to_owned(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::{specification, write};
    use crate::case::{Level, Profile};
    use crate::report::{Outcome, Report, Status};

    fn outcome(rule: &str, level: Level, status: Status) -> Outcome {
        Outcome {
            id: "area/claim".to_owned(),
            name: "a <claim>".to_owned(),
            rules: vec![rule.to_owned()],
            level,
            profile: "engine".to_owned(),
            at: "file:1".to_owned(),
            attempts: 1,
            took_millis: 3,
            status,
        }
    }

    #[test]
    fn the_specification_is_read_with_continued_lines() {
        let (order, texts) = specification();
        assert_eq!(order.first().map(String::as_str), Some("EIO4-QRY-01"));
        assert!(texts["EIO4-QRY-01"].contains("is not intercepted"));
        assert!(texts.contains_key("AUTH-EIO3"));
    }

    #[test]
    fn a_page_has_a_column_per_server_and_escapes_what_came() {
        let failed = Status::Failed {
            message: "expected <b>".to_owned(),
            trace: vec!["< \"&\"".to_owned()],
        };
        let one = vec![outcome("EIO4-POL-01", Level::Must, Status::Passed)];
        let two = vec![outcome("EIO4-POL-01", Level::Must, failed)];
        let reports = [
            Report::new("http://one", Profile::Engine, one, None),
            Report::new("http://two", Profile::Engine, two, None),
        ];
        let page = write(&reports);
        assert!(page.contains("--servers: 2"));
        assert!(page.contains("mark passed\">1 of 1") && page.contains("mark failed\">0 of 1"));
        assert!(page.contains("expected &lt;b&gt;") && page.contains("&lt; &quot;&amp;&quot;"));
        assert!(
            !page.contains("src=") && !page.contains("href="),
            "needs no network"
        );
    }
}
