//! The arguments of a packet.

use std::borrow::Cow;
use std::sync::Arc;

use super::owned::OwnedArgs;
use super::raw::RawArgs;
use super::stored::{Attached, Form, Stored};

/// The arguments inside a [`Packet`](crate::parser::Packet).
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
        RawArgs::new(form, count, None)
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
