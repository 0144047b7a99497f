//! Shared access signatures: made for connection strings and tests, checked for every connection and request.
//!
//! `SharedAccessSignature sr={resource}&sig={signature}&se={expiry}[&skn={policy}]`, fields in any order. The
//! signature covers the resource exactly as it stands encoded in the token, a line feed, and the expiry. See
//! "Control access to IoT Hub with shared access signatures".

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::percent;

/// A token's fields, parsed but not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SasToken {
    /// `sr` as received, still encoded: the text the signature covers.
    encoded_resource: String,
    /// `sr` decoded: host, then path segments.
    pub resource: String,
    /// `se` as received.
    expiry_text: String,
    /// `se` in seconds since 1970.
    pub expiry: u64,
    /// `skn`: the policy whose key signed, or none for a device's own key.
    pub policy: Option<String>,
    signature: Vec<u8>,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SasError {
    /// Not of the shape above.
    #[error("not a shared access signature: {0}")]
    Malformed(&'static str),
    /// Its time is over.
    #[error(
        "the shared access signature expired at {0} (seconds since 1970); make a new one and check the clock"
    )]
    Expired(u64),
    /// No key of the device or policy made it.
    #[error("the signature does not match any key; check the connection string")]
    Signature,
    /// Made for another hub or device.
    #[error("the shared access signature is for {0:?}, which does not cover what was asked for")]
    Resource(String),
}

impl SasToken {
    /// Takes a token apart. Unknown fields are ignored.
    pub fn parse(text: &str) -> Result<Self, SasError> {
        let fields = text
            .trim()
            .strip_prefix("SharedAccessSignature ")
            .ok_or(SasError::Malformed("the scheme is missing"))?;
        let (mut resource, mut signature, mut expiry, mut policy) = (None, None, None, None);
        for field in fields.trim().split('&') {
            match field.split_once('=') {
                Some(("sr", value)) => resource = Some(value),
                Some(("sig", value)) => signature = Some(value),
                Some(("se", value)) => expiry = Some(value),
                Some(("skn", value)) if !value.is_empty() => policy = percent::decode(value),
                _ => {}
            }
        }
        let encoded = resource.ok_or(SasError::Malformed("sr is missing"))?;
        let expiry_text = expiry.ok_or(SasError::Malformed("se is missing"))?;
        let signature = signature.ok_or(SasError::Malformed("sig is missing"))?;
        let signature = percent::decode(signature).ok_or(SasError::Malformed("sig is not text"))?;
        Ok(Self {
            encoded_resource: encoded.to_owned(),
            resource: percent::decode(encoded).ok_or(SasError::Malformed("sr is not text"))?,
            expiry: expiry_text.parse().map_err(|_| SasError::Malformed("se is not a number of seconds"))?,
            expiry_text: expiry_text.to_owned(),
            policy,
            signature: STANDARD.decode(signature).map_err(|_| SasError::Malformed("sig is not base64"))?,
        })
    }

    /// Checks time, resource and signature. `keys` are base64 as in connection strings; any one may have signed.
    /// `path` is what is to be reached below the host (`["devices", "d1"]`, or nothing for the whole hub).
    pub fn check(
        &self,
        keys: &[&str],
        hosts: &[String],
        path: &[&str],
        now: SystemTime,
    ) -> Result<(), SasError> {
        let mut matches = subtle::Choice::from(0);
        for key in keys.iter().filter_map(|key| STANDARD.decode(key).ok()).filter(|key| !key.is_empty()) {
            matches |= mac(&key, &self.encoded_resource, &self.expiry_text).as_slice().ct_eq(&self.signature);
        }
        if !bool::from(matches) {
            return Err(SasError::Signature);
        }
        if seconds(now) >= self.expiry {
            return Err(SasError::Expired(self.expiry));
        }
        if !self.covers(hosts, path) {
            return Err(SasError::Resource(self.resource.clone()));
        }
        Ok(())
    }

    /// The resource is a prefix of the target, segment by segment: `hub/devices/d1` does not cover `hub/devices/d10`.
    fn covers(&self, hosts: &[String], path: &[&str]) -> bool {
        let mut segments = self.resource.trim_end_matches('/').split('/');
        let Some(host) = segments.next() else { return false };
        let mut targets = path.iter();
        is_accepted_host(host, hosts)
            && segments.all(|segment| {
                // Node encodes the device id once more before it encodes the whole.
                targets.next().is_some_and(|target| {
                    segment == *target || percent::decode(segment).as_deref() == Some(*target)
                })
            })
    }

    /// How long the token still holds.
    pub fn remaining(&self, now: SystemTime) -> Duration {
        Duration::from_secs(self.expiry).saturating_sub(now.duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

/// Makes a token. `key` is base64; `None` if it is not. `resource` is not encoded (`localhost/devices/d1`).
pub fn sign(resource: &str, key: &str, expiry: SystemTime, policy: Option<&str>) -> Option<String> {
    let key = STANDARD.decode(key).ok()?;
    let encoded = percent::encode(resource);
    let expiry = seconds(expiry).to_string();
    let signature = percent::encode(&STANDARD.encode(mac(&key, &encoded, &expiry)));
    let policy = policy.map(|name| format!("&skn={}", percent::encode(name))).unwrap_or_default();
    Some(format!("SharedAccessSignature sr={encoded}&sig={signature}&se={expiry}{policy}"))
}

/// Whether a host name, with or without a port, is one of the accepted ones. Host names have no case.
pub(crate) fn is_accepted_host(host: &str, accepted: &[String]) -> bool {
    let matches = |name: &str| accepted.iter().any(|known| known.eq_ignore_ascii_case(name));
    let bare = host.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(address, _)| address);
    matches(host) || bare.is_some_and(matches) || host.rsplit_once(':').is_some_and(|(name, _)| matches(name))
}

fn mac(key: &[u8], resource: &str, expiry: &str) -> Vec<u8> {
    // HMAC takes keys of any length, so this cannot fail; an empty code matches no signature.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(resource.as_bytes());
    mac.update(b"\n");
    mac.update(expiry.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn hosts() -> Vec<String> {
        vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()]
    }

    #[test]
    fn the_signature_is_the_documented_one() {
        // Computed independently: openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
        let token = sign("localhost/devices/d1", KEY, at(1_900_000_000), None).unwrap();
        assert_eq!(
            token,
            "SharedAccessSignature sr=localhost%2Fdevices%2Fd1&sig=kGe8oDcTxvxPjmQyIvDuChDToTFOqjmspa1WRd18I%2Fc%3D&se=1900000000"
        );
    }

    #[test]
    fn the_order_of_fields_and_the_case_of_escapes_do_not_matter() {
        let key = STANDARD.decode(KEY).unwrap();
        let signature =
            percent::encode(&STANDARD.encode(mac(&key, "localhost%3a8883%2fdevices%2fd1", "1900000000")));
        let text = format!(
            "SharedAccessSignature sig={signature}&skn=&se=1900000000&sr=localhost%3a8883%2fdevices%2fd1"
        );
        let token = SasToken::parse(&text).unwrap();
        assert_eq!(token.policy, None);
        token.check(&["", KEY], &hosts(), &["devices", "d1"], at(1_800_000_000)).unwrap();
    }

    #[test]
    fn a_prefix_counts_by_whole_segments() {
        let path = ["devices", "d10"];
        let check = |resource: &str| {
            let token = SasToken::parse(&sign(resource, KEY, at(2_000), Some("device")).unwrap()).unwrap();
            token.check(&[KEY], &hosts(), &path, at(1_000))
        };
        check("localhost").unwrap();
        check("LOCALHOST/devices").unwrap();
        check("127.0.0.1:8883/devices/d10").unwrap();
        check("[::1]:8883/devices/d10").unwrap();
        for other in [
            "localhost/devices/d1",
            "elsewhere/devices/d10",
            "localhost/devices/d10/modules/m",
            "localhost/twins",
        ] {
            assert!(matches!(check(other), Err(SasError::Resource(_))), "{other}");
        }
    }

    #[test]
    fn time_and_key_are_checked() {
        let token = SasToken::parse(&sign("localhost", KEY, at(1_000), None).unwrap()).unwrap();
        assert_eq!(token.check(&[KEY], &hosts(), &[], at(1_000)), Err(SasError::Expired(1_000)));
        assert_eq!(token.check(&["b3RoZXI="], &hosts(), &[], at(10)), Err(SasError::Signature));
        assert_eq!(token.check(&[], &hosts(), &[], at(10)), Err(SasError::Signature));
        assert_eq!(token.remaining(at(400)), Duration::from_secs(600));
    }
}
