//! Deletion: replaced files and covered segments after the grace period, and files of runs that came to nothing.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;

use super::plan::{DAY, day_start};
use super::{CompactOptions, CompactReport, Compactor, Listed};
use crate::StoreError;
use crate::erase::keep_numbers;
use crate::manifest::{DayKey, Manifest, Source, covers_name};
use crate::names::hub_folder;
use crate::numbers::Numbers;
use crate::reader::History;
use crate::snapshot::SnapshotStore;
use crate::store::Store;

/// Deletes what the manifest calls garbage and is old enough; says what went.
pub(super) async fn due(
    store: &Store,
    parent: &Manifest,
    options: &CompactOptions,
) -> Result<BTreeSet<String>, StoreError> {
    let mut deleted = BTreeSet::new();
    for garbage in &parent.garbage {
        if garbage.since.saturating_add(options.grace) <= options.now {
            store.delete(&garbage.path).await?;
            deleted.insert(garbage.path.clone());
        }
    }
    Ok(deleted)
}

/// Days that are too old. Their sequence numbers are kept before they go, so that a proof of completeness still holds.
pub(super) async fn expired(
    compactor: &Compactor,
    parent: &Manifest,
    options: &CompactOptions,
) -> Result<BTreeSet<DayKey>, StoreError> {
    let Some(days) = options.keep_days else { return Ok(BTreeSet::new()) };
    let limit = options.now.saturating_sub(i64::from(days) * DAY);
    let is_old = |key: &DayKey| day_start(key.day.saturating_add(1)) <= limit;
    let expired: BTreeSet<DayKey> = parent.days.iter().map(|day| day.key).filter(is_old).collect();
    let history = History::new(compactor.store.clone(), &*compactor.hub);
    for key in &expired {
        let Some(entry) = parent.day(*key) else { continue };
        let mut numbers: BTreeMap<Source, Numbers> = BTreeMap::new();
        history
            .visit_day(entry, |rows| {
                for (row, &number) in rows.sequences().iter().enumerate() {
                    numbers.entry(rows.source(row)).or_default().insert(number);
                }
            })
            .await?;
        let numbers =
            numbers.into_iter().map(|(source, numbers)| (source, numbers.into_coverage())).collect();
        keep_numbers(&compactor.store, &compactor.hub, &format!("{key:?}"), &numbers).await?;
    }
    let first_kept = crate::names::day_folder("scores", &compactor.hub, limit);
    for folder in compactor.store.folders(&hub_folder("scores", &compactor.hub)).await? {
        if folder < first_kept {
            delete_all(&compactor.store, &folder).await?;
        }
    }
    Ok(expired)
}

async fn delete_all(store: &Store, folder: &str) -> Result<(), StoreError> {
    let mut entries = store.entries(folder, None)?;
    while let Some(entry) = entries.next().await {
        store.delete(&entry?.path).await?;
    }
    Ok(())
}

/// Deletes settled segments, and files whose manifest has passed without them.
pub(super) async fn sweep(
    compactor: &Compactor,
    current: &Manifest,
    listed: &[Listed],
    options: &CompactOptions,
    report: &mut CompactReport,
) -> Result<(), StoreError> {
    if let Some(settled) = &current.settled {
        let mut saved = BTreeMap::new();
        let snapshots = SnapshotStore::new(compactor.store.clone(), &*compactor.hub);
        for listed in listed {
            let name = &listed.name;
            let is_kept = name.first_enqueued.saturating_add(options.keep_segments) > options.now;
            if (is_kept && options.keep_segments > 0) || !covers_name(&settled.covered, name) {
                continue;
            }
            if options.keep_for_replay {
                let oldest = match saved.entry(name.partition) {
                    Entry::Occupied(known) => *known.get(),
                    Entry::Vacant(place) => *place.insert(snapshots.oldest_kept(name.partition).await?),
                };
                let epoch = settled.covered.iter().filter(|covered| {
                    covered.source.partition == name.partition
                        && covered.since <= name.first_enqueued.saturating_add(1_000)
                        && name.first_enqueued <= covered.until
                });
                let epoch = epoch.map(|covered| covered.source.epoch).next().unwrap_or(u32::MAX);
                let replayed =
                    oldest.is_none_or(|(saved_epoch, last)| (epoch, name.last) > (saved_epoch, last));
                if replayed {
                    continue;
                }
            }
            compactor.store.delete(&name.path()).await?;
            report.deleted_segments += 1;
        }
    }
    let named = current.paths();
    let waiting: BTreeSet<&str> = current.garbage.iter().map(|garbage| garbage.path.as_str()).collect();
    for folder in roots(&compactor.hub) {
        let mut entries = compactor.store.entries(&folder, None)?;
        while let Some(entry) = entries.next().await {
            let path = entry?.path;
            let Some(generation) = generation(&path) else { continue };
            let passed = generation <= current.number;
            if passed && !named.contains(&*path) && !waiting.contains(&*path) {
                compactor.store.delete(&path).await?;
                report.deleted_files += 1;
            }
        }
    }
    compactor.manifests.sweep().await?;
    Ok(())
}

/// Folders in which runs write.
fn roots(hub: &str) -> [String; 4] {
    let history = hub_folder("history", hub);
    let hub_part = history.strip_prefix("history/v=1/").unwrap_or_default().to_owned();
    [
        history,
        format!("roll-ups/v=1/grain=1m/{hub_part}"),
        format!("roll-ups/v=1/grain=1h/{hub_part}"),
        hub_folder("compaction", hub),
    ]
}

/// The number of the manifest for which a file was written: the name has it, so nobody else's file is touched.
fn generation(path: &str) -> Option<u64> {
    let name = path.rsplit('/').next()?;
    let digits = name.split('_').find_map(|part| part.strip_prefix('g').filter(|rest| rest.len() >= 9))?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_files_have_a_generation() {
        let path = "history/v=1/hub=h/date=2026-03-04/20260304000000000_20260304235959999_g000000012_0011aabb_000.parquet";
        assert_eq!(generation(path), Some(12));
        assert_eq!(generation("compaction/v=1/hub=h/g000000007_00ff.json"), Some(7));
        assert_eq!(generation("history/v=1/hub=h/_delta_log/00000000000000000001.json"), None);
        assert_eq!(generation("history/v=1/hub=h/date=2026-03-04/mine.parquet"), None);
    }
}
