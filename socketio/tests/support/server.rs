//! The server's side: a runtime of its own, on threads of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::JoinHandle;

use socketio::SocketIo;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

/// What kind of runtime a server runs in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Flavor {
    CurrentThread,
    TwoWorkers,
}

impl Flavor {
    pub(crate) const ALL: [Self; 2] = [Self::CurrentThread, Self::TwoWorkers];

    fn runtime(self) -> Runtime {
        let mut builder = match self {
            Self::CurrentThread => Builder::new_current_thread(),
            Self::TwoWorkers => Builder::new_multi_thread(),
        };
        builder.worker_threads(2).enable_all().build().unwrap()
    }
}

/// A server that accepts connections until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) runtime: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(flavor: Flavor, io: &SocketIo) -> Self {
        let io = io.clone();
        Self::serving(flavor, async move |listener| io.serve(listener).await)
    }

    /// The same of any server.
    pub(crate) fn serving<F>(flavor: Flavor, serve: F) -> Self
    where
        F: AsyncFnOnce(TcpListener) -> io::Result<()> + Send + 'static,
    {
        let (started, starts) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = flavor.runtime();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap();
                started.send((address, Handle::current())).unwrap();
                tokio::select! {
                    served = serve(listener) => served.unwrap(),
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        });
        let (address, runtime) = starts.recv().unwrap();
        Self {
            address,
            runtime,
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
