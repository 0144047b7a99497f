//! What folders hold, remembered until they change: a query asks for the names of all segments that wait, and nearly all
//! of their folders are of hours that are over.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::folder::is_half_written;
use crate::StoreError;

/// A folder that changed within this time may change again without its time telling: clocks of file systems tick, the
/// coarsest every two seconds. It is read each time.
const UNSETTLED: Duration = Duration::from_secs(10);
/// Names that are remembered.
const MOST: usize = 1 << 20;

/// What a folder has directly below it: full paths from the root.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) folders: Vec<String>,
    pub(super) files: Vec<String>,
}

/// By folder, with the time of its last change.
#[derive(Debug, Default)]
pub(super) struct Listings {
    known: Mutex<HashMap<String, (SystemTime, Arc<Listing>)>>,
}

impl Listings {
    /// All files below a folder, in the folders that are wanted.
    pub(super) fn walk(
        &self,
        root: &Path,
        folder: &str,
        is_wanted: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<String>, StoreError> {
        let (mut found, mut open) = (Vec::new(), vec![self.of(root, folder)?]);
        while let Some(listing) = open.pop() {
            found.extend_from_slice(&listing.files);
            for folder in listing.folders.iter().filter(|folder| is_wanted(folder)) {
                open.push(self.of(root, folder)?);
            }
        }
        Ok(found)
    }

    /// What is in a folder; nothing where it is not there.
    pub(super) fn of(&self, root: &Path, folder: &str) -> Result<Arc<Listing>, StoreError> {
        let failed = |error: std::io::Error| {
            let error = object_store::Error::Generic { store: "folder", source: Box::new(error) };
            StoreError::from_object_store(folder, &error)
        };
        let path = root.join(folder);
        let changed = match path.metadata().and_then(|metadata| metadata.modified()) {
            Ok(changed) => changed,
            // It was just swept, or never there.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Arc::default()),
            Err(error) => return Err(failed(error)),
        };
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, listing)) = known().get(folder).filter(|(then, _)| *then == changed) {
            return Ok(Arc::clone(listing));
        }
        let settled = SystemTime::now().duration_since(changed).is_ok_and(|age| age > UNSETTLED);
        let listing = match read(&path, folder) {
            Ok(listing) => Arc::new(listing),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Arc::default()),
            Err(error) => return Err(failed(error)),
        };
        // Settled by the time from before: what came while it was read gives it a later one.
        if settled {
            let mut known = known();
            let names: usize = known.values().map(|(_, listing)| listing.files.len() + 1).sum();
            if names > MOST {
                known.clear();
            }
            known.insert(folder.to_owned(), (changed, Arc::clone(&listing)));
        }
        Ok(listing)
    }
}

fn read(path: &Path, folder: &str) -> std::io::Result<Listing> {
    let mut listing = Listing::default();
    for entry in path.read_dir()? {
        let entry = entry?;
        let name = entry.file_name();
        let (Some(name), Ok(kind)) = (name.to_str(), entry.file_type()) else { continue };
        let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        if kind.is_dir() {
            listing.folders.push(path);
        } else if kind.is_file() && !is_half_written(name) {
            listing.files.push(path);
        }
    }
    listing.folders.sort_unstable();
    Ok(listing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Sets a folder's time back, as if all that is in it had come long ago.
    fn settle(folder: &Path, seconds_ago: u64) {
        let then = SystemTime::now() - Duration::from_secs(seconds_ago);
        fs::File::open(folder).unwrap().set_modified(then).unwrap();
    }

    #[test]
    fn what_changes_is_seen_and_what_is_settled_is_remembered() {
        let root = tempfile::tempdir().unwrap();
        let hour = root.path().join("date/hour");
        fs::create_dir_all(&hour).unwrap();
        let listings = Listings::default();
        let walk = || {
            let mut found = listings.walk(root.path(), "date", &|_| true).unwrap();
            found.sort_unstable();
            found
        };
        // A folder of now is read each time, whatever its clock says.
        for name in ["a", "b", "c"] {
            fs::write(hour.join(name), b"").unwrap();
            assert_eq!(walk().last().unwrap(), &format!("date/hour/{name}"));
        }
        assert!(listings.known.lock().unwrap().is_empty());
        settle(&hour, 60);
        assert_eq!(walk().len(), 3);
        assert!(listings.known.lock().unwrap().contains_key("date/hour"));
        // Remembered: a change that leaves the time as it was would not be seen.
        fs::write(hour.join("hidden"), b"").unwrap();
        settle(&hour, 60);
        let remembered = listings.known.lock().unwrap()["date/hour"].0;
        fs::File::open(&hour).unwrap().set_modified(remembered).unwrap();
        assert_eq!(walk().len(), 3);
        // Any real change is.
        fs::write(hour.join("late"), b"").unwrap();
        assert_eq!(walk().len(), 5);
        fs::remove_dir_all(&hour).unwrap();
        assert!(walk().is_empty());
    }
}
