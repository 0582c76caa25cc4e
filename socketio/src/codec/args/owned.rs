//! Arguments that are kept, inside a packet or by the application.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::ser::{Serialize, SerializeTuple, Serializer};

use super::{Form, RawArgs};
use crate::codec::error::EncodeError;
use crate::codec::{json, outgoing};

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
    stored: Stored,
    count: usize,
}

#[derive(Clone)]
pub(super) enum Stored {
    /// JSON without attachments, as most arguments are.
    Json(Arc<str>),
    /// JSON whose placeholders name every attachment once and in order.
    Attached(Arc<Attached>),
    Msgpack(Arc<[u8]>),
}

/// JSON text with the attachments of its packet; they are shared together.
pub(crate) struct Attached {
    text: Box<str>,
    attachments: Attachments,
}

/// Never none. Most packets have one, and nothing is allocated for a list of it.
pub(in crate::codec) enum Attachments {
    One(Bytes),
    Several(Vec<Bytes>),
}

impl Attached {
    pub(in crate::codec) fn new(text: Box<str>, attachments: Attachments) -> Self {
        Self { text, attachments }
    }

    fn form(&self) -> Form<'_> {
        Form::Json {
            text: &self.text,
            attachments: self.attachments(),
        }
    }

    fn attachments(&self) -> &[Bytes] {
        match &self.attachments {
            Attachments::One(attachment) => std::slice::from_ref(attachment),
            Attachments::Several(attachments) => attachments,
        }
    }
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

    /// One argument for each value, however many there are. [`Args`](crate::Args) is for a fixed number.
    ///
    /// # Errors
    ///
    /// A value cannot be serialized.
    pub fn from_values<T: Serialize>(values: &[T]) -> Result<Self, EncodeError> {
        Self::new(&SeveralValues(values))
    }

    /// The same with one more argument, the offset for state recovery.
    pub(in crate::codec) fn with_offset<A: Serialize + ?Sized>(
        args: &A,
        offset: Option<&str>,
    ) -> Result<Self, EncodeError> {
        let (text, attachments, count) = json::write_args(args, offset)?;
        Ok(Self::numbered(text, attachments, count))
    }

    /// JSON arguments whose placeholders name every attachment once and in order.
    fn numbered(
        text: impl Into<Arc<str>> + Into<Box<str>>,
        attachments: Vec<Bytes>,
        count: usize,
    ) -> Self {
        let stored = if attachments.is_empty() {
            Stored::Json(text.into())
        } else {
            let attached = Attached::new(text.into(), Attachments::Several(attachments));
            Stored::Attached(Arc::new(attached))
        };
        Self::stored(stored, count)
    }

    /// JSON arguments as they were received, but for the numbers of their placeholders where these are not in order.
    //= SIO5-BIN-01
    pub(super) fn json(text: &str, attachments: &[Bytes], count: usize) -> Self {
        if !is_in_order(text, attachments.len()) {
            let received = RawArgs {
                form: Form::Json { text, attachments },
                count,
                index: 0,
                owner: None,
            };
            // A number that JSON can write and serde_json cannot read leaves the arguments as they came.
            if let Ok(numbered) = Self::new(&Several(received)) {
                return numbered;
            }
        }
        Self::numbered(text, attachments.to_vec(), count)
    }

    pub(super) fn stored(stored: Stored, count: usize) -> Self {
        Self { stored, count }
    }

    /// The arguments, borrowed.
    #[must_use]
    pub fn as_raw(&self) -> RawArgs<'_> {
        let form = match &self.stored {
            Stored::Json(text) => Form::Json {
                text,
                attachments: &[],
            },
            Stored::Attached(attached) => attached.form(),
            Stored::Msgpack(bytes) => Form::Msgpack(bytes),
        };
        RawArgs {
            form,
            count: self.count,
            index: 0,
            owner: Some(self),
        }
    }
}

impl fmt::Debug for OwnedArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnedArgs({} arguments)", self.count)
    }
}

impl Serialize for OwnedArgs {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = match &self.stored {
            Stored::Json(_) | Stored::Attached(_) => outgoing::RAW_JSON,
            Stored::Msgpack(_) => outgoing::RAW_MSGPACK,
        };
        serializer.serialize_newtype_struct(name, &RawParts(self))
    }
}

/// What [`OwnedArgs`] is made of, for whom understands it, else its arguments.
struct RawParts<'a>(&'a OwnedArgs);

impl Serialize for RawParts<'_> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let OwnedArgs { stored, count } = self.0;
        if serializer.is_human_readable() {
            return EachArg(self.0.as_raw()).serialize(serializer);
        }
        match stored {
            Stored::Json(text) => {
                let mut tuple = serializer.serialize_tuple(2)?;
                tuple.serialize_element(count)?;
                tuple.serialize_element(&**text)?;
                tuple.end()
            }
            Stored::Attached(attached) => {
                let attachments = attached.attachments();
                let mut tuple = serializer.serialize_tuple(attachments.len().saturating_add(2))?;
                tuple.serialize_element(count)?;
                tuple.serialize_element(&*attached.text)?;
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

pub(in crate::codec) struct AsBytes<'a>(pub(in crate::codec) &'a [u8]);

impl Serialize for AsBytes<'_> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

struct OneArg<'a>(RawArgs<'a>);

impl Serialize for OneArg<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.transcode(serializer)
    }
}

/// True when the placeholders name every attachment once and in order, written as senders write them. Anything else may
/// be numbered anew at no loss.
fn is_in_order(text: &str, attachment_count: usize) -> bool {
    if attachment_count == 0 {
        return true;
    }
    let mut expected = 0..attachment_count;
    let mut rest = text;
    while let Some((before, after)) = split_at_underscore(rest) {
        let Some(after) = after.strip_prefix("_placeholder") else {
            rest = after.strip_prefix('_').unwrap_or_default();
            continue;
        };
        let number = after
            .strip_prefix(r#"":true,"num":"#)
            .filter(|_| before.ends_with(r#"{""#))
            .and_then(|after| after.split_once('}'))
            .and_then(|(digits, tail)| Some((digits.parse::<usize>().ok()?, tail)));
        match (number, expected.next()) {
            (Some((number, tail)), Some(next)) if number == next => rest = tail,
            _ => return false,
        }
    }
    expected.next().is_none()
}

/// What comes before the next underscore, and the rest with it: cheaper than a search for longer text.
fn split_at_underscore(text: &str) -> Option<(&str, &str)> {
    let at = text.bytes().position(|byte| byte == b'_')?;
    text.split_at_checked(at)
}

/// Arguments to be written anew, as several.
struct Several<'a>(RawArgs<'a>);

impl Serialize for Several<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(outgoing::SEVERAL, &EachArg(self.0))
    }
}

/// Values to be written as several arguments.
struct SeveralValues<'a, T>(&'a [T]);

impl<T: Serialize> Serialize for SeveralValues<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(outgoing::SEVERAL, &EachValue(self.0))
    }
}

struct EachValue<'a, T>(&'a [T]);

impl<T: Serialize> Serialize for EachValue<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        for value in self.0 {
            tuple.serialize_element(value)?;
        }
        tuple.end()
    }
}

struct EachArg<'a>(RawArgs<'a>);

impl Serialize for EachArg<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        for argument in self.0.iter() {
            tuple.serialize_element(&OneArg(argument))?;
        }
        tuple.end()
    }
}

/// The arguments inside a [`Packet`](crate::Packet).
#[derive(Clone)]
pub(crate) enum ArgsSource<'a> {
    /// Without attachments.
    Json {
        text: Cow<'a, str>,
        count: usize,
    },
    /// Placeholders leave attachments out, or name them in another order or more than once.
    Unordered {
        attached: Arc<Attached>,
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
    pub(in crate::codec) fn json(text: &'a str, count: usize) -> Self {
        Self::Json {
            text: Cow::Borrowed(text),
            count,
        }
    }

    /// JSON with attachments, `is_in_order` when its placeholders name every one once and in order.
    pub(in crate::codec) fn attached(attached: Attached, count: usize, is_in_order: bool) -> Self {
        let attached = Arc::new(attached);
        if is_in_order {
            Self::Owned(OwnedArgs::stored(Stored::Attached(attached), count))
        } else {
            Self::Unordered { attached, count }
        }
    }

    #[inline]
    pub(crate) fn as_raw(&self) -> RawArgs<'_> {
        let (form, count) = match self {
            Self::Json { text, count } => {
                let attachments = &[];
                (Form::Json { text, attachments }, *count)
            }
            Self::Unordered { attached, count } => (attached.form(), *count),
            Self::Msgpack { bytes, count } => (Form::Msgpack(bytes), *count),
            Self::Owned(args) => return args.as_raw(),
        };
        RawArgs {
            form,
            count,
            index: 0,
            owner: None,
        }
    }

    pub(crate) fn into_owned(self) -> ArgsSource<'static> {
        match self {
            Self::Json { text, count } => ArgsSource::Json {
                text: Cow::Owned(text.into_owned()),
                count,
            },
            Self::Unordered { attached, count } => ArgsSource::Unordered { attached, count },
            Self::Msgpack { bytes, count } => ArgsSource::Msgpack {
                bytes: Cow::Owned(bytes.into_owned()),
                count,
            },
            Self::Owned(args) => ArgsSource::Owned(args),
        }
    }

    pub(crate) fn into_args(self) -> OwnedArgs {
        match self {
            Self::Json { text, count } => OwnedArgs::json(&text, &[], count),
            Self::Unordered { attached, count } => {
                OwnedArgs::json(&attached.text, attached.attachments(), count)
            }
            Self::Msgpack { bytes, count } => {
                OwnedArgs::stored(Stored::Msgpack((*bytes).into()), count)
            }
            Self::Owned(args) => args,
        }
    }
}
