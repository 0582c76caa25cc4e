//! Answers: the headers they have, and refusals in the form their kind of request expects.

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};

use super::response::Response;
#[cfg(feature = "compression")]
use crate::http as rules;
use crate::http::HandshakeError;
use crate::http::request::RequestView;
use crate::http::{ConnectionError, Rejection};
use crate::jsonp;
use crate::server::session::requests::PollBody;
use crate::server::session::shared::{HubOf, Shared};
use crate::server::transport::upgrade::Upgrade;
use crate::trace;

pub(crate) const HTML: HeaderValue = HeaderValue::from_static("text/html");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
pub(crate) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Why a request is refused.
pub(crate) enum Refused {
    Rejection(Rejection, &'static str),
    Handshake(HandshakeError),
    Busy(&'static str),
    /// The application panicked when it was asked what to keep for the session.
    Failed,
}

pub(crate) fn respond(
    status: StatusCode,
    content_type: HeaderValue,
    body: impl Into<Bytes>,
) -> Response {
    let mut response = Response::new(status, body);
    response.add(header::CONTENT_TYPE, content_type);
    response
}

/// The answer to a poll (EIO4-POL-14).
pub(crate) fn respond_payload<D: Send + Sync + 'static>(
    hub: &HubOf<D>,
    request: &RequestView<'_>,
    shared: &Shared<D>,
    body: PollBody,
) -> Response {
    let content_type = HeaderValue::from_static(body.content.content_type());
    let bytes = match &shared.jsonp {
        Some(index) => jsonp::jsonp_response(index, &String::from_utf8_lossy(&body.bytes)),
        None => body.bytes,
    };
    let (bytes, encoding) = if body.is_compressible {
        compress(hub, request, bytes)
    } else {
        (bytes, None)
    };
    let mut response = respond(StatusCode::OK, content_type, bytes);
    response.add(header::CACHE_CONTROL, NO_STORE);
    if let Some(encoding) = encoding {
        response.add(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    guard_old_browsers(request, &mut response);
    response
}

#[cfg(feature = "compression")]
fn compress<D>(
    hub: &HubOf<D>,
    request: &RequestView<'_>,
    bytes: Vec<u8>,
) -> (Vec<u8>, Option<&'static str>) {
    let is_large = hub
        .config
        .compression_threshold
        .is_some_and(|threshold| bytes.len() >= threshold);
    let encoding = request
        .header_str("accept-encoding")
        .filter(|_| is_large)
        .and_then(rules::accepted_encoding);
    match encoding.map(|encoding| (encoding, rules::compress(encoding, &bytes))) {
        Some((encoding, Ok(compressed))) => (compressed, Some(encoding.name())),
        _ => (bytes, None),
    }
}

#[cfg(not(feature = "compression"))]
fn compress<D>(
    _hub: &HubOf<D>,
    _request: &RequestView<'_>,
    bytes: Vec<u8>,
) -> (Vec<u8>, Option<&'static str>) {
    (bytes, None)
}

/// Internet Explorer took payloads for scripts (EIO4-POL-14).
pub(crate) fn guard_old_browsers(request: &RequestView<'_>, response: &mut Response) {
    let is_old = request
        .header_str("user-agent")
        .is_some_and(|agent| agent.contains(";MSIE") || agent.contains("Trident/"));
    if is_old {
        response.add(header::X_XSS_PROTECTION, HeaderValue::from_static("0"));
    }
}

/// Every OPTIONS is answered before any other check (EIO4-COR-02).
pub(crate) fn preflight<D: Send + Sync + 'static>(
    hub: &HubOf<D>,
    request: &RequestView<'_>,
) -> Response {
    let mut response = Response::empty(StatusCode::NO_CONTENT);
    response.add(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    decorate(hub, request, &mut response);
    if let Some(cors) = &hub.config.cors {
        cors.preflight_headers(request, &mut |name, value| response.add(name, value));
    }
    response
}

/// What configuration adds to every answer.
pub(crate) fn decorate<D>(hub: &HubOf<D>, request: &RequestView<'_>, response: &mut Response) {
    if let Some(cors) = &hub.config.cors {
        cors.headers(request, &mut |name, value| response.add(name, value));
    }
    if let Some(hook) = &hub.config.response_headers {
        hook(request, response.headers_mut());
    }
}

/// The same for the answer to a handshake.
pub(crate) fn decorate_upgrade<D: Send + Sync + 'static>(
    hub: &HubOf<D>,
    request: &RequestView<'_>,
    upgrade: &mut Upgrade<D>,
) {
    if let Some(hook) = &hub.config.response_headers {
        // The hook may change what else is there.
        let headers = upgrade.headers_mut();
        if let Some(cors) = &hub.config.cors {
            cors.headers(request, &mut |name, value| {
                headers.append(name, value);
            });
        }
        hook(request, headers);
    } else if let Some(cors) = &hub.config.cors {
        cors.headers(request, &mut |name, value| upgrade.add_header(name, value));
    }
}

/// A refusal in the form its kind of request expects (EIO4-ERR-01, EIO4-ERR-05).
pub(crate) fn refuse<D: Send + Sync + 'static>(
    hub: &HubOf<D>,
    request: &RequestView<'_>,
    is_upgrade: bool,
    refused: &Refused,
) -> Response {
    let error = match refused {
        Refused::Rejection(rejection, context) => ConnectionError::rejected(rejection, context),
        Refused::Handshake(error) => ConnectionError::refused(error.status(), error.message()),
        Refused::Busy(context) => ConnectionError::refused(503, context),
        Refused::Failed => ConnectionError::refused(500, "the handler panicked"),
    };
    match refused {
        Refused::Busy(_) => trace::warn!(error.context, "a request was refused"),
        Refused::Rejection(..) | Refused::Handshake(_) | Refused::Failed => {
            trace::debug!(error.status, error.context, "a request was refused");
        }
    }
    if let Some(hook) = &hub.config.on_connection_error {
        hook(request, &error);
    }
    let mut response = match refused {
        Refused::Rejection(rejection, _) if !is_upgrade => {
            respond(rejection.status(), JSON, rejection.json())
        }
        Refused::Rejection(rejection, _) => respond(
            StatusCode::BAD_REQUEST,
            HTML,
            rejection.message().to_owned(),
        ),
        Refused::Handshake(error) => {
            let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
            let mut response = respond(status, HTML, error.message());
            if *error == HandshakeError::Version {
                response.add(
                    header::SEC_WEBSOCKET_VERSION,
                    HeaderValue::from_static("13"),
                );
            }
            response
        }
        Refused::Failed => Response::empty(StatusCode::INTERNAL_SERVER_ERROR),
        Refused::Busy(_) => {
            let mut response = Response::empty(StatusCode::SERVICE_UNAVAILABLE);
            let seconds = HeaderValue::from(hub.retry_after_secs());
            response.add(header::RETRY_AFTER, seconds);
            response
        }
    };
    if is_upgrade && !request.is_extended_connect() {
        response.add(header::CONNECTION, HeaderValue::from_static("close"));
    } else {
        decorate(hub, request, &mut response);
    }
    response
}
