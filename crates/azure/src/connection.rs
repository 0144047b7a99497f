//! IoT Hub connection strings and shared access signatures (IoT Hub documentation, "Control access to IoT Hub using
//! shared access signatures").

use std::{fmt, time::SystemTime};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::{Error, encode::percent, secret::Secret};

const KEYS: [&str; 6] =
    ["HostName", "SharedAccessKeyName", "SharedAccessKey", "DeviceId", "ModuleId", "GatewayHostName"];
const SUBJECT: &str = "the connection string";

/// Whom a connection string speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Party {
    /// A policy of the hub, such as `service`: `SharedAccessKeyName=…`.
    Policy(String),
    /// A device, or a module of one: `DeviceId=…`, `ModuleId=…`.
    Device {
        /// Device id.
        device: String,
        /// Module id.
        module: Option<String>,
    },
}

/// A checked connection string. Its key never shows.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectionString {
    /// Host name of the hub, with the port if the string has one.
    pub host: String,
    /// Host to connect to instead, if the string names one.
    pub gateway: Option<String>,
    /// Whom it speaks for.
    pub party: Party,
    key: Secret,
}

impl ConnectionString {
    /// Parses `HostName=…;SharedAccessKeyName=…;SharedAccessKey=…` or its device form. Unknown keys are refused.
    ///
    /// # Errors
    /// [`Error::Settings`], which names the fault and never a value.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let fault = |problem: String| Error::settings(SUBJECT, problem);
        let mut values: [Option<&str>; KEYS.len()] = [None; KEYS.len()];
        for (index, part) in text.trim().trim_end_matches(';').split(';').enumerate() {
            let Some((name, value)) = part.split_once('=') else {
                return Err(fault(format!(
                    "part {} has no \"=\"; write it as HostName=…;SharedAccessKey=…",
                    index + 1
                )));
            };
            let Some(at) = KEYS.iter().position(|key| *key == name) else { return Err(fault(unknown(name))) };
            if value.is_empty() {
                return Err(fault(format!("{name} has no value")));
            }
            if values[at].replace(value).is_some() {
                return Err(fault(format!("{name} is there twice")));
            }
        }
        let [host, policy, key, device, module, gateway] = values;
        let host = host.ok_or_else(|| fault("HostName is missing".into()))?;
        for name in [Some(host), gateway].into_iter().flatten() {
            if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte)) {
                return Err(fault(
                    "a host name holds a character that no host name can; leave out https:// and paths"
                        .into(),
                ));
            }
        }
        let key = key.ok_or_else(|| fault("SharedAccessKey is missing".into()))?;
        if STANDARD.decode(key).is_err() {
            return Err(fault(
                "SharedAccessKey is not base64; copy it again, with its \"=\" at the end".into(),
            ));
        }
        let party = match (policy, device, module) {
            (Some(policy), None, None) => Party::Policy(policy.to_owned()),
            (None, Some(device), module) => {
                Party::Device { device: device.to_owned(), module: module.map(str::to_owned) }
            }
            (Some(_), _, _) => return Err(fault("it names a policy and a device; leave one out".into())),
            (None, None, _) => {
                return Err(fault(
                    "SharedAccessKeyName (for the service) or DeviceId (for a device) is missing".into(),
                ));
            }
        };
        Ok(Self { host: host.to_owned(), gateway: gateway.map(str::to_owned), party, key: Secret::new(key) })
    }

    /// Address of the hub's REST service.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("https://{}", self.host)
    }

    /// Makes a shared access signature that ends at `expiry` (whole seconds).
    #[must_use]
    pub fn signature(&self, expiry: SystemTime) -> Secret {
        let expiry = expiry.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let resource = percent(&match &self.party {
            Party::Policy(_) => self.host.clone(),
            Party::Device { device, module: None } => format!("{}/devices/{device}", self.host),
            Party::Device { device, module: Some(module) } => {
                format!("{}/devices/{device}/modules/{module}", self.host)
            }
        });
        // `parse` has checked the key.
        let key = STANDARD.decode(self.key.reveal()).unwrap_or_default();
        let digest = STANDARD.encode(hmac_sha256(&key, &[format!("{resource}\n{expiry}").as_bytes()]));
        let mut token = format!("SharedAccessSignature sr={resource}&sig={}&se={expiry}", percent(&digest));
        if let Party::Policy(name) = &self.party {
            token.push_str("&skn=");
            token.push_str(&percent(name));
        }
        Secret::new(token)
    }
}

impl fmt::Debug for ConnectionString {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ConnectionString")
            .field("host", &self.host)
            .field("gateway", &self.gateway)
            .field("party", &self.party)
            .finish_non_exhaustive()
    }
}

pub(crate) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    mac(key, parts).finalize().into_bytes().to_vec()
}

/// The computation before its end, so that a receiver can compare in constant time.
pub(crate) fn mac(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    // HMAC hashes long keys and pads short ones: there is no key length it refuses (RFC 2104).
    let mut mac = match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mac) => mac,
        Err(_) => unreachable!("HMAC takes keys of any length"),
    };
    for part in parts {
        mac.update(part);
    }
    mac
}

fn unknown(name: &str) -> String {
    // A long "name" is more likely a key that lost its label: it is not repeated.
    if name.len() > 32 {
        return "one part has an unknown key".to_owned();
    }
    let near = KEYS
        .iter()
        .map(|key| (strsim::damerau_levenshtein(&key.to_lowercase(), &name.to_lowercase()), key))
        .min();
    match near {
        Some((distance, key)) if distance <= 5 => format!("unknown key \"{name}\"; did you mean {key}?"),
        _ => format!("unknown key \"{name}\"; the keys are {}", KEYS.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn signatures_equal_those_made_elsewhere() {
        let service = ConnectionString::parse(&format!(
            "HostName=localhost:8443;SharedAccessKeyName=service;SharedAccessKey={KEY}\n"
        ))
        .expect("service");
        assert_eq!(
            service.signature(at(1_700_003_600)).reveal(),
            "SharedAccessSignature sr=localhost%3A8443&sig=K91PuPFLwwjvmVN226YrgyZ5co8ujwurGoVO7itB9I4%3D&se=1700003600&skn=service"
        );
        assert_eq!(service.endpoint(), "https://localhost:8443");
        let device = ConnectionString::parse(&format!(
            "HostName=localhost:8883;DeviceId=pump 1;SharedAccessKey={KEY}"
        ))
        .expect("device");
        assert_eq!(
            device.signature(at(1_700_003_600)).reveal(),
            "SharedAccessSignature sr=localhost%3A8883%2Fdevices%2Fpump%201&sig=VrLTL9LTipIBOSvqHwPWbX6MG4R21qNSztO78K0vIB4%3D&se=1700003600"
        );
    }

    #[test]
    fn faults_are_named_and_keys_never_shown() {
        for (text, expected) in [
            (format!("HostNam=a;SharedAccessKey={KEY}"), "did you mean HostName?"),
            (format!("hostname=a;SharedAccessKey={KEY}"), "did you mean HostName?"),
            (format!("HostName=a;AccountKey={KEY};x=y"), "unknown key \"AccountKey\""),
            (format!("HostName=a;{KEY}"), "unknown key"),
            (format!("HostName=a;DeviceId=d;SharedAccessKey=x{KEY}"), "not base64"),
            (format!("HostName=a;HostName=b;DeviceId=d;SharedAccessKey={KEY}"), "HostName is there twice"),
            (format!("HostName=https://a;DeviceId=d;SharedAccessKey={KEY}"), "leave out https://"),
            (format!("HostName=a;SharedAccessKey={KEY}"), "DeviceId (for a device) is missing"),
            (
                format!("HostName=a;SharedAccessKeyName=p;DeviceId=d;SharedAccessKey={KEY}"),
                "a policy and a device",
            ),
            (format!("SharedAccessKeyName=p;SharedAccessKey={KEY}"), "HostName is missing"),
            ("HostName=a;DeviceId=d".into(), "SharedAccessKey is missing"),
            ("HostName=a;DeviceId=;SharedAccessKey=".into(), "DeviceId has no value"),
            (String::new(), "has no \"=\""),
        ] {
            let error = ConnectionString::parse(&text).expect_err(&text).to_string();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(!error.contains(&KEY[..20]), "{error}");
        }
    }

    #[test]
    fn debug_output_holds_no_key() {
        let text = format!("HostName=a;SharedAccessKeyName=p;SharedAccessKey={KEY}");
        let connection = ConnectionString::parse(&text).expect("parses");
        let shown = format!("{connection:?} {:?}", connection.signature(at(5)));
        assert!(!shown.contains(&KEY[..12]) && !shown.contains("sig="), "{shown}");
    }
}
