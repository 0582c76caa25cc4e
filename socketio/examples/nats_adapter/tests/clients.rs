//! Two of the program behind one nats-server, with the official client from npm. `scripts/setup` installs both.

#[path = "../../../../conformance-tests/tests/support/nats.rs"]
#[allow(
    dead_code,
    reason = "what is done to a nats-server is tested elsewhere"
)]
mod nats;
#[path = "../../../../conformance-tests/tests/support/node.rs"]
mod node;
#[path = "../../../../conformance-tests/tests/support/program.rs"]
mod program;

use std::path::Path;
use std::process::Command;

use nats::Nats;
use program::Running;

const NODE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../conformance-tests/node"
);

/// The script takes no half of this on a busy machine; if it hangs it is ended and fails.
const LIMIT_SECONDS: &str = "120";

#[test]
fn clients_of_two_servers_chat() {
    let nats = Nats::start();
    let start = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nats_adapter"));
        Running::start(command.args(["--nats", &nats.url(), "--port", "0"]))
    };
    let (one, other) = (start(), start());
    let environment = [("EXAMPLE_URL", &one.url), ("OTHER_URL", &other.url)];
    let passed = node::run(
        Path::new(NODE),
        "examples/nats_adapter.test.mjs",
        LIMIT_SECONDS,
        environment,
    );
    assert_eq!(passed, Ok(()));
}
