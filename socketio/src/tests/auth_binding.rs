//! Session ids that were stolen, and proofs of possession.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};

use super::auth::{User, guarded, users};
use crate::auth::jwt::{Algorithm, JwtAuthenticator, ProofOfPossession};
use crate::auth::testing::TokenMint;
use crate::auth::{
    BearerHeader, Cookie, CookieOrigins, CredentialSource as _, InHandshake, ProvenAuthField,
    limits::TrustedProxies,
};
use crate::testing::TestClient;
use crate::{SocketIo, SocketIoService};

/// One request over long-polling: status and body.
pub(super) async fn request(
    service: &SocketIoService,
    sid: &str,
    body: &str,
    headers: &[(&str, &str)],
) -> (u16, String) {
    let method = if body.is_empty() { "GET" } else { "POST" };
    let sid = if sid.is_empty() {
        String::new()
    } else {
        format!("&sid={sid}")
    };
    let mut request = http::Request::builder()
        .header("host", "test")
        .method(method)
        .uri(format!("/socket.io/?EIO=4&transport=polling{sid}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request
        .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
        .unwrap();
    let response = hyper::service::Service::call(service, request)
        .await
        .unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

/// Opens a session with these headers and joins `/` with what they hold.
async fn join(service: &SocketIoService, headers: &[(&str, &str)]) -> String {
    let (_, opening) = request(service, "", "", headers).await;
    let sid = opening.split('"').nth(3).unwrap().to_owned();
    assert_eq!(request(service, &sid, "40", headers).await.0, 200);
    let (_, reply) = request(service, &sid, "", headers).await;
    assert!(reply.starts_with("40{"), "{reply}");
    sid
}

const REFUSED: &str = r#"{"code":3,"message":"Bad request"}"#;

#[tokio::test(start_paused = true)]
async fn row_26_a_stolen_session_id_is_no_use_with_another_credential() {
    let origins = CookieOrigins::new(["https://a.example"]);
    let sources = BearerHeader.or(Cookie::new("token", origins));
    let io = SocketIo::builder()
        .authenticate(InHandshake::new(users()).sources(sources))
        .build()
        .unwrap();
    io.namespace("/")
        .on("x", |_, (): ()| async {})
        .open()
        .unwrap();
    let service = io.service();
    let mine = ("authorization", "Bearer user:ann");
    let sid = join(&service, &[mine]).await;
    for headers in [
        &[("authorization", "Bearer user:bob")][..],
        &[("cookie", "token=user:bob")],
        &[mine, ("cookie", "token=user:bob")],
    ] {
        for body in ["2", ""] {
            let answer = request(&service, &sid, body, headers).await;
            assert_eq!(answer, (400, REFUSED.to_owned()), "{headers:?}");
        }
    }
    // The session goes on; absence passes, and so do other cookies.
    for headers in [&[mine][..], &[], &[mine, ("cookie", "theme=dark")]] {
        assert_eq!(
            request(&service, &sid, r#"42["x"]"#, headers).await.0,
            200,
            "{headers:?}"
        );
    }

    let cookie = ("cookie", "token=user:ann");
    let sid = join(&service, &[cookie]).await;
    let other = [("cookie", "token=user:bob")];
    assert_eq!(request(&service, &sid, "3", &other).await.0, 400);
    assert_eq!(
        request(&service, &sid, r#"42["x"]"#, &[cookie]).await.0,
        200
    );
}

#[tokio::test(start_paused = true)]
async fn row_26_a_session_belongs_to_its_address_where_that_is_wanted() {
    let proxies = || TrustedProxies::new(["192.0.2.9"]).unwrap();
    let by = |io: &SocketIo<User>, address: &str| {
        let peer = std::net::SocketAddr::new(address.parse().unwrap(), 1);
        io.service().peer(peer)
    };
    let mine = [("authorization", "Bearer user:ann")];
    for binds in [true, false] {
        let builder = SocketIo::builder().trusted_proxies(proxies());
        let io = guarded(builder.bind_peer(binds));
        let sid = join(&by(&io, "192.0.2.1"), &mine).await;
        let told = |address| {
            let service = by(&io, address);
            let sid = sid.clone();
            async move { request(&service, &sid, r#"42["x"]"#, &mine).await.0 }
        };
        let elsewhere = if binds { 400 } else { 200 };
        assert_eq!(told("192.0.2.2").await, elsewhere);
        // The same address as IPv6 writes it.
        assert_eq!(told("::ffff:192.0.2.1").await, 200);

        let proxy = by(&io, "192.0.2.9");
        let behind = |address| [mine[0], ("x-forwarded-for", address)];
        let sid = join(&proxy, &behind("198.51.100.1")).await;
        let told = async |address| {
            let headers = behind(address);
            request(&proxy, &sid, r#"42["x"]"#, &headers).await.0
        };
        assert_eq!(told("198.51.100.1").await, 200);
        assert_eq!(told("198.51.100.2").await, elsewhere);
    }
}

#[tokio::test(start_paused = true)]
async fn row_26_an_upgrade_with_another_credential_is_refused() {
    let io = guarded(SocketIo::builder());
    let service = io.service();
    let sid = join(&service, &[("authorization", "Bearer user:ann")]).await;
    let upgrade = http::Request::builder()
        .header("host", "test")
        .uri(format!("/socket.io/?EIO=4&transport=websocket&sid={sid}"))
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("authorization", "Bearer user:bob")
        .body(Full::<Bytes>::default())
        .unwrap();
    let response = hyper::service::Service::call(&service, upgrade)
        .await
        .unwrap();
    assert_eq!(response.status(), 400);
    assert_eq!(io.connection_count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_credential_that_did_not_authenticate_binds_nothing() {
    let io = guarded(SocketIo::builder());
    let service = io.service();
    let stale = [("authorization", "Bearer bad")];
    let (_, opening) = request(&service, "", "", &stale).await;
    let sid = opening.split('"').nth(3).unwrap();
    let fresh = [("authorization", "Bearer user:ann")];
    assert_eq!(request(&service, sid, "40", &fresh).await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn a_proof_holds_for_its_own_connection_only() {
    const URL: &str = "https://chat.example/socket.io/";
    let mint = TokenMint::new(Algorithm::Hs256).issuer("https://id.example");
    let holder = TokenMint::new(Algorithm::Es256);
    let jwt = JwtAuthenticator::<serde_json::Value>::builder()
        .key(mint.verifying_key())
        .issuer("https://id.example")
        .any_audience()
        .proof_of_possession(ProofOfPossession::for_url(URL))
        .build()
        .unwrap();
    let source = ProvenAuthField {
        token: "token",
        proof: "proof",
    };
    let io = SocketIo::builder()
        .authenticate(InHandshake::new(jwt).sources(source))
        .build()
        .unwrap();
    io.namespace("/")
        .on("x", |_, (): ()| async {})
        .open()
        .unwrap();
    let (mut mine, mut theirs) = (TestClient::open(&io).await, TestClient::open(&io).await);
    let confirmation = serde_json::json!({ "jkt": holder.thumbprint() });
    let token = mint.token("ann").claim("cnf", confirmation).sign();
    let session = mine.opening().split('"').nth(3).unwrap();
    let proof = holder.proof(&token, session, URL).sign();
    let stolen = format!(r#"{{"token":"{token}","proof":"{proof}"}}"#);
    let refused = theirs.join_with("/", &stolen).await;
    assert!(refused.contains("invalid_token"), "{refused}");
    let refused = theirs
        .join_with("/", &format!(r#"{{"token":"{token}"}}"#))
        .await;
    assert!(refused.starts_with("44"), "a token alone: {refused}");
    let reply = mine.join_with("/", &stolen).await;
    assert!(reply.starts_with("40{"), "{reply}");
}
