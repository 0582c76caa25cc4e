//! `scripts/cluster-demo`, and what is beside its example for people who run it in containers. `scripts/setup` installs what this needs.

#[path = "support/node.rs"]
mod node;

use std::path::Path;

/// It may have to build the example first.
const LIMIT_SECONDS: &str = "540";

#[test]
fn the_demo_of_a_cluster_starts_survives_a_kill_and_ends() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("node");
    let none: [(&str, &str); 0] = [];
    let passed = node::run(
        &folder,
        "browser/cluster_demo.test.mjs",
        LIMIT_SECONDS,
        none,
    );
    assert_eq!(passed, Ok(()));
}
