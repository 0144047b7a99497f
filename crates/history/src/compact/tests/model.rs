//! The plain model that compaction is held against, and random steps over both.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use object_store::memory::InMemory;
use proptest::prelude::*;
use twinwright_core::frame::{ABSENT, Frame, NO_STATE, SequenceRange, SignalColumn, SparseText, StateColumn};
use twinwright_core::time::{Micros, SECOND};

use super::super::*;
use super::DAY;
use crate::faults::{Fault, Faults};
use crate::reader::{History, RowQuery, SummaryQuery};
use crate::segment::SegmentMetadata;
use crate::segments::SegmentLog;
use crate::testing::START;

/// One event of the model.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    pub(super) device: &'static str,
    pub(super) time: Micros,
    pub(super) speed: f64,
    pub(super) heat: f64,
    pub(super) status: Option<&'static str>,
    pub(super) extra: bool,
}

/// What a partition has received, by sequence number.
pub(super) type Model = BTreeMap<(u32, u32, i64), Event>;

pub(super) fn event(partition: u32, epoch: u32, sequence: i64) -> Event {
    // A little hash, so that events are what they are whoever makes them.
    let mut noise = (u64::from(partition) << 40) ^ (u64::from(epoch) << 32) ^ sequence.cast_unsigned();
    noise = noise.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    noise ^= noise >> 29;
    let enqueued = enqueued(epoch, sequence);
    let time = match noise % 23 {
        0 => enqueued - DAY,
        1 => 0,
        2 => enqueued + 3_000 * SECOND,
        3 => enqueued - 40 * DAY,
        _ => enqueued - (noise % 9_000_000).cast_signed(),
    };
    Event {
        device: ["arm-1", "arm-2", "press", "Größe"][(noise >> 7) as usize % 4],
        time,
        speed: if noise.is_multiple_of(5) { ABSENT } else { f64::from((noise >> 11) as u16) / 100.0 },
        heat: if partition == 0 { f64::from((noise >> 31) as u16) / 7.0 } else { ABSENT },
        status: noise.is_multiple_of(3).then_some(["running", "idle"][(noise >> 3) as usize % 2]),
        extra: noise.is_multiple_of(11),
    }
}

pub(super) fn enqueued(epoch: u32, sequence: i64) -> Micros {
    // An hour and a half between neighbours: a few batches span days.
    START + i64::from(epoch) * 90 * DAY + sequence * 1_500 * SECOND
}

pub(super) fn batch(partition: u32, epoch: u32, first: i64, last: i64) -> Frame {
    let mut frame = Frame::empty(partition, SequenceRange { first, last }, enqueued(epoch, first));
    frame.last_enqueued = enqueued(epoch, last);
    let events: Vec<Event> = (first..=last).map(|sequence| event(partition, epoch, sequence)).collect();
    let mut devices: Vec<Arc<str>> = Vec::new();
    let mut codes = Vec::new();
    for (row, event) in events.iter().enumerate() {
        let device = devices.iter().position(|device| **device == *event.device).unwrap_or_else(|| {
            devices.push(event.device.into());
            devices.len() - 1
        });
        frame.device.push(device as u32);
        frame.time.push(event.time);
        frame.enqueued.push(enqueued(epoch, first + row as i64));
        frame.sequence.push(first + row as i64);
        codes.push(match event.status {
            None => NO_STATE,
            Some("running") => 0,
            Some(_) => 1,
        });
        if event.extra {
            frame.extra.0.push((row as u32, format!("{{\"row\":{}}}", first + row as i64).into()));
        }
    }
    frame.devices = devices;
    let signal = |name: &str, value: fn(&Event) -> f64| SignalColumn {
        name: name.into(),
        values: events.iter().map(value).collect(),
        flags: Vec::new(),
    };
    frame.signals = vec![signal("speed", |event| event.speed)];
    if partition == 0 {
        frame.signals.push(signal("heat", |event| event.heat));
    }
    // The same name for a state: its column gets another name in this partition's segments.
    let name = if partition == 1 { "speed" } else { "status" };
    frame.states =
        vec![StateColumn { name: name.into(), dictionary: vec!["running".into(), "idle".into()], codes }];
    if frame.extra.0.is_empty() {
        frame.extra = SparseText::default();
    }
    frame
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A batch of a partition: first number back from the newest, and length.
    Commit {
        partition: u32,
        back: i64,
        length: i64,
    },
    /// The hub is made anew.
    Anew,
    /// A compaction, with a fault at an operation.
    Compact {
        fault: Option<(u32, Fault)>,
        late: i64,
    },
    /// Two compactions at once.
    Race,
    Read,
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let fault = prop_oneof![Just(Fault::Busy), Just(Fault::Lost), Just(Fault::Dead), Just(Fault::DeadAfter)];
    let step = prop_oneof![
        8 => (0_u32..2, 0_i64..12, 1_i64..40)
            .prop_map(|(partition, back, length)| Step::Commit { partition, back, length }),
        1 => Just(Step::Anew),
        5 => (prop::option::of((0_u32..60, fault)), 0_i64..4)
            .prop_map(|(fault, late)| Step::Compact { fault, late }),
        1 => Just(Step::Race),
        2 => Just(Step::Read),
    ];
    prop::collection::vec(step, 1..14)
}

pub(super) fn options(now: Micros) -> CompactOptions {
    CompactOptions {
        min_age: 0,
        settle: 0,
        grace: 0,
        memory: 24 << 10,
        file_bytes: 6 << 10,
        keep_for_replay: false,
        ..CompactOptions::new(now)
    }
}

pub(super) fn line(device: &str, time: Micros, source: (u32, u32, i64), event: &Event) -> String {
    let bits = |value: f64| if value.is_nan() { 0 } else { value.to_bits() };
    format!(
        "{device} {time} {source:?} {:x} {:x} {:?} {}",
        bits(event.speed),
        bits(event.heat),
        event.status,
        event.extra
    )
}

pub(super) async fn stored(history: &History) -> Vec<String> {
    let query = RowQuery { from: Micros::MIN, to: Micros::MAX, ..RowQuery::default() };
    let (all, report) = history.read(&query, 1_000_000).await.unwrap();
    assert!(report.damaged.is_empty(), "{report:?}");
    let (speed, heat, status) = ("speed".into(), "heat".into(), "status".into());
    let mut lines = Vec::new();
    for rows in &all {
        let number = |name: &Arc<str>, row: usize| rows.signal(name).map_or(ABSENT, |values| values[row]);
        for row in 0..rows.len() {
            let source = rows.source(row);
            let key = (source.partition, source.epoch, rows.sequences()[row]);
            let state = if key.0 == 1 { &speed } else { &status };
            let found = Event {
                device: "",
                time: 0,
                speed: number(&speed, row),
                heat: number(&heat, row),
                status: rows.state(state, row).map(|text| if text == "running" { "running" } else { "idle" }),
                extra: rows.extra(row).is_some_and(|text| *text == format!("{{\"row\":{}}}", key.2)),
            };
            lines.push(line(rows.device(row), rows.times()[row], key, &found));
        }
    }
    lines.sort_unstable();
    lines
}

pub(super) fn expected(model: &Model) -> Vec<String> {
    let mut lines: Vec<String> =
        model.iter().map(|(key, event)| line(event.device, event.time, *key, event)).collect();
    lines.sort_unstable();
    lines
}

/// Counts, bounds and sums by hour or minute, from the model.
pub(super) fn expected_summaries(
    model: &Model,
    interval: Micros,
) -> BTreeMap<(String, Micros), (u64, f64, f64, f64)> {
    let mut out: BTreeMap<_, (u64, f64, f64, f64)> = BTreeMap::new();
    for event in model.values().filter(|event| !event.speed.is_nan()) {
        let key = (event.device.to_owned(), floor(event.time, interval));
        let known = out.entry(key).or_insert((0, 0.0, f64::INFINITY, f64::NEG_INFINITY));
        *known = (known.0 + 1, known.1 + event.speed, known.2.min(event.speed), known.3.max(event.speed));
    }
    out
}

pub(super) async fn check_summaries(history: &History, model: &Model) {
    for interval in [MINUTE, HOUR, 7 * SECOND] {
        let (from, to) = (START - 60 * DAY, START + 300 * DAY);
        let width = if interval == 7 * SECOND { 3_607 * SECOND } else { HOUR.max(interval) };
        let query = SummaryQuery {
            devices: None,
            signals: Some(BTreeSet::from(["speed".to_owned()])),
            from,
            to,
            interval: width,
        };
        let found = history.summaries(&query).await.unwrap();
        let expected: BTreeMap<_, _> = expected_summaries(model, width)
            .into_iter()
            .filter(|((_, time), _)| *time >= floor(from, width) && *time < to)
            .collect();
        let flat: BTreeMap<(String, Micros), Summary> = found
            .series
            .iter()
            .flat_map(|((device, _), buckets)| {
                buckets.iter().map(move |(time, summary)| ((device.to_string(), *time), *summary))
            })
            .collect();
        assert_eq!(flat.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        for (key, (count, sum, min, max)) in expected {
            let found = flat[&key];
            assert_eq!((found.count, found.min, found.max), (count, min, max), "{key:?}");
            assert!((found.sum - sum).abs() <= 1e-6 * (1.0 + sum.abs()), "{key:?}");
        }
    }
}

pub(super) struct World {
    pub(super) objects: Arc<InMemory>,
    pub(super) model: Model,
    pub(super) last: [i64; 2],
    pub(super) epoch: u32,
    pub(super) now: Micros,
}

impl World {
    pub(super) fn new() -> Self {
        Self { objects: Arc::new(InMemory::new()), model: Model::new(), last: [-1; 2], epoch: 0, now: START }
    }

    pub(super) fn history(&self) -> History {
        History::new(Store::wrap(Arc::clone(&self.objects) as _), "plant")
    }

    pub(super) async fn step(&mut self, step: &Step) {
        match *step {
            Step::Commit { partition, back, length } => {
                let newest = self.last[partition as usize];
                let first = (newest + 1 - back).max(0);
                let last = (first + length - 1).max(newest.min(first + length));
                let log = SegmentLog::new(Store::wrap(Arc::clone(&self.objects) as _), "plant");
                let metadata = SegmentMetadata { epoch: self.epoch, ..SegmentMetadata::default() };
                log.commit(&batch(partition, self.epoch, first, last), &metadata).await.unwrap();
                for sequence in first..=last {
                    let key = (partition, self.epoch, sequence);
                    self.model.insert(key, event(partition, self.epoch, sequence));
                }
                self.last[partition as usize] = newest.max(last);
                self.now = self.now.max(enqueued(self.epoch, last));
            }
            Step::Anew => {
                self.epoch += 1;
                self.last = [-1; 2];
            }
            Step::Compact { fault, late } => {
                let (store, faults) = Faults::over(&self.objects);
                if let Some((operations, fault)) = fault {
                    faults.plan(operations, fault);
                }
                self.now += late * 7 * HOUR;
                let run = Compactor::new(store, "plant").run(&options(self.now)).await;
                assert!(run.is_ok() || fault.is_some(), "{run:?}");
            }
            Step::Race => {
                let run = || async {
                    let (store, _) = Faults::over(&self.objects);
                    Compactor::new(store, "plant").run(&options(self.now)).await
                };
                let (one, two) = tokio::join!(run(), run());
                // A compactor may find that the other has taken its inputs away; it says so and does no harm.
                assert!(one.is_ok() || two.is_ok(), "{one:?} {two:?}");
            }
            Step::Read => assert!(stored(&self.history()).await == expected(&self.model)),
        }
    }

    pub(super) async fn finish(&mut self) {
        assert!(stored(&self.history()).await == expected(&self.model), "before the last compactions");
        let store = Store::wrap(Arc::clone(&self.objects) as _);
        let compactor = Compactor::new(store.clone(), "plant");
        for _ in 0..4 {
            self.now += 3 * DAY;
            compactor.run(&options(self.now)).await.unwrap();
        }
        assert!(stored(&self.history()).await == expected(&self.model), "after the last compactions");
        check_summaries(&self.history(), &self.model).await;
        let manifest = self.history().manifest().await.unwrap();
        assert_eq!(manifest.rows(), self.model.len() as u64);
        assert!(manifest.garbage.is_empty(), "{:?}", manifest.garbage);
        let files = store.list("history", None, 10_000).await.unwrap();
        let files = files.iter().filter(|entry| entry.path.ends_with(".parquet")).count();
        assert_eq!(files, manifest.days.iter().map(|day| day.files.len()).sum::<usize>());
        assert!(store.list("compaction", None, 10).await.unwrap().is_empty());
    }
}
