//! Which parameters of permessage-deflate hold (RFC 7692 §7.1).

const WINDOW_BITS_MAX: u8 = 15;

/// What no deflate library compresses with.
const WINDOW_BITS_MIN: u8 = 9;

/// The options of WebSocket compression, for [`Config::per_message_deflate`](crate::Config::per_message_deflate).
///
/// What a compressing connection keeps while nothing is said is the text that the next message may refer to, and not zlib's
/// state. It grows with what was said, up to:
///
/// | | option | default |
/// |---|---|---|
/// | of the client's messages | 2 to the power of [`client_window_bits`](Self::client_window_bits), or nothing without [`client_context_takeover`](Self::client_context_takeover) | 32 KiB |
/// | of the server's messages | [`server_context_bytes`](Self::server_context_bytes) | nothing |
///
/// A client that does not let the server choose its window, as few do, counts as 32 KiB. The state belongs to the worker
/// threads: each keeps at most two deflaters of up to 300 KiB and an inflater of 50 KiB.
///
/// With the default of `server_context_bytes` a broadcast is compressed once for all recipients with the same window.
///
/// ```
/// // Nothing is kept, and short messages are compressed too.
/// let deflate = engineio::PerMessageDeflate::new().client_context_takeover(false).threshold(128);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct PerMessageDeflate {
    threshold: usize,
    level: u8,
    server_window_bits: u8,
    client_window_bits: u8,
    server_context_bytes: usize,
    is_client_contextless: bool,
}

impl Default for PerMessageDeflate {
    fn default() -> Self {
        Self {
            threshold: 1024,
            level: 6,
            server_window_bits: WINDOW_BITS_MAX,
            client_window_bits: WINDOW_BITS_MAX,
            server_context_bytes: 0,
            is_client_contextless: false,
        }
    }
}

impl PerMessageDeflate {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Messages below this many bytes are sent uncompressed, unless [`server_context_bytes`](Self::server_context_bytes)
    /// are kept: every message is compressed then, since each makes the next one shorter. Default 1024.
    /// Lower saves bytes and costs time. What would not become shorter is sent as it is.
    //= EIO4-CMP-03
    pub fn threshold(mut self, bytes: usize) -> Self {
        self.threshold = bytes;
        self
    }

    /// How hard to try, from 0 (not at all) to 9; default 6. Higher costs time and saves little. No level costs memory.
    pub fn level(mut self, level: u8) -> Self {
        self.level = level.min(9);
        self
    }

    /// The base-two logarithm of the window that this side compresses with, 9 to 15; default 15. A smaller one bounds
    /// [`server_context_bytes`](Self::server_context_bytes) and what a client keeps, and costs some compression.
    /// A client that asks for a smaller one gets it. Values outside are taken to the nearest.
    pub fn server_window_bits(mut self, bits: u8) -> Self {
        self.server_window_bits = bits.clamp(WINDOW_BITS_MIN, WINDOW_BITS_MAX);
        self
    }

    /// The same for clients, where they let the server say, as browsers do; default 15. What is kept of a client's
    /// messages is as large as this window: 512 bytes for 9, 4 KiB for 12, 32 KiB for 15.
    pub fn client_window_bits(mut self, bits: u8) -> Self {
        self.client_window_bits = bits.clamp(WINDOW_BITS_MIN, WINDOW_BITS_MAX);
        self
    }

    /// How much of what was sent to a client the next message to it may refer to; default 0 bytes, then every message is
    /// compressed by itself (`server_no_context_takeover`), and recipients share one compressed form.
    ///
    /// Higher, up to the window, makes messages shorter that are like those before. It costs so many bytes for each
    /// connection, time for each message, and one compression for each recipient of a broadcast. Whoever can make a
    /// server send texts of his choice beside a secret can also learn it from the lengths then, over several messages.
    pub fn server_context_bytes(mut self, bytes: usize) -> Self {
        self.server_context_bytes = bytes;
        self
    }

    /// Whether clients may refer to the messages that they sent before; default `true`. With `false` nothing is kept for
    /// them, and they are told to compress every message by itself (`client_no_context_takeover`).
    pub fn client_context_takeover(mut self, is_allowed: bool) -> Self {
        self.is_client_contextless = !is_allowed;
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

/// How many windows there are to compress with: those of 9 to 15 bits.
pub(crate) const WINDOWS: usize = 7;

impl Settings {
    /// Below [`WINDOWS`], and of its own for each window.
    pub(crate) fn window_index(self) -> usize {
        self.window_bits.saturating_sub(WINDOW_BITS_MIN).into()
    }
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

#[cfg(feature = "deflate")]
impl Agreement {
    pub(crate) fn settings(&self, options: &PerMessageDeflate) -> Settings {
        Settings {
            level: options.level,
            window_bits: self.server_window_bits.unwrap_or(WINDOW_BITS_MAX),
            threshold: options.threshold,
        }
    }

    /// How much of the server's messages is kept; at most the window, and nothing for a client that keeps nothing.
    pub(crate) fn server_context_bytes(&self, options: &PerMessageDeflate) -> usize {
        if self.is_server_contextless {
            return 0;
        }
        options
            .server_context_bytes
            .min(window_bytes(self.server_window_bits))
    }

    /// How much of the client's messages must be kept: all that its window reaches.
    pub(crate) fn client_context_bytes(&self) -> usize {
        if self.is_client_contextless {
            return 0;
        }
        window_bytes(self.client_window_bits)
    }
}

impl Agreement {
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
        is_server_contextless: options.server_context_bytes == 0,
        is_client_contextless: options.is_client_contextless,
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

#[cfg(feature = "deflate")]
fn window_bytes(bits: Option<u8>) -> usize {
    1_usize << bits.unwrap_or(WINDOW_BITS_MAX).min(WINDOW_BITS_MAX)
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
        let default = PerMessageDeflate::new().server_context_bytes(1);
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
    fn every_window_has_an_index_of_its_own() {
        let index = |window_bits| {
            Settings {
                level: 6,
                window_bits,
                threshold: 0,
            }
            .window_index()
        };
        assert!(
            (WINDOW_BITS_MIN..=WINDOW_BITS_MAX)
                .map(index)
                .eq(0..WINDOWS)
        );
    }

    #[test]
    fn by_default_the_server_keeps_no_context_and_clients_may() {
        assert_eq!(
            answer(
                "permessage-deflate; client_max_window_bits",
                PerMessageDeflate::new()
            )
            .unwrap(),
            "permessage-deflate; server_no_context_takeover"
        );
    }

    #[test]
    fn a_context_is_as_large_as_what_may_be_referred_to() {
        let kept = |offer: &str, options: PerMessageDeflate| {
            let agreement = negotiate([offer.as_bytes()].into_iter(), &options).unwrap();
            (
                agreement.server_context_bytes(&options),
                agreement.client_context_bytes(),
            )
        };
        let options = PerMessageDeflate::new();
        for (offer, options, expected) in [
            ("permessage-deflate", options, (0, 32_768)),
            (
                "permessage-deflate; client_no_context_takeover",
                options,
                (0, 0),
            ),
            (
                "permessage-deflate; client_max_window_bits",
                options.client_window_bits(12),
                (0, 4_096),
            ),
            (
                "permessage-deflate",
                options.client_window_bits(12).server_context_bytes(4_096),
                (4_096, 32_768),
            ),
            (
                "permessage-deflate; server_max_window_bits=10",
                options.server_context_bytes(4_096),
                (1_024, 32_768),
            ),
            (
                "permessage-deflate; server_no_context_takeover",
                options.server_context_bytes(4_096),
                (0, 32_768),
            ),
        ] {
            assert_eq!(kept(offer, options), expected, "{offer}");
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
            .client_context_takeover(false);
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
