//! The configurations that the guide shows for reverse proxies, run by nginx, HAProxy and Caddy with the official
//! clients behind them. `scripts/setup` installs what this needs.

#![allow(clippy::panic, reason = "a helper that fails fails its test")]

#[path = "support/node.rs"]
mod node;
#[path = "support/process.rs"]
mod process;
#[path = "support/redis.rs"]
mod redis;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use process::Listening;
use redis::Redis;
use socketio::auth::limits::TrustedProxies;

/// Where the servers and the proxy listen in the guide.
const SERVERS: [&str; 3] = ["127.0.0.1:3000", "127.0.0.1:3001", "127.0.0.1:3002"];

/// No run takes half of this on a busy machine.
const LIMIT_SECONDS: &str = "240";

#[test]
fn clients_are_served_through_nginx() {
    let [one, several, _] = shown("reverse_proxies", "nginx");
    Nginx::serves(&one, "one");
    Nginx::serves(&several, "several");
}

#[test]
fn a_client_behind_nginx_and_a_unix_socket_has_its_own_address() {
    let [_, _, unix] = shown("reverse_proxies", "nginx");
    // A folder of the target directory may be too long for the name of a socket.
    let path = std::env::temp_dir().join(format!("socketio-proxies-{}", std::process::id()));
    for door in [UnixDoor::Own, UnixDoor::Axum] {
        let _served = serve_unix(&path, door);
        let path = path.to_str().expect("a name of our own");
        let configuration = unix.replace("/run/app/socket.io.sock", path);
        assert!(configuration.contains(path), "{configuration}");
        let address = free_address();
        let folder = folder("nginx-unix");
        let mut program = Nginx::start(&configuration, &address, &folder);
        wait_for(&address, &mut program);
        let said = run_script("clients/unix-proxy.test.mjs", &address);
        let _ = program.kill();
        let _ = program.wait();
        said.unwrap_or_else(|said| panic!("{door:?}: {said}"));
    }
}

#[derive(Clone, Copy, Debug)]
enum UnixDoor {
    Own,
    Axum,
}

/// Serves whoever trusts a proxy on this Unix socket, until the runtime is dropped.
fn serve_unix(path: &Path, door: UnixDoor) -> tokio::runtime::Runtime {
    let _ = fs::remove_file(path);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let entered = runtime.enter();
    let listener = tokio::net::UnixListener::bind(path).expect("our own path");
    drop(entered);
    let io = socketio::SocketIo::builder()
        .trusted_proxies(TrustedProxies::default().unix_sockets(true))
        .engine(|config| config.max_sessions_per_peer(1))
        .build()
        .expect("the options are sound");
    io.namespace("/")
        .on("whence", |socket, ()| async move {
            let handshake = socket.handshake();
            let peer = handshake.peer().map(|peer| peer.ip().to_string());
            socketio::Ack((peer, handshake.is_secure()))
        })
        .open()
        .expect("the first");
    runtime.spawn(async move {
        let router = axum::Router::new().fallback_service(io.service().unix(true));
        match door {
            UnixDoor::Own => io.serve(listener).await,
            UnixDoor::Axum => axum::serve(listener, router).await,
        }
    });
    runtime
}

#[test]
fn clients_are_served_through_haproxy() {
    let [one, several] = shown("reverse_proxies", "haproxy");
    Haproxy::serves(&one, "one");
    Haproxy::serves(&several, "several");
}

#[test]
fn clients_are_served_through_caddy() {
    let [one, several] = shown("reverse_proxies", "caddy");
    Caddy::serves(&one, "one");
    Caddy::serves(&several, "several");
}

/// Three servers, each request at the next: the official clients notice nothing.
#[test]
fn nodes_that_know_each_other_need_no_sticky_sessions() {
    let [nginx] = shown("several_servers", "nginx");
    assert!(nginx.contains("/socket.io/"), "{nginx}");
    let nginx = nginx.replace("/socket.io/", "/engine.io/");
    let environment = [("PING_INTERVAL", "25000"), ("PING_TIMEOUT", "20000")];
    let servers = nodes("engine", &environment);
    Nginx::spreads(&nginx, &servers, "nodes", "clients/engine.test.mjs");
}

/// The same for rooms and broadcasts, which go by Redis.
#[test]
fn nodes_that_share_a_redis_as_well_are_one_server_to_clients() {
    let redis = Redis::start();
    let servers = nodes("socket", &[("FIXTURE_REDIS_URL", &redis.url)]);
    let [nginx] = shown("several_servers", "nginx");
    Nginx::spreads(&nginx, &servers, "cluster", "clients/socket.test.mjs");
    let [haproxy] = shown("several_servers", "haproxy");
    Haproxy::spreads(&haproxy, &servers, "cluster", "clients/socket.test.mjs");
}

/// Three servers that pass requests on to each other.
fn nodes(profile: &str, environment: &[(&str, &str)]) -> [Listening; 3] {
    let addresses = [1, 2, 3].map(|number| format!("{number}={}", free_address()));
    let nodes = addresses.join(",");
    ["1", "2", "3"].map(|number| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fixture"));
        command
            .args(["--profile", profile, "--port", "0"])
            .envs([("EIO3", "1"), ("NODE", number), ("NODES", &nodes)])
            .envs(environment.iter().copied());
        Listening::start(&mut command)
    })
}

/// What a chapter of the guide shows in this language: for one server, for several, and what else there is.
fn shown<const COUNT: usize>(chapter: &str, language: &str) -> [String; COUNT] {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = here.join(format!("../socketio/src/guide/{chapter}.md"));
    let guide = fs::read_to_string(guide).expect("the guide is there");
    let fence = format!("```{language}\n");
    let blocks = guide.split(&fence).skip(1);
    let blocks = blocks.map(|rest| rest.split("```").next().unwrap_or_default().to_owned());
    let blocks: Vec<_> = blocks.collect();
    blocks.try_into().expect("as many as are looked for")
}

/// A proxy program, which is ended with the value.
trait Proxy {
    /// What listens in the guide, and what the program wants around the configuration.
    const LISTENS: &'static str;
    fn start(configuration: &str, address: &str, folder: &Path) -> Child;

    /// The official clients of both generations are served, by polling, by WebSocket and by an upgrade.
    fn serves(shown: &str, name: &str) {
        let servers = SERVERS.map(|_| fixture());
        Self::spreads(shown, &servers, name, "clients/socket.test.mjs");
    }

    /// The script passes behind this configuration, with these servers in the place of the guide's.
    fn spreads(shown: &str, servers: &[Listening; 3], name: &str, script: &str) {
        let mut configuration = shown.to_owned();
        for (shown, server) in SERVERS.iter().zip(servers) {
            configuration = configuration.replace(shown, &server.address);
        }
        assert!(!configuration.contains(":300"), "{configuration}");
        assert!(configuration.contains(Self::LISTENS), "{configuration}");
        let address = free_address();
        let folder = folder(&format!(
            "{}-{name}",
            std::any::type_name::<Self>().replace(':', "-")
        ));
        let mut program = Self::start(&configuration, &address, &folder);
        wait_for(&address, &mut program);
        let said = run_script(script, &address);
        let _ = program.kill();
        let _ = program.wait();
        said.unwrap_or_else(|said| panic!("{name}: {said}"));
    }
}

struct Nginx;

impl Proxy for Nginx {
    const LISTENS: &'static str = "listen 80;";

    fn start(configuration: &str, address: &str, folder: &Path) -> Child {
        let inner = configuration.replace(Self::LISTENS, &format!("listen {address};"));
        let at = folder.display();
        let mut around = format!(
            "daemon off;\nmaster_process off;\npid {at}/pid;\nerror_log {at}/errors;\nevents {{}}\nhttp {{\naccess_log off;\n"
        );
        for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
            around.push_str(&format!("{kind}_temp_path {at}/{kind};\n"));
        }
        let file = folder.join("nginx.conf");
        fs::write(&file, format!("{around}{inner}}}\n")).expect("our own folder");
        start(
            Command::new("nginx")
                .arg("-c")
                .arg(file)
                .arg("-e")
                .arg(folder.join("errors")),
        )
    }
}

struct Haproxy;

impl Proxy for Haproxy {
    const LISTENS: &'static str = "bind :80\n";

    fn start(configuration: &str, address: &str, folder: &Path) -> Child {
        let configuration = configuration.replace(Self::LISTENS, &format!("bind {address}\n"));
        let file = folder.join("haproxy.cfg");
        // The guide's has the limits of the machine, which those of a test need not have.
        fs::write(&file, format!("global\n    maxconn 200\n\n{configuration}"))
            .expect("our own folder");
        start(Command::new("haproxy").arg("-q").arg("-f").arg(file))
    }
}

struct Caddy;

impl Proxy for Caddy {
    const LISTENS: &'static str = ":80 {\n";

    fn start(configuration: &str, address: &str, folder: &Path) -> Child {
        let configuration = configuration.replace(Self::LISTENS, &format!("http://{address} {{\n"));
        let file = folder.join("Caddyfile");
        // Neither its control port nor its folders in the user's home are wanted.
        let around = "{\n\tadmin off\n\tauto_https off\n}\n\n";
        fs::write(&file, format!("{around}{configuration}")).expect("our own folder");
        let mut command = Command::new("caddy");
        command.args(["run", "--adapter", "caddyfile", "--config"]);
        command.arg(file).env("HOME", folder);
        command
            .env("XDG_DATA_HOME", folder)
            .env("XDG_CONFIG_HOME", folder);
        start(command.stderr(std::process::Stdio::null()))
    }
}

fn start(command: &mut Command) -> Child {
    // Where Debian has them, and where not everybody looks.
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
    let spawned = command.env("PATH", path).spawn();
    spawned.unwrap_or_else(|error| panic!("{command:?}: {error}; run scripts/setup"))
}

fn fixture() -> Listening {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fixture"));
    command
        .args(["--profile", "socket", "--port", "0"])
        .env("EIO3", "1");
    Listening::start(&mut command)
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("our own folder");
    folder
}

/// Of this machine alone, and nobody's at the moment.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").to_string()
}

/// Returns when somebody listens, which the program does not say.
fn wait_for(address: &str, program: &mut Child) {
    while std::net::TcpStream::connect(address).is_err() {
        let ended = program.try_wait().expect("the process is ours");
        assert!(ended.is_none(), "the proxy ended: {ended:?}");
        std::thread::yield_now();
    }
}

fn run_script(script: &str, address: &str) -> Result<(), String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("node");
    let environment = [("FIXTURE_URL", format!("http://{address}"))];
    node::run(&folder, script, LIMIT_SECONDS, environment)
}
