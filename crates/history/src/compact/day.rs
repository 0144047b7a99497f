//! One day of a run: reads its inputs, sorts them, writes its files.

mod rolled;
mod work;

use std::collections::HashMap;

use bytes::Bytes;
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

pub(super) use self::work::Room;
use self::work::{Source, Work};
use super::CompactOptions;
use super::plan::{Input, day_start};
use crate::StoreError;
use crate::erase::Erasures;
use crate::input::{Head, Layouts};
use crate::manifest::{Damaged, DayEntry, DayKey, FileEntry, Manifest};
use crate::registry::Registry;
use crate::store::Store;

/// Appended files after which an open day is written whole.
const APPENDED: usize = 8;
/// Bytes of a roll-up file, about.
const ROLL_UP_BYTES: usize = 16 << 20;
/// Segments fetched ahead.
const AHEAD: usize = 16;

/// Whether a day's late events are in, all but the latest.
pub(super) fn is_over(key: DayKey, options: &CompactOptions) -> bool {
    day_start(key.day.saturating_add(1)).saturating_add(options.settle) <= options.now
}

/// What is to be done.
pub(super) struct DayJob<'a> {
    pub(super) store: &'a Store,
    pub(super) hub: &'a str,
    pub(super) parent: &'a Manifest,
    pub(super) erasures: &'a Erasures,
    pub(super) options: &'a CompactOptions,
    pub(super) key: DayKey,
    pub(super) inputs: Vec<&'a Input>,
}

/// What was done.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct DayResult {
    /// The day's new entry; none where its inputs had no rows of it.
    pub(super) entry: Option<DayEntry>,
    /// Of each input, in order.
    pub(super) heads: Vec<Head>,
    /// Files of the parent that the entry no longer has.
    pub(super) replaced: Vec<String>,
    #[serde(skip)]
    pub(super) damaged: Vec<Damaged>,
    #[serde(skip)]
    pub(super) resumed: bool,
    pub(super) written_rows: u64,
    pub(super) files: usize,
    pub(super) bytes: u64,
    /// Columns that the inputs brought.
    columns: Vec<crate::registry::ColumnName>,
}

impl DayJob<'_> {
    /// Does it, or finds it done by a run that was killed.
    pub(super) async fn run(
        self,
        registry: Registry,
        room: Room,
    ) -> Result<(DayResult, Registry, Room), StoreError> {
        let old = self.parent.day(self.key);
        let whole = self.is_whole();
        let old_files = self.old_files().to_vec();
        let hash = self.hash(&old_files, whole, &registry);
        let generation = self.parent.number + 1;
        let receipt =
            format!("{}/g{generation:09}_{hash}.json", crate::names::hub_folder("compaction", self.hub));
        if let Some(bytes) = self.store.read(&receipt).await?
            && let Ok(mut result) = serde_json::from_slice::<DayResult>(&bytes)
        {
            result.resumed = true;
            self.options.progress.add(self.bytes());
            let mut registry = registry;
            for column in &result.columns {
                registry.assign(column.kind, &column.name);
            }
            return Ok((result, registry, room));
        }
        let (source, fetcher) = if self.store.is_near() {
            (Source::Near, None)
        } else {
            let (sender, receiver) = mpsc::channel(AHEAD);
            let paths = self.inputs.iter().map(|input| input.name.path()).collect();
            let fetcher = tokio::spawn(fetch_all(self.store.clone(), paths, sender));
            (Source::Far(receiver), Some(fetcher))
        };
        let mut work = Work {
            handle: Handle::current(),
            store: self.store.clone(),
            hub: self.hub.to_owned(),
            key: self.key,
            inputs: self.inputs.iter().map(|input| (*input).clone()).collect(),
            old: old.cloned(),
            old_files,
            erasures: self.erasures.clone(),
            options: self.options.clone(),
            hash,
            generation,
            registry,
            layouts: Layouts::default(),
            numbers: HashMap::new(),
            result: DayResult::default(),
            room,
        };
        let worked = tokio::task::spawn_blocking(move || {
            let outcome = work.run(source);
            (outcome, work.result, work.registry, work.room)
        });
        let (outcome, mut result, registry, room) = worked.await.map_err(|error| {
            StoreError::invalid(format!("the compaction of a day ended without an answer: {error}"))
        })?;
        if let Some(fetcher) = fetcher {
            fetcher.abort();
        }
        outcome?;
        if result.damaged.is_empty() {
            result.columns = registry.columns().to_vec();
            let json = serde_json::to_vec(&result).map_err(|error| StoreError::corrupt(&receipt, error))?;
            self.store.create(&receipt, json.into()).await?;
        }
        Ok((result, registry, room))
    }

    /// Whether the day is written whole instead of appended to.
    fn is_whole(&self) -> bool {
        let appended = self.parent.day(self.key).map_or(0, |day| day.files.len());
        let erasing = self.erasures.number != self.parent.erasures;
        is_over(self.key, self.options) || erasing || appended == 0 || appended >= APPENDED
    }

    /// Files of the parent that are read again.
    fn old_files(&self) -> &[FileEntry] {
        match self.parent.day(self.key) {
            Some(day) if self.is_whole() => &day.files,
            _ => &[],
        }
    }

    /// Bytes to be read.
    pub(super) fn bytes(&self) -> u64 {
        let old: u64 = self.old_files().iter().map(|file| file.bytes).sum();
        old + self.inputs.iter().map(|input| input.bytes).sum::<u64>()
    }

    /// What the day's files follow from.
    fn hash(&self, old: &[FileEntry], whole: bool, registry: &Registry) -> String {
        let mut hash = Sha256::new();
        let mut add = |text: &str| {
            hash.update(text.len().to_le_bytes());
            hash.update(text.as_bytes());
        };
        add(&format!("{} {:?} {whole} {}", self.parent.number, self.key, self.erasures.number));
        add(&format!("{} {}", self.options.file_bytes, registry.columns().len()));
        old.iter().for_each(|file| add(&file.path));
        for column in registry.columns() {
            add(&column.column);
        }
        for input in &self.inputs {
            add(&input.name.path());
            add(&format!("{:?} {}", input.keep, input.bytes));
        }
        hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

type Fetched = (usize, Result<Option<Bytes>, StoreError>);

async fn fetch_all(store: Store, paths: Vec<String>, sender: mpsc::Sender<Fetched>) {
    let mut fetched = futures::stream::iter(paths.into_iter().enumerate())
        .map(|(at, path)| {
            let store = store.clone();
            async move { (at, store.read(&path).await) }
        })
        .buffered(8);
    while let Some(found) = fetched.next().await {
        if sender.send(found).await.is_err() {
            break;
        }
    }
}
