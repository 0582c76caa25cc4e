//! Arguments that are kept, inside a packet or by the application.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::ser::{Serialize, SerializeTuple, Serializer};

use super::raw::RawArgs;
use super::stored::{Attached, Attachments, Form, Stored, is_in_order};
use crate::codec::binary::AsBytes;
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
/// # Ok::<(), socketio::args::EncodeError>(())
/// ```
#[derive(Clone)]
pub struct OwnedArgs {
    stored: Stored,
    count: usize,
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
        text: impl Into<Arc<str>> + Into<String>,
        attachments: Vec<Bytes>,
        count: usize,
    ) -> Self {
        let stored = if attachments.is_empty() {
            Stored::Json(text.into())
        } else {
            let text = Cow::Owned(text.into());
            let attached = Attached::new(text, Attachments::Several(attachments));
            Stored::Attached(Arc::new(attached))
        };
        Self::stored(stored, count)
    }

    /// JSON arguments as they were received, but for the numbers of their placeholders where these are not in order.
    //= SIO5-BIN-01
    pub(super) fn json(text: &str, attachments: &[Bytes], count: usize) -> Self {
        if !is_in_order(text, attachments.len()) {
            let received = RawArgs::new(Form::Json { text, attachments }, count, None);
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
        RawArgs::new(self.stored.form(), self.count, Some(&self.stored))
    }
}

impl RawArgs<'_> {
    /// A copy to keep, or to send on as it is.
    #[must_use]
    #[inline]
    pub fn to_owned(self) -> OwnedArgs {
        let count = self.count;
        match (self.owner, self.form) {
            (Some(owner), _) => OwnedArgs::stored(owner.clone(), count),
            // As most: there is nothing to put in order.
            (
                None,
                Form::Json {
                    text,
                    attachments: [],
                },
            ) => OwnedArgs::stored(Stored::Json(text.into()), count),
            (None, Form::Json { text, attachments }) => OwnedArgs::json(text, attachments, count),
            (None, Form::Msgpack(bytes)) => OwnedArgs::stored(Stored::Msgpack(bytes.into()), count),
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

struct OneArg<'a>(RawArgs<'a>);

impl Serialize for OneArg<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.transcode(serializer)
    }
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
