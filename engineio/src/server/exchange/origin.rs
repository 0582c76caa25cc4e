//! Whose session it is: where a later request of a session may come from.

use std::sync::Arc;

use crate::request::RequestView;
use crate::server::session::connection::Connection;
use crate::server::session::shared::{HubOf, Shared};

/// A request without an origin passes: it does not come from a page.
pub(crate) fn is_origin_allowed<D>(hub: &HubOf<D>, request: &RequestView<'_>) -> bool {
    match (&hub.config.allowed_origins, request.header("origin")) {
        (Some(origins), Some(origin)) => {
            std::str::from_utf8(origin).is_ok_and(|origin| origins.allows(origin))
        }
        _ => true,
    }
}

/// Asks the application about a later request of a session.
pub(crate) fn is_admitted<D: Send + Sync + 'static>(
    hub: &HubOf<D>,
    request: &RequestView<'_>,
    session: &Arc<Shared<D>>,
) -> bool {
    let connection = Connection(Arc::clone(session));
    let mut is_admitted = false;
    hub.guard(|handler| is_admitted = handler.admits(&connection, request)) && is_admitted
}

/// Whether a request comes from where its session was opened.
pub(crate) fn is_bound<D: Send + Sync + 'static>(
    hub: &HubOf<D>,
    request: &RequestView<'_>,
    session: &Shared<D>,
) -> bool {
    let cookie = hub.config.bind_cookie.as_ref();
    session.is_origin_bound(bound_origin(hub, request))
        && cookie.is_none_or(|cookie| session.has_cookie(cookie.find(request)))
}

/// The origin a session is bound to, if it is bound at all.
pub(crate) fn bound_origin<'r, D>(hub: &HubOf<D>, request: &RequestView<'r>) -> Option<&'r [u8]> {
    request.header("origin").filter(|_| hub.config.bind_origin)
}
