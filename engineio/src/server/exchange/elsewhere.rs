//! A request whose session another node has: read here, and passed on.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use http_body::Body as HttpBody;
use http_body_util::{BodyExt as _, Limited};
use tokio::time::timeout;

use super::respond::{Refused, decorate};
use super::response::{Answer, Response};
use crate::http::request::RequestView;
use crate::http::{Handshake, Query, Rejection};
use crate::nodes::Nodes;
use crate::server::nodes::link::Unreached;
use crate::server::nodes::pass_on::{Returned, pass_on};
use crate::server::session::shared::HubOf;
use crate::server::transport::polling::Content;
use crate::server::transport::tunnel::Tunnel;
use crate::session_id::SessionId;
use crate::trace;

/// Another node.
pub(crate) struct Place<'h> {
    nodes: &'h Nodes,
    address: Arc<str>,
}

/// Where a request is to be passed on to. One that another node has passed on stays here.
pub(crate) fn place_of<'h, D>(
    hub: &'h HubOf<D>,
    request: &RequestView<'_>,
    query: &Query<'_>,
) -> Option<Place<'h>> {
    let nodes = hub.config.nodes.as_ref()?;
    if request.is_passed_on() {
        return None;
    }
    let address = nodes.address_of(&SessionId::parse(query.sid.as_deref()?)?)?;
    Some(Place { nodes, address })
}

/// Has the node answer that has the session of a request.
pub(crate) async fn answer<D, B>(
    hub: &Arc<HubOf<D>>,
    request: &RequestView<'_>,
    at: Place<'_>,
    content: Content<'_, B>,
    is_upgrade: bool,
) -> Result<Answer<D>, Refused>
where
    D: Send + Sync + 'static,
    B: HttpBody<Data = Bytes> + Send,
{
    let Place { nodes, address } = at;
    // Here, so that what is no handshake is answered as one that stays.
    let handshake = is_upgrade.then(|| Handshake::parse(request)).transpose();
    let accept = handshake
        .map_err(Refused::Handshake)?
        .and_then(|handshake| handshake.accept);
    let content = if request.method() == Method::POST {
        match read(hub, content).await {
            Ok(content) => content,
            Err(Unread::TooLarge) => {
                let mut response = Response::empty(StatusCode::PAYLOAD_TOO_LARGE);
                decorate(hub, request, &mut response);
                return Ok(Answer::Response(response));
            }
            // As for a session that is here: whoever does not send its body is not answered.
            Err(Unread::Incomplete) => {
                return Ok(Answer::Response(Response::destroyed()));
            }
        }
    } else {
        Bytes::new()
    };
    // What may wait for a client, as base64 in an answer to a poll.
    let answer_limit = hub.config.max_queued_bytes.saturating_mul(2);
    let passed = pass_on(
        nodes,
        &hub.links,
        &address,
        request,
        content,
        answer_limit,
        is_upgrade,
    );
    match passed.await {
        Ok(Returned::Response(mut response)) => {
            if is_upgrade && !request.is_extended_connect() {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            Ok(Answer::Response(response.into()))
        }
        Ok(Returned::Stream(headers, stream)) => {
            let limit = hub.config.write_timeout;
            let tunnel = Tunnel::new(accept, headers, stream, limit);
            Ok(Answer::Tunnel(tunnel))
        }
        Err(Unreached::Busy) => Err(Refused::Busy("too many requests are with another node")),
        Err(Unreached::Gone) => {
            trace::warn!(
                node = &*address,
                "a node cannot be reached, and with it its sessions"
            );
            // The client begins anew.
            Err(Refused::Rejection(
                Rejection::SessionUnknown,
                "the node that has the session cannot be reached",
            ))
        }
    }
}

/// Why a body is not passed on.
enum Unread {
    TooLarge,
    /// It did not come in time, or its connection failed.
    Incomplete,
}

/// The body of a POST, within the bounds that it would have where its session is.
async fn read<D, B>(hub: &HubOf<D>, content: Content<'_, B>) -> Result<Bytes, Unread>
where
    B: HttpBody<Data = Bytes>,
{
    let limit = hub.config.max_payload;
    let body = match content {
        Content::Whole(bytes) if bytes.len() > limit => return Err(Unread::TooLarge),
        Content::Whole(bytes) => return Ok(Bytes::copy_from_slice(bytes)),
        Content::Coming(body) => body,
    };
    if body.size_hint().lower() > limit as u64 {
        return Err(Unread::TooLarge);
    }
    let body = Limited::new(Box::pin(body).map_err(|_| Broken), limit);
    match timeout(hub.config.body_timeout, body.collect()).await {
        Ok(Ok(content)) => Ok(content.to_bytes()),
        Ok(Err(error)) if !error.is::<Broken>() => Err(Unread::TooLarge),
        Ok(Err(_)) | Err(_) => Err(Unread::Incomplete),
    }
}

/// The connection of the body failed.
#[derive(Debug)]
struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the body did not come")
    }
}

impl std::error::Error for Broken {}
