//! What waits to be said to Postgres, in bounds.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::error::PostgresError;
use crate::message::Written;

/// How many messages may wait to be published while Postgres is away. One more is not published:
/// [`on_adapter_error`](socketio::SocketIoBuilder::on_adapter_error) is told
/// [`TooMuchWaiting`](PostgresError::TooMuchWaiting).
pub const MAX_WAITING: usize = 8192;

/// How many bytes they may have together; 64 MiB. A longer message is not published at all.
pub const MAX_WAITING_BYTES: u32 = 64 * 1024 * 1024;

/// A message that waits. Its place is free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) channel: String,
    pub(crate) written: Written,
    _place: OwnedSemaphorePermit,
}

#[derive(Debug)]
pub(crate) struct Queue {
    jobs: mpsc::Sender<Job>,
    /// A permit for each byte that may wait.
    places: Arc<Semaphore>,
}

impl Queue {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Job>) {
        let (jobs, said) = mpsc::channel(MAX_WAITING);
        let places = Arc::new(Semaphore::new(MAX_WAITING_BYTES as usize));
        (Self { jobs, places }, said)
    }

    pub(crate) fn put(&self, channel: String, written: Written) -> Result<(), PostgresError> {
        let full = || PostgresError::TooMuchWaiting;
        let bytes = u32::try_from(written.len()).map_err(|_| full())?;
        let place = Arc::clone(&self.places).try_acquire_many_owned(bytes);
        let job = Job {
            channel,
            written,
            _place: place.map_err(|_| full())?,
        };
        self.jobs.try_send(job).map_err(|_| full())
    }

    /// Returns when nothing has a place any more.
    pub(crate) async fn emptied(&self) {
        // Cannot fail: the semaphore stays open.
        let _ = self.places.acquire_many(MAX_WAITING_BYTES).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: u32) -> Written {
        Written::Text("x".repeat(bytes as usize))
    }

    #[test]
    fn so_many_messages_may_wait_and_not_one_more() {
        let (queue, mut said) = Queue::new();
        let put = || queue.put("c".into(), text(1));
        for _ in 0..MAX_WAITING {
            assert_eq!(put(), Ok(()));
        }
        assert_eq!(put(), Err(PostgresError::TooMuchWaiting));
        assert!(said.try_recv().is_ok());
        assert_eq!(put(), Ok(()));
    }

    #[test]
    fn so_many_bytes_may_wait_and_not_one_more() {
        let (queue, mut said) = Queue::new();
        let put = |bytes| queue.put("c".into(), text(bytes));
        assert_eq!(
            put(MAX_WAITING_BYTES + 1),
            Err(PostgresError::TooMuchWaiting)
        );
        assert_eq!(put(MAX_WAITING_BYTES), Ok(()));
        assert_eq!(put(1), Err(PostgresError::TooMuchWaiting));
        assert!(said.try_recv().is_ok());
        assert_eq!(put(1), Ok(()));
    }
}
