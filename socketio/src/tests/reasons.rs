//! Why sockets leave, in the reference's words (SIO5-DIS-05).

use crate::testing::TestClient;
use crate::tests::polling::Polling;
use crate::tests::{Log, sid_of};
use crate::{Namespace, Socket, SocketIo};

fn server(log: &Log) -> (SocketIo, Namespace<()>) {
    let io = SocketIo::new();
    let (reasons, errors) = (log.clone(), log.clone());
    let space = io
        .namespace("/")
        .on("kick", |socket, (): ()| async move { socket.disconnect() })
        .on("close", |socket, (): ()| async move { socket.close() })
        .on_invalid(move |_, _| errors.add("error"))
        .on_disconnect(move |_, reason| {
            reasons.add(reason.as_str());
            async {}
        })
        .open()
        .unwrap();
    (io, space)
}

/// The only socket there is.
fn only(space: &Namespace<()>) -> Socket {
    let mut sockets = space.sockets();
    assert_eq!(sockets.len(), 1);
    sockets.remove(0)
}

const LEFT: &[&str] = &["client namespace disconnect"];
const KICKED: &[&str] = &["server namespace disconnect"];
/// An invalid packet is an error of the application's too (SIO5-INV-01).
const INVALID: &[&str] = &["error", "forced close"];

//= SIO5-DIS-01 test
//= SIO5-DIS-05 test
//= SIO5-INV-01 test
//= SIO5-INV-02 test
#[tokio::test(start_paused = true)]
async fn the_reason_names_what_came_over_a_websocket() {
    let log = Log::default();
    let (io, space) = server(&log);
    for (packet, expected) in [
        ("41", LEFT),
        (r#"42["kick"]"#, KICKED),
        (r#"42["close"]"#, KICKED),
        ("42{}", INVALID),
        ("4", INVALID),
        ("40", &["forced close"]),
        (r#"42/other,["x"]"#, &["forced close"]),
        ("2", &["transport error"]),
        ("x", &["parse error"]),
    ] {
        let mut client = TestClient::open(&io).await;
        client.join("/").await;
        let closed = only(&space).closed();
        client.send(packet).await;
        closed.await;
        assert_eq!(log.take(), expected, "{packet}");
    }
}

//= SIO5-DIS-05 test
//= SIO5-INV-02 test
#[tokio::test(start_paused = true)]
async fn the_reason_names_what_came_over_polling() {
    let log = Log::default();
    let (io, space) = server(&log);
    for (payload, expected) in [
        ("41", LEFT),
        (r#"42["kick"]"#, KICKED),
        (r#"42["close"]"#, KICKED),
        ("42{}", INVALID),
        ("40", &["forced server close"]),
        ("41/other,", &["forced server close"]),
        ("1", &["transport close"]),
        ("2", &["transport error"]),
        ("x", &["parse error"]),
    ] {
        let client = Polling::join(&io).await;
        let closed = only(&space).closed();
        client.post(payload).await;
        closed.await;
        assert_eq!(log.take(), expected, "{payload}");
    }
}

//= SIO5-INV-02 test
//= SIO5-INV-04 test
#[tokio::test(start_paused = true)]
async fn a_rule_broken_over_polling_is_a_forced_close_to_whoever_waits_for_an_answer() {
    let log = Log::default();
    let (io, _space) = server(&log);
    let client = Polling::join(&io).await;
    let waiting = client.wait();
    assert_eq!(client.post("40").await, "ok");
    assert_eq!(waiting.await, "1");
    assert_eq!(log.take(), ["forced close"]);

    let client = Polling::join(&io).await;
    assert_eq!(client.post("40").await, "ok");
    assert_eq!(log.take(), ["forced server close"]);
    assert_eq!(client.get().await, "6\u{1e}1");
    assert_eq!(log.take(), [""; 0], "it has left already");
    assert_eq!(io.connection_count(), 0);
}

//= SIO5-DIS-05 test
#[tokio::test(start_paused = true)]
async fn the_reason_names_how_a_connection_ended() {
    let log = Log::default();
    let (io, space) = server(&log);

    let mut client = TestClient::open(&io).await;
    client.join("/").await;
    let closed = only(&space).closed();
    drop(client);
    closed.await;
    assert_eq!(log.take(), ["transport close"]);

    let client = Polling::join(&io).await;
    drop(client.wait());
    assert_eq!(log.take(), ["transport error"]);

    let client = Polling::join(&io).await;
    let waiting = client.wait();
    client.get().await;
    assert_eq!(log.take(), ["transport error"], "two polls at a time");
    assert_eq!(waiting.await, "1");
}

//= SIO5-DIS-05 test
#[tokio::test(start_paused = true)]
async fn who_does_not_answer_a_ping_has_timed_out() {
    let log = Log::default();
    let (io, space) = server(&log);
    let mut silent = TestClient::open(&io).await;
    silent.join("/").await;
    only(&space).closed().await;
    assert_eq!(log.take(), ["ping timeout"]);
    let _polls_no_more = Polling::join(&io).await;
    only(&space).closed().await;
    assert_eq!(log.take(), ["ping timeout"]);
}

//= SIO5-DIS-04 test
//= SIO5-DIS-05 test
#[tokio::test(start_paused = true)]
async fn a_server_that_shuts_down_sends_no_disconnect_to_anyone() {
    let log = Log::default();
    let (io, space) = server(&log);
    let mut socket = TestClient::open(&io).await;
    sid_of(&socket.join("/").await);
    let (polling, idle) = (Polling::join(&io).await, Polling::join(&io).await);
    let waiting = polling.wait();
    io.close();
    assert_eq!(socket.drain().await, []);
    assert_eq!(waiting.await, "1");
    let unknown = r#"{"code":1,"message":"Session ID unknown"}"#;
    assert_eq!(idle.get().await, unknown, "an idle session has vanished");
    assert_eq!(log.take(), ["server shutting down"; 3]);
    assert_eq!((space.socket_count(), io.connection_count()), (0, 0));
}

//= SIO5-CSR-08 test
#[test]
fn only_a_connection_that_was_lost_can_be_recovered() {
    use crate::DisconnectReason as Reason;
    for (reason, is_recoverable) in [
        (Reason::TransportError, true),
        (Reason::TransportClose, true),
        (Reason::ForcedClose, true),
        (Reason::ForcedServerClose, true),
        (Reason::PingTimeout, true),
        (Reason::ServerShuttingDown, true),
        (Reason::ParseError, false),
        (Reason::ClientNamespaceDisconnect, false),
        (Reason::ServerNamespaceDisconnect, false),
    ] {
        assert_eq!(reason.is_recoverable(), is_recoverable, "{reason}");
    }
}
