//! How webhook messages are signed: HMAC-SHA256 over `id.timestamp.body`, so that a receiver knows the sender, the
//! message and its age.

use std::time::{Duration, SystemTime};

use hmac::Mac as _;
use reqwest::header::HeaderMap;

use crate::{
    Error,
    connection::{hmac_sha256, mac},
    encode::{hex, unhex},
    secret::Secret,
};

/// Header with the message's id; a message that is sent again has the same.
pub const ID_HEADER: &str = "x-twinwright-id";
/// Header with the time of sending, in seconds since 1970.
pub const TIMESTAMP_HEADER: &str = "x-twinwright-timestamp";
/// Header with `v1=<hexadecimal HMAC-SHA256>`, several of them with blanks between while a key is being rolled.
pub const SIGNATURE_HEADER: &str = "x-twinwright-signature";

/// More signatures than this in one header are not looked at.
const MOST_SIGNATURES: usize = 8;

/// Why a message is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A header is missing or not as agreed.
    #[error("the {0} header is missing or malformed")]
    Header(&'static str),
    /// The message is too old, or comes from the future.
    #[error(
        "the message's time differs by {0:?} from this machine's; check both clocks, and that nothing replays messages"
    )]
    Time(Duration),
    /// No signature fits: another key, or another body.
    #[error(
        "no signature fits; check that both sides have the same key and that the body is verified as received"
    )]
    Mismatch,
}

/// The value of [`SIGNATURE_HEADER`] for a message. `timestamp` is in seconds since 1970.
///
/// # Errors
/// [`Error::Input`] when the id is not 1 to 256 visible ASCII characters without a dot (a dot would let two messages
/// have one signature).
pub fn sign(key: &Secret, id: &str, timestamp: u64, body: &[u8]) -> Result<String, Error> {
    if !is_id(id) {
        return Err(Error::input(
            "sign a message",
            "its id must be 1 to 256 visible ASCII characters without a dot",
        ));
    }
    let start = format!("{id}.{timestamp}.");
    Ok(format!("v1={}", hex(&hmac_sha256(key.reveal().as_bytes(), &[start.as_bytes(), body]))))
}

/// For receivers: checks a message's headers against its body as received. Compares in constant time. A receiver that
/// rolls keys calls this with each key in turn; one that must act once also remembers ids for twice the tolerance.
///
/// # Errors
/// [`SignatureError`], when the message is not to be believed.
pub fn verify_signature(
    key: &Secret,
    headers: &HeaderMap,
    body: &[u8],
    now: SystemTime,
    tolerance: Duration,
) -> Result<(), SignatureError> {
    let header = |name: &'static str| {
        headers.get(name).and_then(|value| value.to_str().ok()).ok_or(SignatureError::Header(name))
    };
    let id = Some(header(ID_HEADER)?).filter(|id| is_id(id)).ok_or(SignatureError::Header(ID_HEADER))?;
    let timestamp = header(TIMESTAMP_HEADER)?;
    let plain =
        !timestamp.is_empty() && timestamp.len() <= 15 && timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = timestamp.parse().ok().filter(|_| plain).ok_or(SignatureError::Header(TIMESTAMP_HEADER))?;
    let signatures = header(SIGNATURE_HEADER)?;
    let start = format!("{id}.{timestamp}.");
    // Every signature is computed and compared, so that the time taken tells nothing.
    let fitting = signatures
        .split(' ')
        .take(MOST_SIGNATURES)
        .filter_map(|signature| unhex(signature.strip_prefix("v1=")?))
        .filter(|given| mac(key.reveal().as_bytes(), &[start.as_bytes(), body]).verify_slice(given).is_ok())
        .count();
    if fitting == 0 {
        return Err(SignatureError::Mismatch);
    }
    let sent = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let apart = now.duration_since(sent).unwrap_or_else(|ahead| ahead.duration());
    if apart > tolerance { Err(SignatureError::Time(apart)) } else { Ok(()) }
}

fn is_id(id: &str) -> bool {
    (1..=256).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"score":1.5}"#;
    const MADE_ELSEWHERE: &str = "v1=d72f44b1897ce74ba0d83932070503a47834654d155bd1ac2e6b7dd77b05cd80";

    fn key() -> Secret {
        Secret::new("k".repeat(32))
    }

    fn verify(
        id: &str,
        timestamp: &str,
        signature: &str,
        body: &[u8],
        now: u64,
    ) -> Result<(), SignatureError> {
        let mut headers = HeaderMap::new();
        for (name, value) in [(ID_HEADER, id), (TIMESTAMP_HEADER, timestamp), (SIGNATURE_HEADER, signature)] {
            headers.insert(name, value.parse().expect("header"));
        }
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
        verify_signature(&key(), &headers, body, now, Duration::from_secs(300))
    }

    #[test]
    fn the_signature_is_the_agreed_one() {
        assert_eq!(sign(&key(), "alert-1", 1_700_000_000, BODY).expect("signs"), MADE_ELSEWHERE);
        assert!(sign(&key(), "a.1", 1, BODY).is_err());
        assert!(sign(&key(), "a\n", 1, BODY).is_err());
    }

    #[test]
    fn only_the_same_message_with_the_same_key_in_time_is_believed() {
        let check = |id, time, signature: &str, body, now| verify(id, time, signature, body, now);
        assert_eq!(check("alert-1", "1700000000", MADE_ELSEWHERE, BODY, 1_700_000_299), Ok(()));
        assert_eq!(check("alert-1", "1700000000", MADE_ELSEWHERE, BODY, 1_699_999_701), Ok(()));
        let rolled = format!("v1={} {MADE_ELSEWHERE} v2=zz", "0".repeat(64));
        assert_eq!(check("alert-1", "1700000000", &rolled, BODY, 1_700_000_000), Ok(()));
        assert_eq!(
            check("alert-1", "1700000000", MADE_ELSEWHERE, BODY, 1_700_000_301),
            Err(SignatureError::Time(Duration::from_secs(301)))
        );
        for (id, time, signature, body) in [
            ("alert-2", "1700000000", MADE_ELSEWHERE, BODY),
            ("alert-1", "1700000001", MADE_ELSEWHERE, BODY),
            ("alert-1", "1700000000", MADE_ELSEWHERE, &BODY[1..]),
            ("alert-1", "1700000000", &MADE_ELSEWHERE[..60], BODY),
            ("alert-1", "1700000000", "v1=", BODY),
            ("alert-1", "1700000000", "", BODY),
        ] {
            assert_eq!(
                check(id, time, signature, body, 1_700_000_000),
                Err(SignatureError::Mismatch),
                "{id} {time}"
            );
        }
        assert_eq!(check("a", "-5", MADE_ELSEWHERE, BODY, 5), Err(SignatureError::Header(TIMESTAMP_HEADER)));
        assert_eq!(check("a.b", "5", MADE_ELSEWHERE, BODY, 5), Err(SignatureError::Header(ID_HEADER)));
    }
}
