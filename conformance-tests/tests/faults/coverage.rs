//! The table of rules, their cases and the faults that break them, and the audit of it.
//!
//! `UPDATE_COVERAGE=1 cargo test -p conformance-tests --test faults coverage` writes `spec/COVERAGE.md` anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use conformance_tests::cases;

use crate::fault::Fault;
use crate::{auth_faults, eio3_faults, engine_faults, socket_faults};

/// Areas that cannot be seen by a client of one server.
const OUT_OF_SCOPE: [&str; 9] = [
    "EIO4-WT", "RDS", "RED", "EMT", "CLA", "SHD", "STR", "PGA", "ADM",
];

/// Of the rules in scope, so many percent may be without a case.
const EXCEPTIONS_PERCENT: usize = 5;

/// A rule of `spec/PROTOCOL.md` or `spec/AUTH.md`.
struct Rule {
    id: String,
    level: String,
}

impl Rule {
    fn is_must(&self) -> bool {
        self.level == "MUST"
    }
}

/// The rules in scope, in the order of the texts.
fn rules() -> Vec<Rule> {
    let is_in = |rule: &Rule| !OUT_OF_SCOPE.iter().any(|area| rule.id.starts_with(area));
    all_rules().into_iter().filter(is_in).collect()
}

fn all_rules() -> Vec<Rule> {
    let texts = [
        include_str!("../../spec/PROTOCOL.md"),
        include_str!("../../spec/AUTH.md"),
    ];
    texts
        .iter()
        .flat_map(|text| text.lines())
        .filter_map(|line| {
            let (id, rest) = line.strip_prefix("- **")?.split_once("**")?;
            let level = rest.split_whitespace().next().unwrap_or_default();
            let level = if level.starts_with('`') {
                "quirk"
            } else {
                level
            };
            Some(Rule {
                id: id.to_owned(),
                level: level.to_owned(),
            })
        })
        .collect()
}

fn exceptions() -> BTreeMap<String, String> {
    serde_json::from_str(include_str!("../../spec/exceptions.json"))
        .expect("exceptions.json is valid")
}

fn faults() -> Vec<Fault> {
    [
        engine_faults::all(),
        eio3_faults::all(),
        socket_faults::all(),
        auth_faults::all(),
    ]
    .concat()
}

/// The cases of each rule, by id.
fn cases_by_rule() -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for case in cases() {
        for rule in case.rules() {
            found.entry((*rule).to_owned()).or_default().push(case.id());
        }
    }
    found
}

fn table() -> String {
    let (cases, exceptions, faults) = (cases_by_rule(), exceptions(), faults());
    let mut text = String::from(
        "# Coverage\n\nGenerated: `UPDATE_COVERAGE=1 cargo test -p conformance-tests --test faults coverage`. \
         A rule counts as covered when it has cases and a fault that makes one of them fail.\n\n\
         | rule | level | cases | broken by |\n|---|---|---|---|\n",
    );
    for rule in rules() {
        let of_rule = cases.get(&rule.id).map(Vec::as_slice).unwrap_or_default();
        let broken_by: Vec<&str> = faults
            .iter()
            .filter(|fault| fault.rules.contains(&rule.id.as_str()))
            .map(|fault| fault.name)
            .collect();
        let shown = match (of_rule, exceptions.get(&rule.id)) {
            ([], Some(reason)) => format!("none: {reason}"),
            ([], None) => "none".to_owned(),
            ([only], _) => format!("`{only}`"),
            ([first, others @ ..], _) => format!("`{first}` and {} more", others.len()),
        };
        let _ = writeln!(
            text,
            "| {} | {} | {shown} | {} |",
            rule.id,
            rule.level,
            broken_by.join("; ")
        );
    }
    text
}

#[test]
fn every_must_has_a_case_or_a_reason() {
    let (cases, exceptions) = (cases_by_rule(), exceptions());
    for rule in rules().iter().filter(|rule| rule.is_must()) {
        assert_ne!(
            cases.contains_key(&rule.id),
            exceptions.contains_key(&rule.id),
            "{}: a MUST has either cases or a reason for having none",
            rule.id
        );
    }
}

#[test]
fn every_covered_must_is_broken_by_a_fault() {
    let broken: BTreeSet<&str> = faults()
        .iter()
        .flat_map(|fault| fault.rules.clone())
        .collect();
    let exceptions = exceptions();
    let unbroken: Vec<String> = rules()
        .into_iter()
        .filter(|rule| {
            rule.is_must()
                && !exceptions.contains_key(&rule.id)
                && !broken.contains(rule.id.as_str())
        })
        .map(|rule| rule.id)
        .collect();
    assert!(
        unbroken.is_empty(),
        "no fault breaks {}",
        unbroken.join(", ")
    );
}

#[test]
fn exceptions_are_few_and_name_rules() {
    let musts: Vec<String> = rules()
        .into_iter()
        .filter(Rule::is_must)
        .map(|rule| rule.id)
        .collect();
    let exceptions = exceptions();
    for (rule, reason) in &exceptions {
        assert!(musts.contains(rule), "{rule} is no MUST in scope");
        assert!(reason.len() > 20, "{rule} has no reason");
    }
    assert!(
        exceptions.len() * 100 <= musts.len() * EXCEPTIONS_PERCENT,
        "{} of {}",
        exceptions.len(),
        musts.len()
    );
}

#[test]
fn cases_and_faults_name_rules_that_exist() {
    let known: BTreeSet<String> = all_rules().into_iter().map(|rule| rule.id).collect();
    for (rule, cases) in cases_by_rule() {
        assert!(known.contains(&rule), "{rule} of {cases:?} is no rule");
    }
    for fault in faults() {
        for rule in &fault.rules {
            assert!(known.contains(*rule), "{rule} of {} is no rule", fault.name);
        }
    }
}

#[test]
fn the_committed_coverage_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("spec/COVERAGE.md");
    let current = table();
    if std::env::var_os("UPDATE_COVERAGE").is_some() {
        std::fs::write(&path, &current).expect("spec/COVERAGE.md can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == current,
        "spec/COVERAGE.md is stale: run with UPDATE_COVERAGE=1"
    );
}
