//! Reading of public data files: text, plain or gzip.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::TrainError;

/// Bytes of a data file at the most, unpacked: what claims to be larger is not one of these files.
const MOST: u64 = 2 << 30;

/// Folders within folders that are looked into; a link in a circle is not followed for ever.
const DEPTH: usize = 3;

/// The text of a file; `.gz` is unpacked.
pub(crate) fn text(path: &Path) -> Result<String, TrainError> {
    let file = File::open(path).map_err(|error| TrainError::file(path, error))?;
    let mut text = String::new();
    let packed = path.extension().is_some_and(|extension| extension == "gz");
    let mut reader: Box<dyn Read> = if packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let read = reader.by_ref().take(MOST).read_to_string(&mut text);
    read.map_err(|error| TrainError::file(path, error))?;
    if text.len() as u64 >= MOST {
        return Err(TrainError::file(path, "it is larger than 2 GiB unpacked; split it"));
    }
    if let Some(rest) = text.strip_prefix('\u{feff}') {
        text = rest.to_owned();
    }
    Ok(text)
}

/// Files of a folder and of those in it, in the order of their names, with the name without `.gz`.
pub(crate) fn list(folder: &Path) -> Result<Vec<(String, PathBuf)>, TrainError> {
    let mut files = Vec::new();
    let mut open = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = open.pop() {
        let entries = std::fs::read_dir(&folder).map_err(|error| TrainError::file(&folder, error))?;
        for entry in entries {
            let entry = entry.map_err(|error| TrainError::file(&folder, error))?;
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_file() {
                files.push((name.strip_suffix(".gz").unwrap_or(&name).to_owned(), path));
            } else if path.is_dir() && depth < DEPTH {
                open.push((path, depth + 1));
            }
        }
    }
    files.sort();
    Ok(files)
}

/// A number of a text file; an empty field, `NaN` and `NA` are absent.
pub(crate) fn number(field: &str, path: &Path, line: usize) -> Result<f64, TrainError> {
    let field = field.trim().trim_matches('"');
    if field.is_empty() || field.eq_ignore_ascii_case("nan") || field.eq_ignore_ascii_case("na") {
        return Ok(f64::NAN);
    }
    field.parse().map_err(|_| TrainError::file(path, format!("line {}: {field} is not a number", line + 1)))
}
