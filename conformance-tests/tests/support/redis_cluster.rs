//! A Redis Cluster of a test's own.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::redis::{free_port, on_free_port, started};

/// How many slots there are.
const SLOTS: usize = 16_384;

/// How often they are asked whether they know each other, a process each time.
const ATTEMPTS: usize = 20_000;

/// Servers of one cluster, which end with the value.
pub(crate) struct RedisCluster {
    servers: Vec<Server>,
    folder: PathBuf,
}

struct Server {
    process: Child,
    port: u16,
    arguments: Vec<String>,
}

impl RedisCluster {
    /// Three masters that share the slots, each with so many replicas.
    pub(crate) fn start(replicas: usize) -> Self {
        Self::with(replicas, &[])
    }

    /// The same with these options for each server.
    pub(crate) fn with(replicas: usize, options: &[&str]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("redis-cluster-{}-{number}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).expect("our own folder");
        let count = 3 * (replicas + 1);
        let servers = (0..count)
            .map(|_| Server::start(&folder, options))
            .collect();
        let cluster = Self { servers, folder };
        cluster.join(replicas);
        cluster
    }

    fn join(&self, replicas: usize) {
        let (masters, others) = self.servers.split_at(3);
        for (index, server) in self.servers.iter().enumerate() {
            server.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()]);
            let [first, last] = [index, index + 1].map(|index| index * SLOTS / 3);
            if index < 3 {
                let (first, last) = (first.to_string(), (last - 1).to_string());
                server.command(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
            }
            let port = self.servers[0].port.to_string();
            let bus = self.servers[0].bus_port();
            if index > 0 {
                server.command(&["CLUSTER", "MEET", "127.0.0.1", &port, bus]);
            }
        }
        let count = format!("cluster_known_nodes:{}", self.servers.len());
        self.until(|server| server.command(&["CLUSTER", "INFO"]).contains(&count));
        for (index, replica) in others.iter().enumerate() {
            let master = masters[index / replicas].command(&["CLUSTER", "MYID"]);
            replica.command(&["CLUSTER", "REPLICATE", master.trim()]);
        }
        self.until(|server| {
            let (info, nodes) = (["CLUSTER", "INFO"], ["CLUSTER", "NODES"]);
            let is_ok = server.command(&info).contains("cluster_state:ok");
            let lines = server.command(&nodes);
            let of_masters = lines.lines().filter(|line| line.contains("master"));
            // All three have said which slots they have, and replicas whose they are.
            is_ok
                && of_masters
                    .filter(|line| line.split(' ').count() > 8)
                    .count()
                    == 3
                && lines.matches("slave").count() == others.len()
        });
        for replica in others {
            self.until(|_| replica.command(&["ROLE"]).contains("connected"));
        }
    }

    fn until(&self, is_so: impl Fn(&Server) -> bool) {
        for server in &self.servers {
            let is_so = (0..ATTEMPTS).any(|_| is_so(server));
            assert!(is_so, "the servers do not come together");
        }
    }

    /// The addresses of all.
    pub(crate) fn urls(&self) -> String {
        let urls = self.servers.iter().map(Server::url);
        urls.collect::<Vec<_>>().join(",")
    }

    /// Gives the slot of a key that is not there to another server.
    pub(crate) fn move_slot_of(&self, key: &str) {
        let slot = self.servers[0].command(&["CLUSTER", "KEYSLOT", key]);
        let ids = self
            .servers
            .iter()
            .map(|server| server.command(&["CLUSTER", "MYID"]));
        let ids: Vec<_> = ids.collect();
        let nodes = self.servers[0].command(&["CLUSTER", "SLOTS"]);
        // A line each: the first slot, the last, the address, the port, the id.
        let lines: Vec<_> = nodes.lines().map(str::trim).collect();
        let number: usize = slot.trim().parse().expect("a number");
        let owner = self.servers.iter().zip(&ids).position(|(_, id)| {
            let at = lines.iter().position(|line| *line == id.trim());
            let [first, last] = at.map_or([SLOTS; 2], |at| {
                [4, 3].map(|before| lines[at - before].parse().expect("a slot"))
            });
            (first..=last).contains(&number)
        });
        let next = (owner.expect("somebody has it") + 1) % self.servers.len();
        let id = ids[next].trim();
        let to = &self.servers[next];
        for server in std::iter::once(to).chain(&self.servers) {
            server.command(&["CLUSTER", "SETSLOT", slot.trim(), "NODE", id]);
        }
    }

    /// What it takes to start each again, as JSON.
    pub(crate) fn arguments(&self) -> String {
        let mut told = String::from("{");
        for server in &self.servers {
            let comma = if told.len() > 1 { "," } else { "" };
            let arguments = format!("{:?}", server.arguments);
            let _ = write!(told, "{comma}\"{}\":{arguments}", server.port);
        }
        told + "}"
    }
}

impl Server {
    fn start(folder: &Path, options: &[&str]) -> Self {
        on_free_port(|port| Self::on(port, folder, options))
    }

    fn on(port: u16, folder: &Path, options: &[&str]) -> Option<Self> {
        let config = format!("{port}.conf");
        let (own, bus) = (port.to_string(), free_port().to_string());
        let folder = folder.to_str().expect("a name of our own");
        let arguments = [
            ["--port", &own],
            ["--cluster-port", &bus],
            ["--bind", "127.0.0.1"],
            ["--save", ""],
            ["--cluster-enabled", "yes"],
            ["--cluster-config-file", &config],
            ["--cluster-node-timeout", "1000"],
            ["--cluster-replica-validity-factor", "0"],
            ["--repl-diskless-sync-delay", "0"],
            ["--dir", folder],
        ];
        let arguments = arguments
            .concat()
            .into_iter()
            .chain(options.iter().copied());
        let arguments: Vec<String> = arguments.map(Into::into).collect();
        let mut command = Command::new("redis-server");
        command.args(&arguments);
        let process = started(&mut command, "Ready to accept connections")?;
        Some(Self {
            process,
            port,
            arguments,
        })
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn bus_port(&self) -> &str {
        &self.arguments[3]
    }

    fn command(&self, words: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        command.args(["-p", &self.port.to_string()]).args(words);
        let output = command.output().expect("redis-cli is there");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for RedisCluster {
    fn drop(&mut self) {
        for server in &mut self.servers {
            // A script may have ended it.
            let _ = server.process.kill();
            let _ = server.process.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}
