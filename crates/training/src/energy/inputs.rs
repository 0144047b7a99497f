//! What a forecast sees: loads up to midnight and the calendar.

use super::series::{Calendar, Day, SLOTS, mean};

/// Slots on either side that smooth a day's course.
const SMOOTH: usize = 6;
/// Days of a kind that an exponential mean looks back at.
const BACK: usize = 40;

/// Names of the inputs, in their order.
pub fn names() -> Vec<String> {
    [
        "weekday course, slow",
        "weekday course, quick",
        "day class course, very slow",
        "day class course, slow",
        "day class course, quick",
        "course of all days",
        "quarter of an hour",
        "weekday",
        "day class",
        "yesterday's course",
        "last week's course",
        "yesterday's mean",
        "mean two days ago",
        "mean three days ago",
        "mean a week ago",
        "last hour of yesterday",
        "last four hours of yesterday",
        "last twelve hours of yesterday",
        "mean of seven days",
        "mean of twenty-eight days",
        "mean of three days of the class",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// The inputs of each slot of the day after `history`.
pub fn of_day(history: &[Day], calendar: &Calendar) -> Vec<Vec<f64>> {
    let smooth: Vec<Vec<f64>> =
        history.iter().rev().take(BACK * 7).rev().map(|day| smoothed(&day.load)).collect();
    let offset = history.len() - smooth.len();
    let course = |like: &dyn Fn(&Day) -> bool, newest: f64| {
        let days: Vec<&Vec<f64>> = history[offset..]
            .iter()
            .zip(&smooth)
            .filter(|(day, _)| like(day))
            .map(|(_, course)| course)
            .collect();
        exponential(&days[days.len().saturating_sub(BACK)..], newest)
    };
    let weekday =
        |day: &Day| day.calendar.class() == calendar.class() && day.calendar.weekday == calendar.weekday;
    let class = |day: &Day| day.calendar.class() == calendar.class();
    let courses = [
        course(&weekday, 0.15),
        course(&weekday, 0.4),
        course(&class, 0.05),
        course(&class, 0.2),
        course(&class, 0.5),
        course(&|_| true, 0.1),
    ];
    let ago = |days: usize| history.len().checked_sub(days).map(|at| &history[at]);
    let level = |days: usize| ago(days).map_or(f64::NAN, |day| day.mean_from(0));
    let evening = |from: usize| ago(1).map_or(f64::NAN, |day| day.mean_from(from));
    let course_ago = |days: usize| smooth.len().checked_sub(days).map(|at| &smooth[at]);
    let recent = |days: usize| mean(history.iter().rev().take(days).map(|day| day.mean_from(0)));
    let of_class = mean(history.iter().rev().filter(|day| class(day)).take(3).map(|day| day.mean_from(0)));
    let constants = [
        level(1),
        level(2),
        level(3),
        level(7),
        evening(SLOTS - 4),
        evening(SLOTS - 16),
        evening(SLOTS / 2),
        recent(7),
        recent(28),
        of_class,
    ];
    (0..SLOTS)
        .map(|slot| {
            let mut row: Vec<f64> = courses.iter().map(|course| course[slot]).collect();
            row.extend([slot as f64, f64::from(calendar.weekday), calendar.class() as f64]);
            row.extend([1, 7].map(|days| course_ago(days).map_or(f64::NAN, |course| course[slot])));
            row.extend(constants);
            row
        })
        .collect()
}

/// A day's course, smoothed by a Gaussian of two slots; absent slots are bridged.
fn smoothed(load: &[f64]) -> Vec<f64> {
    (0..SLOTS)
        .map(|slot| {
            let (mut sum, mut weights) = (0.0, 0.0);
            let from = slot.saturating_sub(SMOOTH);
            let near = &load[from..(slot + SMOOTH + 1).min(SLOTS)];
            for (other, value) in near.iter().enumerate().filter(|(_, value)| value.is_finite()) {
                let distance = ((from + other) as f64 - slot as f64) / 2.0;
                let weight = (-0.5 * distance * distance).exp();
                sum += weight * value;
                weights += weight;
            }
            sum / weights
        })
        .collect()
}

/// Exponentially weighted mean course; NaN where no day knows a slot.
fn exponential(days: &[&Vec<f64>], newest: f64) -> Vec<f64> {
    (0..SLOTS)
        .map(|slot| {
            let (mut sum, mut weights, mut weight) = (0.0, 0.0, 1.0);
            for day in days.iter().rev() {
                if day[slot].is_finite() {
                    sum += weight * day[slot];
                    weights += weight;
                }
                weight *= 1.0 - newest;
            }
            sum / weights
        })
        .collect()
}
