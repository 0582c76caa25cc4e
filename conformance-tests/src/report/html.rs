//! The report as one self-contained page: rules as rows, servers as columns, cases and exchanges on click.
//!
//! The page has no script: what opens and what is filtered is HTML and CSS.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::made::{Made, reference};
use super::specification::Specification;
use super::{Outcome, Report, Status};
use crate::case::{Level, Profile};

const STYLE: &str = include_str!("page.css");

const TITLE: &str = "Engine.IO and Socket.IO conformance";

/// Characters of a failure that stand in its line; the whole text is inside.
const HINT_CHARACTERS: usize = 100;

pub(super) fn write(reports: &[Report]) -> String {
    Page {
        out: String::new(),
        reports,
        specification: Specification::read(),
        exchanges: BTreeMap::new(),
    }
    .write()
}

/// What a cell or a case's mark says; ordered from good to bad.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    Passed,
    /// The server has no fixture for it, or the case did not run.
    Missing,
    /// A SHOULD failed.
    Advice,
    /// A MUST failed.
    Failed,
}

impl Mark {
    fn of(outcome: &Outcome) -> Self {
        match (&outcome.status, outcome.level) {
            (Status::Passed, _) => Self::Passed,
            (Status::Failed { .. }, Level::Must) => Self::Failed,
            (Status::Failed { .. }, Level::Should) => Self::Advice,
            (Status::NotRun { .. }, _) => Self::Missing,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Missing => "missing",
            Self::Advice => "advice",
            Self::Failed => "failed",
        }
    }
}

/// The page being written.
struct Page<'a> {
    out: String,
    reports: &'a [Report],
    specification: Specification,
    /// Where each case's exchange with a server was written: a case of several rules is shown whole under the first.
    exchanges: BTreeMap<(usize, &'a str), String>,
}

impl<'a> Page<'a> {
    fn write(mut self) -> String {
        let _ = write!(
            self.out,
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{TITLE}</title>\n\
             <style>\n{STYLE}"
        );
        for server in 0..self.reports.len() {
            let _ = writeln!(
                self.out,
                "body:has(#only-{server}:checked) :is(details.rule:not(.unmet-{server}), section:not(:has(.unmet-{server}))) \
                 {{ display: none; }}\n\
                 body:has(#must:checked):has(#only-{server}:checked) section:not(:has(.binding.unmet-{server})) {{ display: none; }}"
            );
        }
        let _ = write!(
            self.out,
            "</style></head>\n<body style=\"--servers: {}\">\n<h1>{TITLE}</h1>\n\
             <p>Each row is a rule of the protocol, each column a server. A cell counts the rule's cases that passed. A row opens \
             on click and shows the rule, its cases, and for each failed one what was sent, what was expected and what came.</p>\n\
             <p><b>What a failure means.</b> The rules are what {} was seen to do on the wire. A failed case says that the \
             server differs from it there, and no more: some differences break clients, others are met by no official client, \
             and some are deliberate. So a count such as \u{201c}600 of 700\u{201d} is no mark for quality; open the \
             rows that matter to your clients.</p>\n",
            self.reports.len(),
            escaped(&reference())
        );
        self.totals();
        let sections = self.checked_sections();
        self.controls(&sections);
        for (heading, ids) in &sections {
            let _ = writeln!(self.out, "<section><h2>{}</h2>", escaped(heading));
            for id in ids {
                self.rule(id);
            }
            self.out.push_str("</section>\n");
        }
        self.out.push_str("</body></html>\n");
        self.out
    }

    /// The headings and rules that at least one report has a case for.
    fn checked_sections(&self) -> Vec<(String, Vec<String>)> {
        let outcomes = self.reports.iter().flat_map(|report| &report.outcomes);
        let checked: BTreeSet<&String> = outcomes.flat_map(|outcome| &outcome.rules).collect();
        let mut sections = self.specification.sections.clone();
        for (_, ids) in &mut sections {
            ids.retain(|id| checked.contains(id));
        }
        sections.retain(|(_, ids)| !ids.is_empty());
        sections
    }

    /// A card per server: how many cases of each level it passed, and of which profiles.
    fn totals(&mut self) {
        self.out.push_str("<div class=\"totals\">\n");
        for report in self.reports {
            let _ = write!(
                self.out,
                "<div class=\"total\"><b>{}</b>",
                escaped(&report.server)
            );
            for level in [Level::Must, Level::Should] {
                let of_level = || report.outcomes.iter().filter(|one| one.level == level);
                let all = of_level().count();
                let passed = of_level()
                    .filter(|one| one.status == Status::Passed)
                    .count();
                let worst = of_level().map(Mark::of).max().unwrap_or(Mark::Missing);
                let _ = write!(
                    self.out,
                    "<div class=\"level-total\"><span>{level}</span><meter class=\"{class}\" max=\"{all}\" value=\"{passed}\"></meter>\
                     <span class=\"{class}\">{passed} of {all}</span></div>",
                    class = worst.class(),
                );
            }
            let outcomes = report.outcomes.iter();
            let has = |profile: &str| outcomes.clone().any(|one| one.profile == profile);
            let all = Profile::ALL.into_iter().chain([Profile::Cluster]);
            let names = all.map(Profile::name);
            let profiles: Vec<&str> = names.filter(|name| has(name)).collect();
            let _ = write!(
                self.out,
                "<small>profiles: {}</small>",
                escaped(&profiles.join(", "))
            );
            let made = report.made.as_ref().map(Made::line);
            let made = made.unwrap_or_else(|| "date not recorded".to_owned());
            let _ = write!(self.out, "<br><small>{}</small>", escaped(&made));
            if let Some(leak) = &report.leak {
                let _ = write!(self.out, "<div class=\"failed\">{}</div>", escaped(leak));
            }
            self.out.push_str("</div>\n");
        }
        self.out.push_str("</div>\n");
    }

    /// The filters and the columns' heads, which stay in sight.
    fn controls(&mut self, sections: &[(String, Vec<String>)]) {
        self.out
            .push_str("<div class=\"controls\"><div class=\"filters\">");
        let rules = || sections.iter().flat_map(|(_, ids)| ids);
        let unmet: Vec<usize> = (0..self.reports.len())
            .map(|server| rules().filter(|id| self.is_unmet(server, id)).count())
            .collect();
        let any = rules()
            .filter(|id| (0..self.reports.len()).any(|server| self.is_unmet(server, id)))
            .count();
        let mut radio = |id: &str, text: &str, count: usize, more: &str| {
            let _ = write!(
                self.out,
                "<label><input type=\"radio\" name=\"show\" id=\"{id}\"{more}> {} <i>{count}</i></label>",
                escaped(text)
            );
        };
        radio("all", "all rules", rules().count(), " checked");
        radio("failed", "with failures", any, "");
        if self.reports.len() > 1 {
            for (server, report) in self.reports.iter().enumerate() {
                let more = if unmet[server] == 0 { " disabled" } else { "" };
                let text = format!("of {}", short(&report.server));
                radio(&format!("only-{server}"), &text, unmet[server], more);
            }
        }
        self.out.push_str(
            "<label><input type=\"checkbox\" id=\"must\"> only MUST</label></div>\n\
             <div class=\"row head\"><span>rule</span><span class=\"level\">level</span>",
        );
        for report in self.reports {
            let _ = write!(self.out, "<span>{}</span>", escaped(short(&report.server)));
        }
        self.out.push_str("</div></div>\n");
    }

    /// The server's outcomes of that rule.
    fn of_rule(&self, server: usize, id: &str) -> impl Iterator<Item = &'a Outcome> + use<'a, '_> {
        let id = id.to_owned();
        let outcomes = self.reports[server].outcomes.iter();
        outcomes.filter(move |one| one.rules.contains(&id))
    }

    fn is_unmet(&self, server: usize, id: &str) -> bool {
        self.of_rule(server, id).any(|one| one.status.is_failed())
    }

    fn rule(&mut self, id: &str) {
        let servers = 0..self.reports.len();
        let columns: Vec<Vec<&'a Outcome>> = servers
            .map(|server| self.of_rule(server, id).collect())
            .collect();
        let is_must = columns.iter().flatten().any(|one| one.level == Level::Must);
        let level = if is_must { Level::Must } else { Level::Should };
        let mut classes = String::from(if is_must { "binding" } else { "lesser" });
        for server in 0..self.reports.len() {
            if self.is_unmet(server, id) {
                let _ = write!(classes, " unmet unmet-{server}");
            }
        }
        let text = self.specification.text(id);
        let _ = write!(
            self.out,
            "<details class=\"rule {classes}\" id=\"{id}\"><summary class=\"row\"><span class=\"claim\"><span class=\"id\">{id}</span> {}\
             </span><span class=\"level\">{level}</span>",
            escaped(&text.replace(['`', '*'], "")),
            id = escaped(id),
        );
        for column in &columns {
            let (class, cell) = cell(column);
            let _ = write!(self.out, "<span class=\"mark {class}\">{cell}</span>");
        }
        let text = marked_up(self.specification.text(id));
        let _ = writeln!(self.out, "</summary><div class=\"inside\"><p>{text}</p>");
        let mut seen = BTreeSet::new();
        for outcome in columns.iter().flatten() {
            if seen.insert(&outcome.id) {
                self.case(id, outcome, &columns);
            }
        }
        self.out.push_str("</div></details>\n");
    }

    /// A case's line, and below it what each server that failed it did.
    fn case(&mut self, rule: &str, case: &'a Outcome, columns: &[Vec<&'a Outcome>]) {
        let _ = write!(
            self.out,
            "<div class=\"row case\"><span>{} <small>{}</small></span><span class=\"level\">{}</span>",
            escaped(&case.name),
            escaped(&case.profile),
            case.level
        );
        let of_case = |column: &[&'a Outcome]| -> Option<&'a Outcome> {
            column.iter().copied().find(|one| one.id == case.id)
        };
        for column in columns {
            let (class, text) = match of_case(column) {
                None => (Mark::Missing.class(), "–"),
                Some(outcome) => match &outcome.status {
                    Status::Passed => (Mark::Passed.class(), "passed"),
                    Status::Failed { .. } => (Mark::of(outcome).class(), "failed"),
                    Status::NotRun { .. } => (Mark::Missing.class(), "not run"),
                },
            };
            let _ = write!(self.out, "<i class=\"{class}\">{text}</i>");
        }
        self.out.push_str("</div>\n");
        for (server, column) in columns.iter().enumerate() {
            if let Some(outcome) = of_case(column) {
                self.why(rule, server, outcome);
            }
        }
    }

    fn why(&mut self, rule: &str, server: usize, outcome: &'a Outcome) {
        let (message, trace) = match &outcome.status {
            Status::Passed => return,
            Status::Failed { message, trace } => (message, trace.join("\n")),
            Status::NotRun { reason } => (reason, String::new()),
        };
        let name = escaped(short(&self.reports[server].server));
        let first = self
            .exchanges
            .entry((server, &outcome.id))
            .or_insert_with(|| rule.to_owned());
        if first != rule {
            let first = escaped(first);
            let _ = writeln!(
                self.out,
                "<p class=\"why\"><b>{name}</b> see <a href=\"#{first}\">{first}</a></p>"
            );
            return;
        }
        let hint: String = message.chars().take(HINT_CHARACTERS).collect();
        let _ = writeln!(
            self.out,
            "<details class=\"why\"><summary><b>{name}</b> {}</summary><pre>{}\n\n{}</pre></details>",
            escaped(&hint),
            escaped(message),
            escaped(&trace)
        );
    }
}

/// A server's name without what stands in parentheses behind it.
fn short(server: &str) -> &str {
    server.split_once(" (").map_or(server, |(name, _)| name)
}

/// A cell: how many of the rule's cases passed.
fn cell(outcomes: &[&Outcome]) -> (&'static str, String) {
    let passed = outcomes
        .iter()
        .filter(|one| one.status == Status::Passed)
        .count();
    match outcomes.iter().map(|one| Mark::of(one)).max() {
        None => (Mark::Missing.class(), "–".to_owned()),
        Some(worst) => (worst.class(), format!("{passed} of {}", outcomes.len())),
    }
}

/// Text for an element. Attributes get nothing but ids of rules and numbers.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// Escaped, with the marks of Markdown that rules use: code, strong and emphasis.
fn marked_up(text: &str) -> String {
    between(text, "`", "code", |text| {
        between(text, "**", "b", |text| between(text, "*", "em", escaped))
    })
}

/// What stands between two marks goes into the element, escaped; the rest is for `other`.
fn between(text: &str, mark: &str, element: &str, other: impl Fn(&str) -> String) -> String {
    let parts = text.split(mark).enumerate();
    parts
        .map(|(index, part)| match index % 2 {
            1 => format!("<{element}>{}</{element}>", escaped(part)),
            _ => other(part),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Made, marked_up, write};
    use crate::case::{Level, Profile};
    use crate::report::{Outcome, Report, Status};

    fn outcome(rules: &[&str], level: Level, status: Status) -> Outcome {
        Outcome {
            id: "area/claim".to_owned(),
            name: "a <claim>".to_owned(),
            rules: rules.iter().map(|&rule| rule.to_owned()).collect(),
            level,
            profile: "engine".to_owned(),
            at: "file:1".to_owned(),
            attempts: 1,
            took_millis: 3,
            status,
        }
    }

    fn failed() -> Status {
        Status::Failed {
            message: "expected <b>".to_owned(),
            trace: vec!["< \"&\"".to_owned()],
        }
    }

    fn page(rules: &[&str]) -> String {
        let one = vec![outcome(rules, Level::Must, Status::Passed)];
        let two = vec![outcome(rules, Level::Must, failed())];
        write(&[
            Report::new("http://one", Profile::Engine, one, None, made(61)),
            Report::new("http://two", Profile::Engine, two, None, None),
        ])
    }

    fn made(seconds: u64) -> Option<Made> {
        Some(Made::now(Duration::from_secs(seconds)))
    }

    #[test]
    fn a_page_says_when_with_what_and_in_how_long_it_was_made_and_what_a_failure_means() {
        let page = page(&["EIO4-POL-01"]);
        let version = env!("CARGO_PKG_VERSION");
        assert!(page.contains(&format!("UTC, 61 s, conformance-tests {version}</small>")));
        assert!(page.contains("date not recorded"));
        assert!(page.contains("differs from it there") && page.contains("seen to do on the wire"));
    }

    #[test]
    fn a_report_of_two_runs_took_both_and_is_as_old_as_the_older() {
        let of = |seconds| Report::new("u", Profile::Engine, Vec::new(), None, made(seconds));
        let (mut one, older) = (of(10), of(100_000));
        let at = older.made.clone().unwrap().at;
        one.add(older);
        let made = one.made.clone().unwrap();
        assert_eq!((made.seconds, &made.at), (100_010, &at));
        let steady = one.steady().made.unwrap();
        assert!(
            at.starts_with(&steady.at) && steady.at.len() == 10,
            "{steady:?}"
        );
    }

    #[test]
    fn a_page_has_a_column_per_server_and_escapes_what_came() {
        let page = page(&["EIO4-POL-01"]);
        assert!(page.contains("--servers: 2"));
        assert!(page.contains("mark passed\">1 of 1") && page.contains("mark failed\">0 of 1"));
        assert!(page.contains("expected &lt;b>") && page.contains("&lt; \"&amp;\""));
        assert!(page.contains("a &lt;claim>"));
    }

    #[test]
    fn a_page_needs_no_network_and_no_script() {
        let page = page(&["EIO4-POL-01"]);
        for foreign in ["src=", "href=\"http", "url(", "@import", "<script"] {
            assert!(!page.contains(foreign), "{foreign}");
        }
    }

    #[test]
    fn the_exchange_of_a_case_with_two_rules_is_shown_once() {
        let page = page(&["EIO4-POL-01", "EIO4-POL-02"]);
        assert_eq!(page.matches("&lt; \"&amp;\"").count(), 1);
        assert!(page.contains("<a href=\"#EIO4-POL-01\">"));
    }

    #[test]
    fn a_server_without_failures_cannot_be_chosen_for_its_failures() {
        let page = page(&["EIO4-POL-01"]);
        assert!(page.contains("id=\"only-0\" disabled>"));
        assert!(page.contains("id=\"only-1\">"));
    }

    #[test]
    fn code_strong_and_emphasis_are_marked_up_and_all_is_escaped() {
        assert_eq!(
            marked_up("a `<*>` **c** & *d*"),
            "a <code>&lt;*></code> <b>c</b> &amp; <em>d</em>"
        );
    }
}
