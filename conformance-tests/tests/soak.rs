//! A quarter of a minute of `scripts/soak`: official clients that are cut, stalled and killed, against our fixture.
//! What fails prints its seed. `scripts/setup` installs what it needs.

use std::path::Path;
use std::process::Command;

const SECONDS: &str = "15";

/// Far more than what is awaited at the end; a run that hangs is ended and fails.
const LIMIT_SECONDS: &str = "300";

#[test]
fn nothing_is_lost_or_kept_whatever_happens_to_the_clients() {
    let output = run(&["--flavor", "multi"]);
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}

#[test]
fn the_soak_fails_where_the_server_cannot_start() {
    let output = run(&["--flavor", "unheard-of"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

fn run(arguments: &[&str]) -> std::process::Output {
    let node = Path::new(env!("CARGO_MANIFEST_DIR")).join("node");
    assert!(
        node.join("node_modules").exists(),
        "scripts/setup installs what this test needs"
    );
    // Another seed each time; the run prints it.
    let seed = std::process::id().to_string();
    Command::new("timeout")
        .args([LIMIT_SECONDS, "node"])
        .arg(node.join("soak.mjs"))
        .args([env!("CARGO_BIN_EXE_fixture"), SECONDS, &seed])
        .args(arguments)
        .output()
        .expect("coreutils' timeout runs")
}
