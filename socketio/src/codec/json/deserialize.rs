//! The serde layer over JSON text: what stands for an attachment is its bytes.
//!
//! Without attachments serde_json does everything itself. With them every visitor and seed is wrapped, so that the
//! wrapping reaches any depth.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::vec;

use bytes::Bytes;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde_json::Value;
use serde_json::de::{Read, StrRead};
use socketio_auth::server::lenient_json;

use super::placeholder::Places;
use super::plain::is_plain;
use super::scan::split_first;
use crate::codec::args::{ARRAY, Argument};
use crate::codec::key::{Key, Name};

macro_rules! not_here {
    ($($method:ident($($value:ty),*))*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, $(_: $value,)* _: V) -> Result<V::Value, NotHere> {
            Err(NotHere)
        }
    )*};
}

/// The first value of some JSON text that was scanned before.
#[inline]
pub(in crate::codec) fn deserialize<T: DeserializeOwned>(
    text: &str,
    attachments: &[Bytes],
) -> Result<T, serde_json::Error> {
    // A string without escapes, if the type asks for one, is what it reads as: half the instructions of what follows.
    if let Some(plain) = PlainString::of(text)
        && let Ok(value) = T::deserialize(plain)
    {
        return Ok(value);
    }
    let mut json = serde_json::Deserializer::from_str(text);
    read(&mut json, attachments).or_else(|error| deserialize_mended(error, text, attachments))
}

/// The content of a string that is all of some JSON text and has no escapes. To a type that asks for a string, or for
/// whatever there is, it says what serde_json would; others it does not know.
struct PlainString<'de>(&'de str);

impl<'de> PlainString<'de> {
    #[inline]
    fn of(text: &'de str) -> Option<Self> {
        let content = text.strip_prefix('"')?.strip_suffix('"')?;
        is_plain(content.as_bytes()).then_some(Self(content))
    }
}

/// The type is not known here, or refuses the string: what is said of that is for serde_json.
#[derive(Debug)]
struct NotHere;

impl fmt::Display for NotHere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not read here")
    }
}

impl std::error::Error for NotHere {}

impl Error for NotHere {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl<'de> Deserializer<'de> for PlainString<'de> {
    type Error = NotHere;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotHere> {
        visitor.visit_borrowed_str(self.0)
    }

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotHere> {
        visitor.visit_borrowed_str(self.0)
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotHere> {
        visitor.visit_borrowed_str(self.0)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotHere> {
        visitor.visit_some(self)
    }

    not_here! {
        deserialize_unit() deserialize_bool() deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128() deserialize_f32()
        deserialize_f64() deserialize_char() deserialize_bytes() deserialize_byte_buf() deserialize_seq() deserialize_map()
        deserialize_identifier() deserialize_ignored_any() deserialize_unit_struct(&'static str)
        deserialize_newtype_struct(&'static str) deserialize_tuple(usize) deserialize_tuple_struct(&'static str, usize)
        deserialize_struct(&'static str, &'static [&'static str]) deserialize_enum(&'static str, &'static [&'static str])
    }
}

/// The same of what serde_json does not take as it is.
#[cold]
fn deserialize_mended<T: DeserializeOwned>(
    error: serde_json::Error,
    text: &str,
    attachments: &[Bytes],
) -> Result<T, serde_json::Error> {
    let (first, _) = split_first(text);
    let mended = lenient_json::mend(first)
        .map_err(Error::custom)?
        .ok_or(error)?;
    let mut json = serde_json::Deserializer::from_str(&mended);
    json.disable_recursion_limit();
    read(&mut json, attachments)
}

#[inline]
fn read<'de, T: DeserializeOwned>(
    json: &mut serde_json::Deserializer<StrRead<'de>>,
    attachments: &[Bytes],
) -> Result<T, serde_json::Error> {
    read_seed(json, attachments, PhantomData)
}

/// The first value of some JSON text that was scanned before, for a seed. It is used up by one attempt, so the text is
/// mended first.
pub(in crate::codec) fn deserialize_seed<'de, S: DeserializeSeed<'de>>(
    text: &'de str,
    attachments: &[Bytes],
    seed: S,
) -> Result<S::Value, serde_json::Error> {
    let (first, _) = split_first(text);
    match lenient_json::mend(first).map_err(Error::custom)? {
        None => read_seed(
            &mut serde_json::Deserializer::from_str(first),
            attachments,
            seed,
        ),
        Some(mended) => {
            let mut json = serde_json::Deserializer::from_reader(mended.as_bytes());
            json.disable_recursion_limit();
            read_seed(&mut json, attachments, seed)
        }
    }
}

#[inline]
fn read_seed<'de, R: Read<'de>, S: DeserializeSeed<'de>>(
    json: &mut serde_json::Deserializer<R>,
    attachments: &[Bytes],
    seed: S,
) -> Result<S::Value, serde_json::Error> {
    if attachments.is_empty() {
        seed.deserialize(Argument(json))
    } else {
        seed.deserialize(Argument(WithAttachments {
            inner: json,
            attachments,
        }))
    }
}

/// What the first value of some JSON text is, with its article.
pub(in crate::codec) fn kind(text: &str, attachments: &[Bytes]) -> &'static str {
    let text = text.trim_start();
    match text.bytes().next() {
        Some(b'{') if !attachments.is_empty() && Places::find(text).num(0).is_some() => "binary",
        Some(b'{') => "an object",
        Some(b'[') => ARRAY,
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

fn find<E: Error>(attachments: &[Bytes], num: Option<u64>) -> Result<&Bytes, E> {
    num.and_then(|num| attachments.get(usize::try_from(num).ok()?))
        .ok_or_else(|| E::custom("placeholder without an attachment"))
}

/// Wraps whatever serde passes around, to know the attachments there.
struct WithAttachments<'a, T> {
    inner: T,
    attachments: &'a [Bytes],
}

impl<'a, T> WithAttachments<'a, T> {
    fn wrap<U>(&self, inner: U) -> WithAttachments<'a, U> {
        WithAttachments {
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

impl<'de, D: Deserializer<'de>> Deserializer<'de> for WithAttachments<'_, D> {
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

impl<'de, V: Visitor<'de>> Visitor<'de> for WithAttachments<'_, V> {
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

    /// A placeholder is bytes to whoever takes any value, too. Who takes none says so.
    //= SIO5-BIN-02
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<V::Value, A::Error> {
        let mut placeholder = Placeholder::default();
        let mut ahead = Vec::new();
        let mut next = None;
        while let Some(name) = map.next_key_seed(Name)? {
            if !Placeholder::has(&name) {
                next = Some(name);
                break;
            }
            let value: Value = map.next_value()?;
            placeholder.note(&name, &value);
            ahead.push((name, value));
        }
        if next.is_none() && placeholder.is_one {
            let attachment = find(self.attachments, placeholder.num)?;
            return self.inner.visit_byte_buf(attachment.to_vec());
        }
        let members = self.wrap(ReadAhead {
            map,
            ahead: ahead.into_iter(),
            next,
            value: None,
            placeholder,
        });
        self.inner.visit_map(members)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<V::Value, A::Error> {
        let data = self.wrap(data);
        self.inner.visit_enum(data)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for WithAttachments<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        let deserializer = self.wrap(deserializer);
        self.inner.deserialize(deserializer)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for WithAttachments<'_, A> {
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

/// What is known of an object from its members so far. The last of several members of one name counts, as in JavaScript.
#[derive(Default)]
struct Placeholder {
    is_one: bool,
    num: Option<u64>,
}

impl Placeholder {
    /// Whether a placeholder has a member of this name.
    fn has(name: &str) -> bool {
        matches!(name, "_placeholder" | "num")
    }

    fn note(&mut self, name: &str, value: &Value) {
        match name {
            "_placeholder" => self.is_one = *value == Value::Bool(true),
            _ => self.num = value.as_u64(),
        }
    }
}

/// The members of an object whose first ones were read ahead.
struct ReadAhead<'de, A> {
    map: A,
    ahead: vec::IntoIter<(Cow<'de, str>, Value)>,
    /// The name behind them.
    next: Option<Cow<'de, str>>,
    /// The value of the name that was given out, if it was read.
    value: Option<Value>,
    placeholder: Placeholder,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for WithAttachments<'_, ReadAhead<'de, A>> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let members = &mut self.inner;
        let name = if let Some((name, value)) = members.ahead.next() {
            members.value = Some(value);
            name
        } else if let Some(name) = members.next.take() {
            name
        } else if let Some(name) = members.map.next_key_seed(Name)? {
            if Placeholder::has(&name) {
                let value = members.map.next_value()?;
                members.placeholder.note(&name, &value);
                members.value = Some(value);
            }
            name
        } else if members.placeholder.is_one {
            // No sender writes it so. Its members were given out, so it cannot be bytes any more.
            return Err(Error::custom("a placeholder with other members"));
        } else {
            return Ok(None);
        };
        seed.deserialize(Key::new(name)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let seed = self.wrap(seed);
        match self.inner.value.take() {
            Some(value) => seed.deserialize(value).map_err(Error::custom),
            None => self.inner.map.next_value_seed(seed),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.map.size_hint()
    }
}

impl<'a, 'de, A: EnumAccess<'de>> EnumAccess<'de> for WithAttachments<'a, A> {
    type Error = A::Error;
    type Variant = WithAttachments<'a, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let (name, variant) = self.inner.variant_seed(seed)?;
        let variant = WithAttachments {
            inner: variant,
            attachments: self.attachments,
        };
        Ok((name, variant))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for WithAttachments<'_, A> {
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
struct BytesVisitor<'a, V>(WithAttachments<'a, V>);

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
        let mut placeholder = Placeholder::default();
        while let Some(name) = map.next_key_seed(Name)? {
            if Placeholder::has(&name) {
                placeholder.note(&name, &map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if !placeholder.is_one {
            return Err(Error::invalid_type(Unexpected::Map, &self));
        }
        let attachment = find(self.0.attachments, placeholder.num)?;
        self.0.inner.visit_byte_buf(attachment.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    enum Named {
        Plain,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Wrapped(String);

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u8),
        Text(String),
    }

    /// What a string reads as, which is what serde_json alone reads.
    fn agrees<T: DeserializeOwned + PartialEq + fmt::Debug>() {
        for text in [
            r#""Plain""#,
            r#""""#,
            r#""é""#,
            r#""\u0041""#,
            r#""a" "#,
            r#""a","b""#,
            "7",
            "null",
            "\"",
        ] {
            let mut json = serde_json::Deserializer::from_str(text);
            let expected = T::deserialize(Argument(&mut json)).map_err(|error| error.to_string());
            let read = deserialize::<T>(text, &[]).map_err(|error| error.to_string());
            assert_eq!(read, expected, "{text} as {}", std::any::type_name::<T>());
        }
    }

    #[test]
    fn a_plain_string_reads_as_serde_json_reads_it() {
        agrees::<String>();
        agrees::<Box<str>>();
        agrees::<Option<String>>();
        agrees::<Value>();
        agrees::<()>();
        agrees::<Option<()>>();
        agrees::<char>();
        agrees::<u8>();
        agrees::<Bytes>();
        agrees::<Named>();
        agrees::<Wrapped>();
        agrees::<Either>();
        agrees::<Vec<u8>>();
    }
}
