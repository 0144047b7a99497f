//! Events that could not be read, whole and with the reason: nothing that a device sent is lost.
//!
//! One JSON Lines object a batch, `dead-letters/v=1/hub=<hub>/date=YYYY-MM-DD/p<partition>_<first>-<last>.jsonl`, by the
//! enqueued date of the batch's first event.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use twinwright_core::frame::SequenceRange;
use twinwright_core::time::{Micros, iso, parse_iso};

use crate::StoreError;
use crate::names::{day_folder, hub_folder};
use crate::store::{Created, Store};

const ROOT: &str = "dead-letters";

/// One event that has no row, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Partition of the hub.
    pub partition: u32,
    /// Sequence number.
    pub sequence: i64,
    /// Enqueued time.
    pub enqueued: Micros,
    /// The authenticated device; `None` where the hub named none.
    pub device: Option<String>,
    /// Kind of fault, a word for counting, e.g. `broken-json`.
    pub code: String,
    /// The fault in words.
    pub reason: String,
    /// The body as it came, whole.
    pub body: Bytes,
    /// Application properties, empty where there were none.
    pub properties: serde_json::Map<String, serde_json::Value>,
}

/// A stored batch of dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetterBatch {
    /// Full path.
    pub path: String,
    /// Partition of the hub.
    pub partition: u32,
    /// Range of the input in which they were.
    pub range: SequenceRange,
}

/// A line as it is written.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    partition: u32,
    seq: i64,
    enqueued: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device_id: Option<String>,
    code: String,
    reason: String,
    body: std::borrow::Cow<'a, str>,
    /// `utf8` or `base64`.
    encoding: String,
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    properties: serde_json::Map<String, serde_json::Value>,
}

/// The dead letters of one hub; clones share the store.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    store: Store,
    hub: String,
}

impl DeadLetters {
    /// The dead letters of a hub.
    pub fn new(store: Store, hub: impl Into<String>) -> Self {
        Self { store, hub: hub.into() }
    }

    /// Stores a batch's dead letters; a batch without any leaves no object. Call it before the batch is answered.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn write(
        &self,
        partition: u32,
        range: SequenceRange,
        first_enqueued: Micros,
        letters: &[DeadLetter],
    ) -> Result<Option<Created>, StoreError> {
        if letters.is_empty() {
            return Ok(None);
        }
        let folder = day_folder(ROOT, &self.hub, first_enqueued);
        let path = format!("{folder}/p{partition}_{:020}-{:020}.jsonl", range.first, range.last);
        self.store.create(&path, lines(letters)?).await.map(Some)
    }

    /// Puts other letters in the place of a batch: written under a name of their own first, so that none is lost between.
    pub(crate) async fn replace(
        &self,
        batch: &DeadLetterBatch,
        letters: &[DeadLetter],
    ) -> Result<(), StoreError> {
        if !letters.is_empty() {
            let stem = batch.path.strip_suffix(".jsonl").unwrap_or(&batch.path);
            let (stem, number) =
                match stem.rsplit_once("_e").map(|(stem, digits)| (stem, digits.parse::<u32>())) {
                    Some((stem, Ok(number))) => (stem, number + 1),
                    _ => (stem, 1),
                };
            self.store.create(&format!("{stem}_e{number}.jsonl"), lines(letters)?).await?;
        }
        self.store.delete(&batch.path).await
    }

    /// Stored batches from the day of an enqueued time on, by path; `None` for all.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn list(&self, since: Option<Micros>) -> Result<Vec<DeadLetterBatch>, StoreError> {
        let hub = hub_folder(ROOT, &self.hub);
        let first_day = since.map(|since| day_folder(ROOT, &self.hub, since));
        let mut batches = Vec::new();
        for day in self.store.folders(&hub).await? {
            if first_day.as_ref().is_some_and(|first| day < *first) {
                continue;
            }
            let mut entries = self.store.entries(&day, None)?;
            while let Some(entry) = entries.next().await {
                batches.extend(parse(entry?.path));
            }
        }
        batches.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(batches)
    }

    /// The dead letters of a batch.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] names the line that cannot be read.
    pub async fn read(&self, path: &str) -> Result<Vec<DeadLetter>, StoreError> {
        let bytes = self.store.read(path).await?;
        let bytes = bytes.ok_or_else(|| StoreError::invalid(format!("{path} is not there: list again")))?;
        let lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        lines
            .enumerate()
            .map(|(number, line)| {
                let line: Result<Line<'_>, _> = serde_json::from_slice(line);
                let letter = line.map_err(|error| error.to_string()).and_then(Line::into_letter);
                letter.map_err(|cause| StoreError::corrupt(path, format!("line {}: {cause}", number + 1)))
            })
            .collect()
    }
}

fn lines(letters: &[DeadLetter]) -> Result<Bytes, StoreError> {
    let mut lines = Vec::with_capacity(letters.iter().map(|letter| letter.body.len() + 256).sum());
    for letter in letters {
        let line = Line::of(letter);
        serde_json::to_writer(&mut lines, &line)
            .map_err(|error| StoreError::invalid(format!("the dead letter cannot be stored: {error}")))?;
        lines.push(b'\n');
    }
    Ok(lines.into())
}

fn parse(path: String) -> Option<DeadLetterBatch> {
    let stem = path.rsplit('/').next()?.strip_suffix(".jsonl")?;
    // What was written again without an erased device's letters.
    let stem = stem.rsplit_once("_e").map_or(stem, |(stem, _)| stem);
    let (partition, range) = stem.strip_prefix('p')?.split_once('_')?;
    if range.len() != 41 || !range.is_ascii() {
        return None;
    }
    let (first, last) = (range[..20].parse().ok()?, range[21..].parse().ok()?);
    let partition = partition.parse().ok()?;
    Some(DeadLetterBatch { partition, range: SequenceRange { first, last }, path })
}

impl<'a> Line<'a> {
    fn of(letter: &'a DeadLetter) -> Self {
        let (body, encoding) = match std::str::from_utf8(&letter.body) {
            Ok(text) => (text.into(), "utf8"),
            Err(_) => (STANDARD.encode(&letter.body).into(), "base64"),
        };
        Self {
            partition: letter.partition,
            seq: letter.sequence,
            enqueued: iso(letter.enqueued),
            device_id: letter.device.clone(),
            code: letter.code.clone(),
            reason: letter.reason.clone(),
            body,
            encoding: encoding.to_owned(),
            properties: letter.properties.clone(),
        }
    }

    fn into_letter(self) -> Result<DeadLetter, String> {
        let body = match self.encoding.as_str() {
            "utf8" => self.body.into_owned().into_bytes(),
            "base64" => STANDARD.decode(self.body.as_bytes()).map_err(|error| error.to_string())?,
            other => return Err(format!("unknown encoding {other}")),
        };
        let enqueued = parse_iso(&self.enqueued).ok_or_else(|| format!("{} is no time", self.enqueued))?;
        Ok(DeadLetter {
            partition: self.partition,
            sequence: self.seq,
            enqueued,
            device: self.device_id,
            code: self.code,
            reason: self.reason,
            body: body.into(),
            properties: self.properties,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::START;

    fn letter(sequence: i64, body: &'static [u8]) -> DeadLetter {
        DeadLetter {
            partition: 2,
            sequence,
            enqueued: START + sequence,
            device: Some("arm-1".to_owned()),
            code: "broken-json".to_owned(),
            reason: "the body ends inside a string".to_owned(),
            body: Bytes::from_static(body),
            properties: serde_json::Map::from_iter([("line".to_owned(), serde_json::json!("A"))]),
        }
    }

    #[tokio::test]
    async fn whole_bodies_come_back_with_their_reasons() {
        let letters = DeadLetters::new(Store::memory(), "plant");
        let range = SequenceRange { first: 1, last: 9 };
        assert_eq!(letters.write(2, range, START, &[]).await.unwrap(), None);
        let mut nameless = letter(4, b"\xff\xfe not text \n");
        (nameless.device, nameless.properties) = (None, serde_json::Map::new());
        let batch = [letter(3, b"{\"speed\": \"\n"), nameless, letter(5, b"")];
        assert_eq!(letters.write(2, range, START, &batch).await.unwrap(), Some(Created::New));
        assert_eq!(letters.write(2, range, START, &batch).await.unwrap(), Some(Created::AlreadyThere));
        let listed = letters.list(Some(START)).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!((listed[0].partition, listed[0].range), (2, range));
        assert!(listed[0].path.starts_with("dead-letters/v=1/hub=plant/date=2026-03-04/p2_000"));
        assert_eq!(letters.read(&listed[0].path).await.unwrap(), batch);
        assert!(letters.list(Some(START + 86_400_000_000)).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_damaged_line_is_named() {
        let letters = DeadLetters::new(Store::memory(), "plant");
        let path = "dead-letters/v=1/hub=plant/date=2026-03-04/p0_1-2.jsonl";
        letters.store.create(path, Bytes::from_static(b"{}\n")).await.unwrap();
        let error = letters.read(path).await.unwrap_err().to_string();
        assert!(error.contains("line 1") && error.contains(path), "{error}");
        assert!(letters.read("dead-letters/none").await.is_err());
        assert!(letters.list(None).await.unwrap().is_empty(), "the name is not ours");
    }
}
