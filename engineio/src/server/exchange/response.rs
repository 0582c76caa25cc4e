//! What a request is answered with.

use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::body::Body;
use crate::header_list::HeaderList;
#[cfg(feature = "nodes")]
use crate::server::transport::tunnel::Tunnel;
use crate::server::transport::upgrade::Upgrade;

/// What a request comes to.
pub(crate) enum Answer<D: Send + Sync + 'static> {
    Response(Response),
    /// Switch protocols, then run the WebSocket.
    Upgrade(Box<Upgrade<D>>),
    /// Switch protocols, then carry the bytes of a WebSocket whose session another node has.
    #[cfg(feature = "nodes")]
    Tunnel(Box<Tunnel>),
}

/// An answer whose headers are a list until somebody wants a map of them. To make, fill, read and drop a map took 900
/// instructions of every request to polling.
pub(crate) struct Response {
    status: StatusCode,
    body: Body,
    list: HeaderList,
    /// What stands for status and list once it is there, with all else that an application may have put into its answer.
    parts: Option<Box<Parts>>,
}

impl Response {
    pub(crate) fn new(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self::with(status, Body::full(body))
    }

    pub(crate) const fn empty(status: StatusCode) -> Self {
        Self::with(status, Body::empty())
    }

    /// The connection ends without an answer.
    pub(crate) const fn destroyed() -> Self {
        Self::with(StatusCode::OK, Body::destroyed())
    }

    const fn with(status: StatusCode, body: Body) -> Self {
        Self {
            status,
            body,
            list: HeaderList::new(),
            parts: None,
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.parts
            .as_ref()
            .map_or(self.status, |parts| parts.status)
    }

    /// Adds a header, behind others of that name.
    pub(crate) fn add(&mut self, name: HeaderName, value: HeaderValue) {
        match &mut self.parts {
            Some(parts) => {
                parts.headers.append(name, value);
            }
            None => self.list.push(name, value),
        }
    }

    pub(crate) fn headers(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        let map = self.parts.iter().flat_map(|parts| &parts.headers);
        self.list.iter().chain(map)
    }

    /// The headers as a map, for hooks of the application.
    pub(crate) fn headers_mut(&mut self) -> &mut HeaderMap {
        let (status, list) = (self.status, &mut self.list);
        let parts = self.parts.get_or_insert_with(|| {
            let (mut parts, ()) = http::Response::new(()).into_parts();
            parts.status = status;
            list.move_to(&mut parts.headers);
            Box::new(parts)
        });
        &mut parts.headers
    }

    /// All of the body; `None` when the connection is to end without an answer.
    pub(crate) fn body(&self) -> Option<&[u8]> {
        self.body.as_bytes()
    }

    /// The same for a hyper server.
    pub(crate) fn into_http(mut self) -> http::Response<Body> {
        self.headers_mut();
        match self.parts {
            Some(parts) => http::Response::from_parts(*parts, self.body),
            None => http::Response::new(self.body),
        }
    }
}

impl From<http::Response<Body>> for Response {
    fn from(response: http::Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        Self {
            parts: Some(Box::new(parts)),
            ..Self::with(StatusCode::OK, body)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(response: &Response) -> Vec<String> {
        let line = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{name}: {}", value.to_str().unwrap())
        };
        response.headers().map(line).collect()
    }

    fn header(name: &'static str, value: &'static str) -> (HeaderName, HeaderValue) {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    }

    #[test]
    fn headers_are_the_same_as_a_list_and_as_a_map() {
        let mut response = Response::new(StatusCode::CREATED, "b");
        for (name, value) in [header("a", "1"), header("b", "2"), header("a", "3")] {
            response.add(name, value);
        }
        assert_eq!(said(&response), ["a: 1", "b: 2", "a: 3"]);
        response.headers_mut().remove("b");
        let (name, value) = header("c", "4");
        response.add(name, value);
        assert_eq!(said(&response), ["a: 1", "a: 3", "c: 4"]);
        assert_eq!(response.status(), StatusCode::CREATED);
        let response = response.into_http();
        assert_eq!(response.status(), StatusCode::CREATED);
        assert_eq!(response.headers().len(), 3);
        assert_eq!(response.into_body().as_bytes().unwrap(), b"b");
    }

    #[test]
    fn an_answer_of_the_application_keeps_what_it_has() {
        let mut response = http::Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.extensions_mut().insert(7_u8);
        let mut response = Response::from(response);
        let (name, value) = header("a", "1");
        response.add(name, value);
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
        let response = response.into_http();
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(response.extensions().get(), Some(&7_u8));
        assert_eq!(response.headers().len(), 1);
    }
}
