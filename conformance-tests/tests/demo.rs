//! `scripts/cluster-demo`, and what is beside its example for people who run it in containers. `scripts/setup` installs what this needs.

#![allow(clippy::panic, reason = "a helper that fails fails its test")]

#[path = "support/node.rs"]
mod node;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

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

/// What people run in containers.
fn example() -> PathBuf {
    root().join("socketio/redis/examples/cluster_chat")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// A file of YAML, its anchors resolved.
fn yaml(file: &Path) -> Value {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/.venv/bin/python");
    let read = "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)";
    let mut command = Command::new(python);
    let output = command.args(["-c", read]).arg(file).output();
    let output = output.expect("the Python packages are there; run scripts/setup");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).expect("Python writes JSON")
}

fn words(value: &Value) -> BTreeSet<&str> {
    match value {
        Value::Object(members) => members.keys().map(String::as_str).collect(),
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        _ => BTreeSet::new(),
    }
}

#[test]
fn what_the_compose_file_names_is_there() {
    let folder = example();
    let compose = yaml(&folder.join("docker-compose.yml"));
    let services = compose["services"].as_object().expect("it has services");
    let names: BTreeSet<&str> = words(&compose["services"]);
    assert_eq!(
        names,
        BTreeSet::from(["nginx", "node", "one", "redis", "three", "two"])
    );
    let program = text(&folder.join("main.rs")) + &text(&folder.join("node.mjs"));
    for (name, service) in services {
        assert!(service["image"].is_string(), "{name}");
        let needed = words(&service["depends_on"]);
        assert!(needed.is_subset(&names), "{name}: {needed:?}");
        for variable in words(&service["environment"]) {
            assert!(
                program.contains(variable),
                "{name}: nobody reads {variable}"
            );
        }
        for volume in words(&service["volumes"]) {
            let file = volume.split(':').next().expect("it has a part");
            assert!(folder.join(file).is_file(), "{name}: {volume}");
        }
        if let Some(build) = service.get("build") {
            let context = folder.join(build["context"].as_str().expect("a folder"));
            assert!(
                context.join("Cargo.lock").is_file(),
                "{name}: {}",
                context.display()
            );
            let dockerfile = context.join(build["dockerfile"].as_str().expect("a file"));
            let target = build["target"].as_str().expect("a name");
            let stage = format!(" AS {target}\n");
            assert!(
                text(&dockerfile).contains(&stage),
                "{name}: no stage {target}"
            );
        }
    }
    // Each node knows where all are, and itself by its number.
    let nodes = services["one"]["environment"]["NODES"]
        .as_str()
        .expect("a list");
    for (number, name) in [("1", "one"), ("2", "two"), ("3", "three")] {
        let environment = &services[name]["environment"];
        assert_eq!(environment["NODE"], number);
        assert_eq!(environment["NODES"], nodes);
        assert!(
            nodes
                .split(',')
                .any(|node| node == format!("{number}={name}:7000")),
            "{nodes}"
        );
        let spread = format!(
            "server {name}:{};",
            environment["PORT"].as_str().expect("a port")
        );
        assert!(
            text(&folder.join("nginx.conf")).contains(&spread),
            "{spread}"
        );
    }
}

#[test]
fn what_the_dockerfile_copies_is_there_and_its_packages_are_those_that_are_tested() {
    let dockerfile = text(&example().join("Dockerfile"));
    let mut count = 0;
    for line in dockerfile.lines().filter(|line| line.starts_with("COPY ")) {
        let files: Vec<&str> = line.split(' ').skip(1).collect();
        let (_, files) = files.split_last().expect("there is where to");
        if files[0].starts_with("--from=") {
            continue;
        }
        for file in files {
            assert!(root().join(file).exists(), "{line}");
            count += 1;
        }
    }
    assert!(count >= 4, "{count}");
    let packages = |file: PathBuf| -> Value {
        let package: Value = serde_json::from_str(&text(&file)).expect("it is JSON");
        package["dependencies"].clone()
    };
    let tested = packages(root().join("conformance-tests/node/package.json"));
    let own = packages(example().join("package.json"));
    for name in words(&own) {
        assert_eq!(own[name], tested[name], "{name}");
    }
}
