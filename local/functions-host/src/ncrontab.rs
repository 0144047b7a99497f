//! NCRONTAB: `{second} {minute} {hour} {day} {month} {day of week}`, as timer triggers use it.
//!
//! Each field takes `*`, a number, a range `a-b`, a step `*/n`, `a/n` or `a-b/n`, a list of those, and English names of
//! months and days. Five fields mean second 0. A time must fit the day of the month *and* the day of the week.
//! A .NET time span (`00:05:00`) instead of fields means a fixed interval.

use std::{str::FromStr, time::Duration};

use chrono::{DateTime, Datelike, TimeDelta, TimeZone, Timelike, Utc};

use crate::settings::parse_timespan;

/// When a timer runs; in UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// Calendar fields.
    Cron(Cron),
    /// A fixed interval from the last run.
    Every(Duration),
}

/// The six fields as bit sets: bit n is set when value n fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    seconds: u64,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
}

/// What is wrong with a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Not five or six fields, nor a time span.
    #[error(
        "has {0} fields; write {{second}} {{minute}} {{hour}} {{day}} {{month}} {{day of week}}, such as 0 */5 * * * *"
    )]
    Fields(usize),
    /// A field that cannot be read.
    #[error(
        "{field} field {text:?} cannot be read: use values from {least} to {most}, *, a-b, */n or a list of those"
    )]
    Field {
        /// Which field.
        field: &'static str,
        /// Its text.
        text: String,
        /// Smallest value.
        least: u32,
        /// Largest value.
        most: u32,
    },
    /// Fits no date, such as 30 February.
    #[error("never happens: no month of the field has that day")]
    Never,
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// February 29 on a given weekday comes back within 40 years, also over a century's missing leap day.
const HORIZON_DAYS: i64 = 366 * 41;

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains(':')
            && let Some(interval) = parse_timespan(text)
            && !interval.is_zero()
        {
            return Ok(Self::Every(interval));
        }
        text.parse().map(Self::Cron)
    }
}

impl Schedule {
    /// The first time strictly after `time`.
    pub fn next_after(&self, time: DateTime<Utc>) -> DateTime<Utc> {
        let far = || time + TimeDelta::days(HORIZON_DAYS);
        match self {
            Self::Cron(cron) => cron.next_after(time).unwrap_or_else(far),
            Self::Every(interval) => TimeDelta::from_std(*interval)
                .ok()
                .and_then(|delta| time.checked_add_signed(delta))
                .unwrap_or_else(far),
        }
    }

    /// Whether two runs can be less than a minute apart; the real host keeps no status of such timers.
    pub fn is_sub_minute(&self, from: DateTime<Utc>) -> bool {
        let first = self.next_after(from);
        (0..5)
            .scan(first, |last, _| {
                let next = self.next_after(*last);
                let gap = next - *last;
                *last = next;
                Some(gap)
            })
            .any(|gap| gap < TimeDelta::minutes(1))
    }
}

impl FromStr for Cron {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut fields: Vec<&str> = text.split_whitespace().collect();
        if fields.len() == 5 {
            fields.insert(0, "0");
        }
        let [seconds, minutes, hours, days, months, weekdays] = fields[..] else {
            return Err(ScheduleError::Fields(fields.len()));
        };
        let cron = Self {
            seconds: set("second", seconds, 0, 59, &[])?,
            minutes: set("minute", minutes, 0, 59, &[])?,
            hours: set("hour", hours, 0, 23, &[])?,
            days: set("day", days, 1, 31, &[])?,
            months: set("month", months, 1, 12, &MONTHS)?,
            weekdays: set("day of week", weekdays, 0, 6, &WEEKDAYS)?,
        };
        cron.next_after(DateTime::UNIX_EPOCH).ok_or(ScheduleError::Never)?;
        Ok(cron)
    }
}

impl Cron {
    /// Whether `time`, to the second, fits.
    pub fn fits(&self, time: DateTime<Utc>) -> bool {
        self.fits_day(time)
            && has(self.hours, time.hour())
            && has(self.minutes, time.minute())
            && has(self.seconds, time.second())
    }

    fn fits_day(&self, time: DateTime<Utc>) -> bool {
        has(self.months, time.month())
            && has(self.days, time.day())
            && has(self.weekdays, time.weekday().num_days_from_sunday())
    }

    /// The first fitting time strictly after `time`; none when there is none within forty years.
    pub fn next_after(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let start = time.with_nanosecond(0)?.checked_add_signed(TimeDelta::seconds(1))?;
        let mut second_of_day = start.num_seconds_from_midnight();
        let mut day = midnight(start)?;
        for _ in 0..HORIZON_DAYS {
            if self.fits_day(day)
                && let Some(found) = self.next_in_day(second_of_day)
            {
                return day.checked_add_signed(TimeDelta::seconds(i64::from(found)));
            }
            second_of_day = 0;
            day = day.checked_add_signed(TimeDelta::days(1))?;
        }
        None
    }

    fn next_in_day(&self, from: u32) -> Option<u32> {
        let (hour, minute, second) = (from / 3600, from / 60 % 60, from % 60);
        if has(self.hours, hour) {
            if has(self.minutes, minute)
                && let Some(second) = at_or_after(self.seconds, second)
            {
                return Some(hour * 3600 + minute * 60 + second);
            }
            if let Some(minute) = at_or_after(self.minutes, minute + 1) {
                return Some(hour * 3600 + minute * 60 + self.seconds.trailing_zeros());
            }
        }
        let hour = at_or_after(self.hours, hour + 1)?;
        Some(hour * 3600 + self.minutes.trailing_zeros() * 60 + self.seconds.trailing_zeros())
    }
}

fn midnight(time: DateTime<Utc>) -> Option<DateTime<Utc>> {
    Some(Utc.from_utc_datetime(&time.date_naive().and_hms_opt(0, 0, 0)?))
}

fn has(set: u64, value: u32) -> bool {
    value < 64 && set >> value & 1 == 1
}

fn at_or_after(set: u64, value: u32) -> Option<u32> {
    let rest = set.checked_shr(value)?;
    (rest != 0).then(|| value + rest.trailing_zeros())
}

fn set(field: &'static str, text: &str, least: u32, most: u32, names: &[&str]) -> Result<u64, ScheduleError> {
    let wrong = || ScheduleError::Field { field, text: text.to_owned(), least, most };
    let value = |text: &str| -> Option<u32> {
        let lower = text.to_ascii_lowercase();
        // Names may be written out; three letters decide, as in NCrontab.
        let named = names.iter().position(|name| lower.len() >= 3 && lower.starts_with(name));
        match named {
            Some(index) => Some(u32::try_from(index).ok()? + least),
            None => {
                let number =
                    lower.parse::<u32>().ok().filter(|_| lower.bytes().all(|byte| byte.is_ascii_digit()))?;
                (least..=most).contains(&number).then_some(number)
            }
        }
    };
    let mut bits = 0;
    for item in text.split(',') {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => {
                (range, Some(step.parse::<u32>().ok().filter(|step| *step > 0).ok_or_else(wrong)?))
            }
            None => (item, None),
        };
        let (first, last) = match (range, range.split_once('-')) {
            ("*", _) => (least, most),
            (_, Some((first, last))) => (value(first).ok_or_else(wrong)?, value(last).ok_or_else(wrong)?),
            (single, None) => {
                let single = value(single).ok_or_else(wrong)?;
                (single, if step.is_some() { most } else { single })
            }
        };
        if first > last {
            return Err(wrong());
        }
        for number in (first..=last).step_by(step.unwrap_or(1) as usize) {
            bits |= 1_u64 << number;
        }
    }
    Ok(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(schedule: &str, from: &str) -> String {
        let from = DateTime::parse_from_rfc3339(from).unwrap().to_utc();
        schedule.parse::<Schedule>().unwrap().next_after(from).to_rfc3339()
    }

    #[test]
    fn examples() {
        for (schedule, from, expected) in [
            ("0 */5 * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:05:00+00:00"),
            ("0 0 9-17 * * MON-FRI", "2026-01-02T17:00:00Z", "2026-01-05T09:00:00+00:00"),
            ("30 5 /6 * * *", "2026-01-01T00:00:00Z", ""),
            ("0 0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00+00:00"),
            ("*/15 * * * * *", "2026-01-01T00:00:59.9Z", "2026-01-01T00:01:00+00:00"),
            ("5,8,10 * * * * *", "2026-01-01T00:00:08Z", "2026-01-01T00:00:10+00:00"),
            ("0 30 9 * Jan Mon", "2026-01-06T00:00:00Z", "2026-01-12T09:30:00+00:00"),
            ("*/5 * * * *", "2026-01-01T00:01:00Z", "2026-01-01T00:05:00+00:00"),
            ("00:10:00", "2026-01-01T00:01:00Z", "2026-01-01T00:11:00+00:00"),
        ] {
            if expected.is_empty() {
                assert!(schedule.parse::<Schedule>().is_err());
            } else {
                assert_eq!(next(schedule, from), expected, "{schedule}");
            }
        }
    }

    #[test]
    fn mistakes_are_named() {
        for wrong in [
            "",
            "* * * *",
            "60 * * * * *",
            "0 0 24 * * *",
            "0 0 0 0 * *",
            "0 0 0 30 2 *",
            "5-1 * * * * *",
            "*/0 * * * * *",
            "+1 * * * * *",
        ] {
            assert!(wrong.parse::<Schedule>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_schedule_below_a_minute_is_recognised() {
        let now = DateTime::UNIX_EPOCH;
        assert!("*/15 * * * * *".parse::<Schedule>().unwrap().is_sub_minute(now));
        assert!(!"0 * * * * *".parse::<Schedule>().unwrap().is_sub_minute(now));
    }
}
