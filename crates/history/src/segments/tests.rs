use super::*;
use crate::testing::{Azurite, START, frame};
use bytes::Bytes;
use twinwright_core::frame::SequenceRange;

const HOUR: Micros = 3_600 * SECOND;

fn at(sequence: i64) -> Micros {
    START + sequence * SECOND
}

fn sequences(frames: &[Frame]) -> Vec<i64> {
    frames.iter().flat_map(|frame| frame.sequence.iter().copied()).collect()
}

async fn all(log: &SegmentLog) -> Vec<i64> {
    sequences(&log.read_rows(Micros::MIN, Micros::MAX, None).await.unwrap())
}

/// What a partition goes through: batches, the same again, other borders, another partition, an hour's change.
async fn behaves(store: Store) {
    let log = SegmentLog::new(store, "plant");
    let metadata = SegmentMetadata::default();
    let first = log.commit(&frame(0, 1, 20), &metadata).await.unwrap();
    assert_eq!((first.outcome, first.segments), (Outcome::Stored, 1));
    let again = log.commit(&frame(0, 1, 20), &metadata).await.unwrap();
    assert_eq!(again, Commit { outcome: Outcome::AlreadyStored, ..first });
    for (partition, first, last) in [(0, 21, 30), (0, 15, 40), (1, 1, 20), (0, 41, 50)] {
        let commit = log.commit(&frame(partition, first, last), &metadata).await.unwrap();
        assert_eq!(commit.outcome, Outcome::Stored);
    }
    let after = |sequence, since| {
        let log = log.clone();
        async move {
            let names = log.after(0, sequence, since).await.unwrap();
            names.into_iter().map(|name| (name.first, name.last)).collect::<Vec<_>>()
        }
    };
    assert_eq!(after(0, None).await, [(1, 20), (15, 40), (21, 30), (41, 50)]);
    assert_eq!(after(30, Some(at(30))).await, [(15, 40), (41, 50)]);
    assert_eq!(after(50, Some(at(50))).await, []);

    let mut rows = all(&log).await;
    rows.sort_unstable();
    let mut expected: Vec<i64> = (1..=50).chain(1..=20).collect();
    expected.sort_unstable();
    assert_eq!(rows, expected, "every row once, whatever the borders");
    let some = log.read_rows(at(18), at(23), Some(&["arm-2"])).await.unwrap();
    let mut some = sequences(&some);
    some.sort_unstable();
    assert_eq!(some, [18, 18, 20, 20, 22]);
    let names = log.range(at(45), at(46)).await.unwrap();
    assert_eq!(names.len(), 1, "names say enough to leave the others closed");
    let (loaded, _) = log.load(&names[0]).await.unwrap();
    assert_eq!(loaded.range, SequenceRange { first: 41, last: 50 });
}

#[tokio::test]
async fn a_partition_in_memory() {
    behaves(Store::memory()).await;
}

#[tokio::test]
async fn a_partition_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    behaves(Store::folder_unsynced(folder.path()).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_on_azurite() {
    let Some(azurite) = Azurite::start() else { return };
    let store = azurite.store("segments");
    store.prepare().await.unwrap();
    behaves(store).await;
}

#[tokio::test]
async fn only_folders_that_can_matter_are_listed() {
    let log = SegmentLog::new(Store::memory(), "plant");
    for hours in [0, 1, 2, 30, 80] {
        let mut frame = frame(0, hours * 100 + 1, hours * 100 + 100);
        frame.first_enqueued = START + hours * HOUR;
        frame.enqueued.fill(frame.first_enqueued);
        frame.time.fill(frame.first_enqueued);
        log.commit(&frame, &SegmentMetadata::default()).await.unwrap();
    }
    let firsts = |names: Vec<SegmentName>| names.into_iter().map(|name| name.first).collect::<Vec<_>>();
    assert_eq!(firsts(log.names(Some(START + 2 * HOUR), |_| true).await.unwrap()), [201, 3001, 8001]);
    assert_eq!(firsts(log.after(0, 200, Some(START + HOUR)).await.unwrap()), [201, 3001, 8001]);
    assert_eq!(firsts(log.range(START + 2 * HOUR, START + 31 * HOUR).await.unwrap()), [201, 3001]);
}

#[tokio::test]
async fn a_hub_made_anew_counts_again() {
    let log = SegmentLog::new(Store::memory(), "plant");
    log.commit(&frame(0, 500, 600), &SegmentMetadata::default()).await.unwrap();
    let mut anew = frame(0, 0, 99);
    for times in [&mut anew.time, &mut anew.enqueued] {
        times.iter_mut().for_each(|time| *time += HOUR);
    }
    anew.first_enqueued += HOUR;
    let epoch_1 = SegmentMetadata { epoch: 1, ..SegmentMetadata::default() };
    log.commit(&anew, &epoch_1).await.unwrap();
    let mut overlapping = anew.clone();
    overlapping.range.last = 150;
    log.commit(&overlapping, &epoch_1).await.unwrap();
    assert_eq!(all(&log).await.len(), 201);
    let names = log.after(0, 600, Some(at(600))).await.unwrap();
    assert_eq!(names.iter().map(|name| name.first).collect::<Vec<_>>(), [0, 0]);
}

#[tokio::test]
async fn a_batch_over_days_is_found_by_each_of_its_hours() {
    let log = SegmentLog::new(Store::memory(), "plant");
    let mut long = frame(0, 1, 40);
    for row in 20..40 {
        long.enqueued[row] += 50 * HOUR;
        long.time[row] += 50 * HOUR;
    }
    let commit = log.commit(&long, &SegmentMetadata::default()).await.unwrap();
    assert_eq!((commit.outcome, commit.segments), (Outcome::Stored, 2));
    let again = log.commit(&long, &SegmentMetadata::default()).await.unwrap();
    assert_eq!(again.outcome, Outcome::AlreadyStored);
    let late = log.read_rows(START + 49 * HOUR, Micros::MAX, None).await.unwrap();
    assert_eq!(sequences(&late), (21..=40).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_damaged_segment_is_named_and_hides_no_other() {
    let store = Store::memory();
    let log = SegmentLog::new(store.clone(), "plant");
    log.commit(&frame(0, 1, 20), &SegmentMetadata::default()).await.unwrap();
    log.commit(&frame(0, 41, 60), &SegmentMetadata::default()).await.unwrap();
    let torn = frame(0, 21, 40);
    let path = segment::path("plant", &torn);
    let whole = segment::encode("plant", &torn, &SegmentMetadata::default()).unwrap();
    store.create(&path, whole.slice(..whole.len() / 2)).await.unwrap();
    store.create("segments/v=1/hub=plant/date=2026-03-04/hour=10/notes.txt", Bytes::new()).await.unwrap();
    let mut rows = 0;
    let count = |frame: Frame| {
        rows += frame.rows();
        ControlFlow::Continue(())
    };
    let report = log.visit_rows(Micros::MIN, Micros::MAX, None, count).await.unwrap();
    assert_eq!(report, ReadReport { segments: 2, rows: 40, damaged: vec![path.clone()] });
    assert_eq!(rows, 40);
    let error = log.load(&crate::names::parse_path(&path).unwrap()).await.unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt { path: named, .. } if *named == path), "{error}");
}
