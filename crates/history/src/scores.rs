//! Scores beside the segments: `scores/…` under the segment's own name, so that a reader finds one from the other and
//! chooses by time without opening files. They can be rebuilt by scoring the segments again.
//!
//! Columns: `device_id`, `ts` (µs UTC), `seq`, `partition`, `score` (null where the row has none), `status` (the byte of
//! [`twinwright_core::scoring::status`]), `scorer`, `baseline`, `top_signal` (null where there is none).

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use bytes::Bytes;
use futures::StreamExt;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use twinwright_core::frame::SequenceRange;
use twinwright_core::time::Micros;

use crate::StoreError;
use crate::coverage::Coverage;
use crate::names::SegmentName;
use crate::rows::{Dictionary, LONGEST_SPAN};
use crate::segments::list_names;
use crate::store::{Created, Store};

const FETCHES: usize = 8;
const MOST_ROWS: i64 = 4_000_000;

/// Scored rows, one entry a row in each vector.
#[derive(Clone, Debug, Default)]
pub struct ScoreRows {
    /// Device id.
    pub device: Vec<Arc<str>>,
    /// Event time.
    pub time: Vec<Micros>,
    /// Sequence number.
    pub sequence: Vec<i64>,
    /// Partition of the hub.
    pub partition: Vec<u32>,
    /// Score, 1.0 = the baseline's alarm limit; NaN where the row has none.
    pub score: Vec<f64>,
    /// One of [`twinwright_core::scoring::status`].
    pub status: Vec<u8>,
    /// Scorer's name and version.
    pub scorer: Vec<Arc<str>>,
    /// Version of the baseline.
    pub baseline: Vec<Arc<str>>,
    /// Signal with the greatest contribution.
    pub top_signal: Vec<Option<Arc<str>>>,
}

impl ScoreRows {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.sequence.len()
    }

    fn fits(&self) -> bool {
        let lengths = [
            self.device.len(),
            self.time.len(),
            self.partition.len(),
            self.score.len(),
            self.status.len(),
            self.scorer.len(),
            self.baseline.len(),
            self.top_signal.len(),
        ];
        lengths == [self.rows(); 8]
    }
}

/// The scores of one hub; clones share the store.
#[derive(Clone, Debug)]
pub struct ScoreLog {
    store: Store,
    hub: String,
}

impl ScoreLog {
    /// The scores of a hub.
    pub fn new(store: Store, hub: impl Into<String>) -> Self {
        Self { store, hub: hub.into() }
    }

    /// Stores the scores of a segment's rows.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn write(&self, segment: &SegmentName, rows: &ScoreRows) -> Result<Created, StoreError> {
        self.store.create(&segment.scores_path(), encode(rows)?).await
    }

    /// Scores with `from <= time < to` of a device, or of all, in the order in which the events were enqueued; a row that
    /// several files have counts once. Damaged files are logged and passed over: scores can be rebuilt.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn read(
        &self,
        device: Option<&str>,
        from: Micros,
        to: Micros,
    ) -> Result<ScoreRows, StoreError> {
        // As for segments: an hour of span, and an hour for clocks that are ahead.
        let first_folder = from.saturating_sub(2 * LONGEST_SPAN);
        let overlaps = |name: &SegmentName| name.overlaps(from, to);
        let names = list_names(&self.store, "scores", &self.hub, Some(first_folder), overlaps).await?;
        let mut files = futures::stream::iter(names)
            .map(|name| async move { (self.store.read(&name.scores_path()).await, name) })
            .buffered(FETCHES);
        let mut out = ScoreRows::default();
        let mut seen: std::collections::HashMap<u32, Coverage> = std::collections::HashMap::new();
        // A hub that was made anew counts from the start, later: its rows are other rows.
        let mut newest: std::collections::HashMap<u32, (i64, Micros)> = std::collections::HashMap::new();
        while let Some((bytes, name)) = files.next().await {
            let Some(bytes) = bytes? else { continue };
            let rows = match decode(bytes) {
                Ok(rows) => rows,
                Err(cause) => {
                    tracing::warn!(path = name.scores_path(), cause, "damaged scores are passed over");
                    continue;
                }
            };
            let coverage = seen.entry(name.partition).or_default();
            let last = newest.entry(name.partition).or_insert((name.last, name.first_enqueued));
            if name.last < last.0 && name.first_enqueued > last.1.saturating_add(LONGEST_SPAN) {
                *coverage = Coverage::default();
            }
            *last = (name.last, name.first_enqueued);
            for row in 0..rows.rows() {
                let wanted = device.is_none_or(|device| *rows.device[row] == *device);
                if wanted && (from..to).contains(&rows.time[row]) && !coverage.contains(rows.sequence[row]) {
                    push(&mut out, &rows, row);
                }
            }
            coverage.insert(SequenceRange { first: name.first, last: name.last });
        }
        Ok(out)
    }
}

impl ScoreLog {
    /// Writes files again without a device's scores of events before a time; says how many. Scores can be rebuilt, so a
    /// kill in between loses nothing for good.
    pub(crate) async fn erase(&self, device: &str, before: Micros) -> Result<usize, StoreError> {
        let mut changed = 0;
        for name in list_names(&self.store, "scores", &self.hub, None, |_| true).await? {
            let path = name.scores_path();
            let Some(bytes) = self.store.read(&path).await? else { continue };
            let rows = match decode(bytes) {
                Ok(rows) => rows,
                Err(cause) => {
                    tracing::warn!(path, cause, "damaged scores may still name an erased device");
                    continue;
                }
            };
            let mut kept = ScoreRows::default();
            for row in 0..rows.rows() {
                if *rows.device[row] != *device || rows.time[row] >= before {
                    push(&mut kept, &rows, row);
                }
            }
            if kept.rows() < rows.rows() {
                self.store.delete(&path).await?;
                self.store.create(&path, encode(&kept)?).await?;
                changed += 1;
            }
        }
        Ok(changed)
    }
}

fn push(out: &mut ScoreRows, rows: &ScoreRows, row: usize) {
    out.device.push(Arc::clone(&rows.device[row]));
    out.time.push(rows.time[row]);
    out.sequence.push(rows.sequence[row]);
    out.partition.push(rows.partition[row]);
    out.score.push(rows.score[row]);
    out.status.push(rows.status[row]);
    out.scorer.push(Arc::clone(&rows.scorer[row]));
    out.baseline.push(Arc::clone(&rows.baseline[row]));
    out.top_signal.push(rows.top_signal[row].clone());
}

fn encode(rows: &ScoreRows) -> Result<Bytes, StoreError> {
    let failed = |error: String| StoreError::invalid(format!("the scores cannot be stored: {error}"));
    if !rows.fits() {
        return Err(failed("their columns differ in length".to_owned()));
    }
    let partitions: Result<Vec<i32>, _> =
        rows.partition.iter().map(|&partition| i32::try_from(partition)).collect();
    let partitions = partitions.map_err(|error| failed(error.to_string()))?;
    let texts = |texts: &[Arc<str>]| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(texts.iter().map(|text| &**text)))
    };
    let scores: Float64Array = rows.score.iter().map(|&score| (!score.is_nan()).then_some(score)).collect();
    let statuses: Int32Array = rows.status.iter().map(|&status| Some(i32::from(status))).collect();
    let top: StringArray = rows.top_signal.iter().map(Option::as_deref).collect();
    let times = TimestampMicrosecondArray::from(rows.time.clone()).with_timezone("UTC");
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("device_id", texts(&rows.device), false),
        ("ts", Arc::new(times) as ArrayRef, false),
        ("seq", Arc::new(Int64Array::from(rows.sequence.clone())), false),
        ("partition", Arc::new(Int32Array::from(partitions)), false),
        ("score", Arc::new(scores), true),
        ("status", Arc::new(statuses), false),
        ("scorer", texts(&rows.scorer), false),
        ("baseline", texts(&rows.baseline), false),
        ("top_signal", Arc::new(top), true),
    ])
    .map_err(|error| failed(error.to_string()))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_column_dictionary_enabled("score".into(), false)
        .set_column_dictionary_enabled("ts".into(), false)
        .set_column_dictionary_enabled("seq".into(), false)
        .set_offset_index_disabled(true)
        .set_created_by("twinwright".to_owned())
        .build();
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), batch.schema(), options)
        .map_err(|error| failed(error.to_string()))?;
    writer.write(&batch).map_err(|error| failed(error.to_string()))?;
    writer.into_inner().map(Bytes::from).map_err(|error| failed(error.to_string()))
}

fn decode(bytes: Bytes) -> Result<ScoreRows, String> {
    let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read(bytes)));
    read.unwrap_or_else(|_| Err("the Parquet reader gave up".to_owned()))
}

fn read(bytes: Bytes) -> Result<ScoreRows, String> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|error| error.to_string())?;
    if !(0..=MOST_ROWS).contains(&reader.metadata().file_metadata().num_rows()) {
        return Err("it has more rows than any segment".to_owned());
    }
    let mut out = ScoreRows::default();
    let mut names = Dictionary::default();
    for batch in reader.with_batch_size(65_536).build().map_err(|error| error.to_string())? {
        let batch = batch.map_err(|error| error.to_string())?;
        let column =
            |name: &str| batch.column_by_name(name).ok_or_else(|| format!("it has no column {name}"));
        let texts =
            |name: &str| column(name)?.as_string_opt::<i32>().ok_or_else(|| format!("{name} is no text"));
        let wrong = |name: &str| format!("column {name} has another type");
        let mut shared = |text: Option<&str>| {
            let number = names.number(text.unwrap_or_default());
            names.text(number)
        };
        out.device.extend(texts("device_id")?.iter().map(&mut shared));
        out.scorer.extend(texts("scorer")?.iter().map(&mut shared));
        out.baseline.extend(texts("baseline")?.iter().map(&mut shared));
        let top = texts("top_signal")?;
        out.top_signal.extend(top.iter().map(|text| text.is_some().then(|| shared(text))));
        let times =
            column("ts")?.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(|| wrong("ts"))?;
        out.time.extend_from_slice(times.values());
        let sequence = column("seq")?.as_primitive_opt::<Int64Type>().ok_or_else(|| wrong("seq"))?;
        out.sequence.extend_from_slice(sequence.values());
        let scores = column("score")?.as_primitive_opt::<Float64Type>().ok_or_else(|| wrong("score"))?;
        out.score.extend(scores.iter().map(|score| score.unwrap_or(f64::NAN)));
        let partitions =
            column("partition")?.as_primitive_opt::<Int32Type>().ok_or_else(|| wrong("partition"))?;
        for &partition in partitions.values() {
            out.partition.push(u32::try_from(partition).map_err(|_| wrong("partition"))?);
        }
        let statuses = column("status")?.as_primitive_opt::<Int32Type>().ok_or_else(|| wrong("status"))?;
        for &status in statuses.values() {
            out.status.push(u8::try_from(status).map_err(|_| wrong("status"))?);
        }
    }
    if out.fits() { Ok(out) } else { Err("its columns differ in length".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{START, frame};
    use twinwright_core::frame::Frame;

    fn scored(frame: &Frame) -> ScoreRows {
        let rows = frame.rows();
        let score = |row: usize| if row == 0 { f64::NAN } else { 0.5 };
        ScoreRows {
            device: (0..rows).map(|row| Arc::clone(frame.device_id(row))).collect(),
            time: frame.time.clone(),
            sequence: frame.sequence.clone(),
            partition: vec![frame.partition; rows],
            score: (0..rows).map(score).collect(),
            status: (0..rows).map(|row| u8::from(row == 0)).collect(),
            scorer: vec!["ewma-chart@1.0.0".into(); rows],
            baseline: vec!["arm@7".into(); rows],
            top_signal: (0..rows).map(|row| (row > 0).then(|| "speed".into())).collect(),
        }
    }

    #[tokio::test]
    async fn scores_are_read_back_once_by_device_and_time() {
        let store = Store::memory();
        let log = ScoreLog::new(store.clone(), "plant");
        for (first, last) in [(1, 20), (15, 40), (41, 60)] {
            let frame = frame(0, first, last);
            let name = SegmentName::of("plant", &frame);
            assert_eq!(log.write(&name, &scored(&frame)).await.unwrap(), Created::New);
            assert_eq!(log.write(&name, &scored(&frame)).await.unwrap(), Created::AlreadyThere);
        }
        let damaged = SegmentName::of("plant", &frame(0, 61, 80)).scores_path();
        store.create(&damaged, Bytes::from_static(b"PAR1 torn")).await.unwrap();
        let all = log.read(None, Micros::MIN, Micros::MAX).await.unwrap();
        assert_eq!(all.sequence, (1..=60).collect::<Vec<_>>());
        assert!(all.score[0].is_nan() && all.status[0] == 1 && all.top_signal[0].is_none());
        assert_eq!((all.score[1], all.top_signal[1].as_deref()), (0.5, Some("speed")));
        assert_eq!((&*all.scorer[5], &*all.baseline[5]), ("ewma-chart@1.0.0", "arm@7"));
        let second = 1_000_000;
        let some = log.read(Some("arm-1"), START + 18 * second, START + 23 * second).await.unwrap();
        assert_eq!(some.sequence, [19, 21]);
    }

    #[test]
    fn columns_of_different_length_are_refused() {
        let mut rows = scored(&frame(0, 0, 3));
        rows.status.pop();
        assert!(matches!(encode(&rows), Err(StoreError::Invalid { .. })));
    }
}
