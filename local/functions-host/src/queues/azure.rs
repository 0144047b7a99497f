//! Azure Storage queues over REST with an account key: Azurite, or an account that allows shared keys.

use std::time::Duration;

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::{Method, StatusCode};
use url::Url;

use super::{MessageEncoding, QueueMessage, QueueService, check_body, check_name, shared_key::Account, xml};
use crate::QueueError;

const API_VERSION: &str = "2021-12-02";
const CONTENT_TYPE: &str = "application/xml";
/// Answers larger than this are not the service's: 32 messages of 64 KiB, with room for escapes.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// Queues of a storage account.
#[derive(Clone)]
pub struct AzureQueues {
    client: reqwest::Client,
    account: Account,
    encoding: MessageEncoding,
}

impl std::fmt::Debug for AzureQueues {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("AzureQueues")
            .field("endpoint", &self.account.endpoint)
            .finish_non_exhaustive()
    }
}

impl AzureQueues {
    /// From a storage connection string (`UseDevelopmentStorage=true` for Azurite on its default ports). A default rustls
    /// provider must be installed first, whatever the endpoint.
    pub fn new(connection_string: &str, encoding: MessageEncoding) -> Result<Self, QueueError> {
        let account = Account::parse(connection_string)?;
        let mut builder = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .connect_timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none());
        if account.endpoint.starts_with("http://") {
            // An emulator on this machine is never behind a proxy.
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| QueueError::Connection(chain(&error)))?;
        Ok(Self { client, account, encoding })
    }

    async fn call(
        &self,
        operation: &'static str,
        method: Method,
        queue: &str,
        path: &str,
        query: &[(&str, &str)],
        body: String,
    ) -> Result<(StatusCode, String), QueueError> {
        check_name(queue)?;
        let mut url = Url::parse(&format!("{}/{queue}{path}", self.account.endpoint))
            .map_err(|error| QueueError::Connection(error.to_string()))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut attempt = 0;
        loop {
            attempt += 1;
            let again = match self.once(&method, &url, body.clone()).await {
                Ok((status, text)) if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                    Err(service(operation, status, &text))
                }
                Ok(answer) => return Ok(answer),
                Err(error) => Err(QueueError::Transport { operation, message: chain(&error) }),
            };
            if attempt == 4 {
                return again;
            }
            tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
        }
    }

    async fn once(&self, method: &Method, url: &Url, body: String) -> Result<(StatusCode, String), Failure> {
        let date = Utc::now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let headers = [("x-ms-date", date.as_str()), ("x-ms-version", API_VERSION)];
        let kind = if body.is_empty() { "" } else { CONTENT_TYPE };
        let authorization = self.account.authorization(method.as_str(), url, body.len(), kind, &headers)?;
        let mut request =
            self.client.request(method.clone(), url.clone()).header("authorization", authorization);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if kind.is_empty() {
            request = request.header("content-length", "0");
        } else {
            request = request.header("content-type", kind).body(body);
        }
        let mut answer = request.send().await?;
        let status = answer.status();
        let mut text = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if text.len() + chunk.len() > MAX_ANSWER {
                return Err(Failure::TooLong);
            }
            text.extend_from_slice(&chunk);
        }
        Ok((status, String::from_utf8_lossy(&text).into_owned()))
    }

    fn decode(&self, queue: &str, text: String) -> Bytes {
        match self.encoding {
            MessageEncoding::None => Bytes::from(text),
            MessageEncoding::Base64 => STANDARD.decode(&text).map(Bytes::from).unwrap_or_else(|_| {
                tracing::warn!(queue, "a message is not base64; it is passed on as text");
                Bytes::from(text)
            }),
        }
    }
}

#[async_trait]
impl QueueService for AzureQueues {
    async fn create(&self, queue: &str) -> Result<(), QueueError> {
        const OPERATION: &str = "create queue";
        let (status, text) = self.call(OPERATION, Method::PUT, queue, "", &[], String::new()).await?;
        match status.as_u16() {
            201 | 204 => Ok(()),
            409 if text.contains("QueueAlreadyExists") => Ok(()),
            _ => Err(service(OPERATION, status, &text)),
        }
    }

    async fn send(&self, queue: &str, body: Bytes) -> Result<(), QueueError> {
        const OPERATION: &str = "put message";
        check_body(queue, &body)?;
        let encoded = match self.encoding {
            MessageEncoding::Base64 => STANDARD.encode(&body),
            MessageEncoding::None => String::from_utf8_lossy(&body).into_owned(),
        };
        let document =
            format!("<QueueMessage><MessageText>{}</MessageText></QueueMessage>", xml::escape(&encoded));
        let (status, text) = self.call(OPERATION, Method::POST, queue, "/messages", &[], document).await?;
        match status {
            StatusCode::CREATED => Ok(()),
            _ => Err(missing(OPERATION, queue, status, &text)),
        }
    }

    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
    ) -> Result<Vec<QueueMessage>, QueueError> {
        const OPERATION: &str = "get messages";
        // The service refuses to hide a received message for less than a second.
        let hidden = seconds(visibility).max(1).to_string();
        let most = max.clamp(1, 32).to_string();
        let query = [("numofmessages", most.as_str()), ("visibilitytimeout", hidden.as_str())];
        let (status, text) =
            self.call(OPERATION, Method::GET, queue, "/messages", &query, String::new()).await?;
        if status != StatusCode::OK {
            return Err(missing(OPERATION, queue, status, &text));
        }
        let unreadable = || QueueError::Service {
            operation: OPERATION,
            status: 200,
            message: "a message lacks a field".to_owned(),
        };
        let read = |message: &str| -> Option<QueueMessage> {
            let time = |name: &str| parse_time(&xml::text(message, name)?);
            Some(QueueMessage {
                id: xml::text(message, "MessageId")?,
                pop_receipt: xml::text(message, "PopReceipt")?,
                dequeue_count: xml::text(message, "DequeueCount")?.parse().ok()?,
                insertion_time: time("InsertionTime")?,
                expiration: time("ExpirationTime")?,
                next_visible: time("TimeNextVisible")?,
                body: self.decode(queue, xml::text(message, "MessageText").unwrap_or_default()),
            })
        };
        xml::elements(&text, "QueueMessage")
            .into_iter()
            .map(|message| read(message).ok_or_else(unreadable))
            .collect()
    }

    async fn delete(&self, queue: &str, message: &QueueMessage) -> Result<(), QueueError> {
        const OPERATION: &str = "delete message";
        let path = format!("/messages/{}", message.id);
        let query = [("popreceipt", message.pop_receipt.as_str())];
        let (status, text) =
            self.call(OPERATION, Method::DELETE, queue, &path, &query, String::new()).await?;
        match status {
            StatusCode::NO_CONTENT => Ok(()),
            _ => Err(held(OPERATION, queue, message, status, &text)),
        }
    }

    async fn set_visibility(
        &self,
        queue: &str,
        message: &QueueMessage,
        visibility: Duration,
    ) -> Result<QueueMessage, QueueError> {
        const OPERATION: &str = "update message";
        let path = format!("/messages/{}", message.id);
        let hidden = seconds(visibility).to_string();
        let query = [("popreceipt", message.pop_receipt.as_str()), ("visibilitytimeout", hidden.as_str())];
        let url = Url::parse(&format!("{}/{queue}{path}", self.account.endpoint))
            .map_err(|error| QueueError::Connection(error.to_string()))?;
        let (status, receipt, next) = self.update(OPERATION, url, &query).await?;
        match (status, receipt) {
            (StatusCode::NO_CONTENT, Some(pop_receipt)) => Ok(QueueMessage {
                pop_receipt,
                next_visible: next.unwrap_or_else(Utc::now),
                ..message.clone()
            }),
            (status, _) => {
                Err(held(OPERATION, queue, message, status, "MessageNotFound or PopReceiptMismatch"))
            }
        }
    }
}

impl AzureQueues {
    /// An update answers in headers, unlike everything else.
    async fn update(
        &self,
        operation: &'static str,
        mut url: Url,
        query: &[(&str, &str)],
    ) -> Result<(StatusCode, Option<String>, Option<DateTime<Utc>>), QueueError> {
        url.query_pairs_mut().extend_pairs(query);
        let date = Utc::now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let headers = [("x-ms-date", date.as_str()), ("x-ms-version", API_VERSION)];
        let authorization = self.account.authorization("PUT", &url, 0, "", &headers)?;
        let request = self
            .client
            .put(url)
            .header("authorization", authorization)
            .header(headers[0].0, headers[0].1)
            .header(headers[1].0, headers[1].1)
            .header("content-length", "0");
        let answer = request
            .send()
            .await
            .map_err(|error| QueueError::Transport { operation, message: chain(&error) })?;
        let header =
            |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let next = header("x-ms-time-next-visible").and_then(|text| parse_time(&text));
        Ok((answer.status(), header("x-ms-popreceipt"), next))
    }
}

/// Why one request gave no answer.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error(transparent)]
    Sign(#[from] QueueError),
    #[error("the answer is longer than any the service gives")]
    TooLong,
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn seconds(visibility: Duration) -> u64 {
    let whole = visibility.as_secs() + u64::from(visibility.subsec_nanos() > 0);
    whole.min(7 * 86_400)
}

fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text).ok().map(|time| time.to_utc())
}

fn service(operation: &'static str, status: StatusCode, text: &str) -> QueueError {
    let message = xml::text(text, "Code").unwrap_or_else(|| text.chars().take(200).collect());
    QueueError::Service { operation, status: status.as_u16(), message }
}

fn missing(operation: &'static str, queue: &str, status: StatusCode, text: &str) -> QueueError {
    if status == StatusCode::NOT_FOUND {
        return QueueError::NotFound(queue.to_owned());
    }
    service(operation, status, text)
}

fn held(
    operation: &'static str,
    queue: &str,
    message: &QueueMessage,
    status: StatusCode,
    text: &str,
) -> QueueError {
    let gone = text.contains("MessageNotFound") || text.contains("PopReceiptMismatch");
    match status {
        StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST if gone => {
            QueueError::Receipt { queue: queue.to_owned(), id: message.id.clone() }
        }
        _ => service(operation, status, text),
    }
}
