//! Rows and roll-ups folded into buckets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use twinwright_core::time::Micros;

use super::Bucket;
use crate::compact::{Summary, floor};
use crate::output::ROLL_UP_VALUES;
use crate::segment::Kind;
use crate::table::{Rows, Values};

/// What is known so far.
pub(super) struct Fold {
    pub(super) interval: Micros,
    pub(super) series: BTreeMap<(Arc<str>, Arc<str>), Vec<Bucket>>,
    pub(super) buckets: usize,
}

impl Fold {
    fn series(&mut self, device: &Arc<str>, signal: &Arc<str>) -> &mut Vec<Bucket> {
        self.series.entry((Arc::clone(device), Arc::clone(signal))).or_default()
    }
}

/// Adds to the last bucket or opens the next one.
pub(super) fn push(series: &mut Vec<Bucket>, bucket: Micros, summary: &Summary) -> usize {
    match series.last_mut() {
        Some((open, known)) if *open == bucket => {
            known.merge(summary);
            0
        }
        _ => {
            series.push((bucket, *summary));
            1
        }
    }
}

/// Adds roll-ups of a batch.
pub(super) fn fold_batch(
    batch: &RecordBatch,
    (from, to): (Micros, Micros),
    devices: Option<&BTreeSet<String>>,
    names: &BTreeMap<String, Arc<str>>,
    fold: &mut Fold,
) -> Result<(), String> {
    let column = |name: &str| batch.column_by_name(name).ok_or_else(|| format!("it has no column {name}"));
    let wrong = |name: &str| format!("column {name} has another type");
    let text = |name: &str| column(name)?.as_dictionary_opt::<Int32Type>().ok_or_else(|| wrong(name));
    let (device, signal) = (text("device_id")?, text("signal")?);
    let times = column("ts")?.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(|| wrong("ts"))?;
    let counts = column("count")?.as_primitive_opt::<Int64Type>().ok_or_else(|| wrong("count"))?;
    let mut values = Vec::with_capacity(6);
    for name in ROLL_UP_VALUES {
        values.push(column(name)?.as_primitive_opt::<Float64Type>().ok_or_else(|| wrong(name))?.values());
    }
    let device_texts = device.values().as_string_opt::<i32>().ok_or_else(|| wrong("device_id"))?;
    let signal_texts = signal.values().as_string_opt::<i32>().ok_or_else(|| wrong("signal"))?;
    let (device_keys, signal_keys) = (device.keys().values(), signal.keys().values());
    let mut row = 0;
    while row < batch.num_rows() {
        // Rows are sorted, so those of one series stand together.
        let pair = (device_keys[row], signal_keys[row]);
        let mut end = row + 1;
        while end < batch.num_rows() && (device_keys[end], signal_keys[end]) == pair {
            end += 1;
        }
        let text = |key: i32| usize::try_from(key).unwrap_or(usize::MAX);
        let device = device_texts.value(text(pair.0));
        let name = names.get(signal_texts.value(text(pair.1)));
        if let Some(name) = name.filter(|_| devices.is_none_or(|set| set.contains(device))) {
            let interval = fold.interval;
            let mut opened = 0;
            let series = fold.series(&Arc::from(device), name);
            #[expect(clippy::needless_range_loop, reason = "the row is one of eight columns'")]
            for row in row..end {
                let time = times.value(row);
                if time < from || time >= to {
                    continue;
                }
                let summary = Summary {
                    count: counts.value(row).cast_unsigned(),
                    sum: values[0][row],
                    min: values[1][row],
                    max: values[2][row],
                    sum_of_squares: values[3][row],
                    first: values[4][row],
                    last: values[5][row],
                };
                opened += push(series, floor(time, interval), &summary);
            }
            fold.buckets += opened;
        }
        row = end;
    }
    Ok(())
}

/// Adds rows; says whether any came before the last bucket of its series.
pub(super) fn fold_table(rows: &Rows, signals: Option<&BTreeSet<String>>, fold: &mut Fold) -> bool {
    let mut late = false;
    let table = &rows.table;
    let mut start = 0;
    while start < table.rows() {
        let device = table.device[start];
        let length = table.device[start..].partition_point(|&other| other == device);
        let end = start + length;
        let mut spans = Vec::new();
        let mut at = start;
        while at < end {
            let bucket = floor(table.time[at], fold.interval);
            let limit = bucket.saturating_add(fold.interval);
            let mut next = at + 1;
            while next < end && table.time[next] < limit {
                next += 1;
            }
            spans.push((bucket, at, next));
            at = next;
        }
        let id = Arc::clone(rows.names.devices.shared(device));
        for (number, column) in rows.registry.columns().iter().enumerate() {
            let wanted = column.kind == Kind::Signal && signals.is_none_or(|set| set.contains(&*column.name));
            let Some(Values::Doubles(values)) = table.columns.get(number + crate::table::TEXTS) else {
                continue;
            };
            if !wanted {
                continue;
            }
            let mut opened = 0;
            let series = fold.series(&id, &column.name);
            for &(bucket, from, to) in &spans {
                let mut summary = Summary::EMPTY;
                match series.last_mut() {
                    Some((open, known)) if *open == bucket => known.add(&values[from..to]),
                    last => {
                        late |= last.is_some_and(|(open, _)| *open > bucket);
                        summary.add(&values[from..to]);
                        if summary.count > 0 {
                            series.push((bucket, summary));
                            opened += 1;
                        }
                    }
                }
            }
            fold.buckets += opened;
        }
        start = end;
    }
    late
}
