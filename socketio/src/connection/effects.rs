//! Carrying out what the machine wants. No user code runs here.

use std::sync::Arc;
use std::time::Duration;

use engineio::{Connection, Protocol, Transport};
use socketio_auth as auth;
use socketio_auth::AuditKind;

use super::replies::{ack_json, emit_json, send_connected, send_disconnect, send_own};
use crate::live::client::{Accepted, Client, HeldPacket, Shell};
use crate::live::core::Core;
use crate::live::inbox::Call;
use crate::live::owed::Awaited;
use crate::proto::client::{Input, Output, Refusal};
use crate::trace;

impl Client {
    /// Carries out one output. Calls no user code.
    pub(super) fn perform(&self, connection: &Connection<Self>, output: Output<Shell>) {
        match output {
            Output::Find {
                ticket,
                name,
                payload,
            } => self.push(Call::Find {
                ticket,
                name,
                payload,
            }),
            Output::Refuse {
                name,
                socket,
                refusal,
            } => self.refuse(connection, &name, socket.as_deref(), &refusal),
            Output::Admit {
                ticket,
                socket,
                grant,
                expires_in,
            } => {
                self.install(&socket, grant, expires_in);
                if let Some(guard) = &socket.space.guard {
                    self.audit(connection, &socket, AuditKind::Accepted, None);
                    self.bind(guard.index);
                }
                let skips = socket.identify();
                if skips || socket.space.handlers.middleware.is_empty() {
                    self.enqueue(Input::Admitted { ticket });
                } else {
                    self.push(Call::Admit { ticket, socket });
                }
            }
            Output::Join { socket, expires_in } => self.join(connection, socket, expires_in),
            Output::Auth { socket, output } => self.perform_auth(connection, socket, output),
            Output::Left {
                socket,
                reason,
                notifies,
            } => {
                trace::debug!(
                    namespace = &*socket.space.name,
                    reason = reason.as_str(),
                    "a socket left"
                );
                socket.leave();
                if notifies {
                    send_disconnect(&socket);
                }
                self.push(Call::Left(socket, reason));
            }
            Output::Dismiss { socket } => {
                socket.leave();
                socket.release();
                send_disconnect(&socket);
            }
            Output::Abandon { socket } => {
                socket.leave();
                socket.release();
            }
            Output::Close => connection.close(),
            Output::Expel => {
                // A poll that waits is answered with the close, and so is a WebSocket.
                let hears_at_once =
                    connection.transport() == Transport::WebSocket || connection.is_writable();
                if !hears_at_once {
                    self.enqueue(Input::Unheard);
                }
                connection.close();
            }
        }
    }

    /// Gives a socket what it was granted, unless that was revoked meanwhile.
    fn install(&self, socket: &Core, accepted: Option<Accepted>, expires_in: Option<Duration>) {
        let Some(accepted) = accepted else {
            // A guest, who was made before the machine let it in.
            return;
        };
        let expires_at = expires_in.and_then(|left| accepted.counted_from.checked_add(left));
        let grant = Arc::clone(&accepted.grant);
        let revoked = &self.server.authority.revoked;
        let installed = revoked.install(accepted.mark, accepted.grant.facts(), || {
            socket.set_grant(grant, expires_at);
        });
        if installed.is_err() {
            socket.end_grant(None);
        }
    }

    fn refuse(
        &self,
        connection: &Connection<Self>,
        name: &str,
        socket: Option<&Core>,
        refusal: &Refusal,
    ) {
        self.server.meter.connect_rejected();
        log_refusal(refusal);
        if let Refusal::Auth(rejection) = refusal {
            match socket {
                Some(socket) => {
                    let kind = AuditKind::of_rejection(rejection);
                    self.audit(connection, socket, kind, None);
                }
                None => self.audit_refusal(connection, name, rejection),
            }
        }
        let codec = &self.server.codec;
        let protocol = connection.protocol();
        let is_legacy = socket
            .and_then(|socket| socket.space.guard.as_ref())
            .is_some_and(|guard| guard.policy.settings().legacy_codes);
        send_own(connection, |buffer| match (refusal, protocol) {
            (Refusal::Denied(error), _) => {
                codec.connect_error(protocol, name, error.message(), error.data(), buffer)
            }
            (Refusal::Auth(rejection), Protocol::V3) => {
                let payload = auth::connect_error_v4(rejection, is_legacy);
                codec.connect_error_payload(name, &payload, buffer)
            }
            (Refusal::Auth(rejection), _) => {
                let payload = auth::connect_error(rejection, is_legacy);
                codec.connect_error_payload(name, &payload, buffer)
            }
            //= SIO5-CON-04
            (Refusal::InvalidNamespace, _) => {
                let payload = r#"{"message":"Invalid namespace"}"#;
                codec.connect_error_payload(name, payload, buffer)
            }
            (Refusal::TooManyNamespaces, _) => {
                let payload = r#"{"message":"Too many namespaces"}"#;
                codec.connect_error_payload(name, payload, buffer)
            }
        });
        if let Some(socket) = socket {
            socket.leave();
            socket.release();
        }
    }

    //= SIO5-CON-03
    fn join(&self, connection: &Connection<Self>, socket: Arc<Core>, expires_in: Option<Duration>) {
        let extra = auth::connect_reply_auth(expires_in);
        if !socket.send_missed() {
            // It was told that nothing is lost. On its next attempt it is a stranger.
            connection.close();
        }
        send_connected(connection, &socket, extra.as_deref());
        // The reply is in the queue, so no broadcast can precede it.
        socket.enter();
        trace::debug!(namespace = &*socket.space.name, "a socket joined");
        self.push(Call::Connected(socket));
    }

    fn perform_auth(
        &self,
        connection: &Connection<Self>,
        socket: Arc<Core>,
        output: auth::Output<Box<HeldPacket>, Accepted>,
    ) {
        let Some(policy) = socket.space.guard.as_ref().map(|guard| &guard.policy) else {
            return;
        };
        let settings = policy.settings();
        let told = match &output {
            // Told when the new grant is in place, so that the entry names its holder.
            auth::Output::Activate { .. } | auth::Output::ReplaceGrant { .. } => None,
            output => AuditKind::of_output(output),
        };
        if let Some(kind) = told {
            let credential = match &output {
                auth::Output::StartVerify { credential, .. } => Some(credential),
                _ => None,
            };
            self.audit(connection, &socket, kind, credential);
        }
        match output {
            auth::Output::AcceptConnect => {
                socket.hold();
                send_connected(connection, &socket, None);
            }
            auth::Output::StartVerify {
                epoch,
                credential,
                purpose,
            } => self.push(Call::Verify {
                socket,
                epoch,
                credential,
                purpose,
            }),
            auth::Output::CancelVerify { epoch } => socket.cancel_verification(epoch),
            auth::Output::Activate { grant, expires_in } => {
                self.install(&socket, grant, expires_in);
                self.audit(connection, &socket, AuditKind::Accepted, None);
                socket.enter();
                trace::debug!(namespace = &*socket.space.name, "a socket joined");
            }
            auth::Output::LeaveRooms => socket.leave_rooms(|_| true),
            auth::Output::ReplaceGrant { grant, expires_in } => {
                self.install(&socket, Some(grant), expires_in);
                self.audit(connection, &socket, AuditKind::Refreshed, None);
                socket.leave_rooms(|room| !socket.may_be_in(room));
                socket.revoke_if_late();
            }
            auth::Output::Downgrade => {
                match socket.space.guest() {
                    Ok(guest) => socket.set_guest(guest),
                    Err(rejection) => socket.end_by(rejection),
                }
                socket.leave_rooms(|room| !socket.may_be_in(room));
            }
            auth::Output::Authenticated { ack, expires_in } => {
                emit_json(&socket, None, settings.dialect.authenticated());
                if let Some(id) = ack {
                    ack_json(&socket, id, &auth::ack_authenticated(expires_in));
                }
            }
            auth::Output::RunConnectHandler => self.push(Call::Connected(socket)),
            auth::Output::Deliver(held) => self.push(Call::Event { socket, held }),
            auth::Output::Unauthorized {
                rejection,
                notice,
                ack,
            } => {
                log_rejection(&rejection);
                let legacy = settings.legacy_codes;
                let id = socket.space.next_ack_id();
                // Past the bound the client's acknowledgement is not recognised; its time limit still holds.
                let _ = socket.await_ack(id, Awaited::Notice(notice));
                let event = settings.dialect.unauthorized(&rejection, legacy);
                emit_json(&socket, Some(id), &event);
                if let Some(id) = ack {
                    ack_json(&socket, id, &auth::ack_unauthorized(&rejection, legacy));
                }
            }
            auth::Output::TokenExpiring { expires_in, reason } => {
                let event = auth::token_expiring(expires_in, reason.as_deref());
                emit_json(&socket, None, &event);
            }
            // The machine of the connection keeps these to itself.
            auth::Output::RefuseConnect(_)
            | auth::Output::AttemptFailed
            | auth::Output::Admit { .. }
            | auth::Output::Disconnect
            | auth::Output::CloseConnection => {}
        }
    }
}

fn log_refusal(refusal: &Refusal) {
    match refusal {
        Refusal::Auth(rejection) => log_rejection(rejection),
        Refusal::Denied(_) => trace::debug!("middleware refused a client"),
        // The name is the client's.
        Refusal::InvalidNamespace => trace::debug!("a client asked for no open namespace"),
        Refusal::TooManyNamespaces => trace::debug!("a client asked for too many namespaces"),
    }
}

fn log_rejection(rejection: &auth::Rejection) {
    if rejection.code() == auth::Code::AuthUnavailable {
        return trace::warn!("a credential cannot be judged");
    }
    trace::debug!(
        code = rejection.code().as_str(),
        "a client was not authenticated"
    );
}
