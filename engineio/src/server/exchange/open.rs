//! Opening a session, or a candidate for one that is on polling.

use std::sync::Arc;
use std::time::Instant;

use http::{HeaderValue, header};

use super::origin::bound_origin;
use super::respond::{Refused, respond_payload};
use super::response::Response;
use crate::buffers;
use crate::http::Handshake;
use crate::http::request::RequestView;
use crate::http::{self as rules, CookieOptions, Options, Query, Rejection};
use crate::payload::PayloadEncoder;
use crate::proto::event::Input;
use crate::server::clock;
use crate::server::session::connection::Connection;
use crate::server::session::requests::PollBody;
use crate::server::session::shared::{HubOf, Opening, Shared};
use crate::server::stream::form::FrameForm;
use crate::server::transport::upgrade::Upgrade;
use crate::session_id::SessionId;
use crate::trace;
use crate::transport::Transport;
use crate::websocket::{self, Decoder, Deflater, Inflater};

pub(crate) fn options<D>(hub: &HubOf<D>) -> Options {
    Options {
        polling: hub.config.polling,
        websocket: hub.config.websocket,
        allow_eio3: hub.config.allow_eio3,
    }
}

/// Asks the application whether a session may be opened, and for its id.
pub(crate) async fn admit<D>(
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
pub(crate) fn admit_at_once<D>(hub: &HubOf<D>, query: &Query<'_>) -> Result<SessionId, Refused> {
    is_served(hub, query)?;
    #[cfg(feature = "nodes")]
    if let Some(nodes) = &hub.config.nodes {
        return nodes.new_id().map_err(|_| no_id());
    }
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
    hub.alarm.run_here();
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
    let mut opened = None;
    // What the application keeps is large, and is moved once.
    hub.guard(|handler| {
        let data = handler.on_open(request, query.protocol);
        opened = Some(Arc::new(Shared::new(Arc::clone(hub), now, opening, data)));
    });
    let Some(shared) = opened else {
        hub.registry.release(peer);
        return Err(Refused::Failed);
    };
    shared.bind_origin(bound_origin(hub, request, &shared));
    if !hub.registry.insert(Arc::clone(&shared)) {
        hub.registry.release(peer);
        return Err(no_id());
    }
    if transport == Transport::WebSocket {
        hub.counters.websocket_attached();
    }
    // A closing that begins from here on finds the session; one that began before may have missed it.
    if *hub.is_draining.lock() {
        shared.forget();
        return Err(Refused::Busy("the server is closing"));
    }
    trace::debug!(?transport, protocol = ?query.protocol, "a session opened");
    Ok(shared)
}

pub(crate) fn open_polling<D: Send + Sync + 'static>(
    hub: &Arc<HubOf<D>>,
    request: &RequestView<'_>,
    query: &Query<'_>,
    id: SessionId,
) -> Result<Response, Refused> {
    let owner = hub.config.bind_cookie.as_ref();
    let owner = owner.map(|cookie| owner_of(cookie, request)).transpose()?;
    let now = clock::now();
    let shared = open(hub, request, query, Transport::Polling, id, now)?;
    // Only what comes before the application's own packets travels with the handshake (EIO4-HS-04).
    let mut payload = PayloadEncoder::new(query.protocol, !query.is_base64);
    payload.push_text(&hub.open_packet.of(&id, Transport::Polling).concat());
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
        if let Some(set) = set {
            response.add(header::SET_COOKIE, set);
        }
    }
    if let Some(cookie) = &hub.config.cookie
        && let Ok(value) = HeaderValue::from_str(&cookie.header(shared.id().as_str()))
    {
        response.add(header::SET_COOKIE, value);
    }
    if let Some(hook) = &hub.config.handshake_headers {
        hook(request, response.headers_mut());
    }
    tell_ready(&shared, now);
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

pub(crate) fn open_websocket<D: Send + Sync + 'static>(
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
    let mut frames = buffers::take();
    let open = hub.open_packet.of(&id, Transport::WebSocket);
    let length = open.iter().map(|part| part.len()).sum();
    websocket::write_header(&mut frames, websocket::Opcode::Text, length);
    for part in open {
        frames.extend_from_slice(part.as_bytes());
    }
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
    buffers::give_back(frames);
    tell_ready(&shared, now);
    Ok(upgrade.for_session(shared))
}

/// A WebSocket for a session that is on polling (EIO4-UPG-01, EIO4-UPG-10).
pub(crate) fn attach_candidate<D: Send + Sync + 'static>(
    hub: &Arc<HubOf<D>>,
    request: &RequestView<'_>,
    query: &Query<'_>,
    shared: Arc<Shared<D>>,
) -> Result<Box<Upgrade<D>>, Refused> {
    hub.alarm.run_here();
    let upgrade = shake_hands(hub, request, query)?;
    let reply = shared.handle(clock::now(), Input::CandidateAttached);
    Ok(if reply.is_refused() {
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
    let codec = agreement.and_then(|(agreement, options)| {
        // Without the feature there is neither, and nothing is agreed on.
        let inflater = Inflater::new(&agreement)?;
        Some((agreement, inflater, Deflater::new(&agreement, options)?))
    });
    let (agreement, inflater, deflater) = match codec {
        Some((agreement, inflater, deflater)) => (Some(agreement), Some(inflater), Some(deflater)),
        None => (None, None, None),
    };
    let form = FrameForm::new(query.protocol, query.is_base64, deflater);
    let decoder = Decoder::new(hub.config.max_payload).with_inflater(inflater);
    let mut upgrade = Upgrade::new(handshake.accept, handshake.subprotocol, form, decoder);
    if let Some(value) = agreement.and_then(|agreement| agreement.header().try_into().ok()) {
        upgrade
            .headers_mut()
            .insert(header::SEC_WEBSOCKET_EXTENSIONS, value);
    }
    Ok(upgrade)
}

/// Tells the application of a session, and sends what it sent meanwhile.
fn tell_ready<D: Send + Sync + 'static>(shared: &Arc<Shared<D>>, now: Instant) {
    let connection = Connection(Arc::clone(shared));
    shared.tell(|handler| handler.on_ready(&connection));
    shared.end_turn(now);
    shared.schedule();
}
