use std::time::Duration;

use crate::SocketIo;
use crate::testing::TestClient;

//= SRV-DYN-01 test
//= SRV-DYN-02 test
#[tokio::test(start_paused = true)]
async fn dynamic_namespaces_come_with_their_first_socket_and_go_with_their_last() {
    let io = SocketIo::new();
    io.namespace("/room-0").open().unwrap();
    let rooms = io
        .namespaces("/room-#")
        .on("who", |socket, (): ()| async move {
            crate::Ack(socket.namespace_name().to_owned())
        })
        .open()
        .unwrap();
    let (mut a, mut b) = (TestClient::open(&io).await, TestClient::open(&io).await);
    assert_eq!(
        a.join("/room-x").await,
        r#"44/room-x,{"message":"Invalid namespace"}"#
    );
    assert!(a.join("/room-0").await.starts_with("40/room-0,{"));
    assert_eq!(
        rooms.namespaces().len(),
        0,
        "the static one is not of the set"
    );
    a.join("/room-1").await;
    b.join("/room-1").await;
    b.join("/room-2").await;
    a.send(r#"42/room-1,7["who"]"#).await;
    assert_eq!(a.next_text().await, r#"43/room-1,7["/room-1"]"#);
    rooms.namespace("/room-1").unwrap().emit("x", &()).unwrap();
    assert_eq!(a.next_text().await, r#"42/room-1,["x"]"#);
    assert_eq!(b.next_text().await, r#"42/room-1,["x"]"#);
    assert_eq!(rooms.namespaces().len(), 2);
    b.send("41/room-2,").await;
    b.join("/").await;
    assert!(rooms.namespace("/room-2").is_none());
    assert_eq!(rooms.namespace("/room-1").unwrap().socket_count(), 2);
    drop((a, b));
    while io.connection_count() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(rooms.namespaces().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn predicates_see_name_and_auth_in_order_and_may_take_their_time_but_not_for_ever() {
    let io = SocketIo::new();
    io.namespaces_where(|name, _| async move {
        assert_ne!(name, "/panic");
        if name == "/never" {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        name == "/late"
    })
    .open()
    .unwrap();
    io.namespaces_where(|_, auth| std::future::ready(auth["key"] == 1))
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    assert!(client.join("/late").await.starts_with("40/late,{"));
    assert!(
        client
            .join_with("/other", r#"{"key":1}"#)
            .await
            .starts_with("40/other,{")
    );
    let invalid = |name| format!(r#"44{name},{{"message":"Invalid namespace"}}"#);
    assert_eq!(client.join("/third").await, invalid("/third"));
    assert_eq!(client.join("/panic").await, invalid("/panic"));
    assert_eq!(client.join("/never").await, invalid("/never"));
}

#[tokio::test(start_paused = true)]
async fn the_number_of_dynamic_namespaces_is_bounded() {
    let io = SocketIo::builder()
        .max_dynamic_namespaces(1)
        .build()
        .unwrap();
    io.namespaces("/*").open().unwrap();
    let mut client = TestClient::open(&io).await;
    assert!(client.join("/a").await.starts_with("40/a,{"));
    assert_eq!(
        client.join("/b").await,
        r#"44/b,{"message":"Too many namespaces"}"#
    );
    client.send("41/a,").await;
    assert!(client.join("/b").await.starts_with("40/b,{"));
}
