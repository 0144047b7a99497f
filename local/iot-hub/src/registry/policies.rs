//! Shared access policies: the five a hub is born with.

use serde::{Deserialize, Serialize};

use super::device::new_key;

/// What a policy permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Right {
    /// Read identities.
    RegistryRead,
    /// Create, change and remove identities.
    RegistryWrite,
    /// Twins, direct methods, reading events.
    ServiceConnect,
    /// Act for a device.
    DeviceConnect,
}

/// A named key with rights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// The `SharedAccessKeyName` of connection strings.
    pub name: String,
    /// Base64.
    pub primary_key: String,
    /// Base64.
    pub secondary_key: String,
    /// What it permits.
    pub rights: Vec<Right>,
}

impl Policy {
    /// Whether it permits this.
    pub fn permits(&self, right: Right) -> bool {
        self.rights.contains(&right)
    }
}

/// The default policies, with new keys.
pub(super) fn defaults() -> Vec<Policy> {
    use Right::{DeviceConnect, RegistryRead, RegistryWrite, ServiceConnect};
    let policies: [(&str, &[Right]); 5] = [
        ("iothubowner", &[RegistryRead, RegistryWrite, ServiceConnect, DeviceConnect]),
        ("service", &[ServiceConnect]),
        ("device", &[DeviceConnect]),
        ("registryRead", &[RegistryRead]),
        ("registryReadWrite", &[RegistryRead, RegistryWrite]),
    ];
    policies
        .into_iter()
        .map(|(name, rights)| Policy {
            name: name.to_owned(),
            primary_key: new_key(),
            secondary_key: new_key(),
            rights: rights.to_vec(),
        })
        .collect()
}
