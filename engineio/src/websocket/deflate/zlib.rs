//! The codec of permessage-deflate.

use std::fmt;

use flate2::{Compress, Decompress, FlushCompress, FlushDecompress, Status};

use super::negotiate::{Agreement, PerMessageDeflate, Settings};
use crate::websocket::fault::Fault;
use crate::zlib;

/// What a sync flush ends with; both sides know it, so it is not sent (RFC 7692 §7.2.1).
const FLUSH_MARK: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// Output grows by this much at a time, so that a small message never claims much.
const GROWTH_BYTES: usize = 16 * 1024;

/// The end of what went one way, which the next message may refer to. Nothing else of a context has to be kept.
struct Context {
    bytes: Vec<u8>,
    max_bytes: usize,
}

impl Context {
    fn new(max_bytes: usize) -> Self {
        Self {
            bytes: Vec::new(),
            max_bytes,
        }
    }

    /// Grows with what is said, never past its bound.
    fn remember(&mut self, message: &[u8]) {
        let skipped = message.len().saturating_sub(self.max_bytes);
        let new = message.get(skipped..).unwrap_or_default();
        let length = self.bytes.len().saturating_add(new.len());
        self.bytes.drain(..length.saturating_sub(self.max_bytes));
        let length = self.bytes.len().saturating_add(new.len());
        if length > self.bytes.capacity() {
            let wanted = length.next_power_of_two().min(self.max_bytes);
            self.bytes
                .reserve_exact(wanted.saturating_sub(self.bytes.len()));
        }
        self.bytes.extend_from_slice(new);
    }
}

/// Inflates the messages of one client.
pub(crate) struct Inflater {
    context: Context,
}

impl Inflater {
    #[expect(
        clippy::unnecessary_wraps,
        reason = "without the feature there is none"
    )]
    pub(crate) fn new(agreement: &Agreement) -> Option<Self> {
        Some(Self {
            context: Context::new(agreement.client_context_bytes()),
        })
    }

    /// The message behind a compressed payload. No more than `max_bytes` and one step of growth are ever held,
    /// however well it was compressed.
    pub(crate) fn inflate(&mut self, payload: &[u8], max_bytes: usize) -> Result<Vec<u8>, Fault> {
        let mut message = Vec::new();
        let inflated = zlib::with_inflate(&self.context.bytes, |state| {
            for part in [payload, &FLUSH_MARK] {
                if inflate_part(state, part, &mut message, max_bytes)? == Status::StreamEnd {
                    // The peer ended its stream; the next message begins another.
                    break;
                }
            }
            Ok(())
        });
        inflated.unwrap_or(Err(Fault::Protocol))?;
        self.context.remember(&message);
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
        write!(f, "Inflater({:?})", self.context)
    }
}

/// Deflates the messages to one client, or those to all who share them.
#[derive(Debug)]
pub(crate) struct Deflater {
    settings: Settings,
    context: Context,
}

impl Deflater {
    #[expect(
        clippy::unnecessary_wraps,
        reason = "without the feature there is none"
    )]
    pub(crate) fn new(agreement: &Agreement, options: &PerMessageDeflate) -> Option<Self> {
        Some(Self {
            settings: agreement.settings(options),
            context: Context::new(agreement.server_context_bytes(options)),
        })
    }

    /// Deflates each message by itself.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "without the feature there is none"
    )]
    pub(crate) fn alone(settings: Settings) -> Option<Self> {
        Some(Self {
            settings,
            context: Context::new(0),
        })
    }

    /// What others need to have in common with this one to share its messages; `None` when each depends on those before.
    pub(crate) fn shared_settings(&self) -> Option<Settings> {
        (!self.keeps_context()).then_some(self.settings)
    }

    fn keeps_context(&self) -> bool {
        self.context.max_bytes > 0
    }

    /// Appends the compressed payload of one message; false when it is better sent as it is, and `out` is as before.
    pub(crate) fn deflate(&mut self, message: &[u8], out: &mut Vec<u8>) -> bool {
        let is_short = message.len() < self.settings.threshold && !self.keeps_context();
        if is_short || message.is_empty() {
            return false;
        }
        let start = out.len();
        let key = (self.settings.level, self.settings.window_bits);
        let is_done = zlib::with_deflate(key, &self.context.bytes, |state| {
            deflate_whole(state, message, out)
        });
        let length = out.len().saturating_sub(start);
        if is_done != Some(true) || length >= message.len() {
            out.truncate(start);
            return false;
        }
        self.context.remember(message);
        true
    }
}

/// Appends the payload of one message; false when there is none.
fn deflate_whole(state: &mut Compress, message: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let mut rest = message;
    loop {
        out.reserve(GROWTH_BYTES.min(rest.len().saturating_add(64)));
        let before = state.total_in();
        if state.compress_vec(rest, out, FlushCompress::Sync).is_err() {
            return false;
        }
        let taken = state.total_in().saturating_sub(before);
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
    let is_flushed = out.get(kept..) == Some(&FLUSH_MARK);
    out.truncate(kept);
    is_flushed
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Context({} of {} bytes)",
            self.bytes.len(),
            self.max_bytes
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::negotiate;

    /// Both ends of what was agreed on for such an offer.
    fn pair(offer: &str, options: PerMessageDeflate) -> (Deflater, Inflater) {
        let agreement = negotiate([offer.as_bytes()].into_iter(), &options).unwrap();
        // What the server's peer has: the directions are the other way round.
        let inflater = Inflater {
            context: Context::new(agreement.server_context_bytes(&options)),
        };
        (Deflater::new(&agreement, &options).unwrap(), inflater)
    }

    fn options() -> PerMessageDeflate {
        PerMessageDeflate::new().threshold(0)
    }

    fn contextless() -> (Deflater, Inflater) {
        pair("permessage-deflate", options())
    }

    fn deflate(deflater: &mut Deflater, message: &[u8]) -> Vec<u8> {
        let mut out = b"before".to_vec();
        assert!(deflater.deflate(message, &mut out));
        out.split_off(6)
    }

    #[test]
    fn the_examples_of_the_rfc_inflate() {
        // RFC 7692 §7.2.3: a fixed block, the same with the context of the first, no compression, a final block.
        let (_, mut inflater) = pair("permessage-deflate", options().server_context_bytes(32_768));
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

    /// Text that zlib finds something in, and not too much.
    fn words(length: usize, seed: usize) -> Vec<u8> {
        let words = ["alpha ", "beta", "{\"user\":", "1234", ",", "omega ", "\n"];
        let mut text = Vec::new();
        let mut state = seed.wrapping_add(1);
        while text.len() < length {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let word = words.iter().cycle().nth(state >> 60);
            text.extend_from_slice(word.unwrap().as_bytes());
        }
        text.truncate(length);
        text
    }

    #[test]
    fn every_length_and_window_comes_back_with_and_without_a_context() {
        for window_bits in 9..=15 {
            for kept in [0, 1, 5_000, 32_768] {
                let options = options()
                    .server_window_bits(window_bits)
                    .server_context_bytes(kept);
                let (mut deflater, mut inflater) = pair("permessage-deflate", options);
                // A client that knows no more than it was told, and one that keeps its whole window in zlib's state.
                let mut peer = Decompress::new_with_window_bits(false, window_bits);
                for (seed, length) in [40, 1_000, 16_383, 16_384, 16_385, 70_000, 60, 700]
                    .into_iter()
                    .enumerate()
                {
                    let message = words(length, seed);
                    let payload = deflate(&mut deflater, &message);
                    let mut heard = Vec::with_capacity(length + 1);
                    let whole = [&payload[..], &FLUSH_MARK].concat();
                    peer.decompress_vec(&whole, &mut heard, FlushDecompress::Sync)
                        .unwrap();
                    assert!(
                        heard == message,
                        "{window_bits} bits, {kept} kept, {length} long"
                    );
                    assert_eq!(inflater.inflate(&payload, message.len()), Ok(message));
                    assert!(deflater.context.bytes.capacity() <= kept);
                }
            }
        }
    }

    #[test]
    fn what_is_kept_of_a_client_is_all_that_it_may_refer_to() {
        for (window_bits, seed) in (9..=15).zip(0..) {
            let agreement = negotiate(
                [&b"permessage-deflate; client_max_window_bits"[..]].into_iter(),
                &PerMessageDeflate::new().client_window_bits(window_bits),
            )
            .unwrap();
            let mut inflater = Inflater::new(&agreement).unwrap();
            let mut client =
                Compress::new_with_window_bits(flate2::Compression::best(), false, window_bits);
            let window = 1 << window_bits;
            let once = words(window, seed);
            for message in [
                &once[..],
                &once,
                b"a few",
                &once,
                &once[..100],
                &once.repeat(3),
                &once,
            ] {
                let mut payload = Vec::with_capacity(200_000);
                client
                    .compress_vec(message, &mut payload, FlushCompress::Sync)
                    .unwrap();
                payload.truncate(payload.len() - FLUSH_MARK.len());
                assert_eq!(
                    inflater.inflate(&payload, message.len()).as_deref(),
                    Ok(message)
                );
                assert!(inflater.context.bytes.capacity() <= window);
            }
        }
    }

    #[test]
    fn a_context_is_only_as_large_as_what_was_said() {
        let mut context = Context::new(32_768);
        context.remember(&[1; 10]);
        assert!(context.bytes.capacity() <= 16);
        context.remember(&[2; 100]);
        assert!(context.bytes.capacity() <= 128);
        context.remember(&[3; 40_000]);
        assert_eq!(context.bytes, [3; 32_768]);
        assert_eq!(context.bytes.capacity(), 32_768);
        let mut none = Context::new(0);
        none.remember(&[1; 10]);
        assert_eq!(none.bytes.capacity(), 0);
    }

    #[test]
    fn a_context_makes_the_same_again_shorter() {
        let message = words(2_000, 0);
        for (kept, is_shorter) in [(0, false), (4_096, true)] {
            let (mut deflater, _) =
                pair("permessage-deflate", options().server_context_bytes(kept));
            let first = deflate(&mut deflater, &message);
            let again = deflate(&mut deflater, &message);
            assert_eq!(again.len() < first.len() / 4, is_shorter, "{kept}");
            assert_eq!(again == first, !is_shorter);
        }
    }

    #[test]
    fn what_would_not_become_shorter_is_not_compressed_and_not_remembered() {
        let (mut deflater, mut inflater) =
            pair("permessage-deflate", options().server_context_bytes(32_768));
        let first = words(1_000, 0);
        let payload = deflate(&mut deflater, &first);
        assert_eq!(inflater.inflate(&payload, 1_000), Ok(first.clone()));
        let noise: Vec<u8> = (0..=255).collect();
        let mut out = b"before".to_vec();
        assert!(!deflater.deflate(&noise, &mut out));
        assert!(!deflater.deflate(b"", &mut out));
        assert_eq!(out, b"before");
        let payload = deflate(&mut deflater, &first);
        assert_eq!(inflater.inflate(&payload, 1_000), Ok(first));
    }

    #[test]
    fn the_threshold_is_for_messages_without_a_context() {
        let message = b"ten bytes, ten bytes, ten bytes, ten bytes";
        let limit = options().threshold(message.len());
        let (mut at, _) = pair("permessage-deflate", limit);
        let (mut below, _) = pair("permessage-deflate", limit.threshold(message.len() + 1));
        let (mut with_context, _) = pair(
            "permessage-deflate",
            limit.threshold(1_000).server_context_bytes(100),
        );
        let mut out = Vec::new();
        assert!(at.deflate(message, &mut out));
        assert!(!below.deflate(message, &mut out));
        assert!(with_context.deflate(message, &mut out));
    }

    #[test]
    fn the_limit_counts_the_inflated_message() {
        let (mut deflater, mut inflater) = contextless();
        let payload = deflate(&mut deflater, &[0; 50_000]);
        assert!(payload.len() < 200, "{}", payload.len());
        assert!(inflater.inflate(&payload, 50_000).is_ok());
        assert_eq!(inflater.inflate(&payload, 49_999), Err(Fault::TooBig));
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit() {
        let (mut deflater, _) = contextless();
        let bomb = deflate(&mut deflater, &vec![0; 50_000_000]);
        assert!(bomb.len() < 100_000);
        let mut state = Decompress::new(false);
        let mut message = Vec::new();
        let limit = 1_000_000;
        assert_eq!(
            inflate_part(&mut state, &bomb, &mut message, limit),
            Err(Fault::TooBig)
        );
        assert!(message.capacity() <= limit + 2 * GROWTH_BYTES);
    }

    #[test]
    fn nonsense_and_truncation_are_no_messages_and_no_panic() {
        let (mut deflater, mut inflater) = contextless();
        let payload = deflate(&mut deflater, &b"some text, some text, some text".repeat(9));
        for length in 0..payload.len() {
            let _ = inflater.inflate(&payload[..length], 1_000);
        }
        assert_eq!(inflater.inflate(&[0xff; 20], 1_000), Err(Fault::Protocol));
        // The thread's state is as good as new afterwards.
        assert!(inflater.inflate(&payload, 1_000).is_ok());
    }
}
