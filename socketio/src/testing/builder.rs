//! How a client in memory opens its connection.

use std::net::SocketAddr;

use http::Extensions;

/// How a [`TestClient`](super::TestClient) opens its connection.
///
/// ```
/// use socketio::{SocketIo, testing::TestClient};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), socketio::BuildError> {
/// let io = SocketIo::builder().engine(|config| config.path("/chat/")).build()?;
/// let client = TestClient::builder()
///     .path("/chat/")
///     .header("Authorization", "Bearer secret")
///     .peer("192.0.2.1:4000".parse().unwrap())
///     .open(&io)
///     .await;
/// # let _ = client; Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is opened before `open`"]
pub struct TestClientBuilder {
    path: String,
    query: String,
    headers: String,
    pub(super) peer: Option<SocketAddr>,
    pub(super) extensions: Extensions,
}

impl TestClientBuilder {
    pub(super) fn new() -> Self {
        Self {
            path: "/socket.io/".to_owned(),
            query: String::new(),
            headers: String::new(),
            peer: None,
            extensions: Extensions::new(),
        }
    }

    /// The path asked for; `/socket.io/` by default.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// More query parameters, `EIO=3&token=x` for instance. They win over the client's own.
    pub fn query(mut self, query: impl Into<String>) -> Self {
        self.query = query.into();
        self
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// The address the connection comes from; none by default.
    pub fn peer(mut self, peer: SocketAddr) -> Self {
        self.peer = Some(peer);
        self
    }

    /// Adds what a layer around the server would put into the request's extensions: a session, a user. It is what
    /// [`keep_extension`](crate::SocketIoBuilder::keep_extension) keeps, and what authenticators and hooks see.
    ///
    /// ```
    /// use socketio::{Ack, SocketIo, testing::TestClient};
    ///
    /// #[derive(Clone)]
    /// struct User(String);
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), socketio::BuildError> {
    /// let io = SocketIo::builder().keep_extension::<User>().build()?;
    /// io.namespace("/")
    ///     .on("whoami", |socket, (): ()| async move {
    ///         Ack(socket.handshake().extension::<User>().map(|user| user.0.clone()))
    ///     })
    ///     .open()?;
    /// let mut ann = TestClient::builder().extension(User("ann".to_owned())).open(&io).await;
    /// ann.connect("/", &()).await;
    /// assert_eq!(ann.emit_with_ack::<String>("whoami", &()).await, "ann");
    /// # Ok(()) }
    /// ```
    pub fn extension<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.extensions.insert(value);
        self
    }

    /// The opening request.
    pub(super) fn request(&self) -> String {
        let Self {
            path,
            query,
            headers,
            ..
        } = self;
        format!(
            "GET {path}?EIO=4&transport=websocket&{query} HTTP/1.1\r\nHost: test\r\n\
             Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        )
    }
}
