//! The rules of authentication are pure: no clock, no lock, no runtime, no randomness. Time and bytes are arguments,
//! so every race is a sequence of inputs.

use std::fs;
use std::path::{Path, PathBuf};

/// Files and folders below `src` that decide something.
const PURE: [&str; 19] = [
    "audit.rs",
    "authorize",
    "base/queue.rs",
    "claims",
    "grant.rs",
    "limits/address.rs",
    "limits/limiter.rs",
    "policy/collected.rs",
    "policy/settings.rs",
    "presented/credential.rs",
    "presented/request.rs",
    "presented/session_binding.rs",
    "presented/sources.rs",
    "rejection/code.rs",
    "revocation/list.rs",
    "revocation/table.rs",
    "state_machine",
    "subject.rs",
    "wire.rs",
];

const BANNED: [&str; 11] = [
    "tokio",
    "hyper",
    "Instant::now",
    "SystemTime::now",
    "SystemClock",
    "Mutex",
    "RwLock",
    "OnceLock",
    "Lock<",
    "atomic",
    "getrandom",
];

fn rust_files(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_file() {
        found.push(path.into());
    } else {
        for entry in fs::read_dir(path).expect("a folder of this crate") {
            rust_files(&entry.expect("readable").path(), found);
        }
    }
}

/// The code of a file: tests and documentation may name what they like.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .take_while(|line| *line != "#[cfg(test)]")
        .filter(|line| !line.trim_start().starts_with("//"))
}

#[test]
fn what_decides_has_no_clock_no_lock_and_no_runtime() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    for name in PURE {
        rust_files(&source.join(name), &mut files);
    }
    let is_test = |file: &PathBuf| {
        let name = file.file_name().and_then(|name| name.to_str());
        matches!(name, Some("tests.rs" | "exploration.rs"))
    };
    files.retain(|file| !is_test(file));
    assert!(files.len() > PURE.len());
    for file in files {
        let text = fs::read_to_string(&file).expect("a file of this crate");
        for line in code(&text) {
            for banned in BANNED {
                assert!(
                    !line.contains(banned),
                    "{banned} in {}: {line}",
                    file.display()
                );
            }
        }
    }
}
