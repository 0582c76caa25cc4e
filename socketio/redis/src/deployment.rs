//! Where Redis is: one server, a cluster, one that a sentinel names, or wherever the application says.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::AsyncPushSender;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo,
    ProtocolVersion, RedisError, Value,
};
use socketio::auth::BoxFuture;

use crate::connect::{self, Connection};
use crate::error::{Failure, InvalidUrl};
use crate::slots::{Node, Slots, Topology};

/// How long the application may take to say where Redis is.
const RESOLVE_LIMIT: Duration = Duration::from_secs(10);

/// How long a sentinel may take, before the next is asked.
const SENTINEL_LIMIT: Duration = Duration::from_secs(1);

type Resolver = dyn Fn() -> BoxFuture<'static, Result<String, Failure>> + Send + Sync;

/// Where Redis is. The address of one server, `redis://[user:password@]host[:port][/database]`, is one; so adapters take a
/// text as well.
///
/// ```
/// # fn choose() -> Result<(), Box<dyn std::error::Error>> {
/// use socketio_redis::{Deployment, RedisAdapter};
///
/// let one = RedisAdapter::sharded("redis://localhost")?;
/// let cluster = Deployment::cluster(["redis://10.0.0.1:7000", "redis://10.0.0.2:7000"])?;
/// let several = RedisAdapter::sharded(cluster)?;
/// let watched = Deployment::sentinel("redis://mymaster", ["redis://10.0.0.1:26379", "redis://10.0.0.2:26379"])?;
/// let whichever = RedisAdapter::classic(watched)?;
/// # Ok(()) }
/// # choose().unwrap();
/// ```
#[derive(Clone)]
pub struct Deployment(Way);

#[derive(Clone)]
enum Way {
    Standalone(Client),
    /// All servers take the same user and the same encryption as the first.
    Cluster(Arc<[Client]>),
    Sentinel {
        master: ConnectionInfo,
        name: String,
        sentinels: Arc<[Client]>,
    },
    Resolved(Arc<Resolver>),
}

impl Deployment {
    /// One server.
    ///
    /// # Errors
    ///
    /// The address is none. Whether somebody is there is not asked yet.
    pub fn standalone(url: &str) -> Result<Self, InvalidUrl> {
        Ok(Self(Way::Standalone(client(url)?)))
    }

    /// A Redis Cluster, by the addresses of some of its servers: those tell of the others, by the addresses that they announce. User,
    /// password and encryption are those of the first address, for all servers.
    ///
    /// # Errors
    ///
    /// There is no address, or one that is none. Whether somebody is there is not asked yet.
    pub fn cluster<U: AsRef<str>>(urls: impl IntoIterator<Item = U>) -> Result<Self, InvalidUrl> {
        Ok(Self(Way::Cluster(clients(urls)?)))
    }

    /// The master that Redis Sentinel names, asked each time a connection is made. `url` is the master's address with its
    /// name in place of the host, `redis://[user:password@]name[/database]`; `sentinels` are the addresses of those to ask, one after
    /// the other until one knows, for at most 1 s each. A user who may `+role` is not sent to the master of yesterday.
    ///
    /// # Errors
    ///
    /// There is no sentinel, or an address is none. Whether somebody is there is not asked yet.
    pub fn sentinel<U: AsRef<str>>(
        url: &str,
        sentinels: impl IntoIterator<Item = U>,
    ) -> Result<Self, InvalidUrl> {
        let master = client(url)?.get_connection_info().clone();
        let name = match master.addr() {
            ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => host.clone(),
            _ => return Err(invalid("a master has a name")),
        };
        Ok(Self(Way::Sentinel {
            master,
            name,
            sentinels: clients(sentinels)?,
        }))
    }

    /// The server whose address the application says each time a connection is made, so that passwords and
    /// servers may change. It may take 10 s. An error is told and the question asked again, as when a server is not there.
    ///
    /// ```
    /// # use socketio_redis::Deployment;
    /// let deployment = Deployment::resolved_by(|| async {
    ///     let password = std::fs::read_to_string("/run/secrets/redis")?;
    ///     Ok(format!("redis://chat:{}@redis.internal", password.trim()))
    /// });
    /// ```
    #[must_use]
    pub fn resolved_by<R, F>(resolve: R) -> Self
    where
        R: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<String, Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        Self(Way::Resolved(Arc::new(move || Box::pin(resolve()))))
    }

    /// What is known before anybody was asked.
    pub(crate) fn topology(&self) -> Topology {
        match &self.0 {
            Way::Cluster(_) => Topology::Cluster(Slots::default()),
            Way::Standalone(_) | Way::Sentinel { .. } | Way::Resolved(_) => Topology::Sole,
        }
    }

    /// Whom to ask for the others of a cluster.
    pub(crate) fn seeds(&self) -> Vec<Node> {
        let Way::Cluster(seeds) = &self.0 else {
            return Vec::new();
        };
        let seeds = seeds.iter().map(|seed| seed.get_connection_info().addr());
        let seeds = seeds.filter_map(|address| match address {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                Some(Node::At(host.as_str().into(), *port))
            }
            _ => None,
        });
        seeds.collect()
    }

    /// A connection to a server that hears nothing by itself, and over which Redis may take so much longer to answer.
    pub(crate) async fn connect(
        &self,
        node: &Node,
        longer: Duration,
    ) -> Result<Connection, Failure> {
        self.make(node, &connect::config(longer)).await
    }

    /// A connection over which a server says things by itself.
    pub(crate) async fn hear(
        &self,
        node: &Node,
        pushes: impl AsyncPushSender,
    ) -> Result<Connection, Failure> {
        let config = connect::config(Duration::ZERO).set_push_sender(pushes);
        self.make(node, &config).await
    }

    async fn make(
        &self,
        node: &Node,
        config: &AsyncConnectionConfig,
    ) -> Result<Connection, Failure> {
        let client = self.client(node).await?;
        let mut connection = connect::to(&client, config).await?;
        self.check(&mut connection).await?;
        Ok(connection)
    }

    /// How a server is reached, now.
    async fn client(&self, node: &Node) -> Result<Client, Failure> {
        match (&self.0, node) {
            (Way::Standalone(client), _) => Ok(client.clone()),
            (Way::Cluster(seeds), Node::At(host, port)) => {
                let first = seeds.first().ok_or("a cluster without addresses")?;
                Ok(at(first.get_connection_info(), host, *port)?)
            }
            (Way::Cluster(_), Node::Sole) => Err("a cluster has several servers".into()),
            (
                Way::Sentinel {
                    master,
                    name,
                    sentinels,
                },
                _,
            ) => {
                let (host, port) = ask_sentinels(name, sentinels).await?;
                Ok(at(master, &host, port)?)
            }
            (Way::Resolved(resolve), _) => {
                let resolved = tokio::time::timeout(RESOLVE_LIMIT, resolve()).await;
                let url = resolved.map_err(|_| "the application did not say where Redis is")??;
                Ok(client(&url)?)
            }
        }
    }

    /// Whether a connection is to whom it should be: a sentinel may name a master of yesterday.
    async fn check(&self, connection: &mut Connection) -> Result<(), Failure> {
        if !matches!(self.0, Way::Sentinel { .. }) {
            return Ok(());
        }
        let role = connection.send_packed_command(&redis::cmd("ROLE")).await?;
        let role = match &role {
            Value::Array(role) => role.first().and_then(connect::text),
            _ => None,
        };
        match role {
            // Who may not ask takes the sentinel's word.
            None | Some("master") => Ok(()),
            Some(_) => Err("the server that the sentinel names is no master".into()),
        }
    }
}

/// The master's address by the first sentinel that knows.
async fn ask_sentinels(name: &str, sentinels: &[Client]) -> Result<(String, u16), Failure> {
    let mut last = Failure::from("there is no sentinel");
    for sentinel in sentinels {
        match tokio::time::timeout(SENTINEL_LIMIT, ask_sentinel(name, sentinel)).await {
            Ok(Ok(address)) => return Ok(address),
            Ok(Err(error)) => last = error,
            Err(_) => last = "a sentinel does not answer".into(),
        }
    }
    Err(last)
}

async fn ask_sentinel(name: &str, sentinel: &Client) -> Result<(String, u16), Failure> {
    let mut connection = connect::to(sentinel, &connect::config(Duration::ZERO)).await?;
    let mut question = redis::cmd("SENTINEL");
    question.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
    let answer = connection.send_packed_command(&question).await?;
    let address = match &answer {
        Value::Array(address) => match &**address {
            [host, port] => connect::text(host).zip(connect::text(port)),
            _ => None,
        },
        _ => None,
    };
    let (host, port) = address.ok_or_else(|| format!("the sentinel knows no master {name:?}"))?;
    Ok((host.to_owned(), port.parse()?))
}

/// A client that speaks RESP3, over which one connection is told of what it subscribes and answers questions as well.
fn client(url: &str) -> Result<Client, InvalidUrl> {
    let info = url.into_connection_info().map_err(InvalidUrl)?;
    let settings = info.redis_settings().clone();
    let info = info.set_redis_settings(settings.set_protocol(ProtocolVersion::RESP3));
    Client::open(info).map_err(InvalidUrl)
}

fn clients<U: AsRef<str>>(urls: impl IntoIterator<Item = U>) -> Result<Arc<[Client]>, InvalidUrl> {
    let clients = urls.into_iter().map(|url| client(url.as_ref()));
    let clients: Arc<[_]> = clients.collect::<Result<_, _>>()?;
    if clients.is_empty() {
        return Err(invalid("there is no address"));
    }
    Ok(clients)
}

fn invalid(why: &'static str) -> InvalidUrl {
    InvalidUrl(RedisError::from((ErrorKind::InvalidClientConfig, why)))
}

/// The same, elsewhere.
fn at(info: &ConnectionInfo, host: &str, port: u16) -> Result<Client, RedisError> {
    let address = match info.addr() {
        ConnectionAddr::TcpTls {
            insecure,
            tls_params,
            ..
        } => ConnectionAddr::TcpTls {
            host: host.to_owned(),
            port,
            insecure: *insecure,
            tls_params: tls_params.clone(),
        },
        _ => ConnectionAddr::Tcp(host.to_owned(), port),
    };
    Client::open(info.clone().set_addr(address))
}

impl fmt::Debug for Deployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = |client: &Client| client.get_connection_info().addr().to_string();
        let addresses = |clients: &[Client]| clients.iter().map(address).collect::<Vec<_>>();
        // Passwords are nobody's business.
        match &self.0 {
            Way::Standalone(client) => f.debug_tuple("Standalone").field(&address(client)).finish(),
            Way::Cluster(seeds) => f.debug_tuple("Cluster").field(&addresses(seeds)).finish(),
            Way::Sentinel {
                name, sentinels, ..
            } => f
                .debug_tuple("Sentinel")
                .field(name)
                .field(&addresses(sentinels))
                .finish(),
            Way::Resolved(_) => f.debug_tuple("Resolved").finish_non_exhaustive(),
        }
    }
}

impl TryFrom<&str> for Deployment {
    type Error = InvalidUrl;

    fn try_from(url: &str) -> Result<Self, InvalidUrl> {
        Self::standalone(url)
    }
}

impl TryFrom<&String> for Deployment {
    type Error = InvalidUrl;

    fn try_from(url: &String) -> Result<Self, InvalidUrl> {
        Self::standalone(url)
    }
}

impl TryFrom<String> for Deployment {
    type Error = InvalidUrl;

    fn try_from(url: String) -> Result<Self, InvalidUrl> {
        Self::standalone(&url)
    }
}

impl From<Infallible> for InvalidUrl {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_none_is_refused() {
        let none: [&str; 0] = [];
        assert!(Deployment::standalone("http://localhost").is_err());
        assert!(Deployment::cluster(none).is_err());
        assert!(Deployment::cluster(["redis://a", "localhost"]).is_err());
        assert!(Deployment::sentinel("redis://mymaster", none).is_err());
        assert!(Deployment::sentinel("mymaster", ["redis://a"]).is_err());
        assert!(Deployment::standalone("redis://localhost:6379/2").is_ok());
    }

    #[tokio::test]
    async fn all_servers_of_a_cluster_take_the_same_user() {
        let urls = ["redis://chat:secret@a:1", "redis://b:2"];
        let cluster = Deployment::cluster(urls).unwrap();
        assert_eq!(
            cluster.seeds(),
            [Node::At("a".into(), 1), Node::At("b".into(), 2)]
        );
        let client = cluster.client(&Node::At("c".into(), 3)).await.unwrap();
        let info = client.get_connection_info();
        assert_eq!(info.addr().to_string(), "c:3");
        assert_eq!(info.redis_settings().username(), Some("chat"));
        assert!(!format!("{cluster:?}").contains("secret"));
    }

    #[tokio::test]
    async fn the_application_is_asked_each_time() {
        let asked = std::sync::atomic::AtomicU16::new(7000);
        let deployment = Deployment::resolved_by(move || {
            let port = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            std::future::ready(Ok(format!("redis://localhost:{port}")))
        });
        for port in ["localhost:7000", "localhost:7001"] {
            let client = deployment.client(&Node::Sole).await.unwrap();
            assert_eq!(client.get_connection_info().addr().to_string(), port);
        }
    }
}
