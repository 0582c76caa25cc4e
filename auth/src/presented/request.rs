//! What authentication may see of a request, without naming an HTTP library.

use std::any::Any;
use std::fmt;
use std::net::SocketAddr;

use serde_json::Value;

use super::payload_text::{Field, PayloadText};

/// The stored handshake of a connection, as the server keeps it.
///
/// The server implements this over whatever it stores; nothing needs to be copied to answer.
pub trait RequestSource {
    /// Calls `found` with the bytes of every header called `name` (ASCII case does not matter), in order.
    fn headers(&self, name: &str, found: &mut dyn FnMut(&[u8]));

    /// Calls `found` with the decoded value of every query parameter called exactly `name`, in order.
    fn query(&self, name: &str, found: &mut dyn FnMut(&str));

    /// The address of the client, after trusted proxies were resolved.
    fn peer(&self) -> Option<SocketAddr>;

    /// What layers before the server have put beside the request, as the one value that the server's HTTP library keeps it in.
    /// Nothing unless overridden.
    fn extensions(&self) -> Option<&dyn Any> {
        None
    }
}

/// A request with nothing in it: for CONNECT packets when the credentials of the HTTP request were extracted
/// before, and for tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoRequest;

impl RequestSource for NoRequest {
    fn headers(&self, _name: &str, _found: &mut dyn FnMut(&[u8])) {}

    fn query(&self, _name: &str, _found: &mut dyn FnMut(&str)) {}

    fn peer(&self) -> Option<SocketAddr> {
        None
    }
}

/// A look at one handshake: the request, and the payload of the CONNECT packet when there is one.
///
/// ```
/// use serde_json::json;
/// use socketio_auth::{HandshakeView, server::NoRequest};
///
/// let payload = json!({ "token": "abc" });
/// let view = HandshakeView::new(&NoRequest).with_payload(Some(&payload));
/// assert_eq!(view.payload(), Some(&payload));
/// assert_eq!(view.origin(), None);
/// ```
#[derive(Clone, Copy)]
pub struct HandshakeView<'a> {
    request: &'a dyn RequestSource,
    payload: Payload<'a>,
}

#[derive(Clone, Copy)]
enum Payload<'a> {
    None,
    Value(&'a Value),
    Text(&'a PayloadText<'a>),
}

impl<'a> HandshakeView<'a> {
    /// A view of `request` without a CONNECT payload.
    #[must_use]
    pub fn new(request: &'a dyn RequestSource) -> Self {
        Self {
            request,
            payload: Payload::None,
        }
    }

    /// Adds the `auth` payload of the CONNECT packet.
    #[must_use]
    pub const fn with_payload(mut self, payload: Option<&'a Value>) -> Self {
        self.payload = match payload {
            Some(value) => Payload::Value(value),
            None => Payload::None,
        };
        self
    }

    /// Adds the `auth` payload of the CONNECT packet as it was received.
    #[must_use]
    pub const fn with_payload_text(mut self, payload: &'a PayloadText<'a>) -> Self {
        self.payload = Payload::Text(payload);
        self
    }

    /// Calls `found` with every value of a header, in order.
    pub fn headers(&self, name: &str, mut found: impl FnMut(&[u8])) {
        self.request.headers(name, &mut found);
    }

    /// Calls `found` with every decoded value of a query parameter, in order.
    pub fn query(&self, name: &str, mut found: impl FnMut(&str)) {
        self.request.query(name, &mut found);
    }

    /// The first value of a header, when it is UTF-8.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let mut first = None;
        self.headers(name, |value| {
            if first.is_none() {
                first = Some(std::str::from_utf8(value).map(str::to_owned).ok());
            }
        });
        first.flatten()
    }

    /// The `Origin` header: the page that a browser acts for, absent for other clients.
    #[must_use]
    pub fn origin(&self) -> Option<String> {
        self.header("origin")
    }

    /// The address of the client.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.request.peer()
    }

    /// What layers before the server have put beside the opening request, a session for instance, as the type that the server
    /// keeps it in. That of `socketio` is `http::Extensions`, where the request came by its service: behind hyper, axum or
    /// tower.
    ///
    /// ```
    /// # mod http { pub struct Extensions; impl Extensions { pub fn get<T>(&self) -> Option<&T> { None } } }
    /// use socketio_auth::{Credential, CredentialSource, Extract, HandshakeView, SourceKind};
    ///
    /// /// What a layer of the application found out.
    /// struct Session {
    ///     id: String,
    /// }
    ///
    /// struct OfLayer;
    ///
    /// impl CredentialSource for OfLayer {
    ///     fn extract(&self, request: &HandshakeView<'_>) -> Extract {
    ///         let extensions = request.extensions::<http::Extensions>();
    ///         match extensions.and_then(|extensions| extensions.get::<Session>()) {
    ///             Some(session) => Extract::Found(Credential::new(&*session.id, SourceKind::Custom)),
    ///             None => Extract::Absent,
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// A client can write the same text into its payload: an authenticator that believes what a layer said has to see that
    /// the credential's [source](crate::Credential::source) is [`Custom`](crate::SourceKind::Custom).
    #[must_use]
    pub fn extensions<E: Any>(&self) -> Option<&'a E> {
        self.request.extensions()?.downcast_ref()
    }

    /// The `auth` payload of the CONNECT packet.
    #[must_use]
    pub fn payload(&self) -> Option<&'a Value> {
        match self.payload {
            Payload::None => None,
            Payload::Value(value) => Some(value),
            Payload::Text(text) => text.value(),
        }
    }

    /// One field of the payload, if that is an object.
    pub(crate) fn payload_field(&self, name: &str) -> Field<'a> {
        match self.payload {
            Payload::None => Field::Absent,
            Payload::Value(value) => Field::of(value.get(name)),
            Payload::Text(text) => text.field(name),
        }
    }
}

/// Shows the address only: headers, query and payload may hold credentials.
impl fmt::Debug for HandshakeView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandshakeView")
            .field("peer", &self.peer())
            .finish_non_exhaustive()
    }
}
