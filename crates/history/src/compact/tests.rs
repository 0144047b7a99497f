//! Exactly once, whatever happens: batches cut, repeated and reordered at random, compactors killed at random, against a
//! plain model.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use object_store::memory::InMemory;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use twinwright_core::frame::{ABSENT, Frame, NO_STATE, SequenceRange, SignalColumn, SparseText, StateColumn};
use twinwright_core::time::{Micros, SECOND};

use super::*;
use crate::faults::{Fault, Faults};
use crate::reader::{History, RowQuery, SummaryQuery};
use crate::segment::SegmentMetadata;
use crate::segments::SegmentLog;
use crate::testing::START;

const DAY: Micros = 86_400 * SECOND;

/// One event of the model.
#[derive(Clone, Debug, PartialEq)]
struct Event {
    device: &'static str,
    time: Micros,
    speed: f64,
    heat: f64,
    status: Option<&'static str>,
    extra: bool,
}

/// What a partition has received, by sequence number.
type Model = BTreeMap<(u32, u32, i64), Event>;

fn event(partition: u32, epoch: u32, sequence: i64) -> Event {
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
        speed: if noise % 5 == 0 { ABSENT } else { f64::from((noise >> 11) as u16) / 100.0 },
        heat: if partition == 0 { f64::from((noise >> 31) as u16) / 7.0 } else { ABSENT },
        status: (noise % 3 == 0).then_some(["running", "idle"][(noise >> 3) as usize % 2]),
        extra: noise % 11 == 0,
    }
}

fn enqueued(epoch: u32, sequence: i64) -> Micros {
    // An hour and a half between neighbours: a few batches span days.
    START + i64::from(epoch) * 90 * DAY + sequence * 1_500 * SECOND
}

fn batch(partition: u32, epoch: u32, first: i64, last: i64) -> Frame {
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
enum Step {
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

fn steps() -> impl Strategy<Value = Vec<Step>> {
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

fn options(now: Micros) -> CompactOptions {
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

fn line(device: &str, time: Micros, source: (u32, u32, i64), event: &Event) -> String {
    let bits = |value: f64| if value.is_nan() { 0 } else { value.to_bits() };
    format!(
        "{device} {time} {source:?} {:x} {:x} {:?} {}",
        bits(event.speed),
        bits(event.heat),
        event.status,
        event.extra
    )
}

async fn stored(history: &History) -> Vec<String> {
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

fn expected(model: &Model) -> Vec<String> {
    let mut lines: Vec<String> =
        model.iter().map(|(key, event)| line(event.device, event.time, *key, event)).collect();
    lines.sort_unstable();
    lines
}

/// Counts, bounds and sums by hour or minute, from the model.
fn expected_summaries(model: &Model, interval: Micros) -> BTreeMap<(String, Micros), (u64, f64, f64, f64)> {
    let mut out: BTreeMap<_, (u64, f64, f64, f64)> = BTreeMap::new();
    for event in model.values().filter(|event| !event.speed.is_nan()) {
        let key = (event.device.to_owned(), floor(event.time, interval));
        let known = out.entry(key).or_insert((0, 0.0, f64::INFINITY, f64::NEG_INFINITY));
        *known = (known.0 + 1, known.1 + event.speed, known.2.min(event.speed), known.3.max(event.speed));
    }
    out
}

async fn check_summaries(history: &History, model: &Model) {
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

struct World {
    objects: Arc<InMemory>,
    model: Model,
    last: [i64; 2],
    epoch: u32,
    now: Micros,
}

impl World {
    fn new() -> Self {
        Self { objects: Arc::new(InMemory::new()), model: Model::new(), last: [-1; 2], epoch: 0, now: START }
    }

    fn history(&self) -> History {
        History::new(Store::wrap(Arc::clone(&self.objects) as _), "plant")
    }

    async fn step(&mut self, step: &Step) {
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

    async fn finish(&mut self) {
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

fn exactly_once(cases: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    TestRunner::new(config)
        .run(&steps(), |steps| {
            runtime.block_on(async {
                let mut world = World::new();
                for step in &steps {
                    world.step(step).await;
                }
                world.finish().await;
            });
            Ok(())
        })
        .unwrap();
}

/// `TWINWRIGHT_CASES` sets how often; the full run is 10,000 cases in release.
#[test]
fn every_event_is_there_exactly_once_whatever_happens() {
    let cases = std::env::var("TWINWRIGHT_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(150);
    exactly_once(cases);
}

#[tokio::test]
async fn a_kill_at_every_single_operation_leaves_a_run_that_can_be_made_again() {
    for (fault, step) in [(Fault::Dead, 1), (Fault::DeadAfter, 3), (Fault::Lost, 2), (Fault::Busy, 5)] {
        for operation in (0..).step_by(step) {
            let mut world = World::new();
            for (partition, length) in [(0, 9), (1, 6)] {
                world.step(&Step::Commit { partition, back: 3, length }).await;
            }
            world.step(&Step::Compact { fault: None, late: 1 }).await;
            world.step(&Step::Commit { partition: 0, back: 4, length: 12 }).await;
            world.now += DAY;
            let (store, faults) = Faults::over(&world.objects);
            faults.plan(operation, fault);
            let ended = Compactor::new(store, "plant").run(&options(world.now)).await;
            assert!(stored(&world.history()).await == expected(&world.model), "{fault:?} at {operation}");
            world.finish().await;
            if !faults.is_spent() {
                assert!(ended.is_ok(), "{ended:?}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_killed_run_is_resumed_and_a_repeated_run_does_nothing() {
    for operation in (40..2_000).step_by(20) {
        let mut world = World::new();
        world.step(&Step::Commit { partition: 0, back: 0, length: 120 }).await;
        world.now += 9 * DAY;
        let (store, faults) = Faults::over(&world.objects);
        faults.plan(operation, Fault::Dead);
        assert!(Compactor::new(store, "plant").run(&options(world.now)).await.is_err());
        let store = Store::wrap(Arc::clone(&world.objects) as _);
        let compactor = Compactor::new(store, "plant");
        let report = compactor.run(&options(world.now)).await.unwrap();
        if report.resumed == 0 {
            continue;
        }
        assert!(report.days > report.resumed && report.manifest == Some(1), "{report:?}");
        let settled = compactor.run(&options(world.now)).await.unwrap();
        assert!(settled.files == 0 && settled.deleted_segments > 0, "{settled:?}");
        let idle = compactor.run(&options(world.now)).await.unwrap();
        assert_eq!((idle.manifest, idle.files, idle.deleted_segments), (None, 0, 0), "{idle:?}");
        assert!(stored(&world.history()).await == expected(&world.model));
        return;
    }
    panic!("no kill left a finished day behind");
}

#[tokio::test]
async fn a_day_is_appended_to_until_it_is_over_and_then_written_whole() {
    let store = Store::memory();
    let log = SegmentLog::new(store.clone(), "plant");
    let compactor = Compactor::new(store.clone(), "plant");
    let at = |now| CompactOptions { min_age: 0, ..CompactOptions::new(now) };
    for part in 0..3 {
        let frame = crate::testing::frame(0, part * 10, part * 10 + 9);
        log.commit(&frame, &SegmentMetadata::default()).await.unwrap();
        compactor.run(&at(START + (part + 1) * HOUR)).await.unwrap();
    }
    let open = compactor.manifests.latest().await.unwrap();
    assert_eq!(
        (open.days[0].files.len(), open.days[0].roll_ups.is_some(), open.days[0].sealed),
        (3, false, false)
    );
    let report = compactor.run(&at(START + 3 * DAY)).await.unwrap();
    assert_eq!((report.segments, report.days, report.rows), (0, 1, 30));
    let over = compactor.manifests.latest().await.unwrap();
    assert_eq!(
        (over.days[0].files.len(), over.days[0].roll_ups.is_some(), over.days[0].sealed),
        (1, true, true)
    );
    assert_eq!(compactor.run(&at(START + 3 * DAY + 1)).await.unwrap().files, 0);
}

#[tokio::test]
async fn old_days_go_and_their_numbers_are_accounted_for() {
    let mut world = World::new();
    world.step(&Step::Commit { partition: 0, back: 0, length: 200 }).await;
    world.now += 2 * DAY;
    let store = Store::wrap(Arc::clone(&world.objects) as _);
    let compactor = Compactor::new(store.clone(), "plant");
    compactor.run(&options(world.now)).await.unwrap();
    let keep = CompactOptions { keep_days: Some(4), ..options(world.now) };
    let report = compactor.run(&keep).await.unwrap();
    assert!(report.expired_days > 0);
    let manifest = compactor.manifests.latest().await.unwrap();
    let limit = world.now - 4 * DAY;
    assert!(manifest.days.iter().all(|day| day_start(day.key.day + 1) > limit));
    assert!(manifest.rows() > 0 && manifest.rows() < 200);
    let known = crate::verify::KnownGaps::default();
    let verified = crate::verify::verify(&store, "plant", &known).await.unwrap();
    assert!(verified.is_whole(), "{verified:?}");
}

#[tokio::test]
async fn late_events_make_a_new_generation_of_their_day_alone() {
    let store = Store::memory();
    let log = SegmentLog::new(store.clone(), "plant");
    let metadata = SegmentMetadata::default();
    for day in 0..4 {
        let mut frame = crate::testing::frame(0, day * 100, day * 100 + 99);
        for times in [&mut frame.time, &mut frame.enqueued] {
            times.iter_mut().for_each(|time| *time += day * DAY - 40_000 * SECOND);
        }
        (frame.first_enqueued, frame.last_enqueued) = (frame.enqueued[0], frame.enqueued[99]);
        log.commit(&frame, &metadata).await.unwrap();
    }
    let compactor = Compactor::new(store.clone(), "plant");
    let quiet = CompactOptions { keep_for_replay: false, ..CompactOptions::new(START + 9 * DAY) };
    let report = compactor.run(&quiet).await.unwrap();
    assert_eq!((report.days, report.segments, report.rows), (4, 4, 400));
    let before = compactor.manifests.latest().await.unwrap();
    let mut late = crate::testing::frame(0, 400, 409);
    late.time.iter_mut().for_each(|time| *time += DAY - 40_000 * SECOND);
    late.enqueued.iter_mut().for_each(|time| *time += 5 * DAY);
    (late.first_enqueued, late.last_enqueued) = (late.enqueued[0], late.enqueued[9]);
    log.commit(&late, &metadata).await.unwrap();
    let report = compactor.run(&quiet).await.unwrap();
    assert_eq!((report.days, report.rows), (1, 110));
    let after = compactor.manifests.latest().await.unwrap();
    let changed: Vec<bool> = before.days.iter().zip(&after.days).map(|(a, b)| a != b).collect();
    assert_eq!(changed, [false, true, false, false]);
    assert!(after.days.iter().all(|day| day.roll_ups.is_some()));
    assert_eq!(after.garbage.len(), 3, "the day's file and roll-ups wait for their readers");
    for garbage in &after.garbage {
        assert!(store.read(&garbage.path).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn damaged_segments_stay_are_named_and_count_once_they_are_whole_again() {
    let mut world = World::new();
    world.step(&Step::Commit { partition: 0, back: 0, length: 40 }).await;
    world.step(&Step::Commit { partition: 1, back: 0, length: 40 }).await;
    let store = Store::wrap(Arc::clone(&world.objects) as _);
    let listed = list_segments(&store, "plant").await.unwrap();
    let (victim, copy) = (listed[0].name.path(), listed[1].name.path());
    let whole = store.read(&victim).await.unwrap().unwrap();
    for cut in [0, 4, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
        store.delete(&victim).await.unwrap();
        store.create(&victim, whole.slice(..cut)).await.unwrap();
        world.now += DAY;
        let report = Compactor::new(store.clone(), "plant").run(&options(world.now)).await.unwrap();
        assert_eq!(report.damaged.iter().map(|damage| &damage.path).collect::<Vec<_>>(), [&victim], "{cut}");
        assert!(store.read(&victim).await.unwrap().is_some(), "never deleted");
    }
    // Another segment under this name is no better.
    let other = store.read(&copy).await.unwrap();
    if let Some(other) = other {
        store.delete(&victim).await.unwrap();
        store.create(&victim, other).await.unwrap();
        let report = Compactor::new(store.clone(), "plant").run(&options(world.now + DAY)).await.unwrap();
        assert_eq!(report.damaged.len(), 1);
    }
    store.delete(&victim).await.unwrap();
    store.create(&victim, whole).await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn a_store_of_a_later_version_is_left_alone() {
    let mut world = World::new();
    world.step(&Step::Commit { partition: 0, back: 0, length: 40 }).await;
    let store = Store::wrap(Arc::clone(&world.objects) as _);
    let newer = Bytes::from_static(b"{\"format\": 7}");
    store.create("manifests/v=1/hub=plant/000000001.json", newer).await.unwrap();
    let before = store.list("", None, 1_000).await.unwrap();
    let error = Compactor::new(store.clone(), "plant").run(&options(world.now)).await.unwrap_err();
    assert!(matches!(error, StoreError::Newer { format: 7, .. }), "{error}");
    assert_eq!(store.list("", None, 1_000).await.unwrap(), before);
    let query = RowQuery { from: 0, to: Micros::MAX, ..RowQuery::default() };
    assert!(matches!(world.history().read(&query, 10).await, Err(StoreError::Newer { .. })));
}

#[tokio::test]
async fn segments_that_a_cold_start_would_replay_stay() {
    let mut world = World::new();
    world.step(&Step::Commit { partition: 0, back: 0, length: 4 }).await;
    world.step(&Step::Commit { partition: 0, back: 0, length: 4 }).await;
    let store = Store::wrap(Arc::clone(&world.objects) as _);
    let compactor = Compactor::new(store.clone(), "plant");
    let keep = CompactOptions { keep_for_replay: true, ..options(world.now + DAY) };
    for _ in 0..3 {
        assert_eq!(compactor.run(&keep).await.unwrap().deleted_segments, 0, "no snapshot yet");
    }
    let snapshots = crate::snapshot::SnapshotStore::new(store.clone(), "plant");
    snapshots.save(0, 0, 3, b"state").await.unwrap();
    let deleted = compactor.run(&keep).await.unwrap().deleted_segments;
    let left = list_segments(&store, "plant").await.unwrap();
    assert!(deleted > 0 && !left.is_empty());
    assert!(left.iter().all(|listed| listed.name.last > 3));
    assert!(stored(&world.history()).await == expected(&world.model));
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_the_same_before_during_and_after() {
    let mut world = World::new();
    for round in 0..6 {
        world.step(&Step::Commit { partition: round % 2, back: 4, length: 60 }).await;
    }
    let expected = expected(&world.model);
    let objects = Arc::clone(&world.objects);
    let now = world.now;
    let compacting = tokio::spawn(async move {
        for round in 0..12 {
            let store = Store::wrap(Arc::clone(&objects) as _);
            Compactor::new(store, "plant").run(&options(now + round * DAY)).await.unwrap();
        }
    });
    let mut reads = 0;
    while !compacting.is_finished() || reads < 3 {
        assert!(stored(&world.history()).await == expected);
        reads += 1;
    }
    compacting.await.unwrap();
}
