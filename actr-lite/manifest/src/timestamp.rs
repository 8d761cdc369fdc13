use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;
use toml::value::Datetime;

use crate::expecting::parsed;

/// A moment, as RFC 3339 writes it: `2024-01-15T10:30:00Z`. It is compared as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Timestamp(String);

const SECONDS_PER_DAY: u64 = 86_400;

/// The last second of the year 9999, the last that RFC 3339 has digits for.
const LAST_SECOND: u64 = 253_402_300_799;

impl Timestamp {
    /// The moment this many seconds after 1970-01-01T00:00:00Z; the end of the year 9999 for any later one.
    pub fn from_unix_seconds(seconds: u64) -> Self {
        let seconds = seconds.min(LAST_SECOND);
        let (year, month, day) = civil_date(seconds / SECONDS_PER_DAY);
        let second_of_day = seconds % SECONDS_PER_DAY;
        let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
        Self(format!(
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        ))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Year, month and day of the Gregorian calendar, this many days after 1970-01-01. It counts in eras of 400 years from
/// a 1st of March, so that the leap day is the last of its year.
fn civil_date(days: u64) -> (u64, u64, u64) {
    const DAYS_PER_ERA: u64 = 146_097;
    const DAYS_FROM_0000_03_01_TO_1970_01_01: u64 = 719_468;
    let days = days + DAYS_FROM_0000_03_01_TO_1970_01_01;
    let day_of_era = days % DAYS_PER_ERA;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = days / DAYS_PER_ERA * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

/// Why a text is not a [`Timestamp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a time of RFC 3339, like 2024-01-15T10:30:00Z")]
pub struct ParseTimestampError;

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let datetime: Datetime = text.parse().map_err(|_| ParseTimestampError)?;
        match (datetime.date, datetime.time, datetime.offset) {
            (Some(_), Some(_), Some(_)) => Ok(Self(text.into())),
            _ => Err(ParseTimestampError),
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_moments_have_their_text() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_705_314_600, "2024-01-15T10:30:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (LAST_SECOND, "9999-12-31T23:59:59Z"),
            (u64::MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Timestamp::from_unix_seconds(seconds).as_str(), text);
        }
    }

    #[test]
    fn a_text_without_date_time_or_offset_is_refused() {
        assert!("2024-01-15T10:30:00.123456+02:00".parse::<Timestamp>().is_ok());
        for text in [
            "",
            "2024-01-15",
            "10:30:00",
            "2024-01-15T10:30:00",
            "2024-13-15T10:30:00Z",
            "yesterday",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_second_is_read_back_and_a_later_one_sorts_later(seconds in 0..LAST_SECOND) {
            let timestamp = Timestamp::from_unix_seconds(seconds);
            prop_assert_eq!(&timestamp.as_str().parse::<Timestamp>().unwrap(), &timestamp);
            let next = Timestamp::from_unix_seconds(seconds + 1);
            prop_assert!(next.as_str() > timestamp.as_str());
        }
    }
}
