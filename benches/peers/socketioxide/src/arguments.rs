//! Any number of arguments, handed through.

use std::fmt;

use rmpv::Value;
use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeTuple, Serializer};

/// What came behind an event's name, or in an acknowledgement.
///
/// socketioxide takes tuples for several arguments and anything else for one, so this is a tuple of any length.
#[derive(Clone, Debug)]
pub struct Arguments(pub Vec<Value>);

impl Arguments {
    /// The first argument, if it is a text, and the others.
    pub fn split_text(self) -> Option<(String, Self)> {
        let mut values = self.0.into_iter();
        let first = values.next()?.as_str()?.to_owned();
        Some((first, Self(values.collect())))
    }
}

impl Serialize for Arguments {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        for value in &self.0 {
            tuple.serialize_element(value)?;
        }
        tuple.end()
    }
}

impl<'de> Deserialize<'de> for Arguments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Values;

        impl<'de> Visitor<'de> for Values {
            type Value = Vec<Value>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("arguments")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut values = Vec::with_capacity(1);
                while let Some(value) = seq.next_element()? {
                    values.push(value);
                }
                Ok(values)
            }
        }

        // The formats behind socketioxide read to the end whatever the length says.
        deserializer.deserialize_tuple(1, Values).map(Self)
    }
}
