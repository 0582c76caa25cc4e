//! Letting clients in: credentials, verifications, connect middleware.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Instant, SystemTime};

use engineio::{Connection, Protocol};
use serde_json::{Map, Value};
use socketio_auth as auth;
use socketio_auth::{
    Action, BoxFuture, Code, Collected, Credential, Decision, ErasedIdentity, Extract, Fingerprint,
    Grant, GrantFacts, Inherit, Mode, NoRequest, PayloadText, Purpose, Rejection, SourceKind,
    Subject,
};

use crate::authority::guard::Guard;
use crate::authority::revoked::Mark;
use crate::clock::{now, wall_clock};
use crate::error::ConnectError;
use crate::id::SocketId;
use crate::live::client::{Accepted, Auth, Client, Payload, Shell};
use crate::live::core::{Core, Verdict};
use crate::live::directory::Lease;
use crate::live::keeper::Claim;
use crate::live::space::{Family, Space};
use crate::proto::client::{Gate, Inherited, Input, Ticket};
use crate::running::{Guarded, Panicked, guard, poll_now};
use crate::trace;

/// A verification that runs.
struct Trial {
    epoch: u32,
    /// What had been revoked when it began.
    mark: Mark,
    purpose: Purpose,
    /// For the books, if there are any.
    entry: Option<Entry>,
}

/// What the books want to know of a verification.
struct Entry {
    source: SourceKind,
    fingerprint: Fingerprint,
    began_at: Instant,
}

impl Entry {
    fn of(credential: &Credential) -> Self {
        Self {
            source: credential.source(),
            fingerprint: credential.fingerprint(),
            began_at: now(),
        }
    }

    fn end(&self) -> Verdict {
        Verdict {
            source: self.source,
            fingerprint: self.fingerprint,
            latency: now().saturating_duration_since(self.began_at),
        }
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
    ) {
        if let Some(space) = self.server.spaces.lease(&name) {
            return self.found(connection, now, ticket, space, payload);
        }
        let families = self.server.families();
        if families.is_empty() {
            return self.pump(connection, now, Input::NotFound { ticket });
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
            return self.pump(connection, now, Input::NotFound { ticket });
        };
        match self.server.lease_of(&family, name) {
            Some(space) => self.found(connection, now, ticket, space, payload),
            None => self.pump(connection, now, Input::NoRoom { ticket }),
        }
    }

    /// Makes the socket of a CONNECT and collects its credential.
    fn found(
        &self,
        connection: &Connection<Self>,
        now: Instant,
        ticket: Ticket,
        space: Lease<Space>,
        payload: Payload,
    ) {
        let Some(id) = new_id(connection, &space) else {
            // The operating system has no random bytes; nobody can be let in.
            trace::error!("no socket id could be made");
            return self.pump(connection, now, Input::GiveUp);
        };
        let gate = space.guard.as_ref();
        let gate = gate.map(|guard| self.gate(now, guard, &payload, &space));
        let (gate, guest) = gate.unzip();
        let guest = guest.flatten();
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
        if let Some(guest) = guest {
            core.set_guest(guest);
        }
        let socket = Arc::new(core);
        if gate.is_some() {
            match self.server.authority.enter_pending(self.address()) {
                Ok(place) => socket.wait_in(place),
                Err(rejection) => {
                    return self.pump(connection, now, Input::Unwelcome { ticket, rejection });
                }
            }
        }
        self.pump(
            connection,
            now,
            Input::Found {
                ticket,
                socket,
                gate,
            },
        );
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

    /// What decides on a client in a namespace with a policy, and who it is there as a guest.
    fn gate(
        &self,
        now: Instant,
        guard: &Guard,
        payload: &Payload,
        space: &Space,
    ) -> (Box<Gate<Shell>>, Option<ErasedIdentity>) {
        let policy = &guard.policy;
        let mut presented = self.collect(now, guard.index, &**policy, payload);
        let (mut inherited, mut guest) = (None, None);
        if matches!(presented, Collected::Missing(_) | Collected::Guest) {
            inherited = self.inheritable(guard);
        }
        if matches!(presented, Collected::Guest) {
            match new_guest(guard, space) {
                Ok(found) => guest = Some(found),
                Err(rejection) => presented = Collected::Rejected(rejection),
            }
        }
        if let Some(Inherited { grant, .. }) = &inherited {
            let (identity, facts) = (grant.grant.identity(), grant.grant.facts());
            if let Err(rejection) = may_connect(&**policy, identity, Some(facts), &space.name) {
                presented = Collected::Rejected(rejection);
                inherited = None;
            }
        }
        let gate = Box::new(Gate {
            policy: Arc::clone(policy.settings()),
            has_guests: policy.has_guests(),
            presented,
            inherited,
        });
        // In the other modes a guest has to say so in an event of its own.
        let guest = guest.filter(|_| gate.policy.mode == Mode::Handshake);
        (gate, guest)
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
        let counted_from = wall_clock();
        let left = |at: SystemTime| at.duration_since(counted_from).unwrap_or_default();
        Some(Inherited {
            from: socket.ticket,
            subject: grant.subject().clone(),
            // As the policy ended it there, its cap included.
            expires_in: socket.expires_at().map(left),
            grant: Accepted {
                grant,
                mark,
                counted_from,
            },
        })
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
        let view = auth::RequestView::new(&NoRequest);
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
            entry: self
                .server
                .authority
                .is_audited()
                .then(|| Entry::of(&credential)),
        };
        let mut context = self.context(connection, &socket.space.name);
        if let Some(subject) = trial.purpose.subject() {
            context = context.with_renewed_subject(subject.clone());
        }
        let started = guard(|| Arc::clone(policy).authenticate(context, credential));
        let Ok(mut verification) = started else {
            return self.verified(connection, now, socket, &trial, Err(Panicked));
        };
        if socket.is_held() && !socket.space.handlers.middleware.is_empty() {
            // The CONNECT was answered long ago, so the middleware is asked as a part of the verification.
            verification = Box::pin(then_ask_middleware(verification, Arc::clone(socket)));
        }
        match poll_now(verification.as_mut()) {
            Poll::Ready(result) => {
                self.verified(connection, now, socket, &trial, result);
            }
            Poll::Pending => {
                self.wait_for(connection, socket, trial, verification);
            }
        }
    }

    /// Runs a future to its end, or to the end of the socket, and goes on with what came of it.
    pub(super) fn wait_unless_left<F, N>(
        &self,
        connection: &Connection<Self>,
        socket: &Arc<Core>,
        future: F,
        next: N,
    ) where
        F: Future + Send + 'static,
        N: FnOnce(&Self, &Connection<Self>, Result<F::Output, Panicked>) + Send + 'static,
    {
        let mut future = Box::pin(future);
        if let Poll::Ready(output) = poll_now(future.as_mut()) {
            return next(self, connection, output);
        }
        let mut closed = socket.closed();
        let connection = connection.clone();
        self.server.spawn(&self.runtime, async move {
            let mut future = Guarded(future);
            let ended = std::future::poll_fn(|cx| {
                if Pin::new(&mut closed).poll(cx).is_ready() {
                    return Poll::Ready(None);
                }
                Pin::new(&mut future).poll(cx).map(Some)
            })
            .await;
            drop(future);
            if let Some(output) = ended {
                next(connection.data(), &connection, output);
            }
        });
    }

    fn wait_for(
        &self,
        connection: &Connection<Self>,
        socket: &Arc<Core>,
        trial: Trial,
        verification: BoxFuture<'static, Verified>,
    ) {
        let mut cancelled = socket.begin_verification(trial.epoch);
        let (connection, socket) = (connection.clone(), Arc::clone(socket));
        let mut verification = Guarded(verification);
        self.server.spawn(&self.runtime, async move {
            let result = std::future::poll_fn(|cx| {
                // Cancelled when its sender is dropped.
                if Pin::new(&mut cancelled).poll(cx).is_ready() {
                    return Poll::Ready(None);
                }
                Pin::new(&mut verification).poll(cx).map(Some)
            })
            .await;
            drop(verification);
            if let Some(result) = result {
                let (client, now) = (connection.data(), now());
                client.verified(&connection, now, &socket, &trial, result);
                client.go_on(&connection, now);
            }
        });
    }

    /// Asks the authorizer whether the owner of a good credential may be here, and the lists whether it was revoked
    /// while middleware had it.
    fn authorize(socket: &Core, grant: Grant<ErasedIdentity>) -> Verified {
        let Some(guard) = &socket.space.guard else {
            return Ok(grant);
        };
        let (identity, facts) = (grant.identity(), grant.facts());
        may_connect(&*guard.policy, identity, Some(facts), &socket.space.name)?;
        socket.space.check_lists(facts)?;
        Ok(grant)
    }

    fn verified(
        &self,
        connection: &Connection<Self>,
        now: Instant,
        socket: &Arc<Core>,
        trial: &Trial,
        result: Result<Verified, Panicked>,
    ) {
        let result = result.map(|result| result.and_then(|grant| Self::authorize(socket, grant)));
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
        let input = match result {
            Ok(grant) => match authority.revoked.check(mark, grant.facts()) {
                Ok(()) => {
                    let counted_from = wall_clock();
                    auth::Input::VerifyOk {
                        epoch,
                        subject: grant.subject().clone(),
                        expires_in: grant.expires_in(counted_from),
                        grant: Accepted {
                            grant: Arc::new(grant),
                            mark,
                            counted_from,
                        },
                    }
                }
                Err(rejection) if rejection.code() == Code::TokenRevoked => {
                    auth::Input::VerifyRevoked { epoch, rejection }
                }
                Err(rejection) => auth::Input::VerifyErr { epoch, rejection },
            },
            Err(rejection) => auth::Input::VerifyErr { epoch, rejection },
        };
        let verdict = trial.entry.as_ref().map(Entry::end);
        socket.with_verdict(verdict, || {
            self.pump(connection, now, Input::Auth { ticket, input });
        });
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

/// Asks the connect middleware, one after the other.
pub(super) async fn ask_middleware(socket: Arc<Core>) -> Result<(), ConnectError> {
    for middleware in &socket.space.handlers.middleware {
        middleware.start(&socket).await?;
    }
    Ok(())
}

async fn then_ask_middleware(
    verification: BoxFuture<'static, Verified>,
    socket: Arc<Core>,
) -> Verified {
    let grant = verification.await?;
    let before = socket.identity();
    socket.set_grant(Arc::new(grant.clone()), None);
    match ask_middleware(Arc::clone(&socket)).await {
        Ok(()) => Ok(grant),
        Err(error) => {
            // It is nobody's again while the client may try another credential.
            socket.set_guest(before);
            Err(refused_by(&error))
        }
    }
}

/// What middleware says, in the words of a policy.
pub(super) fn refused_by(error: &ConnectError) -> Rejection {
    Rejection::new(Code::InsufficientScope).with_message(error.message().to_owned())
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
