//! How long the content of a request is, and where it ends (RFC 9112 §6, §7).

/// The most bytes that the extensions of chunks and the trailer of one request may have together.
pub(crate) const CHUNK_EXTRAS_MAX_BYTES: usize = 16 * 1024;

/// How the end of a request's content is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// By its length in bytes; zero where there is none.
    Length(u64),
    Chunked,
}

/// The content does not keep to its framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unframed;

/// What is still to come of the content of one request.
#[derive(Debug)]
pub(crate) enum Rest {
    Length(u64),
    Chunked(Chunks),
}

impl Rest {
    pub(crate) fn new(framing: Framing) -> Self {
        match framing {
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(Chunks::default()),
        }
    }

    /// True when nothing of it is to come any more.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Length(length) => *length == 0,
            Self::Chunked(chunks) => chunks.at == At::Over,
        }
    }

    /// How many bytes are still to come, where that is known.
    pub(crate) fn length(&self) -> Option<u64> {
        match self {
            Self::Length(length) => Some(*length),
            Self::Chunked(_) => None,
        }
    }

    /// Takes off the front of what was read all that belongs to the content. What is behind it stays.
    pub(crate) fn take(&mut self, read: &mut Vec<u8>) -> Result<Vec<u8>, Unframed> {
        match self {
            Self::Length(length) => {
                let wanted = usize::try_from(*length).unwrap_or(usize::MAX);
                let taken = if read.len() <= wanted {
                    std::mem::take(read)
                } else {
                    read.drain(..wanted).collect()
                };
                let count = u64::try_from(taken.len()).unwrap_or(u64::MAX);
                *length = length.saturating_sub(count);
                Ok(taken)
            }
            Self::Chunked(chunks) => {
                let mut content = Vec::new();
                let used = chunks.decode(read, &mut content)?;
                read.drain(..used);
                Ok(content)
            }
        }
    }
}

/// Reads the chunked coding, to the letter: every line ends with CR and LF, and nothing stands around a length.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    at: At,
    /// What is left of the chunk, or what of its length was read.
    left: u64,
    extra_bytes: usize,
}

/// What comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// The first digit of a length.
    #[default]
    Length,
    MoreLength,
    Extension,
    /// The LF behind a length.
    LengthEnd,
    Data,
    /// The CR behind a chunk, and its LF.
    DataEnd,
    DataLineEnd,
    /// A line of the trailer begins, or the empty one that ends it all.
    Trailer,
    TrailerLine,
    TrailerLineEnd,
    /// The last LF.
    End,
    Over,
}

impl Chunks {
    /// Appends what is content; how many bytes were used.
    fn decode(&mut self, read: &[u8], content: &mut Vec<u8>) -> Result<usize, Unframed> {
        let mut rest = read;
        while self.at != At::Over {
            if self.at == At::Data {
                let count = usize::try_from(self.left).unwrap_or(usize::MAX);
                let (data, behind) = rest.split_at(count.min(rest.len()));
                content.extend_from_slice(data);
                let taken = u64::try_from(data.len()).unwrap_or(u64::MAX);
                self.left = self.left.saturating_sub(taken);
                if self.left == 0 {
                    self.at = At::DataEnd;
                }
                rest = behind;
            }
            let Some((&byte, behind)) = rest.split_first() else {
                break;
            };
            self.at = self.step(byte)?;
            rest = behind;
        }
        Ok(read.len().saturating_sub(rest.len()))
    }

    /// Where one byte leads to that is no content.
    fn step(&mut self, byte: u8) -> Result<At, Unframed> {
        Ok(match (self.at, byte) {
            (At::Length | At::MoreLength, byte) if byte.is_ascii_hexdigit() => {
                if self.at == At::MoreLength && self.left == 0 {
                    // Leading zeros may be many, and are nothing.
                    self.count_extra()?;
                }
                let digit = char::from(byte).to_digit(16).ok_or(Unframed)?;
                let more = self.left.checked_mul(16).ok_or(Unframed)?;
                self.left = more.checked_add(digit.into()).ok_or(Unframed)?;
                At::MoreLength
            }
            (At::MoreLength, b';') => At::Extension,
            (At::MoreLength | At::Extension, b'\r') => At::LengthEnd,
            (At::LengthEnd, b'\n') if self.left == 0 => At::Trailer,
            (At::LengthEnd, b'\n') => At::Data,
            (At::DataEnd, b'\r') => At::DataLineEnd,
            (At::DataLineEnd, b'\n') => At::Length,
            (At::Trailer, b'\r') => At::End,
            (At::TrailerLine, b'\r') => At::TrailerLineEnd,
            (At::TrailerLineEnd, b'\n') => At::Trailer,
            (At::End, b'\n') => At::Over,
            (At::Extension, byte) if is_text(byte) => {
                self.count_extra()?;
                At::Extension
            }
            (At::Trailer | At::TrailerLine, byte) if is_text(byte) => {
                self.count_extra()?;
                At::TrailerLine
            }
            _ => return Err(Unframed),
        })
    }

    fn count_extra(&mut self) -> Result<(), Unframed> {
        self.extra_bytes = self.extra_bytes.saturating_add(1);
        if self.extra_bytes > CHUNK_EXTRAS_MAX_BYTES {
            return Err(Unframed);
        }
        Ok(())
    }
}

fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The content of a chunked body that comes in pieces of a size, and what is behind it.
    fn dechunk(body: &str, piece_bytes: usize) -> Result<(String, String), Unframed> {
        let mut rest = Rest::new(Framing::Chunked);
        let (mut read, mut content) = (Vec::new(), Vec::new());
        for piece in body.as_bytes().chunks(piece_bytes) {
            read.extend_from_slice(piece);
            if !rest.is_over() {
                content.extend(rest.take(&mut read)?);
            }
        }
        let text = |bytes| String::from_utf8(bytes).unwrap();
        assert!(rest.is_over(), "{body:?}");
        Ok((text(content), text(read)))
    }

    #[test]
    fn chunks_are_put_together_however_they_come() {
        let rows = [
            ("0\r\n\r\n", "", ""),
            ("1\r\na\r\n0\r\n\r\n", "a", ""),
            ("00A\r\n0123456789\r\n0\r\n\r\nGET", "0123456789", "GET"),
            (
                "3;a=b;c=\"d\"\r\nabc\r\n2\r\nde\r\n0;x\r\n\r\n",
                "abcde",
                "",
            ),
            ("1\r\na\r\n0\r\nX: y\r\nZ: \r\n\r\n.", "a", "."),
        ];
        for (body, content, behind) in rows {
            for piece_bytes in [1, 2, 7, 1_000] {
                let found = dechunk(body, piece_bytes);
                assert_eq!(
                    found,
                    Ok((content.to_owned(), behind.to_owned())),
                    "{body:?}"
                );
            }
        }
    }

    #[test]
    fn what_another_reader_might_take_otherwise_is_refused() {
        for body in [
            "\r\n",
            ";x\r\n",
            " 1\r\na\r\n0\r\n\r\n",
            "1 \r\na\r\n0\r\n\r\n",
            "1\t;x\r\na\r\n0\r\n\r\n",
            "+1\r\na\r\n0\r\n\r\n",
            "-1\r\na\r\n0\r\n\r\n",
            "0x1\r\na\r\n0\r\n\r\n",
            "g\r\n",
            "1\na\n0\n\n",
            "1\r\na\n0\r\n\r\n",
            "1\r\nab\r\n0\r\n\r\n",
            "1;\n\r\na\r\n0\r\n\r\n",
            "1;\0\r\na\r\n0\r\n\r\n",
            "1\r\na\r\n0\r\n\n",
            "1\r\na\r\n0\r\nx: y\n\r\n",
            "10000000000000000\r\n",
            "fffffffffffffffff\r\n",
        ] {
            assert_eq!(dechunk(body, 1), Err(Unframed), "{body:?}");
        }
    }

    #[test]
    fn what_is_around_the_content_is_bounded() {
        let most = CHUNK_EXTRAS_MAX_BYTES;
        for (extras, is_taken) in [(most, true), (most + 1, false)] {
            let extension = format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(extras));
            assert_eq!(dechunk(&extension, 1_000).is_ok(), is_taken);
            let trailer = format!("0\r\n{}\r\n\r\n", "x".repeat(extras));
            assert_eq!(dechunk(&trailer, 1_000).is_ok(), is_taken);
            let zeros = format!("{}1\r\na\r\n0\r\n\r\n", "0".repeat(extras));
            assert_eq!(dechunk(&zeros, 1_000).is_ok(), is_taken);
        }
        let many = "1\r\na\r\n".repeat(3 * most) + "0\r\n\r\n";
        assert!(dechunk(&many, 1_000).is_ok(), "lengths are no extras");
    }

    #[test]
    fn a_length_takes_no_more_than_it_says() {
        let mut rest = Rest::new(Framing::Length(5));
        let mut read = b"abc".to_vec();
        assert_eq!(rest.take(&mut read), Ok(b"abc".to_vec()));
        assert_eq!((rest.length(), rest.is_over()), (Some(2), false));
        read = b"deGET".to_vec();
        assert_eq!(rest.take(&mut read), Ok(b"de".to_vec()));
        assert!(rest.is_over());
        assert_eq!(read, b"GET");
    }
}
