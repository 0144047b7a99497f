//! Roll-ups: count, sum, minimum, maximum, sum of squares, first and last of each device, signal and minute or hour.

use std::sync::Arc;

use twinwright_core::time::{Micros, SECOND};

use crate::table::{Table, Values};

/// One minute.
pub(crate) const MINUTE: Micros = 60 * SECOND;
/// One hour.
pub(crate) const HOUR: Micros = 3_600 * SECOND;

/// What is known of the values of a signal in a span of time. Absent values count nowhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Number of values.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// Sum of their squares.
    pub sum_of_squares: f64,
    /// The earliest.
    pub first: f64,
    /// The latest.
    pub last: f64,
}

impl Summary {
    /// Of no value.
    pub const EMPTY: Self = Self {
        count: 0,
        sum: 0.0,
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
        sum_of_squares: 0.0,
        first: f64::NAN,
        last: f64::NAN,
    };

    /// Adds values in the order of time, later than all before.
    pub fn add(&mut self, values: &[f64]) {
        for &value in values {
            if value.is_nan() {
                continue;
            }
            if self.count == 0 {
                self.first = value;
            }
            self.last = value;
            self.count += 1;
            self.sum += value;
            self.sum_of_squares += value * value;
            self.min = if value < self.min { value } else { self.min };
            self.max = if value > self.max { value } else { self.max };
        }
    }

    /// Adds what is known of a later span.
    pub fn merge(&mut self, later: &Self) {
        if later.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *later;
            return;
        }
        self.count += later.count;
        self.sum += later.sum;
        self.sum_of_squares += later.sum_of_squares;
        self.min = self.min.min(later.min);
        self.max = self.max.max(later.max);
        self.last = later.last;
    }

    /// The mean; `None` of no value.
    pub fn mean(&self) -> Option<f64> {
        #[allow(clippy::cast_precision_loss, reason = "no signal has 2^53 values in a bucket")]
        let count = self.count as f64;
        (self.count > 0).then(|| self.sum / count)
    }
}

/// Columns of roll-ups; one entry a device, signal and bucket in each.
#[derive(Clone, Debug, Default)]
pub(crate) struct RollUpRows {
    pub(crate) device: Vec<u32>,
    /// Number of the signal's column.
    pub(crate) signal: Vec<u32>,
    pub(crate) time: Vec<Micros>,
    pub(crate) count: Vec<i64>,
    /// sum, min, max, sum_sq, first, last.
    pub(crate) values: [Vec<f64>; 6],
}

impl RollUpRows {
    pub(crate) fn rows(&self) -> usize {
        self.time.len()
    }

    /// Appends the buckets of a series.
    pub(crate) fn extend(&mut self, device: u32, signal: u32, buckets: &[(Micros, Summary)]) {
        let rows = self.rows() + buckets.len();
        self.device.resize(rows, device);
        self.signal.resize(rows, signal);
        self.time.extend(buckets.iter().map(|(time, _)| *time));
        self.count.extend(buckets.iter().map(|(_, summary)| summary.count.cast_signed()));
        let [sum, min, max, sum_of_squares, first, last] = &mut self.values;
        sum.extend(buckets.iter().map(|(_, summary)| summary.sum));
        min.extend(buckets.iter().map(|(_, summary)| summary.min));
        max.extend(buckets.iter().map(|(_, summary)| summary.max));
        sum_of_squares.extend(buckets.iter().map(|(_, summary)| summary.sum_of_squares));
        first.extend(buckets.iter().map(|(_, summary)| summary.first));
        last.extend(buckets.iter().map(|(_, summary)| summary.last));
    }

    pub(crate) fn clear(&mut self) {
        self.device.clear();
        self.signal.clear();
        self.time.clear();
        self.count.clear();
        self.values.iter_mut().for_each(Vec::clear);
    }
}

/// Takes sorted rows, gives sorted roll-ups of a minute and an hour.
#[derive(Debug)]
pub(super) struct RollUpBuilder {
    device: Option<u32>,
    /// Buckets of each column of the device at hand.
    series: Vec<Vec<(Micros, Summary)>>,
    /// Signals' column numbers in the order of their names.
    by_name: Vec<usize>,
    spans: Vec<(Micros, usize, usize)>,
    hours: Vec<(Micros, Summary)>,
}

/// What a builder has ready.
#[derive(Debug, Default)]
pub(super) struct Ready {
    pub(super) minute: RollUpRows,
    pub(super) hour: RollUpRows,
}

impl RollUpBuilder {
    /// For these signals: column number and name.
    pub(super) fn new(mut signals: Vec<(usize, Arc<str>)>) -> Self {
        signals.sort_by(|a, b| a.1.cmp(&b.1));
        let width = signals.iter().map(|(at, _)| at + 1).max().unwrap_or(0);
        Self {
            device: None,
            series: vec![Vec::new(); width],
            by_name: signals.into_iter().map(|(at, _)| at).collect(),
            spans: Vec::new(),
            hours: Vec::new(),
        }
    }

    /// Takes the next rows.
    pub(super) fn add(&mut self, rows: &Table, ready: &mut Ready) {
        let mut start = 0;
        while start < rows.rows() {
            let device = rows.device[start];
            let length = rows.device[start..].partition_point(|&other| other == device);
            if self.device != Some(device) {
                self.flush(ready);
                self.device = Some(device);
            }
            self.add_device(rows, start, start + length);
            start += length;
        }
    }

    fn add_device(&mut self, rows: &Table, start: usize, end: usize) {
        let mut spans = std::mem::take(&mut self.spans);
        spans.clear();
        let mut at = start;
        while at < end {
            let bucket = floor(rows.time[at], MINUTE);
            let limit = bucket.saturating_add(MINUTE);
            let mut next = at + 1;
            while next < end && rows.time[next] < limit {
                next += 1;
            }
            spans.push((bucket, at, next));
            at = next;
        }
        for &signal in &self.by_name {
            let Some(Values::Doubles(values)) = rows.columns.get(signal) else { continue };
            let series = &mut self.series[signal];
            for &(bucket, from, to) in &spans {
                match series.last_mut() {
                    Some((open, summary)) if *open == bucket => summary.add(&values[from..to]),
                    _ => {
                        let mut summary = Summary::EMPTY;
                        summary.add(&values[from..to]);
                        if summary.count > 0 {
                            series.push((bucket, summary));
                        }
                    }
                }
            }
        }
        self.spans = spans;
    }

    /// Gives out the device at hand.
    pub(super) fn flush(&mut self, ready: &mut Ready) {
        let Some(device) = self.device.take() else { return };
        for &signal in &self.by_name {
            let series = &mut self.series[signal];
            let number = u32::try_from(signal).unwrap_or(u32::MAX);
            ready.minute.extend(device, number, series);
            self.hours.clear();
            for (time, summary) in series.drain(..) {
                let start = floor(time, HOUR);
                match self.hours.last_mut() {
                    Some((open, whole)) if *open == start => whole.merge(&summary),
                    _ => self.hours.push((start, summary)),
                }
            }
            ready.hour.extend(device, number, &self.hours);
        }
    }
}

/// Start of the bucket of a time.
pub(crate) fn floor(time: Micros, span: Micros) -> Micros {
    time.saturating_sub(time.rem_euclid(span))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_go_on_over_the_border_of_pieces() {
        let table = |device: Vec<u32>, time: Vec<Micros>, values: Vec<f64>| Table {
            enqueued: time.clone(),
            sequence: vec![0; time.len()],
            source: vec![0; time.len()],
            device,
            time,
            columns: vec![Values::Absent, Values::Absent, Values::Absent, Values::Doubles(values)],
        };
        let mut builder = RollUpBuilder::new(vec![(3, "speed".into())]);
        let mut ready = Ready::default();
        let second = SECOND;
        builder
            .add(&table(vec![0, 0, 0], vec![0, second, 70 * second], vec![5.0, f64::NAN, 1.0]), &mut ready);
        builder.add(
            &table(vec![0, 0, 1], vec![80 * second, 4_000 * second, 0], vec![3.0, 7.0, 9.0]),
            &mut ready,
        );
        builder.flush(&mut ready);
        assert_eq!(ready.minute.device, [0, 0, 0, 1]);
        assert_eq!(ready.minute.time, [0, MINUTE, 66 * MINUTE, 0]);
        assert_eq!(ready.minute.count, [1, 2, 1, 1]);
        assert_eq!(ready.minute.values[0], [5.0, 4.0, 7.0, 9.0]);
        assert_eq!(ready.hour.time, [0, HOUR, 0]);
        let columns = ready.hour.values.clone().map(|column| column[0]);
        assert_eq!((ready.hour.count[0], columns), (3, [9.0, 1.0, 5.0, 35.0, 5.0, 3.0]));
    }

    #[test]
    fn times_before_the_epoch_belong_to_the_bucket_before() {
        assert_eq!(floor(-1, MINUTE), -MINUTE);
        assert_eq!(floor(0, MINUTE), 0);
        assert_eq!(floor(Micros::MIN, MINUTE), Micros::MIN);
    }
}
