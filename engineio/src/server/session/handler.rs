//! What an application does with sessions.

use super::connection::Connection;
use crate::http::request::RequestView;
use crate::message::Message;
use crate::packet::Protocol;
use crate::proto::close_reason::CloseReason;

/// Whether the connection may go on reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum Flow {
    /// Read on.
    Continue,
    /// Read nothing more from this client until [`Connection::resume`] is called. While it lasts the client is pinged but
    /// not expected to answer; after [`Config::stall_timeout`](crate::Config::stall_timeout) without a resume the session
    /// is closed.
    ///
    /// That the client's connection ends is noticed at once where it is TCP or a Unix socket on Linux or Android, or where a
    /// poll waits. Elsewhere, and where the end stands behind more than the system keeps unread, a WebSocket is written to
    /// each second, which shows it two seconds later at the most. What was sent before and not read is lost then; a close
    /// frame or packet among it is not seen.
    Pause,
}

/// The application behind an [`Engine`](crate::Engine).
///
/// All calls for one connection but [`admits`](Handler::admits) and [`on_upgrading`](Handler::on_upgrading) are serial: none starts before the last one has returned. They run on the task
/// that reads the connection, so they must not block; hand long work to a task of your own and answer with
/// [`Connection::send`] from there.
///
/// A panic in a handler ends its own session and nothing else.
pub trait Handler: Send + Sync + 'static {
    /// What the application keeps for each connection, readable by [`Connection::data`].
    type Data: Send + Sync + 'static;

    /// A session is about to be opened: what to keep for it. It does not exist yet, and nobody can reach it; a panic
    /// here refuses it with status 500, and the engine calls nobody about it.
    fn on_open(&self, request: &RequestView<'_>, protocol: Protocol) -> Self::Data;

    /// The session is open: called once, before anything else about it. What is sent from here follows the handshake.
    fn on_ready(&self, connection: &Connection<Self::Data>) {
        let _ = connection;
    }

    /// Whether a later request, a poll, a POST or an upgrade, may use the session whose id it carries; yes by
    /// default. One that may not, or a panic here, is answered as a bad request (code 3), and the session goes on.
    ///
    /// For binding a session to more than its id and its `Origin`. Unlike the other calls this one may come while
    /// another of the same connection runs.
    fn admits(&self, connection: &Connection<Self::Data>, request: &RequestView<'_>) -> bool {
        let _ = (connection, request);
        true
    }

    /// A message arrived. It borrows the read buffer; [`Message::to_bytes`] keeps it.
    fn on_message(&self, connection: &Connection<Self::Data>, message: Message<'_>) -> Flow;

    /// The session is over. Called once for every session that was opened.
    fn on_close(&self, connection: &Connection<Self::Data>, reason: CloseReason);

    /// The client answered a heartbeat, or with protocol 3 began one: it was there a moment ago.
    //= EIO4-HB-01
    //= EIO3-HB-01
    fn on_heartbeat(&self, connection: &Connection<Self::Data>) {
        let _ = connection;
    }

    /// The client probes a WebSocket, to which it may move. Like [`admits`](Self::admits) this may come while
    /// another call runs, and more than once.
    //= EIO4-UPG-02
    fn on_upgrading(&self, connection: &Connection<Self::Data>) {
        let _ = connection;
    }

    /// The client moved from long-polling to WebSocket.
    fn on_upgrade(&self, connection: &Connection<Self::Data>) {
        let _ = connection;
    }

    /// The time set with [`Connection::wake_at`] has come.
    fn on_deadline(&self, connection: &Connection<Self::Data>) {
        let _ = connection;
    }

    /// More than [`Config::high_watermark`](crate::Config::high_watermark) bytes wait for this client, which
    /// does not take them as fast as they come. Called once until [`Handler::on_drained`].
    fn on_slow(&self, connection: &Connection<Self::Data>) {
        let _ = connection;
    }

    /// The outgoing queue, of which [`Handler::on_slow`] told, is empty again.
    fn on_drained(&self, connection: &Connection<Self::Data>) {
        let _ = connection;
    }
}
