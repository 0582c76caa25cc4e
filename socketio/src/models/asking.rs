//! A question to a client against the events of it that stop the reading.

use std::time::Duration;

use tokio::time::timeout;

use super::explore;
use crate::SocketIo;
use crate::testing::TestClient;

#[test]
fn an_answer_is_read_whenever_it_was_asked_for() {
    explore(|runtime| {
        let builder = SocketIo::builder()
            .max_handlers_in_flight(1)
            .inbox_max_bytes(1);
        let io = builder.build().unwrap();
        let space = io
            .namespace("/")
            .on("wait", |_, (): ()| std::future::pending::<()>())
            .open()
            .unwrap();
        runtime.block_on(async {
            let mut client = TestClient::open(&io).await;
            client.join("/").await;
            let socket = space.sockets().remove(0);
            client.send(r#"42["wait"]"#).await;
            let asker = schedules::spawn("asker", move || {
                socket.emit_with_ack::<u32>("question", &())
            });
            // This one has to wait, and stops the reading, if nothing is asked yet.
            client.send(r#"42["wait"]"#).await;
            tokio::task::yield_now().await;
            let answer = asker.join();
            client.send("430[7]").await;
            let answer = timeout(Duration::from_secs(1), answer).await;
            assert_eq!(answer, Ok(Ok(7)), "it was not read");
        });
    });
}
