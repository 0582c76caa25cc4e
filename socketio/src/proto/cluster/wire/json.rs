//! JSON as `JSON.stringify` writes it and `JSON.parse` reads it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use socketio_auth::server::lenient_json;

use super::ignored::Ignored;
use super::value::Value;

/// Reads a message. What is deeper than [`lenient_json::MAX_DEPTH`] is refused before it is looked into.
pub(super) fn read(bytes: &[u8]) -> Result<Value<'_>, Ignored> {
    let text = std::str::from_utf8(bytes).map_err(|_| Ignored::Malformed)?;
    if let Ok(value) = serde_json::from_str::<Value<'_>>(text) {
        return Ok(value);
    }
    let mended = lenient_json::mend(text).map_err(|_| Ignored::TooDeep)?;
    let mended = mended.ok_or(Ignored::Malformed)?;
    let mut json = serde_json::Deserializer::from_str(&mended);
    json.disable_recursion_limit();
    let value = Value::deserialize(&mut json).map_err(|_| Ignored::Malformed)?;
    json.end().map_err(|_| Ignored::Malformed)?;
    Ok(value.into_owned())
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value<'de>, E> {
        Ok(Value::Nil)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value<'de>, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value<'de>, E> {
        Ok(Value::Unsigned(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value<'de>, E> {
        Ok(Value::signed(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value<'de>, E> {
        Ok(Value::double(value))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::str(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::str(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value<'de>, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element()? {
            elements.push(element);
        }
        Ok(Value::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = map.next_entry::<Value<'de>, _>()? {
            members.push((name.into_name().unwrap_or_default(), value));
        }
        Ok(Value::Map(members))
    }
}

/// The value as text. It must have nothing binary in it. Numbers that JSON has not are null (RDS-06).
pub(super) fn write(value: &Value<'_>) -> Vec<u8> {
    // Names are text and writing to memory does not fail, so nothing does.
    serde_json::to_vec(value).unwrap_or_default()
}
