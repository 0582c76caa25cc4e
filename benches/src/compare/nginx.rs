//! nginx that ends TLS in front of a server, as one process, with what it says on a port of its own.

use std::error::Error;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::process::Process;
use crate::sys;
use crate::workspace::{pem, root};

/// It listens long before.
const PATIENCE: Duration = Duration::from_secs(10);

/// A proxy; ends when dropped.
#[derive(Debug)]
pub(super) struct Nginx {
    pub(super) address: SocketAddr,
    child: Child,
}

impl Nginx {
    /// Whether it is installed.
    pub(super) fn find() -> Result<(), Box<dyn Error>> {
        Command::new("nginx")
            .arg("-v")
            .stderr(Stdio::null())
            .status()?;
        Ok(())
    }

    /// Starts it in front of a server, on the core that this process is on.
    pub(super) fn start(server: SocketAddr) -> Result<Self, Box<dyn Error>> {
        // Free a moment ago; nobody else here takes ports meanwhile.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let folder = root()
            .join("target/benches-nginx")
            .join(address.port().to_string());
        fs::create_dir_all(&folder)?;
        let file = folder.join("nginx.conf");
        fs::write(&file, configuration(server, address, &folder))?;
        let child = Command::new("nginx")
            .arg("-p")
            .arg(&folder)
            .arg("-c")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let nginx = Self { address, child };
        let end = Instant::now() + PATIENCE;
        loop {
            match TcpStream::connect(address) {
                Ok(_) => return Ok(nginx),
                Err(error)
                    if error.kind() == io::ErrorKind::ConnectionRefused && Instant::now() < end =>
                {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(error) => return Err(format!("nginx does not listen: {error}").into()),
            }
        }
    }

    pub(super) fn process(&self) -> Process {
        Process(self.child.id())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = sys::terminate(self.child.id());
        let _ = self.child.wait();
    }
}

/// As the guide has it, with TLS, and without what would make it more than one process.
fn configuration(server: SocketAddr, address: SocketAddr, folder: &Path) -> String {
    let folder = folder.display();
    let (chain, key) = (pem("first.pem"), pem("first.key.pem"));
    let (chain, key) = (chain.display(), key.display());
    format!(
        "daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log;
worker_rlimit_nofile 20000;
events {{ worker_connections 19000; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {address} ssl backlog=4096;
        ssl_certificate {chain};
        ssl_certificate_key {key};
        location / {{
            proxy_pass http://{server};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection \"upgrade\";
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_buffering off;
            proxy_read_timeout 3600s;
        }}
    }}
}}
"
    )
}
