//! The files of one partition: `p<partition>-<first sequence, 20 digits>.log`, each a run of records.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::HubEvent;
use super::record::{self, Broken};
use crate::error::HubError;

/// Every so many records, a position is kept in memory.
const INDEX_EVERY: i64 = 64;
/// Bytes fetched from a file at a time.
const CHUNK: usize = 256 << 10;

/// One file and where in it to find what.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    pub(super) first: i64,
    /// Length in bytes of whole records.
    pub(super) length: u64,
    /// (sequence, position) of some records, ascending.
    index: Vec<(i64, u64)>,
}

/// What the files of a partition hold when the log opens.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) segments: VecDeque<Segment>,
    pub(super) next_sequence: i64,
    pub(super) next_offset: i64,
    pub(super) last_enqueued_us: i64,
}

impl Segment {
    pub(super) fn new(folder: &Path, partition: u32, first: i64) -> Self {
        Self {
            path: folder.join(format!("p{partition}-{first:020}.log")),
            first,
            length: 0,
            index: Vec::new(),
        }
    }

    /// Notes a record of `length` bytes at the end.
    pub(super) fn grow(&mut self, sequence: i64, length: u64) {
        if (sequence - self.first) % INDEX_EVERY == 0 {
            self.index.push((sequence, self.length));
        }
        self.length += length;
    }

    /// Reads records from `from` on until `take` says stop or the file ends.
    pub(super) fn read(
        &self,
        partition: u32,
        from: i64,
        mut take: impl FnMut(HubEvent) -> bool,
    ) -> Result<(), HubError> {
        let slot = self.index.partition_point(|(sequence, _)| *sequence <= from);
        let start = slot.checked_sub(1).map_or(0, |slot| self.index[slot].1);
        let mut reader = RecordReader::open(&self.path, partition, start, self.length)?;
        while let Some((event, _)) = reader.next().map_err(|reason| reader.corrupt(reason))? {
            if event.sequence >= from && !take(event) {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Finds the files, checks every record, cuts a torn tail off the newest file, and hands each event to `see`.
pub(super) fn recover(
    folder: &Path,
    partition: u32,
    mut see: impl FnMut(Arc<HubEvent>),
) -> Result<Recovered, HubError> {
    let prefix = format!("p{partition}-");
    let mut found: Vec<(i64, PathBuf)> = fs::read_dir(folder)
        .map_err(HubError::file("list", folder))?
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let first = name.strip_prefix(&prefix)?.strip_suffix(".log")?.parse().ok()?;
            Some((first, entry.path()))
        })
        .collect();
    found.sort();
    let mut recovered = Recovered {
        segments: VecDeque::new(),
        next_sequence: found.first().map_or(0, |(first, _)| *first),
        next_offset: 0,
        last_enqueued_us: 0,
    };
    let newest = found.len().saturating_sub(1);
    for (position, (first, path)) in found.into_iter().enumerate() {
        if first != recovered.next_sequence {
            let reason = format!("it begins at {first} and {} is the next number", recovered.next_sequence);
            return Err(HubError::Corrupt { path, reason });
        }
        let mut segment = Segment { path, first, length: 0, index: Vec::new() };
        let whole = fs::metadata(&segment.path).map_err(HubError::file("read", &segment.path))?.len();
        let mut reader = RecordReader::open(&segment.path, partition, 0, whole)?;
        loop {
            match reader.next() {
                Ok(Some((event, length))) if event.sequence == recovered.next_sequence => {
                    segment.grow(event.sequence, length);
                    recovered.next_sequence += 1;
                    recovered.next_offset = event.offset + i64::try_from(length).unwrap_or(i64::MAX);
                    recovered.last_enqueued_us = event.enqueued_us;
                    see(Arc::new(event));
                }
                Ok(None) => break,
                Ok(Some(_)) | Err(_) if position == newest => {
                    cut(&segment, whole)?;
                    break;
                }
                Ok(Some(_)) => return Err(reader.corrupt(Broken::Damaged)),
                Err(reason) => return Err(reader.corrupt(reason)),
            }
        }
        recovered.segments.push_back(segment);
    }
    Ok(recovered)
}

/// A write that a crash interrupted was never acknowledged, so what it left behind may go.
fn cut(segment: &Segment, whole: u64) -> Result<(), HubError> {
    tracing::warn!(file = %segment.path.display(), bytes = whole - segment.length, "cut an unfinished write off the event log");
    fs::OpenOptions::new()
        .write(true)
        .open(&segment.path)
        .and_then(|file| file.set_len(segment.length))
        .map_err(HubError::file("cut the end of", &segment.path))
}

/// Reads a file record by record with bounded memory.
struct RecordReader {
    file: File,
    path: PathBuf,
    partition: u32,
    buffer: Vec<u8>,
    used: usize,
    /// Bytes of the file not yet in the buffer.
    remaining: u64,
}

impl RecordReader {
    fn open(path: &Path, partition: u32, start: u64, end: u64) -> Result<Self, HubError> {
        let mut file = File::open(path).map_err(HubError::file("open", path))?;
        file.seek(SeekFrom::Start(start)).map_err(HubError::file("read", path))?;
        let remaining = end.saturating_sub(start);
        Ok(Self { file, path: path.to_path_buf(), partition, buffer: Vec::new(), used: 0, remaining })
    }

    /// The next event and the length of its record; `None` at the end.
    fn next(&mut self) -> Result<Option<(HubEvent, u64)>, Broken> {
        loop {
            match record::decode(self.partition, &self.buffer[self.used..]) {
                Ok((event, length)) => {
                    self.used += length;
                    return Ok(Some((event, length as u64)));
                }
                Err(Broken::Short) if self.remaining > 0 => self.fill()?,
                Err(Broken::Short) if self.used == self.buffer.len() => return Ok(None),
                Err(reason) => return Err(reason),
            }
        }
    }

    fn fill(&mut self) -> Result<(), Broken> {
        self.buffer.drain(..self.used);
        self.used = 0;
        let wanted = (CHUNK as u64).min(self.remaining);
        let read = (&mut self.file).take(wanted).read_to_end(&mut self.buffer).map_err(|_| Broken::Short)?;
        // A file shorter than its size said: nothing more will come.
        self.remaining = if read == 0 { 0 } else { self.remaining - read as u64 };
        Ok(())
    }

    fn corrupt(&self, reason: Broken) -> HubError {
        let reason = match reason {
            Broken::Short => "a record ends too early",
            Broken::Damaged => "a record is damaged",
        };
        HubError::Corrupt { path: self.path.clone(), reason: reason.to_owned() }
    }
}
