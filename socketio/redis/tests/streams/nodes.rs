//! Servers on the streams adapter, with recovery, and their clients.

use std::sync::Arc;

use socketio::cluster::{Adapter as _, AdapterError, SharedLog};
use socketio::testing::TestClient;
use socketio::{Namespace, SocketIo};
use socketio_redis::{RedisAdapter, Refused};
use tokio::sync::mpsc;

pub(crate) struct Server {
    pub(crate) io: SocketIo,
    pub(crate) here: Namespace<()>,
    log: Arc<dyn SharedLog>,
    /// The commands that were refused.
    pub(crate) told: mpsc::UnboundedReceiver<String>,
}

impl Server {
    pub(crate) fn new(url: &str) -> Self {
        let (telling, told) = mpsc::unbounded_channel();
        let adapter = RedisAdapter::streams(url).unwrap();
        let log = adapter.log().unwrap();
        let io = SocketIo::builder()
            .adapter(adapter)
            .recovery(|recovery| recovery)
            .on_adapter_error(move |error: &AdapterError| {
                let source = std::error::Error::source(error);
                if let Some(refused) = source.and_then(|source| source.downcast_ref::<Refused>()) {
                    let _ = telling.send(refused.command().to_owned());
                }
            })
            .build()
            .unwrap();
        let here = io.namespace("/").open().unwrap();
        Self {
            io,
            here,
            log,
            told,
        }
    }

    pub(crate) fn tell(&self, number: u32) {
        self.here.emit("n", &number).unwrap();
    }

    /// Waits until the application was told that this is refused.
    pub(crate) async fn refused(&mut self, command: &str) {
        while self.told.recv().await.unwrap() != command {}
    }
}

pub(crate) struct Client {
    pub(crate) inner: TestClient,
    pub(crate) sid: String,
    pub(crate) pid: String,
    /// The name of the last event that had one.
    pub(crate) offset: String,
    pub(crate) heard: Vec<u32>,
}

impl Client {
    pub(crate) async fn of(server: &Server) -> Self {
        Self::with(server, "").await
    }

    /// One that comes with this `auth` payload.
    pub(crate) async fn with(server: &Server, auth: &str) -> Self {
        let mut inner = TestClient::open(&server.io).await;
        inner.send(&format!("40{auth}")).await;
        let mut client = Self {
            inner,
            sid: String::new(),
            pid: String::new(),
            offset: String::new(),
            heard: Vec::new(),
        };
        // What it missed comes ahead of the answer.
        let answer = loop {
            let text = client.inner.next_text().await;
            match text.strip_prefix("40") {
                Some(answer) => break answer.to_owned(),
                None => client.takes(&text),
            }
        };
        let reply: serde_json::Value = serde_json::from_str(&answer).unwrap();
        reply["sid"].as_str().unwrap().clone_into(&mut client.sid);
        reply["pid"].as_str().unwrap().clone_into(&mut client.pid);
        client
    }

    /// Leaves one server, and comes to another when what it had there is kept.
    pub(crate) async fn moves(self, from: &Server, to: &Server) -> Self {
        let Self {
            inner,
            sid,
            pid,
            offset,
            ..
        } = self;
        drop(inner);
        while from.here.socket(&sid).is_some() {
            tokio::task::yield_now().await;
        }
        // Behind what was kept; that it may be refused is what a test is about.
        let _ = from.log.find_session(&pid).await;
        let auth = serde_json::json!({ "pid": pid, "offset": offset });
        Self::with(to, &auth.to_string()).await
    }

    /// Hears events up to this one.
    pub(crate) async fn hears(&mut self, number: u32) {
        while self.heard.last() != Some(&number) {
            let text = self.inner.next_text().await;
            self.takes(&text);
        }
    }

    fn takes(&mut self, text: &str) {
        let event = text.strip_prefix("42").unwrap();
        let event: serde_json::Value = serde_json::from_str(event).unwrap();
        let number = event[1].as_u64().unwrap();
        self.heard.push(u32::try_from(number).unwrap());
        if let Some(offset) = event[2].as_str() {
            offset.clone_into(&mut self.offset);
        }
    }

    /// Has heard each of these once, in whatever order.
    pub(crate) fn has_heard(&self, numbers: impl IntoIterator<Item = u32>) {
        let mut heard = self.heard.clone();
        heard.sort_unstable();
        let numbers: Vec<_> = numbers.into_iter().collect();
        assert_eq!(heard, numbers);
    }
}
