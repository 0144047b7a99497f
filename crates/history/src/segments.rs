//! The segments of a hub: commit, replay, reads over time.

use std::collections::HashMap;
use std::ops::ControlFlow;

use futures::StreamExt;
use twinwright_core::frame::Frame;
use twinwright_core::time::{Micros, SECOND};

use crate::StoreError;
use crate::coverage::Coverage;
use crate::names::{SegmentName, day_folder, hour_folder, hub_folder, parse_path};
use crate::rows::{self, LONGEST_SPAN};
use crate::segment::{self, SegmentMetadata};
use crate::store::{Created, Store};

/// How far a device's clock may be ahead of the hub's before the enqueued time stands in; more than any policy allows.
const CLOCKS_AHEAD: Micros = 3_600 * SECOND;
/// Segments fetched at the same time.
const FETCHES: usize = 8;
/// Rows that [`SegmentLog::read_rows`] keeps in memory.
const MOST_ROWS: usize = 20_000_000;

/// Whether a batch is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is stored now.
    Stored,
    /// It was stored before, by this or another instance.
    AlreadyStored,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// New, or stored before.
    pub outcome: Outcome,
    /// Path of its segment; of the first one where a batch spans more than an hour of enqueued time.
    pub path: String,
    /// Segments written for it, nearly always 1.
    pub segments: usize,
}

/// What a read over time went through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadReport {
    /// Segments opened.
    pub segments: usize,
    /// Rows given to the visitor.
    pub rows: usize,
    /// Paths of segments that could not be decoded; their rows are missing.
    pub damaged: Vec<String>,
}

/// The segments of one hub; clones share the store.
#[derive(Clone, Debug)]
pub struct SegmentLog {
    store: Store,
    hub: String,
}

impl SegmentLog {
    /// The segments of a hub (its name, without the domain).
    pub fn new(store: Store, hub: impl Into<String>) -> Self {
        Self { store, hub: hub.into() }
    }

    /// The store that this log writes to.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Name of the hub.
    pub fn hub(&self) -> &str {
        &self.hub
    }

    /// Makes a batch durable, whole, under names that follow from the batch alone. On return every row can be read back.
    ///
    /// A batch that spans more than an hour of enqueued time (a quiet partition after an outage) becomes several
    /// segments, so that readers know how far back to look; each of them is stored before this returns.
    ///
    /// # Errors
    /// [`StoreError`]; part of the batch may be stored then, and the same call again completes it.
    pub async fn commit(&self, frame: &Frame, metadata: &SegmentMetadata) -> Result<Commit, StoreError> {
        let Some(parts) = rows::split(frame) else {
            let (outcome, path) = self.commit_one(frame, metadata).await?;
            return Ok(Commit { outcome, path, segments: 1 });
        };
        let (mut outcome, mut path) = (Outcome::AlreadyStored, None);
        for part in &parts {
            let (stored, name) = self.commit_one(part, metadata).await?;
            if stored == Outcome::Stored {
                outcome = Outcome::Stored;
            }
            path.get_or_insert(name);
        }
        Ok(Commit { outcome, path: path.unwrap_or_default(), segments: parts.len() })
    }

    async fn commit_one(
        &self,
        frame: &Frame,
        metadata: &SegmentMetadata,
    ) -> Result<(Outcome, String), StoreError> {
        let path = segment::path(&self.hub, frame);
        let bytes = segment::encode(&self.hub, frame, metadata)?;
        let outcome = match self.store.create(&path, bytes).await? {
            Created::New => Outcome::Stored,
            Created::AlreadyThere => Outcome::AlreadyStored,
        };
        Ok((outcome, path))
    }

    /// Segments of a partition that have events behind a sequence number, in the order in which they were enqueued,
    /// which is that of the sequence numbers. `since` is the enqueued time of the event `sequence` (or earlier); with it
    /// only the folders from there on are listed, and segments of a hub that was made anew later come too, although
    /// their numbers start again: their [`SegmentMetadata::epoch`] tells.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn after(
        &self,
        partition: u32,
        sequence: i64,
        since: Option<Micros>,
    ) -> Result<Vec<SegmentName>, StoreError> {
        let from = since.map(|since| since.saturating_sub(LONGEST_SPAN));
        let wanted = |name: &SegmentName| {
            let newer_hub = since.is_some_and(|since| name.first_enqueued > since);
            name.partition == partition && (name.last > sequence || newer_hub)
        };
        self.names(from, wanted).await
    }

    /// Segments that may have rows with `from <= time < to`, chosen by their names.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn range(&self, from: Micros, to: Micros) -> Result<Vec<SegmentName>, StoreError> {
        // An event may come any time after it happened, so there is no last folder.
        let first_folder = from.saturating_sub(LONGEST_SPAN + CLOCKS_AHEAD);
        self.names(Some(first_folder), |name| name.overlaps(from, to)).await
    }

    /// One segment.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where it was compacted away since it was listed: list again.
    pub async fn load(&self, name: &SegmentName) -> Result<(Frame, SegmentMetadata), StoreError> {
        let path = name.path();
        let bytes = self.store.read(&path).await?.ok_or_else(|| StoreError::Unavailable {
            path: path.clone(),
            cause: "it is gone since it was listed, list again".to_owned(),
        })?;
        // Decoding is work for the processor: other tasks must get on meanwhile.
        let decoded = tokio::task::spawn_blocking(move || segment::decode(bytes)).await;
        let decoded = decoded.map_err(|error| StoreError::corrupt(&path, error))?;
        decoded.map_err(|error| match error {
            StoreError::Corrupt { cause, .. } => StoreError::corrupt(&path, cause),
            other => other,
        })
    }

    /// Gives each row with `from <= time < to` (of these devices, or of all) to the visitor once, segment by segment, in
    /// the order of partition and enqueued time. A row that several segments have counts once. A damaged segment is
    /// passed over, and named in the answer and in the log.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn visit_rows(
        &self,
        from: Micros,
        to: Micros,
        devices: Option<&[&str]>,
        mut visitor: impl FnMut(Frame) -> ControlFlow<()>,
    ) -> Result<ReadReport, StoreError> {
        let mut names = self.range(from, to).await?;
        names.sort_by_key(|name| (name.partition, name.first_enqueued, name.first, name.last));
        let mut report = ReadReport::default();
        let mut seen: HashMap<(u32, u32), Coverage> = HashMap::new();
        let mut segments = futures::stream::iter(names)
            .map(|name| async move { (self.load(&name).await, name) })
            .buffered(FETCHES);
        while let Some((loaded, name)) = segments.next().await {
            let (frame, metadata) = match loaded {
                Ok(segment) => segment,
                Err(StoreError::Corrupt { path, cause }) => {
                    tracing::error!(path, cause, "a damaged segment is passed over");
                    report.damaged.push(path);
                    continue;
                }
                Err(error) => return Err(error),
            };
            report.segments += 1;
            let coverage = seen.entry((name.partition, metadata.epoch)).or_default();
            let range = frame.range;
            let known: Vec<bool> = match devices {
                Some(devices) => frame.devices.iter().map(|device| devices.contains(&&**device)).collect(),
                None => vec![true; frame.devices.len()],
            };
            let keep: Vec<bool> = (0..frame.rows())
                .map(|row| {
                    let time = frame.time[row];
                    from <= time
                        && time < to
                        && known[frame.device[row] as usize]
                        && !coverage.contains(frame.sequence[row])
                })
                .collect();
            coverage.insert(range);
            let frame = rows::select(frame, &keep);
            report.rows += frame.rows();
            if frame.rows() > 0 && visitor(frame).is_break() {
                break;
            }
        }
        Ok(report)
    }

    /// What [`SegmentLog::visit_rows`] visits, all at once.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] above 20 million rows.
    pub async fn read_rows(
        &self,
        from: Micros,
        to: Micros,
        devices: Option<&[&str]>,
    ) -> Result<Vec<Frame>, StoreError> {
        let (mut frames, mut rows) = (Vec::new(), 0);
        let keep = |frame: Frame| {
            rows += frame.rows();
            frames.push(frame);
            if rows > MOST_ROWS { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        self.visit_rows(from, to, devices, keep).await?;
        if rows > MOST_ROWS {
            return Err(StoreError::invalid(format!(
                "the range has more than {MOST_ROWS} rows: ask for less time or fewer devices, or visit the rows"
            )));
        }
        Ok(frames)
    }

    async fn names(
        &self,
        from: Option<Micros>,
        wanted: impl Fn(&SegmentName) -> bool,
    ) -> Result<Vec<SegmentName>, StoreError> {
        list_names(&self.store, "segments", &self.hub, from, wanted).await
    }
}

/// Names below `root` in the folders of `from` (an enqueued time) and later, sorted by enqueued time and sequence number.
pub(crate) async fn list_names(
    store: &Store,
    root: &str,
    hub: &str,
    from: Option<Micros>,
    wanted: impl Fn(&SegmentName) -> bool,
) -> Result<Vec<SegmentName>, StoreError> {
    let all = hub_folder(root, hub);
    let first = from.map(|from| (day_folder(root, hub, from), hour_folder(root, hub, from)));
    let paths = match (first, store.is_near()) {
        (None, _) => store.paths(&all).await?,
        (Some((day, hour)), true) => {
            let is_of_time =
                move |folder: &str| folder >= if folder.len() <= day.len() { &*day } else { &*hour };
            store.paths_within(&all, is_of_time).await?
        }
        (Some((first_day, first_hour)), false) => {
            let mut paths = Vec::new();
            for day in store.folders(&all).await?.into_iter().filter(|day| *day >= first_day) {
                if day > first_day {
                    paths.extend(store.paths(&day).await?);
                    continue;
                }
                for hour in store.folders(&day).await?.into_iter().filter(|hour| *hour >= first_hour) {
                    paths.extend(store.paths(&hour).await?);
                }
            }
            paths
        }
    };
    let mut names = Vec::new();
    for path in paths {
        match parse_path(&path) {
            Some(name) => names.extend(Some(name).filter(|name| wanted(name))),
            None => tracing::debug!(path, "not a name of ours, ignored"),
        }
    }
    names.sort_by_key(|name| (name.first_enqueued, name.first, name.last));
    Ok(names)
}

#[cfg(test)]
mod tests;
