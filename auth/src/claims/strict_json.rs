//! JSON objects without duplicate members, at any depth.
//!
//! `serde_json::Value` keeps the last of two equal names; two parsers that disagree on which one counts are how a
//! signed token comes to mean two things (RFC 8725 §2.4, RFC 7515 §4). Text is borrowed from the document where it
//! is written without escapes, so that reading a token's parts allocates one table each.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

/// Up to this many members are compared with each other; more are sorted first, so that a token made of names does
/// not cost the square of them.
const FEW_MEMBERS: usize = 12;

/// Room is made for so many members at once, which is what most tokens have.
const USUAL_MEMBERS: usize = 8;

/// A JSON value.
#[derive(Debug, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    Array(Vec<Self>),
    Object(Object<'a>),
}

impl<'a> Json<'a> {
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

#[cfg(any(feature = "jwt-aws-lc", feature = "jwt-rust-crypto"))]
impl<'a> Json<'a> {
    pub(crate) fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Number(number) => number.as_u64(),
            _ => None,
        }
    }

    pub(crate) fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn as_object(&self) -> Option<&Object<'a>> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }
}

/// The members of an object, in the order of the document.
#[derive(Debug, PartialEq)]
pub(crate) struct Object<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

impl<'a> Object<'a> {
    /// Parses one JSON object; anything else, trailing text and duplicate members are `None`.
    pub(crate) fn parse(document: &'a [u8]) -> Option<Self> {
        Self::parse_text(std::str::from_utf8(document).ok()?)
    }

    /// The same for what is known to be UTF-8: in bytes the parser would look at every string by itself.
    pub(crate) fn parse_text(document: &'a str) -> Option<Self> {
        let mut deserializer = serde_json::Deserializer::from_str(document);
        let value = Strict.deserialize(&mut deserializer).ok()?;
        deserializer.end().ok()?;
        match value {
            Json::Object(members) => Some(members),
            _ => None,
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Json<'a>> {
        let member = self.0.iter().find(|(known, _)| known == name);
        member.map(|(_, value)| value)
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &Json<'a>)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }

    fn has_duplicates(&self) -> bool {
        let members = &*self.0;
        if members.len() <= FEW_MEMBERS {
            // Most registered names have three letters, and differ in the last.
            let is_same = |(one, _): &(Cow<'_, str>, Json<'_>), other: &str| {
                one.as_bytes().last() == other.as_bytes().last() && *one == *other
            };
            return members.iter().enumerate().any(|(place, (name, _))| {
                let mut earlier = members.iter().take(place);
                earlier.any(|member| is_same(member, name))
            });
        }
        let mut names: Vec<&str> = self.names().collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair.first() == pair.last())
    }
}

#[cfg(any(feature = "jwt-aws-lc", feature = "jwt-rust-crypto"))]
impl<'a> Object<'a> {
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Json::as_text)
    }

    /// Takes a member out; the order of the others may change.
    pub(crate) fn take(&mut self, name: &str) -> Option<Json<'a>> {
        let place = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(place).1)
    }
}

struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without duplicate members")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json<'de>, E> {
        Ok(Number::from_f64(value).map_or(Json::Null, Json::Number))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(Self)? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json<'de>, A::Error> {
        let mut members = Object(Vec::new());
        while let Some(name) = access.next_key_seed(Name)? {
            if members.0.is_empty() {
                members.0.reserve(USUAL_MEMBERS);
            }
            members.0.push((name, access.next_value_seed(Self)?));
        }
        if members.has_duplicates() {
            return Err(A::Error::custom("duplicate member"));
        }
        Ok(Json::Object(members))
    }
}

/// The name of a member.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

/// For comparison with a parser that is not strict.
#[cfg(any(test, feature = "fuzzing"))]
impl From<Json<'_>> for serde_json::Value {
    fn from(json: Json<'_>) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(value),
            Json::Number(number) => Self::Number(number),
            Json::Text(text) => Self::String(text.into_owned()),
            Json::Array(items) => items.into_iter().map(Self::from).collect(),
            Json::Object(Object(members)) => members
                .into_iter()
                .map(|(name, value)| (name.into_owned(), Self::from(value)))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_refused_at_every_depth() {
        assert!(Object::parse(br#"{"a":1,"b":{"a":2}}"#).is_some());
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"b":[{"a":1,"a":2}]}"#,
            r#"{"b":{"c":{"a":1,"a":2}}}"#,
        ] {
            assert!(Object::parse(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn duplicates_are_refused_among_few_members_and_among_many() {
        for count in [FEW_MEMBERS - 1, FEW_MEMBERS, FEW_MEMBERS + 1, 300] {
            let members: Vec<_> = (0..count)
                .map(|number| format!("\"m{number}\":0"))
                .collect();
            let document = format!("{{{}}}", members.join(","));
            assert!(Object::parse(document.as_bytes()).is_some(), "{count}");
            for repeated in [&members[0], &members[count - 1]] {
                let document = format!("{{{},{repeated}}}", members.join(","));
                assert!(Object::parse(document.as_bytes()).is_none(), "{count}");
            }
        }
    }

    #[test]
    fn only_one_whole_object_is_accepted() {
        for text in ["[]", "1", "null", "{} {}", "{", "", "\u{feff}{}"] {
            assert!(Object::parse(text.as_bytes()).is_none(), "{text}");
        }
        let deep = format!("{}1{}", r#"{"a":"#.repeat(500), "}".repeat(500));
        assert!(Object::parse(deep.as_bytes()).is_none());
    }

    #[test]
    fn what_is_accepted_says_what_any_parser_reads() {
        let document =
            r#"{"a":[null,true,-1,18446744073709551615,1.5],"b\n":{"c":"d\u00e9"},"e":""}"#;
        let parsed = Object::parse(document.as_bytes()).map(Json::Object);
        let lenient: serde_json::Value = serde_json::from_str(document).unwrap();
        assert_eq!(parsed.map(serde_json::Value::from), Some(lenient));
    }
}
