//! The next manifest, from its parent and what the run has written.

use std::collections::{BTreeMap, BTreeSet};

use twinwright_core::frame::SequenceRange;

use super::day::DayResult;
use super::plan::Plan;
use super::{CompactOptions, DamagedPath};
use crate::coverage::Coverage;
use crate::erase::Erasures;
use crate::manifest::{Covered, CoveredAt, DayKey, FORMAT, Garbage, Manifest, Source};
use crate::registry::Registry;

/// What a manifest is made of, beside its parent.
pub(super) struct Facts<'a> {
    pub(super) plan: &'a Plan,
    pub(super) days: &'a [(DayKey, DayResult)],
    pub(super) registry: &'a Registry,
    pub(super) erasures: &'a Erasures,
    pub(super) damaged: &'a BTreeSet<DamagedPath>,
    /// Garbage that is gone.
    pub(super) deleted: &'a BTreeSet<String>,
    /// Days that are too old.
    pub(super) expired: &'a BTreeSet<DayKey>,
}

/// The manifest behind the parent; none where nothing has changed.
pub(super) fn next(parent: &Manifest, facts: &Facts<'_>, options: &CompactOptions) -> Option<Manifest> {
    let Facts { plan, days, registry, erasures, damaged, deleted, expired } = *facts;
    let covered = cover(parent, plan, days);
    let mut next = parent.clone();
    next.number = parent.number + 1;
    next.format = FORMAT;
    next.erasures = erasures.number;
    next.columns = registry.columns().to_vec();
    next.damaged = damaged.iter().map(|damage| damage.0.clone()).collect();
    let mut entries: BTreeMap<DayKey, _> = parent.days.iter().map(|day| (day.key, day.clone())).collect();
    let mut garbage = Vec::new();
    for (key, day) in days {
        let Some(entry) = &day.entry else { continue };
        if entry.files.is_empty() {
            entries.remove(key);
        } else {
            entries.insert(*key, entry.clone());
        }
        garbage.extend(day.replaced.iter().cloned());
    }
    for key in expired {
        // A day to which this run has added goes with the next one.
        if parent.day(*key) == entries.get(key)
            && let Some(day) = entries.remove(key)
        {
            garbage.extend(day.paths().cloned());
        }
    }
    next.days = entries.into_values().collect();
    let since = options.now;
    next.garbage.retain(|garbage| !deleted.contains(&garbage.path));
    next.garbage.extend(garbage.into_iter().map(|path| Garbage { path, since }));
    settle(&mut next, covered, options);
    next.published = parent.published;
    let unchanged = next == Manifest { number: next.number, format: FORMAT, ..parent.clone() };
    next.published = options.now;
    (!unchanged).then_some(next)
}

/// What is covered, after a grace period twice over, is settled: inputs may go.
fn settle(next: &mut Manifest, covered: Vec<Covered>, options: &CompactOptions) {
    let due = next.settling.as_ref().is_none_or(|settling| {
        settling.at.saturating_add(options.grace) <= options.now
            && (settling.covered != covered
                || next.settled.as_ref().map(|s| &s.covered) != Some(&settling.covered))
    });
    if due {
        next.settled = next.settling.take();
        next.settling = Some(CoveredAt { at: options.now, covered: covered.clone() });
    }
    if covered.is_empty() {
        next.settling = None;
    }
    next.covered = covered;
}

fn cover(parent: &Manifest, plan: &Plan, days: &[(DayKey, DayResult)]) -> Vec<Covered> {
    let mut covered: BTreeMap<Source, (i64, i64, Coverage)> = BTreeMap::new();
    let ranges = parent.coverage();
    for known in &parent.covered {
        let coverage = ranges.get(&known.source).cloned().unwrap_or_default();
        covered.insert(known.source, (known.since, known.until, coverage));
    }
    for (key, day) in days {
        let inputs = plan.days.get(key).into_iter().flatten();
        for (&input, head) in inputs.zip(&day.heads) {
            let name = &plan.inputs[input].name;
            let (since, until) =
                (name.first_enqueued.min(head.first_enqueued), head.last_enqueued.max(head.first_enqueued));
            let entry = covered.entry(head.source).or_insert((since, until, Coverage::default()));
            entry.0 = entry.0.min(since);
            entry.1 = entry.1.max(until);
            entry.2.insert(SequenceRange { first: name.first, last: name.last });
        }
    }
    covered
        .into_iter()
        .map(|(source, (since, until, coverage))| Covered {
            source,
            since,
            until,
            ranges: coverage.ranges().map(|range| (range.first, range.last)).collect(),
        })
        .collect()
}
