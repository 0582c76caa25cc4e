//! The plain HTTP side: the page, the login and the renewal, beside Socket.IO in one axum router.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::json;
use socketio::SocketIo;

use crate::hall::Hall;
use crate::tokens::{Claims, Issued, Tokens};

#[derive(Clone)]
struct Desk {
    tokens: Arc<Tokens>,
    hall: Arc<Hall>,
}

pub(crate) fn routes(io: &SocketIo<Claims>, tokens: Arc<Tokens>, hall: Arc<Hall>) -> Router {
    Router::new()
        .route("/", get(|| async { Html(include_str!("page/index.html")) }))
        .route(
            "/style.css",
            get(|| file("text/css", include_str!("page/style.css"))),
        )
        .route(
            "/chat.js",
            get(|| file("text/javascript", include_str!("page/chat.js"))),
        )
        .route(
            "/small-client.js",
            get(|| file("text/javascript", include_str!("page/small-client.js"))),
        )
        .route("/login", post(login))
        .route("/renew", post(renew))
        .with_state(Desk { tokens, hall })
        .layer(io.layer())
}

async fn file(kind: &'static str, content: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind)], content)
}

async fn login(State(desk): State<Desk>, body: Bytes) -> Response {
    #[derive(Deserialize)]
    struct Login {
        name: String,
    }
    let Ok(Login { name }) = serde_json::from_slice(&body) else {
        return refused(StatusCode::BAD_REQUEST, "a name is needed");
    };
    if desk.hall.people().contains(&name) {
        return refused(StatusCode::CONFLICT, &format!("{name} is taken"));
    }
    issued(desk.tokens.issue(&name))
}

async fn renew(State(desk): State<Desk>, headers: HeaderMap) -> Response {
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    issued(desk.tokens.renew(token.unwrap_or_default()).await)
}

fn issued(token: Result<Issued, Box<dyn std::error::Error>>) -> Response {
    match token {
        Ok(issued) => json_response(StatusCode::OK, &issued),
        Err(error) => refused(StatusCode::UNAUTHORIZED, &error.to_string()),
    }
}

fn refused(status: StatusCode, error: &str) -> Response {
    json_response(status, &json!({ "error": error }))
}

fn json_response(status: StatusCode, body: &impl Serialize) -> Response {
    let body = serde_json::to_string(body).unwrap_or_default();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
