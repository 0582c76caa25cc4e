//! A tuple that takes its elements from several arguments.

use std::any::type_name;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::raw::RawArgs;
use crate::codec::error::ArgsError;

/// Reads a `T` from as many arguments as it has elements. `None` when it is no tuple.
pub(super) fn spread<'de, T: Deserialize<'de>>(args: RawArgs<'de>) -> Option<Result<T, ArgsError>> {
    match T::deserialize(Spread(args)) {
        Ok(value) => Some(Ok(value)),
        Err(Refusal::NoTuple) => None,
        Err(Refusal::Args(error)) => Some(Err(error)),
        Err(Refusal::Message(message)) => Some(Err(ArgsError::Type {
            index: args.index,
            expected: type_name::<T>(),
            found: "several arguments",
            message,
        })),
    }
}

#[derive(Debug)]
enum Refusal {
    NoTuple,
    /// An element does not like its argument.
    Args(ArgsError),
    /// The tuple does not like its elements.
    Message(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTuple => f.write_str("no tuple"),
            Self::Args(error) => error.fmt(f),
            Self::Message(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Refusal {}

impl serde::de::Error for Refusal {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Message(message.to_string())
    }
}

struct Spread<'a>(RawArgs<'a>);

impl<'de> Deserializer<'de> for Spread<'de> {
    type Error = Refusal;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refusal> {
        Err(Refusal::NoTuple)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_seq(TupleElements {
            args: self.0,
            left: len,
        })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.deserialize_tuple(len, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq map struct enum identifier ignored_any
    }
}

struct TupleElements<'a> {
    args: RawArgs<'a>,
    left: usize,
}

impl<'de> SeqAccess<'de> for TupleElements<'de> {
    type Error = Refusal;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Refusal> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        self.left = left;
        let element = self.args.take_first().unwrap_or(self.args);
        element
            .deserialize_seed(seed)
            .map(Some)
            .map_err(Refusal::Args)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}
