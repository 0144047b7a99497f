//! Exactly once, whatever happens: batches cut, repeated and reordered at random, compactors killed at random, against a
//! plain model.

mod model;

use std::sync::Arc;

use bytes::Bytes;
use proptest::test_runner::{Config, TestRunner};
use twinwright_core::time::{Micros, SECOND};

use self::model::{Step, World, expected, options, steps, stored};
use super::*;
use crate::faults::{Fault, Faults};
use crate::progress::Standing;
use crate::reader::RowQuery;
use crate::segment::SegmentMetadata;
use crate::segments::SegmentLog;
use crate::testing::START;

const DAY: Micros = 86_400 * SECOND;

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
        let once_more = options(world.now);
        let report = compactor.run(&once_more).await.unwrap();
        if report.resumed == 0 {
            continue;
        }
        let told = once_more.progress.standing();
        assert!(told.stage == Stage::Reading && told.done == told.of && told.of > 0, "{told:?}");
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
    let over = at(START + 3 * DAY);
    let report = compactor.run(&over).await.unwrap();
    assert_eq!((report.segments, report.days, report.rows), (0, 1, 30));
    let read = open.days[0].files.iter().map(|file| file.bytes).sum();
    assert_eq!(over.progress.standing(), Standing { stage: Stage::Reading, done: read, of: read });
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

#[tokio::test]
async fn segments_of_the_last_days_stay_where_that_is_asked_for() {
    let mut world = World::new();
    world.step(&Step::Commit { partition: 0, back: 0, length: 4 }).await;
    let store = Store::wrap(Arc::clone(&world.objects) as _);
    let compactor = Compactor::new(store.clone(), "plant");
    let all = list_segments(&store, "plant").await.unwrap().len();
    for (days, left) in [(1, all), (2, all), (3, all), (9, 0)] {
        let keep = CompactOptions { keep_segments: 8 * DAY, ..options(world.now + days * DAY) };
        compactor.run(&keep).await.unwrap();
        assert_eq!(list_segments(&store, "plant").await.unwrap().len(), left, "after {days} days");
        assert!(stored(&world.history()).await == expected(&world.model));
    }
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
