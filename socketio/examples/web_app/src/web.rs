//! All routes: pages and forms, the plain interface, Socket.IO.

use axum::extract::State;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use tower_http::cors::CorsLayer;

use crate::App;
use crate::accounts::{login, logout, register};
use crate::answers::{failed, login_page};
use crate::database::Session;
use crate::live;

pub(crate) fn routes(app: App, pages: &[&str]) -> Result<Router, header::InvalidHeaderValue> {
    let origins: Result<Vec<HeaderValue>, _> = pages.iter().map(|page| page.parse()).collect();
    // The outermost layer, so that Socket.IO need not be told of CORS as well.
    let cors = CorsLayer::new()
        .allow_origin(origins?)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::CONTENT_TYPE])
        .allow_credentials(true);
    let sockets = app.io.layer();
    Ok(Router::new()
        .route("/", get(index))
        .route("/notes.js", get(script))
        .route("/register", post(register))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .route("/api/notes", get(all_notes).post(add_note))
        .with_state(app)
        .layer(sockets)
        .layer(cors))
}

/// The notes of who is logged in, the form for everyone else.
async fn index(session: Result<Session, Response>) -> Response {
    match session {
        Ok(_) => Html(include_str!("page/notes.html")).into_response(),
        Err(refused) if refused.status() == StatusCode::UNAUTHORIZED => {
            login_page(StatusCode::OK, "")
        }
        Err(failed) => failed,
    }
}

async fn script() -> impl IntoResponse {
    let kind = [(header::CONTENT_TYPE, "text/javascript")];
    (kind, include_str!("page/notes.js"))
}

async fn all_notes(State(app): State<App>, session: Session) -> Response {
    match app.database.notes(session.user.id).await {
        Ok(notes) => Json(notes).into_response(),
        Err(failure) => failed(&failure),
    }
}

#[derive(Deserialize)]
struct NewNote {
    text: String,
}

/// A note by plain HTTP, from a script for example: it appears in the open tabs all the same.
async fn add_note(State(app): State<App>, session: Session, Json(new): Json<NewNote>) -> Response {
    if !live::is_note(&new.text) {
        return (StatusCode::BAD_REQUEST, "a note is 1 to 1,000 bytes long").into_response();
    }
    match app.database.add_note(session.user.id, new.text).await {
        Ok(note) => {
            // Nobody may be there, and it is kept whether or not.
            let _ = live::show(&app.notes, &session.user, &note);
            (StatusCode::CREATED, Json(note)).into_response()
        }
        Err(failure) => failed(&failure),
    }
}
