//! A server on a thread of its own whose allocations are counted.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;

use benches::allocations::{self, Count};
use tokio::net::TcpListener;

/// Starts it; it ends with the process.
pub(crate) fn start<S>(serve: impl FnOnce(TcpListener) -> S + Send + 'static) -> (SocketAddr, Count)
where
    S: Future<Output = ()>,
{
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let count = allocations::count_this_thread();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            tell.send((listener.local_addr().unwrap(), count)).unwrap();
            serve(listener).await;
        });
    });
    told.recv().unwrap()
}
