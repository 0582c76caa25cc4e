//! The chat example's page in a real Chromium. `scripts/setup` installs what it needs.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

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
    let chat = Chat::start();
    let output = Command::new("timeout")
        .args(["180", "node", "--test"])
        .arg(here.join("node/browser/chat.test.mjs"))
        .env("CHAT_URL", &chat.url)
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

/// The example, which ends with this value.
struct Chat {
    process: Child,
    url: String,
}

impl Chat {
    fn start() -> Self {
        let profile = Path::new(env!("CARGO_BIN_EXE_fixture"))
            .parent()
            .expect("a binary is in a folder");
        let program = profile.join("examples/chat");
        assert!(
            program.exists(),
            "the example is not built; run cargo build --workspace --examples"
        );
        let mut process = Command::new(program)
            .env("PORT", "0")
            .env("TOKEN_LIFE_SECONDS", TOKEN_LIFE_SECONDS)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example starts");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("stdout is piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("the example says where it listens");
        let url = line
            .trim_end()
            .strip_prefix("listening on ")
            .expect("the example says where it listens");
        Self {
            process,
            url: url.to_owned(),
        }
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        // It may be gone already, which the test has noticed then.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
