//! The cookie of the polling handshake (EIO4-CK).

use std::fmt::Write as _;
use std::time::Duration;

use super::request::RequestView;

/// The `SameSite` attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SameSite {
    /// Sent on top-level navigation from elsewhere.
    #[default]
    Lax,
    /// Not sent from elsewhere.
    Strict,
    /// Sent from anywhere; browsers require `secure` with it.
    None,
}

/// The cookie set on the polling handshake: `io=<sid>; Path=/; HttpOnly; SameSite=Lax` by default.
#[derive(Clone, Debug)]
#[must_use]
pub struct CookieOptions {
    name: String,
    path: Option<String>,
    domain: Option<String>,
    max_age: Option<Duration>,
    same_site: SameSite,
    http_only: bool,
    secure: bool,
}

impl Default for CookieOptions {
    fn default() -> Self {
        Self {
            name: "io".to_owned(),
            path: Some("/".to_owned()),
            domain: None,
            max_age: None,
            same_site: SameSite::Lax,
            http_only: true,
            secure: false,
        }
    }
}

impl CookieOptions {
    /// A cookie of this name, with the default attributes.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// The `Path` attribute; `None` leaves it out. Default `/`.
    pub fn path(mut self, path: Option<String>) -> Self {
        self.path = path;
        self
    }

    /// The `Domain` attribute; none by default.
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// The `Max-Age` attribute, in whole seconds; none by default, which makes it a session cookie.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// The `SameSite` attribute; default `Lax`.
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// Whether scripts are kept from the cookie; default `true`.
    pub fn http_only(mut self, http_only: bool) -> Self {
        self.http_only = http_only;
        self
    }

    /// Whether it is sent over TLS only; default `false`.
    pub fn secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    /// What a request carries for it: the first of that name (RFC 6265 §5.4).
    pub(crate) fn find<'r>(&self, request: &RequestView<'r>) -> Option<&'r [u8]> {
        request.cookie_bytes(&self.name)
    }

    /// The value of the `Set-Cookie` header.
    pub(crate) fn header(&self, value: &str) -> String {
        let mut out = format!("{}={value}", self.name);
        if let Some(max_age) = self.max_age {
            let _ = write!(out, "; Max-Age={}", max_age.as_secs());
        }
        if let Some(domain) = &self.domain {
            let _ = write!(out, "; Domain={domain}");
        }
        if let Some(path) = &self.path {
            let _ = write!(out, "; Path={path}");
        }
        if self.http_only {
            out.push_str("; HttpOnly");
        }
        if self.secure {
            out.push_str("; Secure");
        }
        out.push_str(match self.same_site {
            SameSite::Lax => "; SameSite=Lax",
            SameSite::Strict => "; SameSite=Strict",
            SameSite::None => "; SameSite=None",
        });
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_the_references() {
        assert_eq!(
            CookieOptions::default().header("abc"),
            "io=abc; Path=/; HttpOnly; SameSite=Lax"
        );
    }

    #[test]
    fn options_override_each_attribute() {
        let cookie = CookieOptions::new("foo")
            .path(Some("/x".to_owned()))
            .max_age(Duration::from_secs(86_400))
            .http_only(false)
            .same_site(SameSite::Strict);
        assert_eq!(
            cookie.header("abc"),
            "foo=abc; Max-Age=86400; Path=/x; SameSite=Strict"
        );
    }
}
