//! Registering, logging in and logging out: forms, and the cookie of the session.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash};
use axum::extract::{Form, FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use serde::Deserialize;
use socketio::auth::revocation::Revocation;
use tokio::sync::Semaphore;

use crate::App;
use crate::answers::{failed, login_page};
use crate::database::{Database, Failure, Session, User};

/// The cookie with the token of a session. By the prefix browsers take it over TLS only (and from this machine), and
/// from nobody but this host.
pub(crate) const COOKIE: &str = "__Host-session";
/// How long one is logged in, in seconds: a week.
const SESSION_LIFE: u32 = 7 * 24 * 60 * 60;
/// How many passwords may be hashed at once: each takes 19 MiB, and it is strangers who ask.
const HASHES_MAX: usize = 4;
/// Bounds of a password, in bytes.
const PASSWORD_MIN: usize = 8;
const PASSWORD_MAX: usize = 200;
/// The longest name, in bytes.
const NAME_MAX: usize = 30;

#[derive(Deserialize)]
pub(crate) struct Login {
    name: String,
    password: String,
}

#[derive(Clone)]
pub(crate) struct Accounts {
    database: Database,
    hashing: Arc<Semaphore>,
}

impl Accounts {
    pub(crate) fn new(database: Database) -> Self {
        Self {
            database,
            hashing: Arc::new(Semaphore::new(HASHES_MAX)),
        }
    }

    /// A new account; nothing where the name is taken.
    async fn create(&self, Login { name, password }: Login) -> Result<Option<User>, Failure> {
        let hash = self
            .hash(move |argon2| Ok(argon2.hash_password(password.as_bytes())?.to_string()))
            .await?;
        self.database.add_user(name, hash).await
    }

    /// Whose name and password these are.
    async fn find(&self, Login { name, password }: Login) -> Result<Option<User>, Failure> {
        let Some((user, hash)) = self.database.user(name).await? else {
            return Ok(None);
        };
        let is_right = self
            .hash(move |argon2| {
                let hash = PasswordHash::new(&hash)?;
                Ok(argon2.verify_password(password.as_bytes(), &hash).is_ok())
            })
            .await?;
        Ok(is_right.then_some(user))
    }

    /// Hashes on a thread where nobody waits, a few at a time.
    async fn hash<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Argon2<'_>) -> Result<T, argon2::password_hash::Error> + Send + 'static,
    ) -> Result<T, Failure> {
        let _place = self.hashing.acquire().await?;
        Ok(tokio::task::spawn_blocking(|| work(&Argon2::default())).await??)
    }

    /// Begins a session, and gives the browser its token.
    async fn begin(&self, user: &User) -> Result<Cookie<'static>, Failure> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| error.to_string())?;
        let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        self.database
            .begin_session(user.id, token.clone(), SESSION_LIFE)
            .await?;
        Ok(cookie(token))
    }
}

fn cookie(token: String) -> Cookie<'static> {
    Cookie::build((COOKIE, token))
        .path("/")
        .secure(true)
        // Scripts need not see it, and forms of other sites do not send it.
        .http_only(true)
        .same_site(SameSite::Lax)
        .permanent()
        .build()
}

pub(crate) async fn register(
    State(app): State<App>,
    jar: CookieJar,
    Form(login): Form<Login>,
) -> Response {
    let name = &login.name;
    let is_name = (1..=NAME_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !is_name {
        return login_page(
            StatusCode::BAD_REQUEST,
            "A name is 1 to 30 letters and digits.",
        );
    }
    if !(PASSWORD_MIN..=PASSWORD_MAX).contains(&login.password.len()) {
        return login_page(
            StatusCode::BAD_REQUEST,
            "A password is 8 to 200 characters long.",
        );
    }
    match app.accounts.create(login).await {
        Ok(Some(user)) => enter(&app, jar, &user).await,
        Ok(None) => login_page(StatusCode::CONFLICT, "That name is taken."),
        Err(failure) => failed(&failure),
    }
}

pub(crate) async fn login(
    State(app): State<App>,
    jar: CookieJar,
    Form(login): Form<Login>,
) -> Response {
    match app.accounts.find(login).await {
        Ok(Some(user)) => enter(&app, jar, &user).await,
        Ok(None) => login_page(StatusCode::UNAUTHORIZED, "Wrong name or password."),
        Err(failure) => failed(&failure),
    }
}

async fn enter(app: &App, jar: CookieJar, user: &User) -> Response {
    match app.accounts.begin(user).await {
        Ok(cookie) => (jar.add(cookie), Redirect::to("/")).into_response(),
        Err(failure) => failed(&failure),
    }
}

/// Ends the session, and every socket that it let in.
pub(crate) async fn logout(State(app): State<App>, session: Session, jar: CookieJar) -> Response {
    if let Err(failure) = app.database.end_session(session.id).await {
        return failed(&failure);
    }
    app.io
        .auth()
        .kick(&Revocation::session(session.id.to_string()));
    (jar.remove(cookie(String::new())), Redirect::to("/")).into_response()
}

/// The session of a request's cookie, for any handler that takes one; without it the request is refused.
impl FromRequestParts<App> for Session {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let jar = CookieJar::from_headers(&parts.headers);
        let refused = || (StatusCode::UNAUTHORIZED, "log in first").into_response();
        let token = jar.get(COOKIE).ok_or_else(refused)?.value().to_owned();
        match app.database.session(token).await {
            Ok(session) => session.ok_or_else(refused),
            Err(failure) => Err(failed(&failure)),
        }
    }
}
