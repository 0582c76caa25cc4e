//! What holds for every authenticator worth the name, as tests of any of them.

mod inputs;

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, SystemTime};

use self::inputs::{MIN_RECOGNISABLE_BYTES, head, hostile, recognisable_parts, tampered};
use super::block_on::block_on_tokio;
use crate::authenticator::judge::{Authenticator, DynAuthenticator, Outcome};
use crate::base::clock::{Clock as _, SystemClock};
use crate::base::future::BoxFuture;
use crate::presented::context::AuthContext;
use crate::presented::credential::{Credential, SourceKind};
use crate::rejection::code::Code;

/// How long a verdict may take in [`Conformance`], however slow the machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// An authenticator under test. [`auth_conformance!`](crate::auth_conformance) runs all checks; each can be called
/// by itself, too, and fails by panicking, as tests do. Those named after a row are of the table of attacks in the
/// crate's guide.
pub struct Conformance<A> {
    authenticator: Arc<A>,
    good: Arc<dyn Fn() -> String + Send + Sync>,
    bad: Vec<String>,
    block_on: fn(BoxFuture<'static, ()>),
    patience: Duration,
}

#[expect(
    clippy::missing_panics_doc,
    reason = "a check fails by panicking, as the type says"
)]
impl<A: Authenticator> Conformance<A> {
    /// Tests `authenticator`. `good` makes a token that is accepted, a new one at every call if a token is good
    /// once only, always of the same subject; `bad` are tokens that are refused.
    pub fn new<T: Into<String>>(
        authenticator: A,
        good: impl Fn() -> String + Send + Sync + 'static,
        bad: impl IntoIterator<Item = T>,
    ) -> Self {
        Self {
            authenticator: Arc::new(authenticator),
            good: Arc::new(good),
            bad: bad.into_iter().map(Into::into).collect(),
            block_on: block_on_tokio,
            patience: PATIENCE,
        }
    }

    /// Runs the futures another way, for instance on a runtime of another kind. By default each check has a tokio runtime of
    /// one thread, with its timers and sockets.
    #[must_use]
    pub fn block_on(mut self, block_on: fn(BoxFuture<'static, ()>)) -> Self {
        self.block_on = block_on;
        self
    }

    /// Waits this long for the verdicts of one check; 20 s by default.
    #[must_use]
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Good tokens are accepted.
    pub fn a_good_token_is_accepted(&self) {
        self.run(|subject| async move {
            let outcome = subject.ask(&subject.good()).await;
            assert!(matches!(outcome, Outcome::Accept(_)), "{outcome:?}");
        });
    }

    /// Bad tokens are not.
    pub fn a_bad_token_is_refused(&self) {
        self.run(|subject| async move {
            for bad in &subject.bad {
                subject.refuses(bad).await;
            }
        });
    }

    /// A good token with one character changed, added or missing is refused.
    pub fn a_tampered_token_is_refused(&self) {
        self.run(|subject| async move {
            for tampered in tampered(&subject.good()) {
                subject.refuses(&tampered).await;
            }
        });
    }

    /// The object-safe twin decides the same.
    pub fn the_dyn_twin_decides_the_same(&self) {
        self.run(|subject| async move {
            let twin: &dyn DynAuthenticator<A::Identity> = &*subject.authenticator;
            let cx = AuthContext::new("/");
            let good = Credential::new(subject.good(), SourceKind::Payload);
            let outcome = twin.authenticate_dyn(&cx, &good).await;
            assert!(matches!(outcome, Outcome::Accept(_)), "{outcome:?}");
            for bad in &subject.bad {
                let bad = Credential::new(bad.as_str(), SourceKind::Payload);
                let outcome = twin.authenticate_dyn(&cx, &bad).await;
                assert!(!matches!(outcome, Outcome::Accept(_)), "accepts {bad:?}");
            }
        });
    }

    /// Neither verdict shows the token, in its `Debug` or in what the client is told.
    pub fn row_12_no_verdict_shows_the_token(&self) {
        self.run(|subject| async move {
            let tokens = [subject.good()].into_iter().chain(subject.bad.clone());
            for token in tokens.filter(|token| token.len() >= MIN_RECOGNISABLE_BYTES) {
                let outcome = subject.ask(&token).await;
                let mut shown = format!("{outcome:?}");
                if let Outcome::Reject(rejection) = &outcome {
                    shown.push_str(rejection.message());
                }
                for part in recognisable_parts(&token) {
                    assert!(!shown.contains(part), "a verdict shows the token: {shown}");
                }
            }
        });
    }

    /// What is accepted has not ended.
    pub fn row_14_an_accepted_grant_has_not_ended(&self) {
        self.run(|subject| async move {
            let now: SystemTime = SystemClock.now();
            if let Outcome::Accept(grant) = subject.ask(&subject.good()).await {
                let left = grant.expires_in(now);
                assert_ne!(left, Some(Duration::ZERO), "the grant has ended");
            }
        });
    }

    /// A refused token counts as a failed attempt: it is not the server's failure.
    pub fn row_17_a_refusal_counts_as_an_attempt(&self) {
        self.run(|subject| async move {
            for token in subject.bad.iter().cloned().chain(hostile()) {
                if let Outcome::Reject(rejection) = subject.ask(&token).await {
                    let code = rejection.code();
                    assert_ne!(code, Code::AuthUnavailable, "for {}", head(&token));
                }
            }
        });
    }

    /// A verification that is dropped half way spoils nothing.
    pub fn row_20_a_dropped_verification_spoils_nothing(&self) {
        self.run(|subject| async move {
            for token in subject.bad.iter().cloned().chain([subject.good()]) {
                let credential = Credential::new(token, SourceKind::Event);
                let cx = AuthContext::new("/");
                let mut dropped = pin!(subject.authenticator.authenticate(&cx, &credential));
                // Polled in the task, so that runtimes are there, and then left alone.
                poll_fn(|task| {
                    let _ = dropped.as_mut().poll(task);
                    Poll::Ready(())
                })
                .await;
            }
            let outcome = subject.ask(&subject.good()).await;
            assert!(matches!(outcome, Outcome::Accept(_)), "{outcome:?}");
        });
    }

    /// The subject is not empty and stays the same, or nobody could renew.
    pub fn row_22_the_subject_stays_the_same(&self) {
        self.run(|subject| async move {
            let mut subjects = Vec::new();
            for _ in 0..2 {
                if let Outcome::Accept(grant) = subject.ask(&subject.good()).await {
                    subjects.push(grant.subject().clone());
                }
            }
            assert!(subjects.iter().all(|subject| !subject.id().is_empty()));
            assert!(subjects.windows(2).all(|pair| pair.first() == pair.last()));
        });
    }

    /// Verdicts that are under way at once do not mix.
    pub fn row_24_verdicts_under_way_at_once_do_not_mix(&self) {
        self.run(|subject| async move {
            let cx = AuthContext::new("/");
            for bad in &subject.bad {
                let good = Credential::new(subject.good(), SourceKind::Payload);
                let bad = Credential::new(bad.as_str(), SourceKind::Payload);
                let mut accepted = pin!(subject.authenticator.authenticate(&cx, &good));
                let mut refused = pin!(subject.authenticator.authenticate(&cx, &bad));
                let (mut first, mut second) = (None, None);
                poll_fn(|task| {
                    poll_into(&mut first, accepted.as_mut(), task);
                    poll_into(&mut second, refused.as_mut(), task);
                    if first.is_some() && second.is_some() {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                })
                .await;
                assert!(matches!(first, Some(Outcome::Accept(_))), "{first:?}");
                assert!(
                    !matches!(second, Some(Outcome::Accept(_))),
                    "accepts {bad:?}"
                );
            }
        });
    }

    /// Whoever has no genuine token hears one fixed sentence per code, so that nothing is learnt from trying. The `bad` tokens
    /// may have sentences of their own: an account that is suspended may be told so, by who knows that it is its.
    pub fn row_32_there_is_one_message_per_code(&self) {
        self.run(|subject| async move {
            let mut messages = HashMap::new();
            for token in hostile().chain(tampered(&subject.good())) {
                if let Outcome::Reject(rejection) = subject.ask(&token).await {
                    let message = rejection.message().to_owned();
                    let known = messages.entry(rejection.code()).or_insert(message);
                    assert_eq!(known, rejection.message(), "for {}", head(&token));
                }
            }
        });
    }

    /// Tokens of 8 KiB and one byte, and of 900 kB, are refused.
    pub fn row_33_a_huge_token_is_refused(&self) {
        self.run(|subject| async move {
            for bytes in [8193, 900_000] {
                subject.refuses(&"A".repeat(bytes)).await;
                let padded = subject.good() + &"A".repeat(bytes);
                subject.refuses(&padded).await;
            }
        });
    }

    /// Nothing that a client can send makes it panic, or is accepted.
    pub fn row_36_hostile_tokens_are_refused_without_a_panic(&self) {
        self.run(|subject| async move {
            for token in hostile() {
                subject.refuses(&token).await;
            }
        });
    }

    /// Every verdict comes.
    pub fn row_37_every_verdict_comes(&self) {
        self.run(|subject| async move {
            for token in hostile().chain(subject.bad.clone()) {
                let _ = subject.ask(&token).await;
            }
        });
    }

    /// Runs a check on a thread of its own, which is left behind when a verdict does not come.
    #[expect(clippy::panic, reason = "a check fails by panicking, as tests do")]
    fn run<F, Fut>(&self, check: F)
    where
        F: FnOnce(Self) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let (this, block_on) = (self.share(), self.block_on);
        let (finished, wait) = channel();
        let checking = thread::spawn(move || {
            block_on(Box::pin(check(this)));
            // Nobody listens any more when patience has ended.
            let _ = finished.send(());
        });
        match wait.recv_timeout(self.patience) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => panic!("a verdict did not come"),
            Err(RecvTimeoutError::Disconnected) => {
                if let Err(failure) = checking.join() {
                    resume_unwind(failure);
                }
            }
        }
    }

    fn share(&self) -> Self {
        Self {
            authenticator: Arc::clone(&self.authenticator),
            good: Arc::clone(&self.good),
            bad: self.bad.clone(),
            block_on: self.block_on,
            patience: self.patience,
        }
    }

    fn good(&self) -> String {
        (self.good)()
    }

    async fn ask(&self, token: &str) -> Outcome<A::Identity> {
        let credential = Credential::new(token, SourceKind::Payload);
        let cx = AuthContext::new("/");
        self.authenticator.authenticate(&cx, &credential).await
    }

    async fn refuses(&self, token: &str) {
        let outcome = self.ask(token).await;
        assert!(
            !matches!(outcome, Outcome::Accept(_)),
            "accepts {}",
            head(token)
        );
    }
}

impl<A> fmt::Debug for Conformance<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conformance")
            .field("bad", &self.bad.len())
            .finish_non_exhaustive()
    }
}

fn poll_into<T>(
    slot: &mut Option<T>,
    future: std::pin::Pin<&mut impl Future<Output = T>>,
    task: &mut Context<'_>,
) {
    if slot.is_none()
        && let Poll::Ready(value) = future.poll(task)
    {
        *slot = Some(value);
    }
}

/// Tests any [`Authenticator`](crate::Authenticator): makes a module with one test per claim that holds for all of them.
///
/// `authenticator` is made anew for every test; `good` is a token that is accepted, evaluated anew at every use, always of
/// the same subject; `bad` is a list of tokens that are refused. Each test has a tokio runtime of one thread, with its timers
/// and sockets; an authenticator that needs another brings a `block_on`.
///
/// ```
/// use socketio_auth::{AuthContext, Code, Credential, Grant, Outcome, auth_fn};
///
/// socketio_auth::auth_conformance! {
///     mod api_keys;
///     authenticator: auth_fn(|_: AuthContext, key: Credential| async move {
///         match key.token() {
///             "key-1-8c1f0ad2" => Outcome::Accept(Grant::new(1, "tenant-1")),
///             _ => Outcome::Reject(Code::InvalidToken.into()),
///         }
///     }),
///     good: "key-1-8c1f0ad2",
///     bad: ["key-2", "KEY-1-8C1F0AD2"],
/// }
/// ```
#[macro_export]
macro_rules! auth_conformance {
    (
        mod $name:ident;
        authenticator: $authenticator:expr,
        good: $good:expr,
        bad: $bad:expr $(,)?
    ) => {
        $crate::auth_conformance! {
            mod $name;
            authenticator: $authenticator,
            good: $good,
            bad: $bad,
            block_on: $crate::testing::block_on_tokio,
        }
    };
    (
        mod $name:ident;
        authenticator: $authenticator:expr,
        good: $good:expr,
        bad: $bad:expr,
        block_on: $block_on:expr $(,)?
    ) => {
        $crate::auth_conformance! {
            @tests $name ($authenticator) ($good) ($bad) ($block_on)
            a_good_token_is_accepted
            a_bad_token_is_refused
            a_tampered_token_is_refused
            the_dyn_twin_decides_the_same
            row_12_no_verdict_shows_the_token
            row_14_an_accepted_grant_has_not_ended
            row_17_a_refusal_counts_as_an_attempt
            row_20_a_dropped_verification_spoils_nothing
            row_22_the_subject_stays_the_same
            row_24_verdicts_under_way_at_once_do_not_mix
            row_32_there_is_one_message_per_code
            row_33_a_huge_token_is_refused
            row_36_hostile_tokens_are_refused_without_a_panic
            row_37_every_verdict_comes
        }
    };
    (
        @tests $name:ident ($authenticator:expr) ($good:expr) ($bad:expr) ($block_on:expr)
        $($check:ident)*
    ) => {
        #[cfg(test)]
        mod $name {
            #[allow(unused_imports, reason = "the expressions may not need any")]
            use super::*;

            $(
                #[test]
                fn $check() {
                    $crate::testing::Conformance::new(
                        $authenticator,
                        || ::std::string::String::from($good),
                        $bad,
                    )
                    .block_on($block_on)
                    .$check();
                }
            )*
        }
    };
}

#[cfg(test)]
mod tests;
