//! An event hub in files: one file for each partition, a line for each event, only ever appended to.
//!
//! A line is `{"partition", "sequenceNumber", "enqueuedTime", "properties", "body"}`; `properties` are the event's
//! attributes under the names that Event Hubs gives them (`cloudEvents:type`, …), `body` is its data.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::CloudEvent;
use super::endpoint::{EventSink, SendError};
use crate::clock;

const MOST_PARTITIONS: u32 = 32;

#[derive(Debug)]
struct Partition {
    file: File,
    /// Length up to which lines are whole.
    length: u64,
    next: u64,
}

/// The files of one endpoint.
#[derive(Debug)]
pub(super) struct PartitionLog {
    partitions: Arc<Vec<Mutex<Partition>>>,
}

impl PartitionLog {
    pub(super) fn open(folder: &Path, count: u32) -> io::Result<Self> {
        if !(1..=MOST_PARTITIONS).contains(&count) {
            let message = format!("a partition log has 1 to {MOST_PARTITIONS} partitions");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        std::fs::create_dir_all(folder)?;
        let partitions: io::Result<Vec<_>> = (0..count)
            .map(|index| {
                Partition::open(&folder.join(format!("partition-{index:02}.ndjson"))).map(Mutex::new)
            })
            .collect();
        Ok(Self { partitions: Arc::new(partitions?) })
    }

    fn partition_of(&self, event: &CloudEvent) -> usize {
        // Events of a relationship go where those of its source twin go.
        let subject = event.subject.as_deref().unwrap_or(&event.source);
        let key = subject.split("/relationships/").next().unwrap_or(subject);
        let digest = Sha256::digest(key.as_bytes());
        usize::from(u16::from_be_bytes([digest[0], digest[1]])) % self.partitions.len()
    }
}

impl Partition {
    /// Opens a file and cuts off a line that a killed process left half written.
    fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
        let (mut length, mut next) = (0, 0);
        let mut reader = BufReader::new(&file);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 {
            if line.last() == Some(&b'\n') {
                length += line.len() as u64;
                next += 1;
            }
            line.clear();
        }
        file.set_len(length)?;
        file.seek(SeekFrom::Start(length))?;
        Ok(Self { file, length, next })
    }

    fn append(&mut self, index: usize, events: &[&CloudEvent]) -> io::Result<()> {
        let (mut bytes, mut next) = (Vec::new(), self.next);
        let time = clock::now();
        for event in events {
            let line = json!({"partition": index, "sequenceNumber": next, "enqueuedTime": time,
                "properties": properties(event), "body": event.data});
            serde_json::to_writer(&mut bytes, &line)?;
            bytes.push(b'\n');
            next += 1;
        }
        let outcome = self.file.write_all(&bytes).and_then(|()| self.file.sync_data());
        match outcome {
            Ok(()) => {
                self.length += bytes.len() as u64;
                self.next = next;
            }
            Err(_) => {
                self.file.set_len(self.length)?;
                self.file.seek(SeekFrom::Start(self.length))?;
            }
        }
        outcome
    }
}

fn properties(event: &CloudEvent) -> Map<String, Value> {
    let mut map = Map::new();
    let mut add = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            map.insert(format!("cloudEvents:{name}"), value.into());
        }
    };
    add("specversion", Some(&event.specversion));
    add("id", Some(&event.id));
    add("type", Some(&event.kind));
    add("source", Some(&event.source));
    add("subject", event.subject.as_deref());
    add("time", Some(&event.time));
    add("dataschema", event.dataschema.as_deref());
    add("traceparent", Some(&event.traceparent));
    map.insert("contentType".into(), event.datacontenttype.as_str().into());
    map
}

#[async_trait::async_trait]
impl EventSink for PartitionLog {
    async fn send(&self, events: &[CloudEvent]) -> Result<(), SendError> {
        let mut by_partition: Vec<Vec<CloudEvent>> = vec![Vec::new(); self.partitions.len()];
        for event in events {
            by_partition[self.partition_of(event)].push(event.clone());
        }
        let partitions = Arc::clone(&self.partitions);
        let written = tokio::task::spawn_blocking(move || {
            by_partition.iter().enumerate().filter(|(_, events)| !events.is_empty()).try_for_each(
                |(index, events)| {
                    let list: Vec<&CloudEvent> = events.iter().collect();
                    partitions[index].lock().unwrap_or_else(PoisonError::into_inner).append(index, &list)
                },
            )
        });
        match written.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                Err(SendError::later(format!("the partition log could not be written: {error}")))
            }
            Err(error) => Err(SendError::later(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(subject: &str, id: &str) -> CloudEvent {
        serde_json::from_value(json!({"specversion": "1.0", "id": id, "type": "t", "source": "local", "subject": subject,
            "time": "2026-01-31T12:00:00.0000000Z", "datacontenttype": "application/json", "traceparent": "", "data": {}})).unwrap()
    }

    #[tokio::test]
    async fn numbers_go_on_after_a_torn_line() {
        let folder = tempfile::tempdir().unwrap();
        let log = PartitionLog::open(folder.path(), 1).unwrap();
        log.send(&[event("a", "1"), event("a/relationships/r", "2")]).await.unwrap();
        drop(log);
        let path = folder.path().join("partition-00.ndjson");
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"torn").unwrap();
        let log = PartitionLog::open(folder.path(), 1).unwrap();
        log.send(&[event("b", "3")]).await.unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let numbers: Vec<_> = lines.iter().map(|line| line["sequenceNumber"].as_u64().unwrap()).collect();
        assert_eq!(numbers, [0, 1, 2]);
        assert_eq!(lines[2]["properties"]["cloudEvents:id"], "3");
        assert!(PartitionLog::open(folder.path(), 0).is_err());
    }
}
