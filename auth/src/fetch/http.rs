//! A small HTTPS client: one connection per request, no redirects, everything bounded.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::http::uri::Scheme;
use hyper::{Method, Request, Response, Uri, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::exchange::{Fetch, FetchError, FetchRequest, FetchResponse};

/// From the lookup of the host's name to the last byte of the answer.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// How many redirects are followed for one request.
const MAX_REDIRECTS: usize = 3;

/// The longest answer of a proxy to the request for a tunnel.
const MAX_TUNNEL_HEAD_BYTES: usize = 8 * 1024;

/// [`Fetch`] over HTTP/1.1 and TLS 1.2 or 1.3, on tokio (feature `jwks-http`). A clone shares the trusted roots.
///
/// Each request has a connection of its own: key sets are asked for every few minutes, and a connection that is kept
/// costs more than one that is made. A redirect is an answer and is not followed, unless
/// [told so](Self::follow_redirects_on_the_host). No proxy is used, whatever the environment says, unless
/// [one is named](Self::proxy).
///
/// ```
/// use std::time::Duration;
/// use socketio_auth::fetch::HttpFetch;
///
/// # fn main() -> Result<(), socketio_auth::fetch::NoRoots> {
/// let client = HttpFetch::new()?.timeout(Duration::from_secs(3));
/// # let _ = client;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct HttpFetch {
    tls: TlsConnector,
    timeout: Duration,
    proxy: Option<Arc<Proxy>>,
    follows_redirects: bool,
}

/// Where requests go first.
struct Proxy {
    host: String,
    port: u16,
}

/// No root certificate could be read, so no server could be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoots;

impl fmt::Display for NoRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no root certificate to trust")
    }
}

impl std::error::Error for NoRoots {}

impl HttpFetch {
    /// A client that trusts the roots of this machine; `SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured. It reads
    /// files, so make it at start-up.
    ///
    /// # Errors
    ///
    /// [`NoRoots`] when there are none, as in an image without `ca-certificates`.
    pub fn new() -> Result<Self, NoRoots> {
        Self::trusting(rustls_native_certs::load_native_certs().certs)
    }

    /// A client that trusts the certificates of this PEM text and no others.
    ///
    /// # Errors
    ///
    /// [`NoRoots`] when it holds none.
    pub fn with_roots(pem: &str) -> Result<Self, NoRoots> {
        Self::trusting(CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(Result::ok))
    }

    fn trusting(
        certificates: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> Result<Self, NoRoots> {
        let mut roots = RootCertStore::empty();
        // Machines have roots that cannot be parsed among good ones.
        roots.add_parsable_certificates(certificates);
        if roots.is_empty() {
            return Err(NoRoots);
        }
        // Named, because the process-wide default of rustls may be another, or none.
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|_| NoRoots)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
            timeout: DEFAULT_TIMEOUT,
            proxy: None,
            follows_redirects: false,
        })
    }

    /// How long one request may take as a whole; 5 s by default. Keep it below the policy's `verify_timeout` where
    /// clients wait for it.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sends requests through the HTTP proxy at this host and port. `https` goes through a tunnel (RFC 9110 §9.3.6), in which
    /// the proxy sees the names of hosts and nothing else; of an `http` URL it sees and can change everything.
    #[must_use]
    pub fn proxy(mut self, host: impl Into<String>, port: u16) -> Self {
        let host = host.into();
        self.proxy = Some(Arc::new(Proxy { host, port }));
        self
    }

    /// Follows up to three redirects of a GET to the same scheme, host and port; off by default. Others stay answers: whoever
    /// can name the next host can have requests sent from inside your network.
    #[must_use]
    pub const fn follow_redirects_on_the_host(mut self) -> Self {
        self.follows_redirects = true;
        self
    }

    async fn exchange(&self, mut request: FetchRequest) -> Result<FetchResponse, FetchError> {
        for _ in 0..MAX_REDIRECTS {
            let answer = self.exchange_once(&request).await?;
            let is_redirect = matches!(answer.status(), 301 | 302 | 303 | 307 | 308);
            let next = match answer.header("location") {
                Some(to) if self.follows_redirects && is_redirect && request.form().is_none() => {
                    on_the_host(request.url(), to)
                }
                _ => None,
            };
            match next {
                Some(next) => request = request.at(next),
                None => return Ok(answer),
            }
        }
        self.exchange_once(&request).await
    }

    /// A connection to where requests for this host go.
    async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, FetchError> {
        let (host, port) = match self.proxy.as_deref() {
            Some(proxy) => (&*proxy.host, proxy.port),
            None => (host, port),
        };
        TcpStream::connect((host, port)).await.map_err(failed)
    }

    async fn exchange_once(&self, request: &FetchRequest) -> Result<FetchResponse, FetchError> {
        let uri: Uri = request.url().parse().map_err(failed)?;
        let authority = uri
            .authority()
            .ok_or_else(|| failed("the URL has no host"))?;
        let host = authority.host().trim_matches(['[', ']']);
        let is_secure = uri.scheme() == Some(&Scheme::HTTPS);
        let port = authority
            .port_u16()
            .unwrap_or(if is_secure { 443 } else { 80 });
        let is_proxied = self.proxy.is_some();
        let message = message(&uri, authority.as_str(), request, is_proxied && !is_secure)?;
        let max = request.max_body_bytes();
        let mut stream = self.connect(host, port).await?;
        if is_secure {
            if is_proxied {
                open_tunnel(&mut stream, authority.host(), port).await?;
            }
            let name = ServerName::try_from(host.to_owned()).map_err(failed)?;
            let stream = self.tls.connect(name, stream).await.map_err(failed)?;
            send(stream, message, max).await
        } else {
            send(stream, message, max).await
        }
    }
}

impl Fetch for HttpFetch {
    async fn fetch(&self, request: FetchRequest) -> Result<FetchResponse, FetchError> {
        tokio::time::timeout(self.timeout, Box::pin(self.exchange(request)))
            .await
            .unwrap_or(Err(FetchError::Timeout))
    }
}

/// Asks the proxy at the other end for a tunnel, and reads its answer to the end of the head and not a byte further.
async fn open_tunnel(stream: &mut TcpStream, host: &str, port: u16) -> Result<(), FetchError> {
    let ask = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.map_err(failed)?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == MAX_TUNNEL_HEAD_BYTES {
            return Err(failed("the answer of the proxy is too long"));
        }
        head.push(stream.read_u8().await.map_err(failed)?);
    }
    let status = head
        .strip_prefix(b"HTTP/1.")
        .and_then(|rest| rest.get(2..5));
    match status {
        Some([b'2', _, _]) => Ok(()),
        Some(status) => Err(failed(format!(
            "the status of the proxy is {}",
            String::from_utf8_lossy(status)
        ))),
        None => Err(failed("the answer of the proxy is not HTTP")),
    }
}

/// Where a redirect leads, when that is the same scheme, host and port.
fn on_the_host(from: &str, to: &str) -> Option<Arc<str>> {
    let authority_end = from.find("://")? + "://".len();
    let path_at = from.get(authority_end..)?.find(['/', '?', '#']);
    let origin = match path_at {
        Some(at) => from.get(..authority_end + at)?,
        None => from,
    };
    if to.starts_with('/') && !to.starts_with("//") {
        return Some(format!("{origin}{to}").into());
    }
    let rest = to.strip_prefix(origin)?;
    (rest.is_empty() || rest.starts_with(['/', '?'])).then(|| to.into())
}

fn message(
    uri: &Uri,
    host: &str,
    request: &FetchRequest,
    is_whole_url: bool,
) -> Result<Request<Full<Bytes>>, FetchError> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let target = if is_whole_url { request.url() } else { path };
    let mut message = Request::builder()
        .uri(target)
        .header(header::HOST, host)
        .header(header::CONNECTION, "close")
        .header(header::USER_AGENT, "socketio-auth");
    for (name, value) in request.headers() {
        message = message.header(name, value);
    }
    let body = match request.form() {
        None => Bytes::new(),
        Some(form) => {
            message = message
                .method(Method::POST)
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            Bytes::copy_from_slice(form.as_bytes())
        }
    };
    message.body(Full::new(body)).map_err(failed)
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    message: Request<Full<Bytes>>,
    max_body_bytes: usize,
) -> Result<FetchResponse, FetchError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(failed)?;
    let mut exchange = pin!(async {
        let response = sender.send_request(message).await.map_err(failed)?;
        collect(response, max_body_bytes).await
    });
    // Both halves are driven here rather than in a task, so that dropping the future ends the connection.
    let mut connection = pin!(connection);
    let mut is_connected = true;
    poll_fn(|cx| {
        if is_connected && connection.as_mut().poll(cx).is_ready() {
            // If it broke, the other half learns why.
            is_connected = false;
        }
        match exchange.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

async fn collect(response: Response<Incoming>, max: usize) -> Result<FetchResponse, FetchError> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, max).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            FetchError::TooLarge
        } else {
            failed(error)
        }
    })?;
    let mut answer = FetchResponse::new(head.status.as_u16(), body.to_bytes().to_vec());
    for name in [header::ETAG, header::CACHE_CONTROL, header::LOCATION] {
        if let Some(value) = head
            .headers
            .get(&name)
            .and_then(|value| value.to_str().ok())
        {
            answer = answer.with_header(name.as_str(), value);
        }
    }
    Ok(answer)
}

/// These errors tell of addresses and certificates, not of what was sent.
fn failed(error: impl fmt::Display) -> FetchError {
    FetchError::Failed(error.to_string().into())
}

/// Shows the timeout only.
impl fmt::Debug for HttpFetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpFetch")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
