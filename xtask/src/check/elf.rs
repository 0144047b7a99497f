//! Can the host's Linux run this file? Source: System V ABI (ELF-64), Linux Standard Base (symbol versions).

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// The C library of the host's images.
const GLIBC: Version = Version { major: 2, minor: 36 };
const X86_64: u64 = 0x3e;
/// Section type of the needed symbol versions.
const VERSIONS_NEEDED: u64 = 0x6fff_fffe;
/// Program header type of the interpreter's path.
const INTERPRETER: u64 = 3;
/// A version that may be missing.
const WEAK: u64 = 2;
/// Bounds on what a file can make us read.
const TABLE_LIMIT: u64 = 4 << 20;
const ENTRY_LIMIT: usize = 10_000;

/// A version of glibc.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    major: u32,
    minor: u32,
}

/// What is wrong with the file, as the rest of a sentence that begins with its name.
pub(super) fn problem(path: &Path) -> Option<String> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return Some(format!("cannot be read: {error}")),
    };
    match look(&mut Bytes { file }) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Some("is cut off; build it again".to_owned())
        }
        Err(error) => Some(format!("cannot be read: {error}")),
    }
}

fn look(bytes: &mut Bytes) -> io::Result<Option<String>> {
    let start = bytes.at(0, 4)?;
    if start != b"\x7fELF" {
        return Ok(Some("is not an ELF file; the host runs Linux binaries".to_owned()));
    }
    let header = Piece(bytes.at(0, 64)?);
    let (class, order, kind, machine) =
        (header.int(4, 1), header.int(5, 1), header.int(16, 2), header.int(18, 2));
    if (class, order, machine) != (2, 1, X86_64) {
        return Ok(Some(
            "is not for 64-bit x86, which the host runs on; pass --target x86_64-unknown-linux-gnu"
                .to_owned(),
        ));
    }
    if ![2, 3].contains(&kind) {
        return Ok(Some("is an ELF file, but not a program".to_owned()));
    }
    let Some(interpreter) = interpreter(bytes, &header)? else { return Ok(None) };
    if !interpreter.ends_with("/ld-linux-x86-64.so.2") {
        return Ok(Some(format!("needs {interpreter}, which the host's images lack; link it statically")));
    }
    let Some(needed) = newest_glibc(bytes, &header)? else {
        return Ok(Some(
            "does not say which C library it needs (are its section headers stripped?)".to_owned(),
        ));
    };
    let Version { major, minor } = needed;
    Ok((needed > GLIBC).then(|| {
        format!(
            "needs glibc {major}.{minor}, and the host's images have {}.{}; build on Debian 12 or with \
             --target x86_64-unknown-linux-musl",
            GLIBC.major, GLIBC.minor
        )
    }))
}

/// The loader's path; none in a static program.
fn interpreter(bytes: &mut Bytes, header: &Piece) -> io::Result<Option<String>> {
    for program in bytes.table(header.int(32, 8), header.int(54, 2), header.int(56, 2), 56)? {
        if program.int(0, 4) == INTERPRETER {
            let path = bytes.at(program.int(8, 8), program.int(32, 8).min(4_096))?;
            return Ok(Some(String::from_utf8_lossy(&path).trim_end_matches('\0').to_owned()));
        }
    }
    Ok(None)
}

/// The newest glibc version that a symbol needs for certain; none where the file does not say.
fn newest_glibc(bytes: &mut Bytes, header: &Piece) -> io::Result<Option<Version>> {
    let sections = bytes.table(header.int(40, 8), header.int(58, 2), header.int(60, 2), 64)?;
    let section =
        |section: &Piece, bytes: &mut Bytes| bytes.at(section.int(24, 8), section.int(32, 8)).map(Piece);
    let Some(needs) = sections.iter().find(|section| section.int(4, 4) == VERSIONS_NEEDED) else {
        return Ok(None);
    };
    let Some(names) = usize::try_from(needs.int(40, 4)).ok().and_then(|index| sections.get(index)) else {
        return Ok(None);
    };
    let (needs, names) = (section(needs, bytes)?, section(names, bytes)?);
    let mut newest = None;
    let (mut library, mut left) = (0, ENTRY_LIMIT);
    loop {
        let mut version = library + needs.int(library + 8, 4);
        for _ in 0..needs.int(library + 2, 2) {
            if needs.int(version + 4, 2) & WEAK == 0 {
                newest = newest.max(glibc(&names.text(needs.int(version + 8, 4))));
            }
            version += needs.int(version + 12, 4);
            left -= 1;
            if left == 0 {
                return Ok(newest);
            }
        }
        let next = needs.int(library, 2).min(1) * needs.int(library + 12, 4);
        left -= 1;
        if next == 0 || left == 0 {
            return Ok(newest);
        }
        library += next;
    }
}

/// `GLIBC_2.34` as a version; private symbols count as newer than all.
fn glibc(name: &str) -> Option<Version> {
    let text = name.strip_prefix("GLIBC_")?;
    let mut numbers = text.split('.').map(|part| part.parse().unwrap_or(u32::MAX));
    Some(Version { major: numbers.next()?, minor: numbers.next().unwrap_or(0) })
}

/// Little-endian bytes of a part of the file; what lies outside is zero.
struct Piece(Vec<u8>);

impl Piece {
    fn int(&self, at: u64, length: usize) -> u64 {
        let from = usize::try_from(at).unwrap_or(usize::MAX);
        let bytes = self.0.get(from..from.saturating_add(length)).unwrap_or_default();
        bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
    }

    fn text(&self, at: u64) -> String {
        let from = usize::try_from(at).unwrap_or(usize::MAX);
        let bytes = self.0.get(from..).unwrap_or_default();
        String::from_utf8_lossy(bytes.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
    }
}

/// The file, read piece by piece.
struct Bytes {
    file: File,
}

impl Bytes {
    fn at(&mut self, at: u64, length: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(at))?;
        let length = length.min(TABLE_LIMIT);
        if (&mut self.file).take(length).read_to_end(&mut bytes)? as u64 == length {
            Ok(bytes)
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    /// The entries of a table of headers.
    fn table(&mut self, at: u64, size: u64, count: u64, least: u64) -> io::Result<Vec<Piece>> {
        if count == 0 || size < least {
            return Ok(Vec::new());
        }
        let bytes = self.at(at, size.saturating_mul(count))?;
        Ok(bytes
            .chunks_exact(usize::try_from(size).unwrap_or(64))
            .map(|entry| Piece(entry.to_vec()))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers_not_text() {
        assert_eq!(glibc("GLIBC_2.2.5"), Some(Version { major: 2, minor: 2 }));
        assert!(glibc("GLIBC_2.9") < glibc("GLIBC_2.34") && glibc("GLIBC_2.34") < Some(GLIBC));
        assert!(glibc("GLIBC_2.37") > Some(GLIBC) && glibc("GLIBC_PRIVATE") > Some(GLIBC));
        assert_eq!(glibc("GCC_3.0"), None);
    }

    #[test]
    fn offsets_beyond_the_end_read_as_zero() {
        let piece = Piece(vec![1, 2, 0]);
        assert_eq!((piece.int(0, 2), piece.int(2, 4), piece.int(u64::MAX, 8)), (513, 0, 0));
        assert_eq!(piece.text(9), "");
    }
}
