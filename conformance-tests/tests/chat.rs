//! The chat example's page in a real Chromium. `scripts/setup` installs what it needs.

#[path = "support/process.rs"]
mod process;

use std::path::Path;
use std::process::Command;

use process::Listening;

/// Short, so that a test can wait for renewals; long enough that a busy machine renews in time.
const TOKEN_LIFE_SECONDS: &str = "6";

#[test]
fn people_chat_in_a_real_browser() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let installed = here.join("node/node_modules/playwright-core");
    assert!(
        installed.exists(),
        "playwright-core is missing; run scripts/setup"
    );
    let chat = start();
    let output = Command::new("timeout")
        .args(["180", "node", "--test"])
        .arg(here.join("node/browser/chat.test.mjs"))
        .env("CHAT_URL", &chat.address)
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

/// The example, built with the workspace.
fn start() -> Listening {
    let profile = Path::new(env!("CARGO_BIN_EXE_fixture"))
        .parent()
        .expect("a binary is in a folder");
    let program = profile.join("examples/chat");
    assert!(
        program.exists(),
        "the example is not built; run cargo build --workspace --examples"
    );
    Listening::start(
        Command::new(program)
            .env("PORT", "0")
            .env("TOKEN_LIFE_SECONDS", TOKEN_LIFE_SECONDS),
    )
}
