//! The first client of a namespace that the adapter never hears, against the loss of the bus.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use socketio_auth::BoxFuture;
use tokio::time::timeout;

use super::explore;
use crate::SocketIo;
use crate::cluster::{Adapter, AdapterError, ClusterHandle, ClusterMessage};
use crate::testing::TestClient;

#[derive(Clone, Default)]
struct Deaf(Arc<Mutex<Option<ClusterHandle>>>);

impl Adapter for Deaf {
    fn start(&self, server: ClusterHandle) -> BoxFuture<'_, Result<(), AdapterError>> {
        *self.0.lock().unwrap() = Some(server);
        Box::pin(async { Ok(()) })
    }

    fn publish(&self, _: ClusterMessage) -> BoxFuture<'_, Result<(), AdapterError>> {
        Box::pin(async { Ok(()) })
    }

    fn open_namespace(&self, _: &str) -> BoxFuture<'_, Result<(), AdapterError>> {
        Box::pin(std::future::pending())
    }
}

//= RDS-08 test
#[test]
fn a_client_is_let_in_when_the_bus_is_lost_whenever_that_is() {
    explore(|runtime| {
        let adapter = Deaf::default();
        let io = SocketIo::builder()
            .adapter(adapter.clone())
            .build()
            .unwrap();
        io.namespaces("/dyn-#").open().unwrap();
        let bus = adapter.0.lock().unwrap().take().unwrap();
        runtime.block_on(async {
            let mut client = TestClient::open(&io).await;
            let losing = schedules::spawn("losing", move || bus.set_connected(false));
            client.send("40/dyn-1,").await;
            tokio::task::yield_now().await;
            losing.join();
            let answer = timeout(Duration::from_secs(1), client.next_text()).await;
            assert!(answer.is_ok_and(|answer| answer.starts_with("40/dyn-1,")));
        });
    });
}
