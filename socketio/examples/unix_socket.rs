//! A Unix socket for the proxy in front, and a port for whoever is on this machine: two listeners made one.
//!
//! Run it with `cargo run -p socketio --example unix_socket`, with a path and an address behind `--` if you like. nginx
//! reaches it by `proxy_pass http://unix:/run/app/socket.io.sock;`, and Node by
//!
//! ```js
//! const agent = new http.Agent({ socketPath: "/tmp/socket.io.sock" });
//! const socket = io("http://localhost", { agent });
//! ```
//!
//! Who needs the Unix socket alone has it in one line: `io.serve(UnixListener::bind(path)?)`.

use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;
use std::task::{Context, Poll};

use socketio::engineio::{Accepted, Listener};
use socketio::{Ack, BuildError, SocketIo};
use tokio::net::{TcpListener, UnixListener};

/// Accepts from both.
struct Both {
    unix: UnixListener,
    tcp: TcpListener,
}

impl Listener for Both {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        // Each that has nobody wakes us when it has.
        if let Poll::Ready(accepted) = self.unix.poll_accept(cx) {
            return Poll::Ready(accepted.map(|(stream, _)| Accepted::unix(stream)));
        }
        let accepted = self.tcp.poll_accept(cx);
        accepted.map_ok(|(stream, peer)| Accepted::tcp(stream).peer(peer))
    }
}

/// Binds a path of the file system, in place of the socket that an earlier run may have left there.
fn bind(path: &Path) -> io::Result<UnixListener> {
    if path
        .symlink_metadata()
        .is_ok_and(|found| found.file_type().is_socket())
    {
        std::fs::remove_file(path)?;
    }
    UnixListener::bind(path)
}

fn build() -> Result<SocketIo, BuildError> {
    let io = SocketIo::new();
    io.namespace("/")
        .on("whence", |socket, ()| async move {
            // A Unix socket has no address; who is behind the proxy is told by its headers.
            let peer = socket.handshake().peer();
            Ack(peer.map_or_else(|| "a Unix socket".to_owned(), |peer| peer.ip().to_string()))
        })
        .open()?;
    Ok(io)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments
        .next()
        .unwrap_or_else(|| "/tmp/socket.io.sock".to_owned());
    let address = arguments
        .next()
        .unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = Both {
        unix: bind(Path::new(&path))?,
        tcp: TcpListener::bind(address).await?,
    };
    eprintln!("listening on http://{}", listener.tcp.local_addr()?);
    build()?.serve(listener).await?;
    Ok(())
}
