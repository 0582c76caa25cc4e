//! From a request to an answer: the decisions of `http` with the facts of the registry, for both front doors.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode, header};
use http_body::Body as HttpBody;

#[cfg(feature = "nodes")]
use super::elsewhere;
use super::open::{admit, admit_at_once, attach_candidate, open_polling, open_websocket, options};
use super::origin::{bound_origin, is_admitted, is_bound, is_origin_allowed};
use super::respond::{
    HTML, NO_STORE, Refused, decorate, decorate_upgrade, guard_old_browsers, preflight, refuse,
    respond, respond_payload,
};
use super::response::{Answer, Response};
use crate::body::Body;
use crate::http::request::RequestView;
use crate::http::{self as rules, Decision, Facts, Gate, Misfit, Query, Rejection};
use crate::server::session::shared::{HubOf, Shared};
use crate::server::transport::polling::{self, Content, Polled, PostContent, Posted};
use crate::session_id::SessionId;

/// Answers one request inside the path.
pub(crate) async fn answer<D, B>(
    hub: &Arc<HubOf<D>>,
    request: &RequestView<'_>,
    content: Content<'_, B>,
) -> Answer<D>
where
    D: Send + Sync + 'static,
    B: HttpBody<Data = Bytes> + Send,
{
    let config = &hub.config;
    if request.method() == Method::OPTIONS && config.cors.is_some() {
        return Answer::Response(preflight(hub, request));
    }
    let query = Query::parse(request);
    let is_upgrade = config.websocket && rules::is_upgrade(request, &query);
    if !is_upgrade && let Some(mut response) = file(hub, request) {
        decorate(hub, request, &mut response);
        return Answer::Response(response);
    }
    #[cfg(feature = "nodes")]
    if let Some(at) = elsewhere::place_of(hub, request, &query) {
        // In a box, or every request that waits would have the room that only these need.
        let passed = Box::pin(elsewhere::answer(hub, request, at, content, is_upgrade));
        return match passed.await {
            Ok(answer) => answer,
            Err(refused) => Answer::Response(refuse(hub, request, is_upgrade, &refused)),
        };
    }
    let outcome = match decide(hub, request, &query, is_upgrade) {
        Err(refused) => Err(refused),
        Ok(Asked::Open) => match admit(hub, request, &query).await {
            Err(refused) => Err(refused),
            Ok(id) if is_upgrade => open_websocket(hub, request, &query, id).map(Answer::Upgrade),
            Ok(id) => open_polling(hub, request, &query, id).map(Answer::Response),
        },
        Ok(Asked::Poll(session)) => Ok(Answer::Response(get(hub, request, &session).await)),
        Ok(Asked::Post(session)) => Ok(Answer::Response(post(request, &session, content).await)),
        Ok(Asked::Candidate(session)) => {
            attach_candidate(hub, request, &query, session).map(Answer::Upgrade)
        }
        Ok(Asked::Unsupported) => Ok(Answer::Response(Response::empty(
            StatusCode::INTERNAL_SERVER_ERROR,
        ))),
    };
    finish(hub, request, is_upgrade, outcome)
}

/// Answers a WebSocket handshake inside the path at once; `None` when it is none, or the application has to be waited for.
pub(crate) fn answer_handshake<D: Send + Sync + 'static>(
    hub: &Arc<HubOf<D>>,
    request: &RequestView<'_>,
) -> Option<Answer<D>> {
    if hub.config.admission.is_some() || hub.config.id_generator.is_some() {
        return None;
    }
    let query = Query::parse(request);
    if !rules::is_upgrade(request, &query) {
        return None;
    }
    #[cfg(feature = "nodes")]
    if elsewhere::place_of(hub, request, &query).is_some() {
        return None;
    }
    let outcome = match decide(hub, request, &query, true) {
        Err(refused) => Err(refused),
        Ok(Asked::Open) => admit_at_once(hub, &query)
            .and_then(|id| open_websocket(hub, request, &query, id))
            .map(Answer::Upgrade),
        Ok(Asked::Candidate(session)) => {
            attach_candidate(hub, request, &query, session).map(Answer::Upgrade)
        }
        Ok(Asked::Poll(_) | Asked::Post(_) | Asked::Unsupported) => return None,
    };
    Some(finish(hub, request, true, outcome))
}

/// What a request asks for, with the session it is about.
enum Asked<D> {
    Open,
    Poll(Arc<Shared<D>>),
    Post(Arc<Shared<D>>),
    Candidate(Arc<Shared<D>>),
    Unsupported,
}

fn decide<D: Send + Sync + 'static>(
    hub: &HubOf<D>,
    request: &RequestView<'_>,
    query: &Query<'_>,
    is_upgrade: bool,
) -> Result<Asked<D>, Refused> {
    let mut found = None;
    let gate = Gate {
        method: request.method(),
        is_upgrade,
        origin: request.header("origin"),
        is_origin_allowed: is_origin_allowed(hub, request),
    };
    let decision = rules::decide(options(hub), gate, query, |sid| {
        let session = hub.registry.get(&SessionId::parse(sid)?)?;
        let transport = session.lock().session.transport();
        let facts = Facts {
            transport,
            protocol: session.protocol(),
            is_bound: is_bound(hub, request, &session),
        };
        found = Some(session);
        Some(facts)
    });
    let decision =
        decision.map_err(|Misfit(rejection, context)| Refused::Rejection(rejection, context))?;
    let Some(session) = found else {
        return Ok(match decision {
            Decision::Open => Asked::Open,
            _ => Asked::Unsupported,
        });
    };
    // An origin is not remembered of a request that the application turns away.
    let bad = |context| Err(Refused::Rejection(Rejection::BadRequest, context));
    if !is_admitted(hub, request, &session) {
        return bad("the application does not admit it to the session");
    }
    if !session.bind_origin(bound_origin(hub, request, &session)) {
        return bad("another origin than the session's");
    }
    Ok(match decision {
        Decision::Poll => Asked::Poll(session),
        Decision::Post => Asked::Post(session),
        Decision::Candidate => Asked::Candidate(session),
        Decision::Open | Decision::Unsupported => Asked::Unsupported,
    })
}

/// Adds what every answer has.
fn finish<D: Send + Sync + 'static>(
    hub: &HubOf<D>,
    request: &RequestView<'_>,
    is_upgrade: bool,
    outcome: Result<Answer<D>, Refused>,
) -> Answer<D> {
    match outcome {
        Ok(Answer::Response(mut response)) => {
            decorate(hub, request, &mut response);
            Answer::Response(response)
        }
        Ok(Answer::Upgrade(mut upgrade)) => {
            decorate_upgrade(hub, request, &mut upgrade);
            Answer::Upgrade(upgrade)
        }
        // The other node has added what there is to add.
        #[cfg(feature = "nodes")]
        Ok(tunnel @ Answer::Tunnel(_)) => tunnel,
        Err(refused) => Answer::Response(refuse(hub, request, is_upgrade, &refused)),
    }
}

/// What the application answers by itself.
fn file<D>(hub: &HubOf<D>, request: &RequestView<'_>) -> Option<Response> {
    let files = hub.config.files.as_ref()?;
    if request.method() != Method::GET {
        return None;
    }
    let response = files(request, hub.path.rest(request.path()))?;
    Some(response.map(Body::full).into())
}

async fn get<D: Send + Sync + 'static>(
    hub: &HubOf<D>,
    request: &RequestView<'_>,
    shared: &Arc<Shared<D>>,
) -> Response {
    hub.alarm.run_here();
    match polling::poll(shared).await {
        Polled::Body(body) => respond_payload(hub, request, shared, body),
        Polled::Refused => Response::empty(StatusCode::BAD_REQUEST),
    }
}

async fn post<D, B>(
    request: &RequestView<'_>,
    shared: &Arc<Shared<D>>,
    content: Content<'_, B>,
) -> Response
where
    D: Send + Sync + 'static,
    B: HttpBody<Data = Bytes> + Send,
{
    // The test for binary is an exact match (EIO4-POL-08).
    let kind = match request.header("content-type") {
        Some(b"application/octet-stream") => PostContent::OctetStream,
        _ if shared.jsonp.is_some() => PostContent::Jsonp,
        _ => PostContent::Text,
    };
    match polling::post(shared, content, kind).await {
        Posted::Ok => {
            let mut response = respond(StatusCode::OK, HTML, "ok");
            response.add(header::CACHE_CONTROL, NO_STORE);
            guard_old_browsers(request, &mut response);
            response
        }
        Posted::Refused => Response::empty(StatusCode::BAD_REQUEST),
        Posted::TooLarge => Response::empty(StatusCode::PAYLOAD_TOO_LARGE),
        Posted::Destroyed | Posted::Incomplete => Response::destroyed(),
    }
}
