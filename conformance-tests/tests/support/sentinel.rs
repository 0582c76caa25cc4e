//! A Redis that a sentinel watches.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::redis::{Redis, free_port};

/// How often they are asked whether they know each other, a process each time.
const ATTEMPTS: usize = 20_000;

/// A master, a replica, and a sentinel, which end with the value.
pub(crate) struct Watched {
    _master: Redis,
    _replica: Redis,
    sentinel: Child,
    port: u16,
    file: PathBuf,
}

impl Watched {
    pub(crate) fn start() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let options = ["--repl-diskless-sync-delay", "0"];
        let master = Redis::with(&options);
        let (_, master_port) = master.url.rsplit_once(':').expect("it has a port");
        let replica =
            Redis::with(&[&options[..], &["--replicaof", "127.0.0.1", master_port]].concat());
        let port = free_port();
        let name = format!("sentinel-{}-{number}.conf", std::process::id());
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let config = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor watched 127.0.0.1 {master_port} 1\n\
             sentinel down-after-milliseconds watched 1000\nsentinel failover-timeout watched 5000\n"
        );
        fs::write(&file, config).expect("our own folder");
        let mut sentinel = Command::new("redis-server")
            .arg(&file)
            .arg("--sentinel")
            .stdout(Stdio::piped())
            .spawn()
            .expect("redis-server is there; run scripts/setup");
        let said = sentinel.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(said).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("+monitor")), "no sentinel");
        std::thread::spawn(move || lines.for_each(drop));
        let watched = Self {
            _master: master,
            _replica: replica,
            sentinel,
            port,
            file,
        };
        let knows = (0..ATTEMPTS).any(|_| {
            let replicas = watched.ask(&["SENTINEL", "REPLICAS", "watched"]);
            replicas.contains("master-link-status\nok")
        });
        assert!(knows, "the sentinel does not know the replica");
        watched
    }

    fn ask(&self, words: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        command.args(["-p", &self.port.to_string()]).args(words);
        let output = command.output().expect("redis-cli is there");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The address of the sentinel.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.sentinel.kill();
        let _ = self.sentinel.wait();
        let _ = fs::remove_file(&self.file);
    }
}
