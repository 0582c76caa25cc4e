//! A Redis of a test's own.

use std::io::{BufRead as _, BufReader};
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
        let port = free_port();
        let mut process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", ""])
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .expect("redis-server is there; run scripts/setup");
        let said = process.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(said).lines().map_while(Result::ok);
        let is_ready = lines.any(|line| line.contains("Ready to accept connections"));
        assert!(is_ready, "redis-server did not start");
        // What it says later is nobody's, but must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            process,
            url: format!("redis://127.0.0.1:{port}"),
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // A script may have ended it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that nobody has, for a program that does not say which it chose.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    listener.local_addr().expect("it is bound").port()
}
