//! What the server keeps of one connection: the pure machine behind a lock, and what it asks for.

use std::borrow::Cow;
use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde_json::Value;
use socketio_auth::{
    Extract,
    server::{Moment, Queue, QueuedPacket, lenient_json},
};
use tokio::runtime::Handle;

use super::candidate::Accepted;
use super::core::Core;
use super::directory::Lease;
use super::handshake::Handshake;
use super::inbox::{Call, Inbox};
use super::server::Server;
use super::space::Space;
use crate::atomic::{AtomicBool, AtomicU32, Ordering};
use crate::codec::Decoder;
use crate::codec::packet::Packet;
use crate::lock::Lock;
use crate::proto::client;
use crate::proto::client::{Application, Input, Output};
use crate::proto::inbox::CallRoom;
use crate::running::Panicked;

/// The application of the engine, and the types of the pure machine.
pub(crate) struct Shell {
    pub(crate) server: Arc<Server>,
}

impl Application for Shell {
    type Socket = Arc<Core>;
    type Space = Lease<Space>;
    type Payload = Payload;
    // Boxed since it is large, and inputs and outputs are moved more often than it is made.
    type Packet = Box<HeldPacket>;
    type Grant = Accepted;
}

/// What came with a CONNECT.
#[derive(Default)]
pub(crate) struct Payload {
    pub(crate) auth: Option<Auth>,
    pub(crate) size: usize,
}

/// The auth object.
pub(crate) enum Auth {
    /// As it came, for most policies look at one field of it.
    Text(Box<str>),
    Value(Value),
}

impl Payload {
    pub(crate) fn value(&self) -> Option<Cow<'_, Value>> {
        match self.auth.as_ref()? {
            Auth::Text(text) => lenient_json::from_str(text).ok().map(Cow::Owned),
            Auth::Value(value) => Some(Cow::Borrowed(value)),
        }
    }

    pub(crate) fn into_value(self) -> Option<Value> {
        match self.auth? {
            Auth::Text(text) => lenient_json::from_str(&text).ok(),
            Auth::Value(value) => Some(value),
        }
    }
}

/// A packet that waits for a verdict, or for its turn.
pub(crate) struct HeldPacket {
    pub(crate) packet: Packet<'static>,
}

/// What an allocator adds to an allocation, with the counts of what is shared.
const OVERHEAD: usize = 16;

impl HeldPacket {
    pub(crate) fn new(packet: Packet<'static>) -> Box<Self> {
        Box::new(Self { packet })
    }

    /// The memory that it takes.
    pub(crate) fn resident_bytes(&self) -> usize {
        let namespace = match self.packet.namespace() {
            "/" => 0,
            name => name.len() + OVERHEAD,
        };
        let name = self.packet.name().map_or(0, |name| name.len() + OVERHEAD);
        let args = self.packet.args().kept_bytes() + OVERHEAD;
        size_of::<Self>() + OVERHEAD + namespace + name + args
    }
}

impl QueuedPacket for Box<HeldPacket> {
    fn size_bytes(&self) -> usize {
        self.resident_bytes()
    }
}

pub(crate) type Machine = client::Client<Shell>;

/// What the engine keeps for each connection.
pub(crate) struct Client {
    pub(crate) server: Arc<Server>,
    /// Where its handlers run, whichever thread has them called.
    pub(crate) runtime: Handle,
    pub(crate) handshake: Handshake,
    /// A packet waits in the decoder. Only messages change it, and they come one after the other.
    pub(crate) is_waiting: AtomicBool,
    /// How many answers of this client are awaited, over all its sockets. What stops the reading looks here under the
    /// lock of the state, and who awaits the first one takes that lock afterwards: one of the two sees the other.
    pub(crate) awaited: AtomicU32,
    pub(crate) state: Lock<State>,
}

/// What the opening request presented to one policy.
pub(crate) struct Presented {
    pub(crate) policy: usize,
    pub(crate) found: Result<Extract, Panicked>,
    /// It authenticated, so later requests may not present another.
    pub(crate) is_bound: bool,
}

pub(crate) struct State {
    /// Keeps the packet that waits for its attachments.
    pub(crate) decoder: Decoder,
    pub(crate) machine: Machine,
    pub(crate) inputs: Queue<Input<Shell>>,
    pub(crate) is_pumping: bool,
    pub(crate) inbox: Inbox,
    /// What the opening request presented to each policy.
    pub(crate) presented: Box<[Presented]>,
    /// How far ahead of the pace of events the client is.
    pub(crate) paid_until: Option<Moment>,
    /// When the engine is to wake the machine.
    pub(crate) wake_at: Option<Moment>,
}

thread_local! {
    /// The memory of an output, an input and a call, which go from connection to connection: a client that comes and goes
    /// needs most of them twice, and a place in the allocator costs it 200 instructions each time. Idle connections keep none.
    static OUTPUT_ROOM: Cell<Queue<Output<Shell>>> = const { Cell::new(Queue::new()) };
    static INPUT_ROOM: Cell<Queue<Input<Shell>>> = const { Cell::new(Queue::new()) };
    static CALL_ROOM: Cell<CallRoom<Call>> = const { Cell::new(CallRoom::new()) };
}

impl State {
    /// Ends the calls behind an event, as nearly always: nothing else came up, and no memory is to be given back. False
    /// when it has to be looked at closely.
    #[inline]
    pub(crate) fn end_calls_quietly(&mut self) -> bool {
        !self.inputs.has_memory() && !self.machine.has_memory() && self.inbox.end_quietly()
    }

    /// Has room for an output before the machine makes one.
    #[inline]
    pub(crate) fn make_output_room(&mut self) {
        if !self.machine.has_memory() {
            self.machine
                .borrow_room(OUTPUT_ROOM.try_with(Cell::take).unwrap_or_default());
        }
    }

    /// Leaves an input for whoever feeds the machine.
    pub(crate) fn push_input(&mut self, input: Input<Shell>) {
        if !self.inputs.has_memory() {
            self.inputs
                .borrow(INPUT_ROOM.try_with(Cell::take).unwrap_or_default());
        }
        self.inputs.push_back(input);
    }

    /// Leaves a call for whoever has the right to make it.
    pub(crate) fn push_call(&mut self, call: Call) {
        if self.inbox.needs_call_room() {
            self.inbox
                .borrow_call_room(CALL_ROOM.try_with(Cell::take).unwrap_or_default());
        }
        self.inbox.push(call);
    }

    /// Gives the memory back that nothing waits in.
    pub(crate) fn release(&mut self) {
        // A thread that ends may have no place for it any more.
        if let Some(room) = self.machine.take_room() {
            let _ = OUTPUT_ROOM.try_with(|kept| kept.set(room));
        }
        if let Some(room) = self.inputs.take_memory() {
            let _ = INPUT_ROOM.try_with(|kept| kept.set(room));
        }
        if let Some(room) = self.inbox.take_call_room() {
            let _ = CALL_ROOM.try_with(|kept| kept.set(room));
        }
        self.inputs.release();
        self.machine.release();
        self.inbox.release();
    }
}

impl Shell {
    pub(crate) fn new(server: Arc<Server>) -> Self {
        Self { server }
    }
}

impl Client {
    /// The address that the bounds count.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        own_address(self.handshake.peer())
    }

    /// True while an answer of this client is awaited.
    pub(crate) fn is_awaited(&self) -> bool {
        self.awaited.load(Ordering::Relaxed) > 0
    }

    /// The sockets that are not in yet.
    pub(crate) fn outside(&self) -> Vec<Arc<Core>> {
        self.state.lock().machine.outside().cloned().collect()
    }

    pub(crate) fn joined(&self) -> Vec<Arc<Core>> {
        self.state.lock().machine.joined().cloned().collect()
    }
}

pub(crate) fn own_address(peer: Option<SocketAddr>) -> Option<IpAddr> {
    peer.map(|peer| peer.ip().to_canonical())
}
