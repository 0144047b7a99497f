//! The history as a Delta Lake table, for Fabric, Spark, Power BI, Azure Data Explorer and DuckDB: the table's root is
//! `history/v=1/hub=<hub>`, its partitions are the `date=` folders that are there anyway. Only the compactor writes the log,
//! one commit a manifest, with the create-only PUT that Delta asks for (Delta transaction log protocol: "Actions", reader
//! version 1 and writer version 2, no table features, so that every reader takes it).
//!
//! The `txn` action carries the manifest's number: a publisher that finds it knows that this manifest is out, and from which
//! one to go on.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures::StreamExt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use twinwright_core::time::Micros;

use crate::StoreError;
use crate::compact::day_start;
use crate::manifest::{DayKey, FileEntry, Manifest, Manifests};
use crate::names::hub_folder;
use crate::segment::Kind;
use crate::store::{Created, Store};

/// Who writes, in the `txn` action.
const APPLICATION: &str = "twinwright-history";
/// Lost races before giving up.
const RACES: u32 = 20;

/// Brings the table up to a manifest; says the version that was written, none where the table is as new.
///
/// # Errors
/// [`StoreError`]; [`StoreError::Corrupt`] for a log that others have written to.
pub async fn publish(store: &Store, hub: &str, manifest: &Manifest) -> Result<Option<u64>, StoreError> {
    let table = Table { store, log: format!("{}/_delta_log", hub_folder("history", hub)), hub };
    for _ in 0..RACES {
        let latest = table.latest_version().await?;
        let known = match latest {
            None => None,
            Some(version) => Some(table.state(version).await?),
        };
        if known.as_ref().is_some_and(|known| known.manifest >= manifest.number) || manifest.number == 0 {
            return Ok(None);
        }
        let commit = table.commit(known.as_ref(), manifest);
        let version = latest.map_or(0, |latest| latest + 1);
        let path = table.path(version);
        let landed = store.create(&path, commit.clone()).await? == Created::New;
        // A write whose answer was lost may have landed.
        if landed || store.read(&path).await?.as_ref() == Some(&commit) {
            return Ok(Some(version));
        }
    }
    Err(StoreError::Contended { prefix: table.log, attempts: RACES })
}

struct Table<'a> {
    store: &'a Store,
    log: String,
    hub: &'a str,
}

/// What the table has.
#[derive(Debug, Default)]
struct State {
    /// Number of the manifest that was published last.
    manifest: u64,
    /// Path in the table and date of each file.
    files: BTreeMap<String, String>,
    schema: String,
}

impl Table<'_> {
    fn path(&self, version: u64) -> String {
        format!("{}/{version:020}.json", self.log)
    }

    async fn latest_version(&self) -> Result<Option<u64>, StoreError> {
        let mut entries = self.store.entries(&self.log, None)?;
        let mut latest = None;
        while let Some(entry) = entries.next().await {
            let path = entry?.path;
            let name = path.rsplit('/').next().unwrap_or_default();
            let digits = name.strip_suffix(".json").filter(|digits| digits.len() == 20);
            latest = latest.max(digits.and_then(|digits| digits.parse().ok()));
        }
        Ok(latest)
    }

    /// From the manifest that the last commit names, or from the whole log where that manifest was swept.
    async fn state(&self, latest: u64) -> Result<State, StoreError> {
        let mut state = State::default();
        let last = self.actions(latest).await?;
        let number = last.iter().find_map(|action| action["txn"]["version"].as_u64());
        if let Some(number) = number
            && let Some(manifest) = Manifests::new(self.store.clone(), self.hub).read(number).await?
        {
            state.manifest = number;
            state.schema = schema(&manifest);
            state.files = files(&manifest).map(|(key, file)| (self.relative(file), date(key))).collect();
            return Ok(state);
        }
        for version in 0..=latest {
            for action in self.actions(version).await? {
                if let Some(path) = action["add"]["path"].as_str() {
                    let date = action["add"]["partitionValues"]["date"].as_str().unwrap_or_default();
                    state.files.insert(path.to_owned(), date.to_owned());
                }
                if let Some(path) = action["remove"]["path"].as_str() {
                    state.files.remove(path);
                }
                if let Some(schema) = action["metaData"]["schemaString"].as_str() {
                    schema.clone_into(&mut state.schema);
                }
                if let Some(version) = action["txn"]["version"].as_u64() {
                    state.manifest = version;
                }
            }
        }
        Ok(state)
    }

    async fn actions(&self, version: u64) -> Result<Vec<Value>, StoreError> {
        let path = self.path(version);
        let bytes = self.store.read(&path).await?;
        let bytes = bytes.ok_or_else(|| {
            StoreError::corrupt(&path, "a version is missing: delete the folder _delta_log, it is made anew")
        })?;
        let lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        lines
            .map(|line| serde_json::from_slice(line).map_err(|error| StoreError::corrupt(&path, error)))
            .collect()
    }

    fn relative(&self, file: &FileEntry) -> String {
        let root = format!("{}/", hub_folder("history", self.hub));
        file.path.strip_prefix(&root).unwrap_or(&file.path).to_owned()
    }

    fn commit(&self, known: Option<&State>, manifest: &Manifest) -> Bytes {
        let milliseconds = manifest.published.div_euclid(1_000);
        let mut actions = Vec::new();
        actions.push(json!({ "commitInfo": {
            "timestamp": milliseconds, "operation": "WRITE", "engineInfo": "twinwright",
            "operationParameters": { "mode": "Append", "partitionBy": "[\"date\"]" },
            "isBlindAppend": false,
        }}));
        if known.is_none() {
            actions.push(json!({ "protocol": { "minReaderVersion": 1, "minWriterVersion": 2 } }));
        }
        let schema = schema(manifest);
        if known.is_none_or(|known| known.schema != schema) {
            actions.push(json!({ "metaData": {
                "id": table_id(self.hub), "name": "history",
                "format": { "provider": "parquet", "options": {} },
                "schemaString": schema, "partitionColumns": ["date"], "configuration": {}, "createdTime": 0,
            }}));
        }
        actions.push(json!({ "txn": {
            "appId": APPLICATION, "version": manifest.number, "lastUpdated": milliseconds,
        }}));
        let current: BTreeSet<String> = files(manifest).map(|(_, file)| self.relative(file)).collect();
        for (path, date) in known.into_iter().flat_map(|known| &known.files) {
            if !current.contains(path) {
                actions.push(json!({ "remove": {
                    "path": path, "deletionTimestamp": milliseconds, "dataChange": true,
                    "extendedFileMetadata": false, "partitionValues": { "date": date },
                }}));
            }
        }
        for (key, file) in files(manifest) {
            let path = self.relative(file);
            if known.is_some_and(|known| known.files.contains_key(&path)) {
                continue;
            }
            actions.push(json!({ "add": {
                "path": path, "partitionValues": { "date": date(key) }, "size": file.bytes,
                "modificationTime": milliseconds, "dataChange": true, "stats": stats(file),
            }}));
        }
        let mut text = String::new();
        for action in actions {
            text.push_str(&action.to_string());
            text.push('\n');
        }
        text.into()
    }
}

fn files(manifest: &Manifest) -> impl Iterator<Item = (DayKey, &FileEntry)> {
    manifest.days.iter().flat_map(|day| day.files.iter().map(move |file| (day.key, file)))
}

fn date(key: DayKey) -> String {
    let day = chrono::DateTime::from_timestamp_micros(day_start(key.day)).unwrap_or_default();
    day.format("%Y-%m-%d").to_string()
}

/// The bounds of the time in milliseconds, as the protocol has them: the upper one is the value cut off, which readers
/// know to be up to a millisecond too small, so it is rounded up. Device ids stay out of the log: they could not be erased.
fn stats(file: &FileEntry) -> String {
    let stamp = |time: Micros| {
        let date = chrono::DateTime::from_timestamp_micros(time)?;
        Some(date.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
    };
    let mut stats = json!({ "numRecords": file.rows, "nullCount": { "ts": 0, "device_id": 0, "seq": 0 } });
    let year = 365 * 86_400 * 1_000_000_i64;
    // Years that have four digits.
    if file.min_time > -1_900 * year
        && file.max_time < 7_900 * year
        && let (Some(low), Some(high)) = (stamp(file.min_time), stamp(file.max_time.saturating_add(999)))
    {
        stats["minValues"] = json!({ "ts": low });
        stats["maxValues"] = json!({ "ts": high });
    }
    stats.to_string()
}

fn schema(manifest: &Manifest) -> String {
    let field = |name: &str, kind: &str, nullable: bool| json!({ "name": name, "type": kind, "nullable": nullable, "metadata": {} });
    let mut fields = vec![
        field("device_id", "string", true),
        field("ts", "timestamp", true),
        field("enqueued", "timestamp", true),
        field("partition", "integer", true),
        field("epoch", "integer", true),
        field("seq", "long", true),
    ];
    for column in &manifest.columns {
        let kind = if column.kind == Kind::Signal { "double" } else { "string" };
        fields.push(field(&column.column, kind, true));
    }
    for name in ["quality", "properties", "extra"] {
        fields.push(field(name, "string", true));
    }
    fields.push(field("date", "date", true));
    json!({ "type": "struct", "fields": fields }).to_string()
}

/// The same for the same hub, in the shape of a UUID.
fn table_id(hub: &str) -> String {
    let hash: String =
        Sha256::digest(hub.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hash[..8], &hash[8..12], &hash[12..16], &hash[16..20], &hash[20..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compact::{CompactOptions, Compactor};
    use crate::segment::SegmentMetadata;
    use crate::segments::SegmentLog;
    use crate::testing::{START, frame};

    async fn lines(store: &Store, version: u64) -> Vec<Value> {
        let path = format!("history/v=1/hub=plant/_delta_log/{version:020}.json");
        let bytes = store.read(&path).await.unwrap().unwrap();
        bytes
            .split(|&b| b == b'\n')
            .filter(|l| !l.is_empty())
            .map(|l| serde_json::from_slice(l).unwrap())
            .collect()
    }

    #[tokio::test]
    async fn each_manifest_is_one_commit_and_a_repeated_one_is_none() {
        let store = Store::memory();
        let log = SegmentLog::new(store.clone(), "plant");
        let compactor = Compactor::new(store.clone(), "plant");
        let options = CompactOptions::new(START + 90 * 86_400_000_000);
        log.commit(&frame(0, 1, 50), &SegmentMetadata::default()).await.unwrap();
        compactor.run(&options).await.unwrap();
        log.commit(&frame(0, 51, 90), &SegmentMetadata::default()).await.unwrap();
        compactor.run(&options).await.unwrap();
        let manifests = Manifests::new(store.clone(), "plant");
        let current = manifests.latest().await.unwrap();
        assert_eq!(publish(&store, "plant", &current).await.unwrap(), None, "the run has published it");
        let first = lines(&store, 0).await;
        let kinds = |actions: &[Value]| {
            let kind = |action: &Value| action.as_object().unwrap().keys().next().unwrap().clone();
            actions.iter().map(kind).collect::<Vec<_>>()
        };
        assert_eq!(kinds(&first), ["commitInfo", "protocol", "metaData", "txn", "add"]);
        let second = lines(&store, 1).await;
        assert_eq!(kinds(&second), ["commitInfo", "txn", "remove", "add"]);
        assert_eq!(first[4]["add"]["path"], second[2]["remove"]["path"]);
        assert_eq!(second[3]["add"]["partitionValues"]["date"], "2026-03-04");
        // Without the old manifest the whole log tells.
        manifests.forget().await.unwrap();
        let table = Table { store: &store, log: "history/v=1/hub=plant/_delta_log".into(), hub: "plant" };
        store.delete("manifests/v=1/hub=plant/000000002.json").await.unwrap();
        let state = table.state(1).await.unwrap();
        assert_eq!((state.manifest, state.files.len()), (2, 1));
        assert_eq!(state.schema, schema(&current));
    }
}
