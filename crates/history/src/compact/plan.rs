//! What a run is to do. Names tell nearly all; only segments that span days, or whose numbers overlap with others', are
//! opened to decide.

use std::collections::{BTreeMap, BTreeSet};

use twinwright_core::frame::SequenceRange;
use twinwright_core::time::{Micros, SECOND};

use super::day::is_over;
use super::{CompactOptions, Compactor, DamagedPath, Listed};
use crate::StoreError;
use crate::block::Block;
use crate::coverage::Coverage;
use crate::erase::Erasures;
use crate::input::{Head, Layouts};
use crate::manifest::{Damaged, DayKey, FileEntry, Manifest, covers_name};
use crate::names::SegmentName;
use crate::parquet_file::{Footer, Parts, guard};
use crate::registry::Registry;
use crate::scan::blocks;
use crate::segment::PARTITION;
use crate::table::{Names, Table};

pub(super) const DAY: Micros = 86_400 * SECOND;
/// An event time further away from the enqueued time does not choose the day.
const STRAY: Micros = 366 * DAY;

/// The day of a row.
pub(crate) fn day_key(time: Micros, enqueued: Micros) -> DayKey {
    let stray = time.abs_diff(enqueued) > STRAY.unsigned_abs();
    let day = if stray { enqueued } else { time }.div_euclid(DAY);
    DayKey { day: i32::try_from(day).unwrap_or(if day < 0 { i32::MIN } else { i32::MAX }), stray }
}

/// When a day begins.
pub(crate) fn day_start(day: i32) -> Micros {
    i64::from(day).saturating_mul(DAY)
}

/// A segment that becomes history.
#[derive(Clone, Debug)]
pub(super) struct Input {
    pub(super) name: SegmentName,
    pub(super) bytes: u64,
    /// Sequence numbers that count; none where all do.
    pub(super) keep: Option<Vec<SequenceRange>>,
}

/// Days and their inputs.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) inputs: Vec<Input>,
    pub(super) days: BTreeMap<DayKey, Vec<usize>>,
}

/// What opening a segment tells.
struct Inspected {
    head: Head,
    days: BTreeSet<DayKey>,
}

impl Plan {
    /// Decides; segments that turn out damaged are added to `damaged`, and those that are there already left out.
    pub(super) async fn make(
        compactor: &Compactor,
        listed: &[Listed],
        parent: &Manifest,
        registry: &mut Registry,
        options: &CompactOptions,
        damaged: &mut BTreeSet<DamagedPath>,
    ) -> Result<Self, StoreError> {
        // Each run tries once more what the last one could not read; if it still cannot, one look is enough.
        let suspects: BTreeSet<&str> = parent.damaged.iter().map(|damage| damage.path.as_str()).collect();
        let is_damaged =
            |damaged: &BTreeSet<DamagedPath>, path: &str| damaged.iter().any(|known| known.0.path == path);
        let candidates: Vec<&Listed> = listed
            .iter()
            .filter(|listed| listed.name.first_enqueued.saturating_add(options.min_age) <= options.now)
            .filter(|listed| !covers_name(&parent.covered, &listed.name))
            .filter(|listed| damaged.is_empty() || !is_damaged(damaged, &listed.name.path()))
            .collect();
        let overlapping = overlapping(&candidates, parent);
        let mut coverage = parent.coverage();
        let mut plan = Self::default();
        let mut layouts = Layouts::default();
        for (at, listed) in candidates.into_iter().enumerate() {
            let name = &listed.name;
            let mut keep = None;
            let days = match one_day(name) {
                Some(day)
                    if !overlapping[at] && (suspects.is_empty() || !suspects.contains(&*name.path())) =>
                {
                    BTreeSet::from([day])
                }
                _ => match inspect(compactor, name, &mut layouts, registry).await? {
                    // Compacted away since it was listed.
                    None => continue,
                    Some(Err(cause)) => {
                        damaged.insert(DamagedPath(Damaged { path: name.path(), cause }));
                        continue;
                    }
                    Some(Ok(inspected)) => {
                        let source = coverage.entry(inspected.head.source).or_default();
                        let range = SequenceRange { first: name.first, last: name.last };
                        if source.touches(range) {
                            let mut left = Coverage::default();
                            left.insert(range);
                            keep = Some(uncovered(source, range));
                        }
                        source.insert(range);
                        inspected.days
                    }
                },
            };
            if keep.as_ref().is_some_and(Vec::is_empty) {
                continue;
            }
            let number = plan.inputs.len();
            plan.inputs.push(Input { name: name.clone(), bytes: listed.bytes, keep });
            for day in days {
                plan.days.entry(day).or_default().push(number);
            }
        }
        Ok(plan)
    }

    /// Days that were appended to and are over now are written whole.
    pub(super) fn add_unsealed(&mut self, parent: &Manifest, options: &CompactOptions) {
        for day in parent.days.iter().filter(|day| !day.sealed && is_over(day.key, options)) {
            self.days.entry(day.key).or_default();
        }
    }

    /// Days that may have rows of erased devices are written again.
    pub(super) fn add_erased(&mut self, parent: &Manifest, erasures: &Erasures) {
        for day in &parent.days {
            let affected =
                |file: &FileEntry| erasures.erased.iter().any(|erased| file.may_have(&erased.device));
            if day.files.iter().any(affected) {
                self.days.entry(day.key).or_default();
            }
        }
    }
}

/// The numbers of a range that are not covered.
pub(crate) fn uncovered(coverage: &Coverage, range: SequenceRange) -> Vec<SequenceRange> {
    let (mut next, mut left) = (range.first, Vec::new());
    for known in coverage.ranges().filter(|known| known.last >= range.first && known.first <= range.last) {
        if known.first > next {
            left.push(SequenceRange { first: next, last: known.first - 1 });
        }
        match known.last.checked_add(1) {
            Some(behind) => next = next.max(behind),
            None => return left,
        }
    }
    if next <= range.last {
        left.push(SequenceRange { first: next, last: range.last });
    }
    left
}

/// The day of all rows, where the name proves that there is one.
fn one_day(name: &SegmentName) -> Option<DayKey> {
    let near = |time: Micros| time.abs_diff(name.first_enqueued) < (STRAY - DAY).unsigned_abs();
    if !near(name.min_time) || !near(name.max_time) {
        return None;
    }
    let (first, last) = (day_key(name.min_time, name.min_time), day_key(name.max_time, name.max_time));
    (first == last).then_some(first)
}

/// Which candidates have numbers that others, or the history, have too. The epoch is not in the name, so this may say
/// yes too often.
fn overlapping(candidates: &[&Listed], parent: &Manifest) -> Vec<bool> {
    let mut known: BTreeMap<u32, Coverage> = BTreeMap::new();
    for (source, coverage) in parent.coverage() {
        known.entry(source.partition).or_default().extend(&coverage);
    }
    let range = |listed: &Listed| SequenceRange { first: listed.name.first, last: listed.name.last };
    let mut overlap: Vec<bool> = candidates
        .iter()
        .map(|listed| {
            known.get(&listed.name.partition).is_some_and(|coverage| coverage.touches(range(listed)))
        })
        .collect();
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by_key(|&at| (candidates[at].name.partition, candidates[at].name.first));
    // The candidate that reaches furthest among those before.
    let mut furthest: Option<usize> = None;
    for at in order {
        if let Some(before) = furthest {
            let same = candidates[before].name.partition == candidates[at].name.partition;
            if same && candidates[before].name.last >= candidates[at].name.first {
                overlap[before] = true;
                overlap[at] = true;
            }
            if same && candidates[before].name.last >= candidates[at].name.last {
                continue;
            }
        }
        furthest = Some(at);
    }
    overlap
}

/// Reads a segment whole, for its epoch and the days of its rows.
async fn inspect(
    compactor: &Compactor,
    name: &SegmentName,
    layouts: &mut Layouts,
    registry: &mut Registry,
) -> Result<Option<Result<Inspected, String>>, StoreError> {
    let bytes = match compactor.store.read(&name.path()).await {
        Ok(None) => return Ok(None),
        Ok(Some(bytes)) => bytes,
        Err(StoreError::Corrupt { cause, .. }) => return Ok(Some(Err(cause))),
        Err(error) => return Err(error),
    };
    let read = || -> Result<Inspected, String> {
        let parts = Parts::whole(bytes);
        let (mut names, mut table) = (Names::default(), Table::default());
        let head = read_segment(name, parts, layouts, registry, |layout, batch, head| {
            layout.append(batch, None, Some(head.source), &mut table, &mut names)
        })?;
        let days = table.time.iter().zip(&table.enqueued).map(|(&time, &enqueued)| day_key(time, enqueued));
        Ok(Inspected { head, days: days.collect() })
    };
    let inspected = guard(read).map(|mut inspected| {
        // A segment of dead letters alone has no rows, and still covers their numbers.
        if inspected.days.is_empty() {
            inspected.days.insert(day_key(name.first_enqueued, name.first_enqueued));
        }
        inspected
    });
    Ok(Some(inspected))
}

/// Reads a segment block by block, and checks that it is what its name says.
pub(crate) fn read_segment(
    name: &SegmentName,
    parts: Parts,
    layouts: &mut Layouts,
    registry: &mut Registry,
    mut visit: impl FnMut(&crate::input::Layout, &Block<'_>, &Head) -> Result<(), String>,
) -> Result<Head, String> {
    let footer = Footer::read(&parts)?;
    let head = Head::read(&footer)?;
    if (head.source.partition, head.first, head.last) != (name.partition, name.first, name.last) {
        return Err("it is another segment than its name says".to_owned());
    }
    let expected = footer.parquet().file_metadata().num_rows();
    let layout = layouts.of(&footer, registry)?;
    let mut rows = 0;
    // Head and name say the partition.
    blocks(&footer, parts, &mut layouts.scan, &[PARTITION], |block| {
        rows += block.rows as i64;
        visit(&layout, block, &head)
    })?;
    if rows != expected {
        return Err(format!("{rows} rows where {expected} are promised"));
    }
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn event_time_chooses_the_day_unless_it_is_astray() {
        let noon = 20_000 * DAY + DAY / 2;
        assert_eq!(day_key(noon, noon + DAY), DayKey { day: 20_000, stray: false });
        assert_eq!(day_key(0, noon), DayKey { day: 20_000, stray: true });
        assert_eq!(day_key(-1, 5), DayKey { day: -1, stray: false });
        assert!(day_key(Micros::MAX, Micros::MIN).stray);
        assert_eq!(day_start(20_000), 20_000 * DAY);
    }

    proptest! {
        #[test]
        fn what_is_uncovered_is_the_rest(
            ranges in prop::collection::vec((0_i64..60, 0_i64..9), 0..8), first in -3_i64..60, length in 0_i64..20
        ) {
            let mut coverage = Coverage::default();
            for &(first, length) in &ranges {
                coverage.insert(SequenceRange { first, last: first + length });
            }
            let range = SequenceRange { first, last: first + length };
            let left = uncovered(&coverage, range);
            for number in first..=first + length {
                let is_left = left.iter().any(|left| (left.first..=left.last).contains(&number));
                prop_assert_eq!(is_left, !coverage.contains(number));
            }
            let sum: i64 = left.iter().map(|left| left.last - left.first + 1).sum();
            prop_assert!(sum <= length + 1);
        }
    }
}
