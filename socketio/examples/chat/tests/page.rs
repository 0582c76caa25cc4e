//! The page in a real Chromium. `scripts/setup` installs what it needs.

use std::path::Path;
use std::process::Command;

/// Short, so that a test can wait for renewals; long enough that a busy machine renews in time.
const TOKEN_LIFE_SECONDS: &str = "6";

/// The scripts that drive the page, and the browser they drive.
const NODE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../conformance-tests/node"
);

#[test]
fn people_chat_in_a_real_browser() {
    let node = Path::new(NODE);
    assert!(
        node.join("node_modules/playwright-core").exists(),
        "playwright-core is missing; run scripts/setup"
    );
    let output = Command::new("timeout")
        .args(["180", "node", "--test"])
        .arg(node.join("browser/chat.test.mjs"))
        .env("CHAT", env!("CARGO_BIN_EXE_chat"))
        .env("TOKEN_LIFE_SECONDS", TOKEN_LIFE_SECONDS)
        .output()
        .expect("coreutils' timeout runs");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}
