//! Msgpack to serde.

use std::fmt;

use serde::de::value::{BorrowedBytesDeserializer, I8Deserializer, StrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use socketio_auth::server::lenient_json;

use super::reader::{Malformed, Reader, Token};
use crate::codec::args::{ARRAY, Argument};
use crate::codec::date::to_iso_string;
use crate::codec::key::Key;

/// Why a value is not of the type that was asked for.
#[derive(Debug)]
pub(in crate::codec) struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl From<Malformed> for Error {
    fn from(malformed: Malformed) -> Self {
        serde::de::Error::custom(malformed)
    }
}

/// The first of some values.
pub(in crate::codec) fn deserialize<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    T::deserialize(Argument(&mut Reader::new(bytes)))
}

/// The same with a seed.
pub(in crate::codec) fn deserialize_seed<'de, S: DeserializeSeed<'de>>(
    bytes: &'de [u8],
    seed: S,
) -> Result<S::Value, Error> {
    seed.deserialize(Argument(&mut Reader::new(bytes)))
}

/// What the first of some values is, with its article.
pub(in crate::codec) fn kind(bytes: &[u8]) -> &'static str {
    match Reader::new(bytes).token() {
        Ok(Token::Nil) => "null",
        Ok(Token::Undefined) => "undefined",
        Ok(Token::Bool(_)) => "a boolean",
        Ok(Token::Unsigned(_) | Token::Negative(_) | Token::Float(_)) => "a number",
        Ok(Token::Str(_) | Token::Surrogates(_)) => "a string",
        Ok(Token::Binary(_)) => "binary",
        Ok(Token::Date(_)) => "a date",
        Ok(Token::Extension(..)) => "an extension",
        Ok(Token::Array(_)) => ARRAY,
        Ok(Token::Map(_)) => "an object",
        Err(Malformed) => "malformed",
    }
}

impl Reader<'_> {
    /// Reads what is inside an array or map, unless it is so deep that recursive types could overflow the stack.
    fn inside<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.depth >= lenient_json::MAX_DEPTH {
            return Err(serde::de::Error::custom(lenient_json::TooDeep));
        }
        self.depth = self.depth.saturating_add(1);
        let read = read(self);
        self.depth = self.depth.saturating_sub(1);
        read
    }
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.token()? {
            Token::Nil | Token::Undefined => visitor.visit_unit(),
            Token::Bool(value) => visitor.visit_bool(value),
            Token::Unsigned(value) => visitor.visit_u64(value),
            Token::Negative(value) => visitor.visit_i64(value),
            Token::Float(value) => visitor.visit_f64(value),
            Token::Str(text) => visitor.visit_borrowed_str(text),
            Token::Surrogates(text) => visitor.visit_string(text.mended()),
            Token::Binary(bytes) => visitor.visit_borrowed_bytes(bytes),
            // What JSON makes of a date, so that a type need not know the parser.
            Token::Date(ms) => visitor.visit_string(to_iso_string(ms)),
            Token::Extension(kind, data) => visitor.visit_seq(Extension {
                kind: Some(kind),
                data: Some(data),
            }),
            Token::Array(len) => self.inside(|reader| {
                let mut elements = Elements { reader, left: len };
                let value = visitor.visit_seq(&mut elements)?;
                elements.finish(len)?;
                Ok(value)
            }),
            Token::Map(len) => self.inside(|reader| {
                let mut elements = Elements { reader, left: len };
                let value = visitor.visit_map(&mut elements)?;
                elements.finish(len)?;
                Ok(value)
            }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.peek()? {
            Token::Nil | Token::Undefined => {
                self.token()?;
                visitor.visit_none()
            }
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.peek()? {
            Token::Date(ms) => {
                self.token()?;
                visitor.visit_i64(ms)
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.peek()? {
            Token::Str(text) => {
                self.token()?;
                visitor.visit_borrowed_bytes(text.as_bytes())
            }
            Token::Surrogates(text) => {
                self.token()?;
                visitor.visit_byte_buf(text.mended().into_bytes())
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.token()? {
            Token::Str(name) => {
                let name: StrDeserializer<'_, Error> = name.into_deserializer();
                visitor.visit_enum(name)
            }
            Token::Map(1) => self.inside(|reader| visitor.visit_enum(Variant { reader })),
            _ => Err(serde::de::Error::invalid_type(
                Unexpected::Other("no variant"),
                &visitor,
            )),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.pass();
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i128 u8 u16 u32 u64 u128 f32 f64 char str string unit unit_struct seq tuple
        tuple_struct map struct identifier
    }
}

/// The elements of an array or the pairs of a map.
struct Elements<'r, 'de> {
    reader: &'r mut Reader<'de>,
    left: usize,
}

impl Elements<'_, '_> {
    /// Whoever reads an array or map must read all of it.
    fn finish(&self, len: usize) -> Result<(), Error> {
        if self.left == 0 {
            Ok(())
        } else {
            Err(serde::de::Error::invalid_length(len, &"fewer elements"))
        }
    }

    fn next(&mut self) -> bool {
        let left = self.left.checked_sub(1);
        self.left = left.unwrap_or(0);
        left.is_some()
    }
}

impl<'de> SeqAccess<'de> for &mut Elements<'_, 'de> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        if !self.next() {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> MapAccess<'de> for &mut Elements<'_, 'de> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        if !self.next() {
            return Ok(None);
        }
        match self.reader.peek()?.into_name() {
            Some(name) => {
                self.reader.token()?;
                seed.deserialize(Key::new(name)).map(Some)
            }
            None => seed.deserialize(&mut *self.reader).map(Some),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(&mut *self.reader)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// A variant with content: a map of one pair.
struct Variant<'r, 'de> {
    reader: &'r mut Reader<'de>,
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        let name = seed.deserialize(&mut *self.reader)?;
        Ok((name, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        serde::Deserialize::deserialize(self.reader)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self.reader)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.reader.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.reader.deserialize_any(visitor)
    }
}

/// An extension that is not known here, as the reference presents it: its type and its bytes.
struct Extension<'de> {
    kind: Option<i8>,
    data: Option<&'de [u8]>,
}

impl<'de> SeqAccess<'de> for Extension<'de> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        if let Some(kind) = self.kind.take() {
            return seed.deserialize(I8Deserializer::new(kind)).map(Some);
        }
        match self.data.take() {
            Some(data) => seed
                .deserialize(BorrowedBytesDeserializer::new(data))
                .map(Some),
            None => Ok(None),
        }
    }
}
