//! Which arguments a value stands for: none, one, several, or some that are passed through.
//!
//! A value says so by the first call it makes to its serializer. `Shape` waits for that call only: `()` is no
//! argument, [`Args`](super::Args) and [`OwnedArgs`](super::OwnedArgs) announce themselves by a name, and for all
//! else it gives up at once, and the value is serialized as one argument. It does not look into values.

use std::fmt;

use serde::ser::{Error, Impossible, Serialize, SerializeTuple, Serializer};

use super::error::EncodeError;

/// The name by which several arguments announce themselves.
pub(super) const SEVERAL: &str = "$socketio::Args";
/// The name by which arguments in JSON announce themselves.
pub(super) const RAW_JSON: &str = "$socketio::OwnedArgs/json";
/// The name by which arguments in msgpack announce themselves.
pub(super) const RAW_MSGPACK: &str = "$socketio::OwnedArgs/msgpack";

/// A piece of arguments that are passed through, in this order.
#[derive(Clone, Copy, Debug)]
pub(super) enum RawPart<'a> {
    /// How many arguments follow.
    Count(usize),
    /// The arguments as JSON text.
    Text(&'a str),
    /// An attachment; or the arguments, in msgpack.
    Bytes(&'a [u8]),
}

/// Where arguments go, one after the other.
pub(super) trait ArgsSink {
    /// The name of the arguments that it takes as they are.
    const RAW: &'static str;

    /// Called first, unless arguments are passed through.
    fn begin(&mut self, count: usize) -> Result<(), EncodeError>;

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError>;

    fn string(&mut self, text: &str) -> Result<(), EncodeError> {
        self.element(text)
    }

    fn raw(&mut self, part: RawPart<'_>) -> Result<(), EncodeError>;
}

/// Writes the arguments that `args` stands for.
#[inline]
pub(super) fn write<A: Serialize + ?Sized, S: ArgsSink>(
    args: &A,
    sink: &mut S,
) -> Result<(), EncodeError> {
    let mode = Mode::Unknown;
    match args.serialize(Shape { sink, mode }) {
        Ok(()) => Ok(()),
        Err(Outcome::One) => {
            sink.begin(1)?;
            sink.element(args)
        }
        Err(Outcome::Failed(error)) => Err(error),
    }
}

/// What was announced.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Unknown,
    Several,
    Raw,
}

/// Why a value did not write itself.
#[derive(Debug)]
enum Outcome {
    /// It is one argument.
    One,
    Failed(EncodeError),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One => f.write_str("one argument"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Outcome {}

impl Error for Outcome {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Failed(EncodeError::Serialize(message.to_string()))
    }
}

impl From<EncodeError> for Outcome {
    fn from(error: EncodeError) -> Self {
        Self::Failed(error)
    }
}

struct Shape<'s, S> {
    sink: &'s mut S,
    mode: Mode,
}

macro_rules! one_argument {
    ($($method:ident($($value:ty),*) -> $ok:ty;)*) => {$(
        #[inline]
        fn $method(self, $(_: $value),*) -> Result<$ok, Outcome> {
            Err(Outcome::One)
        }
    )*};
}

impl<'s, S: ArgsSink> Serializer for Shape<'s, S> {
    type Ok = ();
    type Error = Outcome;
    type SerializeSeq = Impossible<(), Outcome>;
    type SerializeTuple = SeveralArgs<'s, S>;
    type SerializeTupleStruct = Impossible<(), Outcome>;
    type SerializeTupleVariant = Impossible<(), Outcome>;
    type SerializeMap = Impossible<(), Outcome>;
    type SerializeStruct = Impossible<(), Outcome>;
    type SerializeStructVariant = Impossible<(), Outcome>;

    one_argument! {
        serialize_bool(bool) -> ();
        serialize_i8(i8) -> ();
        serialize_i16(i16) -> ();
        serialize_i32(i32) -> ();
        serialize_i64(i64) -> ();
        serialize_i128(i128) -> ();
        serialize_u8(u8) -> ();
        serialize_u16(u16) -> ();
        serialize_u32(u32) -> ();
        serialize_u128(u128) -> ();
        serialize_f32(f32) -> ();
        serialize_f64(f64) -> ();
        serialize_char(char) -> ();
        serialize_none() -> ();
        serialize_unit_struct(&'static str) -> ();
        serialize_unit_variant(&'static str, u32, &'static str) -> ();
        serialize_seq(Option<usize>) -> Self::SerializeSeq;
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_map(Option<usize>) -> Self::SerializeMap;
        serialize_struct(&'static str, usize) -> Self::SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
    }

    #[inline]
    fn serialize_unit(self) -> Result<(), Outcome> {
        self.sink.begin(0)?;
        Ok(())
    }

    #[inline]
    fn serialize_str(self, text: &str) -> Result<(), Outcome> {
        if self.mode == Mode::Raw {
            self.sink.raw(RawPart::Text(text))?;
        } else {
            self.sink.begin(1)?;
            self.sink.string(text)?;
        }
        Ok(())
    }

    #[inline]
    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Outcome> {
        if self.mode != Mode::Raw {
            return Err(Outcome::One);
        }
        self.sink.raw(RawPart::Bytes(bytes))?;
        Ok(())
    }

    #[inline]
    fn serialize_u64(self, count: u64) -> Result<(), Outcome> {
        if self.mode != Mode::Raw {
            return Err(Outcome::One);
        }
        let count = usize::try_from(count).map_err(Outcome::custom)?;
        self.sink.raw(RawPart::Count(count))?;
        Ok(())
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<(), Outcome> {
        Err(Outcome::One)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Outcome> {
        let mode = match name {
            _ if name == S::RAW => Mode::Raw,
            SEVERAL | RAW_JSON | RAW_MSGPACK => Mode::Several,
            _ => return Err(Outcome::One),
        };
        value.serialize(Self {
            sink: self.sink,
            mode,
        })
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Outcome> {
        Err(Outcome::One)
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<SeveralArgs<'s, S>, Outcome> {
        match self.mode {
            Mode::Unknown => return Err(Outcome::One),
            Mode::Several => self.sink.begin(len)?,
            Mode::Raw => {}
        }
        Ok(SeveralArgs {
            sink: self.sink,
            mode: self.mode,
        })
    }

    /// `OwnedArgs` writes its parts instead of its arguments where they are understood, which is where this is
    /// false.
    fn is_human_readable(&self) -> bool {
        self.mode != Mode::Raw
    }
}

/// Several arguments, or the parts of some that are passed through.
struct SeveralArgs<'s, S> {
    sink: &'s mut S,
    mode: Mode,
}

impl<S: ArgsSink> SerializeTuple for SeveralArgs<'_, S> {
    type Ok = ();
    type Error = Outcome;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Outcome> {
        match self.mode {
            Mode::Raw => value.serialize(Shape {
                sink: &mut *self.sink,
                mode: Mode::Raw,
            }),
            Mode::Unknown | Mode::Several => Ok(self.sink.element(value)?),
        }
    }

    fn end(self) -> Result<(), Outcome> {
        Ok(())
    }
}
