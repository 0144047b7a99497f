//! Large objects of a folder, written past the system's cache of files. What a compaction writes is asked for later and
//! in small pieces; kept in memory meanwhile it would push out what is asked for now, and taking that memory from the
//! system costs more processor time than the writing itself.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Result, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use nix::fcntl::OFlag;

use super::Created;

/// Where addresses, lengths and offsets of direct writes must lie: a multiple of every disk's block.
const BLOCK: usize = 4_096;
/// Bytes of one write.
const PIECE: usize = 1 << 20;

/// Stores the parts as the file `path` if there is none, on disk on return where `sync` says so; `None` where the file
/// system knows no such writes.
pub(super) fn create(path: &Path, parts: &[Bytes], sync: bool) -> Result<Option<Created>> {
    let folder = path.parent().unwrap_or_else(|| Path::new("/"));
    create_folders(folder, sync)?;
    let Some((file, staged)) = stage(path)? else { return Ok(None) };
    let published = write(&file, parts).and_then(|()| {
        if sync {
            file.sync_all()?;
        }
        // Create-only and whole, as a link is.
        std::fs::hard_link(&staged, path)
    });
    let _swept_when_old = std::fs::remove_file(&staged);
    match published {
        Ok(()) => {
            if sync {
                File::open(folder)?.sync_all()?;
            }
            Ok(Some(Created::New))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Some(Created::AlreadyThere)),
        Err(error) if is_refused(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// An empty file beside the final name.
fn stage(path: &Path) -> Result<Option<(File, PathBuf)>> {
    for number in 1_u64.. {
        let mut staged = path.as_os_str().to_owned();
        staged.push(format!("#{number}"));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600).custom_flags(OFlag::O_DIRECT.bits());
        match options.open(&staged) {
            Ok(file) => return Ok(Some((file, staged.into()))),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) if is_refused(&error) => {
                // Some file systems make the file before they look at the flag.
                let _best_effort = std::fs::remove_file(&staged);
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn is_refused(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported)
}

fn write(file: &File, parts: &[Bytes]) -> Result<()> {
    let mut out = Aligned::new(file);
    parts.iter().try_for_each(|part| out.write_all(part))?;
    out.finish()
}

/// Gathers bytes at an address that direct writes may come from.
struct Aligned<'a> {
    file: &'a File,
    memory: Vec<u8>,
    start: usize,
    filled: usize,
    written: u64,
}

impl<'a> Aligned<'a> {
    fn new(file: &'a File) -> Self {
        let memory = vec![0; PIECE + BLOCK];
        let start = memory.as_ptr().align_offset(BLOCK);
        Self { file, memory, start, filled: 0, written: 0 }
    }

    fn flush_blocks(&mut self, bytes: usize) -> Result<()> {
        self.file.write_all_at(&self.memory[self.start..self.start + bytes], self.written)?;
        self.written += self.filled as u64;
        self.filled = 0;
        Ok(())
    }

    /// Fills the last block up, and cuts the file to what was written.
    fn finish(mut self) -> Result<()> {
        let blocks = self.filled.next_multiple_of(BLOCK);
        self.memory[self.start + self.filled..self.start + blocks].fill(0);
        self.flush_blocks(blocks)?;
        self.file.set_len(self.written)
    }
}

impl Write for Aligned<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let taken = bytes.len().min(PIECE - self.filled);
        let at = self.start + self.filled;
        self.memory[at..at + taken].copy_from_slice(&bytes[..taken]);
        self.filled += taken;
        if self.filled == PIECE {
            self.flush_blocks(PIECE)?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Makes the folders that are missing; each stands in one that is on disk.
fn create_folders(folder: &Path, sync: bool) -> Result<()> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|above| !above.exists()).collect();
    std::fs::create_dir_all(folder)?;
    if sync {
        for above in missing.iter().filter_map(|made| made.parent()) {
            File::open(above)?.sync_all()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(lengths: &[usize]) -> Vec<Bytes> {
        let mut next = 0_u32;
        let mut part = |length: usize| {
            let bytes: Vec<u8> = (0..length)
                .map(|_| {
                    next = next.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (next >> 24) as u8
                })
                .collect();
            Bytes::from(bytes)
        };
        lengths.iter().map(|&length| part(length)).collect()
    }

    #[test]
    fn files_of_every_length_hold_what_was_written_and_leave_nothing_beside_them() {
        let folder = tempfile::tempdir().unwrap();
        for (at, lengths) in [
            &[][..],
            &[0],
            &[1],
            &[BLOCK],
            &[BLOCK - 1, 2],
            &[PIECE],
            &[PIECE - 1, 1, 1],
            &[PIECE, PIECE + BLOCK + 7],
            &[100, 3 * PIECE, 0, 5_000],
        ]
        .iter()
        .enumerate()
        {
            let path = folder.path().join(format!("a/b{at}/one.parquet"));
            let parts = parts(lengths);
            let Some(created) = create(&path, &parts, at % 2 == 0).unwrap() else {
                // The folder for temporary files may lie in memory, which knows no disk.
                assert!(!path.exists());
                continue;
            };
            assert_eq!(created, Created::New);
            assert_eq!(std::fs::read(&path).unwrap(), parts.concat(), "{lengths:?}");
            let other = create(&path, &[Bytes::from_static(b"other")], true).unwrap();
            assert_eq!(other, Some(Created::AlreadyThere));
            assert_eq!(std::fs::read(&path).unwrap(), parts.concat(), "{lengths:?}");
            assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_file_that_a_killed_writer_left_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one.parquet");
        std::fs::write(folder.path().join("one.parquet#1"), b"torn").unwrap();
        let parts = parts(&[PIECE + 1]);
        if create(&path, &parts, false).unwrap().is_some() {
            assert_eq!(std::fs::read(&path).unwrap(), parts.concat());
        }
        assert_eq!(std::fs::read(folder.path().join("one.parquet#1")).unwrap(), b"torn");
    }
}
