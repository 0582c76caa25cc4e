//! A request of a session that another node has, on its way there and back.

use std::sync::Arc;

use bytes::Bytes;
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::ext::Protocol;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;

use super::card;
use super::link::{Links, StreamPlace, Unreached};
use crate::body::Body;
use crate::http::request::RequestView;
use crate::nodes::Nodes;

/// What the other node has answered.
pub(crate) enum Returned {
    Response(http::Response<Body>),
    /// The stream of a WebSocket, and the headers of the answer.
    Stream(HeaderMap, NodeStream),
}

/// A stream of bytes from another node.
pub(crate) struct NodeStream {
    pub(crate) io: TokioIo<Upgraded>,
    pub(crate) place: StreamPlace,
}

/// Headers of one connection (RFC 9110 §7.6.1), those of a handshake on one, and what HTTP/2 says by other means.
const OF_CONNECTION: [HeaderName; 9] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::PROXY_AUTHENTICATE,
    header::SEC_WEBSOCKET_ACCEPT,
    header::SEC_WEBSOCKET_KEY,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

fn is_passed_on(name: &HeaderName) -> bool {
    !OF_CONNECTION.contains(name)
        && !card::is_ours(name)
        && !matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

/// Passes a request on. `answer_limit` bounds the bytes of its answer.
pub(crate) async fn pass_on(
    nodes: &Nodes,
    links: &Links,
    address: &Arc<str>,
    request: &RequestView<'_>,
    content: Bytes,
    answer_limit: usize,
    is_upgrade: bool,
) -> Result<Returned, Unreached> {
    let outgoing = outgoing(nodes, request, content, is_upgrade).ok_or(Unreached::Gone)?;
    let (mut response, place) = links.send(address, outgoing).await?;
    let mut headers = HeaderMap::new();
    let passed = response.headers().iter();
    headers.extend(
        passed
            .filter(|(name, _)| is_passed_on(name))
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    let status = response.status();
    if is_upgrade && status == StatusCode::OK {
        let upgraded = hyper::upgrade::on(&mut response).await;
        let io = TokioIo::new(upgraded.map_err(|_| Unreached::Gone)?);
        return Ok(Returned::Stream(headers, NodeStream { io, place }));
    }
    let content = Limited::new(response.into_body(), answer_limit)
        .collect()
        .await;
    let content = content.map_err(|_| Unreached::Gone)?.to_bytes();
    drop(place);
    let mut answer = http::Response::new(Body::full(content));
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    Ok(Returned::Response(answer))
}

fn outgoing(
    nodes: &Nodes,
    request: &RequestView<'_>,
    content: Bytes,
    is_upgrade: bool,
) -> Option<http::Request<Full<Bytes>>> {
    let method = if is_upgrade {
        &Method::CONNECT
    } else {
        request.method()
    };
    // What the client has called the server is compared with the origin of a page.
    let host = request
        .header("host")
        .and_then(|host| Authority::try_from(host).ok());
    let target = format!("{}?{}", request.path(), request.query());
    let uri = Uri::builder()
        .scheme(Scheme::HTTP)
        .authority(host.unwrap_or_else(|| Authority::from_static("node")))
        .path_and_query(target)
        .build()
        .ok()?;
    let mut outgoing = http::Request::new(Full::new(content));
    *outgoing.method_mut() = method.clone();
    *outgoing.uri_mut() = uri;
    *outgoing.version_mut() = http::Version::HTTP_2;
    if is_upgrade {
        outgoing
            .extensions_mut()
            .insert(Protocol::from_static("websocket"));
    }
    let headers = outgoing.headers_mut();
    for (name, value) in request.header_fields() {
        let name = HeaderName::from_bytes(name).ok()?;
        if is_passed_on(&name) {
            headers.append(name, HeaderValue::from_bytes(value).ok()?);
        }
    }
    card::write(nodes, request, headers);
    Some(outgoing)
}
