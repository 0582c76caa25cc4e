//! The suite against our fixture and against the reference.
//!
//! A case is right only if the reference passes it; where it does not, `spec/departures.json` says why.

mod support;

use std::collections::BTreeMap;

use conformance_tests::{Level, Options, Profile, Report, Status};
use support::{Server, Start, alone, check, table};

/// Departures by server, then by case: the reason.
type Departures = BTreeMap<String, BTreeMap<String, String>>;

fn departures(server: &str) -> BTreeMap<String, String> {
    let text = include_str!("../spec/departures.json");
    let mut all: Departures = serde_json::from_str(text).expect("departures.json is valid");
    all.remove(server).unwrap_or_default()
}

/// Every case passes, except exactly those with a written reason.
fn is_as_recorded(server: &str, report: &Report) {
    let reasons = departures(server);
    for outcome in &report.outcomes {
        let is_recorded = reasons.contains_key(&outcome.id);
        match &outcome.status {
            Status::Passed => assert!(
                !is_recorded,
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

fn ours_passes(profile: Profile, arguments: &[&str], narrowed: impl Fn(Options) -> Options) {
    let _alone = alone();
    let server = Server::start(&Start::ours(arguments), profile);
    let options = narrowed(Options::new(profile)).pid(server.pid());
    is_as_recorded("ours", &check(&server.url, options));
}

fn node_passes(profile: Profile) {
    let _alone = alone();
    let server = Server::start(&Start::node(), profile);
    is_as_recorded("node", &check(&server.url, Options::new(profile)));
}

#[test]
fn our_engine_conforms() {
    ours_passes(Profile::Engine, &[], |all| all);
}

#[test]
fn our_engine_conforms_on_many_threads() {
    ours_passes(Profile::Engine, &["--flavor", "multi"], |all| all);
}

#[test]
fn our_engine_conforms_behind_plain_hyper() {
    ours_passes(Profile::Engine, &["--listener", "hyper"], |all| all);
}

#[test]
fn our_engine_conforms_behind_axum_on_many_threads() {
    let arguments = ["--listener", "axum", "--flavor", "multi"];
    ours_passes(Profile::Engine, &arguments, |all| all);
}

#[test]
fn our_engine_conforms_on_shards() {
    ours_passes(
        Profile::Engine,
        &["--flavor", "shards"],
        Options::without_polling,
    );
}

#[test]
fn our_engine_conforms_with_protocol_3() {
    ours_passes(Profile::EngineEio3, &[], |all| all);
}

#[test]
fn our_socket_server_conforms() {
    ours_passes(Profile::Socket, &[], |all| all);
}

#[test]
fn our_socket_server_conforms_on_shards() {
    ours_passes(
        Profile::Socket,
        &["--flavor", "shards"],
        Options::without_polling,
    );
}

#[test]
fn our_socket_server_conforms_behind_axum_on_many_threads() {
    let arguments = ["--listener", "axum", "--flavor", "multi"];
    ours_passes(Profile::Socket, &arguments, |all| all);
}

#[test]
fn our_socket_server_conforms_with_protocol_4_and_msgpack() {
    ours_passes(Profile::SocketEio3, &[], |all| all);
    ours_passes(Profile::SocketMsgpack, &[], |all| all);
}

#[test]
fn our_configurations_conform() {
    ours_passes(Profile::Matrix, &[], |all| all);
}

#[test]
fn our_authentication_conforms() {
    ours_passes(Profile::Auth, &[], |all| all);
    ours_passes(Profile::AuthEio3, &[], |all| all);
}

#[test]
fn the_reference_passes_the_engine_cases() {
    node_passes(Profile::Engine);
    node_passes(Profile::EngineEio3);
}

#[test]
fn the_reference_passes_the_socket_cases() {
    node_passes(Profile::Socket);
    node_passes(Profile::SocketEio3);
    node_passes(Profile::SocketMsgpack);
}

#[test]
fn the_reference_passes_the_matrix_cases() {
    node_passes(Profile::Matrix);
}

#[test]
fn the_reference_passes_the_auth_cases() {
    node_passes(Profile::Auth);
    node_passes(Profile::AuthEio3);
}

#[test]
fn every_recorded_departure_names_a_case_and_a_reason() {
    let ids: Vec<String> = conformance_tests::cases()
        .iter()
        .map(|case| case.id())
        .collect();
    for server in ["node", "ours"] {
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
