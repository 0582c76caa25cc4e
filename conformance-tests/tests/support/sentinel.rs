//! A Redis that a sentinel watches.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::redis::{Redis, on_free_port, started};

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
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let name = format!("sentinel-{}-{number}", std::process::id());
        let file = folder.join(format!("{name}.conf"));
        // What a replica is sent is on disk for a moment.
        let place = folder.to_str().expect("a name of our own");
        let options = ["--repl-diskless-sync-delay", "0", "--dir", place];
        let redis = |number: &str, more: &[&str]| {
            let dump = format!("{name}-{number}.rdb");
            Redis::with(&[&options[..], &["--dbfilename", &dump], more].concat())
        };
        let master = redis("1", &[]);
        let (_, master_port) = master.url.rsplit_once(':').expect("it has a port");
        let replica = redis("2", &["--replicaof", "127.0.0.1", master_port]);
        let (sentinel, port) = on_free_port(|port| {
            let config = format!(
                "port {port}\nbind 127.0.0.1\nsentinel monitor watched 127.0.0.1 {master_port} 1\n\
                 sentinel down-after-milliseconds watched 1000\nsentinel failover-timeout watched 5000\n"
            );
            fs::write(&file, config).expect("our own folder");
            let mut command = Command::new("redis-server");
            command.arg(&file).arg("--sentinel");
            started(&mut command, "+monitor").map(|sentinel| (sentinel, port))
        });
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
        for number in ["1", "2"] {
            let dump = self.file.with_extension("").display().to_string();
            let _ = fs::remove_file(format!("{dump}-{number}.rdb"));
        }
    }
}
