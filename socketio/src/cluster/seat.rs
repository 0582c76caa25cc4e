//! One namespace's machine, behind its lock.

use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::adapter::WantedRooms;
use super::error::AdapterError;
use super::link::Cluster;
use super::log::LogRead;
use crate::clock::now;
use crate::codec::{OwnedArgs, RawArgs};
use crate::id::SocketId;
use crate::lock::Lock;
use crate::proto::cluster::entrance::{self, Entrance};
use crate::proto::cluster::entry::EntryId;
use crate::proto::cluster::message::{ClusterBody, ClusterMessage, RequestId, Scope, ServerId};
use crate::proto::cluster::node::{Input, Node, Output};
use crate::proto::cluster::requests::ServerCount;
use crate::proto::cluster::room_changes::RoomChanges;
use crate::proto::room::Room;
use crate::running::{Guarded, guard};

/// What comes back to a question. No more comes than the machine lets through, so the channel is bounded by its bounds.
pub(crate) enum Heard {
    Answer(ServerId, ClusterBody),
    /// So many clients went with their server before they had answered.
    Lost(u64),
    /// The question was not asked.
    Failed(AdapterError),
    /// It was, and of how many is not known.
    Uncounted(AdapterError),
}

/// Who waits for the answers to a question.
pub(super) type Waiter = mpsc::UnboundedSender<Heard>;

/// A namespace's seat in the cluster.
pub(crate) struct Seat {
    pub(crate) cluster: Arc<Cluster>,
    nsp: Arc<str>,
    pub(super) node: Lock<Node<Waiter>>,
    entrance: Lock<Entrance<oneshot::Sender<()>>>,
    /// What the adapter is to be told of rooms.
    rooms: Lock<RoomChanges>,
}

impl Seat {
    pub(crate) fn new(cluster: &Arc<Cluster>, nsp: &Arc<str>) -> Self {
        let node = Node::new(
            now(),
            cluster.uid.clone(),
            Scope::Namespace(Arc::clone(nsp)),
            cluster.rhythm,
            cluster.settings.max_requests,
            cluster.first_number(),
        );
        Self {
            cluster: Arc::clone(cluster),
            nsp: Arc::clone(nsp),
            node: Lock::new(node),
            entrance: Lock::new(Entrance::new(now(), cluster.settings.ready_timeout)),
            rooms: Lock::new(RoomChanges::default()),
        }
    }

    /// Takes the namespace into the cluster.
    pub(crate) fn open(self: &Arc<Self>) {
        let (cluster, nsp) = (Arc::clone(&self.cluster), Arc::clone(&self.nsp));
        // It may be closed again before the adapter is done.
        let opening = Opening(Arc::downgrade(self));
        self.cluster.open_in_order(async move {
            cluster.adapter.open_namespace(&nsp).await?;
            if let Some(seat) = opening.0.upgrade() {
                seat.tell_bus(|is_connected| Input::Opened { is_connected });
            }
            drop(opening);
            Ok(())
        });
    }

    /// Lets a client in: `None` if nothing is to be waited for, else what resolves when it may come in.
    pub(crate) fn enter(
        self: &Arc<Self>,
    ) -> Option<impl Future<Output = ()> + Send + 'static + use<>> {
        if self.entrance.lock().is_open() {
            return None;
        }
        let (waiter, mut entered) = oneshot::channel();
        let is_connected = self.cluster.is_connected();
        self.feed_entrance(entrance::Input::Enter {
            waiter,
            is_connected,
        });
        if entered.try_recv().is_ok() {
            return None;
        }
        let seat = Arc::clone(self);
        let until = self.entrance.lock().poll_timeout();
        Some(async move {
            let Some(until) = until else { return };
            if tokio::time::timeout_at(until.into(), entered)
                .await
                .is_err()
            {
                seat.feed_entrance(entrance::Input::Timeout);
            }
        })
    }

    /// The bus was lost, or is back.
    pub(crate) fn bus_changed(self: &Arc<Self>) {
        self.tell_bus(|is_connected| Input::Bus { is_connected });
        if !self.cluster.is_connected() {
            self.feed_entrance(entrance::Input::Lost);
        }
    }

    /// Tells the machine how the bus is. That is looked up with the machine held, so what it was told last is right.
    fn tell_bus(self: &Arc<Self>, input: fn(bool) -> Input) {
        let (outputs, end) = {
            let mut node = self.node.lock();
            node.handle_input(now(), input(self.cluster.is_connected()));
            let outputs: Vec<_> = std::iter::from_fn(|| node.poll_output()).collect();
            (outputs, node.introduction_ends())
        };
        // Nobody has asked for anything.
        self.run(outputs, |_, _| {});
        let Some(end) = end else { return };
        let seat = Arc::downgrade(self);
        self.cluster.tasks.spawn(async move {
            tokio::time::sleep_until(end.into()).await;
            if let Some(seat) = seat.upgrade() {
                seat.feed(Input::Timeout, |_, _| {});
            }
        });
    }

    fn feed_entrance(&self, input: entrance::Input<oneshot::Sender<()>>) {
        let outputs: Vec<_> = {
            let mut entrance = self.entrance.lock();
            entrance.handle_input(now(), input);
            std::iter::from_fn(|| entrance.poll_output()).collect()
        };
        for output in outputs {
            match output {
                // The client may be gone.
                entrance::Output::LetIn(waiter) => {
                    let _ = waiter.send(());
                }
                entrance::Output::TooLate => self.cluster.report(&AdapterError::TimedOut),
            }
        }
    }

    /// Takes it out of the cluster.
    pub(crate) fn close(&self) {
        let farewell = self.farewell();
        let (cluster, nsp) = (Arc::clone(&self.cluster), Arc::clone(&self.nsp));
        self.cluster.publish(farewell);
        // At once, and not when that was published: the next of the same name may be opened meanwhile.
        self.cluster
            .publish_in_order(async move { cluster.adapter.close_namespace(&nsp).await });
    }

    /// Its last words.
    pub(crate) fn farewell(&self) -> ClusterMessage {
        self.stamp(ClusterBody::AdapterClose)
    }

    /// Tells the other servers something.
    pub(crate) fn publish(&self, body: ClusterBody) {
        let message = self.stamp(body);
        self.cluster.publish(message);
    }

    /// The same of an event that is kept: own clients get it when it is read back, or by `miss` if that will not be.
    pub(crate) fn publish_kept(&self, body: ClusterBody, miss: impl FnOnce() + Send + 'static) {
        let message = self.stamp(body);
        self.cluster.publish_kept(message, miss);
    }

    /// The log is heard from elsewhere on.
    pub(crate) fn begin_log(&self) {
        self.node.lock().begin_log();
    }

    /// Whether all is known that was written behind an entry.
    pub(crate) fn knows_from(&self, entry: EntryId) -> bool {
        self.node.lock().knows_from(entry)
    }

    /// Notes what was written, as `read` has it, where nothing behind `passed` has gone by. False if it has to be read again.
    pub(crate) fn note_written(
        &self,
        from: EntryId,
        read: &LogRead,
        passed: impl FnOnce() -> EntryId,
    ) -> bool {
        let entries = read.entries.iter();
        let entries = entries.filter_map(|(id, message)| {
            let number = message.number.filter(|_| message.uid.is_server())?;
            Some((*id, &message.uid, number))
        });
        let mut node = self.node.lock();
        node.note_written((from, read.end, passed()), entries)
    }

    /// Answers the server that asked.
    pub(crate) fn answer(&self, asker: &ServerId, body: ClusterBody) {
        let message = self.node.lock().answer(now(), asker, body);
        self.cluster.publish(message);
    }

    /// Answers it with what a handler says; of several arguments the first (CLA-04).
    pub(crate) fn answer_event(&self, asker: &ServerId, request_id: RequestId, args: RawArgs<'_>) {
        let packet = first_of(args);
        self.answer(
            asker,
            ClusterBody::ServerSideEmitResponse { request_id, packet },
        );
    }

    /// A room that sockets join has come or gone. `is_open` says which it is when the adapter is told, outside its lock.
    pub(crate) fn joined_room_changed(
        &self,
        room: &Room,
        is_open: impl Fn(&Room, WantedRooms) -> bool,
    ) {
        if self.cluster.wanted_rooms != WantedRooms::None {
            self.room_changed(room, is_open);
        }
    }

    /// The same of the room of a socket's own id.
    pub(crate) fn own_room_changed(
        &self,
        id: &SocketId,
        is_open: impl Fn(&Room, WantedRooms) -> bool,
    ) {
        if self.cluster.wanted_rooms == WantedRooms::All {
            self.room_changed(&Room::from(id), is_open);
        }
    }

    fn room_changed(&self, room: &Room, is_open: impl Fn(&Room, WantedRooms) -> bool) {
        if !self.rooms.lock().mark(room) {
            return;
        }
        // Who marks meanwhile leaves the telling to this thread, which looks at the rooms behind each mark.
        loop {
            let Some(rooms) = self.rooms.lock().take() else {
                return;
            };
            for room in rooms {
                let is_open = is_open(&room, self.cluster.wanted_rooms);
                let adapter = &self.cluster.adapter;
                if guard(|| adapter.room_changed(&self.nsp, &room, is_open)).is_err() {
                    self.cluster.report(&AdapterError::Panicked);
                }
            }
        }
    }

    fn stamp(&self, body: ClusterBody) -> ClusterMessage {
        self.node.lock().publish(now(), body)
    }

    /// Feeds the machine, and does what it says; `apply` does what another server wants of the namespace.
    pub(crate) fn feed(&self, input: Input, apply: impl Fn(ServerId, ClusterBody)) {
        let outputs: Vec<_> = {
            let mut node = self.node.lock();
            node.handle_input(now(), input);
            std::iter::from_fn(|| node.poll_output()).collect()
        };
        self.run(outputs, apply);
    }

    fn run(&self, outputs: Vec<Output<Waiter>>, apply: impl Fn(ServerId, ClusterBody)) {
        for output in outputs {
            match output {
                Output::Publish(message) => self.cluster.publish(message),
                Output::Apply { from, body } => apply(from, body),
                // Whoever asked may have stopped waiting.
                Output::Answer { waiter, from, body } => {
                    let _ = waiter.send(Heard::Answer(from, body));
                }
                Output::Lost { waiter, acks } => {
                    let _ = waiter.send(Heard::Lost(acks));
                }
                Output::Complete(waiter) => drop(waiter),
            }
        }
    }

    pub(crate) fn request_timeout(&self) -> Duration {
        self.cluster.settings.request_timeout
    }

    /// How many servers have the namespace open, as far as can be known.
    pub(crate) async fn server_count(self: &Arc<Self>) -> Result<ServerCount, AdapterError> {
        if self.cluster.rhythm.is_some() {
            return Ok(self.node.lock().server_count(now()));
        }
        let seat = Arc::clone(self);
        let counting = Guarded(Box::pin(async move { seat.adapter_count().await }));
        match tokio::time::timeout(self.request_timeout(), counting).await {
            Ok(counted) => counted.unwrap_or(Err(AdapterError::Panicked)),
            Err(_) => Err(AdapterError::TimedOut),
        }
    }

    /// The same as the adapter says it.
    pub(super) async fn adapter_count(&self) -> Result<ServerCount, AdapterError> {
        self.cluster.adapter.server_count(&self.nsp).await
    }
}

/// A namespace that the adapter opens. Clients may come in behind that, whatever came of it.
struct Opening(Weak<Seat>);

impl Drop for Opening {
    fn drop(&mut self) {
        if let Some(seat) = self.0.upgrade() {
            seat.feed_entrance(entrance::Input::Settled);
        }
    }
}

/// The first argument, or none.
pub(crate) fn first_of(args: RawArgs<'_>) -> OwnedArgs {
    args.get(0).unwrap_or(args).to_owned()
}
