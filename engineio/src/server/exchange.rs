//! From a request to an answer: the decisions of `http` with the facts of the registry, for both front doors.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body::Body as HttpBody;

use super::clock;
use super::session::connection::Connection;
use super::session::requests::PollBody;
use super::session::shared::HubOf;
use super::session::shared::{Opening, Shared};
use super::stream::form::{Compression, FrameForm};
use super::transport::polling::{self, Polled, PostContent, Posted};
use super::transport::upgrade::Upgrade;
use crate::body::Body;
use crate::http::{
    self as rules, ConnectionError, CookieOptions, Decision, Facts, Gate, Options, Query, Rejection,
};
use crate::jsonp;
use crate::payload::PayloadEncoder;
use crate::proto::event::Input;
use crate::proto::transport::Transport;
use crate::request::RequestView;
use crate::session_id::SessionId;
use crate::trace;
use crate::websocket::{self, Decoder, Handshake, HandshakeError, Inflater};

const HTML: HeaderValue = HeaderValue::from_static("text/html");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// What a request comes to.
pub(super) enum Answer<D: Send + Sync + 'static> {
    Response(http::Response<Body>),
    /// Switch protocols, then run the WebSocket.
    Upgrade(Box<Upgrade<D>>),
}

/// Why a request is refused.
enum Refused {
    Rejection(Rejection, &'static str),
    Handshake(HandshakeError),
    Busy(&'static str),
}

/// Answers one request inside the path.
pub(super) async fn answer<D, B>(
    hub: &Arc<HubOf<D>>,
    request: &RequestView<'_>,
    body: B,
) -> Answer<D>
where
    D: Send + Sync + 'static,
    B: HttpBody<Data = Bytes> + Send,
{
    let config = &hub.config;
    if request.method() == Method::OPTIONS && config.cors.is_some() {
        return Answer::Response(preflight(hub, request));
    }
    let is_upgrade = config.websocket && request.header("upgrade").is_some();
    if !is_upgrade && let Some(mut response) = file(hub, request) {
        decorate(hub, request, response.headers_mut());
        return Answer::Response(response);
    }
    let query = Query::parse(request);
    let outcome = match decide(hub, request, &query, is_upgrade) {
        Err(refused) => Err(refused),
        Ok(Asked::Open) => match admit(hub, request, &query).await {
            Err(refused) => Err(refused),
            Ok(id) if is_upgrade => open_websocket(hub, request, &query, id).map(Answer::Upgrade),
            Ok(id) => open_polling(hub, request, &query, id).map(Answer::Response),
        },
        Ok(Asked::Poll(session)) => Ok(Answer::Response(get(hub, request, &session).await)),
        Ok(Asked::Post(session)) => Ok(Answer::Response(post(request, &session, body).await)),
        Ok(Asked::Candidate(session)) => {
            attach_candidate(hub, request, &query, session).map(Answer::Upgrade)
        }
        Ok(Asked::Unsupported) => Ok(Answer::Response(respond(
            StatusCode::INTERNAL_SERVER_ERROR,
            None,
            Bytes::new(),
        ))),
    };
    finish(hub, request, is_upgrade, outcome)
}

/// Answers a WebSocket handshake inside the path at once; `None` when the application has to be waited for.
pub(super) fn answer_handshake<D: Send + Sync + 'static>(
    hub: &Arc<HubOf<D>>,
    request: &RequestView<'_>,
) -> Option<Answer<D>> {
    if hub.config.admission.is_some() || hub.config.id_generator.is_some() {
        return None;
    }
    let query = Query::parse(request);
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
    let misfit = |rejection| Refused::Rejection(rejection, "the request fits no rule");
    let decision = decision.map_err(misfit)?;
    let Some(session) = found else {
        return Ok(match decision {
            Decision::Open => Asked::Open,
            _ => Asked::Unsupported,
        });
    };
    // An origin is not remembered of a request that the application turns away.
    if !(is_admitted(hub, request, &session) && session.bind_origin(bound_origin(hub, request))) {
        return Err(misfit(Rejection::BadRequest));
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
            decorate(hub, request, response.headers_mut());
            Answer::Response(response)
        }
        Ok(Answer::Upgrade(mut upgrade)) => {
            decorate(hub, request, upgrade.headers_mut());
            Answer::Upgrade(upgrade)
        }
        Err(refused) => Answer::Response(refuse(hub, request, is_upgrade, &refused)),
    }
}

/// What the application answers by itself.
fn file<D>(hub: &HubOf<D>, request: &RequestView<'_>) -> Option<http::Response<Body>> {
    let files = hub.config.files.as_ref()?;
    if request.method() != Method::GET {
        return None;
    }
    let response = files(request, hub.path.rest(request.path()))?;
    Some(response.map(Body::full))
}

fn options<D>(hub: &HubOf<D>) -> Options {
    Options {
        polling: hub.config.polling,
        websocket: hub.config.websocket,
        allow_eio3: hub.config.allow_eio3,
    }
}

/// A request without an origin passes: it does not come from a page.
fn is_origin_allowed<D>(hub: &HubOf<D>, request: &RequestView<'_>) -> bool {
    match (&hub.config.allowed_origins, request.header("origin")) {
        (Some(origins), Some(origin)) => {
            std::str::from_utf8(origin).is_ok_and(|origin| origins.allows(origin))
        }
        _ => true,
    }
}

/// Asks the application about a later request of a session.
fn is_admitted<D: Send + Sync + 'static>(
    hub: &HubOf<D>,
    request: &RequestView<'_>,
    session: &Arc<Shared<D>>,
) -> bool {
    let connection = Connection(Arc::clone(session));
    let mut is_admitted = false;
    hub.guard(|handler| is_admitted = handler.admits(&connection, request)) && is_admitted
}

/// Whether a request comes from where its session was opened.
fn is_bound<D: Send + Sync + 'static>(
    hub: &HubOf<D>,
    request: &RequestView<'_>,
    session: &Shared<D>,
) -> bool {
    let cookie = hub.config.bind_cookie.as_ref();
    session.is_origin_bound(bound_origin(hub, request))
        && cookie.is_none_or(|cookie| session.has_cookie(cookie.find(request)))
}

/// The origin a session is bound to, if it is bound at all.
fn bound_origin<'r, D>(hub: &HubOf<D>, request: &RequestView<'r>) -> Option<&'r [u8]> {
    request.header("origin").filter(|_| hub.config.bind_origin)
}

/// Asks the application whether a session may be opened, and for its id.
async fn admit<D>(
    hub: &HubOf<D>,
    request: &RequestView<'_>,
    query: &Query<'_>,
) -> Result<SessionId, Refused> {
    if let Some(admission) = &hub.config.admission {
        let asked = admission(request);
        if let Err(refusal) = asked.await {
            let rejection = Rejection::Refused(refusal);
            return Err(Refused::Rejection(rejection, "the admission hook refused"));
        }
    }
    let Some(generator) = &hub.config.id_generator else {
        return admit_at_once(hub, query);
    };
    is_served(hub, query)?;
    let random = generator().await;
    random.map(SessionId::from_random_bytes).ok_or_else(no_id)
}

/// The id of a session that nobody else is asked about.
fn admit_at_once<D>(hub: &HubOf<D>, query: &Query<'_>) -> Result<SessionId, Refused> {
    is_served(hub, query)?;
    SessionId::generate().map_err(|_| no_id())
}

fn is_served<D>(hub: &HubOf<D>, query: &Query<'_>) -> Result<(), Refused> {
    rules::admit_version(options(hub), query.protocol)
        .map_err(|rejection| Refused::Rejection(rejection, "the protocol version is not served"))?;
    if *hub.is_draining.lock() {
        return Err(Refused::Busy("the server is closing"));
    }
    Ok(())
}

fn no_id() -> Refused {
    trace::error!("no session id could be made");
    Refused::Rejection(Rejection::BadRequest, "no session id could be made")
}

/// Creates a session, after the last questions were asked.
fn open<D: Send + Sync + 'static>(
    hub: &Arc<HubOf<D>>,
    request: &RequestView<'_>,
    query: &Query<'_>,
    transport: Transport,
    id: SessionId,
    now: Instant,
) -> Result<Arc<Shared<D>>, Refused> {
    let peer = request.peer().map(|peer| peer.ip());
    hub.registry
        .reserve(peer)
        .map_err(|_| Refused::Busy("there are too many sessions"))?;
    let opening = Opening {
        id,
        protocol: query.protocol,
        transport,
        peer: request.peer(),
        is_base64: query.is_base64,
        jsonp: query
            .jsonp
            .clone()
            .filter(|_| transport == Transport::Polling),
    };
    let shared = Arc::new(Shared::new(Arc::clone(hub), now, opening));
    shared.bind_origin(bound_origin(hub, request));
    if !hub.registry.insert(id, Arc::clone(&shared)) {
        hub.registry.release(peer);
        return Err(no_id());
    }
    if transport == Transport::WebSocket {
        hub.counters.websocket_attached();
    }
    trace::debug!(?transport, protocol = ?query.protocol, "a session opened");
    Ok(shared)
}

fn open_polling<D: Send + Sync + 'static>(
    hub: &Arc<HubOf<D>>,
    request: &RequestView<'_>,
    query: &Query<'_>,
    id: SessionId,
) -> Result<http::Response<Body>, Refused> {
    let owner = hub.config.bind_cookie.as_ref();
    let owner = owner.map(|cookie| owner_of(cookie, request)).transpose()?;
    let now = clock::now();
    let shared = open(hub, request, query, Transport::Polling, id, now)?;
    // Only what comes before the application's own packets travels with the handshake (EIO4-HS-04).
    let mut payload = PayloadEncoder::new(query.protocol, !query.is_base64);
    payload.push_text(&hub.open_packet.of(&id, Transport::Polling));
    if let Some(initial) = &hub.config.initial_packet {
        payload.push_text(&format!("4{initial}"));
    }
    let (bytes, content) = payload.finish();
    let mut response = respond_payload(
        hub,
        request,
        &shared,
        PollBody {
            bytes,
            content,
            is_compressible: true,
        },
    );
    if let Some((value, set)) = owner {
        shared.bind_cookie(value.as_str().as_bytes());
        response
            .headers_mut()
            .extend(set.map(|set| (header::SET_COOKIE, set)));
    }
    if let Some(cookie) = &hub.config.cookie
        && let Ok(value) = HeaderValue::from_str(&cookie.header(shared.id().as_str()))
    {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    if let Some(hook) = &hub.config.handshake_headers {
        hook(request, response.headers_mut());
    }
    tell_open(&shared, request, now);
    Ok(response)
}

/// The value that a session is bound to, and what sets the cookie to it unless the browser has it.
fn owner_of(
    cookie: &CookieOptions,
    request: &RequestView<'_>,
) -> Result<(SessionId, Option<HeaderValue>), Refused> {
    let value = cookie.find(request).map(std::str::from_utf8);
    // The sessions of one browser share it: the cookie of a second one must not lock the first one out.
    if let Some(known) = value.and_then(|value| SessionId::parse(value.ok()?)) {
        return Ok((known, None));
    }
    // As random as an id, and made alike.
    let fresh = SessionId::generate().map_err(|_| no_id())?;
    let set = HeaderValue::from_str(&cookie.header(fresh.as_str()));
    Ok((fresh, set.ok()))
}

fn open_websocket<D: Send + Sync + 'static>(
    hub: &Arc<HubOf<D>>,
    request: &RequestView<'_>,
    query: &Query<'_>,
    id: SessionId,
) -> Result<Box<Upgrade<D>>, Refused> {
    let mut upgrade = shake_hands(hub, request, query)?;
    let now = clock::now();
    let shared = open(hub, request, query, Transport::WebSocket, id, now)?;
    if let Some(hook) = &hub.config.handshake_headers {
        hook(request, upgrade.headers_mut());
    }
    let mut frames = crate::buffers::take();
    let open = hub.open_packet.of(&id, Transport::WebSocket);
    websocket::write_frame(&mut frames, websocket::Opcode::Text, open.as_bytes());
    if let Some(initial) = &hub.config.initial_packet {
        let initial = format!("4{initial}");
        websocket::write_frame(&mut frames, websocket::Opcode::Text, initial.as_bytes());
    }
    if hub.config.cookie_on_websocket
        && let Some(cookie) = &hub.config.cookie
        && let Ok(value) = HeaderValue::from_str(&cookie.header(id.as_str()))
    {
        upgrade.headers_mut().append(header::SET_COOKIE, value);
    }
    shared.push_first(&mut frames);
    crate::buffers::give_back(frames);
    tell_open(&shared, request, now);
    Ok(upgrade.for_session(shared))
}

/// A WebSocket for a session that is on polling (EIO4-UPG-01, EIO4-UPG-10).
fn attach_candidate<D: Send + Sync + 'static>(
    hub: &Arc<HubOf<D>>,
    request: &RequestView<'_>,
    query: &Query<'_>,
    shared: Arc<Shared<D>>,
) -> Result<Box<Upgrade<D>>, Refused> {
    let upgrade = shake_hands(hub, request, query)?;
    let effects = shared.handle(clock::now(), Input::CandidateAttached);
    Ok(if effects.is_candidate_refused {
        upgrade
    } else {
        upgrade.for_candidate(shared)
    })
}

fn shake_hands<D: Send + Sync + 'static>(
    hub: &HubOf<D>,
    request: &RequestView<'_>,
    query: &Query<'_>,
) -> Result<Box<Upgrade<D>>, Refused> {
    let handshake = Handshake::parse(request).map_err(Refused::Handshake)?;
    let options = &hub.config.per_message_deflate;
    let agreement = options.as_ref().and_then(|options| {
        let offers = request.header_values("sec-websocket-extensions");
        websocket::negotiate(offers, options).map(|agreement| (agreement, options))
    });
    let inflater = agreement
        .as_ref()
        .and_then(|(agreement, _)| Inflater::new(agreement));
    // Without the feature nothing inflates, and nothing is agreed on.
    let agreement = agreement.filter(|_| inflater.is_some());
    let compression = agreement.as_ref().map(|(agreement, options)| {
        let settings = agreement.settings(options);
        if agreement.is_server_contextless {
            Compression::Contextless(settings)
        } else {
            Compression::Context(settings, None)
        }
    });
    let form = FrameForm::new(query.protocol, query.is_base64, compression);
    let decoder = Decoder::new(hub.config.max_payload).with_inflater(inflater);
    let mut upgrade = Upgrade::new(handshake.accept, handshake.subprotocol, form, decoder);
    if let Some(value) = agreement.and_then(|(agreement, _)| agreement.header().try_into().ok()) {
        upgrade
            .headers_mut()
            .insert(header::SEC_WEBSOCKET_EXTENSIONS, value);
    }
    Ok(upgrade)
}

/// Tells the application of a session, and sends what it sent meanwhile.
fn tell_open<D: Send + Sync + 'static>(
    shared: &Arc<Shared<D>>,
    request: &RequestView<'_>,
    now: Instant,
) {
    let connection = Connection(Arc::clone(shared));
    let hub = &shared.hub;
    let is_sound = hub.guard(|handler| shared.set_data(handler.on_open(&connection, request)))
        && hub.guard(|handler| handler.on_ready(&connection));
    if !is_sound {
        shared.handle(now, Input::Discard);
    }
    shared.end_dispatch(now);
    shared.schedule();
}

async fn get<D: Send + Sync + 'static>(
    hub: &HubOf<D>,
    request: &RequestView<'_>,
    shared: &Arc<Shared<D>>,
) -> http::Response<Body> {
    match polling::poll(shared).await {
        Polled::Body(body) => respond_payload(hub, request, shared, body),
        Polled::Refused => respond(StatusCode::BAD_REQUEST, None, Bytes::new()),
    }
}

async fn post<D, B>(
    request: &RequestView<'_>,
    shared: &Arc<Shared<D>>,
    body: B,
) -> http::Response<Body>
where
    D: Send + Sync + 'static,
    B: HttpBody<Data = Bytes> + Send,
{
    // The test for binary is an exact match (EIO4-POL-08).
    let content = match request.header("content-type") {
        Some(b"application/octet-stream") => PostContent::OctetStream,
        _ if shared.jsonp.is_some() => PostContent::Jsonp,
        _ => PostContent::Text,
    };
    match polling::post(shared, body, content).await {
        Posted::Ok => {
            let mut response = respond(StatusCode::OK, Some(HTML), "ok");
            response
                .headers_mut()
                .insert(header::CACHE_CONTROL, NO_STORE);
            guard_old_browsers(request, response.headers_mut());
            response
        }
        Posted::Refused => respond(StatusCode::BAD_REQUEST, None, Bytes::new()),
        Posted::TooLarge => respond(StatusCode::PAYLOAD_TOO_LARGE, None, Bytes::new()),
        Posted::Destroyed | Posted::Incomplete => http::Response::new(Body::destroyed()),
    }
}

fn respond(
    status: StatusCode,
    content_type: Option<HeaderValue>,
    body: impl Into<Bytes>,
) -> http::Response<Body> {
    let mut response = http::Response::new(Body::full(body));
    *response.status_mut() = status;
    if let Some(content_type) = content_type {
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, content_type);
    }
    response
}

/// The answer to a poll (EIO4-POL-14).
fn respond_payload<D: Send + Sync + 'static>(
    hub: &HubOf<D>,
    request: &RequestView<'_>,
    shared: &Shared<D>,
    body: PollBody,
) -> http::Response<Body> {
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
    let mut response = respond(StatusCode::OK, Some(content_type), bytes);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    guard_old_browsers(request, headers);
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
fn guard_old_browsers(request: &RequestView<'_>, headers: &mut HeaderMap) {
    let is_old = request
        .header_str("user-agent")
        .is_some_and(|agent| agent.contains(";MSIE") || agent.contains("Trident/"));
    if is_old {
        headers.insert("x-xss-protection", HeaderValue::from_static("0"));
    }
}

/// Every OPTIONS is answered before any other check (EIO4-COR-02).
fn preflight<D: Send + Sync + 'static>(
    hub: &HubOf<D>,
    request: &RequestView<'_>,
) -> http::Response<Body> {
    let mut response = respond(StatusCode::NO_CONTENT, None, Bytes::new());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    decorate(hub, request, headers);
    if let Some(cors) = &hub.config.cors {
        cors.preflight_headers(request, &mut |name, value| {
            headers.append(name, value);
        });
    }
    response
}

/// What configuration adds to every answer.
fn decorate<D>(hub: &HubOf<D>, request: &RequestView<'_>, headers: &mut HeaderMap) {
    if let Some(cors) = &hub.config.cors {
        cors.headers(request, &mut |name, value| {
            headers.append(name, value);
        });
    }
    if let Some(hook) = &hub.config.response_headers {
        hook(request, headers);
    }
}

/// A refusal in the form its kind of request expects (EIO4-ERR-01, EIO4-ERR-05).
fn refuse<D: Send + Sync + 'static>(
    hub: &HubOf<D>,
    request: &RequestView<'_>,
    is_upgrade: bool,
    refused: &Refused,
) -> http::Response<Body> {
    let error = match refused {
        Refused::Rejection(rejection, context) => ConnectionError::rejected(rejection, context),
        Refused::Handshake(error) => ConnectionError::refused(error.status(), error.message()),
        Refused::Busy(context) => ConnectionError::refused(503, context),
    };
    match refused {
        Refused::Busy(_) => trace::warn!(error.context, "a request was refused"),
        Refused::Rejection(..) | Refused::Handshake(_) => {
            trace::debug!(error.status, error.context, "a request was refused");
        }
    }
    if let Some(hook) = &hub.config.on_connection_error {
        hook(request, &error);
    }
    let mut response = match refused {
        Refused::Rejection(rejection, _) if !is_upgrade => {
            respond(rejection.status(), Some(JSON), rejection.json())
        }
        Refused::Rejection(rejection, _) => respond(
            StatusCode::BAD_REQUEST,
            Some(HTML),
            rejection.message().to_owned(),
        ),
        Refused::Handshake(error) => {
            let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
            let mut response = respond(status, Some(HTML), error.message());
            if *error == HandshakeError::Version {
                response.headers_mut().insert(
                    header::SEC_WEBSOCKET_VERSION,
                    HeaderValue::from_static("13"),
                );
            }
            response
        }
        Refused::Busy(_) => {
            let mut response = respond(StatusCode::SERVICE_UNAVAILABLE, None, Bytes::new());
            let seconds = HeaderValue::from(hub.retry_after_secs());
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
            response
        }
    };
    if is_upgrade {
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    } else {
        decorate(hub, request, response.headers_mut());
    }
    response
}
