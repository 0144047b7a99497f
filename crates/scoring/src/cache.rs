//! Compiled scorers on disk, so that a start takes milliseconds.
//!
//! A compiled component is machine code, and the engine cannot tell good from tampered. So each file carries a
//! MAC by a key that lies beside it, readable by this user only; a file without a right MAC is compiled anew.
//! Files are named by the component's hash and everything that compiled code depends on.

use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use wasmtime::Engine;
use wasmtime::component::Component;

const KEY_FILE: &str = "key";
const KEY_BYTES: usize = 32;
const MAC_BYTES: usize = 32;
/// Compiled scorers that are kept; the oldest go first.
const KEPT: usize = 64;
/// No compiled scorer is larger; a file that claims to be is not read into memory.
const LARGEST: u64 = 512 << 20;

pub(crate) struct Cache {
    folder: PathBuf,
    key: [u8; KEY_BYTES],
    /// What compiled code depends on beside the component.
    engine: String,
}

impl Cache {
    pub(crate) fn open(folder: &Path, engine: &Engine) -> io::Result<Self> {
        private_folder(folder)?;
        let mut hasher = DefaultHasher::new();
        // Covers the engine's version, its settings and the processor's features.
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self {
            folder: folder.to_owned(),
            key: read_or_make_key(&folder.join(KEY_FILE))?,
            engine: format!("{:016x}", hasher.finish()),
        })
    }

    fn name(&self, sha256: &str) -> String {
        format!("{sha256}-{}.cwasm", self.engine)
    }

    pub(crate) fn path(&self, sha256: &str) -> PathBuf {
        self.folder.join(self.name(sha256))
    }

    fn mac(&self, name: &str, code: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        // The name is under the MAC, so that one scorer's code cannot be passed off as another's.
        mac.update(name.as_bytes());
        mac.update(&[0]);
        mac.update(code);
        Some(mac)
    }

    /// The compiled component, if it is there and is ours.
    pub(crate) fn read(&self, sha256: &str, engine: &Engine) -> Option<Component> {
        let name = self.name(sha256);
        let file = File::open(self.folder.join(&name)).ok()?;
        let mut bytes = Vec::new();
        file.take(LARGEST).read_to_end(&mut bytes).ok()?;
        let (mac, code) = bytes.split_at_checked(MAC_BYTES)?;
        if self.mac(&name, code)?.verify_slice(mac).is_err() {
            tracing::warn!(name, "a compiled scorer was changed by someone else; it is compiled anew");
            return None;
        }
        trusted(engine, code)
            .inspect_err(
                |error| tracing::warn!(name, %error, "a compiled scorer does not fit; it is compiled anew"),
            )
            .ok()
    }

    /// Keeps a compiled component; the file appears whole or not at all.
    pub(crate) fn write(&self, sha256: &str, code: &[u8]) -> io::Result<()> {
        let name = self.name(sha256);
        let mac = self.mac(&name, code).ok_or_else(|| io::Error::other("the key is unusable"))?;
        let temporary = self.folder.join(format!("{name}.{:016x}.new", rand::random::<u64>()));
        let written = (|| {
            let mut file = private_file(&temporary)?;
            file.write_all(&mac.finalize().into_bytes())?;
            file.write_all(code)?;
            file.sync_all()?;
            fs::rename(&temporary, self.folder.join(&name))
        })();
        if written.is_err() {
            fs::remove_file(&temporary).ok();
        }
        self.sweep();
        written
    }

    /// Removes the oldest files above the number that is kept; a failure costs space only.
    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let mut files: Vec<(SystemTime, PathBuf)> = entries
            .flatten()
            .filter(|entry| entry.file_name() != KEY_FILE)
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        files.sort();
        for (_, path) in files.iter().take(files.len().saturating_sub(KEPT)) {
            fs::remove_file(path).ok();
        }
    }
}

/// Loads machine code that this deployment compiled.
#[allow(unsafe_code)]
pub(crate) fn trusted(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `deserialize` asks that the bytes come from `Component::serialize` of a compatible engine and were
    // not changed since. There are two callers. `Cache::read` has just verified a MAC over exactly these bytes, held in
    // memory (so nothing can change between check and use), by a random key that only this user can read and that
    // signs nothing but the output of `serialize`. `loaded::compile` has just received them over a pipe from a child
    // process of this very program, whose only output is that of `serialize`. Compatibility (version, settings, processor) is part of the name
    // under the MAC, and the engine checks it again.
    unsafe { Component::deserialize(engine, code) }
}

fn read_or_make_key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    match private_file(path) {
        Ok(mut file) => {
            let key: [u8; KEY_BYTES] = rand::random();
            file.write_all(&key)?;
            file.sync_all()?;
            Ok(key)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            refuse_public(path)?;
            let mut key = [0; KEY_BYTES];
            // Another process may have created it and not written it yet: then this one does without a cache.
            File::open(path)?.read_exact(&mut key)?;
            Ok(key)
        }
        Err(error) => Err(error),
    }
}

fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// A key that others can read or write signs nothing.
fn refuse_public(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if std::os::unix::fs::MetadataExt::mode(&fs::metadata(path)?) & 0o077 != 0 {
        return Err(io::Error::other(format!(
            "{} is open to other users; remove the folder, it is made anew",
            path.display()
        )));
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}
