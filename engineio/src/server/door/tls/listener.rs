//! A listener whose connections are secured.

use std::fmt;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Sleep;

use super::certificates::Certificates;
use super::handshakes::Handshakes;
use super::stream::{Place, Secured};
use crate::lock::Lock;
use crate::server::clock;
use crate::server::door::listener::{Accepted, Listener};
use crate::server::stream::Stream;

/// How many handshakes are made at once by default.
const MAX_HANDSHAKES: usize = 1024;
/// How long each of them has before it must give way, by default.
const HANDSHAKE_GRACE: Duration = Duration::from_secs(1);

/// Secures the connections of another listener by TLS.
///
/// The handshake of a connection is made in its own task, so accepting never waits for one. Together with the first head it
/// has [`Config::header_timeout`](crate::Config::header_timeout). Who speaks something else is sent an alert, and the
/// connection is closed. Behind the handshake a connection is as any other, with the peer that the other listener tells, and
/// [`RequestView::is_secure`](crate::RequestView::is_secure) is true.
///
/// Its certificates are replaced while it listens, see [`Certificates::reload`].
///
/// ```no_run
/// use engineio::{Certificates, TlsListener};
///
/// # async fn run(engine: engineio::Engine<()>) -> Result<(), Box<dyn std::error::Error>> {
/// let certificates = Certificates::from_pem_files("chain.pem", "key.pem")?;
/// let listener = tokio::net::TcpListener::bind("0.0.0.0:443").await?;
/// engine.serve(TlsListener::new(listener, certificates.clone())).await?;
/// # Ok(()) }
/// ```
pub struct TlsListener<L> {
    listener: L,
    certificates: Certificates,
    handshakes: Arc<Lock<Handshakes>>,
    max_handshakes: usize,
    handshake_grace: Duration,
    /// Until the oldest handshake has to give way; made on first use.
    timer: Option<Pin<Box<Sleep>>>,
    is_nodelay: bool,
}

impl<L: fmt::Debug> fmt::Debug for TlsListener<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsListener")
            .field("listener", &self.listener)
            .field("certificates", &self.certificates)
            .field("max_handshakes", &self.max_handshakes)
            .field("handshake_grace", &self.handshake_grace)
            .finish_non_exhaustive()
    }
}

impl<L: Listener> TlsListener<L> {
    /// Shows these certificates to whoever connects to `listener`.
    pub fn new(listener: L, certificates: Certificates) -> Self {
        Self {
            is_nodelay: listener.is_nodelay_inherited(),
            listener,
            certificates,
            handshakes: places(MAX_HANDSHAKES, HANDSHAKE_GRACE),
            max_handshakes: MAX_HANDSHAKES,
            handshake_grace: HANDSHAKE_GRACE,
            timer: None,
        }
    }

    /// The most handshakes at once; default 1,024, and at least one. While there are so many nobody is accepted, and clients
    /// wait in the queue of the operating system, until one is done or has had its [grace](Self::handshake_grace). Each
    /// takes some 20 KiB.
    #[must_use]
    pub fn max_handshakes(mut self, handshakes: usize) -> Self {
        self.max_handshakes = handshakes;
        self.with_bounds()
    }

    /// How long a handshake keeps its place when all are taken; default 1 s. Then the oldest gives way to a new connection,
    /// and is closed, so that clients that say nothing cannot keep others out. While there are places it has no effect.
    /// Raising it serves clients that are slow or far away in a crowd; lowering it lets a server that is attacked accept sooner.
    #[must_use]
    pub fn handshake_grace(mut self, grace: Duration) -> Self {
        self.handshake_grace = grace;
        self.with_bounds()
    }

    fn with_bounds(mut self) -> Self {
        self.handshakes = places(self.max_handshakes, self.handshake_grace);
        self
    }

    /// Ready when there is a place for one more.
    fn poll_place(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let mut handshakes = self.handshakes.lock();
            let Some(until) = handshakes.is_full_until(clock::now(), cx.waker()) else {
                return Poll::Ready(());
            };
            drop(handshakes);
            let until = until.into();
            let timer = self
                .timer
                .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
            if timer.deadline() != until {
                timer.as_mut().reset(until);
            }
            ready!(timer.as_mut().poll(cx));
        }
    }

    fn secure(&self, accepted: Accepted) -> Accepted {
        if let Stream::Tcp(stream) = &accepted.stream
            && !self.is_nodelay
        {
            let _ = stream.set_nodelay(true);
        }
        let (number, displaced) = self.handshakes.lock().enter(clock::now());
        if let Some(displaced) = displaced {
            displaced.wake();
        }
        let place = Place {
            handshakes: Arc::clone(&self.handshakes),
            number,
        };
        let acceptor = self.certificates.acceptor();
        let stream = Secured::new(&acceptor, accepted.stream, place);
        Accepted {
            stream: Stream::Foreign(Box::new(stream)),
            caller: accepted.caller,
        }
        .secure(true)
    }
}

impl<L: Listener> Listener for TlsListener<L> {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        ready!(self.poll_place(cx));
        let accepted = ready!(self.listener.poll_accept(cx))?;
        Poll::Ready(Ok(self.secure(accepted)))
    }

    fn is_nodelay_inherited(&self) -> bool {
        self.is_nodelay
    }
}

fn places(max: usize, grace: Duration) -> Arc<Lock<Handshakes>> {
    Arc::new(Lock::new(Handshakes::new(max, grace)))
}
