use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::judge::{Authenticator, Outcome};
use crate::presented::context::AuthContext;
use crate::presented::credential::Credential;
use crate::rejection::code::Rejection;
use crate::revocation::list::RevocationList;

/// Bounds how many verifications run at once, made by [`Authenticator::max_concurrent`]. A clone shares the bound.
#[derive(Clone, Debug)]
pub struct MaxConcurrent<A> {
    inner: A,
    max: usize,
    running_count: Arc<AtomicUsize>,
}

impl<A> MaxConcurrent<A> {
    pub(crate) fn new(inner: A, max: usize) -> Self {
        Self {
            inner,
            max,
            running_count: Arc::default(),
        }
    }
}

/// One place among those that run; given back when dropped, so also when the verification is.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(running_count: &'a AtomicUsize, max: usize) -> Option<Self> {
        running_count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |running| {
                (running < max).then(|| running + 1)
            })
            .ok()
            .map(|_| Self(running_count))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<A: Authenticator> Authenticator for MaxConcurrent<A> {
    type Identity = A::Identity;

    async fn authenticate(
        &self,
        cx: &AuthContext,
        credential: &Credential,
    ) -> Outcome<Self::Identity> {
        let Some(_place) = Place::take(&self.running_count, self.max) else {
            return Outcome::Reject(Rejection::unavailable("too many verifications at once"));
        };
        self.inner.authenticate(cx, credential).await
    }

    fn revocations(&self, visit: &mut dyn FnMut(&Arc<dyn RevocationList>)) {
        self.inner.revocations(visit);
    }
}
