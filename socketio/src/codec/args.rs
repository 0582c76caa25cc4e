//! The arguments of events and acks, as received and as kept.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::de::value::Error as MissingError;
use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde::ser::{Error as _, Serialize, SerializeTuple, Serializer};

use super::error::{ArgsError, EncodeError};
use super::{json, msgpack, outgoing};

/// The arguments of an event or an ack as they were received, not deserialized yet.
///
/// The packet was checked, so that what is left to go wrong is that an argument is of another type than asked for.
///
/// ```
/// use socketio::OwnedArgs;
///
/// let owned = OwnedArgs::new(&socketio::Args((1, "two")))?;
/// let args = owned.as_raw();
/// assert_eq!(args.len(), 2);
/// assert_eq!(args.deserialize::<u8>(), Ok(1));
/// assert_eq!(args.get(1).unwrap().deserialize::<String>(), Ok("two".into()));
/// # Ok::<(), socketio::EncodeError>(())
/// ```
#[derive(Clone, Copy)]
pub struct RawArgs<'a> {
    form: Form<'a>,
    count: usize,
    /// The position of the first among those of the packet, for errors.
    index: usize,
}

#[derive(Clone, Copy)]
enum Form<'a> {
    /// JSON values with commas between them.
    Json {
        text: &'a str,
        attachments: &'a [Bytes],
    },
    /// Msgpack values, one behind the other.
    Msgpack(&'a [u8]),
}

impl<'a> RawArgs<'a> {
    /// The first argument as a `T`. More arguments are tolerated, as JavaScript functions do.
    ///
    /// `()` takes whatever there is, an `Option` also takes that there is none.
    ///
    /// # Errors
    ///
    /// The argument is missing or is no `T`.
    #[inline]
    pub fn deserialize<T: DeserializeOwned>(self) -> Result<T, ArgsError> {
        let index = self.index;
        if self.count == 0 {
            return T::deserialize(Missing).map_err(|_| ArgsError::Missing { index });
        }
        let result = match self.form {
            Form::Json { text, attachments } => {
                json::deserialize(text, attachments).map_err(|error| error.to_string())
            }
            Form::Msgpack(bytes) => msgpack::deserialize(bytes).map_err(|error| error.to_string()),
        };
        result.map_err(|message| ArgsError::Type { index, message })
    }

    /// How many arguments there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// One argument, by its position from zero.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Self> {
        self.iter().nth(index)
    }

    /// The arguments, one by one.
    pub fn iter(&self) -> impl Iterator<Item = Self> + use<'a> {
        let mut rest = *self;
        std::iter::from_fn(move || rest.take_first())
    }

    /// The attachments that placeholders name by their position. Empty unless the packet was a binary one in
    /// JSON.
    #[must_use]
    pub fn attachments(&self) -> &'a [Bytes] {
        match self.form {
            Form::Json { attachments, .. } => attachments,
            Form::Msgpack(_) => &[],
        }
    }

    /// The arguments as JSON text, separated by commas, with placeholders for what is binary. `None` when they
    /// came in msgpack.
    #[must_use]
    pub fn as_json(&self) -> Option<&'a str> {
        match self.form {
            Form::Json { text, .. } => Some(text),
            Form::Msgpack(_) => None,
        }
    }

    /// A copy to keep, or to send on as it is.
    #[must_use]
    pub fn to_owned(self) -> OwnedArgs {
        let form = match self.form {
            Form::Json { text, attachments } => Stored::Json {
                text: text.into(),
                attachments: attachments.into(),
            },
            Form::Msgpack(bytes) => Stored::Msgpack(bytes.into()),
        };
        OwnedArgs::stored(form, self.count)
    }

    /// Writes the first argument with a serializer of another format, binary as bytes.
    ///
    /// This is how a [`Parser`](crate::Parser) encodes them.
    ///
    /// # Errors
    ///
    /// Whatever the serializer refuses, and that there is no argument.
    pub fn transcode<S: Serializer>(self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.count == 0 {
            return Err(S::Error::custom("there is no argument"));
        }
        match self.form {
            Form::Json { text, attachments } => json::transcode(text, attachments, serializer),
            Form::Msgpack(bytes) => msgpack::transcode(bytes, serializer),
        }
    }

    #[inline]
    fn take_first(&mut self) -> Option<Self> {
        let next = self.count.checked_sub(1)?;
        let (first, rest) = match self.form {
            Form::Json { text, attachments } => {
                let (first, rest) = json::split_first(text);
                (
                    Form::Json {
                        text: first,
                        attachments,
                    },
                    Form::Json {
                        text: rest,
                        attachments,
                    },
                )
            }
            Form::Msgpack(bytes) => {
                let (first, rest) = msgpack::split_first(bytes);
                (Form::Msgpack(first), Form::Msgpack(rest))
            }
        };
        let index = self.index;
        self.form = rest;
        self.count = next;
        self.index = index.saturating_add(1);
        Some(Self {
            form: first,
            count: 1,
            index,
        })
    }

    /// The next argument, for [`Args`].
    #[inline]
    fn take<T: DeserializeOwned>(&mut self) -> Result<T, ArgsError> {
        self.take_first().unwrap_or(*self).deserialize()
    }
}

impl fmt::Debug for RawArgs<'_> {
    /// What the arguments are is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawArgs({} arguments)", self.count)
    }
}

/// Arguments kept as they were received, to be looked at later or sent on.
///
/// Cloning shares them. Emitting them sends the same arguments again without parsing them, each attachment once; with
/// another parser than they came from, they are translated. As a handler's argument it takes all arguments of the event.
/// Inside other data it is an array of the arguments.
///
/// ```
/// use socketio::OwnedArgs;
///
/// let args = OwnedArgs::new(&"hello")?;
/// assert_eq!(args.as_raw().as_json(), Some(r#""hello""#));
/// # Ok::<(), socketio::EncodeError>(())
/// ```
#[derive(Clone)]
pub struct OwnedArgs {
    stored: Arc<Stored>,
    count: usize,
}

enum Stored {
    Json {
        text: Box<str>,
        attachments: Box<[Bytes]>,
    },
    Msgpack(Box<[u8]>),
}

impl OwnedArgs {
    /// The arguments that a value stands for when it is emitted.
    ///
    /// # Errors
    ///
    /// The value cannot be serialized.
    pub fn new<A: Serialize + ?Sized>(args: &A) -> Result<Self, EncodeError> {
        Self::with_offset(args, None)
    }

    /// The same with one more argument, the offset for state recovery.
    pub(super) fn with_offset<A: Serialize + ?Sized>(
        args: &A,
        offset: Option<&str>,
    ) -> Result<Self, EncodeError> {
        let (text, attachments, count) = json::write_args(args, offset)?;
        Ok(Self::stored(
            Stored::Json {
                text: text.into(),
                attachments: attachments.into(),
            },
            count,
        ))
    }

    fn stored(form: Stored, count: usize) -> Self {
        Self {
            stored: Arc::new(form),
            count,
        }
    }

    /// The arguments, borrowed.
    #[must_use]
    pub fn as_raw(&self) -> RawArgs<'_> {
        let form = match &*self.stored {
            Stored::Json { text, attachments } => Form::Json { text, attachments },
            Stored::Msgpack(bytes) => Form::Msgpack(bytes),
        };
        RawArgs {
            form,
            count: self.count,
            index: 0,
        }
    }
}

impl fmt::Debug for OwnedArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnedArgs({} arguments)", self.count)
    }
}

impl Serialize for OwnedArgs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = match &*self.stored {
            Stored::Json { .. } => outgoing::RAW_JSON,
            Stored::Msgpack(_) => outgoing::RAW_MSGPACK,
        };
        serializer.serialize_newtype_struct(name, &Parts(self))
    }
}

/// What [`OwnedArgs`] is made of, for whom understands it, else its arguments.
struct Parts<'a>(&'a OwnedArgs);

impl Serialize for Parts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let OwnedArgs { stored, count } = self.0;
        if serializer.is_human_readable() {
            let mut tuple = serializer.serialize_tuple(*count)?;
            for argument in self.0.as_raw().iter() {
                tuple.serialize_element(&Transcoded(argument))?;
            }
            return tuple.end();
        }
        match &**stored {
            Stored::Json { text, attachments } => {
                let mut tuple = serializer.serialize_tuple(attachments.len().saturating_add(2))?;
                tuple.serialize_element(count)?;
                tuple.serialize_element(&**text)?;
                for attachment in attachments {
                    tuple.serialize_element(&AsBytes(attachment))?;
                }
                tuple.end()
            }
            Stored::Msgpack(bytes) => {
                let mut tuple = serializer.serialize_tuple(2)?;
                tuple.serialize_element(count)?;
                tuple.serialize_element(&AsBytes(bytes))?;
                tuple.end()
            }
        }
    }
}

pub(super) struct AsBytes<'a>(pub(super) &'a [u8]);

impl Serialize for AsBytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

struct Transcoded<'a>(RawArgs<'a>);

impl Serialize for Transcoded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.transcode(serializer)
    }
}

/// The arguments inside a [`Packet`](crate::Packet).
#[derive(Clone)]
pub(crate) enum ArgsSource<'a> {
    Json {
        text: Cow<'a, str>,
        attachments: Vec<Bytes>,
        count: usize,
    },
    Msgpack {
        bytes: Cow<'a, [u8]>,
        count: usize,
    },
    Owned(OwnedArgs),
}

impl Default for ArgsSource<'_> {
    fn default() -> Self {
        Self::json("", 0)
    }
}

impl<'a> ArgsSource<'a> {
    #[inline]
    pub(super) fn json(text: &'a str, count: usize) -> Self {
        Self::Json {
            text: Cow::Borrowed(text),
            attachments: Vec::new(),
            count,
        }
    }

    pub(crate) fn with_attachments(self, attachments: Vec<Bytes>) -> Self {
        match self {
            Self::Json { text, count, .. } => Self::Json {
                text,
                attachments,
                count,
            },
            other => other,
        }
    }

    #[inline]
    pub(crate) fn as_raw(&self) -> RawArgs<'_> {
        let (form, count) = match self {
            Self::Json {
                text,
                attachments,
                count,
            } => (Form::Json { text, attachments }, *count),
            Self::Msgpack { bytes, count } => (Form::Msgpack(bytes), *count),
            Self::Owned(args) => return args.as_raw(),
        };
        RawArgs {
            form,
            count,
            index: 0,
        }
    }

    pub(crate) fn into_owned(self) -> ArgsSource<'static> {
        match self {
            Self::Json {
                text,
                attachments,
                count,
            } => ArgsSource::Json {
                text: Cow::Owned(text.into_owned()),
                attachments,
                count,
            },
            Self::Msgpack { bytes, count } => ArgsSource::Msgpack {
                bytes: Cow::Owned(bytes.into_owned()),
                count,
            },
            Self::Owned(args) => ArgsSource::Owned(args),
        }
    }

    pub(crate) fn into_args(self) -> OwnedArgs {
        match self {
            Self::Json {
                text,
                attachments,
                count,
            } => OwnedArgs::stored(
                Stored::Json {
                    text: text.into(),
                    attachments: attachments.into(),
                },
                count,
            ),
            Self::Msgpack { bytes, count } => {
                OwnedArgs::stored(Stored::Msgpack(bytes.into()), count)
            }
            Self::Owned(args) => args,
        }
    }
}

/// What a handler takes from the arguments of an event, and a caller from those of an ack.
///
/// Any type that serde can deserialize takes the first argument, `()` takes none or whatever there is,
/// [`Args`] several, [`OwnedArgs`] all of them unparsed. Arguments beyond those taken are tolerated.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from event arguments",
    note = "derive `serde::Deserialize`, or take `Args<(A, B)>` for several arguments"
)]
pub trait FromArgs: Sized {
    /// Reads the arguments.
    ///
    /// # Errors
    ///
    /// They are too few, or one is of another type.
    fn from_args(args: RawArgs<'_>) -> Result<Self, ArgsError>;
}

impl<T: DeserializeOwned> FromArgs for T {
    #[inline]
    fn from_args(args: RawArgs<'_>) -> Result<Self, ArgsError> {
        args.deserialize()
    }
}

impl FromArgs for OwnedArgs {
    fn from_args(args: RawArgs<'_>) -> Result<Self, ArgsError> {
        Ok(args.to_owned())
    }
}

/// Several arguments, both those of a handler and those that are emitted: a tuple of none to eight.
///
/// ```
/// use socketio::{Args, FromArgs, OwnedArgs};
///
/// let sent = OwnedArgs::new(&Args(("lobby", 7)))?;
/// let Args((room, seat)) = Args::<(String, Option<u8>)>::from_args(sent.as_raw()).unwrap();
/// assert_eq!((room.as_str(), seat), ("lobby", Some(7)));
/// # Ok::<(), socketio::EncodeError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_structs, reason = "it is made to be taken apart")]
pub struct Args<T>(pub T);

impl FromArgs for Args<()> {
    fn from_args(_: RawArgs<'_>) -> Result<Self, ArgsError> {
        Ok(Self(()))
    }
}

impl Serialize for Args<()> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

macro_rules! several {
    ($($name:ident)*) => {
        impl<$($name: DeserializeOwned),*> FromArgs for Args<($($name,)*)> {
            #[inline]
            fn from_args(mut args: RawArgs<'_>) -> Result<Self, ArgsError> {
                Ok(Self(($(args.take::<$name>()?,)*)))
            }
        }

        impl<$($name: Serialize),*> Serialize for Args<($($name,)*)> {
            #[inline]
            fn serialize<Ser: Serializer>(&self, serializer: Ser) -> Result<Ser::Ok, Ser::Error> {
                serializer.serialize_newtype_struct(outgoing::SEVERAL, &self.0)
            }
        }
    };
}

several!(A);
several!(A B);
several!(A B C);
several!(A B C D);
several!(A B C D E);
several!(A B C D E F);
several!(A B C D E F G);
several!(A B C D E F G H);

/// Stands for an argument that is not there.
struct Missing;

impl<'de> Deserializer<'de> for Missing {
    type Error = MissingError;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, MissingError> {
        Err(serde::de::Error::custom("missing"))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, MissingError> {
        visitor.visit_none()
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, MissingError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

macro_rules! pass_on {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.0.$method(visitor)
        }
    )*};
}

/// A whole argument: `()` takes it whatever it is, all else takes it as it is.
pub(super) struct Argument<D>(pub(super) D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Argument<D> {
    type Error = D::Error;

    pass_on! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_string
        deserialize_bytes deserialize_byte_buf deserialize_option deserialize_seq deserialize_map
        deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_unit_struct(name, visitor)
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_newtype_struct(name, visitor)
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_tuple(len, visitor)
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_tuple_struct(name, len, visitor)
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_struct(name, fields, visitor)
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }
}
