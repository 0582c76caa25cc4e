//! Session ids: secrets that name a session.

use std::cell::RefCell;
use std::fmt;

#[cfg(any(test, feature = "nodes"))]
use base64::Engine as _;
#[cfg(any(test, feature = "nodes"))]
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::random;

/// The length of an id in characters (EIO4-QRY-10).
pub(crate) const LENGTH: usize = 20;

/// How many random bytes an id is made of.
pub(crate) const RANDOM_BYTES: usize = 15;

/// The characters that ids are made of, in the order of what they stand for (RFC 4648 §5).
const ALPHABET: [u8; 64] = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Whether a byte is one of them. Every request of a session on long-polling has its id looked through.
const OF_IDS: [bool; 256] = {
    let mut is_of_ids = [false; 256];
    let mut rest: &[u8] = &ALPHABET;
    while let [byte, behind @ ..] = rest {
        is_of_ids[*byte as usize] = true;
        rest = behind;
    }
    is_of_ids
};

/// What three bytes are as text.
#[inline]
fn characters([a, b, c]: [u8; 3]) -> [u8; 4] {
    let bits = u32::from_be_bytes([0, a, b, c]);
    [18, 12, 6, 0].map(|shift| ALPHABET[(bits >> shift) as usize & 63])
}

type RandomBytes = [u8; RANDOM_BYTES];

/// How many ids a thread makes of one call of the operating system's generator.
const IDS_PER_CALL: usize = 64;

thread_local! {
    /// The random bytes of this thread's next ids.
    static NEXT: RefCell<Vec<RandomBytes>> = const { RefCell::new(Vec::new()) };
}

/// The id of one Engine.IO session: 20 URL-safe characters from 120 random bits.
///
/// Whoever knows the id can read and write the session over long-polling, so it is a secret: `Debug` shows none
/// of it and there is no `Display`. Send it nowhere but to its own client.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId([u8; LENGTH]);

/// The operating system gives no random bytes, so no id can be made that nobody guesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRandomness(());

impl NoRandomness {
    #[cfg(feature = "nodes")]
    pub(crate) const fn new() -> Self {
        Self(())
    }
}

impl fmt::Display for NoRandomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the operating system gives no random bytes")
    }
}

impl std::error::Error for NoRandomness {}

impl SessionId {
    /// An id from 15 random bytes.
    #[must_use]
    pub fn from_random_bytes(bytes: [u8; 15]) -> Self {
        let mut id = [b'A'; LENGTH];
        // Three bytes are four characters, without a rest: half the instructions of an encoder that looks for one.
        for (three, four) in bytes.as_chunks().0.iter().zip(id.as_chunks_mut().0) {
            *four = characters(*three);
        }
        Self(id)
    }

    /// A fresh id from the operating system's generator, which is asked for several at a time. A process that was
    /// forked off makes the same next ids as its parent: fork first, then open sessions.
    ///
    /// # Errors
    ///
    /// [`NoRandomness`].
    pub fn generate() -> Result<Self, NoRandomness> {
        NEXT.with_borrow_mut(|next| {
            // Nothing is kept from one simulation to the next.
            if let Some(bytes) = next.pop_if(|_| !random::is_seeded()) {
                return Ok(Self::from_random_bytes(bytes));
            }
            let mut fresh = [[0; 15]; IDS_PER_CALL];
            random::fill(fresh.as_flattened_mut()).map_err(|_| NoRandomness(()))?;
            let [first, rest @ ..] = fresh;
            if !random::is_seeded() {
                next.extend(rest);
            }
            Ok(Self::from_random_bytes(first))
        })
    }

    /// The id a client sent; `None` when it cannot be one that was issued here.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; LENGTH] = text.as_bytes().try_into().ok()?;
        let is_of_ids = |&byte: &u8| OF_IDS.get(usize::from(byte)).is_some_and(|&is| is);
        bytes.iter().all(is_of_ids).then_some(Self(bytes))
    }

    /// What the id was made of.
    #[cfg(feature = "nodes")]
    pub(crate) fn random_bytes(&self) -> Option<RandomBytes> {
        let mut bytes = [0; RANDOM_BYTES];
        let decoded = URL_SAFE_NO_PAD.decode_slice(self.0, &mut bytes);
        decoded.is_ok().then_some(bytes)
    }

    /// The id as text, to be sent to its own client and nowhere else.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(..)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_twenty_url_safe_characters_and_parse_back() {
        let id = SessionId::generate().unwrap();
        assert_eq!(id.as_str().len(), LENGTH);
        assert_eq!(SessionId::parse(id.as_str()), Some(id));
        assert_ne!(id, SessionId::generate().unwrap());
    }

    #[test]
    fn an_id_is_the_base64_of_its_bytes() {
        for first in 0..=u8::MAX {
            let bytes = std::array::from_fn(|at| first.wrapping_mul(at as u8 + 1) ^ 0xa5);
            let id = SessionId::from_random_bytes(bytes);
            assert_eq!(id.as_str(), URL_SAFE_NO_PAD.encode(bytes));
        }
    }

    #[test]
    fn no_id_is_made_twice() {
        let ids: HashSet<SessionId> = (0..=3 * IDS_PER_CALL)
            .map(|_| SessionId::generate().unwrap())
            .collect();
        assert_eq!(ids.len(), 3 * IDS_PER_CALL + 1);
    }

    #[test]
    fn what_was_never_issued_does_not_parse() {
        for text in [
            "",
            "__proto__",
            "AAAAAAAAAAAAAAAAAAA",
            "AAAAAAAAAAAAAAAAAAAAA",
            "AAAAAAAAAAAAAAAAAAA/",
        ] {
            assert_eq!(SessionId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn debug_output_does_not_reveal_the_id() {
        let id = SessionId::from_random_bytes([7; 15]);
        assert!(!format!("{id:?}").contains(id.as_str()));
    }
}
