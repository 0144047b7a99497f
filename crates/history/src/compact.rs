//! Compaction: segments become files by day of event time, sorted by device and time, with roll-ups of a minute and an
//! hour, and the next numbered manifest says so.
//!
//! One run reads what no manifest covers yet, day by day, and writes files whose names follow from the inputs and from
//! the number of the manifest that will name them. So a run that was killed finds its files again, two runs at once write
//! the same files or one of them loses the race for the number, and a file whose number has passed unnamed is rubbish.
//! A day that is over is written whole, again when late events come; a day that is not over is appended to.
//!
//! | Module | What it does |
//! |---|---|
//! | `plan` | facts in, decision out: which segments, which days, which rows count twice |
//! | `day` | one day: read, sort, write |
//! | `sort`, `spill` | rows in order in bounded memory |
//! | `roll_up`, `summary` | summaries of a minute and an hour |
//! | `publish` | the next manifest |
//! | `sweep` | deletion after the grace period |

mod day;
mod plan;
mod publish;
mod roll_up;
mod sort;
mod spill;
mod summary;
mod sweep;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::PathBuf;

use futures::StreamExt;
use twinwright_core::time::{Micros, SECOND};

use crate::StoreError;
use crate::delta;
use crate::erase::Erasures;
use crate::manifest::{Damaged, Manifests};
use crate::names::{SegmentName, hub_folder, parse_path};
use crate::progress::{Progress, Stage};
use crate::registry::Registry;
use crate::store::Store;

pub(crate) use plan::{day_key, day_start, read_segment, uncovered};
pub(crate) use roll_up::{HOUR, MINUTE, RollUpRows, floor};
pub(crate) use sort::Sorter;
pub(crate) use spill::Scratch;
pub use summary::Summary;

/// Lost races before giving up: each means that another compactor got on.
const RACES: u32 = 8;

/// How a run goes about it.
#[derive(Clone, Debug)]
pub struct CompactOptions {
    /// The time, by the caller's clock.
    pub now: Micros,
    /// Segments younger than this are left for the next run: their neighbours may still come.
    pub min_age: Micros,
    /// How long after its end a day counts as over.
    pub settle: Micros,
    /// How long inputs and replaced files stay: longer than any reader takes.
    pub grace: Micros,
    /// Segments that were enqueued within this time stay in any case: what reads segments alone finds them.
    pub keep_segments: Micros,
    /// Bytes of rows in memory; a run takes about twice as much in all.
    pub memory: usize,
    /// Bytes of a day file, about.
    pub file_bytes: usize,
    /// Where rows go that do not fit; the system's temporary folder if none is named.
    pub folder: Option<PathBuf>,
    /// Keeps segments that no snapshot of their partition covers, because a cold start replays them. Off where no
    /// partition's state is kept, as in an imported store.
    pub keep_for_replay: bool,
    /// Days after which a day's rows, roll-ups and scores go; none for ever. Dead letters stay: they are few, and somebody's
    /// to look at.
    pub keep_days: Option<u32>,
    /// Whether the Delta Lake table is kept up to date.
    pub delta: bool,
    /// Is told how far the run is.
    pub progress: Progress,
}

impl CompactOptions {
    /// The defaults, at a time.
    pub fn new(now: Micros) -> Self {
        Self {
            now,
            min_age: 300 * SECOND,
            settle: 2 * HOUR,
            grace: 24 * HOUR,
            keep_segments: 0,
            memory: 104 << 20,
            file_bytes: 96 << 20,
            folder: None,
            keep_for_replay: true,
            keep_days: None,
            delta: true,
            progress: Progress::default(),
        }
    }
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompactReport {
    /// Number of the manifest that it published; none where there was nothing to do.
    pub manifest: Option<u64>,
    /// Segments that are history now.
    pub segments: usize,
    /// Rows of the days that were written.
    pub rows: u64,
    /// Days that were written, found finished from a killed run, or appended to.
    pub days: usize,
    /// Of these, days found finished from a run that was killed.
    pub resumed: usize,
    /// Files written.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Segments that cannot be read: left where they are, tried again by the next run.
    pub damaged: Vec<Damaged>,
    /// Segments deleted after their grace period.
    pub deleted_segments: usize,
    /// Files deleted after their grace period, and of runs that came to nothing.
    pub deleted_files: usize,
    /// Days that went because they were too old.
    pub expired_days: usize,
    /// Races lost against other compactors.
    pub races_lost: u32,
}

/// Compacts the segments of one hub.
#[derive(Clone, Debug)]
pub struct Compactor {
    store: Store,
    hub: String,
    manifests: Manifests,
}

/// A listed segment.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) name: SegmentName,
    pub(crate) bytes: u64,
}

impl Compactor {
    /// For a hub.
    pub fn new(store: Store, hub: impl Into<String>) -> Self {
        let hub = hub.into();
        Self { manifests: Manifests::new(store.clone(), &hub), store, hub }
    }

    /// Makes history of all segments that are old enough. A run that fails or is killed leaves nothing that needs care:
    /// call it again.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Newer`] where a later version has compacted here.
    pub async fn run(&self, options: &CompactOptions) -> Result<CompactReport, StoreError> {
        let mut report = CompactReport::default();
        let mut damaged: BTreeSet<DamagedPath> = BTreeSet::new();
        let mut room = day::Room::default();
        while report.races_lost < RACES {
            // Segments first: what is gone by the time of the manifest is in the manifest.
            let listed = list_segments(&self.store, &self.hub).await?;
            let parent = self.manifests.latest().await?;
            let erasures = Erasures::latest(&self.store, &self.hub).await?;
            let mut registry = Registry::new(&parent.columns);
            // One that another compactor took away is not damaged.
            damaged.retain(|damage| listed.iter().any(|listed| listed.name.path() == damage.0.path));
            let mut plan =
                plan::Plan::make(self, &listed, &parent, &mut registry, options, &mut damaged).await?;
            plan.add_unsealed(&parent, options);
            if erasures.number != parent.erasures {
                plan.add_erased(&parent, &erasures);
            }
            let before = damaged.len();
            let job = |(&key, inputs): (&_, &Vec<usize>)| day::DayJob {
                store: &self.store,
                hub: &self.hub,
                parent: &parent,
                erasures: &erasures,
                options,
                key,
                inputs: inputs.iter().map(|&at| &plan.inputs[at]).collect(),
            };
            let jobs: Vec<_> = plan.days.iter().map(job).collect();
            options.progress.begin(Stage::Reading, jobs.iter().map(day::DayJob::bytes).sum());
            let mut days = Vec::new();
            for day in jobs {
                let (key, result);
                key = day.key;
                (result, registry, room) = day.run(registry, room).await?;
                damaged.extend(result.damaged.iter().map(|damage| DamagedPath(damage.clone())));
                days.push((key, result));
            }
            if damaged.len() > before {
                // Rows that one of them would have given twice may count now: decide again without them.
                continue;
            }
            let deleted = sweep::due(&self.store, &parent, options).await?;
            let expired = sweep::expired(self, &parent, options).await?;
            let facts = publish::Facts {
                plan: &plan,
                days: &days,
                registry: &registry,
                erasures: &erasures,
                damaged: &damaged,
                deleted: &deleted,
                expired: &expired,
            };
            let next = publish::next(&parent, &facts, options);
            let current = match next {
                None => parent,
                Some(next) => {
                    if !self.manifests.publish(&next).await? {
                        report.races_lost += 1;
                        continue;
                    }
                    report.manifest = Some(next.number);
                    std::sync::Arc::new(next)
                }
            };
            report.segments = plan.inputs.len();
            report.days = days.iter().filter(|(_, day)| day.entry.is_some()).count();
            for (_, day) in &days {
                report.rows += day.written_rows;
                report.resumed += usize::from(day.resumed);
                report.files += day.files;
                report.bytes += day.bytes;
            }
            report.damaged = damaged.into_iter().map(|damage| damage.0).collect();
            for damage in &report.damaged {
                tracing::error!(
                    path = damage.path,
                    cause = damage.cause,
                    "a segment cannot be read and stays as it is"
                );
            }
            report.deleted_files = deleted.len();
            if options.delta {
                delta::publish(&self.store, &self.hub, &current).await?;
            }
            report.expired_days = expired.len();
            sweep::sweep(self, &current, &listed, options, &mut report).await?;
            return Ok(report);
        }
        Err(StoreError::Contended { prefix: hub_folder("manifests", &self.hub), attempts: RACES })
    }
}

/// Damage in the order of paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DamagedPath(pub(crate) Damaged);

impl Ord for DamagedPath {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.path.cmp(&other.0.path)
    }
}

impl PartialOrd for DamagedPath {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// All segments of a hub.
pub(crate) async fn list_segments(store: &Store, hub: &str) -> Result<Vec<Listed>, StoreError> {
    let mut entries = store.entries(&hub_folder("segments", hub), None)?;
    let mut listed = Vec::new();
    while let Some(entry) = entries.next().await {
        let entry = entry?;
        if let Some(name) = parse_path(&entry.path) {
            listed.push(Listed { name, bytes: entry.size });
        }
    }
    listed.sort_by_key(|listed| {
        let name = &listed.name;
        (name.partition, name.first_enqueued, name.first, name.last, name.min_time, name.max_time)
    });
    Ok(listed)
}
