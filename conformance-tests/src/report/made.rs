//! When, with what and in how long a report was made.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The packages of the reference, in the versions that the rules were last checked with.
const NODE_PACKAGES: &str = include_str!("../../node/package.json");

/// When, with what and in how long a report was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Made {
    /// When the run began: `2026-01-31 14:03 UTC`, or the day alone.
    pub at: String,
    /// The suite's version.
    pub suite: String,
    /// What the rules were checked against, with versions.
    pub reference: String,
    /// How long the run took, in whole seconds, rounded up.
    pub seconds: u64,
}

impl Made {
    /// Now, by a run that took so long.
    #[expect(
        clippy::disallowed_methods,
        reason = "a report carries the date on which it was made"
    )]
    pub(crate) fn now(took: Duration) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let began = now.unwrap_or_default().saturating_sub(took).as_secs();
        Self {
            at: written(began),
            suite: env!("CARGO_PKG_VERSION").to_owned(),
            reference: reference(),
            seconds: took.as_secs() + u64::from(took.subsec_nanos() > 0),
        }
    }

    /// The day without the time.
    pub(super) fn steady(&mut self) {
        self.at.truncate("2026-01-31".len());
    }

    /// One more run, of another profile: the report is as old as its oldest part.
    pub(super) fn add(&mut self, other: &Self) {
        self.seconds += other.seconds;
        if other.at < self.at {
            self.at.clone_from(&other.at);
        }
    }

    /// On one line.
    pub(super) fn line(&self) -> String {
        format!(
            "{}, {} s, conformance-tests {}",
            self.at, self.seconds, self.suite
        )
    }
}

/// The reference's packages and their versions.
pub(super) fn reference() -> String {
    let package: serde_json::Value =
        serde_json::from_str(NODE_PACKAGES).expect("the committed package.json is JSON");
    let version = |name: &str| package["dependencies"][name].as_str().unwrap_or("?");
    format!(
        "socket.io {} with engine.io {}",
        version("socket.io"),
        version("engine.io")
    )
}

/// Seconds since 1970 as date and time.
fn written(unix: u64) -> String {
    let (days, rest) = (unix / 86_400, unix % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute) = (rest / 3600, rest / 60 % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

/// The date so many days after 1970-01-01: years begin in March here, so that the leap day is their last.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_OF_400_YEARS: u64 = 146_097;
    const DAYS_FROM_MARCH_0_TO_1970: u64 = 719_468;
    let days = days + DAYS_FROM_MARCH_0_TO_1970;
    let (era, day_of_era) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
    let leap_days = day_of_era / 1460 + day_of_era / 146_096 - day_of_era / 36_524;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::{reference, written};

    #[test]
    fn a_date_is_that_of_the_calendar() {
        for (unix, expected) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_399, "2000-02-28 23:59 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (951_868_800, "2000-03-01 00:00 UTC"),
            (1_735_689_599, "2024-12-31 23:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00 UTC"),
        ] {
            assert_eq!(written(unix), expected);
        }
    }

    #[test]
    fn the_reference_is_named_with_its_versions() {
        assert!(!reference().contains('?'), "{}", reference());
    }
}
