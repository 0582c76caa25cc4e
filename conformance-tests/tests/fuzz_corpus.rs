//! The inputs that fuzzing found worth keeping, played again without a fuzzer. `scripts/fuzz` looks for more.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::fs;
use std::path::{Path, PathBuf};

/// Each target of `fuzz/fuzz_targets`, and what it calls.
const TARGETS: [(&str, fn(&[u8])); 11] = [
    ("head", engineio::fuzzing::head),
    ("json", socketio::fuzzing::json),
    ("jsonp", engineio::fuzzing::jsonp),
    ("jwt_header", socketio_auth::jwt::fuzzing::header),
    ("jwt_token", socketio_auth::jwt::fuzzing::token),
    ("msgpack", socketio::fuzzing::msgpack),
    ("packet", engineio::fuzzing::packet),
    ("payload", engineio::fuzzing::payload),
    ("request", engineio::fuzzing::request),
    ("session", engineio::fuzzing::session),
    ("websocket", engineio::fuzzing::websocket),
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
    for (target, run) in TARGETS {
        let inputs = files(&fuzz().join("corpus").join(target));
        assert!(!inputs.is_empty(), "{target} has no corpus");
        for path in inputs {
            let input = fs::read(&path).unwrap();
            println!("{}", path.display());
            run(&input);
        }
    }
}

#[test]
fn every_kept_input_keeps_the_properties_wherever_it_is_cut() {
    for (target, run) in TARGETS {
        for path in files(&fuzz().join("corpus").join(target)) {
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
    assert_eq!(targets, TARGETS.map(|(target, _)| target));
}
