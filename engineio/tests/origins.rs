//! To which origin a session belongs, and what browsers say of it.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use engineio::{CloseReason, Config};
use support::{Door, Event, Server, WebSocket, get, request};

const PAGE: &str = "Origin: https://page.example\r\n";
const NULL: &str = "Origin: null\r\n";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

/// Opens a session as a script does, without an origin.
async fn open(server: &Server, query: &str) -> String {
    let answer = get(
        server.addr,
        &format!("/engine.io/?{query}&transport=polling"),
    )
    .await;
    let text = answer.text().replace('\\', "");
    text.split("\"sid\":\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn a_form_of_a_page_that_hides_its_origin_is_of_its_jsonp_session() {
    for door in Door::ALL {
        for query in ["EIO=4&j=0", "EIO=3&j=0"] {
            let mut server = Server::start(door, Config::new().allow_eio3(true)).await;
            let sid = open(&server, query).await;
            let target = format!("/engine.io/?{query}&transport=polling&sid={sid}");
            let upgrade = format!("/engine.io/?{query}&transport=websocket&sid={sid}");
            let post = async |origin: &str, text: &str| {
                let packet = if query.contains('4') {
                    format!("4{text}")
                } else {
                    format!("{}:4{text}", text.len() + 1)
                };
                let body = format!("d={packet}");
                let headers = format!("{origin}{FORM}");
                request(server.addr, "POST", &target, &headers, body.as_bytes())
                    .await
                    .status
            };
            // Before anything is bound, and it binds nothing.
            assert_eq!(post(NULL, "first").await, 200, "{door:?} {query}");
            let probing = WebSocket::try_open(server.addr, &upgrade, PAGE).await;
            let mut probing = probing.unwrap_or_else(|refused| panic!("{refused:?}"));
            probing.send("2probe").await;
            assert_eq!(probing.text().await, "3probe");
            // The page's origin is bound now: the form's silence counts as none, another page does not.
            assert_eq!(post(NULL, "second").await, 200, "{door:?} {query}");
            assert_eq!(post("Origin: https://evil.example\r\n", "third").await, 400);
            assert!(
                WebSocket::try_open(server.addr, &upgrade, NULL)
                    .await
                    .is_err()
            );
            server.opened().await;
            assert_eq!(server.event().await, Event::Text("first".to_owned()));
            assert_eq!(server.event().await, Event::Upgrading);
            assert_eq!(server.event().await, Event::Text("second".to_owned()));
        }
    }
}

#[tokio::test]
async fn null_is_an_origin_like_any_other_for_all_other_sessions() {
    let mut server = Server::start(Door::Own, Config::new()).await;
    let query = "EIO=4";
    let post = async |server: &Server, sid: &str, origin: &str| {
        let target = format!("/engine.io/?EIO=4&transport=polling&sid={sid}");
        request(server.addr, "POST", &target, origin, b"4x")
            .await
            .status
    };
    // A page in a sandbox, which has no other.
    let sid = open(&server, query).await;
    for (origin, status) in [(NULL, 200), (NULL, 200), (PAGE, 400), ("", 200)] {
        assert_eq!(post(&server, &sid, origin).await, status, "{origin}");
    }
    let sid = open(&server, query).await;
    for (origin, status) in [(PAGE, 200), (NULL, 400), (PAGE, 200)] {
        assert_eq!(post(&server, &sid, origin).await, status, "{origin}");
    }
    for connection in server.engine.connections() {
        connection.close();
    }
    server.opened().await;
    let _: CloseReason = server.closed().await;
}
