//! Summaries by interval. A day's roll-ups answer where they are exact: the interval is a multiple of their grain, no
//! segment is waiting, and nothing was erased since; its rows answer everything else.

mod fold;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use futures::StreamExt;
use twinwright_core::time::Micros;

use self::fold::{Fold, fold_batch, fold_table, push};
use super::engine::{Engine, gone};
use super::prune::{Wanted, prune};
use super::{History, HistoryReport, RowQuery};
use crate::StoreError;
use crate::compact::Summary;
use crate::compact::{HOUR, MINUTE, day_start, floor};
use crate::manifest::FileEntry;
use crate::parquet_file::{Footer, Parts, guard};
use crate::segment::Kind;
use crate::table::Rows;

/// Intervals that one answer may have, as Time Series Insights had it.
pub(super) const MOST_INTERVALS: i64 = 200_000;
/// Buckets of all series of an answer together.
const MOST_BUCKETS: usize = 20_000_000;
/// Roll-up files fetched at the same time.
const FETCHES: usize = 8;

/// One device, one signal.
#[derive(Clone, Debug)]
pub struct SeriesQuery {
    /// Device id.
    pub device: String,
    /// Signal, as the device sends it.
    pub signal: String,
    /// Earliest event time.
    pub from: Micros,
    /// Values are earlier than this.
    pub to: Micros,
    /// Width of an interval; intervals begin at multiples of it since 1970.
    pub interval: Micros,
}

/// A series of one device and signal, one summary an interval.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Start of the first interval, a multiple of the width.
    pub start: Micros,
    /// Width.
    pub interval: Micros,
    /// One an interval, [`Summary::EMPTY`] where it has no value.
    pub summaries: Vec<Summary>,
    /// What the read went through.
    pub report: HistoryReport,
}

/// Several devices and signals.
#[derive(Clone, Debug)]
pub struct SummaryQuery {
    /// These devices; all where none are named.
    pub devices: Option<BTreeSet<String>>,
    /// These signals, as devices send them; all where none are named.
    pub signals: Option<BTreeSet<String>>,
    /// Earliest event time.
    pub from: Micros,
    /// Values are earlier than this.
    pub to: Micros,
    /// Width of an interval; intervals begin at multiples of it since 1970.
    pub interval: Micros,
}

/// The start of an interval and what is known of its values.
pub type Bucket = (Micros, Summary);

/// Buckets of each device and signal that has any, ascending.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summaries {
    /// By device and signal.
    pub series: BTreeMap<(Arc<str>, Arc<str>), Vec<Bucket>>,
    /// What the read went through.
    pub report: HistoryReport,
}

impl History {
    /// One signal of one device, by interval.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] above 200,000 intervals, before any work.
    pub async fn series(&self, query: &SeriesQuery) -> Result<Series, StoreError> {
        let summaries = SummaryQuery {
            devices: Some(BTreeSet::from([query.device.clone()])),
            signals: Some(BTreeSet::from([query.signal.clone()])),
            from: query.from,
            to: query.to,
            interval: query.interval,
        };
        let count = intervals(&summaries)?;
        let start = floor(query.from, query.interval);
        let mut dense = vec![Summary::EMPTY; usize::try_from(count).unwrap_or(0)];
        let found = self.summaries(&summaries).await?;
        for (time, summary) in found.series.into_values().flatten() {
            let at = usize::try_from((time - start) / query.interval).unwrap_or(usize::MAX);
            if let Some(slot) = dense.get_mut(at) {
                *slot = summary;
            }
        }
        Ok(Series { start, interval: query.interval, summaries: dense, report: found.report })
    }

    /// Signals of devices, by interval.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] above 200,000 intervals, before any work, and above 20 million buckets.
    pub async fn summaries(&self, query: &SummaryQuery) -> Result<Summaries, StoreError> {
        intervals(query)?;
        let (from, to) = (query.from, query.to);
        let query = query.clone();
        self.with_engine(from, to, move |engine| engine.summaries(&query)).await
    }
}

/// How many intervals a query has.
fn intervals(query: &SummaryQuery) -> Result<i64, StoreError> {
    if query.interval <= 0 || query.to < query.from {
        return Err(StoreError::invalid("the interval must be above zero, and the end not before the start"));
    }
    let span = query.to.saturating_sub(floor(query.from, query.interval));
    let count = span.div_ceil_checked(query.interval);
    if count > MOST_INTERVALS {
        return Err(StoreError::invalid(format!(
            "the query has {count} intervals, at most {MOST_INTERVALS} are answered: ask for a wider interval or less time"
        )));
    }
    Ok(count)
}

trait DivCeil {
    fn div_ceil_checked(self, by: i64) -> i64;
}

impl DivCeil for i64 {
    fn div_ceil_checked(self, by: i64) -> i64 {
        self.div_euclid(by).saturating_add(i64::from(self.rem_euclid(by) != 0))
    }
}

/// What answers a span of time.
#[derive(Debug)]
enum Step {
    Rows(Micros, Micros),
    RollUp(Micros, Micros, Vec<FileEntry>),
}

impl Engine {
    fn summaries(&mut self, query: &SummaryQuery) -> Result<Summaries, StoreError> {
        let mut fold = Fold { interval: query.interval, series: BTreeMap::new(), buckets: 0 };
        let steps = self.steps(query);
        let mut at = 0;
        while at < steps.len() {
            match &steps[at] {
                Step::Rows(from, to) => {
                    self.fold_rows(query, *from, *to, &mut fold)?;
                    at += 1;
                }
                Step::RollUp(..) => {
                    let run = steps[at..].iter().take_while(|step| matches!(step, Step::RollUp(..))).count();
                    self.fold_roll_ups(query, &steps[at..at + run], &mut fold)?;
                    at += run;
                }
            }
            if fold.buckets > MOST_BUCKETS {
                return Err(StoreError::invalid(format!(
                    "the answer has more than {MOST_BUCKETS} buckets: ask for a wider interval, less time or fewer devices"
                )));
            }
        }
        // Late rows of a span that rows answer come by device, not by time over devices; each series is in order.
        fold.series.retain(|_, buckets| !buckets.is_empty());
        Ok(Summaries { series: fold.series, report: self.report.clone() })
    }

    /// Spans of time in their order, each with what answers it.
    fn steps(&self, query: &SummaryQuery) -> Vec<Step> {
        let grain = if query.interval % HOUR == 0 { HOUR } else { MINUTE };
        let usable = query.interval % grain == 0;
        let manifest = &self.snapshot.manifest;
        let erased = self.snapshot.erasures.number != manifest.erasures;
        let is_free = |from: Micros, to: Micros| {
            !self.snapshot.segments.iter().any(|name| name.overlaps(from, to))
                && !manifest
                    .days
                    .iter()
                    .any(|day| day.key.stray && day.files.iter().any(|file| file.overlaps(from, to)))
        };
        let mut steps: Vec<Step> = Vec::new();
        let rows = |steps: &mut Vec<Step>, from: Micros, to: Micros| {
            if from >= to {
                return;
            }
            match steps.last_mut() {
                Some(Step::Rows(_, end)) if *end == from => *end = to,
                _ => steps.push(Step::Rows(from, to)),
            }
        };
        let (Some(first), Some(last)) = self.bounds() else { return steps };
        // Nothing is before the first value, so its bucket is whole.
        let from = if query.from <= first { floor(first, grain) } else { query.from };
        let to = query.to.min(last.saturating_add(1));
        if !usable || erased {
            rows(&mut steps, from, to);
            return steps;
        }
        let mut next = from;
        for day in manifest.days.iter().filter(|day| !day.key.stray) {
            let Some(rolled) = &day.roll_ups else { continue };
            let day_from = day_start(day.key.day).max(next);
            let day_to = day_start(day.key.day.saturating_add(1)).min(to);
            let aligned_from = floor(day_from.saturating_add(grain - 1), grain);
            // Nothing is behind the last value, so its bucket is whole.
            let aligned_to = if day_to > last { day_to } else { floor(day_to, grain) };
            if aligned_from < aligned_to && is_free(day_from, day_to) {
                let files = if grain == HOUR { &rolled.hour } else { &rolled.minute };
                rows(&mut steps, next, aligned_from);
                steps.push(Step::RollUp(aligned_from, aligned_to, files.clone()));
                next = aligned_to;
            }
        }
        rows(&mut steps, next, to);
        steps
    }

    /// Earliest and latest event time of anything.
    fn bounds(&self) -> (Option<Micros>, Option<Micros>) {
        let files = self.snapshot.manifest.days.iter().flat_map(|day| &day.files);
        let files = files.map(|file| (file.min_time, file.max_time));
        let segments = self.snapshot.segments.iter().map(|name| (name.min_time, name.max_time));
        let all = files.chain(segments);
        all.fold((None, None), |(low, high), (min, max)| {
            (
                Some(low.map_or(min, |low: Micros| low.min(min))),
                Some(high.map_or(max, |high: Micros| high.max(max))),
            )
        })
    }

    fn fold_rows(
        &mut self,
        query: &SummaryQuery,
        from: Micros,
        to: Micros,
        fold: &mut Fold,
    ) -> Result<(), StoreError> {
        let rows = RowQuery { from, to, devices: query.devices.clone(), columns: query.signals.clone() };
        let signals = query.signals.clone();
        let mut late = false;
        self.visit(&rows, &mut |rows: Rows| {
            late |= fold_table(&rows, signals.as_ref(), fold);
            if fold.buckets > MOST_BUCKETS { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if late {
            // Stray rows came out of order.
            for buckets in fold.series.values_mut() {
                buckets.sort_by_key(|(time, _)| *time);
                let mut merged: Vec<Bucket> = Vec::with_capacity(buckets.len());
                for (time, summary) in buckets.drain(..) {
                    push(&mut merged, time, &summary);
                }
                *buckets = merged;
            }
        }
        Ok(())
    }

    fn fold_roll_ups(
        &mut self,
        query: &SummaryQuery,
        steps: &[Step],
        fold: &mut Fold,
    ) -> Result<(), StoreError> {
        // Roll-ups name the column; columns are the registry's.
        let columns = self.registry.columns().iter().filter(|column| column.kind == Kind::Signal);
        let columns =
            columns.filter(|column| query.signals.as_ref().is_none_or(|set| set.contains(&*column.name)));
        let names: BTreeMap<String, Arc<str>> =
            columns.map(|column| (column.column.clone(), Arc::clone(&column.name))).collect();
        if names.is_empty() {
            return Ok(());
        }
        let signals: Option<BTreeSet<String>> =
            query.signals.as_ref().map(|_| names.keys().cloned().collect());
        let mut wanted = Vec::new();
        for step in steps {
            let Step::RollUp(from, to, files) = step else { continue };
            wanted.extend(
                files
                    .iter()
                    .filter(|file| {
                        file.overlaps(*from, *to)
                            && query
                                .devices
                                .as_ref()
                                .is_none_or(|set| set.iter().any(|device| file.may_have(device)))
                    })
                    .map(|file| (*from, *to, file.clone())),
            );
        }
        let history = self.history.clone();
        let devices = query.devices.as_ref();
        let fetches = futures::stream::iter(wanted).map(|(from, to, file)| {
            let (history, signals) = (&history, signals.as_ref());
            async move {
                let wanted = Wanted { from, to, devices, signals };
                let fetched = history.fetch_roll_ups(&file, &wanted).await;
                (from, to, file, fetched)
            }
        });
        let handle = self.handle.clone();
        let mut fetched = fetches.buffered(FETCHES);
        while let Some((from, to, file, fetched)) = handle.block_on(fetched.next()) {
            let (footer, groups) = fetched?.ok_or_else(|| gone(&file.path))?;
            self.report.files += 1;
            for (group, ranges, parts) in groups {
                let read = guard(|| {
                    for batch in footer.batches(parts, vec![group], None, Some(ranges))? {
                        let batch = batch.map_err(|error| error.to_string())?;
                        fold_batch(&batch, (from, to), devices, &names, fold)?;
                    }
                    Ok(())
                });
                read.map_err(|cause| StoreError::corrupt(&file.path, cause))?;
            }
        }
        Ok(())
    }
}

type Groups = Vec<(usize, Vec<Range<usize>>, Parts)>;

impl History {
    async fn fetch_roll_ups(
        &self,
        file: &FileEntry,
        wanted: &Wanted<'_>,
    ) -> Result<Option<(Footer, Groups)>, StoreError> {
        let Some(footer) = self.open_footer(file).await? else { return Ok(None) };
        let columns: Vec<usize> =
            (0..footer.parquet().file_metadata().schema_descr().num_columns()).collect();
        let mut groups = Vec::new();
        for (group, ranges) in prune(&footer, wanted) {
            let bytes = footer.ranges(group, &columns, Some(&ranges));
            let Some(parts) = self.fetch(file, bytes).await? else { return Ok(None) };
            groups.push((group, ranges, parts));
        }
        Ok(Some((footer, groups)))
    }
}
