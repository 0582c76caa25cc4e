//! The classic adapter: `PUBLISH`, one pattern and three channels for each namespace.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use socketio::auth::BoxFuture;
use socketio::cluster::wire::Ignored;
use socketio::cluster::wire::classic::{self, Channel, Channels};
use socketio::cluster::{
    Adapter, AdapterError, ClusterHandle, ClusterMessage, Membership, ServerCount, ServerId,
};

use crate::common::Common;
use crate::deployment::Deployment;
use crate::shared::{Ears, QueueLimits, Reach};
use crate::subscriptions::{Kind, Subscription};

/// Speaks with `@socket.io/redis-adapter`, `createAdapter`, and with the emitter.
#[derive(Debug)]
#[must_use = "a server is given it by its builder"]
pub struct Classic {
    common: Common<Routes>,
    channels: Channels,
    answers_directly: bool,
}

impl Classic {
    pub(crate) fn new(deployment: Deployment) -> Self {
        Self {
            common: Common::new(deployment, Reach::Any),
            channels: Channels::new("socket.io"),
            answers_directly: false,
        }
    }

    /// What the names of all channels begin with, `socket.io` by default; the reference calls it `key`. All servers of a cluster
    /// need the same.
    //= RED-CH-01
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.channels = Channels::new(prefix);
        self
    }

    /// Whether answers go to the asker's own channel, and not to one that all servers hear; false by default, as with the
    /// reference, which calls it `publishOnSpecificResponseChannel`. Servers of any setting understand each other.
    //= RED-RQ-01
    pub fn answer_directly(mut self, directly: bool) -> Self {
        self.answers_directly = directly;
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

    fn subscriptions(&self, nsp: &str, own: &ServerId) -> [(Subscription, Role); 4] {
        let named = |channel| Subscription::new(Kind::Channel, self.channels.name(nsp, channel));
        let pattern = self.channels.pattern(nsp);
        [
            (Subscription::new(Kind::Pattern, pattern), Role::Broadcast),
            (named(Channel::Request), Role::Request),
            (named(Channel::Response), Role::Response),
            (named(Channel::ResponseTo(own.as_str())), Role::Response),
        ]
    }

    fn say(&self, message: &mut ClusterMessage) -> Result<(), AdapterError> {
        let running = self.common.running()?;
        // Redis repeats nothing.
        message.number = None;
        let outgoing = classic::encode(message).map_err(AdapterError::Encode)?;
        let Some(outgoing) = outgoing else {
            return Ok(());
        };
        //= RED-RQ-01
        let channel = match (&outgoing.channel, &message.to) {
            (Channel::Response, Some(to)) if self.answers_directly && !to.is_anonymous() => {
                Channel::ResponseTo(to.as_str())
            }
            (channel, _) => *channel,
        };
        let nsp = message.scope.name().unwrap_or_default();
        let channel = self.channels.name(nsp, channel);
        running.link.publish("PUBLISH", channel, outgoing.payload)
    }
}

impl Adapter for Classic {
    fn start(&self, server: ClusterHandle) -> BoxFuture<'_, Result<(), AdapterError>> {
        let routes = Routes::new(server.server_id());
        let name = self.channels.name("", Channel::Server);
        let everywhere = Subscription::new(Kind::Channel, name);
        routes.open(&everywhere, "", Role::Server);
        let started = self.common.start(&server, routes, everywhere, |_| {});
        Box::pin(async { started })
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), AdapterError>> {
        Box::pin(self.common.ready())
    }

    fn publish(&self, mut message: ClusterMessage) -> BoxFuture<'_, Result<(), AdapterError>> {
        let said = self.say(&mut message);
        Box::pin(async { said })
    }

    fn open_namespace(&self, nsp: &str) -> BoxFuture<'_, Result<(), AdapterError>> {
        let opened = self.common.running().map(|running| {
            let subscriptions = self.subscriptions(nsp, &running.own);
            for (subscription, role) in &subscriptions {
                running.routes.open(subscription, nsp, *role);
            }
            running
                .link
                .subscribe(subscriptions.map(|(subscription, _)| subscription))
        });
        Box::pin(async { opened?.await })
    }

    //= RED-CH-06
    fn close_namespace(&self, nsp: &str) -> BoxFuture<'_, Result<(), AdapterError>> {
        let closed = self.common.running().map(|running| {
            let subscriptions = self.subscriptions(nsp, &running.own);
            for (subscription, _) in &subscriptions {
                running.routes.close(subscription);
            }
            running
                .link
                .give_up(subscriptions.map(|(subscription, _)| subscription));
            let counted = self.channels.name(nsp, Channel::Request);
            running.link.forget_count(&counted);
        });
        Box::pin(async { closed })
    }

    fn membership(&self) -> Membership {
        Membership::Counted
    }

    //= RED-CH-03
    fn server_count(&self, nsp: &str) -> BoxFuture<'_, Result<ServerCount, AdapterError>> {
        let counted = self.common.running().map(|running| {
            let counted =
                Subscription::new(Kind::Channel, self.channels.name(nsp, Channel::Request));
            let belonging = self
                .subscriptions(nsp, &running.own)
                .map(|(subscription, _)| subscription);
            let grace = self.common.request_timeout;
            running.link.count(counted, belonging, grace)
        });
        Box::pin(async { counted?.await })
    }

    /// The reference answers with the rooms of single sockets among the others, and which those are cannot be told.
    //= RED-RQ-07
    fn asks_rooms(&self) -> bool {
        false
    }

    fn close(&self) -> BoxFuture<'_, Result<(), AdapterError>> {
        Box::pin(self.common.close())
    }
}

/// What is said on a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Broadcast,
    Request,
    Response,
    Server,
}

/// Which channel or pattern belongs to which namespace.
#[derive(Debug)]
struct Routes {
    table: RwLock<HashMap<String, (Role, Arc<str>)>>,
    /// How the server's own broadcasts begin.
    own: Vec<u8>,
}

impl Routes {
    fn new(own: &ServerId) -> Self {
        // An array of three elements, the first a text of up to 31 bytes, as 16 digits are.
        let mut begins = vec![0x93];
        let id = own.as_str().as_bytes();
        begins.extend(u8::try_from(id.len()).ok().map(|len| 0xa0 | len));
        begins.extend_from_slice(id);
        Self {
            table: RwLock::default(),
            own: begins,
        }
    }

    fn open(&self, subscription: &Subscription, nsp: &str, role: Role) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        table.insert(subscription.name.clone(), (role, nsp.into()));
    }

    fn close(&self, subscription: &Subscription) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        table.remove(&subscription.name);
    }

    fn find(&self, subscribed: &str) -> Option<(Role, Arc<str>)> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.get(subscribed).cloned()
    }
}

impl Ears for Routes {
    fn read(
        &self,
        pattern: Option<&str>,
        channel: &str,
        payload: &[u8],
    ) -> Option<Result<ClusterMessage, Ignored>> {
        let (role, nsp) = self.find(pattern.unwrap_or(channel))?;
        Some(match role {
            Role::Broadcast if payload.starts_with(&self.own) => return None,
            Role::Broadcast => classic::decode_broadcast(payload, &nsp),
            Role::Request => classic::decode_request(payload, &nsp),
            Role::Response => classic::decode_response(payload, &nsp),
            Role::Server => classic::decode_server(payload),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_depends_on_the_channel() {
        let own = ServerId::new("0123456789abcdef");
        let routes = Routes::new(&own);
        let pattern = Subscription::new(Kind::Pattern, "p#/#*");
        routes.open(&pattern, "/", Role::Broadcast);
        let read = |channel| routes.read(Some("p#/#*"), channel, &[0xc1]);
        assert_eq!(read("p#/#r#").unwrap().unwrap_err(), Ignored::Malformed);
        assert!(
            routes.read(None, "p#/#r#", &[0xc1]).is_none(),
            "not subscribed so"
        );
        assert!(
            routes
                .read(Some("p#/#*"), "p#/#", b"\x93\xb00123456789abcdef\xc1")
                .is_none()
        );
        routes.close(&pattern);
        assert!(routes.read(Some("p#/#*"), "p#/#", &[0xc1]).is_none());
    }
}
