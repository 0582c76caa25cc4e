//! Whose session it is: where a later request of a session may come from.

use std::sync::Arc;

use http::Method;

use crate::http::request::RequestView;
use crate::server::session::connection::Connection;
use crate::server::session::shared::{HubOf, Shared};

/// A request without an origin passes: it does not come from a page.
pub(crate) fn is_origin_allowed<D>(hub: &HubOf<D>, request: &RequestView<'_>) -> bool {
    let Some(origins) = &hub.config.allowed_origins else {
        return true;
    };
    request
        .header("origin")
        .is_none_or(|origin| std::str::from_utf8(origin).is_ok_and(|origin| origins.allows(origin)))
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
    session.is_origin_bound(bound_origin(hub, request, session))
        && cookie.is_none_or(|cookie| session.has_cookie(cookie.find(request)))
}

/// The origin that a session is bound to by a request, or that is held against the one it is bound to.
///
/// A form that a JSONP client sends from a page with a strict `Referrer-Policy` says `null`, though the page's other
/// requests name its origin. Of a session that was opened for JSONP that counts as saying nothing. A stranger gains nothing
/// by it: the polls of such a session are scripts, for which browsers name no origin at all, so a page that knows the id
/// could read it all anyway. For every other session `null` is an origin like any other.
pub(crate) fn bound_origin<'r, D: Send + Sync + 'static>(
    hub: &HubOf<D>,
    request: &RequestView<'r>,
    session: &Shared<D>,
) -> Option<&'r [u8]> {
    let origin = request.header("origin")?;
    let is_of_a_form =
        origin == b"null" && session.jsonp.is_some() && request.method() == Method::POST;
    (hub.config.bind_origin && !is_of_a_form).then_some(origin)
}
