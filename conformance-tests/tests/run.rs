//! What a run does when the server is not there, hangs, or dies.

mod support;

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use conformance_tests::{Options, Profile, Status};
use support::{Server, Start, alone, check};

fn cli(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_conformance-tests"))
        .args(arguments)
        .output()
        .expect("the suite's binary runs")
}

#[expect(clippy::disallowed_methods, reason = "the claim is about real time")]
fn now() -> Instant {
    Instant::now()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_url_where_nobody_listens_ends_at_once_and_says_so() {
    let since = now();
    let output = cli(&["--url", "http://127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        errors(&output).contains("no connection"),
        "{}",
        errors(&output)
    );
    assert!(since.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_url_that_is_none_is_refused_with_the_reason() {
    for url in ["nonsense", "https://localhost", "http://localhost:port"] {
        let output = cli(&["--url", url]);
        assert_eq!(output.status.code(), Some(2), "{url}");
        assert!(errors(&output).contains(url), "{}", errors(&output));
    }
}

#[test]
fn a_server_that_is_another_kind_is_refused_with_what_it_said() {
    let _alone = alone();
    let server = Server::start(&Start::ours(&[]), Profile::Engine);
    let output = cli(&["--url", &format!("{}/elsewhere/", server.url)]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        errors(&output).contains("does not serve"),
        "{}",
        errors(&output)
    );
}

#[test]
fn a_server_that_hangs_ends_the_run_in_bounded_time() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let since = now();
    let output = cli(&[
        "--url",
        &format!("http://{}", listener.local_addr().unwrap()),
    ]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        errors(&output).contains("nothing came within"),
        "{}",
        errors(&output)
    );
    assert!(since.elapsed() < Duration::from_secs(15));
}

#[test]
fn a_server_that_dies_in_the_middle_ends_the_run_with_what_did_not_run() {
    let _alone = alone();
    let mut server = Server::start(&Start::ours(&[]), Profile::Engine);
    let url = server.url.clone();
    let since = now();
    let report = std::thread::scope(|scope| {
        let running = scope.spawn(|| check(&url, Options::new(Profile::Engine)));
        // Whenever it dies, it is in the middle: the slowest cases take ten seconds.
        let ends_at = now() + Duration::from_millis(700);
        while now() < ends_at {
            std::thread::yield_now();
        }
        server.kill();
        running.join().unwrap()
    });
    assert!(!report.is_conformant());
    let is_not_run = |status: &Status| matches!(status, Status::NotRun { reason } if reason.contains("no longer serves"));
    assert!(
        report
            .outcomes
            .iter()
            .any(|outcome| is_not_run(&outcome.status))
    );
    assert!(
        since.elapsed() < Duration::from_secs(45),
        "{:?}",
        since.elapsed()
    );
}

#[test]
fn the_exit_status_says_whether_a_must_failed() {
    let _alone = alone();
    let server = Server::start(&Start::ours(&[]), Profile::Engine);
    let output = cli(&["--url", &server.url, "--only", "EIO4-QRY"]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    // Protocol 3 is off on this server, so that profile's cases fail.
    let output = cli(&[
        "--url",
        &server.url,
        "--profile",
        "engine-eio3",
        "--only",
        "EIO3-PKT-01",
    ]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("FAILED MUST eio3/"), "{text}");
    assert!(
        text.contains("> GET /engine.io/?EIO=3"),
        "the trace shows what was sent: {text}"
    );
}

#[test]
fn a_filter_that_matches_nothing_is_an_error() {
    let output = cli(&["--url", "http://127.0.0.1:1", "--only", "EIO9"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains("no case"), "{}", errors(&output));
}
