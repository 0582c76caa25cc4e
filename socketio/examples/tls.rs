//! TLS without a proxy in front, and certificates that are renewed without a restart.
//!
//! For a certificate of your own machine, `openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost
//! -addext subjectAltName=DNS:localhost -keyout key.pem -out certificate.pem`. Then run
//!
//! ```sh
//! cargo run -p socketio --features tls --example tls -- certificate.pem key.pem
//! ```
//!
//! and from Node, which has to be told whom to trust:
//!
//! ```js
//! const socket = io("https://localhost:3443", { ca: await readFile("certificate.pem") });
//! ```
//!
//! Whatever renews the two files sends a signal behind it, `pkill -HUP tls` for instance.

use socketio::engineio::{Certificates, TlsListener};
use socketio::{Ack, BuildError, SocketIo};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

fn build() -> Result<SocketIo, BuildError> {
    let io = SocketIo::new();
    io.namespace("/")
        .on("secure", |socket, ()| async move {
            Ack(socket.handshake().is_secure())
        })
        .open()?;
    Ok(io)
}

/// Reads the files again at each hangup.
async fn renew(certificates: Certificates) -> std::io::Result<()> {
    let mut hangups = signal(SignalKind::hangup())?;
    while hangups.recv().await.is_some() {
        match certificates.reload() {
            Ok(()) => eprintln!("renewed"),
            // Those that were in force still are.
            Err(error) => eprintln!("not renewed: {error}"),
        }
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(chain), Some(key)) = (arguments.next(), arguments.next()) else {
        return Err("how to call it: tls CERTIFICATE.pem KEY.pem [ADDRESS]".into());
    };
    let address = arguments.next();
    let address = address.as_deref().unwrap_or("127.0.0.1:3443");
    let certificates = Certificates::from_pem_files(chain, key)?;
    let listener = TcpListener::bind(address).await?;
    let io = build()?;
    let renewing = renew(certificates.clone());
    eprintln!("listening on https://{}", listener.local_addr()?);
    tokio::select! {
        served = io.serve(TlsListener::new(listener, certificates)) => served?,
        renewed = renewing => renewed?,
    }
    Ok(())
}
