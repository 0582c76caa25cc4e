//! The committed reports: made of each other, free of what differs between machines, and a page that a browser shows.

#[path = "support/node.rs"]
mod node;

use std::path::{Path, PathBuf};
use std::process::Command;

use conformance_tests::Report;

/// The servers in the order of the page's columns.
const SERVERS: [&str; 4] = ["ours", "node", "python", "socketioxide"];

/// No larger, so that a change of the reports can still be read and a page opens at once.
const MAX_BYTES: u64 = 1_750_000;

fn reports() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("reports")
}

/// The committed reports of that server, as `reports/generate` names the files.
fn files_of(server: &str) -> Vec<PathBuf> {
    let prefix = format!("{server}-");
    let mut files: Vec<PathBuf> = std::fs::read_dir(reports())
        .expect("the reports are there")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(&prefix) && name.ends_with(".json")
        })
        .collect();
    files.sort();
    files
}

#[test]
fn the_committed_page_is_made_of_the_committed_reports() {
    let mut compare = Command::new(env!("CARGO_BIN_EXE_conformance-tests"));
    for file in SERVERS.iter().flat_map(|server| files_of(server)) {
        compare.arg("--compare").arg(file);
    }
    let output = compare.output().expect("the suite's binary runs");
    assert!(output.status.success());
    let page = reports().join("index.html");
    if std::env::var_os("UPDATE_PAGE").is_some() {
        std::fs::write(&page, &output.stdout).expect("the page can be written");
    }
    let committed = std::fs::read(&page).expect("the page is there");
    assert!(
        committed == output.stdout,
        "reports/index.html is stale: run with UPDATE_PAGE=1, or reports/generate"
    );
}

#[test]
fn the_committed_reports_hold_nothing_of_the_machine_they_were_made_on() {
    for server in SERVERS {
        let files = files_of(server);
        assert!(!files.is_empty(), "{server} has no report");
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            for foreign in ["took_millis", "/home/", "/root/", "/tmp/", " GMT"] {
                assert!(!text.contains(foreign), "{}: {foreign}", file.display());
            }
            let ports = text.split("127.0.0.1:").skip(1);
            assert!(ports.into_iter().all(|rest| rest.starts_with('…')));
        }
    }
}

#[test]
fn the_committed_reports_are_small_enough_to_be_read_as_changes() {
    let page = reports().join("index.html");
    for file in SERVERS.iter().flat_map(|one| files_of(one)).chain([page]) {
        let bytes = file.metadata().unwrap().len();
        assert!(bytes < MAX_BYTES, "{}: {bytes} bytes", file.display());
    }
}

#[test]
fn ours_conforms_in_the_committed_reports() {
    for file in files_of("ours") {
        let report = Report::parse(&std::fs::read_to_string(&file).unwrap()).unwrap();
        assert!(report.is_conformant(), "{}", file.display());
    }
}

#[test]
fn the_page_is_shown_by_a_real_browser() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("node");
    let page = format!("file://{}", reports().join("index.html").display());
    let passed = node::run(
        &folder,
        "browser/report.test.mjs",
        "180",
        [("REPORT_URL", page)],
    );
    assert_eq!(passed, Ok(()));
}
