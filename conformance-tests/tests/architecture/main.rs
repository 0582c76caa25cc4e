//! What may know what: the directions between the crates, and the purity of what decides.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod claims;
mod docs;
mod floors;
mod names;
mod sources;
mod surface;

use std::fs;
use std::path::{Path, PathBuf};

/// The modules that take time and bytes as arguments and do no I/O.
const PURE: [&str; 13] = [
    "engineio/src/proto",
    "engineio/src/websocket",
    "engineio/src/http",
    "engineio/src/packet",
    "engineio/src/payload",
    "engineio/src/jsonp",
    "engineio/src/send_options",
    "engineio/src/transport",
    "socketio/src/proto",
    "socketio/src/codec",
    "auth/src/base/queue",
    "auth/src/state_machine",
    "auth/src/wire",
];

/// The crates whose threads are explored, and the files where they name what is explored there: `std`'s, or in tests that of
/// `schedules`. A mere counter decides nothing, so it may be `std`'s.
const EXPLORED: [(&str, &[&str]); 2] = [
    (
        "engineio/src",
        &["server/atomic.rs", "lock.rs", "server/hub/counters.rs"],
    ),
    ("socketio/src", &["atomic.rs", "lock.rs", "live/meter.rs"]),
];

/// What threads wait for each other with, other than what is explored.
const UNEXPLORED: [&str; 4] = ["Barrier", "Condvar", "Mutex", "RwLock"];

/// What a pure module does not name.
const BANNED: [&str; 11] = [
    "tokio",
    "hyper",
    "Instant::now",
    "SystemTime",
    "Mutex",
    "RwLock",
    "OnceLock",
    "Cell",
    "atomic",
    "rand",
    "getrandom",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The names in a manifest's `[dependencies]`.
fn dependencies(package: &str) -> Vec<String> {
    let manifest = fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap();
    let (_, behind) = manifest.split_once("\n[dependencies]\n").unwrap();
    let section = behind.split("\n[").next().unwrap();
    section
        .lines()
        .filter_map(|line| line.split(['=', '.', ' ']).next())
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

/// The Rust files of a module: `x.rs`, and everything under `x/`.
fn files(module: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let alone = module.with_extension("rs");
    if alone.is_file() {
        found.push(alone);
    }
    let mut folders = vec![module.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found
}

/// The code of a file that is there outside tests, without comments.
fn production_code(text: &str) -> String {
    let text = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or(text);
    text.lines()
        .map(|line| line.split("//").next().unwrap_or(line))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The files that only tests see: `#[cfg(test)] mod x;` names them.
fn test_modules(files: &[PathBuf]) -> Vec<String> {
    let mut names = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        let mut is_test = false;
        for line in text.lines() {
            let declared = line
                .trim_start_matches("pub(crate) ")
                .strip_prefix("mod ")
                .and_then(|name| name.strip_suffix(';'));
            if let (true, Some(name)) = (is_test, declared) {
                names.push(name.to_owned());
            }
            is_test = matches!(
                line.trim(),
                "#[cfg(test)]" | r#"#[cfg(any(test, feature = "fuzzing"))]"#
            );
        }
    }
    names
}

/// The places where `word` stands by itself.
fn names(code: &str, word: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    code.match_indices(word).any(|(start, _)| {
        let before = code.get(..start).and_then(|text| text.chars().next_back());
        let after = code
            .get(start + word.len()..)
            .and_then(|text| text.chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

#[test]
fn engineio_and_auth_know_nobody_here_and_socketio_knows_both() {
    let ours = [
        "engineio",
        "socketio",
        "socketio-auth",
        "conformance-tests",
        "benches",
        "schedules",
    ];
    let of_ours = |package: &str| -> Vec<String> {
        dependencies(package)
            .into_iter()
            .filter(|name| ours.contains(&name.as_str()))
            .collect()
    };
    assert_eq!(of_ours("engineio"), [""; 0]);
    assert_eq!(of_ours("auth"), [""; 0]);
    assert_eq!(of_ours("socketio"), ["engineio", "socketio-auth"]);
}

/// They cannot share it, as neither knows the other.
#[test]
fn engineio_and_auth_keep_moments_alike() {
    let [engine, auth] = ["engineio/src/moment.rs", "auth/src/base/moment.rs"].map(|file| {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let (_, code) = text.split_once("\n\n").unwrap();
        code.replacen("pub(crate) struct", "pub struct", 1)
    });
    assert!(engine.contains("pub struct Moment"));
    assert_eq!(engine, auth);
}

#[test]
fn what_decides_is_pure() {
    let mut checked = 0;
    for module in PURE {
        let files = files(&root().join(module));
        assert!(
            !files.is_empty(),
            "{module} is not there: say where it is now"
        );
        let tests = test_modules(&files);
        for file in &files {
            let stem = file.file_stem().unwrap_or_default().to_string_lossy();
            if tests.iter().any(|name| *name == stem) {
                continue;
            }
            let code = production_code(&fs::read_to_string(file).unwrap());
            for word in BANNED {
                assert!(!names(&code, word), "{} names {word}", file.display());
            }
            checked += 1;
        }
    }
    assert!(checked > 30, "only {checked} files were found");
}

/// What code names of locks and atomics that no model of threads explores.
fn unexplored(code: &str) -> Option<&'static str> {
    let lock = UNEXPLORED.into_iter().find(|word| names(code, word));
    // A path to the crate's own, or its declaration.
    let own = ["crate::atomic", "crate::server::atomic", "mod atomic"];
    let rest = own
        .iter()
        .fold(code.to_owned(), |rest, own| rest.replace(own, ""));
    lock.or_else(|| names(&rest, "atomic").then_some("atomic"))
}

#[test]
fn what_threads_share_is_explored() {
    for (package, shims) in EXPLORED {
        let source = root().join(package);
        let files = files(&source);
        let tests = test_modules(&files);
        let mut found = Vec::new();
        for file in &files {
            let place = file.strip_prefix(&source).unwrap();
            let is_test = |part: &std::ffi::OsStr| {
                let stem = Path::new(part).with_extension("");
                tests.iter().any(|name| stem.as_os_str() == name.as_str())
            };
            if place.iter().any(is_test) {
                continue;
            }
            let code = production_code(&fs::read_to_string(file).unwrap());
            if let Some(word) = unexplored(&code) {
                let is_shim = shims.iter().any(|shim| Path::new(shim) == place);
                assert!(
                    is_shim,
                    "{} names {word}: take it from lock.rs or atomic.rs, so that models of threads explore it",
                    file.display()
                );
                found.push(place.to_owned());
            }
        }
        assert_eq!(
            found.len(),
            shims.len(),
            "of {shims:?} only {found:?} name any"
        );
    }
}

#[test]
fn the_check_sees_what_is_not_explored() {
    for (code, is_named) in [
        ("use std::sync::atomic::AtomicBool;", true),
        ("use std::sync::{Arc, atomic::AtomicBool};", true),
        ("use std::sync::{Arc, Mutex};", true),
        ("static LOCK: parking_lot::RwLock<()> = ();", true),
        ("use crate::atomic::AtomicBool;", false),
        ("use crate::server::atomic::{AtomicBool, Ordering};", false),
        ("use std::sync::Arc; use crate::lock::Lock;", false),
    ] {
        assert_eq!(unexplored(code).is_some(), is_named, "{code}");
    }
}

#[test]
fn the_check_sees_what_it_looks_for() {
    for (code, is_named) in [
        ("use tokio::time;", true),
        ("let at = Instant::now();", true),
        ("use std::cell::Cell;", true),
        ("fn operand() -> Cellar { tokio_like() }", false),
        ("// tokio", false),
        ("#[cfg(test)]\nmod tests {\n    use tokio;\n}", false),
    ] {
        let code = production_code(code);
        let found = BANNED.iter().any(|word| names(&code, word));
        assert_eq!(found, is_named, "{code}");
    }
}
