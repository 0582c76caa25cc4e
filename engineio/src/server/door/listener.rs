//! Where connections are accepted.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::http1;
use crate::http::request::Caller;
use crate::server::session::shared::HubOf;
use crate::server::stream::{ForeignStream, Stream};
use crate::server::tasks::spawn;
use crate::trace;

/// How long to wait when the process has no descriptor left for a connection.
pub(super) const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);

/// A connection that was accepted, and what is known of whoever made it.
///
/// ```
/// # fn accepted(tls: tokio::io::DuplexStream, peer: std::net::SocketAddr) -> engineio::Accepted {
/// engineio::Accepted::stream(tls).peer(peer).secure(true)
/// # }
/// ```
pub struct Accepted {
    pub(crate) stream: Stream,
    pub(crate) caller: Caller,
}

impl Accepted {
    fn new(stream: Stream) -> Self {
        Self {
            stream,
            caller: Caller::UNKNOWN,
        }
    }

    /// A TCP connection.
    #[must_use]
    pub fn tcp(stream: TcpStream) -> Self {
        Self::new(Stream::Tcp(stream))
    }

    /// A connection to a Unix socket.
    #[must_use]
    pub fn unix(stream: UnixStream) -> Self {
        let mut accepted = Self::new(Stream::Unix(stream));
        accepted.caller.is_unix = true;
        accepted
    }

    /// A connection of any other kind: the TLS of another library for example, after its handshake.
    pub fn stream<S: ForeignStream>(stream: S) -> Self {
        Self::new(Stream::Foreign(Box::new(stream)))
    }

    /// The address of the peer; unknown by default.
    #[must_use]
    pub fn peer(mut self, peer: SocketAddr) -> Self {
        self.caller.peer = Some(peer);
        self
    }

    /// Whether the connection is secured by TLS, as [`RequestView::is_secure`](crate::RequestView::is_secure) tells
    /// hooks and handlers; `false` by default.
    #[must_use]
    pub fn secure(mut self, is_secure: bool) -> Self {
        self.caller.is_secure = is_secure;
        self
    }
}

impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accepted")
            .field("caller", &self.caller)
            .finish_non_exhaustive()
    }
}

/// A listener that [`Engine::serve`](crate::Engine::serve) accepts from: tokio's for TCP and for Unix sockets, or one of
/// the application's.
///
/// ```
/// use std::io;
/// use std::task::{Context, Poll, ready};
///
/// use engineio::{Accepted, Listener};
///
/// /// Counts who comes.
/// struct Counting(tokio::net::TcpListener, u64);
///
/// impl Listener for Counting {
///     fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
///         let (stream, peer) = ready!(self.0.poll_accept(cx))?;
///         self.1 += 1;
///         Poll::Ready(Ok(Accepted::tcp(stream).peer(peer)))
///     }
/// }
/// ```
pub trait Listener: Send {
    /// The next connection.
    ///
    /// # Errors
    ///
    /// As the operating system's `accept`.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>>;

    /// Called once, before the first connection. True when accepted streams need not be told `TCP_NODELAY` any more,
    /// because they have it from the listener; false by default, which is right for any other.
    fn is_nodelay_inherited(&self) -> bool {
        false
    }
}

impl Listener for TcpListener {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        let (stream, peer) = ready!(Self::poll_accept(self, cx))?;
        Poll::Ready(Ok(Accepted::tcp(stream).peer(peer)))
    }

    fn is_nodelay_inherited(&self) -> bool {
        // It is on Linux, which saves a system call for each connection.
        cfg!(target_os = "linux") && SockRef::from(self).set_tcp_nodelay(true).is_ok()
    }
}

impl Listener for UnixListener {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        let (stream, _) = ready!(Self::poll_accept(self, cx))?;
        Poll::Ready(Ok(Accepted::unix(stream)))
    }
}

pub(crate) async fn serve<D, L>(hub: &Arc<HubOf<D>>, mut listener: L) -> io::Result<()>
where
    D: Send + Sync + 'static,
    L: Listener,
{
    let is_nodelay = listener.is_nodelay_inherited();
    loop {
        match poll_fn(|cx| listener.poll_accept(cx)).await {
            Ok(Accepted { stream, caller }) => {
                // Small packets must not wait for the acknowledgement of earlier ones.
                if let Stream::Tcp(stream) = &stream
                    && !is_nodelay
                {
                    let _ = stream.set_nodelay(true);
                }
                spawn(http1::serve(Arc::clone(hub), stream, caller));
            }
            Err(error) => match error.kind() {
                io::ErrorKind::ConnectionAborted
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::Interrupted => {}
                io::ErrorKind::InvalidInput | io::ErrorKind::NotConnected => return Err(error),
                _ => {
                    trace::warn!(%error, "no connection can be accepted");
                    tokio::time::sleep(EXHAUSTED_PAUSE).await;
                }
            },
        }
    }
}

pub(crate) fn serve_accepted<D: Send + Sync + 'static>(
    hub: Arc<HubOf<D>>,
    accepted: Accepted,
) -> http1::Serving<D> {
    http1::serve(hub, accepted.stream, accepted.caller)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stream_has_nodelay_where_the_listener_says_that_it_inherits_it() {
        let mut listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let is_inherited = listener.is_nodelay_inherited();
        assert_eq!(is_inherited, cfg!(target_os = "linux"));
        let address = listener.local_addr().unwrap();
        let _client = TcpStream::connect(address).await.unwrap();
        let accepted = poll_fn(|cx| Listener::poll_accept(&mut listener, cx)).await;
        let is_nodelay = match accepted.unwrap().stream {
            Stream::Tcp(stream) => stream.nodelay().ok(),
            _ => None,
        };
        assert_eq!(is_nodelay, Some(is_inherited));
    }
}
