//! A Postgres of a test's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::redis::{on_free_port, once_ready};

/// Where Debian has the programs of each version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// A Postgres with a database in a folder of its own, which ends with the value.
pub(crate) struct Postgres {
    folder: PathBuf,
    port: u16,
    process: Option<Child>,
    pub(crate) url: String,
}

impl Postgres {
    pub(crate) fn start() -> Self {
        let folder = new_database();
        let (process, port) = on_free_port(|port| Some((started(&folder, port)?, port)));
        Self {
            folder,
            port,
            process: Some(process),
            url: format!("postgres://postgres@127.0.0.1:{port}/postgres"),
        }
    }

    /// Ends it and every connection to it, at once.
    pub(crate) fn stop(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        // Unlike one that is killed it gives its shared memory back.
        let pid = process.id().to_string();
        let told = Command::new("kill").args(["-QUIT", &pid]).status();
        assert!(told.is_ok_and(|status| status.success()), "it is there");
        let _ = process.wait();
    }

    /// Starts it again where it was.
    pub(crate) fn restart(&mut self) {
        let process = started(&self.folder, self.port).expect("nobody took its port");
        self.process = Some(process);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A program of the newest version that is there. It refuses to run as root, so for root somebody else runs it.
fn program(name: &str) -> Command {
    let versions = fs::read_dir(VERSIONS).expect("postgresql is there; run scripts/setup");
    let versions = versions.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let newest: u32 = versions.max().expect("a version of Postgres is there");
    let path = Path::new(VERSIONS).join(format!("{newest}/bin/{name}"));
    if !is_root() {
        return Command::new(path);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
        .arg(path);
    command
}

fn is_root() -> bool {
    let id = Command::new("id")
        .arg("-u")
        .output()
        .expect("coreutils' id runs");
    id.stdout == b"0\n"
}

/// A new database, whose folder belongs to whoever runs it.
fn new_database() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = format!("socketio-postgres-{}-{number}", std::process::id());
    let folder = std::env::temp_dir().join(folder);
    fs::create_dir(&folder).expect("our own name");
    if is_root() {
        let given = Command::new("chown").arg("postgres").arg(&folder).status();
        assert!(given.is_ok_and(|status| status.success()));
    }
    let made = program("initdb")
        .args(["--username=postgres", "--auth=trust", "--encoding=UTF8"])
        .args(["--locale=C", "--no-sync", "--pgdata"])
        .arg(&folder)
        .output()
        .expect("initdb runs");
    assert!(made.status.success(), "{made:?}");
    folder
}

/// Starts it, and returns when it has said so; `None` when it ended without.
fn started(folder: &Path, port: u16) -> Option<Child> {
    let mut process = program("postgres")
        .arg("-D")
        .arg(folder)
        .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"])
        .args(["-c", "unix_socket_directories=", "-c", "fsync=off"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("postgres runs");
    let said = process.stderr.take().expect("it is piped");
    once_ready(process, said, "ready to accept connections")
}
