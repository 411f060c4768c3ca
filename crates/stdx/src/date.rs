//! Points in time as text, in UTC: RFC 3339 in lines, and without colons in file names.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A civil date and time in UTC. Times before 1970 are taken for its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    pub year: u64,
    pub month: u64,
    pub day: u64,
    hour: u64,
    minute: u64,
    second: u64,
    milli: u32,
}

impl Date {
    pub fn of(at: SystemTime) -> Self {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (days, rest) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
        let (year, month, day) = civil(days);
        Self {
            year,
            month,
            day,
            hour: rest / 3_600,
            minute: rest / 60 % 60,
            second: rest % 60,
            milli: since.subsec_millis(),
        }
    }

    /// `2026-11-23T09-08-07`: sorts as time does, and every file system takes it.
    pub fn file_stamp(self) -> String {
        let Self { year, month, day, hour, minute, second, milli: _ } = self;
        format!("{year:04}-{month:02}-{day:02}T{hour:02}-{minute:02}-{second:02}")
    }

    /// `2026-11-23`
    pub fn day_stamp(self) -> String {
        let Self { year, month, day, hour: _, minute: _, second: _, milli: _ } = self;
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// `2026-11-23T09:08:07.006Z`
    pub fn rfc3339(self) -> String {
        let Self { year, month, day, hour, minute, second, milli } = self;
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }

    /// The time that [`Self::rfc3339`] wrote; `None` for anything else.
    pub fn parse_rfc3339(text: &str) -> Option<SystemTime> {
        let text = text.strip_suffix('Z')?;
        let (date, time) = text.split_once('T')?;
        let [year, month, day] = numbers(date, '-')?;
        let (time, milli) = time.split_once('.').unwrap_or((time, "0"));
        let [hour, minute, second] = numbers(time, ':')?;
        let milli: u64 = milli.get(..milli.len().min(3))?.parse().ok()?;
        let known = (1970..=9999).contains(&year);
        if !known || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
        UNIX_EPOCH.checked_add(Duration::from_secs(seconds) + Duration::from_millis(milli))
    }
}

fn numbers(text: &str, between: char) -> Option<[u64; 3]> {
    let mut parts = text.split(between).map(|part| part.parse::<u32>().ok().map(u64::from));
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(numbers)
}

/// The proleptic Gregorian date of a day counted from 1970-01-01. Years begin in March
/// here, so that the leap day is the last one (Hinnant's `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let march_month = if 2 < month { month - 3 } else { month + 9 };
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read_back() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_795_472_360, "2026-11-23T22:19:20.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            let at = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(Date::of(at).rfc3339(), text);
            assert_eq!(Date::parse_rfc3339(text), Some(at));
        }
        let at = UNIX_EPOCH + Duration::from_millis(1_795_472_360_042);
        assert_eq!(Date::parse_rfc3339(&Date::of(at).rfc3339()), Some(at));
        assert_eq!(Date::of(at).file_stamp(), "2026-11-23T22-19-20");
    }

    #[test]
    fn other_text_is_no_time() {
        for text in ["", "Z", "2026-13-01T00:00:00Z", "2026-01-01", "0-0-0T0:0:0Z", "é-1-1T1:1:1Z"]
        {
            assert_eq!(Date::parse_rfc3339(text), None, "{text}");
        }
    }
}
