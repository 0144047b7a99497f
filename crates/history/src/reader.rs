//! Reads over the whole history: the files of the newest manifest and the segments that it does not cover yet, as one.
//!
//! The segments are listed before the manifest is read, so an event that was stored before the read began is seen once,
//! whatever a compactor does meanwhile. A file that goes away under a reader makes it begin again.
//!
//! | Module | What it does |
//! |---|---|
//! | `contents` | what there is, by day |
//! | `cache` | footers in memory; whole files of the warm days in a local folder |
//! | `prune` | row groups and pages that may have what is asked for |
//! | `engine` | rows, sorted, in bounded memory |
//! | `series` | summaries by interval, from roll-ups where they are exact |

mod cache;
mod contents;
mod engine;
mod prune;
mod series;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::sync::mpsc;
use twinwright_core::time::{Micros, SECOND};

use crate::StoreError;
use crate::erase::Erasures;
use crate::manifest::{Manifest, Manifests, covers_name};
use crate::names::SegmentName;
use crate::registry::Registry;
use crate::rows::LONGEST_SPAN;
use crate::segments::list_names;
use crate::store::Store;
use crate::table::Rows;

pub use cache::{WarmCache, WarmReport};
pub use contents::Contents;
pub use series::{Bucket, Series, SeriesQuery, Summaries, SummaryQuery};

/// How often a read begins again when files go away under it.
const TRIES: usize = 8;
/// How far a device's clock may be ahead of the hub's before the enqueued time stands in.
const CLOCKS_AHEAD: Micros = 3_600 * SECOND;

/// Which rows are wanted.
#[derive(Clone, Debug, Default)]
pub struct RowQuery {
    /// Earliest event time.
    pub from: Micros,
    /// Rows are earlier than this.
    pub to: Micros,
    /// Of these devices; of all where none are named.
    pub devices: Option<BTreeSet<String>>,
    /// These signals and states alone, by name; all where none are named. Quality, properties and extra come only with all.
    pub columns: Option<BTreeSet<String>>,
}

/// What a read went through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryReport {
    /// Number of the manifest; 0 before the first compaction.
    pub manifest: u64,
    /// Files of days opened.
    pub files: usize,
    /// Segments opened.
    pub segments: usize,
    /// Rows given out.
    pub rows: usize,
    /// Files and segments that could not be read; their rows are missing.
    pub damaged: Vec<String>,
}

/// Everything that a read sees.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) erasures: Arc<Erasures>,
    /// Segments that the manifest's files may not have, in the order in which compaction takes them.
    pub(crate) segments: Vec<SegmentName>,
}

/// The history of one hub; clones share caches.
#[derive(Clone, Debug)]
pub struct History {
    store: Store,
    hub: String,
    manifests: Manifests,
    footers: Arc<cache::FooterCache>,
    warm: Option<Arc<WarmCache>>,
    folder: std::path::PathBuf,
}

impl History {
    /// The history of a hub.
    pub fn new(store: Store, hub: impl Into<String>) -> Self {
        let hub = hub.into();
        let manifests = Manifests::new(store.clone(), &hub);
        let folder = std::env::temp_dir();
        Self { store, hub, manifests, footers: Arc::default(), warm: None, folder }
    }

    /// Keeps files of the warm days in a local folder: for stores that are far away.
    #[must_use]
    pub fn with_warm_cache(mut self, cache: Arc<WarmCache>) -> Self {
        self.warm = Some(cache);
        self
    }

    /// The newest manifest, for status.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn manifest(&self) -> Result<Arc<Manifest>, StoreError> {
        self.manifests.latest().await
    }

    /// What is there for times in `from..to`.
    pub(crate) async fn snapshot(&self, from: Micros, to: Micros) -> Result<Snapshot, StoreError> {
        let first_folder = from.saturating_sub(LONGEST_SPAN + CLOCKS_AHEAD);
        let wanted = |name: &SegmentName| name.overlaps(from, to);
        let mut segments = list_names(&self.store, "segments", &self.hub, Some(first_folder), wanted).await?;
        let manifest = self.manifests.latest().await?;
        let erasures = Arc::new(Erasures::latest(&self.store, &self.hub).await?);
        segments.retain(|name| !covers_name(&manifest.covered, name));
        segments.sort_by_key(|name| {
            (name.partition, name.first_enqueued, name.first, name.last, name.min_time, name.max_time)
        });
        Ok(Snapshot { manifest, erasures, segments })
    }

    fn engine(&self, snapshot: Snapshot) -> engine::Engine {
        let registry = Registry::new(&snapshot.manifest.columns);
        engine::Engine::new(self.clone(), snapshot, registry)
    }

    /// Gives the rows day by day, within a day by device and time, so that the rows of each device come in the order of
    /// their event times; stray rows (see [`crate::manifest::DayKey`]) come with the day on which they were enqueued. Memory
    /// is bounded: a day that comes from several files is sorted on disk where need be.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Unavailable`] where files went away after the first rows were given: ask again.
    pub async fn visit(
        &self,
        query: &RowQuery,
        mut visitor: impl FnMut(Rows) -> ControlFlow<()>,
    ) -> Result<HistoryReport, StoreError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let snapshot = self.snapshot(query.from, query.to).await?;
            let mut engine = self.engine(snapshot);
            let (sender, mut receiver) = mpsc::channel(2);
            let query = query.clone();
            let work = tokio::task::spawn_blocking(move || {
                engine.visit(&query, &mut |rows| match sender.blocking_send(rows) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                })
            });
            let mut given = false;
            while let Some(rows) = receiver.recv().await {
                given = true;
                if visitor(rows).is_break() {
                    receiver.close();
                    while receiver.recv().await.is_some() {}
                }
            }
            match work.await.map_err(ended)? {
                Err(StoreError::Unavailable { path, cause }) if cause == engine::GONE => {
                    if given || tries >= TRIES {
                        let cause = format!("{cause}: ask again");
                        return Err(StoreError::Unavailable { path, cause });
                    }
                }
                other => return other,
            }
        }
    }

    /// The rows of one day's files, whoever asks for which time.
    pub(crate) async fn visit_day(
        &self,
        entry: &crate::manifest::DayEntry,
        mut visitor: impl FnMut(&Rows),
    ) -> Result<(), StoreError> {
        let manifest =
            Manifest { days: vec![entry.clone()], ..Manifest::clone(&*self.manifests.latest().await?) };
        let snapshot =
            Snapshot { manifest: Arc::new(manifest), erasures: Arc::default(), segments: Vec::new() };
        let mut engine = self.engine(snapshot);
        let (sender, mut receiver) = mpsc::channel(2);
        let query = RowQuery {
            from: Micros::MIN,
            to: Micros::MAX,
            columns: Some(BTreeSet::new()),
            ..RowQuery::default()
        };
        let work = tokio::task::spawn_blocking(move || {
            engine.visit(&query, &mut |rows| match sender.blocking_send(rows) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            })
        });
        while let Some(rows) = receiver.recv().await {
            visitor(&rows);
        }
        let report = work.await.map_err(ended)??;
        match report.damaged.first() {
            Some(path) => Err(StoreError::corrupt(path, "its numbers cannot be kept, so its day stays")),
            None => Ok(()),
        }
    }

    /// All rows at once, by device and time.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] above `most` rows.
    pub async fn read(
        &self,
        query: &RowQuery,
        most: usize,
    ) -> Result<(Vec<Rows>, HistoryReport), StoreError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let (mut all, mut rows) = (Vec::new(), 0);
            let visited = self.visit(query, |part| {
                rows += part.len();
                all.push(part);
                if rows > most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            match visited.await {
                Ok(_) if rows > most => {
                    return Err(StoreError::invalid(format!(
                        "the range has more than {most} rows: ask for less time or fewer devices"
                    )));
                }
                Ok(report) => return Ok((all, report)),
                Err(StoreError::Unavailable { cause, .. })
                    if tries < TRIES && cause.starts_with(engine::GONE) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Runs a query off the async threads, again where files went away under it.
    async fn with_engine<T: Send + 'static>(
        &self,
        from: Micros,
        to: Micros,
        work: impl Fn(&mut engine::Engine) -> Result<T, StoreError> + Clone + Send + 'static,
    ) -> Result<T, StoreError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let mut engine = self.engine(self.snapshot(from, to).await?);
            let work = work.clone();
            match tokio::task::spawn_blocking(move || work(&mut engine)).await.map_err(ended)? {
                Err(StoreError::Unavailable { cause, .. }) if cause == engine::GONE && tries < TRIES => {}
                other => return other,
            }
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "map_err gives it away")]
fn ended(error: tokio::task::JoinError) -> StoreError {
    StoreError::invalid(format!("the read ended without an answer: {error}"))
}
