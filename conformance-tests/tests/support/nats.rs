//! A nats-server of a test's own, and somebody beside the servers who speaks on it.

#![allow(clippy::panic, reason = "a helper that fails fails its test")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// A nats-server, without anything on disk, which ends with the value.
pub(crate) struct Nats {
    process: Child,
    port: u16,
}

impl Nats {
    /// On a port that it chooses.
    pub(crate) fn start() -> Self {
        Self::on("-1", &[])
    }

    /// The same with this file of settings.
    pub(crate) fn with(settings: &str) -> Self {
        Self::on("-1", &["--config", settings])
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(mut self) -> Killed {
        end(&mut self.process);
        Killed(self.port)
    }

    fn on(port: &str, options: &[&str]) -> Self {
        // Where Debian has it, and where not everybody looks.
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
        let mut process = Command::new("nats-server")
            .args(["--addr", "127.0.0.1", "--port", port])
            .args(options)
            .env("PATH", path)
            .stderr(Stdio::piped())
            .spawn()
            .expect("nats-server is there; run scripts/setup");
        let said = process.stderr.take().expect("it is piped");
        let mut lines = BufReader::new(said).lines().map_while(Result::ok);
        let port = lines.find_map(|line| {
            let (_, address) = line.split_once("Listening for client connections on ")?;
            address.rsplit_once(':')?.1.parse().ok()
        });
        let Some(port) = port.filter(|_| lines.any(|line| line.contains("Server is ready"))) else {
            end(&mut process);
            panic!("nats-server did not start");
        };
        // What it says later is nobody's, but must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, port }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        // A script may have ended it.
        end(&mut self.process);
    }
}

/// Where a nats-server was.
pub(crate) struct Killed(u16);

impl Killed {
    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.0)
    }

    pub(crate) fn start_again(self) -> Nats {
        Nats::on(&self.0.to_string(), &[])
    }
}

fn end(process: &mut Child) {
    let _ = process.kill();
    let _ = process.wait();
}

/// A client of NATS that does one thing after the other.
pub(crate) struct Speaker {
    stream: BufReader<TcpStream>,
}

impl Speaker {
    pub(crate) fn new(nats: &Nats) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", nats.port)).expect("it listens");
        let mut speaker = Self {
            stream: BufReader::new(stream),
        };
        assert!(speaker.line().starts_with("INFO "));
        speaker.write(b"CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}\r\n");
        speaker.write(b"SUB inbox 1\r\n");
        speaker
    }

    pub(crate) fn say(&mut self, subject: &str, payload: &[u8]) {
        let mut said = format!("PUB {subject} {}\r\n", payload.len()).into_bytes();
        said.extend_from_slice(payload);
        said.extend_from_slice(b"\r\n");
        self.write(&said);
    }

    /// Returns when the nats-server has taken all that was said.
    pub(crate) fn finish(&mut self) {
        self.write(b"PING\r\n");
        assert_eq!(self.line(), "PONG");
    }

    /// Whether anybody listens there: if not, the nats-server says so.
    pub(crate) fn is_heard(&mut self, subject: &str) -> bool {
        self.write(format!("PUB {subject} inbox 0\r\n\r\nPING\r\n").as_bytes());
        let mut is_heard = true;
        loop {
            match &*self.line() {
                "PONG" => return is_heard,
                line => is_heard &= !line.starts_with("HMSG "),
            }
        }
    }

    /// From here on what others say on this subject waits to be read.
    pub(crate) fn overhear(&mut self, subject: &str) {
        self.write(format!("SUB {subject} 2\r\n").as_bytes());
        self.finish();
    }

    /// What was said next on the subject that is overheard.
    pub(crate) fn overheard(&mut self) -> Vec<u8> {
        let line = self.line();
        let (_, length) = line.rsplit_once(' ').expect("MSG subject sid length");
        let length: usize = length.parse().expect("a number");
        let mut payload = vec![0; length + 2];
        self.stream.read_exact(&mut payload).expect("it is there");
        payload.truncate(length);
        payload
    }

    fn write(&mut self, bytes: &[u8]) {
        let stream = self.stream.get_mut();
        stream.write_all(bytes).expect("nats-server reads");
    }

    fn line(&mut self) -> String {
        loop {
            let mut line = String::new();
            let read = self.stream.read_line(&mut line).expect("it is text");
            assert_ne!(read, 0, "nats-server ended the connection");
            match line.trim_end() {
                "PING" => self.write(b"PONG\r\n"),
                line => return line.to_owned(),
            }
        }
    }
}
