//! JSON text to another serializer, in one pass whatever its depth.

use std::cell::RefCell;

use bytes::Bytes;
use serde::ser::{Error, Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;
use socketio_auth::server::lenient_json;

use super::placeholder::Places;
use super::scan::{Scanner, UNLIMITED};

/// Writes one JSON value that was scanned before with another serializer, binary as bytes and members in order.
pub(in crate::codec) fn transcode<S: Serializer>(
    text: &str,
    attachments: &[Bytes],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let document = Document {
        cursor: RefCell::new(Scanner::new(text)),
        places: match attachments {
            [] => Places::default(),
            _ => Places::find(text),
        },
        attachments,
    };
    let whole = Transcoded {
        document: &document,
        start: Scanner::new(text),
        depth: 0,
    };
    whole.serialize(serializer)
}

struct Document<'a> {
    /// Behind what was written last. A value is scanned where it is written, since scanning it to find its end, and what is
    /// inside it again, would cost the square of the depth.
    cursor: RefCell<Scanner<'a>>,
    places: Places,
    attachments: &'a [Bytes],
}

impl<'a> Document<'a> {
    /// Looks at what comes next.
    fn scan<T>(&self, look: impl FnOnce(&mut Scanner<'a>) -> T) -> T {
        look(&mut self.cursor.borrow_mut())
    }

    /// True, and it is passed over, when this comes next.
    fn passes(&self, byte: u8) -> bool {
        self.scan(|scanner| {
            scanner.skip_whitespace();
            scanner.take_if(byte)
        })
    }

    /// The attachment that the object at this offset stands for.
    fn attachment(&self, start: usize) -> Option<&'a Bytes> {
        self.attachments.get(self.places.num(start)?)
    }

    /// The value that comes next.
    fn next(&self, depth: u32) -> Transcoded<'_, 'a> {
        Transcoded {
            document: self,
            start: self.cursor.borrow().clone(),
            depth,
        }
    }
}

/// One value.
struct Transcoded<'d, 'a> {
    document: &'d Document<'a>,
    start: Scanner<'a>,
    depth: u32,
}

impl Transcoded<'_, '_> {
    /// Passes over a value that its serializer did not want.
    fn finish(&self) {
        self.document.scan(|scanner| {
            if scanner.offset() == self.start.offset() {
                let _ = scanner.value(&UNLIMITED, &mut ());
            }
        });
    }

    fn scalar<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let scanned = self
            .document
            .scan(|scanner| scanner.value(&UNLIMITED, &mut ()));
        let value: Value =
            lenient_json::from_str(scanned.unwrap_or_default()).map_err(S::Error::custom)?;
        value.serialize(serializer)
    }

    fn array<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let document = self.document;
        let mut seq = serializer.serialize_seq(None)?;
        while !document.passes(b']') {
            let element = document.next(self.depth.saturating_add(1));
            seq.serialize_element(&element)?;
            element.finish();
            document.passes(b',');
        }
        seq.end()
    }

    fn object<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let document = self.document;
        let mut map = serializer.serialize_map(None)?;
        while !document.passes(b'}') {
            let name = document.scan(|scanner| scanner.value(&UNLIMITED, &mut ()));
            let name: String =
                lenient_json::from_str(name.unwrap_or_default()).map_err(S::Error::custom)?;
            document.passes(b':');
            let value = document.next(self.depth.saturating_add(1));
            map.serialize_entry(&name, &value)?;
            value.finish();
            document.passes(b',');
        }
        map.end()
    }
}

impl Serialize for Transcoded<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let document = self.document;
        // A serializer may ask twice.
        let mut start = self.start.clone();
        start.skip_whitespace();
        let offset = start.offset();
        document.cursor.replace(start);
        if self.depth >= lenient_json::MAX_DEPTH && document.scan(|scanner| scanner.opens()) {
            return Err(S::Error::custom(lenient_json::TooDeep));
        }
        if document.passes(b'[') {
            self.array(serializer)
        } else if let Some(attachment) = document.attachment(offset) {
            let _ = document.scan(|scanner| scanner.value(&UNLIMITED, &mut ()));
            serializer.serialize_bytes(attachment)
        } else if document.passes(b'{') {
            self.object(serializer)
        } else {
            self.scalar(serializer)
        }
    }
}
