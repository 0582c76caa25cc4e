use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::judge::{Authenticator, Outcome};
use crate::presented::context::AuthContext;
use crate::presented::credential::Credential;
use crate::rejection::code::Rejection;
use crate::revocation::list::RevocationList;

/// Gives up on a slow authenticator, made by [`Authenticator::timeout`].
#[derive(Clone)]
pub struct Timeout<A, S> {
    inner: A,
    limit: Duration,
    sleep: S,
}

impl<A, S> Timeout<A, S> {
    pub(crate) const fn new(inner: A, limit: Duration, sleep: S) -> Self {
        Self {
            inner,
            limit,
            sleep,
        }
    }
}

impl<A, S, Fut> Authenticator for Timeout<A, S>
where
    A: Authenticator,
    S: Fn(Duration) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send,
{
    type Identity = A::Identity;

    async fn authenticate(
        &self,
        cx: &AuthContext,
        credential: &Credential,
    ) -> Outcome<Self::Identity> {
        let mut judging = pin!(self.inner.authenticate(cx, credential));
        let mut sleeping = pin!((self.sleep)(self.limit));
        poll_fn(|task| {
            // A verdict that is there in time counts, however late this is polled.
            if let Poll::Ready(outcome) = judging.as_mut().poll(task) {
                return Poll::Ready(outcome);
            }
            sleeping.as_mut().poll(task).map(|()| {
                Outcome::Reject(Rejection::unavailable("the authenticator took too long"))
            })
        })
        .await
    }

    fn revocations(&self, visit: &mut dyn FnMut(&Arc<dyn RevocationList>)) {
        self.inner.revocations(visit);
    }
}

impl<A: fmt::Debug, S> fmt::Debug for Timeout<A, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout")
            .field("inner", &self.inner)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
