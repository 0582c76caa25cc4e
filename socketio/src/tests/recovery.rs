mod order;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::testing::{Received, TestClient};
use crate::tests::{Log, sid_of};
use crate::{Args, Binary, Namespace, Recovery, Socket, SocketIo};

fn server(recovery: Recovery) -> (SocketIo, Namespace<()>) {
    let io = SocketIo::builder().recovery(|_| recovery).build().unwrap();
    let space = io
        .namespace("/")
        .on_connect(|socket| async move {
            if !socket.is_recovered() {
                let _ = socket.join("r");
            }
        })
        .open()
        .unwrap();
    (io, space)
}

fn pid_of(reply: &str) -> String {
    let (_, json) = reply.split_once('{').unwrap();
    let reply: Value = serde_json::from_str(&format!("{{{json}")).unwrap();
    reply["pid"].as_str().unwrap().to_owned()
}

/// The last argument of an event.
fn offset_of(event: &str) -> String {
    let (_, json) = event.split_once('[').unwrap();
    let event: Vec<Value> = serde_json::from_str(&format!("[{json}")).unwrap();
    event.last().unwrap().as_str().unwrap().to_owned()
}

/// An event without its offset.
fn without_offset(event: &str) -> String {
    let offset = offset_of(event);
    event.replace(&format!(r#","{offset}"]"#), "]")
}

/// A client that has joined and received one event, and its socket.
struct Member {
    space: Namespace<()>,
    client: TestClient,
    socket: Socket,
    pid: String,
    offset: String,
}

impl Member {
    async fn join(io: &SocketIo, space: &Namespace<()>) -> Self {
        let mut client = TestClient::open(io).await;
        let reply = client.join("/").await;
        let socket = space.socket(&sid_of(&reply)).unwrap();
        socket.emit("first", &()).unwrap();
        let first = client.next_text().await;
        Self {
            space: space.clone(),
            client,
            socket,
            pid: pid_of(&reply),
            offset: offset_of(&first),
        }
    }

    /// Breaks the connection; what it takes to come back.
    async fn vanish(self) -> String {
        drop(self.client);
        while self.space.socket(self.socket.id().as_str()).is_some() {
            tokio::task::yield_now().await;
        }
        format!(r#"{{"pid":"{}","offset":"{}"}}"#, self.pid, self.offset)
    }
}

/// What a client gets until its CONNECT is answered, the answer last.
async fn come_back(io: &SocketIo, auth: &str) -> (TestClient, Vec<String>) {
    let mut client = TestClient::open(io).await;
    client.send(&format!("40{auth}")).await;
    let mut received = Vec::new();
    loop {
        let text = client.next_text().await;
        let is_answer = text.starts_with("40") || text.starts_with("44");
        received.push(text);
        if is_answer {
            return (client, received);
        }
    }
}

//= SIO5-CSR-01 test
//= SIO5-CSR-02 test
#[tokio::test(start_paused = true)]
async fn events_that_are_neither_volatile_nor_acknowledged_carry_an_offset() {
    let (io, space) = server(Recovery::new());
    let Member {
        mut client, socket, ..
    } = Member::join(&io, &space).await;
    socket.emit("plain", &Args((1, "a"))).unwrap();
    space.to("r").emit("room", &2).unwrap();
    for expected in [r#"42["plain",1,"a"]"#, r#"42["room",2]"#] {
        assert_eq!(without_offset(&client.next_text().await), expected);
    }
    socket.emit("bin", &Binary::from(vec![1])).unwrap();
    let header = client.next_text().await;
    let placeholder = r#"451-["bin",{"_placeholder":true,"num":0}]"#;
    assert_eq!(without_offset(&header), placeholder);
    assert_eq!(client.next().await, Received::Attachment(vec![1]));
    socket.volatile().emit("volatile", &()).unwrap();
    assert_eq!(client.next_text().await, r#"42["volatile"]"#);
    space.everyone().volatile().emit("volatile", &()).unwrap();
    assert_eq!(client.next_text().await, r#"42["volatile"]"#);
    let _answer = socket.emit_with_ack::<()>("ack", &());
    let _answers = space.emit_with_ack::<()>("acks", &());
    assert_eq!(client.next_text().await, r#"420["ack"]"#);
    assert_eq!(client.next_text().await, r#"421["acks"]"#);
}

//= SIO5-CSR-03 test
//= SIO5-CSR-04 test
#[tokio::test(start_paused = true)]
async fn a_client_gets_back_its_id_its_rooms_and_what_it_missed_before_the_answer() {
    let (io, space) = server(Recovery::new());
    let member = Member::join(&io, &space).await;
    let (id, pid) = (member.socket.id().clone(), member.pid.clone());
    let auth = member.vanish().await;
    space.emit("all", &1).unwrap();
    space.to("elsewhere").emit("not you", &()).unwrap();
    space.except("r").emit("not you", &()).unwrap();
    space.to("r").to(&id).emit("room", &2).unwrap();
    space.everyone().volatile().emit("volatile", &()).unwrap();
    space.to(&id).emit("you", &()).unwrap();
    let (mut client, received) = come_back(&io, &auth).await;
    let (answer, missed) = received.split_last().unwrap();
    let missed: Vec<_> = missed.iter().map(|event| without_offset(event)).collect();
    assert_eq!(
        missed,
        [r#"42["all",1]"#, r#"42["room",2]"#, r#"42["you"]"#]
    );
    assert_eq!(*answer, format!(r#"40{{"sid":"{id}","pid":"{pid}"}}"#));
    let socket = space.socket(id.as_str()).unwrap();
    assert!(socket.is_recovered());
    space.to("r").emit("live", &()).unwrap();
    assert_eq!(without_offset(&client.next_text().await), r#"42["live"]"#);
}

#[tokio::test(start_paused = true)]
async fn what_the_application_keeps_with_a_socket_comes_back_with_it_and_goes_when_it_does_not() {
    let (io, space) = server(Recovery::new().max_disconnection(Duration::from_secs(5)));
    let kept = Arc::new("kept");
    for comes_back in [true, false] {
        let member = Member::join(&io, &space).await;
        member.socket.extensions().insert(Arc::clone(&kept));
        let auth = member.vanish().await;
        assert_eq!(Arc::strong_count(&kept), 2, "the session has it");
        if !comes_back {
            tokio::time::advance(Duration::from_secs(6)).await;
        }
        let (client, received) = come_back(&io, &auth).await;
        let socket = space.socket(&sid_of(received.last().unwrap())).unwrap();
        let found = socket.extensions().get::<Arc<&str>>();
        assert_eq!(found.is_some(), comes_back);
        drop((found, socket, client));
        tokio::time::sleep(Duration::from_secs(1)).await;
        if comes_back {
            // The connection that was lost again has saved it anew.
            tokio::time::advance(Duration::from_secs(6)).await;
            let stranger = Member::join(&io, &space).await;
            let auth = stranger.vanish().await;
            come_back(&io, &auth).await;
        }
        assert_eq!(Arc::strong_count(&kept), 1, "nobody has it any more");
    }
}

//= SIO5-CSR-07 test
//= SIO5-CSR-11 test
#[tokio::test(start_paused = true)]
async fn a_session_is_used_once_and_a_failed_recovery_is_a_connection_like_any() {
    let (io, space) = server(Recovery::new());
    let member = Member::join(&io, &space).await;
    let (id, pid) = (member.socket.id().clone(), member.pid.clone());
    let auth = member.vanish().await;
    let (mut client, _) = come_back(&io, &auth).await;
    client.send("41").await;
    for auth in [
        auth.as_str(),
        r#"{"pid":"x","offset":"y"}"#,
        &format!(r#"{{"pid":"{pid}"}}"#),
        &format!(r#"{{"pid":"{pid}","offset":7}}"#),
    ] {
        let (_, received) = come_back(&io, auth).await;
        let [answer] = received.as_slice() else {
            panic!("nothing but the answer");
        };
        assert_ne!(sid_of(answer), id.as_str());
        assert_ne!(pid_of(answer), pid);
        assert!(!space.socket(&sid_of(answer)).unwrap().is_recovered());
    }
}

//= SIO5-CSR-08 test
#[tokio::test(start_paused = true)]
async fn who_left_or_was_put_out_does_not_come_back() {
    let (io, space) = server(Recovery::new());
    for leaves in [true, false] {
        let mut member = Member::join(&io, &space).await;
        if leaves {
            member.client.send("41").await;
        } else {
            member.socket.disconnect();
        }
        let id = member.socket.id().clone();
        let auth = member.vanish().await;
        let (_, received) = come_back(&io, &auth).await;
        assert_ne!(sid_of(received.last().unwrap()), id.as_str());
    }
}

//= SIO5-CSR-10 test
#[tokio::test(start_paused = true)]
async fn a_client_that_stays_away_too_long_is_a_stranger() {
    let (io, space) = server(Recovery::new().max_disconnection(Duration::from_secs(5)));
    for (away, is_known) in [(4, true), (6, false)] {
        let member = Member::join(&io, &space).await;
        let id = member.socket.id().clone();
        let auth = member.vanish().await;
        tokio::time::advance(Duration::from_secs(away)).await;
        let (_client, received) = come_back(&io, &auth).await;
        assert_eq!(sid_of(received.last().unwrap()) == id.as_str(), is_known);
    }
}

//= SIO5-CSR-09 test
#[tokio::test(start_paused = true)]
async fn middleware_is_passed_over_unless_it_is_to_be_asked_again() {
    for skips in [true, false] {
        let log = Log::default();
        let asked = log.clone();
        let recovery = Recovery::new().skip_middleware(skips);
        let io = SocketIo::builder().recovery(|_| recovery).build().unwrap();
        let space = io
            .namespace("/")
            .middleware(move |socket| {
                asked.add(format!("{}", socket.is_recovered()));
                async { Ok(()) }
            })
            .open()
            .unwrap();
        let auth = Member::join(&io, &space).await.vanish().await;
        come_back(&io, &auth).await;
        let expected: &[&str] = if skips {
            &["false"]
        } else {
            &["false", "true"]
        };
        assert_eq!(log.take(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_told_of_recovery_where_it_is_off() {
    let io = SocketIo::new();
    let space = io.namespace("/").open().unwrap();
    let mut client = TestClient::open(&io).await;
    let reply = client.join("/").await;
    assert!(!reply.contains("pid"));
    space.emit("x", &()).unwrap();
    assert_eq!(client.next_text().await, r#"42["x"]"#);
}
