//! Signing of requests with an account key (Azure Storage, "Authorize with Shared Key").

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use url::Url;

use crate::QueueError;

/// Who signs.
#[derive(Clone)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) key: Vec<u8>,
    /// Queue endpoint, without a slash at its end.
    pub(super) endpoint: String,
}

/// The well-known account of the storage emulator; its key is public and no secret.
const EMULATOR_NAME: &str = "devstoreaccount1";
const EMULATOR_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

impl Account {
    /// Reads a storage connection string.
    pub(super) fn parse(text: &str) -> Result<Self, QueueError> {
        let wrong = |reason: &str| QueueError::Connection(reason.to_owned());
        let pairs: Vec<(&str, &str)> =
            text.split(';').filter_map(|part| part.trim().split_once('=')).collect();
        let find = |name: &str| {
            pairs.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
        };
        let emulator = find("UseDevelopmentStorage").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let name = find("AccountName")
            .or(emulator.then_some(EMULATOR_NAME))
            .ok_or_else(|| wrong("AccountName is missing"))?;
        let key = find("AccountKey")
            .or(emulator.then_some(EMULATOR_KEY))
            .ok_or_else(|| wrong("AccountKey is missing"))?;
        let key = STANDARD.decode(key).map_err(|_| wrong("AccountKey is not base64"))?;
        let endpoint = match find("QueueEndpoint") {
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            None if emulator => format!("http://127.0.0.1:10001/{name}"),
            None => {
                let protocol = find("DefaultEndpointsProtocol").unwrap_or("https");
                format!("{protocol}://{name}.queue.{}", find("EndpointSuffix").unwrap_or("core.windows.net"))
            }
        };
        Url::parse(&endpoint).map_err(|error| wrong(&format!("the queue endpoint is no URL: {error}")))?;
        Ok(Self { name: name.to_owned(), key, endpoint })
    }

    /// The `Authorization` header of a request. `headers` are the `x-ms-` ones, lower case, sorted.
    pub(super) fn authorization(
        &self,
        method: &str,
        url: &Url,
        length: usize,
        content_type: &str,
        headers: &[(&str, &str)],
    ) -> Result<String, QueueError> {
        let text = self.string_to_sign(method, url, length, content_type, headers);
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key)
            .map_err(|_| QueueError::Connection("AccountKey cannot be used".to_owned()))?;
        mac.update(text.as_bytes());
        Ok(format!("SharedKey {}:{}", self.name, STANDARD.encode(mac.finalize().into_bytes())))
    }

    fn string_to_sign(
        &self,
        method: &str,
        url: &Url,
        length: usize,
        content_type: &str,
        headers: &[(&str, &str)],
    ) -> String {
        let length = if length == 0 { String::new() } else { length.to_string() };
        let mut text = format!("{method}\n\n\n{length}\n\n{content_type}\n\n\n\n\n\n\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}:{value}\n"));
        }
        text.push_str(&format!("/{}{}", self.name, url.path()));
        let mut query: Vec<(String, String)> =
            url.query_pairs().map(|(name, value)| (name.to_ascii_lowercase(), value.into_owned())).collect();
        query.sort();
        for (name, value) in query {
            text.push_str(&format!("\n{name}:{value}"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_strings() {
        let local = Account::parse("UseDevelopmentStorage=true").unwrap();
        assert_eq!(local.endpoint, "http://127.0.0.1:10001/devstoreaccount1");
        let cloud =
            Account::parse("DefaultEndpointsProtocol=https;AccountName=a;AccountKey=AQID;EndpointSuffix=x.y")
                .unwrap();
        assert_eq!(
            (cloud.endpoint.as_str(), cloud.key.as_slice()),
            ("https://a.queue.x.y", [1, 2, 3].as_slice())
        );
        for wrong in [
            "",
            "AccountName=a",
            "AccountName=a;AccountKey=?",
            "AccountName=a;AccountKey=AQID;QueueEndpoint=x",
        ] {
            assert!(Account::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_signed() {
        let account = Account::parse("UseDevelopmentStorage=true").unwrap();
        let url = Url::parse(
            "http://127.0.0.1:10001/devstoreaccount1/q/messages?visibilitytimeout=30&numofmessages=2",
        )
        .unwrap();
        let headers = [("x-ms-date", "D"), ("x-ms-version", "V")];
        assert_eq!(
            account.string_to_sign("GET", &url, 0, "", &headers),
            "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:D\nx-ms-version:V\n/devstoreaccount1/devstoreaccount1/q/messages\nnumofmessages:2\nvisibilitytimeout:30"
        );
    }
}
