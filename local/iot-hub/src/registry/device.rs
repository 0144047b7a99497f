//! A device identity, in the shape of the registry's REST API.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use rand::RngCore;
use serde::{Deserialize, Serialize};

use crate::error::HubError;

/// An identity as stored; the REST API adds what is only known while the hub runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// Case-sensitive id.
    pub device_id: String,
    /// Tells a device from an earlier one of the same id: 18 digits.
    pub generation_id: String,
    /// Changes with every change of the identity.
    pub etag: String,
    /// Whether it may connect.
    pub status: Status,
    /// Free text.
    pub status_reason: Option<String>,
    /// ISO 8601.
    pub status_updated_time: String,
    /// How it proves who it is.
    pub authentication: Authentication,
    #[serde(default)]
    pub(crate) revision: u64,
}

/// Whether a device may connect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// It may.
    #[default]
    Enabled,
    /// It may not; an open connection is closed.
    Disabled,
}

/// How a device proves who it is; the local hub knows symmetric keys only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Authentication {
    /// The two keys, either of which will do.
    pub symmetric_key: SymmetricKey,
}

/// Two keys, so that one can be replaced while the other is in use. Base64 of 16 to 64 bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SymmetricKey {
    /// The key in connection strings.
    pub primary_key: String,
    /// The other key.
    pub secondary_key: String,
}

/// What a caller may set on a device; what is `None` stays, or is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceSpec {
    /// Whether it may connect.
    pub status: Option<Status>,
    /// Free text, up to 128 characters.
    pub status_reason: Option<String>,
    /// Base64.
    pub primary_key: Option<String>,
    /// Base64.
    pub secondary_key: Option<String>,
}

impl Device {
    pub(super) fn new(device_id: &str) -> Self {
        let now = Utc::now();
        // Ticks of 100 ns since the year 1, as the service has it.
        let ticks = now.timestamp_micros() * 10 + 621_355_968_000_000_000;
        Self {
            device_id: device_id.to_owned(),
            generation_id: ticks.to_string(),
            etag: String::new(),
            status: Status::Enabled,
            status_reason: None,
            status_updated_time: "0001-01-01T00:00:00Z".to_owned(),
            authentication: Authentication {
                symmetric_key: SymmetricKey { primary_key: new_key(), secondary_key: new_key() },
            },
            revision: 0,
        }
    }

    pub(super) fn apply(&mut self, spec: DeviceSpec) -> Result<(), HubError> {
        let keys = &mut self.authentication.symmetric_key;
        for (given, slot) in
            [(spec.primary_key, &mut keys.primary_key), (spec.secondary_key, &mut keys.secondary_key)]
        {
            let Some(key) = given.filter(|key| !key.is_empty()) else { continue };
            if !STANDARD.decode(&key).is_ok_and(|bytes| (16..=64).contains(&bytes.len())) {
                return Err(HubError::Setting("a device key must be base64 of 16 to 64 bytes".to_owned()));
            }
            *slot = key;
        }
        if spec.status_reason.as_ref().is_some_and(|reason| reason.chars().count() > 128) {
            return Err(HubError::Setting("a status reason has at most 128 characters".to_owned()));
        }
        let status = spec.status.unwrap_or(self.status);
        if status != self.status {
            self.status_updated_time = crate::events::iso_time(Utc::now().timestamp_micros());
        }
        self.status = status;
        self.status_reason = spec.status_reason;
        self.revision += 1;
        self.etag = tag(self.revision ^ (rand::rng().next_u64() << 16));
        Ok(())
    }

    /// Both keys.
    pub(crate) fn keys(&self) -> [&str; 2] {
        let keys = &self.authentication.symmetric_key;
        [&keys.primary_key, &keys.secondary_key]
    }
}

/// A key of 64 random bytes.
pub(super) fn new_key() -> String {
    let mut bytes = [0; 64];
    rand::rng().fill_bytes(&mut bytes);
    STANDARD.encode(bytes)
}

/// An entity tag of a number.
pub(super) fn tag(number: u64) -> String {
    STANDARD.encode(number.to_be_bytes())
}

/// 1 to 128 of the characters the service allows.
pub(super) fn valid_id(id: &str) -> bool {
    (1..=128).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.+%_#*?!(),:=@$'".contains(&byte))
}
