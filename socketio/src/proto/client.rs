//! One connection's namespaces: which it may join, is joining and has joined, and what every packet means there.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use socketio_auth::{
    NamespacePolicy,
    server::{self as auth, Answer, AuthMachine, Change, Collected, Moment, Queue},
};

use crate::authority::refused::Refused;
use crate::error::DisconnectReason;
use crate::few::Few;

/// The types that the shell fills in.
pub(crate) trait Application {
    /// A socket: one connection in one namespace.
    type Socket: Clone;
    /// A namespace that is open.
    type Space;
    /// What came with a CONNECT.
    type Payload;
    /// A packet that waits for a verdict.
    type Packet: auth::QueuedPacket;
    /// What is kept of an accepted credential.
    type Grant;
}

/// The gate of a namespace with a policy.
pub(crate) struct Gate<A: Application> {
    pub(crate) policy: Arc<NamespacePolicy>,
    pub(crate) has_guests: bool,
    pub(crate) presented: Collected,
    /// A grant that counts here too, of a client that presents nothing.
    pub(crate) inherited: Option<Inherited<A>>,
}

/// The grant of another namespace of the connection.
pub(crate) struct Inherited<A: Application> {
    /// Where it was given, and still has to hold.
    pub(crate) from: Ticket,
    pub(crate) granted: auth::Granted<A::Grant>,
}

/// Names one attempt to join a namespace; results of older attempts are ignored by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u32);

/// Something that happened.
pub(crate) enum Input<A: Application> {
    /// CONNECT was decoded, or is implied by a client of protocol 4 (SIO4-CON-01).
    Connect {
        name: Arc<str>,
        payload: A::Payload,
        is_implied: bool,
        /// The namespace of this name, if it is known already.
        found: Option<A::Space>,
    },
    /// CONNECT for a name that no namespace can have.
    ConnectUnknown(Arc<str>),
    /// The namespace exists, and `socket` will be the client's socket there.
    Found {
        ticket: Ticket,
        socket: A::Socket,
        /// Boxed, since it is large and most inputs have none.
        gate: Option<Box<Gate<A>>>,
    },
    /// There is no such namespace, or the client may not even ask to be let in.
    NotFound { ticket: Ticket, refusal: Refusal },
    /// The client emitted `authenticate`.
    Authenticate {
        ticket: Ticket,
        presented: Collected,
        ack: Option<u64>,
    },
    /// For the machine of the namespace's policy.
    Auth { ticket: Ticket, input: AuthInput<A> },
    /// Connect middleware has spoken about [`Output::Ask`].
    Asked {
        ticket: Ticket,
        epoch: u32,
        verdict: Result<(), Refused>,
    },
    /// What holds in one namespace now, for another that took the grant over which held there before.
    PassOn {
        from: Ticket,
        to: Ticket,
        granted: auth::Granted<A::Grant>,
    },
    /// The client sent DISCONNECT.
    Disconnect(Arc<str>),
    /// The client sent what is valid but not allowed now (SIO5-INV-02).
    Violation,
    /// It is closed for that, and hears of it only when it polls next.
    Unheard,
    /// The connection cannot go on: an invalid packet (SIO5-INV-01), or a failure of the server's.
    GiveUp,
    /// The server disconnects one socket.
    Leave { ticket: Ticket },
    /// The server disconnects every socket and the connection.
    LeaveAll,
    /// The session is over.
    Closed(DisconnectReason),
    /// The time of [`Client::poll_timeout`] has come. Early calls are harmless.
    Timeout,
}

/// Something to do, in order.
pub(crate) enum Output<A: Application> {
    /// Look for the namespace, unless it is known, and make the socket; answer [`Input::Found`] or [`Input::NotFound`].
    Find {
        ticket: Ticket,
        name: Arc<str>,
        payload: A::Payload,
        found: Option<A::Space>,
    },
    /// Nobody joins what was found: drop it.
    GiveBack(A::Space),
    /// Answer with CONNECT_ERROR. The attempt is over.
    Refuse {
        name: Arc<str>,
        socket: Option<A::Socket>,
        refusal: Refusal,
    },
    /// Ask connect middleware, as [`auth::Output::Ask`] says; answer [`Input::Asked`]. In a namespace without a policy
    /// too.
    Ask(Question<A>),
    /// Let the socket in, as [`auth::Output::Enter`] says.
    Enter {
        socket: A::Socket,
        answer: Answer,
        expires_in: Option<Duration>,
    },
    /// The policy's machine wants something. Never one of the outputs that are told in another way here.
    Auth {
        socket: A::Socket,
        output: AuthOutput<A>,
    },
    /// Others of the connection took over what this socket held until now: answer [`Input::PassOn`] for each.
    PassOn {
        from: A::Socket,
        heirs: Vec<A::Socket>,
    },
    /// A joined socket has left. With `notifies` the client is sent DISCONNECT.
    Left {
        socket: A::Socket,
        reason: DisconnectReason,
        notifies: bool,
    },
    /// A socket that never was in is dismissed: send DISCONNECT.
    Dismiss { socket: A::Socket },
    /// A socket that never was in goes without a word: end what runs for it.
    Abandon { socket: A::Socket },
    /// Close the session.
    Close,
    /// Close the session of a client that broke a rule; before that, [`Input::Unheard`] if it will not hear at once.
    Expel,
}

/// Whether a client may be in a namespace.
pub(crate) struct Question<A: Application> {
    pub(crate) ticket: Ticket,
    pub(crate) socket: A::Socket,
    /// Zero where there is no policy, since nobody is asked about twice there.
    pub(crate) epoch: u32,
    pub(crate) grant: Option<A::Grant>,
    pub(crate) expires_in: Option<Duration>,
    /// Its CONNECT waits for the verdict.
    pub(crate) answers_connect: bool,
}

/// Why a CONNECT is refused.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// SIO5-CON-04.
    InvalidNamespace,
    TooManyNamespaces,
    /// SIO5-CON-05.
    Refused(Refused),
}

/// The packet is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotWelcome;

/// Where a packet for a namespace goes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route<S> {
    /// To the handlers of the socket.
    Deliver(Ticket, S),
    /// To the machine of the policy: the socket is not in, or it is not settled who it is.
    Held(Ticket, S),
    /// Nowhere: the packet is not allowed (SIO5-EVT-02, SIO5-CON-10).
    Violation,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// From the opening to the first namespace joined (SIO5-CON-08).
    pub(crate) connect_timeout: Duration,
    /// From the header of a binary packet to its last attachment.
    pub(crate) attachment_timeout: Duration,
    /// Namespaces joined or being joined.
    pub(crate) max_namespaces: usize,
    /// Of those, the ones being joined.
    pub(crate) max_connecting: usize,
}

/// The machine of a namespace's policy, what goes into it and what comes out.
type Machine<A> = AuthMachine<<A as Application>::Packet, <A as Application>::Grant, Refused>;
type AuthInput<A> = auth::Input<<A as Application>::Packet, <A as Application>::Grant, Refused>;
type AuthOutput<A> = auth::Output<<A as Application>::Packet, <A as Application>::Grant, Refused>;

/// Where one attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Finding,
    /// Before the answer to its CONNECT.
    Entering,
    /// Answered, but not in: two-round-trip authentication.
    Held,
    Joined,
}

struct Entry<A: Application> {
    ticket: Ticket,
    name: Arc<str>,
    phase: Phase,
    /// The client had no choice but to ask, so it is no attempt of its own.
    is_implied: bool,
    socket: Option<A::Socket>,
    auth: Option<Box<Machine<A>>>,
    /// Where its grant comes from, until it has one of its own.
    heir_of: Option<Ticket>,
    /// What it took over has changed before it was in.
    is_outdated: bool,
    /// When it first asked will be known when it comes back.
    is_remembered: bool,
}

impl<A: Application> Entry<A> {
    /// Whether its packets are for the application.
    fn delivers_at_once(&self) -> bool {
        let auth = self.auth.as_ref();
        self.phase == Phase::Joined && auth.is_none_or(|auth| auth.delivers_at_once())
    }
}

/// What is remembered of a namespace with a policy that was left, or never let the client in.
struct Guarded {
    name: Arc<str>,
    /// Coming back does not restart the deadline.
    first_connect: Moment,
    /// The policy has put a socket of this client out.
    has_dismissed: bool,
}

/// The namespaces of one connection.
///
/// ```text
///   CONNECT ─► Finding ─► Entering ──► Joined ─► left
///                 │         │    ╲        ▲
///                 ▼         ▼     ╲       │
///              refused   refused   ╰──► Held ─► left
/// ```
///
/// What happens while a client is Entering or Held, and whether it stays who it is, the machine of the policy says.
///
/// After every [`handle_input`](Self::handle_input) the caller drains [`poll_output`](Self::poll_output). Packets
/// for joined namespaces take the short way through [`route`](Self::route), which changes nothing.
pub(crate) struct Client<A: Application> {
    entries: Few<Entry<A>>,
    outputs: Queue<Output<A>>,
    opened_at: Moment,
    /// Until a namespace was joined for the first time.
    connect_by: Option<Moment>,
    attachments_by: Option<Moment>,
    /// The namespaces with a policy that the client was in, or wanted to be. While it is, the machine of the policy knows.
    #[expect(clippy::box_collection, reason = "absent from nearly all connections")]
    guarded: Option<Box<Vec<Guarded>>>,
    failed_attempts: u32,
    next_ticket: u32,
    is_closing: bool,
}

impl<A: Application> Client<A> {
    pub(crate) fn new(now: Instant, limits: &Limits) -> Self {
        Self {
            entries: Few::default(),
            outputs: Queue::default(),
            opened_at: now.into(),
            connect_by: now.checked_add(limits.connect_timeout).map(Moment::from),
            attachments_by: None,
            guarded: None,
            failed_attempts: 0,
            next_ticket: 0,
            is_closing: false,
        }
    }

    pub(crate) fn handle_input(&mut self, now: Instant, limits: &Limits, input: Input<A>) {
        match input {
            Input::Closed(reason) => return self.on_closed(now, reason),
            //= SIO5-INV-02
            Input::Unheard => return self.on_closed(now, DisconnectReason::ForcedServerClose),
            _ => {}
        }
        if self.is_closing {
            if let Input::Connect { found, .. } = input {
                self.give_back(found);
            }
            return;
        }
        self.run_timers(now);
        match input {
            Input::Connect {
                name,
                payload,
                is_implied,
                found,
            } => self.on_connect(limits, name, payload, is_implied, found),
            Input::ConnectUnknown(name) => self.outputs.push_back(Output::Refuse {
                name,
                socket: None,
                refusal: Refusal::InvalidNamespace,
            }),
            Input::Found {
                ticket,
                socket,
                gate,
            } => self.on_found(now, limits, ticket, socket, gate),
            Input::NotFound { ticket, refusal } => self.refuse(ticket, refusal),
            Input::Authenticate {
                ticket,
                presented,
                ack,
            } => {
                let failed_attempts = self.failed_attempts;
                let input = auth::Input::Authenticate {
                    presented,
                    ack,
                    failed_attempts,
                };
                self.feed_auth(now, ticket, input);
            }
            Input::Auth { ticket, input } => self.feed_auth(now, ticket, input),
            Input::Asked {
                ticket,
                epoch,
                verdict,
            } => self.on_asked(now, ticket, epoch, verdict),
            Input::PassOn { from, to, granted } => self.on_passed(now, from, to, granted),
            Input::Disconnect(name) => self.on_disconnect(now, &name),
            Input::Violation => self.expel(),
            Input::GiveUp => self.close(),
            Input::Leave { ticket } => self.on_leave(now, ticket),
            Input::LeaveAll => self.on_leave_all(now),
            Input::Closed(_) | Input::Unheard | Input::Timeout => {}
        }
        debug_assert!(self.entries.len() <= limits.max_namespaces.max(1));
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output<A>> {
        self.outputs.pop_front()
    }

    /// Whether there is anything to [`release`](Self::release).
    #[inline]
    pub(crate) fn has_memory(&self) -> bool {
        self.outputs.has_memory()
    }

    /// Uses the memory that another machine has left, for its next output.
    pub(crate) fn borrow_room(&mut self, room: Queue<Output<A>>) {
        self.outputs.borrow(room);
    }

    /// The memory of an output, for another machine; `None` if there is none, or it is in use.
    pub(crate) fn take_room(&mut self) -> Option<Queue<Output<A>>> {
        self.outputs.take_memory()
    }

    /// Gives the memory back that no output waits in.
    pub(crate) fn release(&mut self) {
        self.outputs.release();
    }

    /// When to come back with [`Input::Timeout`].
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        if self.is_closing {
            return None;
        }
        let auth = self.entries.iter().filter_map(|entry| entry.auth.as_ref());
        let own = [self.connect_by, self.attachments_by];
        auth.filter_map(|auth| auth.poll_timeout())
            .chain(own.into_iter().flatten().map(Instant::from))
            .min()
    }

    /// A binary packet, of a namespace that a custom parser does not tell, waits for its attachments from now on; until when.
    /// An error when such a packet is not allowed, so that they need not be waited for.
    pub(crate) fn await_attachments(
        &mut self,
        now: Instant,
        limits: &Limits,
        namespace: Option<&str>,
    ) -> Result<Option<Moment>, NotWelcome> {
        if namespace.is_some_and(|name| self.open_entry(name).is_none()) {
            return Err(NotWelcome);
        }
        let by = now.checked_add(limits.attachment_timeout);
        self.attachments_by = by.map(Moment::from);
        Ok(self.attachments_by)
    }

    /// The attachments have arrived.
    pub(crate) fn end_attachments(&mut self) {
        self.attachments_by = None;
    }

    /// Where an EVENT or ACK for this namespace goes.
    // Inline: as a call it takes 40 instructions more, of every event.
    #[inline]
    pub(crate) fn route(&self, name: &str) -> Route<A::Socket> {
        match self.open_entry(name) {
            Some((entry, socket)) if entry.delivers_at_once() => {
                Route::Deliver(entry.ticket, socket.clone())
            }
            Some((entry, socket)) => Route::Held(entry.ticket, socket.clone()),
            None => Route::Violation,
        }
    }

    /// The attempt that takes packets for this namespace, with its socket.
    #[inline]
    fn open_entry(&self, name: &str) -> Option<(&Entry<A>, &A::Socket)> {
        let entry = self.entries.iter().find(|entry| *entry.name == *name)?;
        let is_open = matches!(entry.phase, Phase::Joined | Phase::Held) && !self.is_closing;
        Some((entry, entry.socket.as_ref()?)).filter(|_| is_open)
    }

    /// Whether an ACK for this namespace, which is not joined, may be the answer to an `unauthorized` right behind which
    /// the policy ended the socket. The answer and the end cross on the way, and a client that acknowledges by itself
    /// must not lose its other namespaces by it.
    //= SIO5-EVT-02 exception: the client could not know yet that it is out
    pub(crate) fn may_be_late(&self, name: &str) -> bool {
        self.known_of(name).is_some_and(|known| known.has_dismissed)
    }

    /// The joined sockets, in join order.
    pub(crate) fn joined(&self) -> impl Iterator<Item = &A::Socket> {
        self.entries
            .iter()
            .filter(|entry| entry.phase == Phase::Joined)
            .filter_map(|entry| entry.socket.as_ref())
    }

    /// The sockets that are being let in.
    pub(crate) fn outside(&self) -> impl Iterator<Item = &A::Socket> {
        self.entries
            .iter()
            .filter(|entry| entry.phase != Phase::Joined)
            .filter_map(|entry| entry.socket.as_ref())
    }

    //= SIO5-CON-06
    //= SIO5-CON-11 exception: the second CONNECT closes, whatever the first is waiting for
    fn on_connect(
        &mut self,
        limits: &Limits,
        name: Arc<str>,
        payload: A::Payload,
        is_implied: bool,
        found: Option<A::Space>,
    ) {
        if self.entries.iter().any(|entry| entry.name == name) {
            self.give_back(found);
            return self.expel();
        }
        let connecting = self
            .entries
            .iter()
            .filter(|entry| entry.phase != Phase::Joined)
            .count();
        if self.entries.len() >= limits.max_namespaces || connecting >= limits.max_connecting {
            self.give_back(found);
            let refusal = Refusal::TooManyNamespaces;
            return self.outputs.push_back(Output::Refuse {
                name,
                socket: None,
                refusal,
            });
        }
        let ticket = Ticket(self.next_ticket);
        self.next_ticket = self.next_ticket.wrapping_add(1);
        self.entries.push(Entry {
            ticket,
            name: Arc::clone(&name),
            phase: Phase::Finding,
            is_implied,
            socket: None,
            auth: None,
            heir_of: None,
            is_outdated: false,
            is_remembered: false,
        });
        self.outputs.push_back(Output::Find {
            ticket,
            name,
            payload,
            found,
        });
    }

    /// Its end may have others called, and whoever feeds the machine holds a lock.
    fn give_back(&mut self, found: Option<A::Space>) {
        if let Some(found) = found {
            self.outputs.push_back(Output::GiveBack(found));
        }
    }

    fn on_found(
        &mut self,
        now: Instant,
        limits: &Limits,
        ticket: Ticket,
        socket: A::Socket,
        gate: Option<Box<Gate<A>>>,
    ) {
        let Some(entry) = self.entry_mut(ticket) else {
            return;
        };
        if entry.phase != Phase::Finding {
            return;
        }
        entry.phase = Phase::Entering;
        entry.socket = Some(socket.clone());
        let Some(gate) = gate else {
            return self.outputs.push_back(Output::Ask(Question {
                ticket,
                socket,
                epoch: 0,
                grant: None,
                expires_in: None,
                answers_connect: true,
            }));
        };
        let name = Arc::clone(&entry.name);
        let failed_attempts = self.failed_attempts;
        let known = self.known_of(&name).map(|known| known.first_connect);
        let is_remembered = known.is_some() || self.remembered() < limits.max_namespaces;
        let first_connect = match known {
            Some(at) => at.into(),
            None if is_remembered => now,
            // Whoever tries so many names is given no more time than the connection has had.
            None => self.opened_at.into(),
        };
        if let Some(entry) = self.entry_mut(ticket) {
            let machine = AuthMachine::new(gate.policy, gate.has_guests, first_connect);
            entry.auth = Some(Box::new(machine));
            entry.is_remembered = is_remembered;
        }
        let input = match gate.inherited.and_then(|grant| self.inherit(ticket, grant)) {
            Some(granted) => granted,
            None => auth::Input::Connect {
                presented: gate.presented,
                failed_attempts,
            },
        };
        self.feed_auth(now, ticket, input);
    }

    /// Lets a client in by what it holds, unless it has left there meanwhile.
    fn inherit(&mut self, ticket: Ticket, inherited: Inherited<A>) -> Option<AuthInput<A>> {
        let from = self.entry_mut(inherited.from)?;
        let machine = from.auth.as_ref().filter(|auth| auth.is_active())?;
        let credential = machine.credential().cloned();
        self.entry_mut(ticket)?.heir_of = Some(inherited.from);
        Some(auth::Input::ConnectGranted {
            credential,
            granted: inherited.granted,
        })
    }

    /// Another grant holds where those of others came from.
    fn pass_on(&mut self, from: Ticket, socket: A::Socket) {
        let heirs = self.entries.iter().filter(|e| e.heir_of == Some(from));
        let heirs: Vec<_> = heirs.filter_map(|heir| heir.socket.clone()).collect();
        if !heirs.is_empty() {
            let from = socket;
            self.outputs.push_back(Output::PassOn { from, heirs });
        }
    }

    fn on_passed(
        &mut self,
        now: Instant,
        from: Ticket,
        to: Ticket,
        granted: auth::Granted<A::Grant>,
    ) {
        let source = self.entry_mut(from).and_then(|entry| entry.auth.as_ref());
        let credential = source.and_then(|auth| auth.credential().cloned());
        let Some(heir) = self.entry_mut(to) else {
            return;
        };
        // It may have got one of its own meanwhile.
        if heir.heir_of != Some(from) {
            return;
        }
        if heir.phase != Phase::Joined {
            heir.is_outdated = true;
            return;
        }
        let input = auth::Input::Inherited {
            granted,
            credential,
        };
        self.feed_auth(now, to, input);
    }

    fn known_of(&self, name: &str) -> Option<&Guarded> {
        let mut guarded = self.guarded.iter().flat_map(|guarded| guarded.iter());
        guarded.find(|known| *known.name == *name)
    }

    /// Of how many namespaces with a policy is remembered when the client first asked, or will be.
    fn remembered(&self) -> usize {
        let guarded = self.guarded.as_ref().map_or(0, |guarded| guarded.len());
        let will_be = |e: &&Entry<A>| e.is_remembered && self.known_of(&e.name).is_none();
        guarded + self.entries.iter().filter(will_be).count()
    }

    /// Remembers of a namespace with a policy what outlives the attempt.
    fn remember(&mut self, entry: &Entry<A>) {
        let Some(auth) = entry.auth.as_ref().filter(|_| entry.is_remembered) else {
            return;
        };
        if self.known_of(&entry.name).is_none() {
            self.guarded.get_or_insert_default().push(Guarded {
                name: Arc::clone(&entry.name),
                first_connect: auth.first_connect().into(),
                has_dismissed: false,
            });
        }
    }

    fn on_asked(&mut self, now: Instant, ticket: Ticket, epoch: u32, verdict: Result<(), Refused>) {
        let Some(entry) = self.entry_mut(ticket) else {
            return;
        };
        if entry.auth.is_some() {
            return self.feed_auth(now, ticket, auth::Input::Asked { epoch, verdict });
        }
        if entry.phase != Phase::Entering {
            return;
        }
        match verdict {
            Ok(()) => self.enter(ticket, Answer::Connect, None),
            Err(refused) => self.refuse(ticket, Refusal::Refused(refused)),
        }
    }

    /// Marks the attempt as joined and puts it last in join order.
    fn enter(&mut self, ticket: Ticket, answer: Answer, expires_in: Option<Duration>) {
        let Some(mut entry) = self.entries.take(|entry| entry.ticket == ticket) else {
            return;
        };
        entry.phase = Phase::Joined;
        let socket = entry.socket.clone();
        let is_outdated = std::mem::take(&mut entry.is_outdated);
        let source = entry.heir_of.filter(|_| is_outdated);
        self.entries.push(entry);
        self.connect_by = None;
        if let Some(socket) = socket {
            self.outputs.push_back(Output::Enter {
                socket,
                answer,
                expires_in,
            });
        }
        let source = source.and_then(|source| self.entry_mut(source));
        if let Some((ticket, socket)) = source.and_then(|of| Some((of.ticket, of.socket.clone()?)))
        {
            self.pass_on(ticket, socket);
        }
    }

    //= SIO5-DIS-01
    fn on_disconnect(&mut self, now: Instant, name: &str) {
        let found = self.entries.iter().find(|entry| *entry.name == *name);
        let Some((ticket, phase)) = found.map(|entry| (entry.ticket, entry.phase)) else {
            return self.expel();
        };
        match phase {
            Phase::Joined => {
                if let Some(socket) = self.remove(now, ticket) {
                    self.outputs.push_back(Output::Left {
                        socket,
                        reason: DisconnectReason::ClientNamespaceDisconnect,
                        notifies: false,
                    });
                }
            }
            Phase::Held => {
                if let Some(socket) = self.remove(now, ticket) {
                    self.outputs.push_back(Output::Abandon { socket });
                }
            }
            Phase::Finding | Phase::Entering => self.expel(),
        }
    }

    //= SIO5-DIS-02
    fn on_leave(&mut self, now: Instant, ticket: Ticket) {
        let Some(phase) = self.entry_mut(ticket).map(|entry| entry.phase) else {
            return;
        };
        let Some(socket) = self.remove(now, ticket) else {
            return;
        };
        self.outputs.push_back(match phase {
            Phase::Joined => Output::Left {
                socket,
                reason: DisconnectReason::ServerNamespaceDisconnect,
                notifies: true,
            },
            _ => Output::Dismiss { socket },
        });
    }

    //= SIO5-DIS-03
    fn on_leave_all(&mut self, now: Instant) {
        self.leave_joined(now, DisconnectReason::ServerNamespaceDisconnect, true);
        self.close();
    }

    //= SIO5-DIS-06
    fn on_closed(&mut self, now: Instant, reason: DisconnectReason) {
        self.leave_joined(now, reason, false);
        self.is_closing = true;
    }

    fn leave_joined(&mut self, now: Instant, reason: DisconnectReason, notifies: bool) {
        for mut entry in std::mem::take(&mut self.entries) {
            let cancelled = entry.auth.as_mut().and_then(|auth| cancel(auth, now));
            let Some(socket) = entry.socket else { continue };
            if let Some(output) = cancelled {
                self.outputs.push_back(Output::Auth {
                    socket: socket.clone(),
                    output,
                });
            }
            self.outputs.push_back(match entry.phase {
                Phase::Joined => Output::Left {
                    socket,
                    reason,
                    notifies,
                },
                _ => Output::Abandon { socket },
            });
        }
    }

    fn close(&mut self) {
        self.is_closing = true;
        self.outputs.push_back(Output::Close);
    }

    fn expel(&mut self) {
        self.is_closing = true;
        self.outputs.push_back(Output::Expel);
    }

    fn refuse(&mut self, ticket: Ticket, refusal: Refusal) {
        let Some(entry) = self.take_out(ticket) else {
            return;
        };
        let is_panic =
            matches!(&refusal, Refusal::Refused(refused) if refused.is_panic_of_policy());
        self.outputs.push_back(Output::Refuse {
            name: entry.name,
            socket: entry.socket,
            refusal,
        });
        // Nobody is to try what made it panic again and again on one connection.
        if is_panic && self.entries.is_empty() {
            self.close();
        }
    }

    /// Takes an attempt out. Those that took its grant over follow where it comes from itself.
    fn take_out(&mut self, ticket: Ticket) -> Option<Entry<A>> {
        let entry = self.entries.take(|entry| entry.ticket == ticket)?;
        self.remember(&entry);
        let heirs = self
            .entries
            .iter_mut()
            .filter(|e| e.heir_of == Some(ticket));
        for heir in heirs {
            heir.heir_of = entry.heir_of;
        }
        Some(entry)
    }

    /// Forgets an attempt, and what may be under way for it.
    fn remove(&mut self, now: Instant, ticket: Ticket) -> Option<A::Socket> {
        let mut entry = self.take_out(ticket)?;
        let socket = entry.socket?;
        if let Some(output) = entry.auth.as_mut().and_then(|auth| cancel(auth, now)) {
            self.outputs.push_back(Output::Auth {
                socket: socket.clone(),
                output,
            });
        }
        Some(socket)
    }

    fn feed_auth(&mut self, now: Instant, ticket: Ticket, input: AuthInput<A>) {
        let Some(auth) = self
            .entry_mut(ticket)
            .and_then(|entry| entry.auth.as_deref_mut())
        else {
            return;
        };
        auth.handle_input(now, input);
        while let Some(output) = self
            .entry_mut(ticket)
            .and_then(|entry| entry.auth.as_mut()?.poll_output())
        {
            self.on_auth_output(now, ticket, output);
        }
    }

    fn on_auth_output(&mut self, now: Instant, ticket: Ticket, output: AuthOutput<A>) {
        let Some(entry) = self.entry_mut(ticket) else {
            return;
        };
        let Some(socket) = entry.socket.clone() else {
            return;
        };
        match output {
            auth::Output::RefuseConnect(refused) => {
                return self.refuse(ticket, Refusal::Refused(refused));
            }
            auth::Output::AttemptFailed if entry.is_implied && entry.phase == Phase::Entering => {
                return;
            }
            auth::Output::AttemptFailed => {
                self.failed_attempts = self.failed_attempts.saturating_add(1);
                return;
            }
            auth::Output::Ask {
                epoch,
                grant,
                expires_in,
            } => {
                let answers_connect = entry.phase == Phase::Entering;
                return self.outputs.push_back(Output::Ask(Question {
                    ticket,
                    socket,
                    epoch,
                    grant,
                    expires_in,
                    answers_connect,
                }));
            }
            auth::Output::Enter { answer, expires_in } => {
                return self.enter(ticket, answer, expires_in);
            }
            auth::Output::Disconnect => return self.dismiss(ticket, socket),
            auth::Output::CloseConnection => return self.close(),
            auth::Output::ExpireConnection => return self.expire(now, ticket),
            auth::Output::ReplaceGrant { .. }
            | auth::Output::Become {
                change: Change::Login | Change::Switch,
                ..
            } => {
                let from = socket.clone();
                self.outputs.push_back(Output::Auth { socket, output });
                return self.pass_on(ticket, from);
            }
            // The client has presented something for this very namespace.
            auth::Output::Authenticated { .. } => entry.heir_of = None,
            auth::Output::AcceptConnect => {
                entry.phase = Phase::Held;
                // Its own deadline bounds the wait from here.
                self.connect_by = None;
            }
            _ => {}
        }
        self.outputs.push_back(Output::Auth { socket, output });
    }

    /// The connection closes because of the end of a grant. Whose grant ends as well hears so in its own namespace first.
    fn expire(&mut self, now: Instant, ticket: Ticket) {
        if self.is_closing {
            return;
        }
        self.is_closing = true;
        let others = self.entries.iter().filter(|entry| entry.ticket != ticket);
        for other in others.map(|entry| entry.ticket).collect::<Vec<_>>() {
            self.feed_auth(now, other, auth::Input::ConnectionExpires);
        }
        self.outputs.push_back(Output::Close);
    }

    /// A policy puts its socket out; the connection goes too when nothing else is joined or pending.
    fn dismiss(&mut self, ticket: Ticket, socket: A::Socket) {
        let Some(entry) = self.take_out(ticket) else {
            return;
        };
        let mut guarded = self
            .guarded
            .iter_mut()
            .flat_map(|guarded| guarded.iter_mut());
        if let Some(known) = guarded.find(|known| known.name == entry.name) {
            known.has_dismissed = true;
        }
        self.outputs.push_back(match entry.phase {
            Phase::Joined => Output::Left {
                socket,
                reason: DisconnectReason::ServerNamespaceDisconnect,
                notifies: true,
            },
            _ => Output::Dismiss { socket },
        });
        if self.entries.is_empty() {
            self.close();
        }
    }

    fn run_timers(&mut self, now: Instant) {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let own = [self.connect_by, self.attachments_by];
        if own.into_iter().any(|by| due(by.map(Instant::from))) {
            return self.close();
        }
        let is_due = |entry: &&Entry<A>| {
            let auth = entry.auth.as_ref();
            auth.is_some_and(|auth| due(auth.poll_timeout()))
        };
        let tickets: Vec<Ticket> = self
            .entries
            .iter()
            .filter(is_due)
            .map(|e| e.ticket)
            .collect();
        for ticket in tickets {
            self.feed_auth(now, ticket, auth::Input::Timeout);
        }
    }

    fn entry_mut(&mut self, ticket: Ticket) -> Option<&mut Entry<A>> {
        self.entries.iter_mut().find(|entry| entry.ticket == ticket)
    }
}

/// Tells a policy's machine that its client has left; the one thing it may still want is an end to what is under way.
fn cancel<M: auth::QueuedPacket, G>(
    machine: &mut AuthMachine<M, G, Refused>,
    now: Instant,
) -> Option<auth::Output<M, G, Refused>> {
    machine.handle_input(now, auth::Input::Left);
    let mut cancelled = None;
    while let Some(output) = machine.poll_output() {
        if matches!(output, auth::Output::Cancel { .. }) {
            cancelled = Some(output);
        }
    }
    cancelled
}
