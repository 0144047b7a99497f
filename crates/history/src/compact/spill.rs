//! A sorted run on disk: plain columns, one behind the other, read back by ranges of rows. The file belongs to this
//! process and is gone with the run.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::sort::{Key, STRIDE, key};
use crate::StoreError;
use crate::table::{Names, Table, Values};

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A folder for spilled rows: made when it is needed, gone with the value.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Below a folder, under a name of its own.
    pub(crate) fn new(parent: &Path) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(parent.join(format!("twinwright-rows-{}-{number}", std::process::id())))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

/// A key with the device's code: ranks change as devices come.
#[derive(Clone, Copy, Debug)]
pub(super) struct RunKey {
    device: u32,
    time: i64,
    source: u16,
    sequence: i64,
}

impl RunKey {
    pub(super) fn ranked(&self, ranks: &[u32], names: &Names) -> Key {
        (ranks[self.device as usize], self.time, names.sources[usize::from(self.source)], self.sequence)
    }
}

#[derive(Clone, Copy, Debug)]
enum Column {
    Absent,
    /// Where it begins.
    Doubles(u64),
    Codes(u64),
}

#[derive(Debug)]
pub(super) struct Run {
    file: File,
    path: PathBuf,
    rows: usize,
    next: usize,
    /// Starts of device, time, enqueued, sequence, source.
    fixed: [u64; 5],
    columns: Vec<Column>,
    keys: Vec<RunKey>,
}

impl Drop for Run {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.path);
    }
}

impl Run {
    /// Writes the rows in this order.
    pub(super) fn write(
        folder: &Path,
        table: &Table,
        order: &[u32],
        names: &Names,
    ) -> Result<Self, StoreError> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("run-{}-{number}", std::process::id()));
        let failed = |error: std::io::Error| spill_error(&path, &error);
        let file = File::options().read(true).write(true).create_new(true).open(&path).map_err(failed)?;
        let mut out = Out { file: BufWriter::with_capacity(1 << 18, file), at: 0 };
        let pick = |out: &mut Out, values: &[i64]| {
            out.write(order.iter().map(|&row| values[row as usize].to_le_bytes()))
        };
        let written = (|| {
            let fixed = [
                out.write(order.iter().map(|&row| table.device[row as usize].to_le_bytes()))?,
                pick(&mut out, &table.time)?,
                pick(&mut out, &table.enqueued)?,
                pick(&mut out, &table.sequence)?,
                out.write(order.iter().map(|&row| table.source[row as usize].to_le_bytes()))?,
            ];
            let mut columns = Vec::with_capacity(table.columns.len());
            for values in &table.columns {
                columns.push(match values {
                    Values::Doubles(values) if !values.is_empty() => Column::Doubles(
                        out.write(order.iter().map(|&row| values[row as usize].to_le_bytes()))?,
                    ),
                    Values::Codes(codes) if !codes.is_empty() => {
                        Column::Codes(out.write(order.iter().map(|&row| codes[row as usize].to_le_bytes()))?)
                    }
                    _ => Column::Absent,
                });
            }
            out.file.flush()?;
            Ok((fixed, columns))
        })();
        let (fixed, columns) = written.map_err(failed)?;
        let file = out.file.into_inner().map_err(|error| failed(error.into_error()))?;
        let keys = order.iter().step_by(STRIDE).map(|&row| {
            let row = row as usize;
            RunKey {
                device: table.device[row],
                time: table.time[row],
                source: table.source[row],
                sequence: table.sequence[row],
            }
        });
        debug_assert!(names.devices.len() > 0 || order.is_empty());
        Ok(Self {
            file,
            path: path.clone(),
            rows: order.len(),
            next: 0,
            fixed,
            columns,
            keys: keys.collect(),
        })
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn columns(&self) -> usize {
        self.columns.len()
    }

    pub(super) fn has(&self, column: usize) -> bool {
        !matches!(self.columns.get(column), None | Some(Column::Absent))
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &RunKey> {
        self.keys.iter()
    }

    /// Appends the rows before a key, or all that are left.
    pub(super) fn read_until(
        &mut self,
        cut: Option<&Key>,
        piece: &mut Table,
        ranks: &[u32],
        names: &Names,
    ) -> Result<(), StoreError> {
        // No row behind the first remembered key that is not before the cut can be before it.
        let bound = match cut {
            None => self.rows,
            Some(cut) => {
                let behind = self.keys.partition_point(|key| key.ranked(ranks, names) < *cut);
                self.rows.min(behind * STRIDE)
            }
        };
        if bound <= self.next {
            return Ok(());
        }
        let path = self.path.clone();
        let failed = |error: std::io::Error| spill_error(&path, &error);
        let (from, start) = (self.next, piece.rows());
        let mut buffer = Vec::new();
        self.words4(self.fixed[0], from, bound, &mut buffer, &mut piece.device).map_err(failed)?;
        self.words8(self.fixed[1], from, bound, &mut buffer, &mut piece.time, i64::from_le_bytes)
            .map_err(failed)?;
        self.words8(self.fixed[3], from, bound, &mut buffer, &mut piece.sequence, i64::from_le_bytes)
            .map_err(failed)?;
        self.read(self.fixed[4] + 2 * from as u64, 2 * (bound - from), &mut buffer).map_err(failed)?;
        piece.source.extend(buffer.as_chunks::<2>().0.iter().map(|bytes| u16::from_le_bytes(*bytes)));
        let mut end = piece.rows();
        if let Some(cut) = cut {
            let (mut low, mut high) = (start, end);
            while low < high {
                let middle = low.midpoint(high);
                if key(piece, middle, ranks, names) < *cut { low = middle + 1 } else { high = middle }
            }
            end = low;
        }
        piece.device.truncate(end);
        piece.time.truncate(end);
        piece.sequence.truncate(end);
        piece.source.truncate(end);
        let to = from + (end - start);
        self.next = to;
        self.words8(self.fixed[2], from, to, &mut buffer, &mut piece.enqueued, i64::from_le_bytes)
            .map_err(failed)?;
        for (at, column) in self.columns.clone().into_iter().enumerate() {
            match column {
                Column::Absent => {}
                Column::Doubles(place) => {
                    let values = piece.column(at).doubles(start);
                    self.words8(place, from, to, &mut buffer, values, f64::from_le_bytes).map_err(failed)?;
                }
                Column::Codes(place) => {
                    let codes = piece.column(at).codes(start);
                    self.words4(place, from, to, &mut buffer, codes).map_err(failed)?;
                }
            }
        }
        Ok(())
    }

    fn read(&mut self, at: u64, length: usize, buffer: &mut Vec<u8>) -> std::io::Result<()> {
        buffer.resize(length, 0);
        self.file.seek(SeekFrom::Start(at))?;
        self.file.read_exact(buffer)
    }

    fn words4(
        &mut self,
        place: u64,
        from: usize,
        to: usize,
        buffer: &mut Vec<u8>,
        target: &mut Vec<u32>,
    ) -> std::io::Result<()> {
        self.read(place + 4 * from as u64, 4 * (to - from), buffer)?;
        target.extend(buffer.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)));
        Ok(())
    }

    fn words8<T>(
        &mut self,
        place: u64,
        from: usize,
        to: usize,
        buffer: &mut Vec<u8>,
        target: &mut Vec<T>,
        word: impl Fn([u8; 8]) -> T,
    ) -> std::io::Result<()> {
        self.read(place + 8 * from as u64, 8 * (to - from), buffer)?;
        target.extend(buffer.as_chunks::<8>().0.iter().map(|bytes| word(*bytes)));
        Ok(())
    }
}

struct Out {
    file: BufWriter<File>,
    at: u64,
}

impl Out {
    /// Writes words and says where they begin.
    fn write<const N: usize>(&mut self, words: impl Iterator<Item = [u8; N]>) -> std::io::Result<u64> {
        let start = self.at;
        let mut buffer = Vec::with_capacity(1 << 16);
        for word in words {
            buffer.extend_from_slice(&word);
            if buffer.len() >= (1 << 16) - N {
                self.file.write_all(&buffer)?;
                self.at += buffer.len() as u64;
                buffer.clear();
            }
        }
        self.file.write_all(&buffer)?;
        self.at += buffer.len() as u64;
        Ok(start)
    }
}

pub(super) fn spill_error(path: &Path, error: &std::io::Error) -> StoreError {
    let path = path.display().to_string();
    let cause = format!("rows that do not fit into memory go there while a day is compacted: {error}");
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            StoreError::Full { path, cause }
        }
        std::io::ErrorKind::PermissionDenied => StoreError::Denied { path, cause },
        _ => StoreError::Unavailable { path, cause },
    }
}
