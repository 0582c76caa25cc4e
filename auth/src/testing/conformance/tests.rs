use std::time::SystemTime;

use super::inputs::{TAMPERED_PLACES, tampered};
use super::*;
use crate::testing::StaticAuth;
use crate::{Grant, Rejection, auth_fn};

fn verdict(token: &str) -> Outcome<()> {
    match token {
        "good-token-5a0f7d11" => Outcome::Accept(Grant::new((), "ann")),
        _ => Outcome::Reject(Code::InvalidToken.into()),
    }
}

crate::auth_conformance! {
    mod honest;
    authenticator: auth_fn(|_: AuthContext, token: Credential| async move {
        verdict(token.token())
    }),
    good: "good-token-5a0f7d11",
    bad: ["bad-token-00000000"],
}

crate::auth_conformance! {
    mod with_words_of_its_own_that_asks_somebody_else;
    authenticator: auth_fn(|_: AuthContext, token: Credential| async move {
        tokio::time::sleep(Duration::from_millis(1)).await;
        match token.token() {
            "token-of-a-suspended-user" => Outcome::Reject(
                Rejection::new(Code::InvalidToken).with_message("your account is suspended"),
            ),
            other => verdict(other),
        }
    }),
    good: "good-token-5a0f7d11",
    bad: ["token-of-a-suspended-user", "bad-token-00000000"],
}

/// Whether the suite finds something wrong.
fn is_caught<A: Authenticator>(authenticator: A, check: fn(&Conformance<A>)) -> bool {
    let good = || "good-token-5a0f7d11".to_owned();
    let suite = Conformance::new(authenticator, good, ["bad-token-00000000"])
        .patience(Duration::from_millis(200));
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&suite))).is_err()
}

#[test]
fn authenticators_that_accept_refuse_or_panic_blindly_are_caught() {
    let ann = || StaticAuth::accept("ann");
    assert!(is_caught(ann(), Conformance::a_bad_token_is_refused));
    assert!(is_caught(ann(), Conformance::a_tampered_token_is_refused));
    assert!(is_caught(
        ann(),
        Conformance::row_33_a_huge_token_is_refused
    ));
    let nobody = StaticAuth::reject(Code::InvalidToken);
    assert!(is_caught(nobody, Conformance::a_good_token_is_accepted));
    assert!(is_caught(
        StaticAuth::panic(),
        Conformance::row_36_hostile_tokens_are_refused_without_a_panic
    ));
    assert!(is_caught(
        StaticAuth::hang(),
        Conformance::row_37_every_verdict_comes
    ));
    let unavailable = StaticAuth::reject(Code::AuthUnavailable);
    assert!(is_caught(
        unavailable,
        Conformance::row_17_a_refusal_counts_as_an_attempt
    ));
    let ended = Grant::new(String::new(), "").with_expires_at(SystemTime::UNIX_EPOCH);
    let ended = StaticAuth::accept_grant(ended);
    assert!(is_caught(
        ended.clone(),
        Conformance::row_14_an_accepted_grant_has_not_ended
    ));
    assert!(is_caught(
        ended,
        Conformance::row_22_the_subject_stays_the_same
    ));
}

#[test]
fn authenticators_that_echo_are_caught() {
    let echo = auth_fn(|_: AuthContext, token: Credential| async move {
        let message = format!("{} is not known", token.token());
        Outcome::<()>::Reject(Rejection::new(Code::InvalidToken).with_message(message))
    });
    assert!(is_caught(
        echo.clone(),
        Conformance::row_12_no_verdict_shows_the_token
    ));
    assert!(is_caught(
        echo,
        Conformance::row_32_there_is_one_message_per_code
    ));
}

#[test]
fn authenticators_that_mix_up_what_is_under_way_are_caught() {
    let last = Arc::new(crate::base::lock::Lock::new(String::new()));
    let mixing = auth_fn(move |_: AuthContext, token: Credential| {
        let last = Arc::clone(&last);
        async move {
            *last.lock() = token.token().to_owned();
            let mut is_second_poll = false;
            poll_fn(|task| {
                if std::mem::replace(&mut is_second_poll, true) {
                    return Poll::Ready(());
                }
                task.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
            let token = last.lock().clone();
            verdict(&token)
        }
    });
    assert!(is_caught(
        mixing,
        Conformance::row_24_verdicts_under_way_at_once_do_not_mix
    ));
}

#[test]
fn authenticators_that_stay_locked_when_dropped_are_caught() {
    let is_busy = Arc::new(crate::base::lock::Lock::new(false));
    let sticky = auth_fn(move |_: AuthContext, token: Credential| {
        let is_busy = Arc::clone(&is_busy);
        async move {
            if std::mem::replace(&mut *is_busy.lock(), true) {
                return Outcome::Reject(Code::AuthUnavailable.into());
            }
            let mut is_second_poll = false;
            poll_fn(|task| {
                if std::mem::replace(&mut is_second_poll, true) {
                    return Poll::Ready(());
                }
                task.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
            *is_busy.lock() = false;
            verdict(token.token())
        }
    });
    assert!(is_caught(
        sticky,
        Conformance::row_20_a_dropped_verification_spoils_nothing
    ));
}

#[test]
fn a_tampered_token_is_never_the_good_one() {
    for good in ["A", "AAAA", "good-token-5a0f7d11", &"xA".repeat(500)] {
        let tampered = tampered(good);
        assert!(tampered.len() >= good.len().min(TAMPERED_PLACES));
        assert!(tampered.iter().all(|token| token != good), "{good}");
    }
}
