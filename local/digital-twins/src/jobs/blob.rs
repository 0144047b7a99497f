//! Reading a blob as a stream, and writing one whole.

use std::io::{self, BufRead, BufReader};
use std::time::Duration;

use futures::TryStreamExt;
use reqwest::{Client, Method, RequestBuilder};
use tokio::runtime::Handle;
use tokio_util::io::{StreamReader, SyncIoBridge};
use url::Url;

use super::place::{BlobAccount, Place};
use super::shared_key;
use crate::clock;

const VERSION: &str = "2021-12-02";
/// Longest time for the answer's head, and for the whole of a write.
const PATIENCE: Duration = Duration::from_secs(60);

/// Opens the input of a job for reading on a thread that may block.
pub(super) fn open(
    place: &Place,
    client: &Client,
    runtime: &Handle,
) -> Result<Box<dyn BufRead + Send>, String> {
    match place {
        Place::File(path) => {
            let file =
                std::fs::File::open(path).map_err(|error| format!("the input cannot be read: {error}"))?;
            Ok(Box::new(BufReader::with_capacity(256 * 1024, file)))
        }
        Place::Blob { url, account } => {
            let request = signed(client, Method::GET, url, account, None)?;
            let response = runtime.block_on(async {
                tokio::time::timeout(PATIENCE, request.send())
                    .await
                    .map_err(|_| "the input blob did not answer in time".to_owned())?
                    .map_err(|error| format!("the input blob cannot be reached: {}", error.without_url()))
            })?;
            if !response.status().is_success() {
                return Err(format!(
                    "the input blob cannot be read, its service answered {}",
                    response.status()
                ));
            }
            let stream = response.bytes_stream().map_err(io::Error::other);
            let reader = SyncIoBridge::new_with_handle(Box::pin(StreamReader::new(stream)), runtime.clone());
            Ok(Box::new(BufReader::with_capacity(256 * 1024, reader)))
        }
    }
}

/// Writes a whole block blob.
pub(super) async fn put(
    url: &Url,
    account: &BlobAccount,
    client: &Client,
    body: Vec<u8>,
) -> Result<(), String> {
    let request = signed(client, Method::PUT, url, account, Some(body.len()))?.body(body).timeout(PATIENCE);
    let response = request
        .send()
        .await
        .map_err(|error| format!("the output blob cannot be reached: {}", error.without_url()))?;
    if response.status().is_success() {
        Ok(())
    } else {
        Err(format!("the output blob cannot be written, its service answered {}", response.status()))
    }
}

fn signed(
    client: &Client,
    method: Method,
    url: &Url,
    account: &BlobAccount,
    written: Option<usize>,
) -> Result<RequestBuilder, String> {
    let date = clock::http_date();
    let mut headers: Vec<(&str, &str)> = vec![("x-ms-date", &date), ("x-ms-version", VERSION)];
    if written.is_some() {
        headers.insert(0, ("x-ms-blob-type", "BlockBlob"));
    }
    let has_signature = url.query_pairs().any(|(name, _)| name == "sig");
    let authorization = match &account.key {
        Some(key) if !has_signature => {
            let length = written.unwrap_or_default();
            let made = shared_key::authorization(&account.name, key, method.as_str(), url, length, &headers);
            Some(made.ok_or("the key of the blob account is not base64: correct it in the configuration")?)
        }
        _ => None,
    };
    let mut request = client.request(method, url.clone());
    for (name, value) in &headers {
        request = request.header(*name, *value);
    }
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    Ok(request)
}
