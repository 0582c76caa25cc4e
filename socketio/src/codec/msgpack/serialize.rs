//! Serde to msgpack, in the shortest forms.

use std::fmt;

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// Why a value has no msgpack form.
#[derive(Debug)]
pub(in crate::codec) struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl serde::ser::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// The markers of one kind of value, by the width of its length; zero where there is none.
#[derive(Clone, Copy)]
struct Markers {
    /// The marker that holds lengths up to `max_fix` itself.
    fix: u8,
    max_fix: u8,
    one_byte: Option<u8>,
    two_bytes: u8,
    four_bytes: u8,
}

const STR: Markers = Markers {
    fix: 0xa0,
    max_fix: 31,
    one_byte: Some(0xd9),
    two_bytes: 0xda,
    four_bytes: 0xdb,
};
const ARRAY: Markers = Markers {
    fix: 0x90,
    max_fix: 15,
    one_byte: None,
    two_bytes: 0xdc,
    four_bytes: 0xdd,
};
const MAP: Markers = Markers {
    fix: 0x80,
    max_fix: 15,
    one_byte: None,
    two_bytes: 0xde,
    four_bytes: 0xdf,
};

fn too_long() -> Error {
    Error("longer than msgpack can express".to_owned())
}

/// The head of a value of some length, with how many of its bytes count.
fn head(markers: Markers, len: usize) -> Result<([u8; 5], usize), Error> {
    let len = u32::try_from(len).map_err(|_| too_long())?;
    let [a, b, c, d] = len.to_be_bytes();
    Ok(match u8::try_from(len) {
        Ok(len) if len <= markers.max_fix => ([markers.fix | len, 0, 0, 0, 0], 1),
        Ok(len) if markers.one_byte.is_some() => {
            ([markers.one_byte.unwrap_or_default(), len, 0, 0, 0], 2)
        }
        _ if len <= u16::MAX.into() => ([markers.two_bytes, c, d, 0, 0], 3),
        _ => ([markers.four_bytes, a, b, c, d], 5),
    })
}

fn write_head(out: &mut Vec<u8>, markers: Markers, len: usize) -> Result<(), Error> {
    let (bytes, used) = head(markers, len)?;
    out.extend_from_slice(bytes.get(..used).unwrap_or_default());
    Ok(())
}

pub(super) fn write_map_head(out: &mut Vec<u8>, len: usize) -> Result<(), Error> {
    write_head(out, MAP, len)
}

pub(super) fn write_array_head(out: &mut Vec<u8>, len: usize) -> Result<(), Error> {
    write_head(out, ARRAY, len)
}

fn write_binary(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Error> {
    let len = u32::try_from(bytes.len()).map_err(|_| too_long())?;
    if let Ok(len) = u8::try_from(len) {
        out.extend_from_slice(&[0xc4, len]);
    } else if let Ok(len) = u16::try_from(len) {
        out.push(0xc5);
        out.extend_from_slice(&len.to_be_bytes());
    } else {
        out.push(0xc6);
        out.extend_from_slice(&len.to_be_bytes());
    }
    out.extend_from_slice(bytes);
    Ok(())
}

fn write_unsigned(out: &mut Vec<u8>, value: u64) {
    if let Ok(value) = u8::try_from(value) {
        if value >= 0x80 {
            out.push(0xcc);
        }
        out.push(value);
    } else if let Ok(value) = u16::try_from(value) {
        out.push(0xcd);
        out.extend_from_slice(&value.to_be_bytes());
    } else if let Ok(value) = u32::try_from(value) {
        out.push(0xce);
        out.extend_from_slice(&value.to_be_bytes());
    } else {
        out.push(0xcf);
        out.extend_from_slice(&value.to_be_bytes());
    }
}

fn write_signed(out: &mut Vec<u8>, value: i64) {
    if let Ok(value) = u64::try_from(value) {
        write_unsigned(out, value);
    } else if let Ok(value) = i8::try_from(value) {
        if value < -32 {
            out.push(0xd0);
        }
        out.extend_from_slice(&value.to_be_bytes());
    } else if let Ok(value) = i16::try_from(value) {
        out.push(0xd1);
        out.extend_from_slice(&value.to_be_bytes());
    } else if let Ok(value) = i32::try_from(value) {
        out.push(0xd2);
        out.extend_from_slice(&value.to_be_bytes());
    } else {
        out.push(0xd3);
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// Appends values to a buffer.
pub(in crate::codec) struct Writer<'a>(pub(in crate::codec) &'a mut Vec<u8>);

impl<'a> Writer<'a> {
    /// Begins an array or map. One of unknown length gets its head when it is complete.
    fn begin(self, markers: Markers, len: Option<usize>) -> Result<Compound<'a>, Error> {
        let start = self.0.len();
        if let Some(len) = len {
            write_head(self.0, markers, len)?;
        }
        Ok(Compound {
            out: self.0,
            markers,
            announced: len,
            count: 0,
            start,
        })
    }

    /// Begins the one pair whose key is the name of a variant.
    fn variant(self, name: &str) -> Result<Self, Error> {
        write_map_head(self.0, 1)?;
        Writer(&mut *self.0).serialize_str(name)?;
        Ok(self)
    }
}

impl<'a> Serializer for Writer<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Compound<'a>;
    type SerializeTuple = Compound<'a>;
    type SerializeTupleStruct = Compound<'a>;
    type SerializeTupleVariant = Compound<'a>;
    type SerializeMap = Compound<'a>;
    type SerializeStruct = Compound<'a>;
    type SerializeStructVariant = Compound<'a>;

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.0.push(if value { 0xc3 } else { 0xc2 });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), Error> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), Error> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), Error> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<(), Error> {
        write_signed(self.0, value);
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> Result<(), Error> {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), Error> {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), Error> {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), Error> {
        write_unsigned(self.0, value);
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        self.0.push(0xcb);
        self.0.extend_from_slice(&value.to_be_bytes());
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, text: &str) -> Result<(), Error> {
        write_head(self.0, STR, text.len())?;
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Error> {
        write_binary(self.0, bytes)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.0.push(0xc0);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self.variant(variant)?)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Compound<'a>, Error> {
        self.begin(ARRAY, len)
    }

    fn serialize_tuple(self, len: usize) -> Result<Compound<'a>, Error> {
        self.begin(ARRAY, Some(len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Compound<'a>, Error> {
        self.begin(ARRAY, Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Compound<'a>, Error> {
        self.variant(variant)?.begin(ARRAY, Some(len))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Compound<'a>, Error> {
        self.begin(MAP, len)
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Compound<'a>, Error> {
        self.begin(MAP, Some(len))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Compound<'a>, Error> {
        self.variant(variant)?.begin(MAP, Some(len))
    }
}

/// An array or map that is being written.
pub(in crate::codec) struct Compound<'a> {
    out: &'a mut Vec<u8>,
    markers: Markers,
    announced: Option<usize>,
    count: usize,
    start: usize,
}

impl Compound<'_> {
    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        value.serialize(Writer(&mut *self.out))
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.count = self.count.saturating_add(1);
        self.value(value)
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Error> {
        self.element(name)?;
        self.value(value)
    }

    fn finish(self) -> Result<(), Error> {
        match self.announced {
            Some(announced) if announced == self.count => Ok(()),
            Some(announced) => Err(Error(format!(
                "{announced} elements were announced and {} written",
                self.count
            ))),
            None => {
                let (bytes, used) = head(self.markers, self.count)?;
                let head = bytes.into_iter().take(used);
                self.out.splice(self.start..self.start, head);
                Ok(())
            }
        }
    }
}

macro_rules! elements {
    ($($trait:ident $method:ident)*) => {$(
        impl $trait for Compound<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.element(value)
            }

            fn end(self) -> Result<(), Error> {
                self.finish()
            }
        }
    )*};
}

elements! {
    SerializeSeq serialize_element
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}

macro_rules! fields {
    ($($trait:ident)*) => {$(
        impl $trait for Compound<'_> {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Error> {
                self.field(name, value)
            }

            fn end(self) -> Result<(), Error> {
                self.finish()
            }
        }
    )*};
}

fields! { SerializeStruct SerializeStructVariant }

impl SerializeMap for Compound<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.element(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.value(value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish()
    }
}
