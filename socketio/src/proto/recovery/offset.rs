//! The names of kept packets, which their receivers remember them by.

use std::fmt;
use std::str::FromStr;

/// The digits of offsets, the smallest first (SIO5-CSR-05).
const DIGITS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
/// How many bits count within a millisecond; those above it are the time, and last until the year 2527.
const REPEAT_BITS: u32 = 20;
const MAX_REPEAT: u64 = (1 << REPEAT_BITS) - 1;
const MAX_MILLIS: u64 = u64::MAX >> REPEAT_BITS;
/// As many digits as the largest time has.
const MAX_DIGITS: usize = 8;

/// The name of a kept packet: a time in milliseconds and a count within it, in one number, so that of two offsets the
/// smaller is that of the packet that was sent first. The default comes before all.
//= SIO5-CSR-05
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Offset(u64);

impl Offset {
    /// Before all packets.
    pub(crate) const FIRST: Self = Self(0);

    /// Behind all packets.
    pub(crate) const NEVER: Self = Self(u64::MAX);

    /// The first of a millisecond since the Unix epoch; it carries no suffix.
    pub(crate) fn at(millis: u64) -> Self {
        Self(millis.min(MAX_MILLIS) << REPEAT_BITS)
    }

    /// The name of an entry of a log that servers share; `None` for a number that is too large.
    pub(crate) fn of_entry(millis: u64, sequence: u64) -> Option<Self> {
        let fits = millis <= MAX_MILLIS && sequence <= MAX_REPEAT;
        fits.then_some(Self(millis << REPEAT_BITS | sequence))
    }

    /// The two numbers of such an entry.
    pub(crate) fn entry(self) -> (u64, u64) {
        (self.0 >> REPEAT_BITS, self.0 & MAX_REPEAT)
    }

    /// As one number, to be kept in an atomic.
    pub(crate) fn to_bits(self) -> u64 {
        self.0
    }

    /// The one behind this. Where a millisecond is used up, the next one is drawn on.
    pub(crate) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (millis, repeat) = (self.0 >> REPEAT_BITS, self.0 & MAX_REPEAT);
        let mut shift = (MAX_DIGITS as u32 - 1) * 6;
        while shift > 0 && millis >> shift == 0 {
            shift -= 6;
        }
        loop {
            let place = usize::try_from((millis >> shift) & 63).unwrap_or_default();
            let digit = DIGITS.get(place).copied().unwrap_or_default();
            fmt::Write::write_char(f, char::from(digit))?;
            if shift == 0 {
                break;
            }
            shift -= 6;
        }
        match repeat.checked_sub(1) {
            Some(suffix) => write!(f, ".{suffix}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Offset {
    type Err = NoOffset;

    fn from_str(text: &str) -> Result<Self, NoOffset> {
        let (digits, repeat) = match text.split_once('.') {
            None => (text, 0),
            Some((digits, suffix)) => {
                let suffix: u64 = suffix.parse().map_err(|_| NoOffset)?;
                (digits, suffix.checked_add(1).ok_or(NoOffset)?)
            }
        };
        if digits.is_empty() || digits.len() > MAX_DIGITS || repeat > MAX_REPEAT {
            return Err(NoOffset);
        }
        let mut millis: u64 = 0;
        for digit in digits.bytes() {
            let place = DIGITS.iter().position(|&known| known == digit);
            let value = place.and_then(|place| u64::try_from(place).ok());
            millis = (millis << 6) | value.ok_or(NoOffset)?;
        }
        if millis > MAX_MILLIS {
            return Err(NoOffset);
        }
        let offset = Self(millis << REPEAT_BITS | repeat);
        // Another way to write the same number was not ours.
        (offset.to_string() == text)
            .then_some(offset)
            .ok_or(NoOffset)
    }
}

/// The text is no offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoOffset;
