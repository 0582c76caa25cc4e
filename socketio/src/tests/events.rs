use std::time::Duration;

use serde_json::Value;

use crate::testing::{Received, TestClient};
use crate::tests::Log;
use crate::{Ack, Args, Binary, NoAck, OwnedArgs, SocketIo};

async fn joined(io: &SocketIo) -> TestClient {
    let mut client = TestClient::open(io).await;
    client.join("/").await;
    client
}

//= SIO5-EVT-01 test
//= SIO5-ACK-01 test
#[tokio::test(start_paused = true)]
async fn what_a_handler_returns_is_the_acknowledgement() {
    let io = SocketIo::new();
    io.namespace("/")
        .on("unit", |_, (): ()| async {})
        .on("one", |_, n: u32| async move { Ack(n + 1) })
        .on("two", |_, Args((a, b)): Args<(u32, String)>| async move {
            Ack(Args((b, a)))
        })
        .on("err", |_, (): ()| async { Err::<(), _>("sold out") })
        .on("none", |_, (): ()| async { NoAck })
        .on("panics", |_, n: u32| async move { assert_eq!(n, 0) })
        .open()
        .unwrap();
    let mut client = joined(&io).await;
    for (sent, answered) in [
        (r#"420["unit"]"#, "430[]"),
        (r#"42007["one",1]"#, "437[2]"),
        (r#"421["two",1,"b",{}]"#, r#"431["b",1]"#),
        (r#"422["err"]"#, r#"432[{"error":"sold out"}]"#),
        (r#"423["one","x"]"#, r#"433[{"error":"invalid_arguments"}]"#),
        (r#"423["one"]"#, r#"433[{"error":"invalid_arguments"}]"#),
    ] {
        client.send(sent).await;
        assert_eq!(client.next_text().await, answered, "{sent}");
    }
    client
        .send_all(&[
            r#"424["none"]"#,
            r#"425["unknown"]"#,
            r#"42["unit"]"#,
            r#"429["unit"]"#,
        ])
        .await;
    assert_eq!(
        client.next_text().await,
        "439[]",
        "the others are not answered"
    );
    client.send(r#"426["panics",1]"#).await;
    assert_eq!(client.next_text().await, r#"436[{"error":"internal"}]"#);
    assert_eq!(
        client.next_text().await,
        "41",
        "a panic ends its own socket"
    );
}

//= SIO5-BIN-01 test
//= SIO5-BIN-02 test
#[tokio::test(start_paused = true)]
async fn bytes_arrive_and_leave_at_any_depth() {
    let io = SocketIo::new();
    io.namespace("/")
        .on("raw", |socket, args: OwnedArgs| async move {
            let _ = socket.emit("raw", &args);
        })
        .on("typed", |_, (name, data): (String, Binary)| async move {
            Ack((data, name))
        })
        .open()
        .unwrap();
    let mut client = joined(&io).await;
    client
        .send(r#"452-["raw",{"_placeholder":true,"num":1},{"a":{"_placeholder":true,"num":0}}]"#)
        .await;
    client.send_attachment(b"first").await;
    client.send_attachment(b"second").await;
    let header = client.next_text().await;
    assert!(
        header.starts_with(r#"452-["raw",{"_placeholder":true,"num""#),
        "{header}"
    );
    assert!(matches!(client.next().await, Received::Attachment(_)));
    assert!(matches!(client.next().await, Received::Attachment(_)));
    client
        .send(r#"451-3["typed",["x",{"_placeholder":true,"num":0}]]"#)
        .await;
    client.send_attachment(&[1, 2]).await;
    assert_eq!(
        client.next_text().await,
        r#"461-3[[{"_placeholder":true,"num":0},"x"]]"#
    );
    assert_eq!(client.next().await, Received::Attachment(vec![1, 2]));
}

//= SRV-ORD-02 test
#[tokio::test(start_paused = true)]
async fn events_start_in_order_and_one_that_waits_holds_up_nobody() {
    let (io, log) = (SocketIo::new(), Log::default());
    let handler_log = log.clone();
    io.namespace("/")
        .on("wait", move |_, seconds: u64| {
            let log = handler_log.clone();
            async move {
                log.add(format!("start {seconds}"));
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                Ack(seconds)
            }
        })
        .open()
        .unwrap();
    let mut client = joined(&io).await;
    client
        .send_all(&[r#"421["wait",3]"#, r#"422["wait",1]"#, r#"423["wait",0]"#])
        .await;
    for answer in ["433[0]", "432[1]", "431[3]"] {
        assert_eq!(client.next_text().await, answer);
    }
    assert_eq!(log.take(), ["start 3", "start 1", "start 0"]);
}

fn strict(log: &Log) -> SocketIo {
    let io = SocketIo::builder()
        .max_handlers_in_flight(1)
        .build()
        .unwrap();
    let (ask_log, next_log) = (log.clone(), log.clone());
    io.namespace("/")
        .on("ask", move |socket, n: u32| {
            let log = ask_log.clone();
            async move {
                log.add(format!("ask {n}"));
                let answer = socket.emit_with_ack::<u32>("question", &n).await;
                log.add(format!("{answer:?}"));
            }
        })
        .on("next", move |_, (): ()| {
            next_log.add("next");
            async {}
        })
        .open()
        .unwrap();
    io
}

#[tokio::test(start_paused = true)]
async fn strict_mode_handles_one_event_after_the_other_and_still_reads_acknowledgements() {
    let log = Log::default();
    let io = strict(&log);
    let mut client = joined(&io).await;
    client
        .send_all(&[
            r#"42["ask",1]"#,
            r#"42["next"]"#,
            r#"42["ask",2]"#,
            r#"421["next"]"#,
        ])
        .await;
    assert_eq!(client.next_text().await, r#"420["question",1]"#);
    assert_eq!(log.take(), ["ask 1"]);
    client.send("430[10]").await;
    assert_eq!(client.next_text().await, r#"421["question",2]"#);
    client.send("431[20]").await;
    assert_eq!(client.next_text().await, "431[]");
    assert_eq!(log.take(), ["Ok(10)", "next", "ask 2", "Ok(20)", "next"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_does_so_past_the_events_that_wait() {
    let log = Log::default();
    let io = strict(&log);
    let mut client = joined(&io).await;
    client
        .send_all(&[r#"42["ask",1]"#, r#"42["next"]"#, "41"])
        .await;
    assert_eq!(client.next_text().await, r#"420["question",1]"#);
    client.join("/").await;
    client.send(r#"421["next"]"#).await;
    assert_eq!(client.next_text().await, "431[]");
    assert_eq!(log.take(), ["ask 1", "Err(Disconnected)", "next"]);
}

//= SIO5-PKT-09 test
//= SIO5-EVT-04 test
#[tokio::test(start_paused = true)]
async fn an_event_without_payload_is_nobodys_and_one_before_a_disconnect_is_handled() {
    let (io, log) = (SocketIo::new(), Log::default());
    let (events, ends) = (log.clone(), log.clone());
    io.namespace("/")
        .on("last", move |_, (): ()| {
            events.add("last");
            async {}
        })
        .on_disconnect(move |_, reason| {
            ends.add(reason.as_str());
            async {}
        })
        .open()
        .unwrap();
    let mut client = joined(&io).await;
    client.send_all(&["42", r#"42["last"]"#, "41"]).await;
    client.join("/").await;
    assert_eq!(log.take(), ["last", "client namespace disconnect"]);
}

/// Trees of comments and documents are deeper than one expects.
#[tokio::test(start_paused = true)]
async fn what_is_large_or_deep_arrives_and_what_is_too_deep_for_a_type_is_told() {
    let io = SocketIo::new();
    let log = Log::default();
    let told = log.clone();
    io.namespace("/")
        .on("raw", |_, args: OwnedArgs| async move { Ack(args) })
        .on("value", |_, value: Value| async move { Ack(value) })
        .on_invalid(move |_, invalid| told.add(invalid.to_string()))
        .open()
        .unwrap();
    let mut client = joined(&io).await;
    let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let many = format!("[{}1]", "1,".repeat(101_000));
    for sent in [nested(100), nested(256), many] {
        for event in ["raw", "value"] {
            client.send(&format!(r#"427["{event}",{sent}]"#)).await;
            assert_eq!(client.next_text().await, format!("437[{sent}]"));
        }
    }
    assert_eq!(log.take(), [""; 0]);
    let deep = nested(1_000);
    client.send(&format!(r#"427["raw",{deep}]"#)).await;
    assert_eq!(client.next_text().await, format!("437[{deep}]"));
    client.send(&format!(r#"427["value",{deep}]"#)).await;
    let refused = r#"437[{"error":"invalid_arguments"}]"#;
    assert_eq!(client.next_text().await, refused);
    let binary = r#"451-7["value",{"_placeholder":true,"num":0}]"#;
    client.send(binary).await;
    client.send_attachment(&[1]).await;
    assert_eq!(client.next_text().await, refused);
    let told = log.take();
    assert!(
        told[0].contains("found an array: nested deeper than 256 levels"),
        "{told:?}"
    );
    assert!(
        told[1].contains("found binary: invalid type: byte array"),
        "{told:?}"
    );
}
