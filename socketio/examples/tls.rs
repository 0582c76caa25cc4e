//! TLS without a proxy in front: a front door of one's own, by rustls.
//!
//! For a certificate of your own machine, `openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost
//! -addext subjectAltName=DNS:localhost -keyout key.pem -out certificate.pem`. Then run
//!
//! ```sh
//! cargo run -p socketio --example tls -- certificate.pem key.pem
//! ```
//!
//! and from Node, which has to be told whom to trust:
//!
//! ```js
//! const socket = io("https://localhost:3443", { ca: await readFile("certificate.pem") });
//! ```

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socketio::engineio::Accepted;
use socketio::{Ack, BuildError, SocketIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// How long a handshake may take; who needs longer is nobody's client.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long to wait when the machine has nothing left for a connection.
const PAUSE: Duration = Duration::from_millis(50);

fn build() -> Result<SocketIo, BuildError> {
    let io = SocketIo::new();
    io.namespace("/")
        .on("secure", |socket, ()| async move {
            Ack(socket.handshake().is_secure())
        })
        .open()?;
    Ok(io)
}

/// Reads a chain of certificates and the key of the first.
fn acceptor(chain: &str, key: &str) -> Result<TlsAcceptor, Box<dyn std::error::Error>> {
    let chain = CertificateDer::pem_file_iter(chain)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    // What is spoken inside, so that nobody begins with something else.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Serves one connection, from its handshake on.
async fn serve(io: SocketIo, acceptor: TlsAcceptor, stream: TcpStream, peer: SocketAddr) {
    // Small packets must not wait for the acknowledgement of earlier ones.
    let _ = stream.set_nodelay(true);
    match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            let accepted = Accepted::stream(stream).peer(peer).secure(true);
            io.serve_accepted(accepted).await;
        }
        Ok(Err(error)) => eprintln!("{peer}: {error}"),
        Err(_) => eprintln!("{peer}: no handshake in time"),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(chain), Some(key)) = (arguments.next(), arguments.next()) else {
        return Err("how to call it: tls CERTIFICATE.pem KEY.pem [ADDRESS]".into());
    };
    let acceptor = acceptor(&chain, &key)?;
    let address = arguments
        .next()
        .unwrap_or_else(|| "127.0.0.1:3443".to_owned());
    let listener = TcpListener::bind(address).await?;
    let io = build()?;
    eprintln!("listening on https://{}", listener.local_addr()?);

    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(serve(io.clone(), acceptor.clone(), stream, peer));
                }
                Err(error) => {
                    eprintln!("nobody can be let in: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            // Forgets those that have ended.
            Some(_) = connections.join_next() => {}
        }
    }
}
