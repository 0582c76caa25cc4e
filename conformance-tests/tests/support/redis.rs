//! A Redis of a test's own.

use std::io::{BufRead as _, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

/// A Redis server of its own, without anything on disk, which ends with the value.
pub(crate) struct Redis {
    process: Child,
    pub(crate) url: String,
}

impl Redis {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// The same with these options.
    pub(crate) fn with(options: &[&str]) -> Self {
        on_free_port(|port| Self::on(port, options))
    }

    /// The same on this port; `None` when it does not start there.
    pub(crate) fn on(port: u16, options: &[&str]) -> Option<Self> {
        let mut command = Command::new("redis-server");
        command
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", ""])
            .args(options);
        let process = started(&mut command, "Ready to accept connections")?;
        let url = format!("redis://127.0.0.1:{port}");
        Some(Self { process, url })
    }
}

/// Starts a server of Redis, and returns when it has said so; `None` when it ended without.
pub(crate) fn started(command: &mut Command, ready: &str) -> Option<Child> {
    let mut process = command
        .stdout(Stdio::piped())
        .spawn()
        .expect("redis-server is there; run scripts/setup");
    let said = process.stdout.take().expect("it is piped");
    once_ready(process, said, ready)
}

/// The process, once it has said that it is ready; `None` when it ended without.
pub(crate) fn once_ready(
    mut process: Child,
    said: impl Read + Send + 'static,
    ready: &str,
) -> Option<Child> {
    let mut lines = BufReader::new(said).lines().map_while(Result::ok);
    if !lines.any(|line| line.contains(ready)) {
        let _ = process.kill();
        let _ = process.wait();
        return None;
    }
    // What it says later is nobody's, but must not fill the pipe.
    std::thread::spawn(move || lines.for_each(drop));
    Some(process)
}

impl Drop for Redis {
    fn drop(&mut self) {
        // A script may have ended it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// How many ports are tried.
const PORTS: usize = 10;

/// Starts a server on a port that nobody has. Until it listens there somebody else may take the port, be it for a connection;
/// then it is started on another.
pub(crate) fn on_free_port<T>(start: impl FnMut(u16) -> Option<T>) -> T {
    std::iter::repeat_with(free_port)
        .take(PORTS)
        .find_map(start)
        .expect("it starts on a port that nobody has")
}

/// A port that nobody has, for a program that does not say which it chose.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    listener.local_addr().expect("it is bound").port()
}
