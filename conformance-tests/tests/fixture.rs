//! What the fixtures do beside their profiles: end, run out of descriptors, and start where something is missing.

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use conformance_tests::Profile;
use support::{Server, Start};

const LISTENERS: [&str; 3] = ["own", "hyper", "axum"];

/// Longer than any wait of the fixture's own.
const PATIENCE: Duration = Duration::from_secs(20);

/// What makes a handshake one for WebSocket.
const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// A handshake on a connection of its own.
fn ask(address: &str, transport: &str, headers: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("the fixture listens");
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("the limit is not zero");
    write!(
        stream,
        "GET /engine.io/?EIO=4&transport={transport} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n"
    )
    .expect("a request fits the buffers");
    stream
}

/// Reads until the server has said this; false when it ends before.
fn says(stream: &mut TcpStream, expected: &[u8]) -> bool {
    let (mut said, mut bytes) = (Vec::new(), [0; 2048]);
    while !said
        .windows(expected.len())
        .any(|window| window == expected)
    {
        match stream.read(&mut bytes) {
            Ok(0) | Err(_) => return false,
            Ok(length) => said.extend_from_slice(&bytes[..length]),
        }
    }
    true
}

#[test]
fn told_to_end_our_fixture_closes_its_sessions_and_ends_well() {
    for listener in LISTENERS {
        for flavor in ["current", "multi"] {
            let arguments = ["--listener", listener, "--flavor", flavor];
            // No ping comes in between.
            let start = Start::ours(&arguments).with("PING_INTERVAL", "20000");
            let mut server = Server::start(&start, Profile::Engine);
            let address = server.address(0);
            let mut client = ask(&address, "websocket", UPGRADE);
            assert!(says(&mut client, b"maxPayload"), "a session opens");
            server.terminate();
            let close_frame = [0x88, 0];
            assert!(says(&mut client, &close_frame), "{arguments:?}");
            assert!(server.ended().success(), "{arguments:?}");
        }
    }
}

/// The listener goes on once there are descriptors again.
#[test]
fn without_descriptors_our_fixture_waits_for_some() {
    const DESCRIPTORS: usize = 40;
    for listener in LISTENERS {
        let start = Start::ours(&["--listener", listener]).limited(DESCRIPTORS);
        let server = Server::start(&start, Profile::Engine);
        let address = server.address(0);
        let mut held = Vec::new();
        let is_exhausted = (0..=DESCRIPTORS).any(|_| {
            let mut stream = ask(&address, "polling", "");
            // Those before it were answered within a millisecond or so.
            stream
                .set_read_timeout(Some(Duration::from_secs(2)))
                .unwrap();
            let is_answered = says(&mut stream, b"maxPayload");
            held.push(stream);
            !is_answered
        });
        assert!(is_exhausted, "{listener}: {} are held", held.len());
        drop(held);
        let mut late = ask(&address, "polling", "");
        assert!(
            says(&mut late, b"maxPayload"),
            "{listener}: it accepts no more"
        );
    }
}

/// A copy of the fixture where none of its packages is installed.
#[test]
fn the_fixture_of_node_says_how_its_packages_are_installed() {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("node");
    let to = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("node-without-packages");
    std::fs::create_dir_all(to.join("fixture")).unwrap();
    for file in [
        "fixture.mjs",
        "fixture/engine.mjs",
        "fixture/listen.mjs",
        "fixture/options.mjs",
    ] {
        std::fs::copy(from.join(file), to.join(file)).unwrap();
    }
    let output = Command::new("node")
        .arg(to.join("fixture.mjs"))
        .args(["--profile", "engine", "--port", "0"])
        .output()
        .expect("node is there");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("scripts/setup"), "{told}");
}
