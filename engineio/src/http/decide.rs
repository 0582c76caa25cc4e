//! What is to be done with a request, in the order of checks of EIO4-ERR-02.

use http::Method;

use super::query::Query;
use super::reject::Rejection;
use super::request::RequestView;
use crate::packet::Protocol;
use crate::transport::Transport;

/// What the server offers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) polling: bool,
    pub(crate) websocket: bool,
    pub(crate) allow_eio3: bool,
}

/// What is known of the session a request names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) transport: Transport,
    pub(crate) protocol: Protocol,
    /// The request comes from where the session was opened.
    pub(crate) is_bound: bool,
}

/// What kind of request it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gate<'a> {
    pub(crate) method: &'a Method,
    /// It asks for WebSocket. Without WebSocket on offer it counts as a plain request (EIO4-ERR-12).
    pub(crate) is_upgrade: bool,
    pub(crate) origin: Option<&'a [u8]>,
    pub(crate) is_origin_allowed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// A new session; the admission hook and the version are still to be asked.
    Open,
    Poll,
    Post,
    /// A WebSocket for a live session.
    Candidate,
    /// A method that means nothing to a session: an empty 500 (EIO4-POL-09).
    Unsupported,
}

/// Why a request fits no rule: the row of the error table, and what is wrong, in words for a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misfit(pub(crate) Rejection, pub(crate) &'static str);

/// True when a request asks for WebSocket. Whoever offers to speak something else that is not spoken here, as some clients
/// offer HTTP/2 in each first request, is answered as if it had not (RFC 9110 §7.8).
pub(crate) fn is_upgrade(request: &RequestView<'_>, query: &Query<'_>) -> bool {
    if request.is_extended_connect() {
        return true;
    }
    if request.header("upgrade").is_none() {
        return false;
    }
    query.transport == Some(Transport::WebSocket)
        || (request.has_token("upgrade", "websocket") && request.has_token("connection", "upgrade"))
}

/// Decides all that can be decided before the admission hook. `find` looks up the session.
pub(crate) fn decide(
    options: Options,
    gate: Gate<'_>,
    query: &Query<'_>,
    find: impl FnOnce(&str) -> Option<Facts>,
) -> Result<Decision, Misfit> {
    let bad = |context| Err(Misfit(Rejection::BadRequest, context));
    let unknown = |context| Err(Misfit(Rejection::TransportUnknown, context));
    let transport = match query.transport {
        Some(Transport::Polling) if options.polling => Transport::Polling,
        Some(Transport::Polling) => return unknown("the transport polling is not offered"),
        Some(Transport::WebSocket) if options.websocket => Transport::WebSocket,
        Some(Transport::WebSocket) => return unknown("the transport websocket is not offered"),
        None => return unknown("the query names no transport that there is"),
    };
    let has_control = |origin: &[u8]| origin.iter().any(|byte| byte.is_ascii_control());
    if !gate.is_origin_allowed {
        return bad("the origin is not one of those allowed");
    }
    if gate.origin.is_some_and(has_control) {
        return bad("the origin has control characters");
    }
    // An upgrade request must be for WebSocket (EIO4-ERR-08), and WebSocket needs an upgrade request.
    let incoherence = match (gate.is_upgrade, transport) {
        (true, Transport::Polling) => {
            Some("an upgrade to WebSocket that names the transport polling")
        }
        (false, Transport::WebSocket) => Some("the transport websocket without an upgrade"),
        (true, Transport::WebSocket) | (false, Transport::Polling) => None,
    };
    let Some(sid) = &query.sid else {
        if gate.method != Method::GET {
            let context = "a session is opened with GET, and this names none";
            return Err(Misfit(Rejection::HandshakeMethod, context));
        }
        return match incoherence {
            None => Ok(Decision::Open),
            Some(context) => bad(context),
        };
    };
    let context = "no session has this id: it has ended, or was opened elsewhere";
    let facts = find(sid).ok_or(Misfit(Rejection::SessionUnknown, context))?;
    if let Some(context) = incoherence {
        return bad(context);
    }
    if !gate.is_upgrade && transport != facts.transport {
        return bad("polling for a session that is on WebSocket");
    }
    if query.protocol != facts.protocol {
        return bad("another protocol version than the session's");
    }
    if !facts.is_bound {
        return bad("another origin than the session's, or without its cookie");
    }
    Ok(match *gate.method {
        _ if gate.is_upgrade => Decision::Candidate,
        Method::GET => Decision::Poll,
        Method::POST => Decision::Post,
        _ => Decision::Unsupported,
    })
}

/// The last check of a handshake, after the admission hook.
pub(crate) fn admit_version(options: Options, protocol: Protocol) -> Result<(), Rejection> {
    match protocol {
        Protocol::V3 if !options.allow_eio3 => Err(Rejection::UnsupportedVersion),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Options = Options {
        polling: true,
        websocket: true,
        allow_eio3: false,
    };

    fn query(transport: Option<Transport>, sid: Option<&'static str>) -> Query<'static> {
        Query {
            protocol: Protocol::V4,
            transport,
            sid: sid.map(Into::into),
            is_base64: false,
            jsonp: None,
        }
    }

    fn gate(method: &Method, is_upgrade: bool) -> Gate<'_> {
        Gate {
            method,
            is_upgrade,
            origin: None,
            is_origin_allowed: true,
        }
    }

    const ON_POLLING: Facts = Facts {
        transport: Transport::Polling,
        protocol: Protocol::V4,
        is_bound: true,
    };

    fn decided(
        options: Options,
        gate: Gate<'_>,
        query: &Query<'_>,
        find: impl FnOnce(&str) -> Option<Facts>,
    ) -> Result<Decision, Rejection> {
        decide(options, gate, query, find).map_err(|misfit| misfit.0)
    }

    #[test]
    fn each_rejection_comes_in_its_order() {
        let (get, post) = (Method::GET, Method::POST);
        let nowhere = |_: &str| None;
        let bad_origin = Gate {
            origin: Some(b"http://a\x07"),
            ..gate(&get, false)
        };
        assert_eq!(
            decided(ALL, bad_origin, &query(None, None), nowhere),
            Err(Rejection::TransportUnknown),
            "the transport comes before the origin"
        );
        let polling = Some(Transport::Polling);
        assert_eq!(
            decided(ALL, bad_origin, &query(polling, Some("x")), nowhere),
            Err(Rejection::BadRequest),
            "the origin comes before the session"
        );
        assert_eq!(
            decided(ALL, gate(&post, false), &query(polling, Some("x")), nowhere),
            Err(Rejection::SessionUnknown)
        );
        assert_eq!(
            decided(ALL, gate(&post, false), &query(polling, None), nowhere),
            Err(Rejection::HandshakeMethod)
        );
        let websocket = Some(Transport::WebSocket);
        assert_eq!(
            decided(ALL, gate(&get, false), &query(websocket, None), nowhere),
            Err(Rejection::BadRequest),
            "websocket needs an upgrade"
        );
        assert_eq!(
            decided(ALL, gate(&get, true), &query(polling, None), nowhere),
            Err(Rejection::BadRequest)
        );
        assert_eq!(
            admit_version(ALL, Protocol::V3),
            Err(Rejection::UnsupportedVersion)
        );
        assert_eq!(admit_version(ALL, Protocol::V4), Ok(()));
    }

    #[test]
    fn disabled_transports_are_unknown() {
        let get = Method::GET;
        let only_polling = Options {
            websocket: false,
            ..ALL
        };
        assert_eq!(
            decided(
                only_polling,
                gate(&get, true),
                &query(Some(Transport::WebSocket), None),
                |_| None
            ),
            Err(Rejection::TransportUnknown)
        );
    }

    #[test]
    fn a_live_session_is_polled_posted_to_and_upgraded() {
        let found = |_: &str| Some(ON_POLLING);
        let polling = query(Some(Transport::Polling), Some("x"));
        let on = |method: &Method| decide(ALL, gate(method, false), &polling, found);
        assert_eq!(on(&Method::GET), Ok(Decision::Poll));
        assert_eq!(on(&Method::POST), Ok(Decision::Post));
        assert_eq!(on(&Method::PUT), Ok(Decision::Unsupported));
        let websocket = query(Some(Transport::WebSocket), Some("x"));
        assert_eq!(
            decide(ALL, gate(&Method::GET, true), &websocket, found),
            Ok(Decision::Candidate)
        );
    }

    #[test]
    fn another_transport_or_protocol_than_the_sessions_is_refused() {
        let get = Method::GET;
        let upgraded = |_: &str| {
            Some(Facts {
                transport: Transport::WebSocket,
                ..ON_POLLING
            })
        };
        let polling = query(Some(Transport::Polling), Some("x"));
        assert_eq!(
            decided(ALL, gate(&get, false), &polling, upgraded),
            Err(Rejection::BadRequest)
        );
        let older = Query {
            protocol: Protocol::V3,
            ..polling
        };
        assert_eq!(
            decided(ALL, gate(&get, false), &older, |_| Some(ON_POLLING)),
            Err(Rejection::BadRequest)
        );
    }

    #[test]
    fn a_session_bound_to_another_origin_is_refused_with_code_3() {
        for (transport, is_upgrade) in [(Transport::Polling, false), (Transport::WebSocket, true)] {
            let foreign = |_: &str| {
                Some(Facts {
                    is_bound: false,
                    ..ON_POLLING
                })
            };
            assert_eq!(
                decided(
                    ALL,
                    gate(&Method::GET, is_upgrade),
                    &query(Some(transport), Some("x")),
                    foreign
                ),
                Err(Rejection::BadRequest)
            );
        }
    }
}
