//! As much of msgpack as the cases need: written out by hand, read by a cursor.

use crate::failure::{Failure, Verdict};

/// A msgpack value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Packed {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
    /// An extension type and its data.
    Extension(i8, Vec<u8>),
}

impl Packed {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub(crate) fn map<const N: usize>(members: [(&str, Self); N]) -> Self {
        Self::Map(
            members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }

    /// A member of a map.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Map(members) => members
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// The shortest form of each kind, lengths below 65,536.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Nil => out.push(0xc0),
            Self::Bool(value) => out.push(0xc2 | u8::from(*value)),
            Self::Int(value) => write_int(*value, out),
            Self::Float(value) => {
                out.push(0xcb);
                out.extend_from_slice(&value.to_be_bytes());
            }
            Self::Text(text) => {
                write_length(text.len(), 0xa0, 32, [0xd9, 0xda], out);
                out.extend_from_slice(text.as_bytes());
            }
            Self::Bytes(bytes) => {
                write_length(bytes.len(), 0, 0, [0xc4, 0xc5], out);
                out.extend_from_slice(bytes);
            }
            Self::List(items) => {
                write_length(items.len(), 0x90, 16, [0xdc, 0xdc], out);
                items.iter().for_each(|item| item.write(out));
            }
            Self::Map(members) => {
                write_length(members.len(), 0x80, 16, [0xde, 0xde], out);
                for (name, value) in members {
                    Self::text(name).write(out);
                    value.write(out);
                }
            }
            Self::Extension(kind, bytes) => {
                write_length(bytes.len(), 0, 0, [0xc7, 0xc8], out);
                out.push(kind.to_be_bytes()[0]);
                out.extend_from_slice(bytes);
            }
        }
    }

    /// Reads exactly one value.
    pub(crate) fn decode(bytes: &[u8]) -> Verdict<Self> {
        let mut cursor = Cursor(bytes);
        match cursor.value() {
            Some(value) if cursor.0.is_empty() => Ok(value),
            _ => Err(Failure::unmet(
                "one msgpack value",
                crate::trace::shown(bytes),
            )),
        }
    }
}

/// `fixed` is the form's first byte for lengths below `limit`; `wide` are those for one and two bytes of length.
fn write_length(length: usize, fixed: u8, limit: usize, wide: [u8; 2], out: &mut Vec<u8>) {
    let [low, high] = wide;
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if length < limit => out.push(fixed | short),
        (Ok(short), _) if low != high => out.extend_from_slice(&[low, short]),
        (_, Ok(medium)) => {
            out.push(high);
            out.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {}
    }
}

fn write_int(value: i64, out: &mut Vec<u8>) {
    match (
        i8::try_from(value),
        u8::try_from(value),
        u16::try_from(value),
    ) {
        (Ok(small), _, _) if small >= -32 => out.push(small.to_be_bytes()[0]),
        (_, Ok(byte), _) => out.extend_from_slice(&[0xcc, byte]),
        (_, _, Ok(word)) => {
            out.push(0xcd);
            out.extend_from_slice(&word.to_be_bytes());
        }
        _ => {
            out.push(0xd3);
            out.extend_from_slice(&value.to_be_bytes());
        }
    }
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    /// An unsigned number of so many bytes.
    fn number(&mut self, width: usize) -> Option<u64> {
        let bytes = self.take(width)?;
        Some(
            bytes
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        )
    }

    fn length(&mut self, width: usize) -> Option<usize> {
        usize::try_from(self.number(width)?).ok()
    }

    fn value(&mut self) -> Option<Packed> {
        let first = u8::try_from(self.number(1)?).ok()?;
        Some(match first {
            0x00..=0x7f => Packed::Int(i64::from(first)),
            0x80..=0x8f => self.map(usize::from(first & 0x0f))?,
            0x90..=0x9f => self.list(usize::from(first & 0x0f))?,
            0xa0..=0xbf => self.text(usize::from(first & 0x1f))?,
            0xc0 => Packed::Nil,
            0xc2 | 0xc3 => Packed::Bool(first == 0xc3),
            0xc4..=0xc6 => {
                let length = self.length(1 << (first - 0xc4))?;
                Packed::Bytes(self.take(length)?.to_vec())
            }
            0xc7..=0xc9 => {
                let length = self.length(1 << (first - 0xc7))?;
                self.extension(length)?
            }
            0xca => Packed::Float(f64::from(f32::from_bits(
                u32::try_from(self.number(4)?).ok()?,
            ))),
            0xcb => Packed::Float(f64::from_bits(self.number(8)?)),
            0xcc..=0xcf => Packed::Int(i64::try_from(self.number(1 << (first - 0xcc))?).ok()?),
            0xd0 => Packed::Int(i64::from(self.number(1)?.to_le_bytes()[0].cast_signed())),
            0xd1 => Packed::Int(i64::from(
                u16::try_from(self.number(2)?).ok()?.cast_signed(),
            )),
            0xd2 => Packed::Int(i64::from(
                u32::try_from(self.number(4)?).ok()?.cast_signed(),
            )),
            0xd3 => Packed::Int(self.number(8)?.cast_signed()),
            0xd4..=0xd8 => self.extension(1 << (first - 0xd4))?,
            0xd9..=0xdb => {
                let length = self.length(1 << (first - 0xd9))?;
                self.text(length)?
            }
            0xdc | 0xdd => {
                let length = self.length(2 << (first - 0xdc))?;
                self.list(length)?
            }
            0xde | 0xdf => {
                let length = self.length(2 << (first - 0xde))?;
                self.map(length)?
            }
            0xe0..=0xff => Packed::Int(i64::from(first.cast_signed())),
            _ => return None,
        })
    }

    fn text(&mut self, length: usize) -> Option<Packed> {
        String::from_utf8(self.take(length)?.to_vec())
            .ok()
            .map(Packed::Text)
    }

    fn extension(&mut self, length: usize) -> Option<Packed> {
        let kind = self.number(1)?.to_le_bytes()[0].cast_signed();
        Some(Packed::Extension(kind, self.take(length)?.to_vec()))
    }

    fn list(&mut self, count: usize) -> Option<Packed> {
        (0..count)
            .map(|_| self.value())
            .collect::<Option<_>>()
            .map(Packed::List)
    }

    fn map(&mut self, count: usize) -> Option<Packed> {
        let member = |_| match self.value()? {
            Packed::Text(name) => Some((name, self.value()?)),
            _ => None,
        };
        (0..count)
            .map(member)
            .collect::<Option<_>>()
            .map(Packed::Map)
    }
}

#[cfg(test)]
mod tests {
    use super::Packed;

    #[test]
    fn what_is_written_is_read_again() {
        let value = Packed::map([
            ("a", Packed::Int(-1)),
            (
                "b",
                Packed::List(vec![
                    Packed::Int(300),
                    Packed::Int(70_000),
                    Packed::Int(-200),
                ]),
            ),
            ("c", Packed::text(&"x".repeat(300))),
            ("d", Packed::Bytes(vec![7; 40])),
            ("e", Packed::Float(1.5)),
            ("f", Packed::Bool(true)),
            ("g", Packed::Nil),
            ("h", Packed::Extension(0, vec![1, 2, 3])),
        ]);
        assert_eq!(Packed::decode(&value.encode()).unwrap(), value);
    }

    #[test]
    fn the_reference_packet_is_written_as_it_is() {
        let connect = Packed::map([("type", Packed::Int(0)), ("nsp", Packed::text("/"))]);
        assert_eq!(connect.encode(), b"\x82\xa4type\x00\xa3nsp\xa1/",);
        assert!(Packed::decode(b"\x82\xa4type\x00").is_err());
        assert!(Packed::decode(b"\xc0\xc0").is_err());
    }
}
