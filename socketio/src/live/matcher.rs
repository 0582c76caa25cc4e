//! Which names a set of dynamic namespaces takes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;

use crate::running::guard;

/// A decision that may have to wait.
pub(crate) type Decision = Pin<Box<dyn Future<Output = bool> + Send>>;

type Predicate = Box<dyn Fn(&str, &Value) -> Decision + Send + Sync>;

/// Decides whether a name is one of a set.
pub(crate) enum Matcher {
    Pattern(Arc<Pattern>),
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

/// A name in which `*` stands for one or more characters other than a slash, `{name}` for the same as a parameter of that
/// name, and `#` for one or more digits.
#[derive(Debug)]
pub(crate) struct Pattern {
    text: Box<str>,
    pieces: Vec<Piece>,
    /// What the values of parameters have to be.
    checks: Vec<(Box<str>, Check)>,
    is_sound: bool,
}

type Check = fn(&str) -> bool;

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Literal(char),
    Digits,
    Any,
    Parameter(Box<str>),
}

impl Piece {
    fn takes(&self, character: char) -> bool {
        match self {
            Self::Literal(literal) => *literal == character,
            Self::Digits => character.is_ascii_digit(),
            Self::Any | Self::Parameter(_) => character != '/',
        }
    }

    fn is_repeatable(&self) -> bool {
        !matches!(self, Self::Literal(_))
    }
}

impl Pattern {
    pub(crate) fn new(text: &str) -> Self {
        let pieces = pieces_of(text);
        let is_sound = pieces.as_deref().is_some_and(is_sound);
        Self {
            text: text.into(),
            pieces: pieces.unwrap_or_default(),
            checks: Vec::new(),
            is_sound,
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Has names match only when the parameter's value passes the check as well.
    pub(crate) fn check(&mut self, parameter: &str, check: Check) {
        let is_it = |piece: &Piece| matches!(piece, Piece::Parameter(name) if **name == *parameter);
        self.is_sound &= self.pieces.iter().any(is_it);
        self.checks.push((parameter.into(), check));
    }

    /// False for a pattern with a brace that is not closed, a parameter without a name or with one that there is already, one
    /// right beside another part that takes any number of characters, or a check of a parameter that it does not have.
    pub(crate) fn is_sound(&self) -> bool {
        self.is_sound
    }

    fn matches(&self, name: &str) -> bool {
        self.fits(name)
            && self.checks.iter().all(|(parameter, check)| {
                let value = self.parameter(parameter, name);
                value.is_some_and(|value| check(&value))
            })
    }

    /// Takes time proportional to the product of both lengths at most, whatever the client sends.
    fn fits(&self, name: &str) -> bool {
        // The places in the pattern where what was read of the name may end.
        let mut places = vec![false; self.pieces.len() + 1];
        if let Some(start) = places.first_mut() {
            *start = true;
        }
        for character in name.chars() {
            let mut next = vec![false; self.pieces.len() + 1];
            for (place, piece) in self.pieces.iter().enumerate() {
                let is_here = places.get(place) == Some(&true);
                let was_taken = piece.is_repeatable() && places.get(place + 1) == Some(&true);
                if piece.takes(character)
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

    /// The value of a parameter in a name that fits: each part that takes any number of characters takes as few as the rest
    /// lets it.
    pub(crate) fn parameter(&self, parameter: &str, name: &str) -> Option<String> {
        let characters: Vec<char> = name.chars().collect();
        let ends = self.ends(&characters);
        let can_end = |place: usize, at: usize| {
            let row = ends.get(place);
            row.is_some_and(|row| row.get(at) == Some(&true))
        };
        let mut at = 0;
        for (place, piece) in self.pieces.iter().enumerate() {
            let start = at;
            loop {
                let character = *characters.get(at)?;
                if !piece.takes(character) {
                    return None;
                }
                at += 1;
                if can_end(place + 1, at) {
                    break;
                }
                if !piece.is_repeatable() {
                    return None;
                }
            }
            if matches!(piece, Piece::Parameter(name) if **name == *parameter) {
                return Some(characters.get(start..at)?.iter().collect());
            }
        }
        None
    }

    /// For each place of the pattern, and the end, whether what stands from there on takes all from each character on.
    fn ends(&self, characters: &[char]) -> Vec<Vec<bool>> {
        let mut last = vec![false; characters.len() + 1];
        if let Some(end) = last.last_mut() {
            *end = true;
        }
        let mut ends = vec![last];
        for piece in self.pieces.iter().rev() {
            let mut row = vec![false; characters.len() + 1];
            let mut again = false;
            for (at, &character) in characters.iter().enumerate().rev() {
                let after = ends.last().and_then(|after| after.get(at + 1));
                let can = piece.takes(character)
                    && (after == Some(&true) || (piece.is_repeatable() && again));
                again = can;
                if let Some(here) = row.get_mut(at) {
                    *here = can;
                }
            }
            ends.push(row);
        }
        ends.reverse();
        ends
    }
}

/// `None` when a brace is not closed, or is closed that was not opened.
fn pieces_of(text: &str) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        pieces.push(match character {
            '*' => Piece::Any,
            '#' => Piece::Digits,
            '{' => {
                let (name, behind) = rest.as_str().split_once('}')?;
                rest = behind.chars();
                Piece::Parameter(name.into())
            }
            '}' => return None,
            literal => Piece::Literal(literal),
        });
    }
    Some(pieces)
}

fn is_sound(pieces: &[Piece]) -> bool {
    let names: Vec<_> = pieces
        .iter()
        .filter_map(|piece| match piece {
            Piece::Parameter(name) => Some(&**name),
            _ => None,
        })
        .collect();
    let mut distinct = names.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let are_names = names
        .iter()
        .all(|name| !name.is_empty() && !name.contains('{'));
    let is_doubtful = |pair: &[Piece]| {
        let is_parameter = |piece: &Piece| matches!(piece, Piece::Parameter(_));
        pair.iter().all(Piece::is_repeatable) && pair.iter().any(is_parameter)
    };
    distinct.len() == names.len() && are_names && !pieces.windows(2).any(is_doubtful)
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
    fn a_parameter_is_as_short_as_the_rest_lets_it_be() {
        for (pattern, name, value) in [
            ("/tenant/{id}", "/tenant/7", Some("7")),
            ("/tenant/{id}/chat", "/tenant/a-b/chat", Some("a-b")),
            ("/{id}-#", "/a-1-2", Some("a-1")),
            ("/{id}-*", "/a-b-c", Some("a")),
            ("/*-{id}", "/a-b-c", Some("b-c")),
            ("/{id}x", "/xxx", Some("xx")),
            ("/{id}", "/ä€", Some("ä€")),
            ("/{id}", "/", None),
            ("/{id}", "/a/b", None),
            ("/{other}", "/a", None),
        ] {
            let found = Pattern::new(pattern).parameter("id", name);
            assert_eq!(found.as_deref(), value, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_that_is_in_doubt_is_unsound() {
        for (pattern, is_sound) in [
            ("/{a}/{b}", true),
            ("/{a}-#*", true),
            ("/{a", false),
            ("/a}", false),
            ("/{}", false),
            ("/{a{b}", false),
            ("/{a}/{a}", false),
            ("/{a}{b}", false),
            ("/{a}*", false),
            ("/#{a}", false),
        ] {
            assert_eq!(Pattern::new(pattern).is_sound(), is_sound, "{pattern}");
        }
    }

    #[test]
    fn a_checked_parameter_has_to_pass() {
        let mut pattern = Pattern::new("/tenant/{id}");
        pattern.check("id", |value| value.parse::<u8>().is_ok());
        assert!(pattern.is_sound());
        assert!(pattern.matches("/tenant/255"));
        assert!(!pattern.matches("/tenant/256"), "one past it");
        pattern.check("name", |_| true);
        assert!(!pattern.is_sound(), "it has no such parameter");
    }

    #[test]
    fn a_pattern_of_many_stars_takes_no_exponential_time() {
        let pattern = Pattern::new(&format!("/{}b", "*a".repeat(50)));
        assert!(!pattern.matches(&format!("/{}", "a".repeat(250))));
    }
}
