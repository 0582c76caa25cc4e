//! What the authenticator and the books are told of a connection.

use std::sync::Arc;

use engineio::Connection;
use socketio_auth::{AuditKind, AuthContext, AuthEvent, Rejection};

use crate::authority::refused::Evidence;
use crate::live::client::Client;
use crate::live::core::Core;

impl Client {
    /// The circumstances of an attempt to join a namespace.
    pub(super) fn context(
        &self,
        connection: &Connection<Self>,
        namespace: &Arc<str>,
    ) -> AuthContext {
        let mut context = AuthContext::new(Arc::clone(namespace));
        if let Some(peer) = self.handshake.peer() {
            context = context.with_peer(peer);
        }
        let origin = self.handshake.origin_bytes().map(std::str::from_utf8);
        if let Some(Ok(origin)) = origin {
            context = context.with_origin(origin);
        }
        // The id itself is a secret.
        context.with_connection_id(connection.id().as_str())
    }

    /// Tells the books about a socket.
    pub(super) fn audit(
        &self,
        connection: &Connection<Self>,
        socket: &Core,
        kind: AuditKind<'_>,
        evidence: Option<&Evidence>,
    ) {
        if !self.server.authority.is_audited() {
            return;
        }
        let context = self.context(connection, &socket.space.name);
        let grant = socket.grant();
        let mut event = AuthEvent::new(kind).in_context(&context);
        if let Some(evidence) = evidence {
            event.source = Some(evidence.source);
            event.fingerprint = Some(evidence.fingerprint);
            event.latency = evidence.latency;
        }
        if let Some(grant) = &grant {
            event = event.with_grant(grant.facts());
        }
        self.server.authority.audit(&event);
    }

    /// Tells the books about a CONNECT that was refused before there was a socket.
    pub(super) fn audit_refusal(
        &self,
        connection: &Connection<Self>,
        name: &str,
        rejection: &Rejection,
    ) {
        if self.server.authority.is_audited() {
            let context = self.context(connection, &name.into());
            let kind = AuditKind::of_rejection(rejection);
            let event = AuthEvent::new(kind).in_context(&context);
            self.server.authority.audit(&event);
        }
    }
}
