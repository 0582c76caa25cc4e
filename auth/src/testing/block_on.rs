//! The smallest runtime there is, and the usual one.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future on this thread, without timers or sockets.
///
/// ```
/// assert_eq!(socketio_auth::testing::block_on(async { 7 }), 7);
/// ```
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut task = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut task) {
            return output;
        }
        thread::park();
    }
}

/// Runs a future on a tokio runtime of its own, on this thread, with timers and sockets.
///
/// # Panics
///
/// When the operating system has nothing to make a runtime of, or within another runtime.
///
/// ```
/// use std::time::Duration;
///
/// socketio_auth::testing::block_on_tokio(async { tokio::time::sleep(Duration::from_millis(1)).await });
/// ```
pub fn block_on_tokio<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("tests have an operating system that can poll")
        .block_on(future)
}
