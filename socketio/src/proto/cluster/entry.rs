//! The names of entries of a log that the servers of a cluster share.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::proto::recovery::Offset;

/// The name of an entry of a log that servers share: a time in milliseconds and a number within it, written `millis-number` as
/// Redis writes those of its streams. Of two entries the smaller is that of the one that was written first.
///
/// ```
/// use socketio::cluster::EntryId;
///
/// let id: EntryId = "1700000000000-3".parse()?;
/// assert_eq!((id.millis(), id.number()), (1_700_000_000_000, 3));
/// assert!(id > EntryId::FIRST && "7".parse::<EntryId>().is_err());
/// # Ok::<(), socketio::cluster::NoEntryId>(())
/// ```
//= STR-05
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(Offset);

impl EntryId {
    /// Before all entries: `0-0`.
    pub const FIRST: Self = Self(Offset::FIRST);

    /// The name of an entry. `None` for one that no log of today has: a time behind the year 2527, or more than 2^20 entries in
    /// a millisecond.
    #[must_use]
    pub fn new(millis: u64, number: u64) -> Option<Self> {
        Offset::of_entry(millis, number).map(Self)
    }

    /// The first name in a millisecond, or the one behind another, whichever is later.
    pub(crate) fn behind(last: Self, millis: u64) -> Self {
        Self(last.0.next().max(Offset::at(millis)))
    }

    /// The first name of a time so long before that of this one.
    pub(crate) fn before(self, time: Duration) -> Self {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self(Offset::at(self.millis().saturating_sub(millis)))
    }

    /// The time, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn millis(self) -> u64 {
        self.0.entry().0
    }

    /// The number within the millisecond.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0.entry().1
    }

    pub(crate) fn offset(self) -> Offset {
        self.0
    }

    pub(crate) fn of_offset(offset: Offset) -> Self {
        Self(offset)
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.millis(), self.number())
    }
}

impl FromStr for EntryId {
    type Err = NoEntryId;

    //= STR-06
    fn from_str(text: &str) -> Result<Self, NoEntryId> {
        let number = |digits: &str| {
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|_| is_number)
        };
        let (millis, of_it) = text.split_once('-').ok_or(NoEntryId)?;
        let (millis, of_it) = number(millis).zip(number(of_it)).ok_or(NoEntryId)?;
        Self::new(millis, of_it).ok_or(NoEntryId)
    }
}

/// The text names no entry of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoEntryId;

impl fmt::Display for NoEntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no name of an entry of a log")
    }
}

impl std::error::Error for NoEntryId {}

#[cfg(test)]
mod tests {
    use super::*;

    //= STR-06 test
    #[test]
    fn a_name_is_two_numbers_with_a_dash_in_between() {
        let id = |text: &str| text.parse::<EntryId>();
        assert_eq!(id("0-0"), Ok(EntryId::FIRST));
        assert_eq!(id("12-7").unwrap().to_string(), "12-7");
        let of = |text: &str| id(text).unwrap();
        assert!(of("12-7") < of("12-10") && of("12-10") < of("13-0"));
        for text in [
            "", "-", "1-", "-1", "1", "+1-1", "1-+1", "1-1-1", " 1-1", "a-1", "1.0",
        ] {
            assert_eq!(id(text), Err(NoEntryId), "{text}");
        }
        let max = (1 << 20) - 1;
        assert!(EntryId::new(1, max).is_some(), "at the bound");
        assert_eq!(EntryId::new(1, max + 1), None, "one past it");
        assert_eq!(EntryId::new(u64::MAX, 0), None);
    }

    #[test]
    fn the_next_name_is_later_whatever_the_clock_does() {
        let last = EntryId::new(5, 7).unwrap();
        assert_eq!(EntryId::behind(last, 6).to_string(), "6-0");
        assert_eq!(EntryId::behind(last, 4).to_string(), "5-8");
    }
}
