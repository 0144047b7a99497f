//! Roll-ups: count, sum, minimum, maximum, sum of squares, first and last of each device, signal and minute or hour.

use std::ops::Range;
use std::sync::Arc;

use twinwright_core::time::{Micros, SECOND};

use super::Summary;
use crate::table::{Table, Values};

/// One minute.
pub(crate) const MINUTE: Micros = 60 * SECOND;
/// One hour.
pub(crate) const HOUR: Micros = 3_600 * SECOND;

/// Summaries by column.
#[derive(Clone, Debug, Default)]
pub(crate) struct Summaries {
    pub(crate) count: Vec<i64>,
    /// sum, min, max, sum_sq, first, last.
    pub(crate) values: [Vec<f64>; 6],
}

impl Summaries {
    fn len(&self) -> usize {
        self.count.len()
    }

    fn push(&mut self, summary: &Summary) {
        self.count.push(summary.count.cast_signed());
        for (ours, value) in self.values.iter_mut().zip(summary.values()) {
            ours.push(value);
        }
    }

    fn at(&self, at: usize) -> Summary {
        let [sum, min, max, sum_of_squares, first, last] = &self.values;
        Summary {
            count: self.count[at].cast_unsigned(),
            sum: sum[at],
            min: min[at],
            max: max[at],
            sum_of_squares: sum_of_squares[at],
            first: first[at],
            last: last[at],
        }
    }

    fn truncate(&mut self, length: usize) {
        self.count.truncate(length);
        self.values.iter_mut().for_each(|values| values.truncate(length));
    }

    /// Appends what is known of each span of values.
    fn add(&mut self, values: &[f64], spans: &[Range<usize>]) {
        let [sum, min, max, sum_of_squares, first, last] = std::mem::take(&mut self.values);
        let mut columns = (std::mem::take(&mut self.count), sum, min, max, sum_of_squares, first, last);
        columns.extend(spans.iter().map(|span| {
            let Summary { count, sum, min, max, sum_of_squares, first, last } =
                Summary::of(&values[span.clone()]);
            (count.cast_signed(), sum, min, max, sum_of_squares, first, last)
        }));
        let (count, sum, min, max, sum_of_squares, first, last) = columns;
        *self = Self { count, values: [sum, min, max, sum_of_squares, first, last] };
    }

    /// Appends another's.
    fn extend(&mut self, other: &Self, range: Range<usize>) {
        self.count.extend_from_slice(&other.count[range.clone()]);
        for (ours, values) in self.values.iter_mut().zip(&other.values) {
            ours.extend_from_slice(&values[range.clone()]);
        }
    }

    /// All of a range as one.
    fn merged(&self, range: Range<usize>) -> Summary {
        let mut whole = Summary::EMPTY;
        range.for_each(|at| whole.merge(&self.at(at)));
        whole
    }
}

/// Columns of roll-ups; one entry a device, signal and bucket in each.
#[derive(Clone, Debug, Default)]
pub(crate) struct RollUpRows {
    /// Devices and the rows that each has, one behind the other.
    pub(crate) device: Vec<(u32, usize)>,
    /// Numbers of the signals' columns and the rows of each.
    pub(crate) signal: Vec<(u32, usize)>,
    pub(crate) time: Vec<Micros>,
    pub(crate) summaries: Summaries,
}

impl RollUpRows {
    pub(crate) fn rows(&self) -> usize {
        self.time.len()
    }

    /// Takes the summaries behind the rows as rows of a series; those of no value go again.
    fn take(&mut self, device: u32, signal: u32, times: &[Micros]) {
        let start = self.rows();
        self.time.extend_from_slice(times);
        if self.summaries.count[start..].contains(&0) {
            let mut next = start;
            for at in start..self.time.len() {
                if self.summaries.count[at] > 0 {
                    self.time[next] = self.time[at];
                    self.summaries.count[next] = self.summaries.count[at];
                    self.summaries.values.iter_mut().for_each(|values| values[next] = values[at]);
                    next += 1;
                }
            }
            self.time.truncate(next);
            self.summaries.truncate(next);
        }
        let rows = self.rows() - start;
        for (runs, code) in [(&mut self.device, device), (&mut self.signal, signal)] {
            match runs.last_mut() {
                Some((last, count)) if *last == code => *count += rows,
                _ if rows > 0 => runs.push((code, rows)),
                _ => {}
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        self.device.clear();
        self.signal.clear();
        self.time.clear();
        self.summaries.truncate(0);
    }
}

/// Takes sorted rows, gives sorted roll-ups of a minute and an hour.
#[derive(Debug)]
pub(super) struct RollUpBuilder {
    /// The device of which more may come.
    open: Option<u32>,
    /// Starts of its buckets so far.
    times: Vec<Micros>,
    /// Of each column, what is known of them. A column that ends early has no values in the rest.
    series: Vec<Summaries>,
    /// Signals' column numbers in the order of their names.
    by_name: Vec<usize>,
    /// Starts and rows of the buckets at hand.
    cuts: (Vec<Micros>, Vec<Range<usize>>),
    hours: (Vec<Micros>, Vec<Range<usize>>),
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
            open: None,
            times: Vec::new(),
            series: std::iter::repeat_with(Summaries::default).take(width).collect(),
            by_name: signals.into_iter().map(|(at, _)| at).collect(),
            cuts: Default::default(),
            hours: Default::default(),
        }
    }

    /// Takes the next rows.
    pub(super) fn add(&mut self, rows: &Table, ready: &mut Ready) {
        let mut start = 0;
        while start < rows.rows() {
            let device = rows.device[start];
            let end = start + rows.device[start..].partition_point(|&other| other == device);
            if self.open != Some(device) {
                self.flush(ready);
            }
            cut(&rows.time, start..end, MINUTE, &mut self.cuts);
            if self.open.is_none() && end < rows.rows() {
                self.whole(device, rows, ready);
            } else {
                self.open = Some(device);
                self.part(rows);
            }
            start = end;
        }
    }

    /// All rows of a device.
    fn whole(&mut self, device: u32, rows: &Table, ready: &mut Ready) {
        cut(&self.cuts.0, 0..self.cuts.0.len(), HOUR, &mut self.hours);
        for &signal in &self.by_name {
            let Some(Values::Doubles(values)) = rows.columns.get(signal) else { continue };
            let start = ready.minute.rows();
            ready.minute.summaries.add(values, &self.cuts.1);
            add_hours(&mut ready.hour, device, signal, &self.hours, &ready.minute.summaries, start);
            ready.minute.take(device, number(signal), &self.cuts.0);
        }
    }

    /// Some rows of the open device.
    fn part(&mut self, rows: &Table) {
        let known = self.times.len();
        let (times, spans) = &self.cuts;
        let goes_on = known > 0 && self.times.last() == times.first();
        for &signal in &self.by_name {
            let Some(Values::Doubles(values)) = rows.columns.get(signal) else { continue };
            let series = &mut self.series[signal];
            while series.len() < known {
                series.push(&Summary::EMPTY);
            }
            if goes_on {
                let mut last = series.at(known - 1);
                last.add(&values[spans[0].clone()]);
                series.truncate(known - 1);
                series.push(&last);
            }
            series.add(values, &spans[usize::from(goes_on)..]);
        }
        self.times.extend_from_slice(&times[usize::from(goes_on)..]);
    }

    /// Gives out the open device.
    pub(super) fn flush(&mut self, ready: &mut Ready) {
        let Some(device) = self.open.take() else { return };
        cut(&self.times, 0..self.times.len(), HOUR, &mut self.hours);
        for &signal in &self.by_name {
            let series = &mut self.series[signal];
            while series.len() > 0 && series.len() < self.times.len() {
                series.push(&Summary::EMPTY);
            }
            if series.len() > 0 {
                add_hours(&mut ready.hour, device, signal, &self.hours, series, 0);
                ready.minute.summaries.extend(series, 0..self.times.len());
                ready.minute.take(device, number(signal), &self.times);
                series.truncate(0);
            }
        }
        self.times.clear();
    }
}

/// A column's number as rows have it.
fn number(signal: usize) -> u32 {
    u32::try_from(signal).unwrap_or(u32::MAX)
}

/// Appends the hours that a series' minutes make, of which the first is at `start`.
fn add_hours(
    hours: &mut RollUpRows,
    device: u32,
    signal: usize,
    (times, spans): &(Vec<Micros>, Vec<Range<usize>>),
    minutes: &Summaries,
    start: usize,
) {
    for span in spans {
        hours.summaries.push(&minutes.merged(start + span.start..start + span.end));
    }
    hours.take(device, number(signal), times);
}

/// Cuts ascending times into buckets: their starts, and their places.
fn cut(times: &[Micros], range: Range<usize>, width: Micros, cuts: &mut (Vec<Micros>, Vec<Range<usize>>)) {
    cuts.0.clear();
    cuts.1.clear();
    let mut at = range.start;
    while at < range.end {
        let bucket = floor(times[at], width);
        let limit = bucket.saturating_add(width);
        let next = at + 1 + times[at + 1..range.end].iter().take_while(|&&time| time < limit).count();
        cuts.0.push(bucket);
        cuts.1.push(at..next);
        at = next;
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
        assert_eq!(ready.minute.device, [(0, 3), (1, 1)]);
        assert_eq!(ready.minute.time, [0, MINUTE, 66 * MINUTE, 0]);
        assert_eq!(ready.minute.summaries.count, [1, 2, 1, 1]);
        assert_eq!(ready.minute.summaries.values[0], [5.0, 4.0, 7.0, 9.0]);
        assert_eq!(ready.hour.time, [0, HOUR, 0]);
        let columns = ready.hour.summaries.values.clone().map(|column| column[0]);
        assert_eq!((ready.hour.summaries.count[0], columns), (3, [9.0, 1.0, 5.0, 35.0, 5.0, 3.0]));
    }

    #[test]
    fn times_before_the_epoch_belong_to_the_bucket_before() {
        assert_eq!(floor(-1, MINUTE), -MINUTE);
        assert_eq!(floor(0, MINUTE), 0);
        assert_eq!(floor(Micros::MIN, MINUTE), Micros::MIN);
    }
}
