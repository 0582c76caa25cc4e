//! Dates as JavaScript writes them.

const DAY_MS: i64 = 86_400_000;
/// Days from the first of March of the year 0 to 1970.
const DAYS_TO_1970: i64 = 719_468;
/// Days in 400 years, after which the calendar repeats.
const ERA_DAYS: i64 = 146_097;

/// The date in the form of `Date.prototype.toISOString`.
pub(crate) fn to_iso_string(ms: i64) -> String {
    let (days, ms) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    let (year, month, day) = civil(days);
    let year = match year {
        0..=9_999 => format!("{year:04}"),
        _ if year < 0 => format!("-{:06}", year.unsigned_abs()),
        _ => format!("+{year:06}"),
    };
    let part = |unit: i64, modulus: i64| ms.div_euclid(unit).rem_euclid(modulus);
    format!(
        "{year}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        part(3_600_000, 24),
        part(60_000, 60),
        part(1_000, 60),
        part(1, 1_000),
    )
}

/// Year, month and day of a day that is counted from 1970. Years begin in March here, so that the leap day is the
/// last; the days fit, as milliseconds did.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days.saturating_add(DAYS_TO_1970);
    let era = days.div_euclid(ERA_DAYS);
    let day_of_era = days.rem_euclid(ERA_DAYS);
    let leap_days = |days: i64, every: i64| days.div_euclid(every);
    let year_of_era = day_of_era
        .saturating_sub(leap_days(day_of_era, 1_460))
        .saturating_add(leap_days(day_of_era, 36_524))
        .saturating_sub(leap_days(day_of_era, 146_096))
        .div_euclid(365);
    let days_before = year_of_era
        .saturating_mul(365)
        .saturating_add(leap_days(year_of_era, 4))
        .saturating_sub(leap_days(year_of_era, 100));
    let day_of_year = day_of_era.saturating_sub(days_before);
    let month = day_of_year
        .saturating_mul(5)
        .saturating_add(2)
        .div_euclid(153);
    let day = day_of_year
        .saturating_sub(month.saturating_mul(153).saturating_add(2).div_euclid(5))
        .saturating_add(1);
    let (month, is_next_year) = if month < 10 {
        (month.saturating_add(3), 0)
    } else {
        (month.saturating_sub(9), 1)
    };
    let year = era
        .saturating_mul(400)
        .saturating_add(year_of_era)
        .saturating_add(is_next_year);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::to_iso_string;

    #[test]
    fn dates_are_those_of_javascript() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
            (253_402_300_800_000, "+010000-01-01T00:00:00.000Z"),
            (-62_198_755_200_000, "-000001-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(to_iso_string(ms), text);
        }
    }

    #[test]
    fn extremes_have_some_form() {
        assert!(to_iso_string(i64::MAX).starts_with('+'));
        assert!(to_iso_string(i64::MIN).starts_with('-'));
    }
}
