//! What a run does when the server is not there, hangs, or dies.

mod support;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use conformance_tests::{Options, Outcome, Profile, Status};
use socketio::SocketIo;
use socketio::auth::{self, AuthContext, Code, Credential, InHandshake, auth_fn};
use support::{Server, Start, alone, check, table};

fn cli(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_conformance-tests"))
        .args(arguments)
        .output()
        .expect("the suite's binary runs")
}

#[expect(clippy::disallowed_methods, reason = "the claim is about real time")]
fn now() -> Instant {
    Instant::now()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_url_where_nobody_listens_ends_at_once_and_says_so() {
    let since = now();
    let output = cli(&["--url", "http://127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        errors(&output).contains("no connection"),
        "{}",
        errors(&output)
    );
    assert!(since.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_url_that_is_none_is_refused_with_the_reason() {
    for url in ["nonsense", "https://localhost", "http://localhost:port"] {
        let output = cli(&["--url", url]);
        assert_eq!(output.status.code(), Some(2), "{url}");
        assert!(errors(&output).contains(url), "{}", errors(&output));
    }
}

#[test]
fn a_path_where_nothing_is_served_is_named_and_so_is_the_one_where_something_is() {
    let _alone = alone();
    let server = Server::start(&Start::ours(&[]), Profile::Engine);
    let elsewhere = format!("{}/elsewhere/", server.url);
    for arguments in [
        &["--url", &elsewhere][..],
        &["--url", &server.url, "--profile", "socket"],
    ] {
        let output = cli(arguments);
        let told = errors(&output);
        assert_eq!(output.status.code(), Some(2), "{told}");
        let path = match arguments {
            [_, _] => elsewhere.clone(),
            _ => format!("{}/socket.io/", server.url),
        };
        for part in [
            "the server does not serve",
            &format!("GET {path}?EIO=4&transport=polling"),
            "404",
            "a session does open at /engine.io/",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
}

#[test]
fn a_right_server_that_is_not_the_fixture_is_told_so_in_one_sentence() {
    let _alone = alone();
    let engine = Server::start(&Start::ours(&[]), Profile::Engine);
    let socket = Server::start(&Start::ours(&[]), Profile::Socket);
    for (url, profile, part) in [
        (format!("{}/socket.io/", socket.url), "engine", "sent back"),
        (format!("{}/engine.io/", engine.url), "socket", "`message`"),
        (format!("{}/socket.io/", socket.url), "auth", "`whoami`"),
        (
            format!("{}/socket.io/", socket.url),
            "socket-msgpack",
            "PARSER",
        ),
        (format!("{}/engine.io/", engine.url), "engine-eio3", "EIO3"),
        (format!("{}/socket.io/", socket.url), "socket-eio3", "EIO3"),
    ] {
        let since = now();
        let output = cli(&["--url", &url, "--profile", profile]);
        let told = errors(&output);
        assert_eq!(output.status.code(), Some(2), "{profile}: {told}");
        assert!(output.stdout.is_empty(), "{profile}: no case has run");
        assert_eq!(told.lines().count(), 1, "{told}");
        for part in [&url, "spec/FIXTURE.md", profile, part] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(since.elapsed() < Duration::from_secs(15), "{profile}");
    }
}

/// Whatever the profile joins needs no credential there.
#[test]
fn a_server_that_lets_nobody_in_is_told_so_and_with_what_it_refuses() {
    let _alone = alone();
    let (url, profiles) = guarded();
    for profile in profiles {
        let output = cli(&["--url", &url, "--profile", profile]);
        let told = errors(&output);
        assert_eq!(output.status.code(), Some(2), "{profile}: {told}");
        assert_eq!(told.lines().count(), 1, "{told}");
        for part in [
            "spec/FIXTURE.md",
            "refuses the CONNECT with 44",
            "credentials_required",
        ] {
            assert!(told.contains(part), "{profile} {part}: {told}");
        }
    }
}

/// A server all of whose namespaces are guarded, and the profiles to ask it with.
fn guarded() -> (String, [&'static str; 3]) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    listener.set_nonblocking(true).expect("it is a socket");
    // Until the test's process ends.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .expect("threads can be started");
        runtime.block_on(async {
            let nobody = auth_fn(|_: AuthContext, _: Credential| async {
                auth::Outcome::<()>::Reject(Code::InvalidToken.into())
            });
            let io = SocketIo::builder()
                .engine(|engine| engine.allow_eio3(true))
                .authenticate(InHandshake::new(nobody))
                .build()
                .expect("the options do not contradict themselves");
            for name in ["/", "/public"] {
                io.namespace(name).open().expect("it is not open yet");
            }
            let listener = tokio::net::TcpListener::from_std(listener);
            io.serve(listener.expect("it does not block")).await
        })
    });
    (
        format!("http://{address}/socket.io/"),
        ["socket", "socket-eio3", "auth"],
    )
}

#[test]
fn a_server_that_hangs_ends_the_run_in_bounded_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let since = now();
    let output = cli(&[
        "--url",
        &format!("http://{}", listener.local_addr().unwrap()),
    ]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        errors(&output).contains("nothing came within"),
        "{}",
        errors(&output)
    );
    assert!(since.elapsed() < Duration::from_secs(15));
}

/// Answers each connection's first bytes with these and then keeps silent, the connections open.
fn hanging_after(answer: &'static str) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        // Until the test's process ends.
        for mut stream in listener.incoming().flatten() {
            let mut asked = [0; 1024];
            let _ = stream.read(&mut asked);
            let _ = stream.write_all(answer.as_bytes());
            kept.push(stream);
        }
    });
    address
}

#[test]
fn a_server_that_hangs_in_its_answer_ends_the_run_in_bounded_time() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
    ] {
        let since = now();
        let output = cli(&["--url", &format!("http://{}", hanging_after(answer))]);
        assert_eq!(output.status.code(), Some(2), "{answer}");
        assert!(
            errors(&output).contains("the server does not serve: GET http://127.0.0.1:"),
            "{answer}: {}",
            errors(&output)
        );
        assert!(since.elapsed() < Duration::from_secs(15), "{answer}");
    }
}

/// How many connections of a run reach the server before the middle of the run: more than those of the look before it, and
/// fewer than a run of the engine's profile makes.
const UNTIL_THE_MIDDLE: usize = 60;

/// Passes so many connections on, each by threads of its own, and leaves those after them to the listener.
fn relay(listener: &TcpListener, server: &str, connections: usize) {
    for client in listener.incoming().take(connections).flatten() {
        // A case that is over closes its connections whenever it likes.
        let Ok(server) = TcpStream::connect(server) else {
            continue;
        };
        let pass = |from: &TcpStream, to: &TcpStream| {
            let another = |stream: &TcpStream| stream.try_clone().expect("descriptors are left");
            let (mut from, mut to) = (another(from), another(to));
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Write);
            });
        };
        pass(&client, &server);
        pass(&server, &client);
    }
}

/// The system still accepts connections for it, and nobody answers.
#[test]
fn a_server_that_stops_in_the_middle_ends_the_run_in_bounded_time() {
    let _alone = alone();
    let server = Server::start(&Start::ours(&[]), Profile::Engine);
    let since = now();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // The test's own half keeps the port open.
    let (relayed, address, pid) = (
        listener.try_clone().unwrap(),
        server.address(0),
        server.pid(),
    );
    std::thread::spawn(move || {
        relay(&relayed, &address, UNTIL_THE_MIDDLE);
        let mut stop = Command::new("kill");
        assert!(
            stop.args(["-STOP", &pid.to_string()])
                .status()
                .unwrap()
                .success()
        );
    });
    let options = Options::new(Profile::Engine).patience(Duration::from_secs(1));
    let report = check(&url, options);
    assert!(!report.is_conformant());
    assert!(report.outcomes.iter().any(is_not_run), "{}", table(&report));
    assert!(
        since.elapsed() < Duration::from_secs(60),
        "{:?}",
        since.elapsed()
    );
}

#[test]
fn the_run_ends_when_its_time_is_up_and_says_what_did_not_run() {
    let _alone = alone();
    let server = Server::start(&Start::ours(&[]), Profile::Engine);
    let since = now();
    // The slowest case is the first, and takes longer than this alone.
    let options = Options::new(Profile::Engine)
        .limit(Duration::from_millis(500))
        .parallel(1);
    let report = check(&server.url, options);
    assert!(!report.is_conformant());
    assert!(
        since.elapsed() < Duration::from_secs(20),
        "{:?}",
        since.elapsed()
    );
    let text = report.to_format(conformance_tests::Format::Table);
    assert!(text.contains("time limit"), "{text}");
}

/// What a server takes and never gives back.
#[derive(Clone, Copy)]
enum Hoard {
    Memory,
    Descriptors,
}

/// Opens a session for whoever asks, sends back what is posted, and hoards once a name in a query is percent-encoded. It
/// lives in the test's own process.
fn hoarder(hoard: Hoard) -> std::net::SocketAddr {
    const HOARD_BYTES: usize = 96 << 20;
    const HOARD_DESCRIPTORS: usize = 40;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let open = r#"0{"sid":"AAAAAAAAAAAAAAAAAAAA","upgrades":[],"pingInterval":300,"pingTimeout":200,"maxPayload":1000000}"#;
    std::thread::spawn(move || {
        let (mut memory, mut descriptors, mut kept) = (Vec::new(), Vec::new(), Vec::new());
        let mut posted = String::new();
        for mut stream in listener.incoming().flatten() {
            let mut asked = [0; 1024];
            let length = stream.read(&mut asked).unwrap_or_default();
            let asked = String::from_utf8_lossy(&asked[..length]).into_owned();
            let body = asked.split_once("\r\n\r\n").unwrap_or_default().1;
            let is_post = asked.starts_with("POST");
            if is_post {
                body.clone_into(&mut posted);
            }
            let body = match asked.contains("sid=") {
                true if is_post => "ok",
                true => &posted,
                false => open,
            };
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=UTF-8";
            let answer = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            match hoard {
                _ if !asked.contains('%') => {}
                // Memory that was only asked for is not held: it has to be written to.
                Hoard::Memory => memory.resize(HOARD_BYTES, 1_u8),
                Hoard::Descriptors => descriptors
                    .extend(std::iter::repeat_with(|| stream.try_clone()).take(HOARD_DESCRIPTORS)),
            }
            let _ = stream.write_all(answer.as_bytes());
            kept.push((stream, std::hint::black_box(&memory).len()));
        }
    });
    address
}

#[test]
fn a_process_that_does_not_give_back_what_it_took_fails_the_run() {
    let _alone = alone();
    for (hoard, named) in [(Hoard::Descriptors, "descriptors"), (Hoard::Memory, "KiB")] {
        let options = Options::new(Profile::Engine)
            .only("eio4_query/names-are-percent-decoded")
            .pid(std::process::id())
            .return_limit(Duration::from_millis(300));
        let report = check(&format!("http://{}", hoarder(hoard)), options);
        let is_passed = |status: &Status| matches!(status, Status::Passed);
        assert!(report.outcomes.iter().all(|one| is_passed(&one.status)));
        let leak = report.leak.clone().unwrap_or_default();
        assert!(leak.contains(named), "{leak}");
        assert!(!report.is_conformant(), "the case alone is well");
    }
}

#[test]
fn a_process_that_is_not_there_cannot_be_watched() {
    let _alone = alone();
    let server = Server::start(&Start::ours(&[]), Profile::Engine);
    let output = cli(&["--url", &server.url, "--pid", "4194305"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        errors(&output).contains("cannot be watched"),
        "{}",
        errors(&output)
    );
}

/// Its place was never tried, since the server was seen to be gone.
fn is_not_run(outcome: &Outcome) -> bool {
    matches!(&outcome.status, Status::NotRun { reason } if reason.contains("no longer serves"))
}

#[test]
fn a_server_that_dies_in_the_middle_ends_the_run_with_what_did_not_run() {
    let _alone = alone();
    let mut server = Server::start(&Start::ours(&[]), Profile::Engine);
    let since = now();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        relay(&listener, &server.address(0), UNTIL_THE_MIDDLE);
        server.kill();
        // The listener goes with it: nobody accepts from here on.
    });
    let report = check(&url, Options::new(Profile::Engine));
    assert!(!report.is_conformant());
    assert!(report.outcomes.iter().any(is_not_run), "{}", table(&report));
    assert!(
        since.elapsed() < Duration::from_secs(45),
        "{:?}",
        since.elapsed()
    );
}

#[test]
fn the_exit_status_says_whether_a_must_failed() {
    let _alone = alone();
    let server = Server::start(&Start::ours(&[]), Profile::Engine);
    let output = cli(&["--url", &server.url, "--only", "EIO4-QRY"]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    // The suite expects a megabyte.
    let smaller = Start::ours(&[]).with("MAX_PAYLOAD", "500000");
    let server = Server::start(&smaller, Profile::Engine);
    let output = cli(&["--url", &server.url, "--only", "EIO4-HS-02"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("FAILED MUST eio4_handshake/"), "{text}");
    assert!(
        text.contains("> GET /engine.io/?EIO=4"),
        "the trace shows what was sent: {text}"
    );
    assert!(
        text.contains("differs there from socket.io"),
        "what a failure means: {text}"
    );
}

/// README's line: the fixture's defaults are what the suite wants.
#[test]
fn the_reference_passes_at_the_first_try() {
    let _alone = alone();
    let server = Server::start(&Start::node(), Profile::Socket);
    let output = cli(&["--url", &server.url, "--profile", "socket"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}{}", errors(&output));
}

#[test]
fn a_filter_that_matches_nothing_is_an_error() {
    let output = cli(&["--url", "http://127.0.0.1:1", "--only", "EIO9"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains("no case"), "{}", errors(&output));
}
