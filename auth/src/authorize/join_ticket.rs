use serde::Deserialize;

use crate::authenticator::judge::{Authenticator, Outcome};
use crate::grant::Grant;
use crate::presented::context::AuthContext;
use crate::presented::credential::Credential;
use crate::rejection::code::{Code, Rejection};
use crate::subject::Subject;

/// The claims of a join ticket, for instance the claims type of a
/// `JwtAuthenticator<JoinClaims>`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct JoinClaims {
    /// The one room that the ticket opens, compared exactly.
    pub room: Box<str>,
    /// The id of the socket that it was made for (`socket.id` on the client).
    #[serde(default)]
    pub socket: Option<Box<str>>,
    /// The issuer of the subject's login, where it is not the ticket's own.
    #[serde(default)]
    pub subject_issuer: Option<Box<str>>,
}

impl JoinClaims {
    /// A ticket for a room, for one socket.
    #[must_use]
    pub fn new(room: impl Into<Box<str>>, socket: impl Into<Box<str>>) -> Self {
        Self {
            room: room.into(),
            socket: Some(socket.into()),
            subject_issuer: None,
        }
    }
}

/// What a client wants to join with a ticket.
#[derive(Clone, Copy, Debug)]
pub struct JoinRequest<'a> {
    /// The room.
    pub room: &'a str,
    /// Whose socket it is; `None` for a guest.
    pub subject: Option<&'a Subject>,
    /// The id of the socket.
    pub socket: &'a str,
}

/// Admits sockets to rooms by signed tickets: the application's web server decides who may join what and hands out
/// the ticket, and nothing needs to be looked up here.
///
/// A ticket has a room, a subject and an end, all of which have to fit, and is good for one socket. Use another audience than
/// for access tokens, so that neither passes for the other.
///
/// Mostly a ticket has another issuer than the login. For its one socket it is enough that it names the subject; where it says
/// whose name that is, with the claim `subject_issuer`, that has to fit too.
///
/// ```
/// use std::time::SystemTime;
/// use socketio_auth::{AuthContext, Credential, Grant, Outcome, Rejection, SourceKind, Subject, auth_fn};
/// use socketio_auth::authorize::{JoinClaims, JoinRequest, JoinTickets};
///
/// # async fn join() -> Result<(), Rejection> {
/// // In earnest, a JwtAuthenticator::<JoinClaims>.
/// let judge = auth_fn(|_: AuthContext, _ticket: Credential| async {
///     let claims = JoinClaims::new("room:42", "cUg3Fpv8nqwEAAAB");
///     Outcome::Accept(Grant::new(claims, "user-7").with_expires_at(SystemTime::now()))
/// });
/// let tickets = JoinTickets::new(judge);
/// let subject = Subject::new("user-7");
/// let request = JoinRequest { room: "room:42", subject: Some(&subject), socket: "cUg3Fpv8nqwEAAAB" };
/// let ticket = Credential::new("eyJhbGciOi", SourceKind::Event);
/// tickets.admit(&AuthContext::new("/"), request, &ticket).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct JoinTickets<A> {
    judge: A,
    needs_socket: bool,
}

impl<A: Authenticator<Identity = JoinClaims>> JoinTickets<A> {
    /// Admits by the tickets that `judge` accepts.
    pub const fn new(judge: A) -> Self {
        Self {
            judge,
            needs_socket: true,
        }
    }

    /// Takes tickets that name no socket as well: they are good for any socket of the subject until they end. Such a
    /// ticket has to say whose name its subject is, unless its own issuer is that of the login.
    #[must_use]
    pub const fn allow_any_socket(mut self) -> Self {
        self.needs_socket = false;
        self
    }

    /// The ticket's grant, when it opens this room to this socket.
    ///
    /// # Errors
    ///
    /// The authenticator's own rejection; [`Code::InsufficientScope`] for a ticket of another room, subject or
    /// socket, or one without an end.
    pub async fn admit(
        &self,
        cx: &AuthContext,
        request: JoinRequest<'_>,
        ticket: &Credential,
    ) -> Result<Grant<JoinClaims>, Rejection> {
        let grant = match self.judge.authenticate(cx, ticket).await {
            Outcome::Accept(grant) => grant,
            Outcome::NotMine => return Err(Code::InvalidToken.into()),
            Outcome::Reject(rejection) => return Err(rejection),
        };
        let refuse = |detail| Err(Rejection::new(Code::InsufficientScope).with_detail(detail));
        let claims = grant.identity();
        if *claims.room != *request.room {
            return refuse("the ticket is for another room");
        }
        let Some(subject) = request
            .subject
            .filter(|subject| subject.id() == grant.subject().id())
        else {
            return refuse("the ticket is for another subject");
        };
        let named_by = match claims.subject_issuer.as_deref() {
            None if claims.socket.is_none() => grant.issuer(),
            None => subject.issuer(),
            named_by => named_by,
        };
        if named_by != subject.issuer() {
            return refuse("the ticket is for the subject of another issuer");
        }
        match &claims.socket {
            Some(socket) if **socket != *request.socket => {
                return refuse("the ticket is for another socket");
            }
            None if self.needs_socket => return refuse("the ticket names no socket"),
            _ => {}
        }
        if grant.expires_at().is_none() {
            return refuse("the ticket has no end");
        }
        Ok(grant)
    }
}
