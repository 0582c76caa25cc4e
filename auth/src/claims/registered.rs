//! The registered claims (RFC 7519 §4.1), read strictly from what is known to be the issuer's word: a payload whose
//! signature holds, or an introspection answer.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::strict_json::{Json, Object};
use crate::base::shown::{Shown, ShownList};
use crate::grant::{Grant, Scopes, SignedBy};
use crate::rejection::code::Code;

/// What the payload must say.
#[derive(Clone, Debug)]
pub(crate) struct Expectations {
    pub(crate) audiences: Vec<Box<str>>,
    pub(crate) leeway: Duration,
    pub(crate) max_session: Duration,
    pub(crate) max_token_lifetime: Option<Duration>,
    /// Without `exp` a grant ends with `max_session`.
    pub(crate) is_expiry_required: bool,
    /// Where it is not `sub`.
    pub(crate) subject_claim: Option<Box<str>>,
    /// A claim of the application's that ends the session before `exp` does.
    pub(crate) end_claim: Option<Box<str>>,
}

/// The registered claims that a grant is made of.
#[derive(Debug)]
pub(crate) struct Registered {
    pub(crate) subject: Box<str>,
    pub(crate) issuer: Option<Arc<str>>,
    /// Not a claim: the key that verified them.
    pub(crate) signed_by: Option<Arc<SignedBy>>,
    pub(crate) token_id: Option<Arc<str>>,
    pub(crate) session_id: Option<Arc<str>>,
    pub(crate) issued_at: Option<SystemTime>,
    /// How far ahead the clock may be that `issued_at` is of.
    pub(crate) leeway: Duration,
    pub(crate) expires_at: SystemTime,
    pub(crate) scopes: Scopes,
}

impl Registered {
    pub(crate) fn into_grant<C>(self, identity: C) -> Grant<C> {
        let mut grant = Grant::new(identity, self.subject)
            .with_expires_at(self.expires_at)
            .with_scopes(self.scopes);
        if let Some(issuer) = self.issuer {
            grant = grant.with_issuer(issuer);
        }
        if let Some(signed_by) = self.signed_by {
            grant = grant.with_signed_by(signed_by);
        }
        if let Some(id) = self.token_id {
            grant = grant.with_token_id(id);
        }
        if let Some(id) = self.session_id {
            grant = grant.with_session_id(id);
        }
        if let Some(at) = self.issued_at {
            grant = grant.with_issued_at(at).with_clock_leeway(self.leeway);
        }
        grant
    }
}

type Failure = (Code, Cow<'static, str>);

fn invalid(detail: impl Into<Cow<'static, str>>) -> Failure {
    (Code::InvalidToken, detail.into())
}

impl Expectations {
    /// Checks every claim, and that the token names `expected_issuer` when there is one. Expiry comes last, so
    /// that `token_expired` is said only of tokens that are good otherwise.
    pub(crate) fn check(
        &self,
        claims: &Object<'_>,
        expected_issuer: Option<&Arc<str>>,
        now: SystemTime,
    ) -> Result<Registered, Failure> {
        let found = Found::among(claims);
        let issuer = match (text("iss", found.issuer)?, expected_issuer) {
            (named, None) => named.map(Arc::from),
            (Some(named), Some(expected)) if *named == **expected => Some(Arc::clone(expected)),
            (named, Some(expected)) => {
                let named = Shown(named.unwrap_or_default());
                return Err(invalid(format!(
                    "iss is {named}, expected {}",
                    Shown(expected)
                )));
            }
        };
        self.check_audience(found.audience)?;
        let issued_at = date("iat", found.issued_at)?;
        let not_before = date("nbf", found.not_before)?;
        let expires = date("exp", found.expires)?;
        if self.is_expiry_required && expires.is_none() {
            return Err(invalid("exp is missing"));
        }
        let latest = now.checked_add(self.leeway);
        for (name, date) in [("iat", issued_at), ("nbf", not_before)] {
            if let (Some(date), Some(latest)) = (date, latest)
                && date.is_after(latest)
            {
                return Err(invalid(format!(
                    "{name} is {} s in the future, the leeway is {:?}",
                    date.0.saturating_sub(unix_seconds(now)),
                    self.leeway
                )));
            }
        }
        self.check_lifetime(issued_at, expires)?;
        let ends = match &self.end_claim {
            Some(name) => date(name, claims.get(name))?,
            None => None,
        };
        let expires = expires.into_iter().chain(ends).min();
        let registered = Registered {
            subject: self.subject(claims, found.subject)?,
            issuer,
            signed_by: None,
            token_id: text("jti", found.token_id)?.map(Arc::from),
            session_id: text("sid", found.session_id)?.map(Arc::from),
            issued_at: issued_at.and_then(NumericDate::time),
            leeway: self.leeway,
            expires_at: self.clamp(expires, now),
            scopes: scopes(found.scope, found.scp)?,
        };
        let deadline = expires
            .and_then(NumericDate::time)
            .and_then(|at| at.checked_add(self.leeway));
        if deadline.is_some_and(|deadline| deadline <= now) {
            let since = unix_seconds(now).saturating_sub(expires.map_or(0, |at| at.0));
            return Err((Code::TokenExpired, format!("exp was {since} s ago").into()));
        }
        Ok(registered)
    }

    /// An empty name is nobody's: whoever writes it does not know whom.
    fn subject(&self, claims: &Object<'_>, usual: Option<&Json<'_>>) -> Result<Box<str>, Failure> {
        let (name, value) = match self.subject_claim.as_deref() {
            None => ("sub", usual),
            Some(name) => (name, claims.get(name)),
        };
        match value {
            None => Err(invalid(format!("{name} is missing"))),
            Some(Json::Text(text)) if text.is_empty() => Err(invalid(format!("{name} is empty"))),
            Some(Json::Text(text)) => Ok((&**text).into()),
            // The number of a row in a table; `sub` has to be a text (RFC 7519 §4.1.2).
            Some(Json::Number(id)) if self.subject_claim.is_some() && !id.is_f64() => {
                Ok(id.to_string().into())
            }
            Some(_) => Err(invalid(format!("{name} is no text"))),
        }
    }

    fn check_audience(&self, audience: Option<&Json<'_>>) -> Result<(), Failure> {
        let named = match audience {
            None => &[],
            Some(one @ Json::Text(_)) => std::slice::from_ref(one),
            Some(Json::Array(list)) => list,
            Some(_) => return Err(invalid("aud has the wrong type")),
        };
        let mut is_named = self.audiences.is_empty();
        for audience in named {
            let audience = audience
                .as_text()
                .ok_or_else(|| invalid("aud has the wrong type"))?;
            is_named |= self
                .audiences
                .iter()
                .any(|expected| **expected == *audience);
        }
        if is_named {
            Ok(())
        } else {
            let named: Vec<&str> = named.iter().filter_map(Json::as_text).collect();
            Err(invalid(format!(
                "aud is [{}], expected {}",
                ShownList(&named),
                ShownList(&self.audiences)
            )))
        }
    }

    fn check_lifetime(
        &self,
        issued_at: Option<NumericDate>,
        expires: Option<NumericDate>,
    ) -> Result<(), Failure> {
        let Some(most) = self.max_token_lifetime else {
            return Ok(());
        };
        let issued = issued_at.ok_or_else(|| invalid("iat is missing"))?;
        let expires = expires.ok_or_else(|| invalid("exp is missing"))?;
        let lifetime = expires.0.saturating_sub(issued.0);
        if lifetime > most.as_secs() {
            return Err(invalid(format!(
                "the token lives for {lifetime} s, max_token_lifetime is {most:?}"
            )));
        }
        Ok(())
    }

    /// The end of the session: `exp`, but no later than `max_session` from now. Only a token that was accepted
    /// thanks to the leeway has the rest of the leeway, else it would be let in and thrown out at once.
    fn clamp(&self, expires: Option<NumericDate>, now: SystemTime) -> SystemTime {
        let Some(cap) = now.checked_add(self.max_session) else {
            return now;
        };
        let end = match expires.and_then(NumericDate::time) {
            Some(at) if at <= now => at.checked_add(self.leeway),
            other => other,
        };
        end.map_or(cap, |at| at.min(cap))
    }
}

/// The claims that are read, found in one walk: to look each up is to compare every name with every other.
#[derive(Default)]
struct Found<'c, 'a> {
    issuer: Option<&'c Json<'a>>,
    subject: Option<&'c Json<'a>>,
    audience: Option<&'c Json<'a>>,
    issued_at: Option<&'c Json<'a>>,
    not_before: Option<&'c Json<'a>>,
    expires: Option<&'c Json<'a>>,
    token_id: Option<&'c Json<'a>>,
    session_id: Option<&'c Json<'a>>,
    scope: Option<&'c Json<'a>>,
    scp: Option<&'c Json<'a>>,
}

impl<'c, 'a> Found<'c, 'a> {
    fn among(claims: &'c Object<'a>) -> Self {
        let mut found = Self::default();
        for (name, value) in claims.members() {
            let place = match name {
                "iss" => &mut found.issuer,
                "sub" => &mut found.subject,
                "aud" => &mut found.audience,
                "iat" => &mut found.issued_at,
                "nbf" => &mut found.not_before,
                "exp" => &mut found.expires,
                "jti" => &mut found.token_id,
                "sid" => &mut found.session_id,
                "scope" => &mut found.scope,
                "scp" => &mut found.scp,
                _ => continue,
            };
            *place = Some(value);
        }
        found
    }
}

fn unix_seconds(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// Whole seconds since 1970 (RFC 7519 §2, fractions cut off).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct NumericDate(u64);

impl NumericDate {
    /// `None` when the time is beyond what the system can express.
    fn time(self) -> Option<SystemTime> {
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(self.0))
    }

    fn is_after(self, other: SystemTime) -> bool {
        self.time().is_none_or(|time| time > other)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be finite and not negative; `as` saturates at the top"
)]
fn date(name: &str, value: Option<&Json<'_>>) -> Result<Option<NumericDate>, Failure> {
    let Some(value) = value else {
        return Ok(None);
    };
    let Json::Number(number) = value else {
        return Err(invalid(format!("{name} is not a number of seconds")));
    };
    if let Some(seconds) = number.as_u64() {
        return Ok(Some(NumericDate(seconds)));
    }
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(seconds) if seconds.is_finite() && seconds >= 0.0 => {
            Ok(Some(NumericDate(seconds as u64)))
        }
        _ => Err(invalid(format!("{name} is not a number of seconds"))),
    }
}

fn text<'a>(name: &str, value: Option<&'a Json<'_>>) -> Result<Option<&'a str>, Failure> {
    match value {
        None => Ok(None),
        Some(Json::Text(text)) => Ok(Some(text)),
        Some(_) => Err(invalid(format!("{name} is no text"))),
    }
}

/// `scope` as one string (RFC 8693 §4.2), or `scope`/`scp` as a list of strings. The first that names one counts.
fn scopes(scope: Option<&Json<'_>>, scp: Option<&Json<'_>>) -> Result<Scopes, Failure> {
    let first = scope.map(scopes_of).transpose()?;
    let second = scp.map(scopes_of).transpose()?;
    let first = first.filter(|scopes| !scopes.is_empty());
    Ok(first.or(second).unwrap_or_default())
}

fn scopes_of(claim: &Json<'_>) -> Result<Scopes, Failure> {
    match claim {
        Json::Text(text) => Ok(Scopes::parse(text)),
        Json::Array(list) => list
            .iter()
            .map(Json::as_text)
            .collect::<Option<Scopes>>()
            .ok_or_else(|| invalid("scope has the wrong type")),
        _ => Err(invalid("scope has the wrong type")),
    }
}
