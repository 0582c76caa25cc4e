//! A [`LocalBus`] that takes its time, says things twice, and loses servers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use socketio::auth::BoxFuture;
use socketio::cluster::{
    Adapter, AdapterError, ClusterHandle, ClusterMessage, LocalAdapter, LocalBus,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep_until};

use crate::rng::Rng;
use crate::stream::Stream;

/// How long a message may be under way.
pub(crate) const MAX_DELAY_MS: u64 = 80;

/// What links the servers of a run.
#[derive(Clone)]
pub(crate) enum Bus {
    /// Each hears of the others' events, and sends its own at once.
    Plain(LocalBus),
    /// They share a log, and events are heard by it.
    Logged(Stream),
}

/// One server's way to the bus.
pub(crate) struct SlowAdapter {
    inner: Arc<LocalAdapter>,
    queue: UnboundedSender<(Instant, ClusterMessage)>,
    line: Mutex<Line>,
    is_dead: Arc<AtomicBool>,
}

struct Line {
    rng: Rng,
    is_instant: bool,
    arrival: Instant,
    leaving: Option<UnboundedReceiver<(Instant, ClusterMessage)>>,
}

impl SlowAdapter {
    /// Once `is_dead` nothing leaves any more: what a killed process would have said is never heard.
    pub(crate) fn new(bus: &LocalBus, mut rng: Rng, is_dead: Arc<AtomicBool>) -> Self {
        let (queue, leaving) = unbounded_channel();
        Self {
            inner: Arc::new(bus.adapter()),
            queue,
            line: Mutex::new(Line {
                is_instant: rng.one_in(3),
                rng,
                arrival: Instant::now(),
                leaving: Some(leaving),
            }),
            is_dead,
        }
    }
}

impl Adapter for SlowAdapter {
    fn start(&self, server: ClusterHandle) -> BoxFuture<'_, Result<(), AdapterError>> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut leaving) = line.leaving.take() {
            let (inner, is_dead) = (Arc::clone(&self.inner), Arc::clone(&self.is_dead));
            server.spawn(async move {
                while let Some((at, message)) = leaving.recv().await {
                    sleep_until(at).await;
                    if !is_dead.load(Ordering::Relaxed) {
                        let _ = inner.publish(message).await;
                    }
                }
            });
        }
        self.inner.start(server)
    }

    fn publish(&self, message: ClusterMessage) -> BoxFuture<'_, Result<(), AdapterError>> {
        if self.is_dead.load(Ordering::Relaxed) {
            return Box::pin(async { Ok(()) });
        }
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        if line.is_instant {
            return self.inner.publish(message);
        }
        for _ in 0..if line.rng.one_in(10) { 2 } else { 1 } {
            let delay = Duration::from_millis(line.rng.between(0, MAX_DELAY_MS));
            line.arrival = line.arrival.max(Instant::now() + delay);
            let _ = self.queue.send((line.arrival, message.clone()));
        }
        Box::pin(async { Ok(()) })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), AdapterError>> {
        self.inner.close()
    }
}
