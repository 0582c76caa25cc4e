//! The sources that come with the crate.

use super::credential::{Credential, CredentialSource, Extract, Place, SourceKind};
use super::payload_text::Field;
use super::request::HandshakeView;
use crate::rejection::code::Code;

/// A field of the CONNECT payload: `io(url, { auth: { token } })` on the client.
///
/// Takes the token bare or as `Bearer <token>` (in any case). A missing, `null` or empty field is no credential;
/// any other type than a string is malformed.
#[derive(Clone, Copy, Debug)]
pub struct AuthField(
    /// The name of the field, usually `token`.
    pub &'static str,
);

impl CredentialSource for AuthField {
    fn extract(&self, request: &HandshakeView<'_>) -> Extract {
        from_field(request.payload_field(self.0), SourceKind::Payload)
    }

    fn is_confined(&self) -> bool {
        true
    }
}

/// The `Authorization: Bearer <token>` header (RFC 6750 §2.1; the scheme in any case).
///
/// Another scheme is ignored when another source has a credential. Browsers cannot send this header with a
/// WebSocket, only with long-polling.
#[derive(Clone, Copy, Debug)]
pub struct BearerHeader;

impl CredentialSource for BearerHeader {
    fn extract(&self, request: &HandshakeView<'_>) -> Extract {
        let mut seen = Extract::Absent;
        request.headers("authorization", |value| {
            join(&mut seen, parse_authorization(value));
        });
        seen
    }

    fn missing_code(&self) -> Code {
        Code::MissingAuthorizationHeader
    }

    fn places(&self, visit: &mut dyn FnMut(Place<'_>)) {
        visit(Place::Header("authorization"));
    }

    fn is_confined(&self) -> bool {
        true
    }
}

/// A header with the token as its whole value, bare or as `Bearer <token>`.
#[derive(Clone, Copy, Debug)]
pub struct Header(
    /// The name of the header, for instance `x-auth-token`.
    pub &'static str,
);

impl CredentialSource for Header {
    fn extract(&self, request: &HandshakeView<'_>) -> Extract {
        let mut seen = Extract::Absent;
        request.headers(self.0, |value| {
            join(
                &mut seen,
                match visible_text(value) {
                    Some(text) => from_text(text, SourceKind::Header),
                    None => Extract::Malformed(Code::CredentialsBadFormat),
                },
            );
        });
        seen
    }

    fn places(&self, visit: &mut dyn FnMut(Place<'_>)) {
        visit(Place::Header(self.0));
    }

    fn is_confined(&self) -> bool {
        true
    }
}

/// A query parameter. Opt in knowingly: URLs end up in logs, histories and `Referer` headers.
///
/// Every occurrence counts: repeated with different values it is ambiguous.
#[derive(Clone, Copy, Debug)]
pub struct Query(
    /// The name of the parameter, case-sensitive.
    pub &'static str,
);

impl CredentialSource for Query {
    fn extract(&self, request: &HandshakeView<'_>) -> Extract {
        let mut seen = Extract::Absent;
        request.query(self.0, |value| {
            join(&mut seen, from_text(value, SourceKind::Query));
        });
        seen
    }

    fn places(&self, visit: &mut dyn FnMut(Place<'_>)) {
        visit(Place::Query(self.0));
    }

    fn is_confined(&self) -> bool {
        true
    }
}

/// The origins whose pages may use a cookie.
///
/// Compared exactly, apart from ASCII case: `https://app.example`, with a port when it is not the default one.
#[derive(Clone, Debug)]
pub struct CookieOrigins(Vec<Box<str>>);

impl CookieOrigins {
    /// Allows these origins and no other. An empty list allows requests without an `Origin` only.
    pub fn new<O: AsRef<str>>(origins: impl IntoIterator<Item = O>) -> Self {
        Self(
            origins
                .into_iter()
                .map(|origin| {
                    origin
                        .as_ref()
                        .trim_end_matches('/')
                        .to_ascii_lowercase()
                        .into()
                })
                .collect(),
        )
    }

    /// True when `origin`, as found in an `Origin` header, is on the list.
    #[must_use]
    pub fn contains(&self, origin: &str) -> bool {
        self.0
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(origin))
    }
}

/// A cookie that holds the token.
///
/// A browser sends cookies with WebSockets that any page opens (they are not subject to CORS), so a cookie cannot
/// be a credential without a list of origins. A request without an `Origin` does not come from a page of another
/// site and counts; one with a foreign `Origin` is refused with [`Code::OriginNotAllowed`]. Set the cookie with
/// `SameSite` and the `__Host-` prefix as well.
#[derive(Clone, Debug)]
pub struct Cookie {
    name: Box<str>,
    origins: CookieOrigins,
}

impl Cookie {
    /// The cookie called `name` (case-sensitive), for pages of `origins`.
    #[must_use]
    pub fn new(name: &str, origins: CookieOrigins) -> Self {
        Self {
            name: name.into(),
            origins,
        }
    }

    fn origin_is_foreign(&self, request: &HandshakeView<'_>) -> bool {
        let mut foreign = false;
        request.headers("origin", |origin| {
            foreign |= !std::str::from_utf8(origin).is_ok_and(|text| self.origins.contains(text));
        });
        foreign
    }
}

impl CredentialSource for Cookie {
    fn extract(&self, request: &HandshakeView<'_>) -> Extract {
        let mut seen = Extract::Absent;
        request.headers("cookie", |header| {
            for pair in header.split(|byte| *byte == b';') {
                let pair = pair.trim_ascii();
                let Some(value) = pair
                    .strip_prefix(self.name.as_bytes())
                    .and_then(|rest| rest.strip_prefix(b"="))
                else {
                    continue;
                };
                let value = value
                    .strip_prefix(b"\"")
                    .and_then(|inner| inner.strip_suffix(b"\""))
                    .unwrap_or(value);
                join(
                    &mut seen,
                    match visible_text(value) {
                        Some("") => Extract::Absent,
                        Some(text) => Extract::Found(Credential::new(text, SourceKind::Cookie)),
                        None => Extract::Malformed(Code::CredentialsBadFormat),
                    },
                );
            }
        });
        if !matches!(seen, Extract::Absent) && self.origin_is_foreign(request) {
            return Extract::Malformed(Code::OriginNotAllowed);
        }
        seen
    }

    fn places(&self, visit: &mut dyn FnMut(Place<'_>)) {
        visit(Place::Header("cookie"));
    }

    fn is_confined(&self) -> bool {
        true
    }
}

/// Reads a JSON field that should hold a token.
pub(crate) fn from_field(field: Field<'_>, source: SourceKind) -> Extract {
    match field {
        Field::Absent => Extract::Absent,
        Field::Text(text) => from_text(&text, source),
        Field::Other => Extract::Malformed(Code::CredentialsBadFormat),
    }
}

/// A token, bare or behind `Bearer `.
fn from_text(text: &str, source: SourceKind) -> Extract {
    let text = text.trim();
    let token = match text {
        "" => return Extract::Absent,
        bare if !has_white_space(bare) => {
            Some(bare).filter(|bare| !bare.eq_ignore_ascii_case("bearer"))
        }
        _ => text
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .filter(|token| !has_white_space(token)),
    };
    match token {
        Some(token) => Extract::Found(Credential::new(token, source)),
        None => Extract::Malformed(Code::CredentialsBadFormat),
    }
}

fn has_white_space(text: &str) -> bool {
    // Tokens are visible ASCII, which is seen many bytes at a time; anything else is decoded.
    let odd = text
        .bytes()
        .fold(0, |odd, byte| odd | u8::from(byte <= b' ') | (byte & 0x80));
    odd != 0 && text.contains(char::is_whitespace)
}

fn parse_authorization(value: &[u8]) -> Extract {
    let Some(text) = visible_text(value) else {
        return Extract::Malformed(Code::CredentialsBadFormat);
    };
    if text.is_empty() {
        return Extract::Absent;
    }
    let Some((scheme, token)) = text.split_once(' ') else {
        return Extract::Malformed(Code::CredentialsBadFormat);
    };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Extract::ForeignScheme;
    }
    let token = token.trim();
    if token.is_empty() || has_white_space(token) {
        return Extract::Malformed(Code::CredentialsBadFormat);
    }
    Extract::Found(Credential::new(token, SourceKind::Authorization))
}

/// The trimmed text of a header value, if it is printable ASCII.
fn visible_text(value: &[u8]) -> Option<&str> {
    let value = value.trim_ascii();
    let printable = value.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
    printable.then(|| std::str::from_utf8(value).ok()).flatten()
}

fn join(seen: &mut Extract, next: Extract) {
    let before = std::mem::replace(seen, Extract::Absent);
    *seen = before.merge(next);
}

#[cfg(test)]
mod tests;
