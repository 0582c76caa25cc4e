//! In what form arguments are kept and lent.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

/// Arguments that are borrowed.
#[derive(Clone, Copy)]
pub(super) enum Form<'a> {
    /// JSON values with commas between them.
    Json {
        text: &'a str,
        attachments: &'a [Bytes],
    },
    /// Msgpack values, one behind the other.
    Msgpack(&'a [u8]),
}

/// Arguments that are shared.
#[derive(Clone)]
pub(super) enum Stored {
    /// JSON without attachments, as most arguments are.
    Json(Arc<str>),
    /// JSON whose placeholders name every attachment once and in order.
    Attached(Arc<Attached>),
    Msgpack(Arc<[u8]>),
}

impl Stored {
    pub(super) fn form(&self) -> Form<'_> {
        match self {
            Self::Json(text) => Form::Json {
                text,
                attachments: &[],
            },
            Self::Attached(attached) => attached.form(),
            Self::Msgpack(bytes) => Form::Msgpack(bytes),
        }
    }
}

/// JSON text with the attachments of its packet; they are shared together.
pub(crate) struct Attached {
    pub(super) text: Cow<'static, str>,
    attachments: Attachments,
}

/// Never none. Most packets have one, and nothing is allocated for a list of it.
pub(in crate::codec) enum Attachments {
    One(Bytes),
    Several(Vec<Bytes>),
}

impl Attached {
    pub(in crate::codec) fn new(text: Cow<'static, str>, attachments: Attachments) -> Self {
        Self { text, attachments }
    }

    pub(super) fn form(&self) -> Form<'_> {
        Form::Json {
            text: &self.text,
            attachments: self.attachments(),
        }
    }

    pub(super) fn attachments(&self) -> &[Bytes] {
        match &self.attachments {
            Attachments::One(attachment) => std::slice::from_ref(attachment),
            Attachments::Several(attachments) => attachments,
        }
    }
}

/// True when the placeholders name every attachment once and in order, written as senders write them. Anything else may
/// be numbered anew at no loss.
pub(super) fn is_in_order(text: &str, attachment_count: usize) -> bool {
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
