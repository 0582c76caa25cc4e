//! Carrying out what the machine wants. No user code runs here.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use engineio::{Connection, Protocol, Transport};
use socketio_auth::server as auth;
use socketio_auth::{
    AuditKind, Code, Rejection,
    server::{Answer, Change, ErasedIdentity},
};

use super::replies::{ack_json, emit_json, send_connected, send_disconnect, send_own};
use crate::authority::refused::{Evidence, Refused};
use crate::event::ChangeKind;
use crate::live::candidate::Accepted;
use crate::live::client::{Client, HeldPacket, Shell};
use crate::live::core::Core;
use crate::live::handlers::Changed;
use crate::live::inbox::{Call, HeldEvent};
use crate::live::owed::Awaited;
use crate::proto::client::{Input, Output, Refusal};
use crate::trace;

impl Client {
    /// Carries out one output; yields what the machine is to be fed next, where that is known at once. Calls no user code.
    pub(super) fn perform(
        &self,
        connection: &Connection<Self>,
        now: Instant,
        output: Output<Shell>,
    ) -> Option<Input<Shell>> {
        match output {
            // Nothing of the application's decides here.
            Output::Find {
                ticket,
                name: _,
                payload,
                found: Some(space),
            } if space.guard.is_none() => {
                return self.leased(connection, now, ticket, space, payload);
            }
            Output::Find {
                ticket,
                name,
                payload,
                found,
            } => self.push(Call::Find {
                ticket,
                name,
                payload,
                found,
            }),
            Output::GiveBack(found) => drop(found),
            Output::Refuse {
                name,
                socket,
                refusal,
            } => self.refuse(connection, &name, socket.as_deref(), &refusal),
            Output::Ask(question) => return self.take_question(connection, now, question),
            Output::Enter {
                socket,
                answer,
                expires_in,
            } => self.let_in(connection, socket, answer, expires_in),
            Output::PassOn { from, heirs } => self.push(Call::PassOn { from, heirs }),
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
        None
    }

    /// Gives a socket what it was granted, unless that was revoked meanwhile.
    pub(super) fn install(
        &self,
        socket: &Core,
        accepted: &Accepted,
        expires_at: Option<SystemTime>,
    ) {
        let grant = Arc::clone(&accepted.grant);
        let revoked = &self.server.authority.revoked;
        let installed = revoked.install(accepted.mark, accepted.grant.facts(), || {
            socket.set_grant(grant, expires_at);
        });
        if installed.is_err() {
            self.enqueue(Input::Auth {
                ticket: socket.ticket,
                input: auth::Input::Revoked(Rejection::from(Code::TokenRevoked).into()),
            });
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
        match (refusal, socket) {
            (Refusal::Refused(refused), Some(socket)) if socket.space.guard.is_some() => {
                let kind = AuditKind::of_rejection(&refused.rejection);
                self.audit(connection, socket, kind, refused.evidence.as_deref());
            }
            (Refusal::Refused(refused), None) => {
                self.audit_refusal(connection, name, &refused.rejection);
            }
            _ => {}
        }
        let codec = &self.server.codec;
        let protocol = connection.protocol();
        let is_legacy = socket
            .and_then(|socket| socket.space.guard.as_ref())
            .is_some_and(|guard| guard.policy.settings().legacy_codes);
        send_own(connection, |buffer| match (refusal, protocol) {
            (Refusal::Refused(refused), _) if let Some(error) = &refused.error => {
                codec.connect_error(protocol, name, error.message(), error.data(), buffer)
            }
            (Refusal::Refused(refused), Protocol::V3) => {
                let payload = auth::connect_error_v4(&refused.rejection, is_legacy);
                codec.connect_error_payload(name, &payload, buffer)
            }
            (Refusal::Refused(refused), _) => {
                let payload = auth::connect_error(&refused.rejection, is_legacy);
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

    fn let_in(
        &self,
        connection: &Connection<Self>,
        socket: Arc<Core>,
        answer: Answer,
        expires_in: Option<Duration>,
    ) {
        if socket.space.guard.is_some() {
            let evidence = socket.take_evidence();
            self.audit(
                connection,
                &socket,
                AuditKind::Accepted,
                evidence.as_deref(),
            );
        }
        match answer {
            //= SIO5-CON-03
            Answer::Connect => {
                let extra = auth::connect_reply_auth(expires_in);
                if !socket.send_missed() {
                    // It was told that nothing is lost. On its next attempt it is a stranger.
                    socket.forfeit();
                    connection.close();
                }
                send_connected(connection, &socket, extra.as_deref());
                // The reply is in the queue, so no broadcast can precede it.
                socket.enter();
            }
            Answer::Authenticated { ack } => {
                socket.enter();
                tell_authenticated(&socket, ack, expires_in);
            }
        }
        trace::debug!(namespace = &*socket.space.name, "a socket joined");
        self.push(Call::Connected(socket));
    }

    /// Makes of the socket whom middleware was asked about.
    fn become_another(&self, connection: &Connection<Self>, socket: &Arc<Core>, change: Change) {
        let Some(candidate) = socket.take_candidate() else {
            return;
        };
        let before = identity_before(socket);
        match &candidate.accepted {
            Some(accepted) => self.install(socket, accepted, candidate.expires_at),
            None => socket.set_guest(candidate.identity.clone()),
        }
        let (kind, entry) = match change {
            Change::Login => (ChangeKind::Login, Some(AuditKind::Accepted)),
            Change::Switch => (ChangeKind::Switch, Some(AuditKind::Switched)),
            // The end of the grant told it.
            Change::Downgrade => (ChangeKind::Downgrade, None),
        };
        if let Some(kind) = entry {
            let evidence = candidate.evidence();
            self.audit(connection, socket, kind, evidence.as_deref());
        }
        socket.leave_rooms(|room| !socket.may_be_in(room));
        socket.join_staged(&candidate);
        socket.revoke_if_late();
        self.tell_change(socket, before, kind);
    }

    /// Has the application hear who the socket was and who it is.
    fn tell_change(&self, socket: &Arc<Core>, before: Option<ErasedIdentity>, kind: ChangeKind) {
        let Some(before) = before else { return };
        let changed = Changed {
            before,
            after: socket.identity(),
            kind,
        };
        self.push(Call::Changed(Arc::clone(socket), Box::new(changed)));
    }

    fn perform_auth(
        &self,
        connection: &Connection<Self>,
        socket: Arc<Core>,
        output: auth::Output<Box<HeldPacket>, Accepted, Refused>,
    ) {
        let Some(policy) = socket.space.guard.as_ref().map(|guard| &guard.policy) else {
            return;
        };
        let settings = policy.settings();
        match output {
            auth::Output::AcceptConnect => send_connected(connection, &socket, None),
            auth::Output::StartVerify {
                epoch,
                credential,
                purpose,
            } => {
                if self.server.authority.is_audited() {
                    let evidence = Evidence::of(&credential);
                    self.audit(connection, &socket, AuditKind::Attempt, Some(&evidence));
                }
                self.push(Call::Verify {
                    socket,
                    epoch,
                    credential,
                    purpose,
                });
            }
            auth::Output::Cancel { epoch } => socket.cancel_trial(epoch),
            auth::Output::StepBack => socket.step_back(),
            auth::Output::Become { change, .. } => {
                self.become_another(connection, &socket, change);
            }
            auth::Output::LeaveRooms => {
                socket.leave_rooms(|_| true);
                // What the application kept with one subject is not for the next.
                socket.forget_extensions();
            }
            auth::Output::ReplaceGrant { grant, expires_in } => {
                let before = identity_before(&socket);
                self.install(&socket, &grant, grant.ends_at(expires_in));
                let evidence = grant.evidence.as_deref();
                self.audit(connection, &socket, AuditKind::Refreshed, evidence);
                socket.leave_rooms(|room| !socket.may_be_in(room));
                socket.revoke_if_late();
                self.tell_change(&socket, before, ChangeKind::Renewal);
            }
            auth::Output::Authenticated { ack, expires_in } => {
                tell_authenticated(&socket, ack, expires_in);
            }
            auth::Output::Deliver(held) => {
                self.state
                    .lock()
                    .inbox
                    .push_event(HeldEvent { socket, held });
            }
            auth::Output::Unauthorized {
                rejection,
                notice,
                ack,
            } => {
                let Refused {
                    rejection,
                    evidence,
                    ..
                } = rejection;
                let kind = AuditKind::of_rejection(&rejection);
                self.audit(connection, &socket, kind, evidence.as_deref());
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
                let kind = AuditKind::Expiring { expires_in };
                self.audit(connection, &socket, kind, None);
                let event = auth::token_expiring(expires_in, reason.as_deref());
                emit_json(&socket, None, &event);
            }
            // The machine of the connection keeps these to itself.
            auth::Output::RefuseConnect(_)
            | auth::Output::AttemptFailed
            | auth::Output::Ask { .. }
            | auth::Output::Enter { .. }
            | auth::Output::Disconnect
            | auth::Output::CloseConnection
            | auth::Output::ExpireConnection => {}
        }
    }
}

/// Who a socket is, if somebody wants to hear when it is another.
fn identity_before(socket: &Core) -> Option<ErasedIdentity> {
    let is_wanted = !socket.space.handlers.change.is_empty();
    is_wanted.then(|| socket.identity())
}

fn tell_authenticated(socket: &Core, ack: Option<u64>, expires_in: Option<Duration>) {
    let Some(guard) = &socket.space.guard else {
        return;
    };
    let dialect = guard.policy.settings().dialect;
    emit_json(socket, None, dialect.authenticated());
    if let Some(id) = ack {
        ack_json(socket, id, &auth::ack_authenticated(expires_in));
    }
}

fn log_refusal(refusal: &Refusal) {
    match refusal {
        Refusal::Refused(refused) if refused.error.is_some() => {
            trace::debug!("middleware refused a client");
        }
        Refusal::Refused(refused) => log_rejection(&refused.rejection),
        // The name is the client's.
        Refusal::InvalidNamespace => trace::debug!("a client asked for no open namespace"),
        Refusal::TooManyNamespaces => trace::debug!("a client asked for too many namespaces"),
    }
}

fn log_rejection(rejection: &Rejection) {
    if rejection.code() == Code::AuthUnavailable {
        return trace::warn!("a credential cannot be judged");
    }
    trace::debug!(
        code = rejection.code().as_str(),
        "a client was not authenticated"
    );
}
