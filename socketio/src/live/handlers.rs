//! The handlers of a namespace, with their types erased, and the right to acknowledge an event.

use std::any::TypeId;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;
use socketio_auth::Subject;
use socketio_auth::server::ErasedIdentity;

use super::candidate::Candidate;
use super::core::Core;
use super::matcher::Pattern;
use super::space::Space;
use crate::atomic::{AtomicBool, Ordering};
use crate::cluster::log::SharedSession;
use crate::cluster::seat::Seat;
use crate::codec::{ArgsError, OwnedArgs, RawArgs};
use crate::error::{ConnectError, DisconnectReason};
use crate::event::{ChangeKind, Event, Invalid};
use crate::proto::cluster::message::{RequestId, ServerId};
use crate::proto::rooms::RoomEvent;

/// A running handler.
pub(crate) type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Serialize)]
pub(crate) struct Failure<E> {
    pub(crate) error: E,
}

/// The right to acknowledge one event. At most one acknowledgement leaves, whoever holds a clone.
#[derive(Clone)]
#[expect(unnameable_types, reason = "only a sealed trait shows it")]
pub struct AckSender {
    asker: Asker,
    /// Shared when several handlers run for the event.
    is_spent: Option<Arc<AtomicBool>>,
}

/// Who asked for an acknowledgement.
#[derive(Clone)]
enum Asker {
    Client {
        socket: Arc<Core>,
        id: u64,
    },
    /// In a box, for it is rare.
    Server(Box<ServerAsker>),
}

/// The server that asked.
#[derive(Clone)]
struct ServerAsker {
    seat: Arc<Seat>,
    server: ServerId,
    request: RequestId,
}

impl AckSender {
    /// The answer to another server of the cluster.
    pub(crate) fn to_server(seat: Arc<Seat>, server: ServerId, request: RequestId) -> Self {
        Self {
            asker: Asker::Server(Box::new(ServerAsker {
                seat,
                server,
                request,
            })),
            is_spent: Some(Arc::new(AtomicBool::new(false))),
        }
    }

    pub(crate) fn new(socket: Arc<Core>, id: u64, is_shared: bool) -> Self {
        Self {
            asker: Asker::Client { socket, id },
            is_spent: is_shared.then(|| Arc::new(AtomicBool::new(false))),
        }
    }

    /// Sends the acknowledgement, unless one was sent or the socket has left (SIO5-ACK-01).
    pub(crate) fn send<A: Serialize + ?Sized>(self, args: &A) {
        let is_first = self
            .is_spent
            .as_ref()
            .is_none_or(|spent| !spent.swap(true, Ordering::AcqRel));
        if !is_first {
            return;
        }
        match self.asker {
            Asker::Client { socket, id } => socket.acknowledge(id, args),
            Asker::Server(asker) => {
                let ServerAsker {
                    seat,
                    server,
                    request,
                } = *asker;
                // An answer that cannot be serialized is none; the other server's time limit ends the wait.
                if let Ok(args) = OwnedArgs::new(args) {
                    seat.answer_event(&server, request, args.as_raw());
                }
            }
        }
    }

    /// Acknowledges with an error of ours.
    pub(crate) fn fail(self, error: &str) {
        self.send(&Failure { error });
    }
}

impl fmt::Debug for AckSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.asker {
            Asker::Client { id, .. } => write!(f, "AckSender({id})"),
            Asker::Server(asker) => write!(f, "AckSender({:?})", asker.request),
        }
    }
}

/// An event handler, whatever its types.
pub(crate) trait EventHandler: Send + Sync {
    /// Reads the arguments, starts the handler and polls it at once; what is returned waits for something.
    // The error is in a box, for it is rare, and large to be handed on by each event.
    fn start(
        &self,
        socket: &Arc<Core>,
        args: RawArgs<'_>,
        ack: Option<AckSender>,
    ) -> Result<Option<Running>, Box<ArgsError>>;
}

/// A handler of events of other servers, whatever its types.
pub(crate) trait ServerHandler: Send + Sync {
    /// Reads the arguments and starts the handler.
    fn start(
        &self,
        space: &Arc<Space>,
        args: RawArgs<'_>,
        ack: Option<AckSender>,
    ) -> Result<Running, ArgsError>;
}

/// A connect handler, whatever its types.
pub(crate) trait ConnectHandler: Send + Sync {
    fn start(&self, socket: &Arc<Core>) -> Running;
}

/// Who a socket was and who it is, whatever their type.
pub(crate) struct Changed {
    pub(crate) before: ErasedIdentity,
    pub(crate) after: ErasedIdentity,
    pub(crate) kind: ChangeKind,
}

/// A handler of changes of the holder, whatever its types.
pub(crate) trait ChangeHandler: Send + Sync {
    fn start(&self, socket: &Arc<Core>, changed: &Changed) -> Running;
}

/// Connect middleware that runs.
pub(crate) type Admission = Pin<Box<dyn Future<Output = Result<(), ConnectError>> + Send>>;

/// Connect middleware, whatever its types.
pub(crate) trait Middleware: Send + Sync {
    /// Asks about a socket, or about whom it is to become.
    fn start(&self, socket: &Arc<Core>, candidate: Option<&Arc<Candidate>>) -> Admission;
}

/// A disconnect handler, whatever its types.
pub(crate) trait DisconnectHandler: Send + Sync {
    fn start(&self, socket: &Arc<Core>, reason: DisconnectReason) -> Running;
}

/// Event middleware that runs.
pub(crate) type Filtering = Pin<Box<dyn Future<Output = Option<Event>> + Send>>;

/// Event middleware, whatever its types.
pub(crate) trait Filter: Send + Sync {
    fn start(&self, socket: &Arc<Core>, event: Event) -> Filtering;
}

/// A handler of events that have none of their own, whatever its types.
pub(crate) trait FallbackHandler: Send + Sync {
    fn start(&self, socket: &Arc<Core>, event: Event, ack: Option<AckSender>) -> Running;
}

/// A hook that looks at an event.
pub(crate) type EventHook = Box<dyn Fn(&Arc<Core>, &str, RawArgs<'_>) + Send + Sync>;

/// A hook that hears of what cannot be handled.
pub(crate) type InvalidHook = Box<dyn Fn(&Arc<Core>, Invalid<'_>) + Send + Sync>;

/// A hook that hears of rooms.
pub(crate) type RoomHook = Box<dyn Fn(RoomEvent<'_>) + Send + Sync>;

/// A hook that hears of a slow client, of one that has caught up, or of one that moved to another transport.
pub(crate) type SocketHook = Box<dyn Fn(&Arc<Core>) + Send + Sync>;

/// A hook that is called and done.
pub(crate) type Hook = Box<dyn Fn(&Arc<Core>, DisconnectReason) + Send + Sync>;

/// What is told of a socket to whoever fetches it.
pub(crate) type ShareHook = Box<dyn Fn(&Arc<Core>) -> serde_json::Value + Send + Sync>;

/// Whether a session that names nobody goes to a subject.
pub(crate) type AdoptHook = Box<dyn Fn(&Subject, &SharedSession) -> bool + Send + Sync>;

/// The handlers of one event.
struct Named {
    name: Box<str>,
    handlers: Vec<Box<dyn EventHandler>>,
}

/// All the handlers of a namespace. They belong to it, so that a connection costs no memory for them.
#[derive(Default)]
pub(crate) struct Handlers {
    /// The type of the identities of its sockets.
    pub(crate) identity: Option<TypeId>,
    /// What the names of its set of dynamic namespaces look like.
    pub(crate) pattern: Option<Arc<Pattern>>,
    /// How events are sent unless a call says otherwise.
    pub(crate) options: engineio::SendOptions,
    /// In the order of [`place_of`](Self::place_of).
    events: Vec<Named>,
    /// Of each of them.
    keys: Vec<EventKey>,
    /// Asked one after the other.
    pub(crate) middleware: Vec<Box<dyn Middleware>>,
    pub(crate) connect: Vec<Box<dyn ConnectHandler>>,
    pub(crate) change: Vec<Box<dyn ChangeHandler>>,
    /// Asked one after the other before an event's handlers are.
    pub(crate) filters: Vec<Box<dyn Filter>>,
    pub(crate) any: Vec<EventHook>,
    pub(crate) any_outgoing: Vec<EventHook>,
    pub(crate) fallback: Option<Box<dyn FallbackHandler>>,
    pub(crate) invalid: Vec<InvalidHook>,
    pub(crate) room: Vec<RoomHook>,
    pub(crate) slow: Vec<SocketHook>,
    pub(crate) drained: Vec<SocketHook>,
    pub(crate) upgraded: Vec<SocketHook>,
    pub(crate) disconnecting: Vec<Hook>,
    pub(crate) disconnect: Vec<Box<dyn DisconnectHandler>>,
    /// Those of events of other servers, by name, in the order in which they were added.
    pub(crate) server_side: Vec<(Box<str>, Box<dyn ServerHandler>)>,
    pub(crate) share_data: Option<ShareHook>,
    pub(crate) adopts_session: Option<AdoptHook>,
}

impl Handlers {
    /// Whether hooks or middleware see every event.
    #[inline]
    pub(crate) fn is_event_watched(&self) -> bool {
        !self.any.is_empty() || !self.filters.is_empty()
    }

    /// Whether somebody handles events of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.place_of(name).is_ok()
    }

    pub(crate) fn add_event(&mut self, name: &str, handler: Box<dyn EventHandler>) {
        let place = self.place_of(name);
        match place.map(|found| self.events.get_mut(found)) {
            Ok(Some(event)) => event.handlers.push(handler),
            Ok(None) => {}
            Err(place) => {
                self.keys.insert(place, EventKey::of(name));
                self.events.insert(
                    place,
                    Named {
                        name: name.into(),
                        handlers: vec![handler],
                    },
                );
            }
        }
    }

    /// The handlers of an event.
    #[inline]
    pub(crate) fn of_event(&self, name: &str) -> &[Box<dyn EventHandler>] {
        self.place_of(name)
            .ok()
            .and_then(|found| self.events.get(found))
            .map_or(&[], |event| &event.handlers)
    }

    /// Where the handlers of an event are, or belong: in the order of their keys, then of their names. A search among
    /// numbers takes half of the instructions of one among names, which are then compared only where keys are equal.
    #[inline]
    fn place_of(&self, name: &str) -> Result<usize, usize> {
        let key = EventKey::of(name);
        let mut place = match self.keys.len() {
            // A loop of three instructions beats halving.
            ..=FEW_EVENTS => self.keys.iter().take_while(|known| **known < key).count(),
            _ => self.keys.partition_point(|known| *known < key),
        };
        while self.keys.get(place) == Some(&key) {
            let found = self.events.get(place).map_or("", |event| &event.name);
            // A short name is all in the key.
            let is_before = name.len() > EventKey::FRONT_BYTES && *found < *name;
            if !is_before {
                let is_found = name.len() <= EventKey::FRONT_BYTES || *found == *name;
                return if is_found { Ok(place) } else { Err(place) };
            }
            place += 1;
        }
        Err(place)
    }
}

/// So many events are looked through one by one.
const FEW_EVENTS: usize = 16;

/// The length of an event's name, up to 255, and its first seven bytes: most names are told apart by it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct EventKey(u64);

impl EventKey {
    const FRONT_BYTES: usize = 7;

    #[inline]
    fn of(name: &str) -> Self {
        let bytes = name.as_bytes();
        let len = u64::from(u8::try_from(bytes.len()).unwrap_or(u8::MAX));
        let front = match (bytes.first_chunk(), bytes.first_chunk(), bytes.last_chunk()) {
            (Some(eight), _, _) => u64::from_le_bytes(*eight),
            // Two halves, which overlap where there are less than eight bytes: no loop over them.
            (None, Some(first), Some(last)) => {
                let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
                u64::from(first) | u64::from(last) << (8 * (len - 4))
            }
            _ => bytes
                .iter()
                .rev()
                .fold(0, |front, &byte| front << 8 | u64::from(byte)),
        };
        // The eighth byte has no place beside the length.
        Self(front << 8 | len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;

    impl EventHandler for Nobody {
        fn start(
            &self,
            _: &Arc<Core>,
            _: RawArgs<'_>,
            _: Option<AckSender>,
        ) -> Result<Option<Running>, Box<ArgsError>> {
            Ok(None)
        }
    }

    #[test]
    fn every_event_has_its_own_handlers_whatever_their_names_have_in_common() {
        let mut names: Vec<String> = (0..40).map(|len| "x".repeat(len)).collect();
        names.extend(["exactly-a", "exactly-b", "exactly-", "a", "b", "ab"].map(str::to_owned));
        names.extend(["y", "z"].map(|last| format!("{}{last}", "x".repeat(299))));
        for backwards in [false, true] {
            let mut handlers = Handlers::default();
            let mut added = names.clone();
            if backwards {
                added.reverse();
            }
            for (index, name) in added.iter().enumerate() {
                assert!(!handlers.has(name), "{name}");
                for _ in 0..=index {
                    handlers.add_event(name, Box::new(Nobody));
                }
            }
            for (index, name) in added.iter().enumerate() {
                assert_eq!(handlers.of_event(name).len(), index + 1, "{name}");
            }
            for unknown in ["exactly-c", "c", &"x".repeat(300), "yxxxxxxxx"] {
                assert!(!handlers.has(unknown), "{unknown}");
            }
        }
    }

    #[test]
    fn a_key_is_the_length_and_the_first_seven_bytes_of_a_name() {
        let long = "x".repeat(300);
        for name in [
            "",
            "a",
            "ab",
            "abc",
            "abcd",
            "abcdef",
            "abcdefg",
            "abcdefgh",
            "abcdefghi",
            &long,
        ] {
            let mut bytes = [0; 8];
            bytes[0] = u8::try_from(name.len()).unwrap_or(u8::MAX);
            for (place, byte) in bytes[1..].iter_mut().zip(name.bytes()) {
                *place = byte;
            }
            assert_eq!(EventKey::of(name).0, u64::from_le_bytes(bytes), "{name}");
        }
    }
}
