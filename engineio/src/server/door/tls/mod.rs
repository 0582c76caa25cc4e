//! TLS in front of the engine's own door.
//!
//! Nothing behind it knows: a connection is a stream like any other, whose handshake goes on where it is first read. So each
//! makes its handshake in its own task, and the time for it is the door's for the first head.

mod certificates;
mod handshakes;
mod listener;
mod stream;

pub use certificates::{Certificates, TlsError};
pub use listener::TlsListener;
