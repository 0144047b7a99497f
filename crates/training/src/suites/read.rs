//! Reading of text files, plain or gzipped.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::SuiteError;

/// Bytes of text that one file may have: a small archive may hold far more than memory.
const MOST: u64 = 512 << 20;

/// The text of a file; one that ends in `.gz` is unpacked.
pub(crate) fn text(path: &Path) -> Result<String, SuiteError> {
    let failed = |cause| SuiteError::Read { path: path.to_owned(), cause };
    let file = File::open(path).map_err(failed)?;
    let mut text = String::new();
    if path.extension().is_some_and(|extension| extension == "gz") {
        GzDecoder::new(file).take(MOST).read_to_string(&mut text).map_err(failed)?;
    } else {
        file.take(MOST).read_to_string(&mut text).map_err(failed)?;
    }
    Ok(text)
}

/// Files of a folder and the folders in it whose name ends in one of `endings`, ordered by path; numbers by their
/// size, so that 2 stands before 10.
pub(crate) fn files(folder: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, SuiteError> {
    let mut found = Vec::new();
    let mut open = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = open.pop() {
        let failed = |cause| SuiteError::Read { path: folder.clone(), cause };
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.is_dir() {
                // Data sets are shallow; a link in a circle is not followed for ever.
                if depth < 4 {
                    open.push((path, depth + 1));
                }
            } else if path.to_str().is_some_and(|name| endings.iter().any(|end| name.ends_with(end))) {
                found.push(path);
            }
        }
    }
    let number = |path: &PathBuf| {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        stem.parse::<u64>().unwrap_or(u64::MAX)
    };
    found.sort_by_cached_key(|path| (path.parent().map(Path::to_owned), number(path), path.clone()));
    Ok(found)
}

/// A time like `2020-03-09 10:14:33` or with a `T`, µs UTC.
pub(crate) fn time(text: &str) -> Option<i64> {
    let text = text.trim().trim_matches('"');
    twinwright_core::time::parse_iso(text)
        .or_else(|| twinwright_core::time::parse_iso(&text.replace(' ', "T")))
}
