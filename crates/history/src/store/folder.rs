//! Objects as files. A file is written and synced beside its final name as `<name>#<number>` and then linked, so a crash
//! leaves at most such a file behind; it is never listed, and swept when it is old.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use object_store::local::LocalFileSystem;

#[cfg(target_os = "linux")]
use super::Created;
use super::{Kind, Near, Store};
use crate::StoreError;

/// No write takes so long: an older half-written file belongs to a process that is gone.
const STALE_AFTER: Duration = Duration::from_secs(600);
/// Files from here on are written past the system's cache, bytes.
#[cfg(target_os = "linux")]
const LARGE: usize = 1 << 20;
/// Bound of one sweep.
const SWEEP_AT_MOST: usize = 1_000_000;

impl Store {
    /// Objects as files below a folder, which is made (for this user alone) if it is not there. Every write is synced
    /// to disk before it counts.
    ///
    /// # Errors
    /// [`StoreError`] when the folder cannot be made or opened.
    pub fn folder(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_folder(path.as_ref(), true)
    }

    /// Like [`Store::folder`] without the sync: a killed process loses nothing, a power cut may. For tests and benches.
    ///
    /// # Errors
    /// [`StoreError`] when the folder cannot be made or opened.
    pub fn folder_unsynced(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_folder(path.as_ref(), false)
    }

    fn open_folder(path: &Path, sync: bool) -> Result<Self, StoreError> {
        let text = path.display().to_string();
        make_private_folder(path).map_err(|source| failed(&text, source))?;
        let objects = LocalFileSystem::new_with_prefix(path)
            .map_err(|error| StoreError::from_object_store(&text, &error))?
            .with_fsync(sync);
        let root = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        // A large folder takes a while to walk, and nothing waits for the result.
        let swept = root.clone();
        let sweeper = std::thread::Builder::new().name("sweep-folder".to_owned());
        if let Err(error) = sweeper.spawn(move || sweep(&swept, STALE_AFTER)) {
            tracing::warn!(%error, "half-written files are not swept");
        }
        Ok(Self {
            objects: Arc::new(objects),
            kind: Kind::Folder,
            near: Some(Near { root, sync }),
            azure: None,
            listings: Arc::default(),
        })
    }
}

#[cfg(target_os = "linux")]
impl Store {
    /// Creates a large file past the system's cache; `None` where that is no gain, or not known here.
    pub(super) async fn create_direct(
        &self,
        path: &str,
        parts: &[Bytes],
    ) -> Result<Option<Created>, StoreError> {
        let Some(near) = &self.near else { return Ok(None) };
        if parts.iter().map(Bytes::len).sum::<usize>() < LARGE {
            return Ok(None);
        }
        let full = near.root.join(super::parse(path)?.as_ref());
        let (parts, sync) = (parts.to_vec(), near.sync);
        let created = tokio::task::spawn_blocking(move || super::direct::create(&full, &parts, sync)).await;
        match created {
            Ok(Ok(created)) => Ok(created),
            Ok(Err(source)) => Err(failed(path, source)),
            Err(error) => Err(StoreError::Unavailable { path: path.to_owned(), cause: error.to_string() }),
        }
    }
}

fn failed(path: &str, source: std::io::Error) -> StoreError {
    let error = object_store::Error::Generic { store: "folder", source: Box::new(source) };
    StoreError::from_object_store(path, &error)
}

#[cfg(unix)]
fn make_private_folder(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn make_private_folder(path: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(path)
}

/// Readable by this user alone, as far as the file system can; the folder around it is private from the start.
pub(super) fn restrict_file(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let _best_effort = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600));
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// The bytes of a file, or `None` where there is none. It is not expected to be read again soon.
pub(super) fn read_once(root: &Path, path: &str) -> Result<Option<Bytes>, StoreError> {
    let failed = |source| failed(path, source);
    let file = match File::open(root.join(path)) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let size = file.metadata().map_err(failed)?.len();
    super::check_size(path, size)?;
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
    // One more byte than there is: a file's own `read_to_end` would ask for its size once more.
    (&file).take(size.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    forget(&file);
    Ok(Some(bytes.into()))
}

/// Lets the system use the memory that it keeps the file in for something else: gigabytes that pass through once would
/// push out what is asked for.
fn forget(file: &File) {
    #[cfg(target_os = "linux")]
    let _best_effort =
        nix::fcntl::posix_fadvise(file, 0, 0, nix::fcntl::PosixFadviseAdvice::POSIX_FADV_DONTNEED);
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}

/// Removes half-written files older than `age`; says how many.
fn sweep(root: &Path, age: Duration) -> usize {
    let Some(before) = SystemTime::now().checked_sub(age) else { return 0 };
    let (mut folders, mut seen, mut removed) = (vec![root.to_owned()], 0, 0);
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            seen += 1;
            if seen > SWEEP_AT_MOST {
                return removed;
            }
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() && is_half_written(&entry.file_name().to_string_lossy()) {
                let old = entry.metadata().and_then(|meta| meta.modified()).is_ok_and(|at| at < before);
                if old && std::fs::remove_file(entry.path()).is_ok() {
                    removed += 1;
                }
            }
        }
    }
    removed
}

pub(super) fn is_half_written(name: &str) -> bool {
    name.split_once('#')
        .is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn half_written_files_are_invisible_and_swept_when_old() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::folder(folder.path().join("data")).unwrap();
        store.create("a/one.json", Bytes::from_static(b"1")).await.unwrap();
        let left_behind = folder.path().join("data/a/two.json#1");
        std::fs::write(&left_behind, b"torn").unwrap();
        let listed = store.list("a", None, 10).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(store.paths("a").await.unwrap(), ["a/one.json"]);
        assert_eq!(store.folders("").await.unwrap(), ["a"]);
        assert!(store.paths("nothing").await.unwrap().is_empty());
        assert_eq!(store.read("a/two.json").await.unwrap(), None);
        assert_eq!(store.read_near("a/two.json").unwrap(), None);
        assert_eq!(store.read_near("a/one.json").unwrap(), store.read("a/one.json").await.unwrap());
        assert!(store.read_near("a").is_err() && store.read_near("../a/one.json").is_err());
        assert_eq!(sweep(folder.path(), Duration::from_secs(600)), 0, "it may be of a living writer");
        assert_eq!(sweep(folder.path(), Duration::ZERO), 1);
        assert!(!left_behind.exists());
        assert!(store.read("a/one.json").await.unwrap().is_some());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn files_and_the_folder_are_private() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("data");
        let store = Store::folder_unsynced(&root).unwrap();
        store.create("a/one.json", Bytes::from_static(b"1")).await.unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&root), mode(&root.join("a/one.json"))), (0o700, 0o600));
    }

    #[tokio::test]
    async fn a_file_where_a_folder_must_be_is_a_clear_error() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::folder_unsynced(folder.path()).unwrap();
        std::fs::write(folder.path().join("a"), b"in the way").unwrap();
        let error = store.create("a/one.json", Bytes::from_static(b"1")).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
        assert!(Store::folder(folder.path().join("a/b")).is_err());
    }
}
