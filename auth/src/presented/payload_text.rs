//! The payload of a CONNECT packet, read no further than it is asked for.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;

use crate::lenient_json;

/// The `auth` payload of a CONNECT packet as the JSON text that was received. Sources that look at one field find it there;
/// a [`Value`] is made for those that ask for the whole.
///
/// ```
/// use socketio_auth::{AuthField, CredentialSource, Extract, HandshakeView};
/// use socketio_auth::server::{NoRequest, PayloadText};
///
/// let payload = PayloadText::new(r#"{"token":"abc"}"#);
/// let view = HandshakeView::new(&NoRequest).with_payload_text(&payload);
/// let found = AuthField("token").extract(&view);
/// assert!(matches!(found, Extract::Found(credential) if credential.token() == "abc"));
/// assert_eq!(view.payload(), Some(&serde_json::json!({ "token": "abc" })));
/// ```
pub struct PayloadText<'a> {
    text: &'a str,
    value: OnceCell<Option<Value>>,
}

impl<'a> PayloadText<'a> {
    /// The payload with this text, read as [`lenient_json`](crate::server::lenient_json) reads. One that is no JSON is none.
    #[must_use]
    pub const fn new(text: &'a str) -> Self {
        let value = OnceCell::new();
        Self { text, value }
    }

    /// The whole.
    #[must_use]
    pub fn value(&self) -> Option<&Value> {
        let value = self
            .value
            .get_or_init(|| lenient_json::from_str(self.text).ok());
        value.as_ref()
    }

    /// One field, the last of its name as in a [`Value`]. In what cannot be read it is not absent: whoever sends a bad one must not pass for sending none.
    pub(crate) fn field(&self, name: &str) -> Field<'a> {
        let found = find(self.text, name).or_else(|error| match lenient_json::mend(self.text) {
            Ok(Some(mended)) => find(&mended, name).map(Field::into_owned),
            Ok(None) | Err(_) => Err(error),
        });
        found.unwrap_or_else(|error| match error.classify() {
            // What is no object has no field.
            Category::Data => Field::Absent,
            Category::Io | Category::Syntax | Category::Eof => Field::Other,
        })
    }
}

fn find<'t>(text: &'t str, name: &str) -> Result<Field<'t>, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_str(text);
    let found = json.deserialize_any(Find(name))?;
    // Behind the payload nothing may follow.
    json.end().map(|()| found)
}

/// Shows nothing: it may hold a credential.
impl fmt::Debug for PayloadText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PayloadText").finish_non_exhaustive()
    }
}

/// What a payload says under a name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Field<'a> {
    /// Nothing, or null.
    Absent,
    Text(Cow<'a, str>),
    /// Something that is no text.
    Other,
}

impl<'a> Field<'a> {
    pub(crate) fn of(value: Option<&'a Value>) -> Self {
        match value {
            None | Some(Value::Null) => Self::Absent,
            Some(Value::String(text)) => Self::Text(Cow::Borrowed(text)),
            Some(_) => Self::Other,
        }
    }

    fn into_owned<'b>(self) -> Field<'b> {
        match self {
            Self::Absent => Field::Absent,
            Self::Text(text) => Field::Text(Cow::Owned(text.into_owned())),
            Self::Other => Field::Other,
        }
    }
}

/// Finds a field of an object; anything else has none.
struct Find<'n>(&'n str);

impl<'de> Visitor<'de> for Find<'_> {
    type Value = Field<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Field<'de>, A::Error> {
        let mut found = Field::Absent;
        while let Some(is_it) = map.next_key_seed(Is(self.0))? {
            if is_it {
                found = map.next_value_seed(Read)?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Whether a key is this one.
struct Is<'n>(&'n str);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<bool, D::Error> {
        key.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}

/// Reads a field.
struct Read;

impl<'de> DeserializeSeed<'de> for Read {
    type Value = Field<'de>;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<Field<'de>, D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Read {
    type Value = Field<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E: Error>(self) -> Result<Field<'de>, E> {
        Ok(Field::Absent)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Field<'de>, E> {
        Ok(Field::Other)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Field<'de>, E> {
        Ok(Field::Other)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Field<'de>, E> {
        Ok(Field::Other)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Field<'de>, E> {
        Ok(Field::Other)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Field<'de>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Field<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_what_the_whole_says_it_is() {
        for text in [
            r#"{"token":"abc"}"#,
            r#"{"a":[1,{"token":"no"}],"token":"a\u0062\n\"c","b":null}"#,
            r#"{"token":"first","token":"last"}"#,
            r#"{"token":"first","token":null}"#,
            r#"{"tok\u0065n":"escaped"}"#,
            r#"{"token":null}"#,
            r#"{"token":true}"#,
            r#"{"token":-1}"#,
            r#"{"token":1.5}"#,
            r#"{"token":18446744073709551615}"#,
            r#"{"token":["abc"]}"#,
            r#"{"token":{"token":"abc"}}"#,
            r#"{"other":"abc"}"#,
            r#"{"token":"a\ud83d"}"#,
            r#"{"name\ud83d":"ann \ud83d","token":"abc","much":1e999}"#,
            r#"{"token":1e999}"#,
            r#"["\ud83d"]"#,
            "{}",
            "null",
            "[]",
            r#"["token"]"#,
            r#""token""#,
            "17",
        ] {
            let payload = PayloadText::new(text);
            let of_whole = Field::of(payload.value().and_then(|whole| whole.get("token")));
            assert_eq!(payload.field("token"), of_whole, "{text}");
        }
    }

    #[test]
    fn in_what_cannot_be_read_a_field_is_not_absent() {
        for text in [
            r#"{"token":"\ud800"#,
            "",
            r#"{"token":"abc""#,
            r#"{"token":"abc"}x"#,
            r#"{"token":"abc",}"#,
        ] {
            let payload = PayloadText::new(text);
            assert_eq!(payload.field("token"), Field::Other, "{text}");
        }
    }

    #[test]
    fn a_text_without_escapes_is_not_copied_and_debug_shows_none() {
        let payload = PayloadText::new(r#"{"token":"abc"}"#);
        let field = payload.field("token");
        assert!(matches!(field, Field::Text(Cow::Borrowed("abc"))));
        assert!(!format!("{payload:?}").contains("abc"));
    }
}
