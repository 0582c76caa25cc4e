//! The official clients from npm and PyPI against our fixture, and the same scripts against the reference servers,
//! since a test that fails there is wrong.
//!
//! `scripts/setup` installs what these tests need.

#[path = "support/process.rs"]
mod process;

use std::path::{Path, PathBuf};
use std::process::Command;

use process::Listening;

/// No script takes half of this on a busy machine; one that hangs is ended and fails.
const LIMIT_SECONDS: &str = "300";

/// A script, and the server that it wants.
struct Suite {
    script: &'static str,
    profile: &'static str,
    environment: &'static [(&'static str, &'static str)],
}

const ENGINE: Suite = Suite {
    script: "node/clients/engine.test.mjs",
    profile: "engine",
    environment: &[
        ("EIO3", "1"),
        ("PING_INTERVAL", "25000"),
        ("PING_TIMEOUT", "20000"),
    ],
};

const ENGINE_HEARTBEAT: Suite = Suite {
    script: "node/clients/engine-heartbeat.test.mjs",
    profile: "engine",
    environment: &[
        ("EIO3", "1"),
        ("PING_INTERVAL", "300"),
        ("PING_TIMEOUT", "700"),
    ],
};

const ENGINE_COOKIE: Suite = Suite {
    script: "node/clients/engine-cookie.test.mjs",
    profile: "engine",
    environment: &[
        ("BIND_COOKIE", "binding"),
        ("PING_INTERVAL", "25000"),
        ("PING_TIMEOUT", "20000"),
    ],
};

const ENGINE_INITIAL: Suite = Suite {
    script: "node/clients/engine-initial.test.mjs",
    profile: "engine",
    environment: &[
        ("EIO3", "1"),
        ("INITIAL_PACKET", "first €"),
        ("PING_INTERVAL", "25000"),
        ("PING_TIMEOUT", "20000"),
    ],
};

const SOCKET_INITIAL: Suite = Suite {
    script: "node/clients/socket-initial.test.mjs",
    profile: "socket",
    environment: &[("INITIAL_PACKET", r#"2["first",1]"#)],
};

const SOCKET: Suite = Suite {
    script: "node/clients/socket.test.mjs",
    profile: "socket",
    // No limit: 200 questions take a busy machine longer than the fixture waits by itself.
    environment: &[("EIO3", "1"), ("ACK_TIMEOUT", "0")],
};

const SOCKET_MSGPACK: Suite = Suite {
    script: "node/clients/socket.test.mjs",
    profile: "socket",
    environment: &[("PARSER", "msgpack"), ("ACK_TIMEOUT", "0")],
};

const DEFLATE: Suite = Suite {
    script: "node/clients/deflate.test.mjs",
    profile: "socket",
    environment: &[("DEFLATE_THRESHOLD", "64"), ("ACK_TIMEOUT", "0")],
};

const DEFLATE_CONTEXT: Suite = Suite {
    environment: &[
        ("DEFLATE_THRESHOLD", "64"),
        ("DEFLATE_CONTEXT", "4096"),
        ("ACK_TIMEOUT", "0"),
    ],
    ..DEFLATE
};

const PYTHON_DEFLATE: Suite = Suite {
    script: "python/clients/deflate_test.py",
    ..DEFLATE
};

const PYTHON_DEFLATE_CONTEXT: Suite = Suite {
    script: "python/clients/deflate_test.py",
    ..DEFLATE_CONTEXT
};

const MATRIX: Suite = Suite {
    script: "node/clients/matrix.test.mjs",
    profile: "matrix",
    environment: &[],
};

const SECRET: (&str, &str) = ("JWT_SECRET", conformance_tests::JWT_SECRET);

const AUTH_HANDSHAKE: Suite = Suite {
    script: "node/clients/auth-handshake.test.mjs",
    profile: "auth",
    environment: &[SECRET],
};

const AUTH_HANDSHAKE_EIO3: Suite = Suite {
    environment: &[SECRET, ("EIO3", "1")],
    ..AUTH_HANDSHAKE
};

const AUTH_TWO_TRIP: Suite = Suite {
    script: "node/clients/auth-two-trip.test.mjs",
    profile: "auth",
    environment: &[SECRET, ("EIO3", "1"), ("AUTH_TIMEOUT", "3000")],
};

const AUTH_LIFETIME: Suite = Suite {
    script: "node/clients/auth-lifetime.test.mjs",
    profile: "auth",
    environment: &[SECRET, ("EIO3", "1")],
};

const AUTH_PROOF: Suite = Suite {
    script: "node/clients/auth-proof.test.mjs",
    profile: "auth",
    environment: &[SECRET],
};

const PYTHON_SOCKET: Suite = Suite {
    script: "python/clients/socket_test.py",
    profile: "socket",
    environment: &[],
};

const PYTHON_SOCKET_MSGPACK: Suite = Suite {
    environment: &[("PARSER", "msgpack")],
    ..PYTHON_SOCKET
};

const PYTHON_MATRIX: Suite = Suite {
    script: "python/clients/matrix_test.py",
    profile: "matrix",
    environment: &[],
};

const PYTHON_AUTH: Suite = Suite {
    script: "python/clients/auth_test.py",
    profile: "auth",
    environment: &[SECRET, ("AUTH_TIMEOUT", "3000")],
};

#[test]
fn engine_clients_are_served() {
    ENGINE.passes_on(&Server::ours());
}

#[test]
fn engine_clients_are_served_by_plain_hyper() {
    ENGINE.passes_on(&Server::ours().with(&["--listener", "hyper"]));
}

#[test]
fn engine_clients_are_served_by_axum_on_many_threads() {
    ENGINE.passes_on(&Server::ours().with(&["--listener", "axum", "--flavor", "multi"]));
}

#[test]
fn engine_clients_pass_on_the_reference() {
    ENGINE.passes_on(&Server::node());
}

#[test]
fn engine_heartbeat_is_kept() {
    ENGINE_HEARTBEAT.passes_on(&Server::ours());
}

#[test]
fn engine_heartbeat_passes_on_the_reference() {
    ENGINE_HEARTBEAT.passes_on(&Server::node());
}

#[test]
fn engine_clients_that_keep_cookies_are_served_where_sessions_are_bound_to_one() {
    ENGINE_COOKIE.passes_on(&Server::ours());
}

#[test]
fn clients_get_the_initial_packet_first() {
    ENGINE_INITIAL.passes_on(&Server::ours());
    SOCKET_INITIAL.passes_on(&Server::ours());
}

#[test]
fn the_initial_packet_comes_first_on_the_reference() {
    ENGINE_INITIAL.passes_on(&Server::node());
    SOCKET_INITIAL.passes_on(&Server::node());
}

#[test]
fn socket_clients_are_served() {
    SOCKET.passes_on(&Server::ours());
}

#[test]
fn socket_clients_are_served_by_axum_on_many_threads() {
    SOCKET.passes_on(&Server::ours().with(&["--listener", "axum", "--flavor", "multi"]));
}

#[test]
fn socket_clients_with_msgpack_are_served() {
    SOCKET_MSGPACK.passes_on(&Server::ours());
}

#[test]
fn socket_clients_pass_on_the_reference() {
    SOCKET.passes_on(&Server::node());
}

#[test]
fn socket_clients_with_msgpack_pass_on_the_reference() {
    SOCKET_MSGPACK.passes_on(&Server::node());
}

#[test]
fn compressing_clients_are_served() {
    DEFLATE.passes_on(&Server::ours());
}

#[test]
fn compressing_clients_are_served_with_contexts() {
    DEFLATE_CONTEXT.passes_on(&Server::ours());
}

#[test]
fn compressing_clients_pass_on_the_reference() {
    DEFLATE.passes_on(&Server::node());
}

#[test]
fn compressing_python_clients_are_served() {
    PYTHON_DEFLATE.passes_on(&Server::ours());
    PYTHON_DEFLATE_CONTEXT.passes_on(&Server::ours());
}

#[test]
fn compressing_python_clients_pass_on_the_reference() {
    PYTHON_DEFLATE.passes_on(&Server::node());
}

#[test]
fn every_configuration_serves_its_clients() {
    MATRIX.passes_on(&Server::ours());
}

#[test]
fn every_configuration_passes_on_the_reference() {
    MATRIX.passes_on(&Server::node());
}

#[test]
fn clients_are_authenticated_at_the_handshake() {
    AUTH_HANDSHAKE.passes_on(&Server::ours());
}

#[test]
fn clients_of_both_protocols_are_authenticated_at_the_handshake() {
    AUTH_HANDSHAKE_EIO3.passes_on(&Server::ours());
}

#[test]
fn handshake_authentication_passes_on_the_reference() {
    AUTH_HANDSHAKE_EIO3.passes_on(&Server::node());
}

#[test]
fn clients_are_authenticated_in_two_trips() {
    AUTH_TWO_TRIP.passes_on(&Server::ours());
}

#[test]
fn clients_are_authenticated_in_two_trips_by_axum_on_many_threads() {
    AUTH_TWO_TRIP.passes_on(&Server::ours().with(&["--listener", "axum", "--flavor", "multi"]));
}

#[test]
fn authentication_in_two_trips_passes_on_the_reference() {
    AUTH_TWO_TRIP.passes_on(&Server::node());
}

#[test]
fn clients_renew_their_tokens_or_lose_them() {
    AUTH_LIFETIME.passes_on(&Server::ours());
}

#[test]
fn the_life_of_tokens_passes_on_the_reference() {
    AUTH_LIFETIME.passes_on(&Server::node());
}

#[test]
fn clients_prove_to_hold_the_key_of_their_token() {
    AUTH_PROOF.passes_on(&Server::ours());
}

#[test]
fn python_clients_are_served() {
    PYTHON_SOCKET.passes_on(&Server::ours());
}

#[test]
fn python_clients_are_served_by_axum_on_many_threads() {
    PYTHON_SOCKET.passes_on(&Server::ours().with(&["--listener", "axum", "--flavor", "multi"]));
}

#[test]
fn python_clients_with_msgpack_are_served() {
    PYTHON_SOCKET_MSGPACK.passes_on(&Server::ours());
}

#[test]
fn python_clients_pass_on_the_reference() {
    PYTHON_SOCKET.passes_on(&Server::node());
}

#[test]
fn python_clients_with_msgpack_pass_on_the_reference() {
    PYTHON_SOCKET_MSGPACK.passes_on(&Server::node());
}

#[test]
fn every_configuration_serves_python_clients() {
    PYTHON_MATRIX.passes_on(&Server::ours());
}

#[test]
fn every_configuration_passes_with_python_clients_on_the_reference() {
    PYTHON_MATRIX.passes_on(&Server::node());
}

#[test]
fn python_clients_are_authenticated() {
    PYTHON_AUTH.passes_on(&Server::ours());
}

#[test]
fn authentication_of_python_clients_passes_on_the_reference() {
    PYTHON_AUTH.passes_on(&Server::node());
}

/// How to start a fixture.
struct Server {
    command: Vec<PathBuf>,
    is_reference: bool,
}

impl Server {
    fn ours() -> Self {
        Self {
            command: vec![env!("CARGO_BIN_EXE_fixture").into()],
            is_reference: false,
        }
    }

    fn node() -> Self {
        Self {
            command: vec![
                "node".into(),
                installed("node/fixture.mjs", "node/node_modules"),
            ],
            is_reference: true,
        }
    }

    fn with(mut self, arguments: &[&str]) -> Self {
        self.command.extend(arguments.iter().map(PathBuf::from));
        self
    }
}

impl Suite {
    fn passes_on(&self, server: &Server) {
        let running = self.start(server);
        let output = self
            .interpreter()
            .env("FIXTURE_URL", format!("http://{}", running.address))
            .env(
                "FIXTURE_IS_REFERENCE",
                if server.is_reference { "1" } else { "0" },
            )
            .envs(self.environment.iter().copied())
            .output()
            .expect("coreutils' timeout runs");
        assert!(
            output.status.success(),
            "{} against {:?}\n{}{}",
            self.script,
            server.command,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
    }

    fn start(&self, server: &Server) -> Listening {
        let (program, arguments) = server
            .command
            .split_first()
            .expect("a command has a program");
        Listening::start(
            Command::new(program)
                .args(arguments)
                .args(["--profile", self.profile, "--port", "0"])
                .envs(self.environment.iter().copied()),
        )
    }

    fn interpreter(&self) -> Command {
        let mut command = Command::new("timeout");
        command.arg(LIMIT_SECONDS);
        if self.script.starts_with("python/") {
            let python = "python/.venv/bin/python";
            // Without the compiled files that it would leave beside the scripts.
            command.arg(installed(python, python)).arg("-B");
            command
                .arg(installed(self.script, python))
                .arg("--failfast");
        } else {
            command.arg("node").arg("--test");
            command.arg(installed(self.script, "node/node_modules"));
        }
        command
    }
}

/// A file of this crate that works only after `scripts/setup` has made `needed`.
fn installed(file: &str, needed: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(
        here.join(needed).exists(),
        "{needed} is missing; run scripts/setup"
    );
    here.join(file)
}
