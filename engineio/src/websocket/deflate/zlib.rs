//! The codec of permessage-deflate.

use std::fmt;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::negotiate::{Agreement, Settings};
use crate::websocket::fault::Fault;

/// What a sync flush ends with; both sides know it, so it is not sent (RFC 7692 §7.2.1).
const FLUSH_MARK: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// Output grows by this much at a time, so that a small message never claims much.
const GROWTH_BYTES: usize = 16 * 1024;

/// Inflates the messages of one client.
pub(crate) struct Inflater {
    /// There from the first message on, and only while there is a context to keep.
    context: Option<Decompress>,
    keeps_context: bool,
}

impl Inflater {
    #[expect(
        clippy::unnecessary_wraps,
        reason = "without the feature there is none"
    )]
    pub(crate) fn new(agreement: &Agreement) -> Option<Self> {
        Some(Self {
            context: None,
            keeps_context: !agreement.is_client_contextless,
        })
    }

    /// The message behind a compressed payload. No more than `max_bytes` and one step of growth are ever held,
    /// however well it was compressed.
    pub(crate) fn inflate(&mut self, payload: &[u8], max_bytes: usize) -> Result<Vec<u8>, Fault> {
        let mut context = self
            .context
            .take()
            .unwrap_or_else(|| Decompress::new(false));
        let mut message = Vec::new();
        for part in [payload, &FLUSH_MARK] {
            if inflate_part(&mut context, part, &mut message, max_bytes)? == Status::StreamEnd {
                // The peer ended its stream; the next message begins another.
                context.reset(false);
                break;
            }
        }
        if self.keeps_context {
            self.context = Some(context);
        }
        Ok(message)
    }
}

fn inflate_part(
    context: &mut Decompress,
    mut part: &[u8],
    message: &mut Vec<u8>,
    max_bytes: usize,
) -> Result<Status, Fault> {
    loop {
        if message.capacity() == message.len() {
            message.reserve_exact(GROWTH_BYTES);
        }
        let before = context.total_in();
        let status = context
            .decompress_vec(part, message, FlushDecompress::Sync)
            .map_err(|_| Fault::Protocol)?;
        let taken =
            usize::try_from(context.total_in().saturating_sub(before)).unwrap_or(part.len());
        part = part.get(taken..).unwrap_or_default();
        if message.len() > max_bytes {
            return Err(Fault::TooBig);
        }
        let has_room = message.len() < message.capacity();
        match status {
            Status::StreamEnd => return Ok(status),
            // With room left over, all that the input holds has come out.
            Status::Ok | Status::BufError if has_room && (part.is_empty() || taken == 0) => {
                return if part.is_empty() {
                    Ok(Status::Ok)
                } else {
                    Err(Fault::Protocol)
                };
            }
            Status::Ok | Status::BufError => {}
        }
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater")
            .field("keeps_context", &self.keeps_context)
            .finish_non_exhaustive()
    }
}

/// Deflates messages.
pub(crate) struct Deflater {
    context: Compress,
    settings: Settings,
}

impl Deflater {
    #[expect(
        clippy::unnecessary_wraps,
        reason = "without the feature there is none"
    )]
    pub(crate) fn new(settings: Settings) -> Option<Self> {
        let level = Compression::new(u32::from(settings.level));
        Some(Self {
            context: Compress::new_with_window_bits(level, false, settings.window_bits),
            settings,
        })
    }

    pub(crate) fn settings(&self) -> Settings {
        self.settings
    }

    /// Makes the next message independent of those before.
    pub(crate) fn forget_context(&mut self) {
        self.context.reset();
    }

    /// Appends the compressed payload of one message; false when it could not be made, and `out` is as before.
    pub(crate) fn deflate(&mut self, message: &[u8], out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let mut rest = message;
        loop {
            out.reserve(GROWTH_BYTES.min(rest.len().saturating_add(64)));
            let before = self.context.total_in();
            if self
                .context
                .compress_vec(rest, out, FlushCompress::Sync)
                .is_err()
            {
                out.truncate(start);
                return false;
            }
            let taken = self.context.total_in().saturating_sub(before);
            rest = usize::try_from(taken)
                .ok()
                .and_then(|taken| rest.get(taken..))
                .unwrap_or_default();
            // With room left over, the flush is complete.
            if rest.is_empty() && out.len() < out.capacity() {
                break;
            }
        }
        let kept = out.len().saturating_sub(FLUSH_MARK.len()).max(start);
        if out.get(kept..) != Some(&FLUSH_MARK) {
            out.truncate(start);
            return false;
        }
        out.truncate(kept);
        true
    }
}

impl fmt::Debug for Deflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflater")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings = Settings {
        level: 6,
        window_bits: 15,
        threshold: 0,
    };

    fn inflater(is_client_contextless: bool) -> Inflater {
        Inflater::new(&Agreement {
            is_server_contextless: false,
            is_client_contextless,
            server_window_bits: None,
            client_window_bits: None,
        })
        .unwrap()
    }

    fn deflate(deflater: &mut Deflater, message: &[u8]) -> Vec<u8> {
        let mut out = b"before".to_vec();
        assert!(deflater.deflate(message, &mut out));
        out.split_off(6)
    }

    #[test]
    fn the_examples_of_the_rfc_inflate() {
        // RFC 7692 §7.2.3: a fixed block, the same with the context of the first, no compression, a final block.
        let mut inflater = inflater(false);
        for payload in [
            &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..],
            &[0xf2, 0x00, 0x11, 0x00, 0x00],
            &[
                0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00,
            ],
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
        ] {
            assert_eq!(inflater.inflate(payload, 5), Ok(b"Hello".to_vec()));
        }
    }

    #[test]
    fn every_length_and_window_comes_back_with_and_without_a_context() {
        for window_bits in 9..=15 {
            for is_contextless in [false, true] {
                let mut deflater = Deflater::new(Settings {
                    window_bits,
                    ..SETTINGS
                })
                .unwrap();
                let mut inflater = inflater(is_contextless);
                for length in [1, 2, 100, 1_000, 16_383, 16_384, 16_385, 200_000] {
                    let message: Vec<u8> = (0..length)
                        .map(|n: u32| n.wrapping_mul(n).to_le_bytes()[1])
                        .collect();
                    let payload = deflate(&mut deflater, &message);
                    assert_eq!(inflater.inflate(&payload, message.len()), Ok(message));
                    if is_contextless {
                        deflater.forget_context();
                    }
                }
            }
        }
    }

    #[test]
    fn the_limit_counts_the_inflated_message() {
        let mut deflater = Deflater::new(SETTINGS).unwrap();
        let payload = deflate(&mut deflater, &[0; 50_000]);
        assert!(payload.len() < 200, "{}", payload.len());
        assert!(inflater(true).inflate(&payload, 50_000).is_ok());
        assert_eq!(inflater(true).inflate(&payload, 49_999), Err(Fault::TooBig));
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit() {
        let mut deflater = Deflater::new(SETTINGS).unwrap();
        let bomb = deflate(&mut deflater, &vec![0; 50_000_000]);
        assert!(bomb.len() < 100_000);
        let mut context = Decompress::new(false);
        let mut message = Vec::new();
        let limit = 1_000_000;
        assert_eq!(
            inflate_part(&mut context, &bomb, &mut message, limit),
            Err(Fault::TooBig)
        );
        assert!(message.capacity() <= limit + 2 * GROWTH_BYTES);
    }

    #[test]
    fn nonsense_and_truncation_are_no_messages_and_no_panic() {
        let mut deflater = Deflater::new(SETTINGS).unwrap();
        let payload = deflate(&mut deflater, &b"some text, some text, some text".repeat(9));
        for length in 0..payload.len() {
            let _ = inflater(false).inflate(&payload[..length], 1_000);
        }
        assert_eq!(
            inflater(false).inflate(&[0xff; 20], 1_000),
            Err(Fault::Protocol)
        );
    }
}
