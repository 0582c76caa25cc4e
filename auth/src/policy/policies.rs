//! What a server attaches to a namespace: an authenticator, the sources of its credentials, and the settings.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use super::collected::Collected;
use super::settings::{Inherit, Mode, NamespacePolicy, OnExpiry};
use crate::authenticator::judge::{Authenticator, Outcome};
use crate::authorize::authorizer::{Action, Authorizer, Decision, Holder};
use crate::base::future::BoxFuture;
use crate::grant::{Grant, GrantFacts};
use crate::presented::context::AuthContext;
use crate::presented::credential::{Credential, CredentialSource, Extract, Place, SourceKind};
use crate::presented::payload_text::Field;
use crate::presented::request::HandshakeView;
use crate::presented::sources::{AuthField, BearerHeader, from_field};
use crate::rejection::code::{Code, Rejection};
use crate::rejection::panic_guard::contain_panic;
use crate::revocation::list::RevocationList;
use crate::wire::Dialect;

/// An identity whose type only the handlers know.
#[derive(Clone)]
pub struct ErasedIdentity(Arc<dyn Any + Send + Sync>);

impl ErasedIdentity {
    /// Hides the type of `identity`.
    pub fn new<I: Send + Sync + 'static>(identity: I) -> Self {
        Self(Arc::new(identity))
    }

    /// The identity as an `I`, or `None` when it is something else.
    #[must_use]
    pub fn downcast<I: Send + Sync + 'static>(&self) -> Option<Arc<I>> {
        Arc::clone(&self.0).downcast().ok()
    }

    /// The identity as an `I`, borrowed.
    #[must_use]
    pub fn downcast_ref<I: Send + Sync + 'static>(&self) -> Option<&I> {
        self.0.downcast_ref()
    }
}

impl fmt::Debug for ErasedIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ErasedIdentity")
    }
}

/// A policy with its identity type, before the server stores it.
///
/// Implemented by [`InHandshake`], [`TwoRoundTrip`] and [`Either`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an authentication policy",
    note = "wrap an authenticator: `InHandshake::new(authenticator)` or `TwoRoundTrip::new(authenticator)`"
)]
pub trait Policy {
    /// What the handlers of the namespace receive.
    type Identity: Send + Sync + 'static;

    /// Erases the type. [`ErasedIdentity::downcast`] to [`Self::Identity`] succeeds on everything it yields.
    fn into_dyn(self) -> Arc<dyn DynPolicy>;
}

/// A policy as the server stores it.
pub trait DynPolicy: Send + Sync + 'static {
    /// The settings.
    fn settings(&self) -> &Arc<NamespacePolicy>;

    /// What the sources find. The server asks once with the opening request and once with the CONNECT payload,
    /// and [merges](Extract::merge) the two.
    fn extract(&self, request: &HandshakeView<'_>) -> Extract;

    /// Shows the parts of the opening request that hold credentials, see [`CredentialSource::places`].
    fn places(&self, visit: &mut dyn FnMut(Place<'_>));

    /// True when an opening request that has none of the [places](Self::places) presents nothing to the policy, see
    /// [`CredentialSource::is_confined`].
    fn is_confined(&self) -> bool {
        false
    }

    /// What to make of what was found.
    fn decide(&self, found: Extract) -> Collected;

    /// The identity of a client that presented nothing, where the policy has guests.
    fn guest(&self) -> Option<ErasedIdentity>;

    /// True when the policy has guests.
    fn has_guests(&self) -> bool;

    /// Judges a credential. The shell bounds it by [`NamespacePolicy::verify_timeout`] and drops it when the machine
    /// says so. A panic of the authenticator is [`Code::AuthUnavailable`].
    fn authenticate(
        self: Arc<Self>,
        cx: AuthContext,
        credential: Credential,
    ) -> BoxFuture<'static, Result<Grant<ErasedIdentity>, Rejection>>;

    /// True when the policy has an authorizer: without one every action is allowed and need not be asked about.
    fn has_authorizer(&self) -> bool;

    /// Whether a member of the namespace may do something. `grant` is `None` for a guest.
    ///
    /// The server asks before every action of the client, when it has the [authorizer](Self::has_authorizer). After
    /// a renewal it asks [`Action::Join`] again for every room that the socket is in, and makes it leave those
    /// that are denied.
    fn can(
        &self,
        identity: &ErasedIdentity,
        grant: Option<&GrantFacts>,
        action: Action<'_>,
    ) -> Decision;

    /// Shows every revocation list in use. The server subscribes to each, see [`RevocationList::subscribe`].
    fn revocations(&self, visit: &mut dyn FnMut(&Arc<dyn RevocationList>));

    /// True when a grant that was accepted earlier is revoked by now. The server asks once more when it has
    /// entered an accepted socket among those that a revocation ends, so that none slips through in between; and
    /// when it restores one.
    fn is_revoked(&self, grant: &GrantFacts) -> bool {
        let mut is_revoked = false;
        self.revocations(&mut |list| is_revoked |= list.is_revoked(grant));
        is_revoked
    }

    /// [`extract`](Self::extract) and [`decide`](Self::decide) at once.
    fn collect(&self, request: &HandshakeView<'_>) -> Collected {
        self.decide(self.extract(request))
    }

    /// Reads the argument of an `authenticate` event: `{"token": …}`, or another [field](NamespacePolicy::token_field).
    fn collect_event(&self, argument: Option<&serde_json::Value>) -> Collected {
        let token = match argument {
            None | Some(serde_json::Value::Null) => None,
            Some(serde_json::Value::Object(members)) => members.get(&*self.settings().token_field),
            Some(_) => {
                let refused = Rejection::new(Code::CredentialsBadFormat);
                let detail = "the argument of authenticate is no object";
                return Collected::Rejected(refused.with_detail(detail));
            }
        };
        match from_field(Field::of(token), SourceKind::Event) {
            Extract::Absent if !self.has_guests() => {
                let chosen = self.settings().missing.clone();
                Collected::Missing(chosen.unwrap_or(Rejection::new(Code::CredentialsRequired)))
            }
            found => self.decide(found),
        }
    }

    /// One line about the policy, for the log at start: what a namespace asks for should not be a surprise.
    fn summary(&self) -> String {
        let settings = self.settings();
        let mode = match settings.mode {
            Mode::Handshake => "handshake",
            Mode::TwoRoundTrip => "two round trips",
            Mode::Either => "handshake or two round trips",
        };
        let said = |is_so, what| if is_so { what } else { "" };
        let mut lists_count = 0;
        self.revocations(&mut |_| lists_count += 1);
        format!(
            "{mode}, {} attempts within {:?}{}{}{}{}{}{}",
            settings.max_attempts,
            settings.deadline,
            said(self.has_guests(), ", guests"),
            said(self.has_authorizer(), ", authorizer"),
            said(lists_count > 0, ", revocation"),
            said(settings.revalidate_every.is_some(), ", revalidation"),
            said(settings.inherit != Inherit::None, ", inherits grants"),
            said(settings.allow_switch, ", may switch subjects"),
        )
    }
}

struct Parts<A: Authenticator> {
    authenticator: A,
    sources: Box<dyn CredentialSource>,
    guest: Option<Box<dyn Fn() -> A::Identity + Send + Sync>>,
    authorizer: Option<Box<dyn Authorizer<A::Identity>>>,
    settings: Arc<NamespacePolicy>,
}

impl<A: Authenticator> DynPolicy for Parts<A> {
    fn settings(&self) -> &Arc<NamespacePolicy> {
        &self.settings
    }

    fn extract(&self, request: &HandshakeView<'_>) -> Extract {
        if self.settings.mode == Mode::TwoRoundTrip {
            return Extract::Absent;
        }
        self.sources.extract(request)
    }

    fn places(&self, visit: &mut dyn FnMut(Place<'_>)) {
        self.sources.places(visit);
    }

    fn is_confined(&self) -> bool {
        self.settings.mode == Mode::TwoRoundTrip || self.sources.is_confined()
    }

    fn decide(&self, found: Extract) -> Collected {
        match found {
            Extract::Found(credential) => Collected::Credential(credential),
            Extract::Absent if self.guest.is_some() => Collected::Guest,
            Extract::Absent => Collected::Missing(match &self.settings.missing {
                Some(chosen) => chosen.clone(),
                None => self.sources.missing_code().into(),
            }),
            Extract::ForeignScheme => Collected::Rejected(Code::CredentialsBadScheme.into()),
            Extract::Malformed(code) => Collected::Rejected(code.into()),
        }
    }

    fn guest(&self) -> Option<ErasedIdentity> {
        self.guest.as_ref().map(|make| ErasedIdentity::new(make()))
    }

    fn has_guests(&self) -> bool {
        self.guest.is_some()
    }

    fn authenticate(
        self: Arc<Self>,
        cx: AuthContext,
        credential: Credential,
    ) -> BoxFuture<'static, Result<Grant<ErasedIdentity>, Rejection>> {
        Box::pin(async move {
            let judged = pin!(async {
                match self.authenticator.authenticate(&cx, &credential).await {
                    Outcome::Accept(grant) => Ok(grant.map(ErasedIdentity::new)),
                    Outcome::NotMine => Err(nobodys(&cx.take_explanations())),
                    Outcome::Reject(rejection) => Err(rejection),
                }
            });
            contain_panic(judged).await
        })
    }

    fn has_authorizer(&self) -> bool {
        self.authorizer.is_some()
    }

    fn can(
        &self,
        identity: &ErasedIdentity,
        grant: Option<&GrantFacts>,
        action: Action<'_>,
    ) -> Decision {
        let Some(authorizer) = &self.authorizer else {
            return Decision::Allow;
        };
        let Some(identity) = identity.downcast_ref() else {
            return Decision::Deny;
        };
        // Unwind safe: it has only shared references, and a lock that it poisons is its own.
        catch_unwind(AssertUnwindSafe(|| {
            authorizer.can(Holder::new(identity, grant), action)
        }))
        .unwrap_or(Decision::Deny)
    }

    fn revocations(&self, visit: &mut dyn FnMut(&Arc<dyn RevocationList>)) {
        self.authenticator.revocations(visit);
    }
}

/// The refusal of a credential that nobody judges.
fn nobodys(explanations: &[Cow<'static, str>]) -> Rejection {
    const NOBODYS: &str = "no authenticator judges such a credential";
    let rejection = Rejection::new(Code::InvalidToken);
    if explanations.is_empty() {
        return rejection.with_detail(NOBODYS);
    }
    rejection.with_detail(format!("{NOBODYS}: {}", explanations.join("; ")))
}

macro_rules! policies {
    ($($(#[$doc:meta])* $name:ident: $mode:expr;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub struct $name<A: Authenticator>(Parts<A>);

        impl<A: Authenticator> $name<A> {
            /// The policy with its default settings. The token comes from the `token` field of the CONNECT payload
            /// or from the `Authorization` header, unless [`sources`](Self::sources) says otherwise.
            pub fn new(authenticator: A) -> Self {
                let settings = NamespacePolicy { mode: $mode, ..NamespacePolicy::default() };
                Self(Parts {
                    authenticator,
                    sources: Box::new(AuthField("token").or(BearerHeader)),
                    guest: None,
                    authorizer: None,
                    settings: Arc::new(settings),
                })
            }

            /// Replaces where the handshake is searched for a credential.
            pub fn sources(mut self, sources: impl CredentialSource) -> Self {
                self.0.sources = Box::new(sources);
                self
            }

            /// Lets clients in that present no credential at all. A credential that does not hold is refused all
            /// the same.
            pub fn guest(mut self, make: impl Fn() -> A::Identity + Send + Sync + 'static) -> Self {
                self.0.guest = Some(Box::new(make));
                self
            }

            /// Lets `authorizer` decide what those who are in may do. Without one they may do everything.
            pub fn authorize(mut self, authorizer: impl Authorizer<A::Identity>) -> Self {
                self.0.authorizer = Some(Box::new(authorizer));
                self
            }

            /// Sets [`NamespacePolicy::deadline`]: how long the client may take to authenticate; 5 s by default.
            pub fn timeout(self, deadline: Duration) -> Self {
                self.settings(|settings| settings.deadline = deadline)
            }

            /// Sets [`NamespacePolicy::token_field`]: the field of the `authenticate` event that holds the token.
            pub fn token_field(self, name: impl Into<Cow<'static, str>>) -> Self {
                self.settings(|settings| settings.token_field = name.into())
            }

            /// Sets [`NamespacePolicy::missing`]: what a client hears that presents nothing.
            pub fn missing(self, rejection: Rejection) -> Self {
                self.settings(|settings| settings.missing = Some(rejection))
            }

            /// Sets [`NamespacePolicy::dialect`].
            pub fn dialect(self, dialect: Dialect) -> Self {
                self.settings(|settings| settings.dialect = dialect)
            }

            /// Sets [`NamespacePolicy::on_expiry`].
            pub fn on_expiry(self, action: OnExpiry) -> Self {
                self.settings(|settings| settings.on_expiry = action)
            }

            /// Changes any setting. The mode stays what the type says.
            pub fn settings(mut self, change: impl FnOnce(&mut NamespacePolicy)) -> Self {
                let settings = Arc::make_mut(&mut self.0.settings);
                change(settings);
                settings.mode = $mode;
                self
            }
        }

        // What the trait says by itself names all of them, and the cure.
        #[diagnostic::do_not_recommend]
        impl<A: Authenticator> Policy for $name<A> {
            type Identity = A::Identity;

            fn into_dyn(self) -> Arc<dyn DynPolicy> {
                Arc::new(self.0)
            }
        }

        impl<A: Authenticator> fmt::Debug for $name<A> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("settings", &self.0.settings)
                    .finish_non_exhaustive()
            }
        }
    )*};
}

policies! {
    /// The credential travels with the handshake; a client without a good one never gets in.
    ///
    /// ```
    /// use socketio_auth::{AuthContext, AuthField, Code, Credential, Grant, InHandshake, Outcome, auth_fn};
    ///
    /// let keys = auth_fn(|_: AuthContext, key: Credential| async move {
    ///     match key.token() {
    ///         "key-1" => Outcome::Accept(Grant::new(1, "tenant-1")),
    ///         _ => Outcome::Reject(Code::InvalidToken.into()),
    ///     }
    /// });
    /// let policy = InHandshake::new(keys).sources(AuthField("key")).guest(|| 0);
    /// # let _ = policy;
    /// ```
    InHandshake: Mode::Handshake;

    /// The client connects, is not in the namespace yet, and must emit `authenticate` in time.
    ///
    /// With [`guest`](Self::guest), an `authenticate` without a token makes the client a guest.
    TwoRoundTrip: Mode::TwoRoundTrip;

    /// A credential in the handshake is judged there; a client without one goes on as in [`TwoRoundTrip`].
    Either: Mode::Either;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{auth_fn, base::ready::now_or_never, server::NoRequest};

    fn policy() -> InHandshake<impl Authenticator<Identity = u32>> {
        InHandshake::new(auth_fn(|_cx, credential: Credential| async move {
            if credential.token() == "good" {
                Outcome::Accept(Grant::new(7u32, "ann"))
            } else {
                Outcome::NotMine
            }
        }))
    }

    fn code(collected: &Collected) -> &str {
        match collected {
            Collected::Credential(credential) => credential.token(),
            Collected::Guest => "guest",
            Collected::Missing(rejection) | Collected::Rejected(rejection) => {
                rejection.code().as_str()
            }
        }
    }

    fn from_payload(policy: &Arc<dyn DynPolicy>, payload: &serde_json::Value) -> Collected {
        policy.collect(&HandshakeView::new(&NoRequest).with_payload(Some(payload)))
    }

    #[test]
    fn the_identity_survives_erasure() {
        let policy = policy().into_dyn();
        let judge = |token: &str| {
            let credential = Credential::new(token, SourceKind::Payload);
            now_or_never(Arc::clone(&policy).authenticate(AuthContext::new("/"), credential))
                .expect("does not wait")
        };
        let grant = judge("good").expect("accepted");
        assert_eq!(grant.identity().downcast::<u32>().as_deref(), Some(&7));
        assert!(grant.identity().downcast::<u64>().is_none());
        let rejection = judge("other").expect_err("nobody's");
        assert_eq!(rejection.code(), Code::InvalidToken);
    }

    #[test]
    fn only_the_absence_of_a_credential_makes_a_guest() {
        let (strict, open) = (policy().into_dyn(), policy().guest(|| 0).into_dyn());
        for (payload, refused, guest) in [
            (json!({}), "credentials_required", "guest"),
            (json!({"token": ""}), "credentials_required", "guest"),
            (json!({"token": "bad"}), "bad", "bad"),
            (
                json!({"token": 1}),
                "credentials_bad_format",
                "credentials_bad_format",
            ),
        ] {
            assert_eq!(code(&from_payload(&strict, &payload)), refused, "{payload}");
            assert_eq!(code(&from_payload(&open, &payload)), guest, "{payload}");
            assert_eq!(
                code(&strict.collect_event(Some(&payload))),
                refused,
                "{payload}"
            );
            assert_eq!(
                code(&open.collect_event(Some(&payload))),
                guest,
                "{payload}"
            );
        }
        assert_eq!(
            code(&open.collect_event(Some(&json!("token")))),
            "credentials_bad_format"
        );
        assert_eq!(code(&open.collect_event(None)), "guest");
    }

    #[test]
    fn a_policy_of_the_header_alone_misses_the_header_only_in_the_handshake() {
        let policy = policy().sources(BearerHeader).into_dyn();
        let missing = policy.collect(&HandshakeView::new(&NoRequest));
        assert_eq!(code(&missing), "missing_authorization_header");
        assert_eq!(code(&policy.collect_event(None)), "credentials_required");
    }

    #[test]
    fn the_field_and_what_is_said_without_one_can_be_chosen() {
        let sentence = "log in first";
        let missing = Rejection::new(Code::CredentialsRequired).with_message(sentence);
        let policy = policy().token_field("jwt").missing(missing).into_dyn();
        assert_eq!(
            code(&policy.collect_event(Some(&json!({"jwt": "good"})))),
            "good"
        );
        for nothing in [
            policy.collect(&HandshakeView::new(&NoRequest)),
            policy.collect_event(None),
            policy.collect_event(Some(&json!({"token": "good"}))),
        ] {
            let Collected::Missing(rejection) = nothing else {
                panic!("{nothing:?}");
            };
            assert_eq!(rejection.message(), sentence);
        }
    }

    #[test]
    fn two_round_trips_do_not_look_at_the_handshake() {
        let policy = TwoRoundTrip::new(auth_fn(|_, _| async { Outcome::<()>::NotMine })).into_dyn();
        let payload = json!({"token": "good"});
        let found = policy.extract(&HandshakeView::new(&NoRequest).with_payload(Some(&payload)));
        assert!(matches!(found, Extract::Absent));
    }

    #[test]
    fn the_summary_names_what_a_namespace_asks_for() {
        let plain = policy().into_dyn().summary();
        assert_eq!(plain, "handshake, 3 attempts within 5s");
        let authenticator = crate::testing::StaticAuth::accept("ann")
            .with_revocation(crate::revocation::MemoryRevocations::new());
        let full = Either::new(authenticator)
            .guest(String::new)
            .authorize(crate::authorize::authorizer_fn(
                |_: Holder<'_, String>, _| Decision::Allow,
            ))
            .into_dyn();
        assert_eq!(
            full.summary(),
            "handshake or two round trips, 3 attempts within 5s, guests, authorizer, revocation"
        );
    }
}
