mod faults;
mod links;
mod questions;
mod recovery;
mod revocation;
mod seam;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socketio_auth::BoxFuture;

use crate::cluster::{
    Adapter, AdapterError, ClusterHandle, ClusterMessage, LocalAdapter, LocalBus, Membership,
    ServerCount,
};
use crate::testing::TestClient;
use crate::tests::sid_of;
use crate::{Namespace, SocketIo, SocketIoBuilder};

/// What goes wrong on the way to the bus.
#[derive(Clone, Default)]
struct Fault(Arc<Mutex<Kind>>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    None,
    /// Every message goes out twice, and comes back to its sender.
    Twice,
    /// Every message goes out twice, without its number.
    TwiceUnnumbered,
    /// Nothing goes out.
    Fails,
    /// Publishing never ends.
    Hangs,
    Panics,
}

impl Fault {
    fn set(&self, kind: Kind) {
        *self.0.lock().unwrap() = kind;
    }

    fn kind(&self) -> Kind {
        *self.0.lock().unwrap()
    }
}

/// A bus that things go wrong on.
struct Faulty {
    inner: LocalAdapter,
    fault: Fault,
    own: Mutex<Option<ClusterHandle>>,
    count: Option<Arc<AtomicUsize>>,
}

impl Adapter for Faulty {
    fn start(&self, server: ClusterHandle) -> BoxFuture<'_, Result<(), AdapterError>> {
        *self.own.lock().unwrap() = Some(server.clone());
        self.inner.start(server)
    }

    fn publish(&self, mut message: ClusterMessage) -> BoxFuture<'_, Result<(), AdapterError>> {
        let kind = self.fault.kind();
        match kind {
            Kind::None => return self.inner.publish(message),
            Kind::Fails => return Box::pin(async { Err(AdapterError::bus("cut")) }),
            Kind::Hangs => return Box::pin(std::future::pending()),
            Kind::Panics => panic!("the adapter panics"),
            Kind::Twice => {}
            Kind::TwiceUnnumbered => message.number = None,
        }
        if let Some(own) = &*self.own.lock().unwrap() {
            own.deliver(message.clone());
        }
        Box::pin(async move {
            self.inner.publish(message.clone()).await?;
            self.inner.publish(message).await
        })
    }

    fn membership(&self) -> Membership {
        match self.count {
            Some(_) => Membership::Counted,
            None => Membership::default(),
        }
    }

    fn server_count(&self, _: &str) -> BoxFuture<'_, Result<ServerCount, AdapterError>> {
        let count = self
            .count
            .as_ref()
            .map(|count| count.load(Ordering::SeqCst));
        Box::pin(async move {
            match count {
                Some(0) | None => Err(AdapterError::bus("nobody can be counted")),
                Some(count) => Ok(ServerCount::Exactly(count)),
            }
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), AdapterError>> {
        self.inner.close()
    }
}

/// Servers on one bus.
struct World {
    bus: LocalBus,
    fault: Fault,
    errors: Arc<Mutex<Vec<String>>>,
    count: Option<Arc<AtomicUsize>>,
}

impl World {
    fn new() -> Self {
        Self {
            bus: LocalBus::new(),
            fault: Fault::default(),
            errors: Arc::default(),
            count: None,
        }
    }

    /// One whose adapters count the servers.
    fn counting(servers: usize) -> Self {
        Self {
            count: Some(Arc::new(AtomicUsize::new(servers))),
            ..Self::new()
        }
    }

    fn builder(&self) -> SocketIoBuilder {
        let adapter = Faulty {
            inner: self.bus.adapter(),
            fault: self.fault.clone(),
            own: Mutex::default(),
            count: self.count.clone(),
        };
        let errors = Arc::clone(&self.errors);
        SocketIo::builder()
            .adapter(adapter)
            .on_adapter_error(move |error| errors.lock().unwrap().push(error.to_string()))
    }

    fn server(&self) -> Server {
        Server::new(self.builder().build().unwrap())
    }

    fn errors(&self) -> Vec<String> {
        std::mem::take(&mut self.errors.lock().unwrap())
    }
}

/// A server with its main namespace, which acknowledges nothing by itself.
struct Server {
    io: SocketIo,
    space: Namespace<()>,
}

impl Server {
    fn new(io: SocketIo) -> Self {
        let space = io
            .namespace("/")
            .on("done", |socket, (): ()| async move {
                let _ = socket.emit("done", &());
            })
            .share_data(|socket| socket.rooms().len())
            .open()
            .unwrap();
        Self { io, space }
    }

    /// A client, and the id of its socket.
    async fn client(&self) -> (TestClient, String) {
        let mut client = TestClient::open(&self.io).await;
        let sid = sid_of(&client.join("/").await);
        (client, sid)
    }

    /// Returns once it knows that there are so many.
    async fn knows(&self, servers: usize) {
        let count = async || self.space.server_count().await.unwrap();
        until(async || count().await.get() == servers).await;
        while !count().await.is_exact() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Servers that know each other.
async fn servers<const N: usize>(world: &World) -> [Server; N] {
    let servers = std::array::from_fn(|_| world.server());
    for server in &servers {
        server.knows(N).await;
    }
    servers
}

/// Lets everything else run until it is so.
async fn until(is_so: impl AsyncFn() -> bool) {
    for _ in 0..10_000 {
        if is_so().await {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it never came about");
}

/// Lets what is on its way arrive.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// What a client has received so far.
async fn received(client: &mut TestClient) -> Vec<String> {
    settle().await;
    client.send(r#"42["done"]"#).await;
    let mut texts = Vec::new();
    loop {
        match client.next_text().await {
            text if text == r#"42["done"]"# => return texts,
            text => texts.push(text),
        }
    }
}
