//! Compression of polling responses (EIO4-CMP-01).

/// A content coding both sides know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Gzip,
    /// The zlib format, whatever the name says.
    Deflate,
}

impl Encoding {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }
}

/// The coding to use: highest quality first, then the client's order; `*` means gzip.
pub(crate) fn accepted(accept_encoding: &str) -> Option<Encoding> {
    let mut best: Option<(Encoding, u16)> = None;
    for item in accept_encoding.split(',') {
        let mut parts = item.split(';');
        let encoding = match parts.next().map(str::trim) {
            Some("gzip" | "*") => Encoding::Gzip,
            Some("deflate") => Encoding::Deflate,
            _ => continue,
        };
        let quality = parts
            .find_map(|part| part.trim().strip_prefix("q="))
            .map_or(Some(1000), parse_quality)
            .unwrap_or(0);
        if quality > 0 && best.is_none_or(|(_, best)| quality > best) {
            best = Some((encoding, quality));
        }
    }
    best.map(|(encoding, _)| encoding)
}

/// A quality in thousandths (RFC 9110 §12.4.2).
fn parse_quality(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 {
        return None;
    }
    let thousandths: u16 = format!("{fraction:0<3}").parse().ok()?;
    let whole: u16 = whole.parse().ok()?;
    whole
        .checked_mul(1000)?
        .checked_add(thousandths)
        .filter(|&quality| quality <= 1000)
}

pub(crate) fn compress(encoding: Encoding, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    use flate2::Compression;
    use std::io::Write as _;
    match encoding {
        Encoding::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(bytes)?;
            encoder.finish()
        }
        Encoding::Deflate => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(bytes)?;
            encoder.finish()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quality_decides_then_the_clients_order() {
        for (header, expected) in [
            ("gzip", Some(Encoding::Gzip)),
            ("deflate, gzip", Some(Encoding::Deflate)),
            ("deflate;q=0.5, gzip;q=0.8", Some(Encoding::Gzip)),
            ("gzip;q=0", None),
            ("br", None),
            ("br, *", Some(Encoding::Gzip)),
            ("gzip;q=nonsense", None),
            ("", None),
        ] {
            assert_eq!(accepted(header), expected, "{header}");
        }
    }
}
