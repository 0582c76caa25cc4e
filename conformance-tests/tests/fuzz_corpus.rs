//! The inputs that fuzzing found worth keeping, played again without a fuzzer. `scripts/fuzz` looks for more.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::fs;
use std::path::{Path, PathBuf};

/// A target of `fuzz/fuzz_targets`.
struct Target {
    name: &'static str,
    run: fn(&[u8]),
}

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}

const TARGETS: [Target; 13] = [
    target("cluster_wire", socketio::fuzzing::cluster_wire),
    target("head", engineio::fuzzing::head),
    target("json", socketio::fuzzing::json),
    target("json_text", socketio::fuzzing::json_text),
    target("jsonp", engineio::fuzzing::jsonp),
    target("jwt_header", socketio_auth::jwt::fuzzing::header),
    target("jwt_token", socketio_auth::jwt::fuzzing::token),
    target("msgpack", socketio::fuzzing::msgpack),
    target("packet", engineio::fuzzing::packet),
    target("payload", engineio::fuzzing::payload),
    target("request", engineio::fuzzing::request),
    target("session", engineio::fuzzing::session),
    target("websocket", engineio::fuzzing::websocket),
];

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

#[test]
fn every_kept_input_keeps_the_properties() {
    for Target { name, run } in TARGETS {
        let inputs = files(&fuzz().join("corpus").join(name));
        assert!(!inputs.is_empty(), "{name} has no corpus");
        for path in inputs {
            let input = fs::read(&path).unwrap();
            println!("{}", path.display());
            run(&input);
        }
    }
}

#[test]
fn every_kept_input_keeps_the_properties_wherever_it_is_cut() {
    for Target { name, run } in TARGETS {
        for path in files(&fuzz().join("corpus").join(name)) {
            let input = fs::read(&path).unwrap();
            println!("{}", path.display());
            // Long ones are cut less densely.
            let step = input.len() / 64 + 1;
            for end in (0..input.len()).step_by(step) {
                run(&input[..end]);
            }
        }
    }
}

#[test]
fn every_target_is_replayed() {
    let targets: Vec<_> = files(&fuzz().join("fuzz_targets"))
        .iter()
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(targets, TARGETS.map(|target| target.name));
}
