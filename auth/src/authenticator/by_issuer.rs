use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::judge::{Authenticator, DynAuthenticator, Outcome};
use crate::base::shown::{Shown, ShownList};
use crate::presented::context::AuthContext;
use crate::presented::credential::Credential;
use crate::rejection::code::{Code, Rejection};
use crate::revocation::list::RevocationList;

/// The longest token whose issuer is looked for, in bytes: what the longest CONNECT payload and the longest head of a
/// request have room for, unless they were raised far. The authenticator that is chosen has a bound of its own.
const MAX_TOKEN_BYTES: usize = 64 * 1024;

/// Authenticators chosen by the issuer that a JSON Web Token names, made by [`by_issuer`].
pub struct ByIssuer<I>(HashMap<Box<str>, Arc<dyn DynAuthenticator<I>>>);

/// Chooses the authenticator by the `iss` claim of a JSON Web Token.
///
/// The claim is read before anything is verified, and used to choose and nothing else. The chosen authenticator
/// has to vouch for that very issuer: a grant of another, or of none, is refused. A token of an unknown issuer, and what is not such a
/// token, is [`Outcome::NotMine`].
///
/// ```
/// # use socketio_auth::{AuthContext, Credential, Grant, Outcome, auth_fn};
/// use socketio_auth::combinators::by_issuer;
///
/// # let staff = auth_fn(|_: AuthContext, _: Credential| async { Outcome::Accept(Grant::new((), "a")) });
/// # let customers = auth_fn(|_: AuthContext, _: Credential| async { Outcome::Accept(Grant::new((), "a")) });
/// let authenticator = by_issuer()
///     .issuer("https://staff.example", staff)
///     .issuer("https://id.example", customers);
/// # let _ = authenticator;
/// ```
#[must_use]
pub fn by_issuer<I>() -> ByIssuer<I> {
    ByIssuer(HashMap::new())
}

impl<I> ByIssuer<I> {
    /// Lets `authenticator` judge the tokens of the issuer called `name`, in the place of an earlier one.
    #[must_use]
    pub fn issuer(
        mut self,
        name: impl Into<Box<str>>,
        authenticator: impl DynAuthenticator<I>,
    ) -> Self {
        self.0.insert(name.into(), Arc::new(authenticator));
        self
    }
}

impl<I: Send + Sync + 'static> Authenticator for ByIssuer<I> {
    type Identity = I;

    async fn authenticate(&self, cx: &AuthContext, credential: &Credential) -> Outcome<I> {
        let named = match claimed_issuer(credential.token()) {
            Ok(named) => named,
            Err(why) => {
                cx.explain(why);
                return Outcome::NotMine;
            }
        };
        let Some(authenticator) = self.0.get(&*named) else {
            let names: Vec<&str> = self.0.keys().map(AsRef::as_ref).collect();
            let expected = ShownList(&names);
            cx.explain(format!("iss is {}, expected {expected}", Shown(&named)));
            return Outcome::NotMine;
        };
        match authenticator.authenticate_dyn(cx, credential).await {
            Outcome::Accept(grant) if grant.issuer() != Some(&named) => Outcome::Reject(
                Rejection::new(Code::InvalidToken)
                    .with_detail("the authenticator does not vouch for the issuer"),
            ),
            decided => decided,
        }
    }

    fn revocations(&self, visit: &mut dyn FnMut(&Arc<dyn RevocationList>)) {
        for authenticator in self.0.values() {
            authenticator.revocations_dyn(visit);
        }
    }
}

impl<I> fmt::Debug for ByIssuer<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ByIssuer")
            .field(&self.0.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// The `iss` claim of a token in the compact form (RFC 7515 §7.1), unverified.
fn claimed_issuer(token: &str) -> Result<String, Cow<'static, str>> {
    #[derive(Deserialize)]
    struct Claims {
        iss: String,
    }
    if token.len() > MAX_TOKEN_BYTES {
        let len = token.len();
        return Err(format!("the token has {len} bytes, the most is {MAX_TOKEN_BYTES}").into());
    }
    let parts = token.split_once('.');
    let payload = parts
        .and_then(|(_header, rest)| rest.split_once('.'))
        .and_then(|(payload, _signature)| URL_SAFE_NO_PAD.decode(payload).ok())
        .ok_or("it is no JWT")?;
    serde_json::from_slice::<Claims>(&payload)
        .map(|claims| claims.iss)
        .map_err(|_| "the payload is not an object with a text as iss".into())
}
