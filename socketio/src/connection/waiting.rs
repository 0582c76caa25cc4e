//! User code that is asked about a client and waits, and the place that its client waits in meanwhile.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use engineio::Connection;
use socketio_auth::Rejection;

use crate::authority::authority::Place;
use crate::live::client::Client;
use crate::live::core::Core;
use crate::running::{Guarded, Panicked, guard, poll_now};

/// What came of asking user code about a client.
pub(super) enum Ended<T> {
    Said(Result<T, Panicked>),
    /// It has to wait, and there is no place to wait in.
    Crowded(Rejection),
}

impl Client {
    /// A place among the clients that wait. All sockets of the connection wait in one, so that whoever asks for many
    /// namespaces takes no more places than others.
    pub(super) fn place(&self) -> Result<Arc<Place>, Rejection> {
        let place = self.outside().iter().find_map(|socket| socket.place());
        place.map_or_else(
            || {
                let place = self.server.authority.enter_pending(self.address());
                place.map(Arc::new)
            },
            Ok,
        )
    }

    /// Finds a place for a socket that cannot be judged on the spot.
    fn find_place(&self, socket: &Core) -> Result<(), Rejection> {
        if socket.needs_place() {
            socket.wait_in(self.place()?);
        }
        Ok(())
    }

    /// Runs a future to its end, unless the machine cancels it or the socket leaves, and goes on with what came of it. One
    /// that waits for a socket that is not in takes a place among those that wait, if there is one.
    pub(super) fn run_unless_cancelled<F, N>(
        &self,
        connection: &Connection<Self>,
        now: Instant,
        socket: &Core,
        epoch: u32,
        mut future: Pin<Box<F>>,
        next: N,
    ) where
        F: Future<Output: Send> + Send + ?Sized + 'static,
        N: FnOnce(&Self, &Connection<Self>, Instant, Ended<F::Output>) + Send + 'static,
    {
        if let Poll::Ready(output) = poll_now(future.as_mut()) {
            return next(self, connection, now, Ended::Said(output));
        }
        if let Err(rejection) = self.find_place(socket) {
            // What it does at its end changes nothing any more.
            let _ = guard(|| drop(future));
            return next(self, connection, now, Ended::Crowded(rejection));
        }
        let mut cancelled = socket.begin_trial(epoch);
        let connection = connection.clone();
        self.server.spawn(&self.runtime, async move {
            let mut future = Guarded(future);
            let ended = std::future::poll_fn(|cx| {
                // Cancelled when its sender is dropped.
                if Pin::new(&mut cancelled).poll(cx).is_ready() {
                    return Poll::Ready(None);
                }
                Pin::new(&mut future).poll(cx).map(Some)
            })
            .await;
            drop(future);
            if let Some(output) = ended {
                let (client, now) = (connection.data(), crate::clock::now());
                next(client, &connection, now, Ended::Said(output));
                client.go_on(&connection, now);
            }
        });
    }
}
