//! Letting clients in: namespaces, credentials, verifications.

use std::borrow::Cow;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Instant, SystemTime};

use engineio::{Connection, Protocol};
use serde_json::{Map, Value};
use socketio_auth::server as auth;
use socketio_auth::{
    Code, Credential, Extract, Grant, GrantFacts, HandshakeView, Inherit, Rejection, Subject,
    authorize::{Action, Decision},
    server::{Collected, ErasedIdentity, NoRequest, PayloadText, Purpose},
};

use super::waiting::Ended;
use crate::authority::guard::Guard;
use crate::authority::refused::{Evidence, Refused};
use crate::authority::revoked::Mark;
use crate::clock::{now, wall_clock};
use crate::cluster::seat::Seat;
use crate::id::SocketId;
use crate::live::candidate::Accepted;
use crate::live::client::{Auth, Client, Payload, Shell};
use crate::live::core::Core;
use crate::live::directory::Lease;
use crate::live::keeper::Claim;
use crate::live::space::{Family, Space};
use crate::proto::client::{Gate, Inherited, Input, Refusal, Ticket};
use crate::running::{Guarded, Panicked, guard, poll_now};
use crate::trace;

/// A verification that runs.
struct Trial {
    epoch: u32,
    /// What had been revoked when it began.
    mark: Mark,
    purpose: Purpose,
    /// For the books, if there are any.
    exhibit: Option<Exhibit>,
}

/// A credential that is being judged.
struct Exhibit {
    evidence: Evidence,
    began_at: Instant,
}

impl Exhibit {
    fn of(credential: &Credential) -> Self {
        Self {
            evidence: Evidence::of(credential),
            began_at: now(),
        }
    }

    /// It has been judged.
    fn close(&self) -> Box<Evidence> {
        Box::new(Evidence {
            latency: Some(now().saturating_duration_since(self.began_at)),
            ..self.evidence
        })
    }
}

impl Client {
    /// Looks for a namespace, at last among the sets of dynamic ones.
    pub(super) fn find(
        &self,
        connection: &Connection<Self>,
        now: Instant,
        ticket: Ticket,
        name: Arc<str>,
        payload: Payload,
        found: Option<Lease<Space>>,
    ) {
        if let Some(space) = found.or_else(|| self.server.spaces.lease(&name)) {
            let next = self.leased(connection, now, ticket, space, payload);
            return self.pump_next(connection, now, next);
        }
        let families = self.server.families();
        if families.is_empty() {
            return self.pump(connection, now, not_found(ticket));
        }
        let auth = payload.value().map(Cow::into_owned);
        let auth = auth.unwrap_or_else(|| Value::Object(Map::new()));
        let asked = Arc::clone(&name);
        let mut search = Box::pin(async move { first_match(families, &asked, &auth).await });
        if let Poll::Ready(found) = poll_now(search.as_mut()) {
            return self.searched(connection, now, ticket, &name, payload, found);
        }
        let limit = self.server.settings.client.connect_timeout;
        let connection = connection.clone();
        self.server.spawn(&self.runtime, async move {
            let found = tokio::time::timeout(limit, Guarded(search)).await;
            let client = connection.data();
            let found = found.unwrap_or(Ok(None));
            let now = self::now();
            client.searched(&connection, now, ticket, &name, payload, found);
            client.go_on(&connection, now);
        });
    }

    //= SRV-DYN-01
    fn searched(
        &self,
        connection: &Connection<Self>,
        now: Instant,
        ticket: Ticket,
        name: &Arc<str>,
        payload: Payload,
        found: Result<Option<Arc<Family>>, Panicked>,
    ) {
        let Ok(Some(family)) = found else {
            return self.pump(connection, now, not_found(ticket));
        };
        match self.server.lease_of(&family, name) {
            Some(space) => {
                let next = self.leased(connection, now, ticket, space, payload);
                self.pump_next(connection, now, next);
            }
            None => {
                let refusal = Refusal::TooManyNamespaces;
                self.pump(connection, now, Input::NotFound { ticket, refusal });
            }
        }
    }

    /// Goes on in a namespace that is open, as soon as the other servers can reach it: yields what follows, where that is
    /// now.
    pub(super) fn leased(
        &self,
        connection: &Connection<Self>,
        now: Instant,
        ticket: Ticket,
        space: Lease<Space>,
        payload: Payload,
    ) -> Option<Input<Shell>> {
        let Some(entered) = space.cluster.as_ref().and_then(Seat::enter) else {
            return Some(self.found(connection, now, ticket, space, payload));
        };
        let connection = connection.clone();
        self.server.spawn(&self.runtime, async move {
            entered.await;
            let (client, now) = (connection.data(), self::now());
            let input = client.found(&connection, now, ticket, space, payload);
            client.feed_at(&connection, now, input);
        });
        None
    }

    /// Makes the socket of a CONNECT, and collects its credential where there is a policy; else it calls no user code.
    fn found(
        &self,
        connection: &Connection<Self>,
        now: Instant,
        ticket: Ticket,
        space: Lease<Space>,
        payload: Payload,
    ) -> Input<Shell> {
        let Some(id) = new_id(connection, &space) else {
            // The operating system has no random bytes; nobody can be let in.
            trace::error!("no socket id could be made");
            return Input::GiveUp;
        };
        let gate = space.guard.as_ref();
        let gate = gate.map(|guard| self.gate(now, guard, &payload, &space));
        let claim = match &space.recovery {
            Some(_) => Claim::of(payload.value().as_deref()),
            None => None,
        };
        // A payload that authenticates holds a secret, which is not kept.
        let auth = match &gate {
            Some(_) => None,
            None => payload.into_value().map(Box::new),
        };
        let core = Core::new(connection.clone(), space, id, ticket, auth);
        if let Some(claim) = claim {
            core.set_claim(claim);
        }
        let socket = Arc::new(core);
        if let Some(gate) = &gate {
            let waits =
                gate.inherited.is_none() && gate.policy.mode.waits_for_event(&gate.presented);
            match waits.then(|| self.place()).transpose() {
                Ok(place) => socket.stay_outside(place),
                Err(rejection) => {
                    let refusal = Refusal::Refused(rejection.into());
                    return Input::NotFound { ticket, refusal };
                }
            }
        }
        Input::Found {
            ticket,
            socket,
            gate,
        }
    }

    /// Refuses a credential unjudged when too many have failed.
    pub(super) fn within_limits(
        &self,
        now: Instant,
        presented: Collected,
        renewed: Option<&Subject>,
    ) -> Collected {
        if !matches!(presented, Collected::Credential(_)) {
            return presented;
        }
        match self.server.authority.check(now, self.address(), renewed) {
            Ok(()) => presented,
            Err(rejection) => Collected::Rejected(rejection),
        }
    }

    /// What decides on a client in a namespace with a policy.
    fn gate(
        &self,
        now: Instant,
        guard: &Guard,
        payload: &Payload,
        space: &Space,
    ) -> Box<Gate<Shell>> {
        let policy = &guard.policy;
        let mut presented = self.collect(now, guard.index, &**policy, payload);
        let mut inherited = None;
        if matches!(presented, Collected::Missing(_) | Collected::Guest) {
            inherited = self.inheritable(guard);
        }
        if let Some(Inherited { granted, .. }) = &inherited {
            let grant = &granted.grant.grant;
            let (identity, facts) = (grant.identity(), grant.facts());
            if let Err(rejection) = may_connect(&**policy, identity, Some(facts), &space.name) {
                presented = Collected::Rejected(rejection);
                inherited = None;
            }
        }
        Box::new(Gate {
            policy: Arc::clone(policy.settings()),
            has_guests: policy.has_guests(),
            presented,
            inherited,
        })
    }

    /// What the connection was granted under the very same policy, if all of it names one subject.
    fn inheritable(&self, guard: &Guard) -> Option<Inherited<Shell>> {
        if guard.policy.settings().inherit == Inherit::None {
            return None;
        }
        let mark = self.server.authority.revoked.mark_of_held();
        let joined = self.joined().into_iter().filter(|socket| {
            let of_socket = socket.space.guard.as_ref();
            of_socket.is_some_and(|of_socket| of_socket.index == guard.index)
        });
        let mut granted = joined.filter_map(|socket| socket.grant().map(|grant| (socket, grant)));
        let (socket, grant) = granted.next()?;
        if granted.any(|(_, other)| other.subject() != grant.subject())
            || socket.space.check_lists(grant.facts()).is_err()
        {
            return None;
        }
        Some(Inherited {
            from: socket.ticket,
            granted: granted_now(&socket, grant, mark),
        })
    }

    /// Has those that took over what a socket held take over what it holds now, unless the authorizer does not let its
    /// holder be where they are.
    pub(super) fn pass_on(
        &self,
        connection: &Connection<Self>,
        now: Instant,
        from: &Core,
        heirs: &[Arc<Core>],
    ) {
        let mark = self.server.authority.revoked.mark_of_held();
        let Some(grant) = from.grant() else { return };
        let granted = granted_now(from, grant, mark);
        for heir in heirs {
            let Some(guard) = &heir.space.guard else {
                continue;
            };
            let (grant, to) = (&granted.grant.grant, heir.ticket);
            let (identity, facts) = (grant.identity(), Some(grant.facts()));
            let may = may_connect(&*guard.policy, identity, facts, &heir.space.name);
            let input = match may {
                Ok(()) => Input::PassOn {
                    from: from.ticket,
                    to,
                    granted: granted.clone(),
                },
                Err(rejection) => Input::Auth {
                    ticket: to,
                    input: auth::Input::Revoked(rejection.into()),
                },
            };
            self.pump(connection, now, input);
        }
    }

    fn collect(
        &self,
        now: Instant,
        index: usize,
        policy: &dyn auth::DynPolicy,
        payload: &Payload,
    ) -> Collected {
        let (size, max) = (payload.size, policy.settings().max_payload_bytes);
        if size > max {
            let detail =
                format!("the CONNECT payload has {size} bytes, max_payload_bytes is {max}");
            let refused = Rejection::new(Code::CredentialsBadFormat).with_detail(detail);
            return Collected::Rejected(refused);
        }
        let opening = {
            let state = self.state.lock();
            let of_policy = state.presented.iter().find(|of| of.policy == index);
            of_policy.map_or(Ok(Extract::Absent), |of| of.found.clone())
        };
        let view = HandshakeView::new(&NoRequest);
        let found = guard(|| match &payload.auth {
            Some(Auth::Text(text)) => {
                policy.extract(&view.with_payload_text(&PayloadText::new(text)))
            }
            Some(Auth::Value(value)) => policy.extract(&view.with_payload(Some(value))),
            None => policy.extract(&view),
        });
        let found = found.and_then(|found| Ok(found.merge(opening?)));
        match found.and_then(|found| guard(|| policy.decide(found))) {
            Ok(collected) => self.within_limits(now, collected, None),
            Err(Panicked) => Collected::Rejected(Rejection::panicked()),
        }
    }

    pub(super) fn verify(
        &self,
        connection: &Connection<Self>,
        now: Instant,
        socket: &Arc<Core>,
        epoch: u32,
        credential: Credential,
        purpose: Purpose,
    ) {
        let Some(policy) = socket.space.guard.as_ref().map(|guard| &guard.policy) else {
            return;
        };
        let trial = Trial {
            epoch,
            mark: self.server.authority.revoked.mark(),
            purpose,
            exhibit: self
                .server
                .authority
                .is_audited()
                .then(|| Exhibit::of(&credential)),
        };
        let mut context = self.context(connection, &socket.space.name);
        if let Some(subject) = trial.purpose.subject() {
            context = context.with_renewed_subject(subject.clone());
        }
        let started = guard(|| Arc::clone(policy).authenticate(context, credential));
        let Ok(verification) = started else {
            return self.verified(connection, now, socket, &trial, Err(Panicked));
        };
        let verified = Arc::clone(socket);
        self.run_unless_cancelled(
            connection,
            now,
            socket,
            epoch,
            verification,
            move |client, connection, now, ended| match ended {
                Ended::Said(result) => client.verified(connection, now, &verified, &trial, result),
                Ended::Crowded(rejection) => {
                    let evidence = trial.exhibit.as_ref().map(Exhibit::close);
                    let rejection = Refused::from(rejection).with_evidence(evidence);
                    let (ticket, epoch) = (verified.ticket, trial.epoch);
                    let input = auth::Input::VerifyErr { epoch, rejection };
                    client.pump(connection, now, Input::Auth { ticket, input });
                }
            },
        );
    }

    /// Asks the authorizer whether the owner of a good credential may be here, and the lists whether it was revoked.
    fn authorize(socket: &Core, grant: &Grant<ErasedIdentity>) -> Result<(), Rejection> {
        let Some(guard) = &socket.space.guard else {
            return Ok(());
        };
        let (identity, facts) = (grant.identity(), grant.facts());
        may_connect(&*guard.policy, identity, Some(facts), &socket.space.name)?;
        socket.space.check_lists(facts)
    }

    fn verified(
        &self,
        connection: &Connection<Self>,
        now: Instant,
        socket: &Arc<Core>,
        trial: &Trial,
        mut result: Result<Verified, Panicked>,
    ) {
        // A grant is large to be moved.
        if let Ok(Ok(grant)) = &result
            && let Err(rejection) = Self::authorize(socket, grant)
        {
            result = Ok(Err(rejection));
        }
        let renewed = socket.subject().filter(|_| socket.is_joined());
        let (authority, renewed) = (&self.server.authority, renewed.as_ref());
        match &result {
            // The client did nothing.
            _ if matches!(trial.purpose, Purpose::Revalidation(_)) => {}
            Ok(Ok(_)) => authority.record_success(now, self.address(), renewed),
            Ok(Err(rejection)) if rejection.code() != Code::AuthUnavailable => {
                authority.record_failure(now, self.address(), renewed);
            }
            // A server that cannot judge is not the client's failure.
            Ok(Err(_)) | Err(Panicked) => {}
        }
        let (ticket, epoch, mark) = (socket.ticket, trial.epoch, trial.mark);
        let result = result.unwrap_or_else(|Panicked| Err(Rejection::panicked()));
        let evidence = trial.exhibit.as_ref().map(Exhibit::close);
        let input = match result {
            Ok(grant) => match authority.revoked.check(mark, grant.facts()) {
                Ok(()) => {
                    let counted_from = wall_clock();
                    auth::Input::VerifyOk {
                        epoch,
                        granted: auth::Granted {
                            subject: grant.subject().clone(),
                            expires_in: grant.expires_in(counted_from),
                            grant: Accepted {
                                grant: Arc::new(grant),
                                mark,
                                counted_from,
                                evidence,
                            },
                        },
                    }
                }
                Err(rejection) if rejection.code() == Code::TokenRevoked => {
                    let rejection = Refused::from(rejection).with_evidence(evidence);
                    auth::Input::VerifyRevoked { epoch, rejection }
                }
                Err(rejection) => {
                    let rejection = Refused::from(rejection).with_evidence(evidence);
                    auth::Input::VerifyErr { epoch, rejection }
                }
            },
            Err(rejection) => {
                let rejection = Refused::from(rejection).with_evidence(evidence);
                auth::Input::VerifyErr { epoch, rejection }
            }
        };
        self.pump(connection, now, Input::Auth { ticket, input });
    }
}

/// Who a client without a credential is, where the policy takes it in.
pub(super) fn new_guest(guard: &Guard, space: &Space) -> Result<ErasedIdentity, Rejection> {
    let guest = space.guest()?;
    may_connect(&*guard.policy, &guest, None, &space.name)?;
    Ok(guest)
}

/// Whether the authorizer of a policy lets somebody join a namespace.
fn may_connect(
    policy: &dyn auth::DynPolicy,
    identity: &ErasedIdentity,
    facts: Option<&GrantFacts>,
    namespace: &str,
) -> Result<(), Rejection> {
    if !policy.has_authorizer() {
        return Ok(());
    }
    let action = Action::Connect { namespace };
    match guard(|| policy.can(identity, facts, action)) {
        Ok(Decision::Allow) => Ok(()),
        Ok(_) => Err(Code::InsufficientScope.into()),
        // Who cannot be asked allows nothing.
        Err(Panicked) => Err(Rejection::panicked()),
    }
}

/// A grant that a socket holds, for another of its connection.
fn granted_now(
    socket: &Core,
    grant: Arc<Grant<ErasedIdentity>>,
    mark: Mark,
) -> auth::Granted<Accepted> {
    let counted_from = wall_clock();
    let left = |at: SystemTime| at.duration_since(counted_from).unwrap_or_default();
    auth::Granted {
        subject: grant.subject().clone(),
        // As the policy ended it there, its cap included.
        expires_in: socket.expires_at().map(left),
        grant: Accepted {
            grant,
            mark,
            counted_from,
            evidence: None,
        },
    }
}

fn not_found(ticket: Ticket) -> Input<Shell> {
    let refusal = Refusal::InvalidNamespace;
    Input::NotFound { ticket, refusal }
}

type Verified = Result<Grant<ErasedIdentity>, Rejection>;

/// The first set that takes a name.
async fn first_match(families: Vec<Arc<Family>>, name: &str, auth: &Value) -> Option<Arc<Family>> {
    for family in families {
        if family.matcher.decide(name, auth).await {
            return Some(family);
        }
    }
    None
}

//= SIO4-CON-04
fn new_id(connection: &Connection<Client>, space: &Space) -> Option<SocketId> {
    let session = connection.id();
    Some(match (connection.protocol(), &*space.name) {
        (Protocol::V3, "/") => SocketId::new(session.as_str()),
        (Protocol::V3, name) => SocketId::new(format!("{name}#{}", session.as_str())),
        _ => SocketId::new(engineio::SessionId::generate().ok()?.as_str()),
    })
}
