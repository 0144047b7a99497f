//! Signs requests to a blob service with the key of an account.
//!
//! Source: "Authorize with Shared Key" of the storage services.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use url::Url;

/// The value of `Authorization` for a request with the given headers (`x-ms-…` only, in lower case and in order).
pub(super) fn authorization(
    account: &str,
    key: &str,
    method: &str,
    url: &Url,
    length: usize,
    headers: &[(&str, &str)],
) -> Option<String> {
    let length = if length == 0 { String::new() } else { length.to_string() };
    // Encoding, language, length, MD5, type, date, four conditions, range: all but the length are not sent.
    let mut text = format!("{method}\n\n\n{length}\n\n\n\n\n\n\n\n\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}:{value}\n"));
    }
    text.push_str(&format!("/{account}{}", url.path()));
    let mut hmac = Hmac::<Sha256>::new_from_slice(&STANDARD.decode(key).ok()?).ok()?;
    hmac.update(text.as_bytes());
    Some(format!("SharedKey {account}:{}", STANDARD.encode(hmac.finalize().into_bytes())))
}
