//! An adapter for PostgreSQL, with `LISTEN` and `NOTIFY`: servers of this library and of Node, with
//! `@socket.io/postgres-adapter`, share rooms, acknowledgements and clients. An example of an
//! [`Adapter`](socketio::cluster::Adapter) to copy from.
//!
//! | file | |
//! |---|---|
//! | `adapter.rs` | what the server asks of it |
//! | `channels.rs` | what is to be listened to, and what is; pure |
//! | `message.rs` | what is notified; pure |
//! | `queue.rs` | what waits to be said |
//! | `session.rs` | the two connections |
//! | `main.rs` | a chat on several nodes |

mod adapter;
mod channels;
mod error;
mod message;
mod queue;
mod session;

pub use adapter::PostgresAdapter;
pub use channels::MAX_CHANNEL_BYTES;
pub use error::PostgresError;
pub use message::MAX_NOTIFICATION_BYTES;
pub use queue::{MAX_WAITING, MAX_WAITING_BYTES};
