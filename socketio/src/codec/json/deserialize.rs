//! The serde layer over JSON text: a placeholder becomes bytes where bytes are asked for.
//!
//! Without attachments serde_json does everything itself. With them every visitor and seed is wrapped, so that the
//! wrapping reaches any depth.

use std::fmt;

use bytes::Bytes;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::ser::{Error as _, Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;

use super::scan::{split_first, split_member};
use crate::codec::args::Argument;
use crate::codec::binary::Binary;

/// The first value of some JSON text that was scanned before.
#[inline]
pub(in crate::codec) fn deserialize<T: DeserializeOwned>(
    text: &str,
    attachments: &[Bytes],
) -> Result<T, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_str(text);
    if attachments.is_empty() {
        T::deserialize(Argument(&mut json))
    } else {
        T::deserialize(Argument(Attached {
            inner: &mut json,
            attachments,
        }))
    }
}

/// Writes one JSON value with another serializer, binary as bytes and members in order.
pub(in crate::codec) fn transcode<S: Serializer>(
    text: &str,
    attachments: &[Bytes],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    Transcoded { text, attachments }.serialize(serializer)
}

/// One value that has been scanned before, with its attachments.
struct Transcoded<'a> {
    text: &'a str,
    attachments: &'a [Bytes],
}

impl<'a> Transcoded<'a> {
    fn inside(&self, text: &'a str) -> Self {
        Self {
            text,
            attachments: self.attachments,
        }
    }

    fn attachment(&self) -> Option<Binary> {
        if self.attachments.is_empty() {
            return None;
        }
        deserialize(self.text, self.attachments).ok()
    }
}

impl Serialize for Transcoded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.text.trim_ascii();
        if let Some(mut elements) = strip(text, '[', ']') {
            let mut seq = serializer.serialize_seq(None)?;
            while !elements.is_empty() {
                let (element, rest) = split_first(elements);
                seq.serialize_element(&self.inside(element))?;
                elements = rest;
            }
            return seq.end();
        }
        if let Some(mut members) = strip(text, '{', '}') {
            if let Some(attachment) = self.attachment() {
                return serializer.serialize_bytes(&attachment);
            }
            let mut map = serializer.serialize_map(None)?;
            while !members.is_empty() {
                let (name, value, rest) = split_member(members);
                let name: String = serde_json::from_str(name).map_err(S::Error::custom)?;
                map.serialize_entry(&name, &self.inside(value))?;
                members = rest;
            }
            return map.end();
        }
        let scalar: Value = serde_json::from_str(text).map_err(S::Error::custom)?;
        scalar.serialize(serializer)
    }
}

/// What is between the brackets of an array or object, without white space around it.
fn strip(text: &str, open: char, close: char) -> Option<&str> {
    let inside = text.strip_prefix(open)?.strip_suffix(close)?;
    Some(inside.trim_ascii())
}

fn find(attachments: &[Bytes], num: Option<u64>) -> Option<&Bytes> {
    attachments.get(usize::try_from(num?).ok()?)
}

/// Wraps whatever serde passes around, to know the attachments there.
struct Attached<'a, T> {
    inner: T,
    attachments: &'a [Bytes],
}

impl<'a, T> Attached<'a, T> {
    fn wrap<U>(&self, inner: U) -> Attached<'a, U> {
        Attached {
            inner,
            attachments: self.attachments,
        }
    }
}

macro_rules! pass_visitor_on {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            let visitor = self.wrap(visitor);
            self.inner.$method(visitor)
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Attached<'_, D> {
    type Error = D::Error;

    pass_visitor_on! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_string
        deserialize_option deserialize_unit deserialize_seq deserialize_map deserialize_identifier
        deserialize_ignored_any
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = self.wrap(visitor);
        self.inner.deserialize_any(BytesVisitor(visitor))
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_unit_struct(name, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.wrap(visitor);
        self.inner.deserialize_newtype_struct(name, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.wrap(visitor);
        self.inner.deserialize_tuple(len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.wrap(visitor);
        self.inner.deserialize_tuple_struct(name, len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.wrap(visitor);
        self.inner.deserialize_struct(name, fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.wrap(visitor);
        self.inner.deserialize_enum(name, variants, visitor)
    }
}

macro_rules! pass_value_on {
    ($($method:ident($value:ty))*) => {$(
        fn $method<E: Error>(self, value: $value) -> Result<V::Value, E> {
            self.inner.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Attached<'_, V> {
    type Value = V::Value;

    pass_value_on! {
        visit_bool(bool) visit_i8(i8) visit_i16(i16) visit_i32(i32) visit_i64(i64) visit_i128(i128)
        visit_u8(u8) visit_u16(u16) visit_u32(u32) visit_u64(u64) visit_u128(u128)
        visit_f32(f32) visit_f64(f64) visit_char(char) visit_str(&str) visit_borrowed_str(&'de str)
        visit_string(String) visit_bytes(&[u8]) visit_borrowed_bytes(&'de [u8]) visit_byte_buf(Vec<u8>)
    }

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        let value = self.wrap(value);
        self.inner.visit_some(value)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        let value = self.wrap(value);
        self.inner.visit_newtype_struct(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<V::Value, A::Error> {
        let seq = self.wrap(seq);
        self.inner.visit_seq(seq)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        let map = self.wrap(map);
        self.inner.visit_map(map)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<V::Value, A::Error> {
        let data = self.wrap(data);
        self.inner.visit_enum(data)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Attached<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        let deserializer = self.wrap(deserializer);
        self.inner.deserialize(deserializer)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Attached<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let seed = self.wrap(seed);
        self.inner.next_element_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Attached<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let seed = self.wrap(seed);
        self.inner.next_value_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'a, 'de, A: EnumAccess<'de>> EnumAccess<'de> for Attached<'a, A> {
    type Error = A::Error;
    type Variant = Attached<'a, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let (name, variant) = self.inner.variant_seed(seed)?;
        let variant = Attached {
            inner: variant,
            attachments: self.attachments,
        };
        Ok((name, variant))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Attached<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        let seed = self.wrap(seed);
        self.inner.newtype_variant_seed(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        let visitor = self.wrap(visitor);
        self.inner.tuple_variant(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = self.wrap(visitor);
        self.inner.struct_variant(fields, visitor)
    }
}

/// Gives bytes to a visitor that asked for them: of the attachment that a placeholder names, of a string, or of an
/// array of numbers.
struct BytesVisitor<'a, V>(Attached<'a, V>);

impl<'de, V: Visitor<'de>> Visitor<'de> for BytesVisitor<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<V::Value, E> {
        self.0.inner.visit_bytes(text.as_bytes())
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<V::Value, E> {
        self.0.inner.visit_borrowed_bytes(text.as_bytes())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<V::Value, A::Error> {
        self.0.inner.visit_seq(seq)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<V::Value, A::Error> {
        let mut is_placeholder = false;
        let mut num = None;
        // The last of several members of one name counts, as in JavaScript.
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "_placeholder" => is_placeholder = map.next_value::<Value>()? == Value::Bool(true),
                "num" => num = map.next_value::<Value>()?.as_u64(),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if !is_placeholder {
            return Err(Error::invalid_type(Unexpected::Map, &self));
        }
        match find(self.0.attachments, num) {
            Some(attachment) => self.0.inner.visit_byte_buf(attachment.to_vec()),
            None => Err(Error::custom("placeholder without an attachment")),
        }
    }
}
