//! The shell: sockets, tasks, timers and the registry around the pure machines.
//!
//! Every folder is a floor, and an import only goes down:
//!
//! ```text
//! engine                                                     what an application holds
//! door/       listener http1 service tls …                   where requests come in
//! exchange/   answer open origin respond                     from a request to an answer
//! transport/  websocket polling upgrade              drain   how a session is reached, and how all are closed
//! session/    shared sending connection ready handler …      one session
//! hub/        alarm registry counters open_packet            what all sessions share
//! nodes/      link pass_on pump                              the way to the other nodes of a cluster
//! stream/     writer form patience   atomic clock tasks
//! ```

mod atomic;
mod clock;
mod door;
mod drain;
mod engine;
mod exchange;
mod hub;
#[cfg(test)]
mod models;
#[cfg(feature = "nodes")]
mod nodes;
mod session;
mod stream;
mod tasks;
mod transport;

#[cfg(feature = "tower")]
pub use door::layer::{EitherBody, EitherFuture, EngineBefore, EngineLayer};
pub use door::listener::{Accepted, Listener};
pub use door::service::{EngineService, PeerAddr};
#[cfg(feature = "tls")]
pub use door::tls::{Certificates, TlsError, TlsListener};
pub use engine::Engine;
pub use hub::counters::Stats;
pub use session::connection::{Connection, SendError};
pub use session::handler::{Flow, Handler};
pub use session::queued::Queued;
pub use session::ready::Ready;
pub use stream::ForeignStream;
