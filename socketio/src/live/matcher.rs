//! Which names a set of dynamic namespaces takes.

use std::future::Future;
use std::pin::Pin;

use serde_json::Value;

use crate::running::guard;

/// A decision that may have to wait.
pub(crate) type Decision = Pin<Box<dyn Future<Output = bool> + Send>>;

type Predicate = Box<dyn Fn(&str, &Value) -> Decision + Send + Sync>;

/// Decides whether a name is one of a set.
pub(crate) enum Matcher {
    Pattern(Pattern),
    Predicate(Predicate),
}

impl Matcher {
    pub(crate) fn predicate<F, Fut>(decide: F) -> Self
    where
        F: Fn(String, Value) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = bool> + Send + 'static,
    {
        Self::Predicate(Box::new(move |name, auth| {
            Box::pin(decide(name.to_owned(), auth.clone()))
        }))
    }

    /// What names the set in reports.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Pattern(pattern) => pattern.as_str(),
            Self::Predicate(_) => "by predicate",
        }
    }

    /// A panic is a refusal.
    pub(crate) fn decide(&self, name: &str, auth: &Value) -> Decision {
        match self {
            Self::Pattern(pattern) => Box::pin(std::future::ready(pattern.matches(name))),
            Self::Predicate(decide) => {
                guard(|| decide(name, auth)).unwrap_or_else(|_| Box::pin(std::future::ready(false)))
            }
        }
    }
}

/// A name in which `*` stands for one or more characters other than a slash, and `#` for one or more digits.
#[derive(Debug)]
pub(crate) struct Pattern(String);

impl Pattern {
    pub(crate) fn new(pattern: &str) -> Self {
        Self(pattern.to_owned())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes time proportional to the product of both lengths at most, whatever the client sends.
    fn matches(&self, name: &str) -> bool {
        // The places in the pattern where what was read of the name may end.
        let pattern: Vec<char> = self.0.chars().collect();
        let mut places = vec![false; pattern.len() + 1];
        if let Some(start) = places.first_mut() {
            *start = true;
        }
        for character in name.chars() {
            let mut next = vec![false; pattern.len() + 1];
            for (place, &expected) in pattern.iter().enumerate() {
                let takes = match expected {
                    '*' => character != '/',
                    '#' => character.is_ascii_digit(),
                    literal => literal == character,
                };
                let is_repeatable = matches!(expected, '*' | '#');
                let is_here = places.get(place) == Some(&true);
                let was_taken = is_repeatable && places.get(place + 1) == Some(&true);
                if takes
                    && (is_here || was_taken)
                    && let Some(after) = next.get_mut(place + 1)
                {
                    *after = true;
                }
            }
            places = next;
        }
        places.last() == Some(&true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_names_only() {
        for (pattern, name, matches) in [
            ("/dyn-#", "/dyn-1", true),
            ("/dyn-#", "/dyn-123", true),
            ("/dyn-#", "/dyn-", false),
            ("/dyn-#", "/dyn-1x", false),
            ("/dyn-#", "x/dyn-1", false),
            ("/tenant-*/chat", "/tenant-a-b/chat", true),
            ("/tenant-*/chat", "/tenant-/chat", false),
            ("/tenant-*/chat", "/tenant-a/b/chat", false),
            ("/*", "/anything", true),
            ("/*", "/", false),
            ("/*a*", "/aaa", true),
            ("/plain", "/plain", true),
        ] {
            assert_eq!(
                Pattern::new(pattern).matches(name),
                matches,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn a_pattern_of_many_stars_takes_no_exponential_time() {
        let pattern = Pattern::new(&format!("/{}b", "*a".repeat(50)));
        assert!(!pattern.matches(&format!("/{}", "a".repeat(250))));
    }
}
