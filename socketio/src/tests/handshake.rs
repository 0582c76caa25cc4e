//! What is kept of the opening request.

use super::Log;
use super::auth::{token, users, wall_clock};
use crate::auth::{
    AuthContext, AuthField, BearerHeader, Code, Credential, CredentialSource as _, Grant,
    Handshake, Header, Outcome, Query, auth_fn,
};
use crate::testing::TestClient;
use crate::{Socket, SocketIo, SocketIoBuilder};

/// A server that tells the log what a socket sees of its request.
fn telling(builder: SocketIoBuilder, log: &Log) -> SocketIo<super::auth::User> {
    let sources = AuthField("token")
        .or(Query("token"))
        .or(Header("x-auth-token"));
    let io = builder
        .authenticate(Handshake::new(users()).sources(sources))
        .build()
        .unwrap();
    let log = log.clone();
    io.namespace("/")
        .on_connect(move |socket: Socket<super::auth::User>| {
            let handshake = socket.handshake();
            log.add(handshake.url());
            log.add(handshake.query());
            for (name, value) in handshake.headers() {
                log.add(format!("{name}: {}", String::from_utf8_lossy(value)));
            }
            assert!(handshake.issued_at() <= wall_clock());
            async {}
        })
        .open()
        .unwrap();
    io
}

#[tokio::test(start_paused = true)]
async fn row_11_a_token_of_the_url_is_stripped_before_handlers_see_it() {
    let log = Log::default();
    let io = telling(SocketIo::builder(), &log);
    for (query, headers) in [
        ("a=1&to%6ben=user:ann&b=2", &[("x-a", "b")][..]),
        (
            "a=1&b=2",
            &[
                ("X-Auth-Token", "user:ann"),
                ("x-a", "b"),
                ("cookie", "c=d"),
            ][..],
        ),
    ] {
        let mut client = TestClient::open_with(&io, query, headers).await;
        let reply = client.join("/").await;
        assert!(reply.starts_with("40{"), "{reply}");
        let seen = log.take();
        let (url, query) = (&seen[0], &seen[1]);
        assert!(
            url.starts_with("/socket.io/?") && url.ends_with(query.as_str()),
            "{url}"
        );
        assert!(query.contains("a=1&b=2"), "{query}");
        let headers: Vec<_> = seen[2..].iter().map(|line| line.to_lowercase()).collect();
        assert!(headers.contains(&"x-a: b".to_owned()), "{headers:?}");
        for secret in ["x-auth-token", "cookie"] {
            assert!(
                !headers.iter().any(|line| line.starts_with(secret)),
                "{headers:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_keeps_no_headers_still_tells_authenticators_the_origin() {
    let log = Log::default();
    let io = telling(SocketIo::builder().keep_headers(false), &log);
    let headers = [("origin", "https://a.example"), ("x-a", "b")];
    let mut client = TestClient::open_with(&io, "", &headers).await;
    client.join_with("/", &token("user:ann")).await;
    assert_eq!(log.take()[2..], ["origin: https://a.example"]);
    let own_pages_only = auth_fn(|cx: AuthContext, _: Credential| async move {
        match cx.origin() {
            Some("https://a.example") => Outcome::Accept(Grant::new((), "ann")),
            _ => Outcome::Reject(Code::OriginNotAllowed.into()),
        }
    });
    io.namespace("/own")
        .authenticate(Handshake::new(own_pages_only))
        .open()
        .unwrap();
    let reply = client.join_with("/own", &token("x")).await;
    assert!(reply.starts_with("40/own,"), "{reply}");
}

#[tokio::test(start_paused = true)]
async fn row_11_the_url_of_a_protocol_4_client_is_no_payload() {
    let io = SocketIo::builder()
        .engine(|config| config.allow_eio3(true))
        .authenticate(Handshake::new(users()).sources(AuthField("token").or(BearerHeader)))
        .build()
        .unwrap();
    io.namespace("/").open().unwrap();
    let mut client = TestClient::open_with(&io, "EIO=3&token=user:ann", &[]).await;
    let refused = client.next_text().await;
    assert!(refused.contains("credentials_required"), "{refused}");
}
