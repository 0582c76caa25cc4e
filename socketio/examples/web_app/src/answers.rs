//! Answers that several routes give.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};

use crate::database::Failure;

/// The form, with what is wrong with what was sent last.
pub(crate) fn login_page(status: StatusCode, error: &'static str) -> Response {
    let page = include_str!("page/login.html").replace("{error}", error);
    (status, Html(page)).into_response()
}

/// The log is told why, the client only that it is not its fault.
pub(crate) fn failed(failure: &Failure) -> Response {
    eprintln!("{failure}");
    (StatusCode::SERVICE_UNAVAILABLE, "try again later").into_response()
}
