//! The suite against our fixture, against the reference and against a second opinion.
//!
//! A case is right only if the reference passes it; where it does not, `spec/departures.json` says why.

mod support;

use std::collections::BTreeMap;

use conformance_tests::{Level, Options, Profile, Report, Status};
use support::{Server, Start, alone, check, table};

/// Cases of one profile at a time, where all profiles run at once.
const PARALLEL: usize = 8;

/// How often a case runs before it has failed. Rules about time say 300 ms, which a machine that is busy with other
/// profiles may miss twice; what is wrong fails every time. What a server departs from it may keep by chance, when it is late:
/// as often a case passes again before its departure is none.
const ATTEMPTS: u32 = 4;

/// The profiles in which no case looks at one socket from another.
const SHARDED: [Profile; 4] = [
    Profile::Engine,
    Profile::EngineEio3,
    Profile::Socket,
    Profile::SocketMsgpack,
];

/// Departures by server, then by case: the reason.
type Departures = BTreeMap<String, BTreeMap<String, String>>;

fn departures(server: &str) -> BTreeMap<String, String> {
    let text = include_str!("../spec/departures.json");
    let mut all: Departures = serde_json::from_str(text).expect("departures.json is valid");
    all.remove(server).unwrap_or_default()
}

/// Every case passes, except exactly those with a written reason. `passes_again` runs one of these once more.
fn is_as_recorded(server: &str, report: &Report, passes_again: impl Fn(&str) -> bool) {
    let reasons = departures(server);
    for outcome in &report.outcomes {
        let is_recorded = reasons.contains_key(&outcome.id);
        match &outcome.status {
            Status::Passed => assert!(
                !is_recorded || !(0..ATTEMPTS).all(|_| passes_again(&outcome.id)),
                "{server} passes {}: its entry in departures.json is stale",
                outcome.id
            ),
            _ => assert!(
                is_recorded,
                "{server} does not pass {}\n{}",
                outcome.id,
                table(report)
            ),
        }
    }
    assert_eq!(report.leak, None);
}

/// Runs these profiles at the same time, each on a server of its own: they wait more than they work.
fn passes(
    server: &str,
    start: &Start,
    profiles: &[Profile],
    narrowed: impl Fn(Options) -> Options + Sync,
) {
    let _alone = alone();
    std::thread::scope(|scope| {
        for &profile in profiles {
            let narrowed = &narrowed;
            scope.spawn(move || {
                let running = Server::start(start, profile);
                let options = narrowed(Options::new(profile).parallel(PARALLEL).attempts(ATTEMPTS));
                let options = match server {
                    "ours" => options.pid(running.pid()),
                    _ => options,
                };
                let report = check(&running.url, options);
                is_as_recorded(server, &report, |case| {
                    let alone = Options::new(profile).only(case).attempts(1);
                    let outcomes = check(&running.url, alone).outcomes;
                    outcomes.iter().all(|one| one.status == Status::Passed)
                });
            });
        }
    });
}

#[test]
fn ours_conforms() {
    passes("ours", &Start::ours(&[]), &Profile::ALL, |all| all);
}

#[test]
fn ours_conforms_behind_plain_hyper() {
    let start = Start::ours(&["--listener", "hyper"]);
    passes("ours", &start, &Profile::ALL, Options::quick);
}

#[test]
fn ours_conforms_behind_axum() {
    let start = Start::ours(&["--listener", "axum"]);
    passes("ours", &start, &Profile::ALL, Options::quick);
}

#[test]
fn ours_conforms_on_many_threads() {
    let start = Start::ours(&["--flavor", "multi"]);
    passes("ours", &start, &Profile::ALL, Options::quick);
}

#[test]
fn ours_conforms_on_many_threads_behind_axum() {
    let start = Start::ours(&["--flavor", "multi", "--listener", "axum"]);
    passes("ours", &start, &Profile::ALL, Options::quick);
}

/// Shards share a port and nothing else, so a session must stay on one connection, and the seven servers of the matrix and
/// what is sent from one socket to another are not for them.
#[test]
fn ours_conforms_on_shards() {
    let start = Start::ours(&["--flavor", "shards"]);
    passes("ours", &start, &SHARDED, |all| {
        all.quick().without_polling()
    });
}

#[test]
fn the_reference_conforms_as_recorded() {
    passes("node", &Start::node(), &Profile::ALL, |all| all);
}

#[test]
fn python_conforms_as_recorded() {
    passes("python", &Start::python(), &[Profile::Socket], |all| all);
}

#[test]
fn every_recorded_departure_names_a_case_and_a_reason() {
    let ids: Vec<String> = conformance_tests::cases()
        .iter()
        .map(|case| case.id())
        .collect();
    for server in ["node", "ours", "python"] {
        for (case, reason) in departures(server) {
            assert!(ids.contains(&case), "{case} is no case");
            assert!(reason.len() > 20, "{case} has no reason");
        }
    }
}

#[test]
fn ours_departs_from_no_must() {
    let departures = departures("ours");
    for case in conformance_tests::cases() {
        assert!(
            case.level() != Level::Must || !departures.contains_key(&case.id()),
            "{} is a MUST",
            case.id()
        );
    }
}

#[test]
fn case_ids_are_unique() {
    let mut seen = BTreeMap::new();
    for case in conformance_tests::cases() {
        let earlier = seen.insert(case.id(), case.name().to_owned());
        assert_eq!(earlier, None, "{} is used twice", case.id());
    }
}

/// What the table of the README says of each profile's number of cases, which grows: within a tenth.
#[test]
fn the_readme_counts_the_cases_of_each_profile() {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let mut said = BTreeMap::new();
    for row in readme.lines().filter_map(|line| line.strip_prefix("| `")) {
        let mut cells = row.split(" | ");
        let (Some(names), Some(counts)) = (cells.next(), cells.next()) else {
            continue;
        };
        let counts = counts.split(", ").filter_map(|count| count.parse().ok());
        let names = names.split(", ").map(|name| name.trim_matches('`'));
        said.extend(names.map(str::to_owned).zip(counts));
    }
    for profile in Profile::ALL {
        let cases = conformance_tests::cases();
        let count = cases.iter().filter(|case| case.profile() == profile);
        let (count, said): (usize, usize) = (count.count(), said[profile.name()]);
        assert!(
            count.abs_diff(said) * 10 <= count,
            "{}: {count}, not {said}",
            profile.name()
        );
    }
}
