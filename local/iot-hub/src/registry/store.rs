//! The files of the registry: `policies.json`, and `devices/<hash of the id>.json`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Activity;
use super::device::Device;
use super::policies::{self, Policy};
use super::twin::Twin;
use crate::error::HubError;
use crate::files;

/// What is stored of a device.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) device: Device,
    #[serde(default)]
    pub(super) twin: Twin,
    /// Topic filters of the persistent MQTT session: the SDKs rely on them to outlive a connection.
    #[serde(default)]
    pub(super) session: Option<Vec<String>>,
}

/// A device in memory.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) record: Record,
    pub(super) activity: Arc<Activity>,
}

impl Entry {
    pub(super) fn new(device: Device) -> Self {
        Self { record: Record { device, twin: Twin::default(), session: None }, activity: Arc::default() }
    }
}

/// The registry's folder.
#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
}

impl Store {
    pub(super) fn open(folder: &Path) -> Result<Self, HubError> {
        let devices = folder.join("devices");
        files::create_folder(&devices).map_err(HubError::file("create", &devices))?;
        Ok(Self { folder: folder.to_path_buf() })
    }

    /// The policies, made at the first start.
    pub(super) fn policies(&self) -> Result<Vec<Policy>, HubError> {
        let path = self.folder.join("policies.json");
        if path.exists() {
            return read_json(&path);
        }
        let policies = policies::defaults();
        write_json(&path, &policies)?;
        Ok(policies)
    }

    pub(super) fn load(&self) -> Result<BTreeMap<String, Entry>, HubError> {
        let devices = self.folder.join("devices");
        let mut entries = BTreeMap::new();
        for file in fs::read_dir(&devices).map_err(HubError::file("list", &devices))?.flatten() {
            let path = file.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("json") => {
                    let record: Record = read_json(&path)?;
                    let id = record.device.device_id.clone();
                    entries.insert(id, Entry { record, activity: Arc::default() });
                }
                // Left by a crash between write and rename.
                Some("tmp") => {
                    let _ = fs::remove_file(&path);
                }
                _ => {}
            }
        }
        Ok(entries)
    }

    pub(super) fn save(&self, record: &Record) -> Result<(), HubError> {
        write_json(&self.path(&record.device.device_id), record)
    }

    pub(super) fn remove(&self, device_id: &str) -> Result<(), HubError> {
        let path = self.path(device_id);
        fs::remove_file(&path).map_err(HubError::file("remove", path))
    }

    /// Ids differ in case and hold characters that file systems do not take, so the name is a hash.
    fn path(&self, device_id: &str) -> PathBuf {
        let mut name = String::with_capacity(40);
        for byte in Sha256::digest(device_id).iter().take(16) {
            let _ = write!(name, "{byte:02x}");
        }
        self.folder.join("devices").join(name + ".json")
    }
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, HubError> {
    let text = fs::read(path).map_err(HubError::file("read", path))?;
    serde_json::from_slice(&text)
        .map_err(|error| HubError::Corrupt { path: path.to_path_buf(), reason: error.to_string() })
}

fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), HubError> {
    let text = serde_json::to_vec_pretty(value)
        .map_err(|error| HubError::Corrupt { path: path.to_path_buf(), reason: error.to_string() })?;
    files::write_private(path, &text).map_err(HubError::file("write", path))
}
