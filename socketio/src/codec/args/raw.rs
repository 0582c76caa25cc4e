//! Arguments as they were received, borrowed.

use std::any::type_name;
use std::fmt;

use bytes::Bytes;
use serde::de::{DeserializeOwned, DeserializeSeed};
use serde::ser::{Error as _, Serializer};

use super::argument::{ARRAY, Missing};
use super::stored::{Form, Stored};
use crate::codec::error::ArgsError;
use crate::codec::{json, msgpack};

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
/// # Ok::<(), socketio::args::EncodeError>(())
/// ```
#[derive(Clone, Copy)]
pub struct RawArgs<'a> {
    pub(super) form: Form<'a>,
    pub(super) count: usize,
    /// The position of the first among those of the packet, for errors.
    pub(super) index: usize,
    /// What holds exactly these arguments, ready to be shared.
    pub(super) owner: Option<&'a Stored>,
}

impl<'a> RawArgs<'a> {
    /// All the arguments of a packet, or of what keeps exactly them.
    #[inline]
    pub(super) fn new(form: Form<'a>, count: usize, owner: Option<&'a Stored>) -> Self {
        Self {
            form,
            count,
            index: 0,
            owner,
        }
    }

    /// Arguments in JSON without attachments.
    #[inline]
    pub(in crate::codec) fn json(text: &'a str, count: usize) -> Self {
        let attachments = &[];
        Self::new(Form::Json { text, attachments }, count, None)
    }

    /// The first argument as a `T`. More arguments are tolerated, as JavaScript functions do.
    ///
    /// `()` takes whatever there is, an `Option` also takes that there is none.
    ///
    /// # Errors
    ///
    /// The argument is missing or is no `T`.
    #[inline]
    pub fn deserialize<T: DeserializeOwned>(self) -> Result<T, ArgsError> {
        if self.count == 0 {
            return T::deserialize(Missing).map_err(|_| self.missing::<T>());
        }
        let result = match self.form {
            Form::Json { text, attachments } => {
                json::deserialize(text, attachments).map_err(|error| error.to_string())
            }
            Form::Msgpack(bytes) => msgpack::deserialize(bytes).map_err(|error| error.to_string()),
        };
        result.map_err(|message| self.mistyped::<T>(message))
    }

    /// The same with a seed, which can be tried but once.
    pub(super) fn deserialize_seed<S: DeserializeSeed<'a>>(
        self,
        seed: S,
    ) -> Result<S::Value, ArgsError> {
        if self.count == 0 {
            let read = seed.deserialize(Missing);
            return read.map_err(|_| self.missing::<S::Value>());
        }
        let result = match self.form {
            Form::Json { text, attachments } => {
                json::deserialize_seed(text, attachments, seed).map_err(|error| error.to_string())
            }
            Form::Msgpack(bytes) => {
                msgpack::deserialize_seed(bytes, seed).map_err(|error| error.to_string())
            }
        };
        result.map_err(|message| self.mistyped::<S::Value>(message))
    }

    #[cold]
    fn missing<T>(self) -> ArgsError {
        ArgsError::Missing {
            index: self.index,
            expected: type_name::<T>(),
        }
    }

    #[cold]
    fn mistyped<T>(self, message: String) -> ArgsError {
        ArgsError::Type {
            index: self.index,
            expected: type_name::<T>(),
            found: self.kind(),
            message,
        }
    }

    pub(super) fn is_array(self) -> bool {
        self.kind() == ARRAY
    }

    /// What the first argument is, with its article.
    fn kind(self) -> &'static str {
        match self.form {
            _ if self.count == 0 => "nothing",
            Form::Json { text, attachments } => json::kind(text, attachments),
            Form::Msgpack(bytes) => msgpack::kind(bytes),
        }
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

    /// How many bytes they are.
    pub(crate) fn kept_bytes(&self) -> usize {
        match self.form {
            Form::Json { text, attachments } => {
                attachments.iter().fold(text.len(), |sum, attachment| {
                    let kept = attachment.len().saturating_add(size_of::<Bytes>());
                    sum.saturating_add(kept)
                })
            }
            Form::Msgpack(bytes) => bytes.len(),
        }
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

    /// The first argument, and the others.
    ///
    /// The attachments stay with both: where they are sent on, those that nothing names go along.
    #[must_use]
    pub fn split_first(mut self) -> Option<(Self, Self)> {
        let first = self.take_first()?;
        Some((first, self))
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

    /// Writes the first argument with a serializer of another format, binary as bytes.
    ///
    /// This is how a [`Parser`](crate::parser::Parser) encodes them.
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
    pub(super) fn take_first(&mut self) -> Option<Self> {
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
        self.owner = None;
        Some(Self {
            form: first,
            count: 1,
            index,
            owner: None,
        })
    }

    /// The next argument, for [`Args`].
    #[inline]
    pub(super) fn take<T: DeserializeOwned>(&mut self) -> Result<T, ArgsError> {
        self.take_first().unwrap_or(*self).deserialize()
    }
}

impl fmt::Debug for RawArgs<'_> {
    /// What the arguments are is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawArgs({} arguments)", self.count)
    }
}
