//! Which parameters of permessage-deflate hold (RFC 7692 §7.1).

const WINDOW_BITS_MAX: u8 = 15;

/// What no deflate library compresses with.
const WINDOW_BITS_MIN: u8 = 9;

/// The options of WebSocket compression, for [`Config::per_message_deflate`](crate::Config::per_message_deflate).
///
/// With a context each connection that was written to or read from keeps some 300 KiB, or less with fewer window
/// bits; [`without_contexts`](Self::without_contexts) keeps nothing, and lets all recipients of a broadcast share
/// one compressed form.
///
/// ```
/// let deflate = engineio::PerMessageDeflate::new().without_contexts(true).threshold(512);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct PerMessageDeflate {
    threshold: usize,
    level: u8,
    server_window_bits: u8,
    client_window_bits: u8,
    is_contextless: bool,
}

impl Default for PerMessageDeflate {
    fn default() -> Self {
        Self {
            threshold: 1024,
            level: 6,
            server_window_bits: WINDOW_BITS_MAX,
            client_window_bits: WINDOW_BITS_MAX,
            is_contextless: false,
        }
    }
}

impl PerMessageDeflate {
    /// The defaults, which are the reference's.
    pub fn new() -> Self {
        Self::default()
    }

    /// Messages below this many bytes are sent uncompressed, where no context is kept; default 1024. With a
    /// context every message is compressed, since each makes the next one shorter.
    //= EIO4-CMP-03
    pub fn threshold(mut self, bytes: usize) -> Self {
        self.threshold = bytes;
        self
    }

    /// How hard to try, from 0 (not at all) to 9; default 6. Higher costs time and saves little.
    pub fn level(mut self, level: u8) -> Self {
        self.level = level.min(9);
        self
    }

    /// The base-two logarithm of the window that this side compresses with, 9 to 15; default 15. Each one less
    /// halves the memory of a context and costs some compression. Values outside are taken to the nearest.
    pub fn server_window_bits(mut self, bits: u8) -> Self {
        self.server_window_bits = bits.clamp(WINDOW_BITS_MIN, WINDOW_BITS_MAX);
        self
    }

    /// The same for clients, where they let the server say; default 15.
    pub fn client_window_bits(mut self, bits: u8) -> Self {
        self.client_window_bits = bits.clamp(WINDOW_BITS_MIN, WINDOW_BITS_MAX);
        self
    }

    /// Whether every message is compressed by itself in both directions; default `false`, then it is so only
    /// where a client asks for it.
    pub fn without_contexts(mut self, is_contextless: bool) -> Self {
        self.is_contextless = is_contextless;
        self
    }
}

/// How messages are compressed; two connections with equal settings and no context share the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) level: u8,
    pub(crate) window_bits: u8,
    /// Messages below this many bytes are not compressed, unless each adds to a context (EIO4-CMP-03).
    pub(crate) threshold: usize,
}

/// What was agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agreement {
    pub(crate) is_server_contextless: bool,
    pub(crate) is_client_contextless: bool,
    /// Said only where it is not the default of 15.
    pub(crate) server_window_bits: Option<u8>,
    pub(crate) client_window_bits: Option<u8>,
}

impl Agreement {
    pub(crate) fn settings(&self, options: &PerMessageDeflate) -> Settings {
        Settings {
            level: options.level,
            window_bits: self.server_window_bits.unwrap_or(WINDOW_BITS_MAX),
            threshold: options.threshold,
        }
    }

    /// The value of `Sec-WebSocket-Extensions` in the answer.
    pub(crate) fn header(&self) -> String {
        let mut header = String::from("permessage-deflate");
        if self.is_server_contextless {
            header.push_str("; server_no_context_takeover");
        }
        if self.is_client_contextless {
            header.push_str("; client_no_context_takeover");
        }
        for (name, bits) in [
            ("server", self.server_window_bits),
            ("client", self.client_window_bits),
        ] {
            if let Some(bits) = bits {
                header.push_str(&format!("; {name}_max_window_bits={bits}"));
            }
        }
        header
    }
}

/// The first offer of `Sec-WebSocket-Extensions` that can be met; `None` when there is none, and nothing is
/// compressed then.
pub(crate) fn negotiate<'h>(
    mut headers: impl Iterator<Item = &'h [u8]>,
    options: &PerMessageDeflate,
) -> Option<Agreement> {
    headers.find_map(|header| {
        std::str::from_utf8(header)
            .ok()?
            .split(',')
            .find_map(|offer| accept(offer, options))
    })
}

/// An offer with an unknown, repeated or ill-formed parameter is declined (RFC 7692 §7.1).
fn accept(offer: &str, options: &PerMessageDeflate) -> Option<Agreement> {
    let mut parts = offer.split(';').map(str::trim);
    if parts.next() != Some("permessage-deflate") {
        return None;
    }
    let mut agreement = Agreement {
        is_server_contextless: options.is_contextless,
        is_client_contextless: options.is_contextless,
        server_window_bits: said(options.server_window_bits),
        client_window_bits: None,
    };
    let mut seen = Vec::new();
    for parameter in parts {
        let (name, value) = match parameter.split_once('=') {
            Some((name, value)) => (name.trim_end(), Some(unquote(value.trim_start()))),
            None => (parameter, None),
        };
        if seen.contains(&name) {
            return None;
        }
        seen.push(name);
        match (name, value) {
            ("server_no_context_takeover", None) => agreement.is_server_contextless = true,
            ("client_no_context_takeover", None) => agreement.is_client_contextless = true,
            ("server_max_window_bits", Some(value)) => {
                let bits = parse_window_bits(value).filter(|&bits| bits >= WINDOW_BITS_MIN)?;
                agreement.server_window_bits = Some(bits.min(options.server_window_bits));
            }
            ("client_max_window_bits", None) => {
                agreement.client_window_bits = said(options.client_window_bits);
            }
            ("client_max_window_bits", Some(value)) => {
                let bits = parse_window_bits(value)?;
                agreement.client_window_bits = Some(bits.min(options.client_window_bits));
            }
            _ => return None,
        }
    }
    Some(agreement)
}

fn said(bits: u8) -> Option<u8> {
    (bits != WINDOW_BITS_MAX).then_some(bits)
}

fn unquote(value: &str) -> &str {
    value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
        .unwrap_or(value)
}

/// A decimal number from 8 to 15 without leading zeros.
fn parse_window_bits(value: &str) -> Option<u8> {
    let bits: u8 = value.parse().ok()?;
    ((8..=WINDOW_BITS_MAX).contains(&bits) && value == bits.to_string()).then_some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(offer: &str, options: PerMessageDeflate) -> Option<String> {
        negotiate([offer.as_bytes()].into_iter(), &options).map(|agreement| agreement.header())
    }

    #[test]
    fn the_first_offer_that_can_be_met_is_accepted() {
        let default = PerMessageDeflate::new();
        for (offer, expected) in [
            ("permessage-deflate", "permessage-deflate"),
            (
                "permessage-deflate; client_max_window_bits",
                "permessage-deflate",
            ),
            (
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            ),
            (
                "permessage-deflate;server_max_window_bits=10",
                "permessage-deflate; server_max_window_bits=10",
            ),
            (
                "permessage-deflate; client_max_window_bits = \"12\"",
                "permessage-deflate; client_max_window_bits=12",
            ),
            (
                "x-other, permessage-deflate; foo, permessage-deflate",
                "permessage-deflate",
            ),
            (
                "permessage-deflate; server_max_window_bits=8, permessage-deflate; server_no_context_takeover",
                "permessage-deflate; server_no_context_takeover",
            ),
        ] {
            assert_eq!(answer(offer, default).as_deref(), Some(expected), "{offer}");
        }
    }

    #[test]
    fn an_offer_that_is_not_understood_is_declined() {
        for offer in [
            "",
            "x-webkit-deflate-frame",
            "permessage-deflate; foo",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=7",
            "permessage-deflate; server_max_window_bits=8",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=010",
            "permessage-deflate; server_max_window_bits=+9",
            "permessage-deflate; client_max_window_bits=16",
            "permessage-deflate; client_max_window_bits=",
            "permessage-deflate;",
        ] {
            assert_eq!(answer(offer, PerMessageDeflate::new()), None, "{offer}");
        }
    }

    #[test]
    fn options_narrow_what_is_agreed() {
        let options = PerMessageDeflate::new()
            .server_window_bits(11)
            .client_window_bits(10)
            .without_contexts(true);
        assert_eq!(
            answer("permessage-deflate; client_max_window_bits", options).unwrap(),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=11; client_max_window_bits=10"
        );
        assert_eq!(
            answer("permessage-deflate; server_max_window_bits=14", options).unwrap(),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=11",
            "a client that does not let the server say is not told"
        );
    }
}
