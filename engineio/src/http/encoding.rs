//! The codings a client accepts, and compression of polling responses (EIO4-CMP-01).

/// Every coding of an `Accept-Encoding` in the client's order, with its quality in thousandths: zero is a refusal.
fn codings(accept_encoding: &str) -> impl Iterator<Item = (&str, u16)> {
    accept_encoding.split(',').map(|item| {
        let mut parts = item.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let quality = parts
            .find_map(|part| part.strip_prefix("q="))
            .map_or(Some(1000), parse_quality);
        (name, quality.unwrap_or(0))
    })
}

/// What a client says of a coding, by its own name or else by `*`.
fn quality_of(accept_encoding: &str, coding: &str) -> u16 {
    let named = |wanted: &str| {
        codings(accept_encoding)
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, quality)| quality)
    };
    named(coding).or_else(|| named("*")).unwrap_or(0)
}

/// True when a client accepts a coding (RFC 9110 §12.5.3).
pub(crate) fn accepts(accept_encoding: &str, coding: &str) -> bool {
    quality_of(accept_encoding, coding) > 0
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

/// A content coding both sides know.
#[cfg(feature = "compression")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Gzip,
    /// The zlib format, whatever the name says.
    Deflate,
}

#[cfg(feature = "compression")]
impl Encoding {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }
}

/// The coding to use: highest quality first, then the client's order, and gzip where it has none.
#[cfg(feature = "compression")]
pub(crate) fn accepted(accept_encoding: &str) -> Option<Encoding> {
    let place_of = |encoding: Encoding| {
        codings(accept_encoding).position(|(name, _)| name.eq_ignore_ascii_case(encoding.name()))
    };
    [Encoding::Gzip, Encoding::Deflate]
        .into_iter()
        .filter(|encoding| accepts(accept_encoding, encoding.name()))
        .min_by_key(|&encoding| {
            let quality = quality_of(accept_encoding, encoding.name());
            let place = place_of(encoding).unwrap_or(usize::MAX);
            (std::cmp::Reverse(quality), place)
        })
}

#[cfg(feature = "compression")]
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
    fn a_coding_is_accepted_by_its_name_or_with_all_others_unless_it_is_refused() {
        for (header, expected) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5, br", true),
            ("br, *", true),
            ("gzip; q=0.001", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000", false),
            ("*, gzip;q=0", false),
            ("gzip;q=0, *;q=1", false),
            ("*;q=0", false),
            ("gzip;q=nonsense", false),
            ("gzip;q=1.001", false),
            ("deflate, br", false),
            ("x-gzip", false),
            ("", false),
        ] {
            assert_eq!(accepts(header, "gzip"), expected, "{header}");
        }
    }

    #[cfg(feature = "compression")]
    #[test]
    fn quality_decides_then_the_clients_order() {
        for (header, expected) in [
            ("gzip", Some(Encoding::Gzip)),
            ("deflate, gzip", Some(Encoding::Deflate)),
            ("deflate;q=0.5, gzip;q=0.8", Some(Encoding::Gzip)),
            ("gzip;q=0", None),
            ("br", None),
            ("br, *", Some(Encoding::Gzip)),
            ("*, gzip;q=0", Some(Encoding::Deflate)),
            ("deflate, *", Some(Encoding::Deflate)),
            ("gzip;q=nonsense", None),
            ("", None),
        ] {
            assert_eq!(accepted(header), expected, "{header}");
        }
    }
}
