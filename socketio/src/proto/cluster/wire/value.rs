//! Data as both formats of the wire know it, bytes included.

use std::borrow::Cow;
use std::fmt;

use serde::ser::{self, Impossible, Serialize, Serializer};

use crate::codec::EncodeError;

/// Whole numbers beyond this lose their last digits in JavaScript, and are written as the doubles that they are there.
//= RDS-06
pub(super) const MAX_SAFE: u64 = 1 << 53;

/// One value. What was read borrows from the message where it can.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    /// JavaScript's `null`, and its `undefined` where that is written.
    Nil,
    Bool(bool),
    Unsigned(u64),
    /// Below zero.
    Negative(i64),
    Float(f64),
    Str(Cow<'a, str>),
    Binary(Cow<'a, [u8]>),
    Array(Vec<Self>),
    /// In the order of the wire. Of members with one name the last counts, as in JavaScript.
    Map(Vec<(Cow<'a, str>, Self)>),
}

/// What a writer has to know of a value.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Nature {
    /// How many arrays and maps are around the innermost value.
    pub(super) depth: u32,
    pub(super) has_binary: bool,
}

impl Nature {
    fn around<'v>(values: impl Iterator<Item = &'v Value<'v>>) -> Self {
        let inside = values.fold(Self::default(), |all, value| {
            let nature = value.nature();
            Self {
                depth: all.depth.max(nature.depth),
                has_binary: all.has_binary || nature.has_binary,
            }
        });
        Self {
            depth: inside.depth.saturating_add(1),
            ..inside
        }
    }
}

impl<'a> Value<'a> {
    pub(super) fn str(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Str(text.into())
    }

    /// A number as JavaScript has it: a double that is whole is no other than the whole number.
    pub(super) fn double(value: f64) -> Self {
        const WHOLE: std::ops::RangeInclusive<f64> =
            -9_007_199_254_740_992.0..=9_007_199_254_740_992.0;
        if value.fract() != 0.0 || !WHOLE.contains(&value) {
            return Self::Float(value);
        }
        #[expect(
            clippy::as_conversions,
            clippy::cast_possible_truncation,
            reason = "it is whole and in the range"
        )]
        let whole = value as i64;
        Self::signed(whole)
    }

    pub(super) fn signed(value: i64) -> Self {
        u64::try_from(value).map_or(Self::Negative(value), Self::Unsigned)
    }

    /// A map of these members; those without a value are left out.
    pub(super) fn map<const N: usize>(members: [(&'a str, Option<Self>); N]) -> Self {
        let present = members
            .into_iter()
            .filter_map(|(name, value)| Some((Cow::Borrowed(name), value?)));
        Self::Map(present.collect())
    }

    /// A member of a map, unless it is absent or nil.
    pub(super) fn take(&mut self, name: &str) -> Option<Self> {
        self.take_even_nil(name)
            .filter(|value| !matches!(value, Self::Nil))
    }

    /// A member of a map.
    pub(super) fn take_even_nil(&mut self, name: &str) -> Option<Self> {
        let Self::Map(members) = self else {
            return None;
        };
        let at = members.iter().rposition(|(member, _)| member == name)?;
        Some(std::mem::replace(&mut members.get_mut(at)?.1, Self::Nil))
    }

    pub(super) fn into_str(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn into_array(self) -> Option<Vec<Self>> {
        match self {
            Self::Array(elements) => Some(elements),
            _ => None,
        }
    }

    pub(super) const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// A whole number that every format carries as it is.
    pub(super) const fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Unsigned(value) if *value <= MAX_SAFE => Some(*value),
            _ => None,
        }
    }

    /// What JavaScript makes of a scalar as the name of a room, an event or a member.
    pub(super) fn into_name(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Str(name) => Some(name),
            Self::Unsigned(value) => Some(value.to_string().into()),
            Self::Negative(value) => Some(value.to_string().into()),
            Self::Float(value) => Some(value.to_string().into()),
            _ => None,
        }
    }

    /// What a writer has to know.
    pub(super) fn nature(&self) -> Nature {
        match self {
            Self::Binary(_) => Nature {
                depth: 0,
                has_binary: true,
            },
            Self::Array(elements) => Nature::around(elements.iter()),
            Self::Map(members) => Nature::around(members.iter().map(|(_, value)| value)),
            _ => Nature::default(),
        }
    }

    /// The same, borrowing nothing.
    pub(super) fn into_owned(self) -> Value<'static> {
        match self {
            Self::Nil => Value::Nil,
            Self::Bool(value) => Value::Bool(value),
            Self::Unsigned(value) => Value::Unsigned(value),
            Self::Negative(value) => Value::Negative(value),
            Self::Float(value) => Value::Float(value),
            Self::Str(text) => Value::Str(text.into_owned().into()),
            Self::Binary(bytes) => Value::Binary(bytes.into_owned().into()),
            Self::Array(elements) => {
                Value::Array(elements.into_iter().map(Self::into_owned).collect())
            }
            Self::Map(members) => {
                let owned = members
                    .into_iter()
                    .map(|(name, value)| (name.into_owned().into(), value.into_owned()));
                Value::Map(owned.collect())
            }
        }
    }

    /// For what cannot hold bytes: as the reference writes a buffer in JSON.
    //= RED-RQ-03
    pub(super) fn into_json(self) -> serde_json::Value {
        match self {
            Self::Nil => serde_json::Value::Null,
            Self::Bool(value) => value.into(),
            Self::Unsigned(value) => value.into(),
            Self::Negative(value) => value.into(),
            Self::Float(value) => value.into(),
            Self::Str(text) => text.into_owned().into(),
            Self::Binary(bytes) => serde_json::json!({"type": "Buffer", "data": &*bytes}),
            Self::Array(elements) => elements.into_iter().map(Self::into_json).collect(),
            Self::Map(members) => {
                let members = members
                    .into_iter()
                    .map(|(name, value)| (name.into_owned(), value.into_json()));
                serde_json::Value::Object(members.collect())
            }
        }
    }

    /// Whatever can be serialized, as a value.
    pub(super) fn of<T: Serialize + ?Sized>(value: &T) -> Result<Value<'static>, EncodeError> {
        value
            .serialize(Collector)
            .map_err(|Error(message)| EncodeError::Serialize(message))
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nil => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Unsigned(value) => serializer.serialize_u64(*value),
            Self::Negative(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Str(text) => serializer.serialize_str(text),
            Self::Binary(bytes) => serializer.serialize_bytes(bytes),
            Self::Array(elements) => serializer.collect_seq(elements),
            Self::Map(members) => {
                serializer.collect_map(members.iter().map(|(name, value)| (name, value)))
            }
        }
    }
}

/// Why a value cannot be one.
#[derive(Debug)]
pub(super) struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl ser::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// Serde to values. What arguments are made of: no enum has variants left in it.
#[derive(Clone, Copy)]
pub(super) struct Collector;

macro_rules! collect {
    ($($method:ident($type:ty) => $make:expr;)*) => {$(
        fn $method(self, value: $type) -> Result<Value<'static>, Error> {
            Ok($make(value))
        }
    )*};
}

impl Serializer for Collector {
    type Ok = Value<'static>;
    type Error = Error;
    type SerializeSeq = Elements;
    type SerializeTuple = Elements;
    type SerializeTupleStruct = Elements;
    type SerializeTupleVariant = Impossible<Value<'static>, Error>;
    type SerializeMap = Members;
    type SerializeStruct = Members;
    type SerializeStructVariant = Impossible<Value<'static>, Error>;

    collect! {
        serialize_bool(bool) => Value::Bool;
        serialize_i8(i8) => |value| Value::signed(i64::from(value));
        serialize_i16(i16) => |value| Value::signed(i64::from(value));
        serialize_i32(i32) => |value| Value::signed(i64::from(value));
        serialize_i64(i64) => Value::signed;
        serialize_u8(u8) => |value| Value::Unsigned(u64::from(value));
        serialize_u16(u16) => |value| Value::Unsigned(u64::from(value));
        serialize_u32(u32) => |value| Value::Unsigned(u64::from(value));
        serialize_u64(u64) => Value::Unsigned;
        serialize_f32(f32) => |value| Value::double(f64::from(value));
        serialize_f64(f64) => Value::double;
        serialize_char(char) => |value: char| Value::Str(value.to_string().into());
        serialize_str(&str) => |value: &str| Value::Str(value.to_owned().into());
        serialize_bytes(&[u8]) => |value: &[u8]| Value::Binary(value.to_vec().into());
        serialize_unit_struct(&'static str) => |_| Value::Nil;
    }

    fn serialize_none(self) -> Result<Value<'static>, Error> {
        Ok(Value::Nil)
    }

    fn serialize_unit(self) -> Result<Value<'static>, Error> {
        Ok(Value::Nil)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value<'static>, Error> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Value<'static>, Error> {
        value.serialize(self)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Value<'static>, Error> {
        Ok(Value::str(variant))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value<'static>, Error> {
        Ok(Value::Map(vec![(variant.into(), value.serialize(self)?)]))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Elements, Error> {
        Ok(Elements(Vec::new()))
    }

    fn serialize_tuple(self, _: usize) -> Result<Elements, Error> {
        Ok(Elements(Vec::new()))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Elements, Error> {
        Ok(Elements(Vec::new()))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Members, Error> {
        Ok(Members::default())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Members, Error> {
        Ok(Members::default())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        Err(ser::Error::custom("a variant with several values"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Error> {
        Err(ser::Error::custom(format_args!("the variant {variant}")))
    }
}

pub(super) struct Elements(Vec<Value<'static>>);

macro_rules! elements {
    ($($interface:ident $method:ident;)*) => {$(
        impl ser::$interface for Elements {
            type Ok = Value<'static>;
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.0.push(value.serialize(Collector)?);
                Ok(())
            }

            fn end(self) -> Result<Value<'static>, Error> {
                Ok(Value::Array(self.0))
            }
        }
    )*};
}

elements! {
    SerializeSeq serialize_element;
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
}

#[derive(Default)]
pub(super) struct Members {
    members: Vec<(Cow<'static, str>, Value<'static>)>,
    name: Cow<'static, str>,
}

impl ser::SerializeMap for Members {
    type Ok = Value<'static>;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        let name = key.serialize(Collector)?.into_name();
        self.name = name.ok_or_else(|| ser::Error::custom("the name of a member is no text"))?;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let value = value.serialize(Collector)?;
        self.members.push((std::mem::take(&mut self.name), value));
        Ok(())
    }

    fn end(self) -> Result<Value<'static>, Error> {
        Ok(Value::Map(self.members))
    }
}

impl ser::SerializeStruct for Members {
    type Ok = Value<'static>;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.members
            .push((name.into(), value.serialize(Collector)?));
        Ok(())
    }

    fn end(self) -> Result<Value<'static>, Error> {
        Ok(Value::Map(self.members))
    }
}
