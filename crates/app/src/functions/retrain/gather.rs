//! Rows of each equipment model, gathered while history is read segment by segment, within a budget of memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use twinwright_core::frame::Frame;
use twinwright_core::policy::Equipment;
use twinwright_core::time::{Micros, SECOND};

use crate::train::{DeviceNumbers, LabelledFault, Readings};

/// Values kept of all models together, 64 MB. A fit holds some copies of its rows: six times this is below 512 MB.
const CELLS: usize = 8_000_000;
/// A signal with values in less than this share of the rows is left out.
const COVERAGE: f64 = 0.5;
/// Signals of a model at the most; whoever sends more field names than this sends no signals.
const MAX_SIGNALS: usize = 256;

/// Why rows beyond the budget are left out.
const TOO_OLD: &str = "older than the budget of memory allows";

/// Times in which a device's rows must not teach.
pub(super) type Faulty = HashMap<String, Vec<(Micros, Micros)>>;

/// Rows of labelled faults that are kept of all models together, a share of the budget.
const FAULT_CELLS: usize = CELLS / 8;
/// Rows from so long before a fault fill the windows.
const BEFORE_FAULT: Micros = 3_600 * SECOND;

/// A time in which people say that something was wrong with a device.
#[derive(Clone, Debug)]
pub(super) struct Label {
    pub(super) device: String,
    pub(super) from: Micros,
    pub(super) to: Micros,
}

/// All models.
pub(super) struct Gathering<'a> {
    equipment: &'a Equipment,
    faulty: &'a Faulty,
    models: BTreeMap<String, Rows>,
    /// Rows of each label's time, which judge.
    faults: Vec<(Label, Rows)>,
    budget: usize,
}

/// Rows of one model, a column a signal, as they came.
#[derive(Default)]
struct Rows {
    device: Vec<u32>,
    time: Vec<Micros>,
    columns: BTreeMap<Arc<str>, Vec<f64>>,
    numbers: DeviceNumbers,
    left_out: BTreeMap<String, usize>,
    /// Older rows are not kept any more.
    since: Option<Micros>,
}

impl<'a> Gathering<'a> {
    pub(super) fn new(equipment: &'a Equipment, faulty: &'a Faulty, labels: Vec<Label>) -> Self {
        let faults = labels.into_iter().map(|label| (label, Rows::default())).collect();
        Self { equipment, faulty, models: BTreeMap::new(), faults, budget: CELLS }
    }

    /// Takes what may teach out of a frame. Frames come by enqueued time, the oldest first.
    pub(super) fn take(&mut self, frame: &Frame) {
        let names: Vec<&str> = frame.devices.iter().map(|id| self.equipment.model_of(id)).collect();
        let mut distinct = names.clone();
        distinct.sort_unstable();
        distinct.dedup();
        for name in distinct {
            let ours: Vec<bool> = names.iter().map(|other| *other == name).collect();
            let ignore =
                self.equipment.policy(name).map(|policy| policy.ignore.as_slice()).unwrap_or_default();
            self.models.entry(name.to_owned()).or_default().take(frame, &ours, ignore, self.faulty);
        }
        self.take_faults(frame);
        while self.models.values().map(Rows::cells).sum::<usize>() > self.budget {
            let Some(largest) = self.models.values_mut().max_by_key(|rows| rows.cells()) else { break };
            if !largest.forget() {
                break;
            }
        }
    }

    fn take_faults(&mut self, frame: &Frame) {
        let mut kept: usize = self.faults.iter().map(|(_, rows)| rows.cells()).sum();
        for (label, rows) in &mut self.faults {
            let Some(ours) = frame.devices.iter().position(|id| **id == *label.device) else { continue };
            let during = label.from.saturating_sub(BEFORE_FAULT)..=label.to;
            let is_in = |row: &usize| {
                let sound = frame.row_flags.get(*row).is_none_or(|flags| *flags == 0);
                sound && frame.device[*row] as usize == ours && during.contains(&frame.time[*row])
            };
            let inside: Vec<usize> = (0..frame.rows()).filter(is_in).collect();
            if inside.is_empty() || kept > FAULT_CELLS {
                continue;
            }
            kept += inside.len() * frame.signals.len();
            rows.add(frame, &inside, &[]);
        }
    }

    /// The rows by model.
    pub(super) fn finish(self) -> impl Iterator<Item = (String, Readings)> {
        let Self { equipment, mut faults, models, .. } = self;
        models.into_iter().map(move |(name, rows)| {
            let mut readings = rows.readings();
            let ours = faults.extract_if(.., |(label, rows)| {
                equipment.model_of(&label.device) == name && !rows.time.is_empty()
            });
            readings.faults = ours.map(|(label, rows)| rows.fault(label, &readings.signals)).collect();
            (name, readings)
        })
    }
}

impl Rows {
    fn cells(&self) -> usize {
        self.time.len() * self.columns.len()
    }

    /// Lets go of the oldest quarter, and of what is as old from now on; answers whether there was anything to let go
    /// of. Partitions come one after another, so the oldest rows are not the first.
    fn forget(&mut self) -> bool {
        let mut times = self.time.clone();
        let Some(at) = times.len().div_ceil(4).checked_sub(1) else { return false };
        let oldest_kept = times.select_nth_unstable(at).1.saturating_add(1);
        let keep: Vec<bool> = self.time.iter().map(|time| *time >= oldest_kept).collect();
        let count = keep.iter().filter(|keep| !**keep).count();
        fn retain<T>(values: &mut Vec<T>, keep: &[bool]) {
            let mut keep = keep.iter();
            values.retain(|_| keep.next() == Some(&true));
        }
        retain(&mut self.device, &keep);
        retain(&mut self.time, &keep);
        self.columns.values_mut().for_each(|column| retain(column, &keep));
        self.since = Some(oldest_kept);
        *self.left_out.entry(TOO_OLD.to_owned()).or_default() += count;
        true
    }

    fn take(&mut self, frame: &Frame, ours: &[bool], ignore: &[String], faulty: &Faulty) {
        let mut rows = Vec::new();
        for row in (0..frame.rows()).filter(|&row| ours[frame.device[row] as usize]) {
            let time = frame.time[row];
            let bad = faulty.get(&**frame.device_id(row));
            let cause = if bad.is_some_and(|times| times.iter().any(|(a, b)| (*a..=*b).contains(&time))) {
                "in an alert, in maintenance, or labelled"
            } else if self.since.is_some_and(|since| time < since) {
                TOO_OLD
            } else if frame.row_flags.get(row).is_some_and(|flags| *flags != 0) {
                "late or with a wrong clock"
            } else {
                rows.push(row);
                continue;
            };
            *self.left_out.entry(cause.to_owned()).or_default() += 1;
        }
        self.add(frame, &rows, ignore);
    }

    /// Takes these rows of a frame.
    fn add(&mut self, frame: &Frame, rows: &[usize], ignore: &[String]) {
        let before = self.time.len();
        for &row in rows {
            self.device.push(self.numbers.of(frame.device_id(row)));
            self.time.push(frame.time[row]);
        }
        for column in frame.signals.iter().filter(|column| !ignore.iter().any(|name| **name == *column.name))
        {
            if self.columns.len() >= MAX_SIGNALS && !self.columns.contains_key(&column.name) {
                continue;
            }
            let into = self.columns.entry(Arc::clone(&column.name)).or_default();
            into.resize(before, f64::NAN);
            into.extend(rows.iter().map(|&row| column.trusted(row)));
        }
        let total = self.time.len();
        self.columns.values_mut().for_each(|column| column.resize(total, f64::NAN));
    }

    /// The rows of a labelled fault, in the order of the model's signals.
    fn fault(self, label: Label, signals: &[String]) -> LabelledFault {
        let columns: Vec<_> = signals.iter().map(|name| self.columns.get(name.as_str())).collect();
        let value =
            |row: usize| columns.iter().map(move |column| column.map_or(f64::NAN, |values| values[row]));
        LabelledFault {
            device: label.device.into(),
            from: label.from,
            to: label.to,
            values: (0..self.time.len()).flat_map(value).collect(),
            time: self.time,
        }
    }

    fn readings(mut self) -> Readings {
        let rows = self.time.len();
        #[expect(clippy::cast_precision_loss, reason = "a share of a count of rows")]
        self.columns.retain(|_, column| {
            let present = column.iter().filter(|value| !value.is_nan()).count();
            rows > 0 && present as f64 >= COVERAGE * rows as f64
        });
        let width = self.columns.len();
        let mut readings = Readings {
            signals: self.columns.keys().map(|name| name.to_string()).collect(),
            device: self.device,
            devices: self.numbers.names(),
            time: self.time,
            values: vec![f64::NAN; rows * width],
            left_out: self.left_out,
            faults: Vec::new(),
        };
        for (at, (_, column)) in self.columns.into_iter().enumerate() {
            for (row, value) in column.into_iter().enumerate() {
                readings.values[row * width + at] = value;
            }
        }
        readings
    }
}

#[cfg(test)]
mod tests {
    use azure_functions_rs_custom_handler::EventHubBatch;
    use azure_functions_rs_custom_handler::testing::{BatchOptions, EventSpec, event_hub_body};
    use twinwright_history::segments::SegmentLog;
    use twinwright_history::store::Store;

    use super::*;
    use crate::app::App;
    use crate::testing::{config, runtime};

    const START: Micros = 1_760_000_000_000_000;

    #[test]
    fn beyond_the_budget_the_oldest_rows_go_and_it_is_said_how_many() {
        runtime().block_on(async {
            let app = App::with_parts(config(), Store::memory(), None, None, None, None);
            for first in (0..400).step_by(100) {
                let event = |sequence: i64| {
                    // A field that comes late has no values before.
                    let late = if sequence >= 300 { r#","late":1.5"# } else { "" };
                    let warm = 40.0 + sequence as f64 * 0.01;
                    let body = format!(r#"{{"temperature":{warm},"vibration":2.5{late}}}"#);
                    EventSpec::telemetry(
                        "robotic-arm-001",
                        sequence,
                        START + sequence * SECOND,
                        body.as_bytes(),
                    )
                };
                let events: Vec<EventSpec> = (first..first + 100).map(event).collect();
                let options = BatchOptions::default();
                let batch =
                    EventHubBatch::parse(&event_hub_body(&events, &options), &options.binding).unwrap();
                app.ingest.batch(&batch, START).await.unwrap();
            }
            let log = SegmentLog::new(app.store.clone(), app.config.hub.as_str());
            let frames = log.read_rows(START - SECOND, START + 1_000 * SECOND, None).await.unwrap();
            let faulty =
                Faulty::from([("robotic-arm-001".to_owned(), vec![(START + 395 * SECOND, Micros::MAX)])]);
            let gather = |budget: usize| {
                let mut gathering = Gathering::new(&app.config.equipment, &faulty, Vec::new());
                gathering.budget = budget;
                frames.iter().for_each(|frame| gathering.take(frame));
                gathering.finish().next().unwrap().1
            };
            let whole = gather(CELLS);
            assert_eq!(
                (whole.rows(), whole.signals.as_slice()),
                (395, &["temperature", "vibration"].map(str::to_owned)[..])
            );
            assert_eq!(whole.left_out.values().sum::<usize>(), 5, "{:?}", whole.left_out);
            let tight = gather(600);
            assert!(tight.rows() < 395 && tight.time.last() == whole.time.last(), "{}", tight.rows());
            let left: usize = tight.left_out.values().sum();
            assert_eq!(tight.rows() + left, 400);
            let width = tight.signals.len();
            let at = tight.signals.iter().position(|name| name == "temperature").unwrap();
            let newest = tight.values[(tight.rows() - 1) * width + at];
            assert!((newest - 43.94).abs() < 1e-9, "{newest}");
        });
    }
}
