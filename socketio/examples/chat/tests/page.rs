//! The page in a real Chromium. `scripts/setup` installs what it needs.

#[path = "../../../../conformance-tests/tests/support/node.rs"]
mod node;

use std::path::Path;

/// Short, so that a test can wait for renewals; long enough that a busy machine renews in time.
const TOKEN_LIFE_SECONDS: &str = "6";

/// The scripts that drive the page, and the browser they drive.
const NODE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../conformance-tests/node"
);

#[test]
fn people_chat_in_a_real_browser() {
    let environment = [
        ("CHAT", env!("CARGO_BIN_EXE_chat")),
        ("TOKEN_LIFE_SECONDS", TOKEN_LIFE_SECONDS),
    ];
    let passed = node::run(Path::new(NODE), "browser/chat.test.mjs", "180", environment);
    assert_eq!(passed, Ok(()));
}
