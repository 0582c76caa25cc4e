//! What is to be kept of the request that a connection begins with.

use std::any::Any;
use std::sync::Arc;

use engineio::RequestView;

use super::server::SocketIoBuilder;
use crate::live::keeping::KeptHeaders;
use crate::type_map::AnyValue;

impl<D> SocketIoBuilder<D> {
    /// Keeps of the opening request's headers only these, whatever their case, and the `Origin`; all by default. Those that
    /// carry credentials are not kept by their name either: cookies are by [`keep_cookies`](Self::keep_cookies).
    ///
    /// Each connection takes memory for what it keeps: a browser sends about 500 bytes of headers.
    pub fn keep_only_headers<N: AsRef<str>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        let names = names.into_iter().map(|name| name.as_ref().into());
        self.settings.keeping.headers = KeptHeaders::Only(names.collect());
        self
    }

    /// Keeps these cookies of the opening request, for [`Handshake::cookie`](crate::Handshake::cookie); none by default. A
    /// cookie may be a credential, and is then as long in memory as its connection. It is in nothing that other servers, the
    /// books or a log are told.
    ///
    /// ```
    /// use socketio::{ConnectError, Socket, SocketIo};
    ///
    /// # fn main() -> Result<(), socketio::BuildError> {
    /// let io = SocketIo::builder().keep_cookies(["theme"]).build()?;
    /// io.namespace("/")
    ///     .on_connect(|socket: Socket| async move {
    ///         let theme = socket.handshake().cookie("theme").unwrap_or("light").to_owned();
    ///         socket.join(format!("theme:{theme}"))
    ///     })
    ///     .open()?;
    /// # Ok(()) }
    /// ```
    pub fn keep_cookies<N: AsRef<str>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        let names = names.into_iter().map(|name| name.as_ref().into());
        self.settings.keeping.cookies.extend(names);
        self
    }

    /// Keeps what a layer around [`service`](crate::SocketIo::service) has put into the extensions of the opening request
    /// and has this type: the session of a session layer, the user of a login layer, an id of the request. Middleware and
    /// handlers have it from [`Handshake::extension`](crate::Handshake::extension), the sources of a policy do not. Nothing
    /// is kept by default, and nothing is there on connections that the server accepts itself.
    ///
    /// What it is at that moment is what it stays; a session that is shared, as those of tower-sessions are, goes on being
    /// the same.
    ///
    /// ```
    /// use socketio::{Socket, SocketIo};
    ///
    /// /// What a layer of the application puts into requests.
    /// #[derive(Clone)]
    /// struct CurrentUser {
    ///     name: String,
    /// }
    ///
    /// # fn main() -> Result<(), socketio::BuildError> {
    /// let io = SocketIo::builder().keep_extension::<CurrentUser>().build()?;
    /// io.namespace("/")
    ///     .middleware(|socket: Socket| async move {
    ///         let user = socket.handshake().extension::<CurrentUser>().ok_or("log in first")?;
    ///         socket.join(format!("user:{}", user.name))?;
    ///         Ok(())
    ///     })
    ///     .open()?;
    /// # Ok(()) }
    /// ```
    pub fn keep_extension<T: Clone + Any + Send + Sync>(self) -> Self {
        self.keep_of_request(|request| request.extension::<T>().cloned())
    }

    /// Keeps what a function makes of the opening request, for [`Handshake::extension`](crate::Handshake::extension): any
    /// header or cookie, several things at once, already parsed. With several functions of one type the last that gives
    /// something counts. It is called once for each connection, before anything else about it, and must not block. A panic
    /// refuses the connection with status 500.
    ///
    /// ```
    /// use socketio::{Ack, SocketIo};
    ///
    /// /// The languages that a browser asks for.
    /// struct Languages(Vec<String>);
    ///
    /// # fn main() -> Result<(), socketio::BuildError> {
    /// let io = SocketIo::builder()
    ///     .keep_of_request(|request| {
    ///         let languages = request.header_str("accept-language")?.split(',');
    ///         Some(Languages(languages.map(|one| one.trim().to_owned()).collect()))
    ///     })
    ///     .build()?;
    /// io.namespace("/")
    ///     .on("languages", |socket, (): ()| async move {
    ///         let languages = socket.handshake().extension::<Languages>();
    ///         Ack(languages.map(|languages| languages.0.clone()))
    ///     })
    ///     .open()?;
    /// # Ok(()) }
    /// ```
    pub fn keep_of_request<T, F>(mut self, keep: F) -> Self
    where
        T: Any + Send + Sync,
        F: for<'r> Fn(&RequestView<'r>) -> Option<T> + Send + Sync + 'static,
    {
        self.settings.keeping.hooks.push(Arc::new(move |request| {
            keep(request).map(|kept| -> AnyValue { Arc::new(kept) })
        }));
        self
    }
}
