//! The JOSE header: read once, strictly, before any cryptography.

use std::borrow::Cow;
use std::sync::Arc;

use super::algorithm::Algorithm;
use crate::base::lock::Lock;
use crate::base::shown::Shown;
use crate::claims::strict_json::{Json, Object};

/// Enough for a distinguished name or a URL; the ids that were not found are remembered.
const MAX_KID_BYTES: usize = 1024;

/// Members that would bring a key along, or change what the signature means.
const REFUSED: [&str; 9] = [
    "crit", "jku", "jwk", "x5u", "x5c", "b64", "zip", "enc", "epk",
];

#[derive(Debug)]
pub(super) struct JoseHeader<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<Cow<'a, str>>,
    pub(super) token_type: Option<Cow<'a, str>>,
}

impl<'a> JoseHeader<'a> {
    /// Reads the decoded header segment. The error is a detail for the log.
    pub(super) fn parse(json: &'a [u8]) -> Result<Self, Cow<'static, str>> {
        Object::parse(json)
            .ok_or_else(|| "the header is not a strict JSON object".into())
            .and_then(Self::from_members)
    }

    /// Reads the members of a header. The error is a detail for the log.
    pub(super) fn from_members(mut members: Object<'a>) -> Result<Self, Cow<'static, str>> {
        if let Some(name) = members.names().find(|name| REFUSED.contains(name)) {
            return Err(format!("the header has {name}, which is refused").into());
        }
        let named = take_text(&mut members, "alg")?.ok_or("the header has no alg")?;
        let algorithm = Algorithm::from_name(&named)
            .ok_or_else(|| format!("the algorithm {} is not supported", Shown(&named)))?;
        let key_id = take_text(&mut members, "kid")?;
        if key_id.as_deref().is_some_and(|id| !is_key_id(id)) {
            return Err("the key id is empty, over 1,024 bytes, or has control characters".into());
        }
        Ok(Self {
            algorithm,
            key_id,
            token_type: take_text(&mut members, "typ")?,
        })
    }

    /// Media types compare without case, and the `application/` prefix may be left out (RFC 7515 §4.1.9).
    pub(super) fn is_of_type(&self, expected: &str) -> bool {
        let short = |name: &str| {
            let name = name.to_ascii_lowercase();
            name.strip_prefix("application/")
                .map(str::to_owned)
                .unwrap_or(name)
        };
        self.token_type
            .as_deref()
            .is_some_and(|given| short(given) == short(expected))
    }
}

/// The header of the last token whose signature held: an issuer writes the same one into all its tokens. What the
/// same text says need not be read again; nobody without a key can change which one is known.
#[derive(Debug, Default)]
pub(super) struct LastHeader(Lock<Option<Arc<KnownHeader>>>);

#[derive(Debug)]
pub(super) struct KnownHeader {
    segment: Box<str>,
    pub(super) header: JoseHeader<'static>,
}

impl LastHeader {
    /// What this segment says, if it is the known one.
    pub(super) fn of(&self, segment: &str) -> Option<Arc<KnownHeader>> {
        let known = self.0.lock();
        known.clone().filter(|known| *known.segment == *segment)
    }

    /// Remembers what was read from a segment.
    pub(super) fn keep(&self, segment: &str, header: &JoseHeader<'_>) {
        let owned = |text: &Option<Cow<'_, str>>| {
            let text = text.as_deref();
            text.map(|text| Cow::Owned(text.to_owned()))
        };
        let known = KnownHeader {
            segment: segment.into(),
            header: JoseHeader {
                algorithm: header.algorithm,
                key_id: owned(&header.key_id),
                token_type: owned(&header.token_type),
            },
        };
        *self.0.lock() = Some(Arc::new(known));
    }
}

/// Any text of at most 1,024 bytes (RFC 7517 §4.5 leaves the structure open) but an empty one and control characters: a
/// key id is a name in a table, never a path or a URL.
pub(super) fn is_key_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= MAX_KID_BYTES && !id.contains(char::is_control)
}

fn take_text<'a>(
    members: &mut Object<'a>,
    name: &str,
) -> Result<Option<Cow<'a, str>>, &'static str> {
    match members.take(name) {
        None => Ok(None),
        Some(Json::Text(text)) => Ok(Some(text)),
        Some(_) => Err("a header member has the wrong type"),
    }
}
