//! Deliberately broken servers: for each fault, the cases that are meant to catch it fail.
//!
//! A fault is a rewriting proxy in front of a right server. A fault that no case notices is a missing case, and a rule
//! that no fault breaks has cases that prove nothing.

mod auth_faults;
mod coverage;
mod eio3_faults;
mod engine_faults;
mod fault;
mod frame;
mod proxy;
mod socket_faults;
#[path = "../support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use conformance_tests::{Options, Profile, Report, run};
use fault::Fault;
use futures_util::StreamExt as _;
use proxy::Proxy;
use support::{Server, Start, alone};
use tokio::net::TcpListener;

/// Faults that are tried at a time.
const AT_A_TIME: usize = 6;

/// What did not happen as it should have.
type Missed = Vec<String>;

/// Runs the cases of the fault's rules against the broken server.
async fn report(fault: Fault, server: String) -> Result<Report, String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound port");
    let options = fault
        .rules
        .iter()
        .fold(Options::new(fault.profile), |options, rule| {
            options.only(*rule)
        });
    let options = options
        .on_port_offset(fault.port_offset)
        .attempts(1)
        .patience(Duration::from_millis(900))
        .limit(Duration::from_secs(60));
    let proxy = Arc::new(Proxy::new(fault, server));
    let url = format!("http://{address}");
    tokio::select! {
        () = proxy.serve(listener) => Err("the proxy ended".to_owned()),
        report = run(&url, options) => report.map_err(|error| error.to_string()),
    }
}

/// The rules that should have lost a case and did not; what was broken is added to `broken`.
fn unnoticed(
    fault: &Fault,
    report: &Result<Report, String>,
    broken: &mut BTreeSet<String>,
) -> Missed {
    let report = match report {
        Ok(report) => report,
        Err(error) => return vec![format!("{}: {error}", fault.name)],
    };
    let failed: BTreeSet<&str> = report
        .failures()
        .flat_map(|outcome| outcome.rules.iter().map(String::as_str))
        .collect();
    broken.extend(failed.iter().map(|&rule| rule.to_owned()));
    let missing = fault.rules.iter().filter(|rule| !failed.contains(*rule));
    missing
        .map(|rule| format!("{}: no case of {rule} failed", fault.name))
        .collect()
}

async fn try_all(
    faults: Vec<Fault>,
    servers: &BTreeMap<&str, Server>,
) -> (Missed, BTreeSet<String>) {
    let tried = futures_util::stream::iter(faults).map(|fault| {
        let server = servers[fault.profile.name()].address(fault.port_offset);
        async move {
            let report = report(fault.clone(), server).await;
            (fault, report)
        }
    });
    let tried: Vec<_> = tried.buffer_unordered(AT_A_TIME).collect().await;
    let mut broken = BTreeSet::new();
    let missed = tried
        .iter()
        .flat_map(|(fault, report)| unnoticed(fault, report, &mut broken))
        .collect();
    (missed, broken)
}

/// Our own fixture: its right behaviour is what the faults take away.
fn server(profile: Profile) -> Server {
    Server::start(&Start::ours(&[]), profile)
}

fn all_are_noticed(faults: Vec<Fault>) {
    let only = std::env::var("FAULT").unwrap_or_default();
    let faults: Vec<Fault> = faults
        .into_iter()
        .filter(|fault| fault.name.contains(&only))
        .collect();
    let _alone = alone();
    let mut servers: BTreeMap<&str, Server> = faults
        .iter()
        .map(|fault| fault.profile)
        .collect::<std::collections::HashSet<_>>()
        .into_iter()
        .map(|profile| (profile.name(), server(profile)))
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let (missed, broken) = runtime
        .expect("a runtime")
        .block_on(try_all(faults, &servers));
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    // A dead server would fail every case, whatever the fault.
    for (profile, server) in &mut servers {
        assert!(server.is_running(), "the {profile} server has died");
    }
    assert!(!broken.is_empty(), "some rules were broken");
}

#[test]
fn each_fault_of_the_engine_is_noticed() {
    all_are_noticed([engine_faults::all(), eio3_faults::all()].concat());
}

#[test]
fn each_fault_of_socket_io_is_noticed() {
    all_are_noticed([socket_faults::all(), auth_faults::all()].concat());
}
