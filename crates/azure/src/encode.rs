//! Small encodings that several clients share.

use url::{Host, Url};

use crate::Error;

/// Percent-encodes everything but RFC 3986's unreserved characters, with upper-case digits as the device SDKs write them.
pub(crate) fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// An id as one segment of a path.
pub(crate) fn segment(what: &str, id: &str) -> Result<String, Error> {
    // A URL parser takes these, encoded or not, as "this folder" and "the folder above".
    if id.is_empty() || id == "." || id == ".." {
        return Err(Error::input(
            what,
            format!("\"{id}\" cannot be an id; use at least one letter or digit"),
        ));
    }
    if id.len() > 4096 {
        return Err(Error::input(what, "the id is longer than 4096 bytes"));
    }
    Ok(percent(id))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of an even number of hexadecimal digits.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

/// Whether the address names this machine, so that nothing sent to it can be read on the way.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Parses an address to which secrets are sent: https, or http on this machine only; no user name, no fragment.
/// The text is never repeated in the error, because notification addresses carry signatures.
pub(crate) fn secure_url(subject: &'static str, text: &str) -> Result<Url, Error> {
    let url = Url::parse(text.trim())
        .map_err(|error| Error::settings(subject, format!("{error}; write it as https://host/path")))?;
    let secure = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    if !secure {
        return Err(Error::settings(
            subject,
            "it must begin with https:// (http:// is for this machine only)",
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::settings(
            subject,
            "it must not carry a user name or password; use a token or key file",
        ));
    }
    if url.fragment().is_some() {
        return Err(Error::settings(subject, "it must not carry a fragment (the part after #)"));
    }
    Ok(url)
}

/// A service's text made fit for one line of a log.
pub(crate) fn shorten(text: &str, longest: usize) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(longest).collect();
    let clean = clean.trim().to_owned();
    if text.chars().nth(longest).is_some() { format!("{clean}…") } else { clean }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_become_one_segment() {
        assert_eq!(percent("dtmi:com:pump;1"), "dtmi%3Acom%3Apump%3B1");
        assert_eq!(percent("pump 01/ä"), "pump%2001%2F%C3%A4");
        for id in ["", ".", ".."] {
            assert!(segment("get twin", id).is_err(), "{id}");
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for good in
            ["https://a.example/x?sig=1", "http://localhost:80", "http://127.0.0.1:9/", "http://[::1]:9/"]
        {
            assert!(secure_url("the address", good).is_ok(), "{good}");
        }
        for bad in [
            "http://a.example",
            "ftp://localhost",
            "https://me:secret@a.example",
            "a.example",
            "http://localhost.evil/",
        ] {
            let error = secure_url("the address", bad).expect_err(bad).to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn hexadecimal_goes_both_ways() {
        assert_eq!(unhex(&hex(&[0, 171, 255])), Some(vec![0, 171, 255]));
        assert_eq!(unhex("0"), None);
        assert_eq!(unhex("+1"), None);
    }
}
