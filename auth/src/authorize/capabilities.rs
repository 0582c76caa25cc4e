use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use super::authorizer::{Action, ActionKind, Authorizer, Decision, Holder};
use super::pattern::Pattern;

/// What a token itself allows: [patterns](Pattern) of events and rooms with what may be done there.
///
/// As a claim: `{"room:42:*": ["join"], "message": ["emit", "receive"]}`. The words are those of
/// [`ActionKind::as_str`]; one that is not known allows nothing. A token with more than
/// [`MAX_PATTERNS`](Self::MAX_PATTERNS) patterns, or one that cannot be read, is refused as a whole.
///
/// ```
/// use serde::Deserialize;
/// use socketio_auth::authorize::{ActionKind, Capabilities};
///
/// #[derive(Deserialize)]
/// struct Claims { cap: Capabilities }
///
/// # fn main() -> Result<(), serde_json::Error> {
/// let claims: Claims = serde_json::from_str(r#"{"cap": {"room:42:*": ["join", "emit"]}}"#)?;
/// assert!(claims.cap.allow(ActionKind::Join, "room:42:chat"));
/// assert!(!claims.cap.allow(ActionKind::Leave, "room:42:chat"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(Vec<(Pattern, Vec<ActionKind>)>);

impl Capabilities {
    /// The most patterns that one token may carry.
    pub const MAX_PATTERNS: usize = 64;

    /// True when some pattern fits `object` and allows actions of this kind.
    #[must_use]
    pub fn allow(&self, kind: ActionKind, object: &str) -> bool {
        self.0
            .iter()
            .any(|(pattern, kinds)| kinds.contains(&kind) && pattern.matches(object))
    }
}

impl<'de> Deserialize<'de> for Capabilities {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(CapabilitiesVisitor)
    }
}

struct CapabilitiesVisitor;

impl<'de> Visitor<'de> for CapabilitiesVisitor {
    type Value = Capabilities;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of patterns to lists of actions")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Capabilities, A::Error> {
        let mut capabilities = Vec::new();
        while let Some((pattern, words)) = map.next_entry::<String, Vec<String>>()? {
            if capabilities.len() == Capabilities::MAX_PATTERNS {
                return Err(de::Error::custom("there are too many patterns"));
            }
            let pattern = Pattern::parse(&pattern).map_err(de::Error::custom)?;
            let mut kinds: Vec<_> = words.iter().filter_map(|word| kind_of(word)).collect();
            kinds.dedup();
            capabilities.push((pattern, kinds));
        }
        Ok(Capabilities(capabilities))
    }
}

fn kind_of(word: &str) -> Option<ActionKind> {
    [
        ActionKind::Connect,
        ActionKind::Emit,
        ActionKind::Receive,
        ActionKind::Join,
        ActionKind::Leave,
        ActionKind::Custom,
    ]
    .into_iter()
    .find(|kind| kind.as_str() == word)
}

/// Lets every identity do what its own capabilities say, made by [`by_capabilities`].
#[derive(Clone)]
pub struct ByCapabilities<F> {
    of: F,
    governed: Vec<ActionKind>,
}

/// Goes by the capabilities in the identity.
///
/// Emitting, joining and custom actions need a capability; connecting and receiving need one when
/// [governed](ByCapabilities::govern). Leaving is always allowed.
///
/// ```
/// use socketio_auth::authorize::{ActionKind, Capabilities, by_capabilities};
///
/// struct User { cap: Capabilities }
///
/// let authorizer = by_capabilities(|user: &User| &user.cap).govern(ActionKind::Receive);
/// # let _ = authorizer;
/// ```
#[must_use]
pub fn by_capabilities<I, F>(of: F) -> ByCapabilities<F>
where
    F: Fn(&I) -> &Capabilities + Send + Sync + 'static,
{
    let governed = vec![ActionKind::Emit, ActionKind::Join, ActionKind::Custom];
    ByCapabilities { of, governed }
}

impl<F> ByCapabilities<F> {
    /// Makes actions of this kind need a capability, too.
    #[must_use]
    pub fn govern(mut self, kind: ActionKind) -> Self {
        self.governed.push(kind);
        self
    }
}

impl<I, F> Authorizer<I> for ByCapabilities<F>
where
    F: Fn(&I) -> &Capabilities + Send + Sync + 'static,
{
    fn can(&self, holder: Holder<'_, I>, action: Action<'_>) -> Decision {
        let kind = action.kind();
        let is_free = kind == ActionKind::Leave || !self.governed.contains(&kind);
        Decision::allow_if(is_free || (self.of)(holder.identity()).allow(kind, action.object()))
    }
}

impl<F> fmt::Debug for ByCapabilities<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByCapabilities")
            .field("governed", &self.governed)
            .finish_non_exhaustive()
    }
}
