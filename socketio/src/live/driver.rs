//! The way from a socket to the machine of its connection.

use socketio_auth::{AuditKind, Rejection};

use super::core::Core;
use crate::authority::guard::Margin;

/// What a socket wants of its connection.
pub(crate) enum Ask {
    /// To leave its namespace.
    Leave,
    /// To leave every namespace, and to have the connection closed.
    LeaveAll,
    /// To leave because its grant has ended, with this reason.
    End(Rejection),
    /// To have its grant end after a margin, unless it is renewed by then.
    ExpireIn(Margin),
}

/// What drives connections. It stands a floor above the sockets, so they are given it; every namespace keeps it, and no
/// connection does.
pub(crate) trait Driver: Send + Sync {
    /// Does what a socket asks for, with all that follows. User code may run here, so no lock may be held.
    fn ask(&self, socket: &Core, ask: Ask);

    /// Tells the books what a socket's client was denied.
    fn note(&self, socket: &Core, kind: AuditKind<'_>);
}
