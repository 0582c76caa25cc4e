//! One-time tickets: handed out over an authenticated channel, good for one connection.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::api_keys::ApiKeyDigest;
use crate::authenticator::judge::{Authenticator, Outcome};
use crate::base::clock::{Clock, SystemClock};
use crate::base::lock::Lock;
use crate::base::random::unguessable;
use crate::base::secret::Secret;
use crate::grant::Grant;
use crate::presented::context::AuthContext;
use crate::presented::credential::Credential;
use crate::rejection::code::Code;

/// By which a ticket is told from other credentials.
const PREFIX: &str = "ticket_";

/// With 43 characters of Base64url.
const TICKET_BYTES: usize = 50;

/// Issues tickets and accepts each once. A clone shares them.
///
/// For pages whose session is in a cookie that the socket server does not see: the web server, having looked at the
/// session, asks for a ticket and gives it to the page, which connects with it. A ticket that is seen in a log is
/// worth nothing, because it was used. Each namespace and each reconnection takes a ticket of its own.
///
/// Tickets live in this process: with several, redeem where issued, or sign short-lived JSON Web Tokens instead. Only
/// digests are kept.
///
/// ```
/// use std::time::Duration;
/// use socketio_auth::{Grant, opaque::Tickets};
///
/// let tickets = Tickets::new(Duration::from_secs(30), 10_000);
/// // In the handler of GET /ticket, which knows who asks:
/// let ticket = tickets.issue(Grant::new("ann", "user-7")).expect("there is room");
/// assert!(ticket.expose().starts_with("ticket_"));
/// // let policy = InHandshake::new(tickets.clone());
/// ```
pub struct Tickets<I>(Arc<Inner<I>>);

struct Inner<I> {
    ttl: Duration,
    capacity: usize,
    clock: Box<dyn Clock>,
    book: Lock<Book<I>>,
}

struct Book<I> {
    open: HashMap<ApiKeyDigest, (SystemTime, Grant<I>)>,
    /// Every ticket that has not expired, used or not, in the order of issue, which is that of expiry.
    issued: VecDeque<(SystemTime, ApiKeyDigest)>,
}

/// Why no ticket was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TicketError {
    /// As many as allowed were issued within the lifetime of a ticket.
    Full,
    /// The operating system has no randomness.
    NoRandomness,
}

impl fmt::Display for TicketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "too many tickets were issued of late",
            Self::NoRandomness => "the operating system has no randomness",
        })
    }
}

impl std::error::Error for TicketError {}

impl<I: Send + Sync + 'static> Tickets<I> {
    /// Tickets that are good for `ttl` after they were issued, of which at most `capacity` are issued within such a
    /// time, used ones included. 30 s suffice for a page to connect; a longer time leaves a stolen ticket open for
    /// longer.
    #[must_use]
    pub fn new(ttl: Duration, capacity: usize) -> Self {
        Self::with_clock(ttl, capacity, SystemClock)
    }

    /// As [`new`](Self::new), with another clock, for tests.
    #[must_use]
    pub fn with_clock(ttl: Duration, capacity: usize, clock: impl Clock) -> Self {
        Self(Arc::new(Inner {
            ttl,
            capacity,
            clock: Box::new(clock),
            book: Lock::new(Book {
                open: HashMap::new(),
                issued: VecDeque::new(),
            }),
        }))
    }

    /// A ticket for `grant`. The time of the ticket is not that of the grant, which may last as long as the
    /// connection. A grant that does not say when it was issued is issued now.
    ///
    /// # Errors
    ///
    /// [`TicketError::Full`] past the capacity, [`TicketError::NoRandomness`].
    pub fn issue(&self, grant: Grant<I>) -> Result<Secret, TicketError> {
        let ticket = unguessable(PREFIX).ok_or(TicketError::NoRandomness)?;
        let digest = ApiKeyDigest::of(ticket.expose());
        let now = self.0.clock.now();
        let until = now.checked_add(self.0.ttl).unwrap_or(now);
        let grant = match grant.issued_at() {
            None => grant.with_issued_at(now),
            Some(_) => grant,
        };
        let forgotten = {
            let mut book = self.0.book.lock();
            let forgotten = book.forget_expired(now);
            if book.issued.len() >= self.0.capacity {
                return Err(TicketError::Full);
            }
            book.issued.push_back((until, digest));
            book.open.insert(digest, (until, grant));
            forgotten
        };
        // Dropping an identity runs the user's code; the lock is free by now.
        drop(forgotten);
        Ok(ticket)
    }
}

impl<I> Book<I> {
    fn forget_expired(&mut self, now: SystemTime) -> Vec<Grant<I>> {
        let mut forgotten = Vec::new();
        while let Some((until, digest)) = self.issued.front().copied()
            && until <= now
        {
            self.issued.pop_front();
            forgotten.extend(self.open.remove(&digest).map(|(_, grant)| grant));
        }
        forgotten
    }
}

impl<I: Send + Sync + 'static> Authenticator for Tickets<I> {
    type Identity = I;

    async fn authenticate(&self, cx: &AuthContext, credential: &Credential) -> Outcome<I> {
        let ticket = credential.token();
        if ticket.len() != TICKET_BYTES || !ticket.starts_with(PREFIX) {
            return Outcome::NotMine;
        }
        // What was true for this connection must not be cached for another.
        cx.do_not_cache();
        let now = self.0.clock.now();
        let found = {
            let digest = ApiKeyDigest::of(ticket);
            self.0.book.lock().open.remove(&digest)
        };
        match found {
            Some((until, grant)) if now < until => Outcome::Accept(grant),
            Some(_) => Outcome::Reject(Code::TokenExpired.into()),
            None => Outcome::Reject(Code::InvalidToken.into()),
        }
    }
}

impl<I> Clone for Tickets<I> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Shows the bounds only.
impl<I> fmt::Debug for Tickets<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tickets")
            .field("ttl", &self.0.ttl)
            .field("capacity", &self.0.capacity)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeClock;
    use crate::{
        SourceKind,
        base::ready::now_or_never,
        revocation::{MemoryRevocations, Revocation},
    };

    const TTL: Duration = Duration::from_secs(30);

    fn book(capacity: usize) -> (Tickets<&'static str>, FakeClock) {
        let clock = FakeClock::at(1_800_000_000);
        (Tickets::with_clock(TTL, capacity, clock.clone()), clock)
    }

    fn redeem<A: Authenticator>(tickets: &A, ticket: &str) -> &'static str {
        let credential = Credential::new(ticket, SourceKind::Payload);
        match now_or_never(tickets.authenticate(&AuthContext::new("/"), &credential)).unwrap() {
            Outcome::Accept(_) => "ok",
            Outcome::NotMine => "not mine",
            Outcome::Reject(rejection) => rejection.code().as_str(),
        }
    }

    #[test]
    fn a_ticket_is_good_once() {
        let (tickets, _) = book(10);
        let ticket = tickets.issue(Grant::new("ann", "user-7")).unwrap();
        assert_eq!(ticket.len(), TICKET_BYTES);
        assert_eq!(redeem(&tickets.clone(), ticket.expose()), "ok");
        assert_eq!(redeem(&tickets, ticket.expose()), "invalid_token");
    }

    #[test]
    fn a_ticket_is_good_once_even_behind_a_cache() {
        let (tickets, _) = book(10);
        let ticket = tickets.issue(Grant::new("ann", "user-7")).unwrap();
        let cached = tickets.cached(TTL, 16);
        assert_eq!(redeem(&cached, ticket.expose()), "ok");
        assert_eq!(redeem(&cached, ticket.expose()), "invalid_token");
    }

    #[test]
    fn a_ticket_expires_at_its_time() {
        let (tickets, clock) = book(10);
        let issue = || tickets.issue(Grant::new("ann", "user-7")).unwrap();
        let (early, late) = (issue(), issue());
        clock.advance(TTL - Duration::from_secs(1));
        assert_eq!(redeem(&tickets, early.expose()), "ok");
        clock.advance(Duration::from_secs(1));
        assert_eq!(redeem(&tickets, late.expose()), "token_expired");
    }

    #[test]
    fn no_more_are_issued_within_a_lifetime_than_allowed() {
        let (tickets, clock) = book(2);
        let first = tickets.issue(Grant::new("ann", "user-7")).unwrap();
        tickets.issue(Grant::new("bob", "user-8")).unwrap();
        assert_eq!(redeem(&tickets, first.expose()), "ok");
        let full = tickets.issue(Grant::new("eve", "user-9")).map(drop);
        assert_eq!(full, Err(TicketError::Full));
        clock.advance(TTL);
        assert!(tickets.issue(Grant::new("eve", "user-9")).is_ok());
        let book = tickets.0.book.lock();
        assert_eq!((book.open.len(), book.issued.len()), (1, 1));
    }

    #[test]
    fn a_ticket_that_is_issued_after_a_logout_is_good() {
        let (tickets, clock) = book(10);
        let list = MemoryRevocations::with_clock(9, Duration::from_secs(86_400), clock.clone());
        let judge = tickets.clone().with_revocation(list.clone());
        let issue = || tickets.issue(Grant::new("ann", "user-7")).unwrap();
        let early = issue();
        let logout = Revocation::subject("user-7", clock.now());
        list.revoke(&logout).unwrap();
        clock.advance(Duration::from_secs(1));
        let of_an_old_login = Grant::new("ann", "user-7").with_issued_at(SystemTime::UNIX_EPOCH);
        let of_an_old_login = tickets.issue(of_an_old_login).unwrap();
        assert_eq!(redeem(&judge, early.expose()), "token_revoked");
        assert_eq!(redeem(&judge, of_an_old_login.expose()), "token_revoked");
        assert_eq!(redeem(&judge, issue().expose()), "ok");
    }

    #[test]
    fn what_is_no_ticket_is_for_another_authenticator() {
        let (tickets, _) = book(2);
        for other in ["", "ticket_", "eyJhbGciOi", &"t".repeat(TICKET_BYTES)] {
            assert_eq!(redeem(&tickets, other), "not mine");
        }
        let forged = format!("{PREFIX}{}", "A".repeat(43));
        assert_eq!(redeem(&tickets, &forged), "invalid_token");
    }
}
