//! Pages: continuation tokens, absolute links to the next page, and query parameters.

use axum::http::{HeaderMap, Uri, header::HOST};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::header;
use crate::answer::Refusal;

/// The decoded value of a query parameter.
pub(crate) fn parameter(uri: &Uri, name: &str) -> Option<String> {
    parameters(uri, name).into_iter().next()
}

/// Every decoded value of a repeatable query parameter.
pub(crate) fn parameters(uri: &Uri, name: &str) -> Vec<String> {
    let pairs = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(key, _)| decode(key).eq_ignore_ascii_case(name)).map(|(_, value)| decode(value)).collect()
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut decoded, mut index) = (Vec::with_capacity(bytes.len()), 0);
    while index < bytes.len() {
        let hex = bytes.get(index + 1..index + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match (bytes[index], hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                index += 3;
            }
            (b'+', _) => {
                decoded.push(b' ');
                index += 1;
            }
            (byte, _) => {
                decoded.push(byte);
                index += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn encode(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// A continuation token: whatever the next page needs, opaque to the client.
pub(crate) fn token(state: &Value) -> String {
    STANDARD.encode(state.to_string())
}

pub(crate) fn read_token(token: &str) -> Result<Value, Refusal> {
    let bytes = STANDARD.decode(token).ok();
    let state = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    state.ok_or_else(|| {
        Refusal::bad("BadRequest", "the continuation token is invalid: start again without one")
    })
}

/// The two parts of the last key, as a token holds them.
pub(crate) fn key_of(state: &Value) -> Result<[String; 2], Refusal> {
    let part = |index: usize| state["after"][index].as_str().map(str::to_owned);
    part(0).zip(part(1)).map(|(first, second)| [first, second]).ok_or_else(|| {
        Refusal::bad("BadRequest", "the continuation token is invalid: start again without one")
    })
}

/// The key that a list request goes on after.
pub(crate) fn after(uri: &Uri) -> Result<[String; 2], Refusal> {
    match parameter(uri, "continuationToken") {
        Some(token) => key_of(&read_token(&token)?),
        None => Ok(Default::default()),
    }
}

/// `nextLink`: an absolute address, or null on the last page.
pub(crate) fn next_link(uri: &Uri, headers: &HeaderMap, after: Option<&[String; 2]>) -> Value {
    let Some(after) = after else { return Value::Null };
    let host = header(headers, &HOST).unwrap_or("localhost");
    let mut link = format!(
        "https://{host}{}?continuationToken={}",
        uri.path(),
        encode(&token(&json!({ "after": after })))
    );
    for pair in uri.query().unwrap_or_default().split('&') {
        let name = pair.split('=').next().unwrap_or_default();
        if !pair.is_empty() && !decode(name).eq_ignore_ascii_case("continuationToken") {
            link.push('&');
            link.push_str(pair);
        }
    }
    link.into()
}

/// `max-items-per-page`, at most `most`.
pub(crate) fn page_size(headers: &HeaderMap, default: usize, most: usize) -> Result<usize, Refusal> {
    let Some(value) = headers.get("max-items-per-page") else { return Ok(default) };
    let size = value.to_str().ok().and_then(|text| text.parse::<usize>().ok()).filter(|size| *size > 0);
    match size {
        Some(size) => Ok(size.min(most)),
        None => Err(Refusal::bad("InvalidArgument", "max-items-per-page must be a whole number above 0")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_links_carry_them() {
        let uri: Uri =
            "/models?dependenciesFor=dtmi%3Aa%3Bb&dependenciesFor=x&api-version=1&continuationToken=old"
                .parse()
                .unwrap();
        assert_eq!(parameters(&uri, "dependenciesFor"), ["dtmi:a;b", "x"]);
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "localhost:8444".parse().unwrap());
        let link = next_link(&uri, &headers, Some(&["ä+/".into(), String::new()]));
        let link: Uri = link.as_str().unwrap().parse().unwrap();
        assert_eq!(link.host(), Some("localhost"));
        assert_eq!(after(&link).unwrap()[0], "ä+/");
        assert_eq!(parameters(&link, "dependenciesFor").len(), 2);
        assert!(read_token("?").is_err() && key_of(&json!({})).is_err());
    }
}
