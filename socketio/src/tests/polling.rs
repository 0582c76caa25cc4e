//! A client over long-polling, without a socket: what it asks arrives in the order in which it asks.

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};

use crate::running::poll_now;
use crate::{SocketIo, SocketIoService};

/// A session over long-polling.
pub(super) struct Polling {
    service: SocketIoService,
    target: String,
}

/// A GET that arrived and was not answered. Dropping it ends its connection.
pub(super) type Waiting = Pin<Box<dyn Future<Output = String> + Send>>;

impl Polling {
    /// One that has joined `/`.
    pub(super) async fn join(io: &SocketIo) -> Self {
        let client = Self::open(io).await;
        assert_eq!(client.post("40").await, "ok");
        let reply = client.get().await;
        assert!(reply.starts_with("40{"), "{reply}");
        client
    }

    pub(super) async fn open<D: Send + Sync + 'static>(io: &SocketIo<D>) -> Self {
        let mut client = Self {
            service: io.service(),
            target: "/socket.io/?EIO=4&transport=polling".to_owned(),
        };
        let opening = client.get().await;
        let sid = opening.split('"').nth(3).unwrap();
        client.target.push_str(&format!("&sid={sid}"));
        client
    }

    /// Sends a payload; the body of the answer.
    pub(super) async fn post(&self, payload: &str) -> String {
        self.request("POST", payload).await
    }

    /// The payload that a poll is answered with.
    pub(super) async fn get(&self) -> String {
        self.request("GET", "").await
    }

    /// A poll that there is nothing to answer with yet.
    pub(super) fn wait(&self) -> Waiting {
        let mut waiting: Waiting = Box::pin(self.request("GET", ""));
        assert!(
            matches!(poll_now(waiting.as_mut()), Poll::Pending),
            "the poll was answered at once"
        );
        waiting
    }

    fn request(&self, method: &str, body: &str) -> impl Future<Output = String> + Send + use<> {
        let request = http::Request::builder()
            .header("host", "test")
            .method(method)
            .uri(&self.target)
            .body(Full::new(Bytes::from(body.to_owned())))
            .unwrap();
        let response = hyper::service::Service::call(&self.service, request);
        async move {
            let body = response.await.unwrap().into_body();
            let bytes = body.collect().await.unwrap().to_bytes();
            String::from_utf8(bytes.to_vec()).unwrap()
        }
    }
}
