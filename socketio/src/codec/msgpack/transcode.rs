//! Msgpack to another serializer, in one pass whatever its depth.

use std::cell::RefCell;

use serde::ser::{Error, Serialize, SerializeMap, SerializeSeq, Serializer};
use socketio_auth::server::lenient_json;

use super::reader::{Reader, Token};
use crate::codec::binary::AsBytes;
use crate::codec::date::to_iso_string;

/// Writes the first of some values with another serializer.
pub(in crate::codec) fn transcode<S: Serializer>(
    values: &[u8],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let start = Reader::new(values);
    let cursor = RefCell::new(start);
    let whole = Transcoded {
        cursor: &cursor,
        start,
        depth: 0,
    };
    whole.serialize(serializer)
}

/// One value. It is read where it is written: reading it to find its end, and what is inside it again, would cost the square
/// of the depth.
struct Transcoded<'c, 'a> {
    /// Behind what was written last.
    cursor: &'c RefCell<Reader<'a>>,
    start: Reader<'a>,
    depth: u32,
}

impl Transcoded<'_, '_> {
    /// The value that comes next.
    fn next(&self) -> Self {
        Self {
            cursor: self.cursor,
            start: *self.cursor.borrow(),
            depth: self.depth.saturating_add(1),
        }
    }

    /// Passes over a value that its serializer did not want.
    fn finish(&self) {
        let mut cursor = self.cursor.borrow_mut();
        if cursor.rest().len() == self.start.rest().len() {
            cursor.pass();
        }
    }

    fn array<S: Serializer>(&self, len: usize, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(len))?;
        for _ in 0..len {
            let element = self.next();
            seq.serialize_element(&element)?;
            element.finish();
        }
        seq.end()
    }

    fn map<S: Serializer>(&self, len: usize, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(len))?;
        for _ in 0..len {
            let key = self.next();
            let name = key.start.peek().ok().and_then(Token::into_name);
            match name {
                Some(name) => map.serialize_key(&*name)?,
                None => map.serialize_key(&key)?,
            }
            key.finish();
            let value = self.next();
            map.serialize_value(&value)?;
            value.finish();
        }
        map.end()
    }
}

impl Serialize for Transcoded<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A serializer may ask twice.
        let mut reader = self.start;
        let token = reader.token().map_err(S::Error::custom)?;
        self.cursor.replace(reader);
        match token {
            Token::Nil | Token::Undefined => serializer.serialize_unit(),
            Token::Bool(value) => serializer.serialize_bool(value),
            Token::Unsigned(value) => serializer.serialize_u64(value),
            Token::Negative(value) => serializer.serialize_i64(value),
            Token::Float(value) => serializer.serialize_f64(value),
            Token::Str(text) => serializer.serialize_str(text),
            Token::Surrogates(text) => serializer.serialize_str(&text.mended()),
            Token::Binary(bytes) => serializer.serialize_bytes(bytes),
            Token::Extension(kind, data) => (kind, AsBytes(data)).serialize(serializer),
            Token::Date(ms) => serializer.serialize_str(&to_iso_string(ms)),
            Token::Array(_) | Token::Map(_) if self.depth >= lenient_json::MAX_DEPTH => {
                Err(S::Error::custom(lenient_json::TooDeep))
            }
            Token::Array(len) => self.array(len, serializer),
            Token::Map(len) => self.map(len, serializer),
        }
    }
}
