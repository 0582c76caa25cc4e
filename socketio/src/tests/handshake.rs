//! What is kept of the opening request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::Log;
use super::auth::{token, users, wall_clock};
use crate::auth::{
    AuthContext, AuthField, BearerHeader, Code, Credential, CredentialSource, Extract, Grant,
    HandshakeView, Header, InHandshake, Outcome, Place, Query, auth_fn,
};
use crate::testing::TestClient;
use crate::{Socket, SocketIo, SocketIoBuilder};

/// A server that tells the log what a socket sees of its request.
fn telling(builder: SocketIoBuilder, log: &Log) -> SocketIo<super::auth::User> {
    let sources = AuthField("token")
        .or(Query("token"))
        .or(Header("x-auth-token"));
    let io = builder
        .authenticate(InHandshake::new(users()).sources(sources))
        .build()
        .unwrap();
    let log = log.clone();
    io.namespace("/")
        .on_connect(move |socket: Socket<super::auth::User>| {
            let handshake = socket.handshake();
            log.add(handshake.url());
            log.add(handshake.query());
            let pairs = handshake.query_pairs().filter(|(name, _)| name == "a b");
            for (name, value) in pairs {
                assert_eq!(handshake.query_value(&name).as_deref(), Some(&*value));
                log.add(format!("{name}={value}"));
            }
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
            "a=1&b=2&a+b=c%26%64",
            &[
                ("X-Auth-Token", "user:ann"),
                ("X-A", "b"),
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
        let headers = &seen[2..];
        let has_pair = headers.contains(&"a b=c&d".to_owned());
        assert_eq!(has_pair, query.contains("a+b"), "{headers:?}");
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
        .authenticate(InHandshake::new(own_pages_only))
        .open()
        .unwrap();
    let reply = client.join_with("/own", &token("x")).await;
    assert!(reply.starts_with("40/own,"), "{reply}");
}

#[tokio::test(start_paused = true)]
async fn row_11_the_url_of_a_protocol_4_client_is_no_payload() {
    let io = SocketIo::builder()
        .engine(|config| config.allow_eio3(true))
        .authenticate(InHandshake::new(users()).sources(AuthField("token").or(BearerHeader)))
        .build()
        .unwrap();
    io.namespace("/").open().unwrap();
    let mut client = TestClient::open_with(&io, "EIO=3&token=user:ann", &[]).await;
    let refused = client.next_text().await;
    assert!(refused.contains("credentials_required"), "{refused}");
}

/// A source that counts how often it is asked about an opening request.
struct Counting {
    asked_count: Arc<AtomicU32>,
    source: Header,
    is_confined: bool,
}

impl CredentialSource for Counting {
    fn extract(&self, request: &HandshakeView<'_>) -> Extract {
        if request.payload().is_none() {
            self.asked_count.fetch_add(1, Ordering::Relaxed);
        }
        self.source.extract(request)
    }

    fn places(&self, visit: &mut dyn FnMut(Place<'_>)) {
        if self.is_confined {
            self.source.places(visit);
        }
    }

    fn is_confined(&self) -> bool {
        self.is_confined
    }
}

#[tokio::test(start_paused = true)]
async fn a_confined_source_is_asked_about_requests_that_have_one_of_its_places() {
    for (is_confined, bare_count) in [(true, 0), (false, 1)] {
        let asked_count = Arc::new(AtomicU32::new(0));
        let source = Counting {
            asked_count: Arc::clone(&asked_count),
            source: Header("x-door"),
            is_confined,
        };
        let io = SocketIo::builder()
            .authenticate(InHandshake::new(users()).sources(source))
            .build()
            .unwrap();
        io.namespace("/").open().unwrap();
        let _bare = TestClient::open_with(&io, "x-door=user:ann", &[("x-a", "b")]).await;
        assert_eq!(asked_count.load(Ordering::Relaxed), bare_count);
        let headers = [("X-Door", "user:ann")];
        let mut client = TestClient::open_with(&io, "", &headers).await;
        assert_eq!(asked_count.load(Ordering::Relaxed), bare_count + 1);
        let reply = client.join_with("/", "{}").await;
        assert!(reply.starts_with("40{"), "{is_confined}: {reply}");
    }
}
