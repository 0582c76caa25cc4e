//! What a run found, and the forms it can be written in.

mod html;
mod json;
mod junit;
mod made;
mod specification;
mod steady;
mod table;

use serde::{Deserialize, Serialize};

use crate::case::{Case, Level, Profile};
use crate::trace::Trace;

pub use made::Made;

/// The forms of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// Lines for a terminal: the failed cases with their traces, then the counts.
    Table,
    /// Everything, to be read again by [`Report::parse`].
    Json,
    /// JUnit XML, for build servers.
    Junit,
    /// One page that needs no network: rules as rows, servers as columns.
    Html,
}

impl Format {
    /// The format of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "table" => Some(Self::Table),
            "json" => Some(Self::Json),
            "junit" => Some(Self::Junit),
            "html" => Some(Self::Html),
            _ => None,
        }
    }
}

/// What became of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status")]
#[non_exhaustive]
pub enum Status {
    /// The server did as the rule says.
    Passed,
    /// It did not.
    Failed {
        /// What was expected and what came.
        message: String,
        /// What was sent and what came, with times and connection numbers.
        trace: Vec<String>,
    },
    /// The case could not run.
    NotRun {
        /// Why.
        reason: String,
    },
}

impl Status {
    pub(crate) fn failed(message: &str, trace: &Trace) -> Self {
        Self::Failed {
            message: message.to_owned(),
            trace: trace.lines(),
        }
    }

    pub(crate) fn not_run(reason: &str) -> Self {
        Self::NotRun {
            reason: reason.to_owned(),
        }
    }

    /// True for a case that ran and did not pass.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }
}

/// One case's line of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Outcome {
    /// The case's id.
    pub id: String,
    /// The case's claim.
    pub name: String,
    /// The rules it checks.
    pub rules: Vec<String>,
    /// How binding it is.
    pub level: Level,
    /// The profile it needs.
    pub profile: String,
    /// Where it is written: file and line.
    pub at: String,
    /// How often it ran.
    pub attempts: u32,
    /// Milliseconds that its last run took; 0 where that is not told.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub took_millis: u64,
    /// What became of it.
    #[serde(flatten)]
    pub status: Status,
}

impl Outcome {
    pub(crate) fn new(case: &Case, status: Status) -> Self {
        Self {
            id: case.id(),
            name: case.name.clone(),
            rules: case.rules.iter().map(|&rule| rule.to_owned()).collect(),
            level: case.level,
            profile: case.profile.name().to_owned(),
            at: format!("{}:{}", case.at.file(), case.at.line()),
            attempts: 1,
            took_millis: 0,
            status,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields so")]
fn is_zero(millis: &u64) -> bool {
    *millis == 0
}

/// What one or several runs found out about one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// The server, in the words of whoever asked; its URL unless named.
    pub server: String,
    /// Every selected case.
    pub outcomes: Vec<Outcome>,
    /// What the server did not give back after the run, if its process was watched.
    pub leak: Option<String>,
    /// When, with what and in how long; reports of earlier versions do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Made>,
}

impl Report {
    pub(crate) fn new(
        url: &str,
        profile: Profile,
        outcomes: Vec<Outcome>,
        leak: Option<String>,
        made: Option<Made>,
    ) -> Self {
        Self {
            server: format!("{url} ({})", profile.name()),
            outcomes,
            leak,
            made,
        }
    }

    /// Names the server: a report reads better with a version than with an address.
    #[must_use]
    pub fn named(mut self, server: impl Into<String>) -> Self {
        self.server = server.into();
        self
    }

    /// The same report without what differs from run to run (the cases' times, ports, random ids, the ends of long
    /// exchanges), so that reports kept under version control change only when a server or the suite does; the run's day
    /// and length stay.
    #[must_use]
    pub fn steady(self) -> Self {
        steady::steadied(self)
    }

    /// Adds what another run found out about the same server.
    pub fn add(&mut self, other: Self) {
        match (&mut self.made, &other.made) {
            (Some(made), Some(other)) => made.add(other),
            // Of a part one does not know when it was made.
            (made, _) => *made = None,
        }
        self.outcomes.extend(other.outcomes);
        self.leak = self.leak.take().or(other.leak);
    }

    /// The cases that ran and did not pass.
    pub fn failures(&self) -> impl Iterator<Item = &Outcome> {
        self.outcomes
            .iter()
            .filter(|outcome| outcome.status.is_failed())
    }

    /// True when every MUST case ran and passed, and nothing leaked.
    #[must_use]
    pub fn is_conformant(&self) -> bool {
        let is_met =
            |outcome: &Outcome| outcome.level != Level::Must || outcome.status == Status::Passed;
        self.leak.is_none() && self.outcomes.iter().all(is_met)
    }

    /// Writes the report.
    #[must_use]
    pub fn to_format(&self, format: Format) -> String {
        match format {
            Format::Table => table::write(self),
            Format::Json => json::write(self),
            Format::Junit => junit::write(self),
            Format::Html => html::write(std::slice::from_ref(self)),
        }
    }

    /// One page that compares several servers.
    #[must_use]
    pub fn compare(reports: &[Self]) -> String {
        html::write(reports)
    }

    /// Reads a report written as JSON.
    ///
    /// # Errors
    ///
    /// When the text is no such report.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}
