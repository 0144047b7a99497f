//! Loads by the day.

use crate::TrainError;

/// Quarters of an hour of a day.
pub const SLOTS: usize = 96;

/// What is known of a day beforehand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    /// 0 for Monday to 6 for Sunday.
    pub weekday: u8,
    /// Whether the plant plans to stand still (a holiday, a shutdown).
    pub day_off: bool,
}

impl Calendar {
    /// 0 for a working day, 1 for a Saturday, 2 for a Sunday or a day off.
    pub fn class(self) -> usize {
        match (self.day_off, self.weekday) {
            (true, _) | (_, 6) => 2,
            (_, 5) => 1,
            _ => 0,
        }
    }
}

/// A day's loads.
#[derive(Clone, Debug, PartialEq)]
pub struct Day {
    /// The calendar.
    pub calendar: Calendar,
    /// Load of each quarter of an hour, NaN where it is not known ([`SLOTS`]).
    pub load: Vec<f64>,
}

impl Day {
    /// A day of which nothing is known yet.
    pub fn empty(calendar: Calendar) -> Self {
        Self { calendar, load: vec![f64::NAN; SLOTS] }
    }

    /// Mean of the slots from `from` on; NaN where none is known.
    pub(crate) fn mean_from(&self, from: usize) -> f64 {
        mean(self.load[from..].iter().copied())
    }
}

/// Mean of the present values, NaN without any.
pub(crate) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for value in values.filter(|value| value.is_finite()) {
        sum += value;
        count += 1.0;
    }
    sum / count
}

/// Days since 1970-01-01 of a Gregorian date; `None` for a date that does not exist.
pub fn day_number(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = lengths.get(usize::try_from(month - 1).ok()?)?;
    if !(1..=*length).contains(&day) || !(1900..=9999).contains(&year) {
        return None;
    }
    let before = year - 1;
    let years = before * 365 + before / 4 - before / 100 + before / 400;
    let months: i64 = lengths[..(month - 1) as usize].iter().sum();
    Some(years + months + day - 1 - 719_162)
}

/// Weekday of a day number, 0 for Monday.
pub fn weekday(day: i64) -> u8 {
    (day + 3).rem_euclid(7) as u8
}

/// Puts readings into days without holes between the first and the last one.
///
/// # Errors
/// [`TrainError::Shape`] where the days span more than a hundred years.
pub fn days(readings: &[(i64, usize, f64)], days_off: &[i64]) -> Result<Vec<Day>, TrainError> {
    let Some(first) = readings.iter().map(|(day, _, _)| *day).min() else { return Ok(Vec::new()) };
    let last = readings.iter().map(|(day, _, _)| *day).max().unwrap_or(first);
    if last - first > 36_525 {
        return Err(TrainError::Shape { cause: "the days span more than a hundred years".to_owned() });
    }
    let calendar = |day| Calendar { weekday: weekday(day), day_off: days_off.contains(&day) };
    let mut days: Vec<Day> = (first..=last).map(|day| Day::empty(calendar(day))).collect();
    for (day, slot, value) in readings {
        if let Some(place) = days[(day - first) as usize].load.get_mut(*slot) {
            *place = if value.is_finite() { *value } else { f64::NAN };
        }
    }
    // A day that only begins or ends in the readings is not one to learn from.
    let whole = |day: &Day| day.load.iter().filter(|value| value.is_finite()).count() * 2 > SLOTS;
    let from = days.iter().position(whole).unwrap_or(days.len());
    let until = days.iter().rposition(whole).map_or(from, |at| at + 1);
    Ok(days.drain(from..until).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_weekdays() {
        assert_eq!(day_number(1970, 1, 1), Some(0));
        assert_eq!(day_number(2018, 1, 1), Some(17_532));
        assert_eq!(weekday(17_532), 0, "a Monday");
        assert_eq!(day_number(2018, 2, 29), None);
        assert_eq!(day_number(2020, 2, 29).map(weekday), Some(5));
    }
}
