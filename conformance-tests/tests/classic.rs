//! The ways in of the Node modules that servers come from: the example `classic`, driven by the clients of their time, and the
//! guide's table of them. `scripts/setup` installs what this needs.

#[path = "support/node.rs"]
mod node;
#[path = "support/process.rs"]
mod process;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use process::Listening;

const WAYS: [&str; 7] = [
    "two-trips",
    "query",
    "jwt-auth",
    "options",
    "handshake",
    "socketio-auth",
    "python",
];

/// Who reads an example wants to see it at a glance.
const MAX_LINES: usize = 15;

#[test]
fn the_classic_ways_in_serve_the_clients_of_their_time() {
    let started: Vec<(String, Listening)> = WAYS
        .into_iter()
        .flat_map(|way| ["strict", "loose"].map(|tokens| (way, tokens)))
        .map(|(way, tokens)| (format!("{way} {tokens}"), start(way, tokens)))
        .collect();
    let urls: serde_json::Map<String, serde_json::Value> = started
        .iter()
        .map(|(name, server)| (name.clone(), server.address.clone().into()))
        .collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("node");
    let environment = [
        ("CLASSIC_URLS", serde_json::Value::from(urls).to_string()),
        ("JWT_SECRET", conformance_tests::JWT_SECRET.to_owned()),
    ];
    let passed = node::run(&folder, "clients/classic.test.mjs", "300", environment);
    assert_eq!(passed, Ok(()));
}

#[test]
fn every_row_of_the_guides_table_stands_for_a_line_of_the_example() {
    let guide = read(&root().join("auth/src/guide/coming_from.md"));
    let rows: BTreeSet<&str> = guide
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .filter_map(|row| row.split(" | ").next())
        .filter(|theirs| *theirs != "theirs")
        .collect();
    let sources: Vec<String> = sources().iter().map(|file| read(file)).collect();
    let exercised: BTreeSet<&str> = sources
        .iter()
        .flat_map(|source| source.lines())
        .filter_map(|line| line.split_once("//= coming_from: "))
        .map(|(_, row)| row)
        .collect();
    assert_eq!(exercised, rows);
    assert!(rows.len() > 40, "{}", rows.len());
}

#[test]
fn every_namespace_of_the_options_is_visited() {
    let options = read(&root().join("socketio/examples/classic/options.rs"));
    let clients = read(&root().join("conformance-tests/node/clients/classic.test.mjs"));
    let named: Vec<&str> = options
        .split('"')
        .filter(|word| word.starts_with('/') && word.len() > 1 && !word.contains('.'))
        .collect();
    assert!(named.len() > 15, "{named:?}");
    for name in named {
        assert!(clients.contains(&format!("it(\"{name}: ")), "{name}");
    }
}

#[test]
fn no_way_takes_more_than_fifteen_lines() {
    let ways = read(&root().join("socketio/examples/classic/ways.rs"));
    let mut lines = ways.lines();
    let mut count = 0;
    while let Some(line) = lines.find(|line| line.starts_with("pub(crate) fn ")) {
        let length = 2 + lines.by_ref().take_while(|line| *line != "}").count();
        assert!(length <= MAX_LINES, "{length}: {line}");
        count += 1;
    }
    assert_eq!(
        count,
        WAYS.len() - 1,
        "all but the options, which have their own file"
    );
}

/// The example, built with the workspace.
fn start(way: &str, tokens: &str) -> Listening {
    let profile = Path::new(env!("CARGO_BIN_EXE_fixture"))
        .parent()
        .expect("a binary is in a folder");
    let program = profile.join("examples/classic");
    assert!(
        program.exists(),
        "the example is not built; run cargo build --workspace --examples"
    );
    Listening::start(
        Command::new(program)
            .args([way, tokens])
            .env("PORT", "0")
            .env("JWT_SECRET", conformance_tests::JWT_SECRET),
    )
}

fn sources() -> [PathBuf; 3] {
    ["main.rs", "options.rs", "ways.rs"]
        .map(|file| root().join("socketio/examples/classic").join(file))
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).expect("the repository is as it was built")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate is in the workspace")
}
