//! Device identities, their keys, twins and sessions: one file per device, replaced whole at every change.

mod device;
mod policies;
mod store;
mod twin;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::Utc;
use serde_json::{Map, Value};

pub use device::{Authentication, Device, DeviceSpec, Status, SymmetricKey};
pub use policies::{Policy, Right};
pub use twin::{Section, Twin};

use crate::error::HubError;
use device::valid_id;
use store::{Entry, Store};

/// The hub's devices; cheap to clone.
#[derive(Debug, Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    policies: Vec<Policy>,
    entries: Mutex<BTreeMap<String, Entry>>,
}

/// When a device was last heard of: microseconds since 1970, 0 for never since the hub started.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    last_us: AtomicI64,
    state_changed_us: AtomicI64,
}

impl Activity {
    pub(crate) fn heard(&self) {
        self.last_us.store(Utc::now().timestamp_micros(), Ordering::Relaxed);
    }

    pub(crate) fn connection_changed(&self) {
        self.heard();
        self.state_changed_us.store(Utc::now().timestamp_micros(), Ordering::Relaxed);
    }

    pub(crate) fn last_us(&self) -> i64 {
        self.last_us.load(Ordering::Relaxed)
    }

    pub(crate) fn state_changed_us(&self) -> i64 {
        self.state_changed_us.load(Ordering::Relaxed)
    }
}

/// A change of desired properties, to be told to the device.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DesiredChange {
    pub(crate) patch: Map<String, Value>,
    pub(crate) version: u64,
}

impl Registry {
    pub(crate) fn open(folder: &Path) -> Result<Self, HubError> {
        let store = Store::open(folder)?;
        let policies = store.policies()?;
        let entries = store.load()?;
        Ok(Self { inner: Arc::new(Inner { store, policies, entries: Mutex::new(entries) }) })
    }

    /// Registers a device with generated keys. Fails if it exists.
    pub fn create(&self, device_id: &str) -> Result<Device, HubError> {
        self.put(device_id, DeviceSpec::default(), None)
    }

    /// The device if it exists, else a new one with generated keys.
    pub fn ensure(&self, device_id: &str) -> Result<Device, HubError> {
        match self.get(device_id) {
            Some(device) => Ok(device),
            None => self.create(device_id),
        }
    }

    /// A device's identity.
    pub fn get(&self, device_id: &str) -> Option<Device> {
        self.entries().get(device_id).map(|entry| entry.record.device.clone())
    }

    /// All identities, by id.
    pub fn list(&self) -> Vec<Device> {
        self.entries().values().map(|entry| entry.record.device.clone()).collect()
    }

    /// Up to `max` devices with their twins, by id, after the one named.
    pub fn page(&self, after: Option<&str>, max: usize) -> Vec<(Device, Twin)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let range = (after.map_or(Unbounded, Excluded), Unbounded);
        let entries = self.entries();
        let pairs = entries.range::<str, _>(range).take(max);
        pairs.map(|(_, entry)| (entry.record.device.clone(), entry.record.twin.clone())).collect()
    }

    /// Creates a device, or with an entity tag (`*` for any) replaces its settings. Keys not given stay, or are made.
    pub fn put(&self, device_id: &str, spec: DeviceSpec, if_match: Option<&str>) -> Result<Device, HubError> {
        if !valid_id(device_id) {
            return Err(HubError::DeviceId(device_id.to_owned()));
        }
        let mut entries = self.entries();
        let existing = entries.get(device_id);
        let mut entry = match (existing, if_match) {
            (Some(_), None) => return Err(HubError::DeviceExists(device_id.to_owned())),
            (None, Some(_)) => return Err(HubError::DeviceNotFound(device_id.to_owned())),
            (Some(entry), Some(tag)) => {
                check_tag(tag, &entry.record.device.etag)?;
                entry.clone()
            }
            (None, None) => Entry::new(Device::new(device_id)),
        };
        entry.record.device.apply(spec)?;
        self.inner.store.save(&entry.record)?;
        let device = entry.record.device.clone();
        entries.insert(device_id.to_owned(), entry);
        Ok(device)
    }

    /// Removes a device and its twin.
    pub fn delete(&self, device_id: &str, if_match: Option<&str>) -> Result<(), HubError> {
        let mut entries = self.entries();
        let entry = entries.get(device_id).ok_or_else(|| HubError::DeviceNotFound(device_id.to_owned()))?;
        check_tag(if_match.unwrap_or("*"), &entry.record.device.etag)?;
        self.inner.store.remove(device_id)?;
        entries.remove(device_id);
        Ok(())
    }

    /// A device's twin.
    pub fn twin(&self, device_id: &str) -> Option<Twin> {
        self.entries().get(device_id).map(|entry| entry.record.twin.clone())
    }

    /// The service's side of a twin: tags and desired properties, merged or replaced.
    pub(crate) fn change_twin(
        &self,
        device_id: &str,
        change: &Value,
        replace: bool,
        if_match: Option<&str>,
    ) -> Result<(Twin, Option<DesiredChange>), HubError> {
        self.change(device_id, |entry| {
            check_tag(if_match.unwrap_or("*"), &entry.record.twin.etag())?;
            let desired = entry.record.twin.apply(change, replace)?;
            Ok((entry.record.twin.clone(), desired))
        })
    }

    /// The device's side of a twin: merges reported properties, returns their new version.
    pub(crate) fn report(&self, device_id: &str, patch: &Value) -> Result<u64, HubError> {
        self.change(device_id, |entry| entry.record.twin.report(patch))
    }

    /// Notes the model a device announced when it connected.
    pub(crate) fn set_model(&self, device_id: &str, model: Option<&str>) -> Result<(), HubError> {
        let unchanged =
            self.entries().get(device_id).is_none_or(|entry| entry.record.twin.model_id.as_deref() == model);
        if unchanged {
            return Ok(());
        }
        self.change(device_id, |entry| {
            entry.record.twin.model_id = model.map(str::to_owned);
            Ok(())
        })
    }

    /// Topic filters of the device's persistent MQTT session; `None` if it has none.
    pub(crate) fn session(&self, device_id: &str) -> Option<Vec<String>> {
        self.entries().get(device_id)?.record.session.clone()
    }

    /// Keeps or drops (`None`) the device's persistent MQTT session.
    pub(crate) fn set_session(&self, device_id: &str, filters: Option<Vec<String>>) -> Result<(), HubError> {
        if self.session(device_id) == filters {
            return Ok(());
        }
        self.change(device_id, |entry| {
            entry.record.session = filters;
            Ok(())
        })
    }

    pub(crate) fn activity(&self, device_id: &str) -> Option<Arc<Activity>> {
        self.entries().get(device_id).map(|entry| Arc::clone(&entry.activity))
    }

    /// A shared access policy by name.
    pub fn policy(&self, name: &str) -> Option<&Policy> {
        self.inner.policies.iter().find(|policy| policy.name == name)
    }

    /// Changes a copy, stores it, and only then lets others see it.
    fn change<T>(
        &self,
        device_id: &str,
        change: impl FnOnce(&mut Entry) -> Result<T, HubError>,
    ) -> Result<T, HubError> {
        let mut entries = self.entries();
        let slot =
            entries.get_mut(device_id).ok_or_else(|| HubError::DeviceNotFound(device_id.to_owned()))?;
        let mut entry = slot.clone();
        let outcome = change(&mut entry)?;
        self.inner.store.save(&entry.record)?;
        *slot = entry;
        Ok(outcome)
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.inner.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `If-Match` as HTTP has it: `*`, or the tag with or without quotes (some SDKs quote even the star).
fn check_tag(if_match: &str, etag: &str) -> Result<(), HubError> {
    let wanted = if_match.trim().trim_start_matches("W/").trim_matches('"');
    if wanted == "*" || wanted == etag { Ok(()) } else { Err(HubError::EntityTag) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn devices_survive_a_restart_with_their_keys_and_twins() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(folder.path()).unwrap();
        let device = registry.create("pump 01".replace(' ', "#").as_str()).unwrap();
        registry.change_twin("pump#01", &json!({"tags": {"hall": 3}}), false, None).unwrap();
        registry.report("pump#01", &json!({"firmware": "1.2"})).unwrap();
        let owner = registry.policy("iothubowner").cloned();
        drop(registry);

        let registry = Registry::open(folder.path()).unwrap();
        assert_eq!(registry.get("pump#01"), Some(device));
        let twin = registry.twin("pump#01").unwrap();
        assert_eq!(twin.tags["hall"], 3);
        assert_eq!(twin.reported.values["firmware"], "1.2");
        assert_eq!(registry.policy("iothubowner").cloned(), owner);
    }

    #[test]
    fn entity_tags_guard_updates_and_deletes() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(folder.path()).unwrap();
        let first = registry.create("d1").unwrap();
        assert!(matches!(registry.create("d1"), Err(HubError::DeviceExists(_))));
        let spec = DeviceSpec { status: Some(Status::Disabled), ..DeviceSpec::default() };
        let second = registry.put("d1", spec.clone(), Some(&format!("\"{}\"", first.etag))).unwrap();
        assert_ne!(first.etag, second.etag);
        assert_eq!(first.authentication, second.authentication, "keys not given stay");
        assert!(matches!(registry.put("d1", spec.clone(), Some(&first.etag)), Err(HubError::EntityTag)));
        assert!(matches!(registry.put("d2", spec, Some("*")), Err(HubError::DeviceNotFound(_))));
        registry.delete("d1", Some("\"*\"")).unwrap();
        assert!(registry.list().is_empty());
        assert!(matches!(registry.delete("d1", None), Err(HubError::DeviceNotFound(_))));
    }

    #[test]
    fn ids_the_service_refuses_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(folder.path()).unwrap();
        let long = "x".repeat(129);
        for id in ["", "a/b", "a b", "ä", long.as_str()] {
            assert!(matches!(registry.create(id), Err(HubError::DeviceId(_))), "{id:?}");
        }
        registry.create("robotic-arm-001").unwrap();
    }
}
