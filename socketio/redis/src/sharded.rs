//! The sharded adapter: `SPUBLISH`, a channel for each namespace and for each room.

use std::time::Duration;

use socketio::Room;
use socketio::auth::BoxFuture;
use socketio::cluster::wire::envelope::{Channels, Encoding};
use socketio::cluster::{
    Adapter, AdapterError, ClusterBody, ClusterHandle, ClusterMessage, Membership, Scope,
    ServerCount, ServerId, WantedRooms,
};

use crate::common::{Common, Envelopes, is_heartbeat};
use crate::deployment::Deployment;
use crate::shared::{QueueLimits, Reach};
use crate::subscriptions::{Kind, Subscription};

/// How many letters a socket id has, by which the reference tells it from other rooms.
//= SHD-04
const ID_LETTERS: usize = 20;

/// Which rooms have channels of their own. All servers of a cluster need the same.
//= SHD-03
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomChannels {
    /// Those that sockets join; what is for one socket goes to all servers.
    #[default]
    Dynamic,
    /// Those, and the room of each single socket.
    DynamicPrivate,
    /// None: every server hears every broadcast.
    Static,
}

impl RoomChannels {
    fn has(self, nsp: &str, room: &str) -> bool {
        match self {
            Self::Static => false,
            Self::DynamicPrivate => true,
            Self::Dynamic => !is_private(nsp, room),
        }
    }
}

/// True for rooms that the subscribers of the reference take for those of single sockets. Those of old clients have the
/// namespace in front, for which its publishers do not look.
//= SHD-04
fn is_private(nsp: &str, room: &str) -> bool {
    let of_old_client = room
        .strip_prefix(nsp)
        .is_some_and(|rest| rest.starts_with('#'));
    of_old_client || room.encode_utf16().count() == ID_LETTERS
}

/// Speaks with `@socket.io/redis-adapter`, `createShardedAdapter`. Redis 7 or later is needed.
#[derive(Debug)]
#[must_use = "a server is given it by its builder"]
pub struct Sharded {
    common: Common<Envelopes>,
    channels: Channels,
    room_channels: RoomChannels,
}

impl Sharded {
    pub(crate) fn new(deployment: Deployment) -> Self {
        Self {
            common: Common::new(deployment, Reach::All),
            channels: Channels::new("socket.io"),
            room_channels: RoomChannels::default(),
        }
    }

    /// What the names of all channels begin with, `socket.io` by default; the reference calls it `channelPrefix`. All servers of
    /// a cluster need the same.
    //= SHD-01
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.channels = Channels::new(prefix);
        self
    }

    /// Which rooms have channels of their own; the reference calls it `subscriptionMode`.
    pub fn room_channels(mut self, rooms: RoomChannels) -> Self {
        self.room_channels = rooms;
        self
    }

    /// For how long after a lost connection a number of servers that is lower than before is doubted; 5 s by default. Set it to
    /// the time limit of questions to the cluster.
    //= RDS-07
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.common.request_timeout = timeout;
        self
    }

    /// How many messages may wait to be published while Redis is away, and how many bytes they may have; 8,192 and 64 MiB by
    /// default. One more is not published, which [`on_adapter_error`](socketio::SocketIoBuilder::on_adapter_error) is told.
    pub fn max_waiting(mut self, messages: usize, bytes: usize) -> Self {
        self.common.limits = QueueLimits { messages, bytes };
        self
    }

    fn channel(&self, message: &ClusterMessage) -> String {
        let Some(nsp) = message.scope.name() else {
            return self.channels.server();
        };
        //= CLA-09
        if let Some(to) = message.to.as_ref().filter(|to| !to.is_anonymous()) {
            return self.channels.inner(nsp, to.as_str());
        }
        //= SHD-03
        match &message.body {
            ClusterBody::Broadcast {
                opts,
                request_id: None,
                ..
            } => match &*opts.rooms {
                [room] if self.room_channels.has(nsp, room.as_str()) => {
                    self.channels.inner(nsp, room.as_str())
                }
                _ => self.channels.main(nsp),
            },
            _ => self.channels.main(nsp),
        }
    }

    fn say(&self, message: ClusterMessage) -> Result<(), AdapterError> {
        //= SHD-05
        if is_heartbeat(&message.body) {
            return Ok(());
        }
        let channel = self.channel(&message);
        let encoding = Encoding::JsonUnlessBinary;
        let link = &self.common.running()?.link;
        link.publish_envelope("SPUBLISH", channel, message, encoding)
    }

    fn subscriptions(&self, nsp: &str, own: &ServerId) -> [Subscription; 2] {
        [
            self.channels.main(nsp),
            self.channels.inner(nsp, own.as_str()),
        ]
        .map(|name| Subscription::new(Kind::Sharded, name))
    }
}

impl Adapter for Sharded {
    fn start(&self, server: ClusterHandle) -> BoxFuture<'_, Result<(), AdapterError>> {
        let routes = Envelopes::default();
        let everywhere = Subscription::new(Kind::Sharded, self.channels.server());
        routes.open(&everywhere, Scope::Server);
        let started = self.common.start(&server, routes, everywhere, |_| {});
        Box::pin(async { started })
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), AdapterError>> {
        Box::pin(self.common.ready())
    }

    fn publish(&self, message: ClusterMessage) -> BoxFuture<'_, Result<(), AdapterError>> {
        let said = self.say(message);
        Box::pin(async { said })
    }

    fn open_namespace(&self, nsp: &str) -> BoxFuture<'_, Result<(), AdapterError>> {
        let opened = self.common.running().map(|running| {
            let subscriptions = self.subscriptions(nsp, &running.own);
            for subscription in &subscriptions {
                running.routes.open(subscription, Scope::namespace(nsp));
            }
            running.link.subscribe(subscriptions)
        });
        Box::pin(async { opened?.await })
    }

    fn close_namespace(&self, nsp: &str) -> BoxFuture<'_, Result<(), AdapterError>> {
        let closed = self.common.running().map(|running| {
            let closed = running.routes.close_all(nsp).into_iter();
            let closed = closed.map(|name| Subscription::new(Kind::Sharded, name));
            running.link.give_up(closed);
            running.link.forget_count(&self.channels.main(nsp));
        });
        Box::pin(async { closed })
    }

    fn wanted_rooms(&self) -> WantedRooms {
        match self.room_channels {
            RoomChannels::Dynamic => WantedRooms::Joined,
            RoomChannels::DynamicPrivate => WantedRooms::All,
            RoomChannels::Static => WantedRooms::None,
        }
    }

    fn room_changed(&self, nsp: &str, room: &Room, is_open: bool) {
        let Ok(running) = self.common.running() else {
            return;
        };
        if !self.room_channels.has(nsp, room.as_str()) {
            return;
        }
        let name = self.channels.inner(nsp, room.as_str());
        let subscription = Subscription::new(Kind::Sharded, name);
        if is_open {
            running.routes.open(&subscription, Scope::namespace(nsp));
            running.link.want([subscription]);
        } else {
            running.routes.close(&subscription.name);
            running.link.give_up([subscription]);
        }
    }

    fn membership(&self) -> Membership {
        Membership::Counted
    }

    fn server_count(&self, nsp: &str) -> BoxFuture<'_, Result<ServerCount, AdapterError>> {
        let counted = self.common.running().map(|running| {
            let counted = Subscription::new(Kind::Sharded, self.channels.main(nsp));
            let belonging = self.subscriptions(nsp, &running.own);
            let grace = self.common.request_timeout;
            running.link.count(counted, belonging, grace)
        });
        Box::pin(async { counted?.await })
    }

    /// The common format has no such question.
    fn asks_rooms(&self) -> bool {
        false
    }

    fn close(&self) -> BoxFuture<'_, Result<(), AdapterError>> {
        Box::pin(self.common.close())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_rooms_have_channels() {
        use RoomChannels::{Dynamic, DynamicPrivate, Static};
        let id = "cd5ZahABnRHpzlgRAAAA";
        for (mode, room, has) in [
            (Dynamic, "room", true),
            (Dynamic, id, false),
            // 20 letters in JavaScript
            (Dynamic, "😀😀😀😀😀😀😀😀😀😀", false),
            (Dynamic, "/admin#cd5ZahABnRHpzlgRAAAA", false),
            (Dynamic, "/admin", true),
            (DynamicPrivate, id, true),
            (Static, "room", false),
        ] {
            assert_eq!(mode.has("/admin", room), has, "{mode:?} {room}");
        }
    }
}
