//! An adapter for servers of one process.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use socketio_auth::BoxFuture;
use tokio::sync::mpsc::{self, error::TrySendError};

use super::adapter::Adapter;
use super::error::AdapterError;
use super::handle::ClusterHandle;
use super::local_log::{LocalLog, LocalLogBounds};
use super::log::SharedLog;
use crate::lock::Lock;
use crate::proto::cluster::message::{ClusterMessage, ServerId};

/// How many messages may wait for one server of the process. Further ones wait with their senders, where
/// [`max_publishing`](crate::cluster::ClusterSettings::max_publishing) bounds them.
const QUEUE_MESSAGES: usize = 1024;

/// Links servers of one process, one for each core for instance, so that what one sends reaches the clients of all.
///
/// Messages pass unserialised, and each server acts on them on its own runtime.
///
/// A session stays with the server that opened it: the bus carries events, not requests. Servers that share a port
/// (`SO_REUSEPORT`) therefore suit clients on WebSocket, where a session is one connection. With long-polling, which the
/// official clients begin with, each request may come on a connection of its own and reach a server that does not know
/// the session: the client gets 400 `Session ID unknown` and begins anew. Have such clients keep to WebSocket
/// (`transports: ["websocket"]`), give each server a port of its own behind a proxy that keeps a client with its
/// server, or serve one server on a multi-thread runtime.
///
/// ```
/// use socketio::cluster::LocalBus;
/// use socketio::SocketIo;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bus = LocalBus::new();
/// let one = SocketIo::builder().adapter(bus.adapter()).build()?;
/// let other = SocketIo::builder().adapter(bus.adapter()).build()?;
/// let here = one.namespace("/").open()?;
/// other.namespace("/").open()?;
/// // Clients of both servers get it.
/// here.emit("hello", &())?;
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct LocalBus {
    links: Arc<Lock<Vec<Link>>>,
    log: Option<Arc<LocalLog>>,
}

#[derive(Clone)]
struct Link {
    server: ServerId,
    queue: mpsc::Sender<ClusterMessage>,
}

impl LocalBus {
    /// A bus without servers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A bus with a log, so that with [`recovery`](crate::SocketIoBuilder::recovery) a client gets back what it had, and what it
    /// missed, on whichever of the servers it comes back to, also when its own is gone.
    ///
    /// ```
    /// use socketio::SocketIo;
    /// use socketio::cluster::{LocalBus, LocalLogBounds};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let bus = LocalBus::with_log(LocalLogBounds::default());
    /// for _ in 0..2 {
    ///     let io = SocketIo::builder()
    ///         .adapter(bus.adapter())
    ///         .recovery(|defaults| defaults)
    ///         .build()?;
    ///     io.namespace("/").open()?;
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_log(bounds: LocalLogBounds) -> Self {
        Self {
            links: Arc::default(),
            log: Some(Arc::new(LocalLog::new(bounds))),
        }
    }

    /// The adapter of one more server. Each takes its own.
    #[must_use]
    pub fn adapter(&self) -> LocalAdapter {
        LocalAdapter {
            bus: self.clone(),
            own: OnceLock::new(),
        }
    }

    fn remove(&self, is_meant: impl Fn(&Link) -> bool) {
        // A queue that is dropped wakes its reader: behind the lock.
        let mut links = self.links.lock();
        let (removed, kept) = std::mem::take(&mut *links).into_iter().partition(is_meant);
        *links = kept;
        drop(links);
        drop::<Vec<_>>(removed);
    }
}

impl fmt::Debug for LocalBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalBus({} servers)", self.links.lock().len())
    }
}

/// One server's end of a [`LocalBus`].
#[derive(Debug)]
pub struct LocalAdapter {
    bus: LocalBus,
    own: OnceLock<ServerId>,
}

impl Adapter for LocalAdapter {
    fn start(&self, server: ClusterHandle) -> BoxFuture<'_, Result<(), AdapterError>> {
        let own = server.server_id().clone();
        if self.own.set(own.clone()).is_err() {
            return Box::pin(async { Err(AdapterError::Closed) });
        }
        let (queue, mut messages) = mpsc::channel(QUEUE_MESSAGES);
        self.bus.links.lock().push(Link { server: own, queue });
        let deliver = server.clone();
        server.spawn(async move {
            while let Some(message) = messages.recv().await {
                deliver.deliver(message);
            }
        });
        if let Some(log) = &self.bus.log {
            let (log, reader) = (Arc::clone(log), server.clone());
            let mut written = log.written();
            // From here on, whenever the task runs.
            let mut last = log.end();
            server.begin_log(last);
            server.spawn(async move {
                loop {
                    last = log.deliver(&reader, last);
                    if written.changed().await.is_err() {
                        return;
                    }
                }
            });
        }
        Box::pin(async { Ok(()) })
    }

    fn log(&self) -> Option<Arc<dyn SharedLog>> {
        let log = self.bus.log.as_ref()?;
        Some(Arc::clone(log) as _)
    }

    fn publish(&self, message: ClusterMessage) -> BoxFuture<'_, Result<(), AdapterError>> {
        if let Some(log) = self.bus.log.as_ref().filter(|_| message.is_kept()) {
            log.append(message);
            return Box::pin(async { Ok(()) });
        }
        let links = self.bus.links.lock().clone();
        let mut waiting = Vec::new();
        let mut has_lost = false;
        for link in links {
            let is_meant = message.to.as_ref().is_none_or(|to| *to == link.server);
            if link.server == message.uid || !is_meant {
                continue;
            }
            match link.queue.try_send(message.clone()) {
                Ok(()) => {}
                Err(TrySendError::Full(message)) => waiting.push(Waiting::new(&link, message)),
                Err(TrySendError::Closed(_)) => has_lost = true,
            }
        }
        if has_lost {
            self.bus.remove(|link| link.queue.is_closed());
        }
        Box::pin(async move {
            // All get in line at the first poll, so that nothing overtakes.
            poll_fn(|cx| {
                waiting.retain_mut(|waiting| waiting.0.as_mut().poll(cx).is_pending());
                if waiting.is_empty() {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
            Ok(())
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), AdapterError>> {
        if let Some(own) = self.own.get() {
            self.bus.remove(|link| link.server == *own);
        }
        Box::pin(async { Ok(()) })
    }
}

/// A message in line for a full queue.
struct Waiting(Pin<Box<dyn Future<Output = ()> + Send>>);

impl Waiting {
    fn new(link: &Link, message: ClusterMessage) -> Self {
        let queue = link.queue.clone();
        Self(Box::pin(async move {
            // A server that is gone misses it.
            let _ = queue.send(message).await;
        }))
    }
}
