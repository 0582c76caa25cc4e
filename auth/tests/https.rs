//! The HTTPS client against servers that answer once. Not a part of the published package: it takes a private key.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use socketio_auth::{
    Secret,
    fetch::{Fetch as _, FetchError, FetchRequest, FetchResponse, HttpFetch, NoRoots},
};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

const ROOT: &str = include_str!("pem/root.pem");

fn client() -> HttpFetch {
    HttpFetch::with_roots(ROOT).unwrap()
}

/// Runs a fetch on a runtime of its own.
fn fetched(client: &HttpFetch, request: FetchRequest) -> Result<FetchResponse, FetchError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(client.fetch(request))
}

/// A server for one connection; its thread ends with what it was sent.
struct Server {
    port: u16,
    thread: JoinHandle<String>,
}

impl Server {
    fn plain(answer: impl Into<String>) -> Self {
        let answer = answer.into();
        Self::start(move |stream| exchange(stream, &answer))
    }

    fn secure(answer: &'static str) -> Self {
        let chain = CertificateDer::pem_slice_iter(include_bytes!("pem/localhost.pem"))
            .collect::<Result<Vec<_>, _>>()
            .unwrap();
        let key = PrivateKeyDer::from_pem_slice(include_bytes!("pem/localhost.key.pem"));
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key.unwrap())
            .unwrap();
        Self::start(move |stream| {
            let connection = ServerConnection::new(Arc::new(config)).unwrap();
            exchange(StreamOwned::new(connection, stream), answer)
        })
    }

    fn start(serve: impl FnOnce(TcpStream) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let thread = std::thread::spawn(move || serve(listener.accept().unwrap().0));
        Self { port, thread }
    }

    fn url(&self, scheme: &str, host: &str) -> Arc<str> {
        format!("{scheme}://{host}:{}/keys?v=1", self.port).into()
    }
}

/// Reads one request, its body included when there is one, and answers. What fails ends the exchange.
fn exchange(mut stream: impl Read + Write, answer: &str) -> String {
    let mut request = String::new();
    let mut byte = [0];
    let is_complete = |request: &str| match request.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("POST") => body.ends_with("end"),
        Some(_) => true,
        None => false,
    };
    while !is_complete(&request) && matches!(stream.read(&mut byte), Ok(1)) {
        request.push(char::from(byte[0]));
    }
    let _ = stream.write_all(answer.as_bytes());
    let _ = stream.flush();
    request
}

#[test]
fn a_request_is_sent_with_its_headers_and_the_answer_read() {
    let server = Server::plain(
        "HTTP/1.1 200 OK\r\nETag: \"v1\"\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\n\r\n{}",
    );
    let request = FetchRequest::get(server.url("http", "127.0.0.1"), 100)
        .with_header("if-none-match", Secret::new("\"v0\""));
    let response = fetched(&client(), request).unwrap();
    assert_eq!((response.status(), response.body()), (200, &b"{}"[..]));
    assert_eq!(response.header("etag"), Some("\"v1\""));
    assert_eq!(response.header("cache-control"), Some("max-age=60"));
    let port = server.port;
    let sent = server.thread.join().unwrap();
    assert!(sent.starts_with("GET /keys?v=1 HTTP/1.1\r\n"), "{sent}");
    assert!(sent.contains("if-none-match: \"v0\"\r\n"), "{sent}");
    assert!(
        sent.contains(&format!("host: 127.0.0.1:{port}\r\n")),
        "{sent}"
    );
}

#[cfg(feature = "introspection")]
#[test]
fn a_form_is_posted() {
    let server = Server::plain("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let request = FetchRequest::get(server.url("http", "localhost"), 100)
        .with_form(Secret::new("token=a&at=end"));
    assert_eq!(fetched(&client(), request).unwrap().status(), 200);
    let sent = server.thread.join().unwrap();
    assert!(sent.starts_with("POST "), "{sent}");
    assert!(sent.contains("application/x-www-form-urlencoded"), "{sent}");
    assert!(sent.ends_with("token=a&at=end"), "{sent}");
}

#[test]
fn a_body_of_the_limit_is_read_and_one_byte_more_is_not() {
    for (limit, expected) in [(5, Ok(200)), (4, Err(FetchError::TooLarge))] {
        // Chunked, so that no length is announced.
        let server = Server::plain(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n",
        );
        let request = FetchRequest::get(server.url("http", "127.0.0.1"), limit);
        let answer = fetched(&client(), request).map(|response| response.status());
        assert_eq!(answer, expected);
    }
}

#[test]
fn row_31_a_redirect_is_not_followed() {
    let server = Server::plain(
        "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n",
    );
    let request = FetchRequest::get(server.url("http", "127.0.0.1"), 100);
    assert_eq!(fetched(&client(), request).unwrap().status(), 302);
}

/// A server that takes several connections, one after the other.
fn serving(answers: Vec<String>) -> (u16, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = move || {
        let accept = |answer: &String| exchange(listener.accept().unwrap().0, answer);
        answers.iter().map(accept).collect()
    };
    (port, std::thread::spawn(serve))
}

#[test]
fn a_redirect_on_the_same_host_is_followed_when_told_so_and_no_other() {
    const END: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let to = |place: &str| {
        format!("HTTP/1.1 301 Moved Permanently\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n")
    };
    let follow = |answers: Vec<String>| {
        let (port, thread) = serving(answers);
        let url = format!("http://127.0.0.1:{port}/keys");
        let request = FetchRequest::get(url.into(), 100);
        let client = client().follow_redirects_on_the_host();
        let status = fetched(&client, request).unwrap().status();
        let asked = thread.join().unwrap();
        let paths = asked
            .iter()
            .map(|asked| asked.split(' ').nth(1).unwrap().to_owned());
        (status, paths.collect::<Vec<_>>())
    };
    assert_eq!(
        follow(vec![to("/v2?a=b"), END.into()]),
        (200, vec!["/keys".into(), "/v2?a=b".into()])
    );
    for elsewhere in [
        "//evil.example/",
        "http://evil.example/",
        "http://127.0.0.1:1/",
        "https://127.0.0.1/",
        "keys",
    ] {
        assert_eq!(follow(vec![to(elsewhere)]).0, 301, "{elsewhere}");
    }
    let in_a_circle = follow(vec![to("/keys"); 4]);
    assert_eq!(
        (in_a_circle.0, in_a_circle.1.len()),
        (301, 4),
        "three and no more"
    );
}

/// A proxy for one connection; its thread ends with the head that it was sent.
fn proxy(answer: &'static str, target: Option<u16>) -> (u16, JoinHandle<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = move || {
        let (mut near, _) = listener.accept().unwrap();
        let head = exchange(near.try_clone().unwrap(), answer);
        if let Some(target) = target {
            let mut far = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).unwrap();
            let (mut from, mut to) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            let up = std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            let _ = std::io::copy(&mut far, &mut near);
            let _ = near.shutdown(std::net::Shutdown::Both);
            let _ = up.join().unwrap();
        }
        head
    };
    (port, std::thread::spawn(serve))
}

#[test]
fn a_proxy_is_asked_for_a_tunnel_to_https_and_for_the_whole_url_otherwise() {
    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    let server = Server::secure(OK);
    let (port, thread) = proxy(
        "HTTP/1.1 200 Connection established\r\n\r\n",
        Some(server.port),
    );
    let through = client().proxy("127.0.0.1", port);
    let request = FetchRequest::get(server.url("https", "localhost"), 100);
    assert_eq!(fetched(&through, request).unwrap().body(), b"{}");
    let head = thread.join().unwrap();
    let wanted = format!("CONNECT localhost:{} HTTP/1.1\r\n", server.port);
    assert!(head.starts_with(&wanted), "{head}");

    let (port, thread) = proxy(OK, None);
    let through = client().proxy("127.0.0.1", port);
    let request = FetchRequest::get("http://keys.cluster.local/jwks".into(), 100);
    assert_eq!(fetched(&through, request).unwrap().body(), b"{}");
    let head = thread.join().unwrap();
    assert!(
        head.starts_with("GET http://keys.cluster.local/jwks HTTP/1.1\r\n"),
        "{head}"
    );

    for (refusal, why) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "407"),
        ("SSH-2.0-x\r\n\r\n", "not HTTP"),
    ] {
        let (port, _) = proxy(refusal, None);
        let through = client().proxy("127.0.0.1", port);
        let request = FetchRequest::get("https://id.example/jwks".into(), 100);
        let error = fetched(&through, request).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn a_server_that_does_not_answer_ends_in_a_timeout() {
    // The kernel completes the connection; nobody accepts it.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let hasty = client().timeout(Duration::from_millis(20));
    let answer = fetched(&hasty, FetchRequest::get(url.into(), 100)).map(|_| ());
    assert_eq!(answer, Err(FetchError::Timeout));
}

#[test]
fn a_connection_that_breaks_is_a_failure() {
    let server = Server::plain("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    let request = FetchRequest::get(server.url("http", "127.0.0.1"), 100);
    let answer = fetched(&client(), request);
    assert!(matches!(answer, Err(FetchError::Failed(_))), "{answer:?}");
}

#[test]
fn a_server_is_trusted_by_its_root_and_name() {
    const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    let answer = |client: &HttpFetch, host: &str| {
        let server = Server::secure(ANSWER);
        fetched(client, FetchRequest::get(server.url("https", host), 100))
    };
    assert_eq!(answer(&client(), "localhost").unwrap().body(), b"{}");
    let other = HttpFetch::with_roots(include_str!("pem/other_root.pem")).unwrap();
    assert!(matches!(
        answer(&other, "localhost"),
        Err(FetchError::Failed(_))
    ));
    assert!(matches!(
        answer(&client(), "127.0.0.1"),
        Err(FetchError::Failed(_))
    ));
}

#[test]
fn without_roots_there_is_no_client() {
    assert_eq!(HttpFetch::with_roots("").err(), Some(NoRoots));
    assert_eq!(
        HttpFetch::with_roots("not a certificate").err(),
        Some(NoRoots)
    );
}

#[cfg(any(feature = "jwt-aws-lc", feature = "jwt-rust-crypto"))]
#[test]
fn keys_are_fetched_in_tasks_of_tokio() {
    use socketio_auth::jwt::{Algorithm, JwksCache, JwtAuthenticator};
    use socketio_auth::testing::TokenMint;
    use socketio_auth::{AuthContext, Authenticator as _, Credential, Outcome, SourceKind};

    let mint = TokenMint::new(Algorithm::Es256);
    let (set, len) = (mint.jwks(), mint.jwks().len());
    let server = Server::plain(format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n{set}"
    ));
    let cache = JwksCache::over_http(&server.url("http", "127.0.0.1"), client()).unwrap();
    let jwt = JwtAuthenticator::<serde_json::Value>::builder()
        .any_issuer()
        .any_audience()
        .key_source(cache)
        .build()
        .unwrap();
    let token = Credential::new(mint.token("ann").sign(), SourceKind::Payload);
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(jwt.authenticate(&AuthContext::new("/"), &token));
    assert!(matches!(outcome, Outcome::Accept(_)), "{outcome:?}");
}
