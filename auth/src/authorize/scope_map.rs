use super::authorizer::{Action, ActionKind, Authorizer, Decision, Holder};
use super::pattern::{Pattern, PatternError};

/// Says which scopes an action needs.
///
/// The first rule whose [pattern](Pattern) fits decides. What no rule fits is denied, when it is of a kind that
/// some rule is about, and for emitting, joining and custom actions in any case; connecting and receiving are
/// allowed while no rule is about them. Leaving is always allowed.
///
/// ```
/// use socketio_auth::authorize::ScopeMap;
///
/// # fn main() -> Result<(), socketio_auth::authorize::PatternError> {
/// let scopes = ScopeMap::builder()
///     .emit("message", "chat:write")
///     .emit("ban", "chat:write chat:moderate")
///     .join("room:*", "chat:read")
///     .build()?;
/// # let _ = scopes;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ScopeMap {
    rules: Box<[Rule]>,
}

#[derive(Clone, Debug)]
struct Rule {
    kind: ActionKind,
    pattern: Pattern,
    scopes: Box<str>,
}

/// Collects the rules of a [`ScopeMap`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ScopeMapBuilder(Result<Vec<Rule>, PatternError>);

impl ScopeMap {
    /// The most rules.
    pub const MAX_RULES: usize = 256;

    /// A map without rules.
    pub const fn builder() -> ScopeMapBuilder {
        ScopeMapBuilder(Ok(Vec::new()))
    }
}

impl ScopeMapBuilder {
    /// Emitting events that fit `pattern` needs these scopes, separated by spaces.
    pub fn emit(self, pattern: &str, scopes: &str) -> Self {
        self.rule(ActionKind::Emit, pattern, scopes)
    }

    /// Receiving events that fit `pattern` needs these scopes.
    pub fn receive(self, pattern: &str, scopes: &str) -> Self {
        self.rule(ActionKind::Receive, pattern, scopes)
    }

    /// Joining rooms that fit `pattern` needs these scopes.
    pub fn join(self, pattern: &str, scopes: &str) -> Self {
        self.rule(ActionKind::Join, pattern, scopes)
    }

    /// Joining namespaces that fit `pattern` needs these scopes.
    pub fn connect(self, pattern: &str, scopes: &str) -> Self {
        self.rule(ActionKind::Connect, pattern, scopes)
    }

    /// Custom actions that fit `pattern` need these scopes.
    pub fn custom(self, pattern: &str, scopes: &str) -> Self {
        self.rule(ActionKind::Custom, pattern, scopes)
    }

    /// The map.
    ///
    /// # Errors
    ///
    /// The first [`PatternError`] of the rules, or too many of them.
    pub fn build(self) -> Result<ScopeMap, PatternError> {
        let rules = self.0?;
        if rules.len() > ScopeMap::MAX_RULES {
            return Err(PatternError::TooManyPatterns);
        }
        Ok(ScopeMap {
            rules: rules.into(),
        })
    }

    fn rule(self, kind: ActionKind, pattern: &str, scopes: &str) -> Self {
        Self(self.0.and_then(|mut rules| {
            rules.push(Rule {
                kind,
                pattern: Pattern::parse(pattern)?,
                scopes: scopes.into(),
            });
            Ok(rules)
        }))
    }
}

impl<I> Authorizer<I> for ScopeMap {
    fn can(&self, holder: Holder<'_, I>, action: Action<'_>) -> Decision {
        let mut is_governed = match action.kind() {
            ActionKind::Leave => return Decision::Allow,
            ActionKind::Emit | ActionKind::Join | ActionKind::Custom => true,
            ActionKind::Connect | ActionKind::Receive => false,
        };
        for rule in self.rules.iter().filter(|rule| rule.kind == action.kind()) {
            if rule.pattern.matches(action.object()) {
                return Decision::allow_if(holder.has_scopes(&rule.scopes));
            }
            is_governed = true;
        }
        Decision::allow_if(!is_governed)
    }
}
