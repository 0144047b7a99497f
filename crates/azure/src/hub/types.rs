use serde::Deserialize;
use serde_json::Value;

use crate::secret::Secret;

/// A device identity as the hub stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Device id.
    pub id: String,
    /// Changes when a device is deleted and created again under the same id.
    pub generation: String,
    /// Entity tag.
    pub etag: String,
    /// Whether the device may connect.
    pub enabled: bool,
    /// Whether the hub believes it connected. Up to five minutes stale on Azure: for people, not for decisions.
    pub connected: bool,
    /// Its primary key, when it signs in with keys.
    pub primary_key: Option<Secret>,
    /// Its secondary key.
    pub secondary_key: Option<Secret>,
}

/// What a new device identity is to be.
#[derive(Debug, Clone)]
pub struct NewDevice {
    /// Device id: up to 128 letters, digits and `-:.+%_#*?!(),=@;$'`.
    pub id: String,
    /// Whether it may connect.
    pub enabled: bool,
    /// Primary and secondary key, base64; the hub makes them when there are none.
    pub keys: Option<(Secret, Secret)>,
}

/// How a direct method ended.
#[derive(Debug, Clone, PartialEq)]
pub enum MethodOutcome {
    /// The device answered.
    Answered {
        /// The device's own status.
        status: i64,
        /// The device's own payload.
        payload: Value,
    },
    /// The device was not connected, or does not take methods.
    NotOnline,
    /// No answer in time, or the connection was lost: the method may have run.
    TimedOut,
    /// There is no such device.
    NotFound,
    /// The hub failed or refused, or could not be reached.
    Failed {
        /// HTTP status; 0 when no answer came.
        status: u16,
        /// The hub's code, perhaps empty.
        code: String,
        /// Why, and after how many attempts.
        message: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeviceBody {
    device_id: String,
    #[serde(default)]
    generation_id: String,
    #[serde(default)]
    etag: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    connection_state: String,
    authentication: Option<Authentication>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Authentication {
    symmetric_key: Option<SymmetricKey>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SymmetricKey {
    primary_key: Option<String>,
    secondary_key: Option<String>,
}

impl From<DeviceBody> for Device {
    fn from(body: DeviceBody) -> Self {
        let keys = body.authentication.and_then(|authentication| authentication.symmetric_key);
        let (primary, secondary) = keys.map_or((None, None), |keys| (keys.primary_key, keys.secondary_key));
        Self {
            id: body.device_id,
            generation: body.generation_id,
            etag: body.etag,
            enabled: body.status == "enabled",
            connected: body.connection_state == "Connected",
            primary_key: primary.map(Secret::new),
            secondary_key: secondary.map(Secret::new),
        }
    }
}
