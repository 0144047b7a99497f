//! One request at a time, with a deadline, a size limit, and few retries.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::Value;

/// Bytes of an answer at the most.
const MOST: usize = 4 << 20;
/// Attempts where the server asks for patience.
const ATTEMPTS: u32 = 3;
/// Longest wait between two of them.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where MLflow is.
#[derive(Clone)]
pub struct MlflowOptions {
    /// `http://…`, `https://…`, or a workspace's `azureml://…` tracking address.
    pub url: String,
    /// Bearer token; for Azure one of scope `https://management.azure.com/.default`.
    pub token: Option<String>,
    /// Deadline of a request.
    pub timeout: Duration,
}

impl std::fmt::Debug for MlflowOptions {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The token stays out of logs.
        out.debug_struct("MlflowOptions").field("url", &self.url).finish_non_exhaustive()
    }
}

/// What went wrong with MLflow; never a reason to stop a promotion.
#[derive(Debug, thiserror::Error)]
pub enum MlflowError {
    /// The address is not one.
    #[error("{url} is no address of MLflow; it begins with http://, https:// or azureml://")]
    Address {
        /// What was given.
        url: String,
    },
    /// No answer.
    #[error("no answer from MLflow for {path}")]
    Transport {
        /// What was asked for.
        path: String,
        /// Why.
        source: reqwest::Error,
    },
    /// An answer that says no.
    #[error("MLflow refused {path} with {status} {code}: {message}")]
    Refused {
        /// What was asked for.
        path: String,
        /// HTTP status.
        status: u16,
        /// MLflow's error code.
        code: String,
        /// Its message, shortened.
        message: String,
    },
    /// An answer that is not what MLflow answers.
    #[error("the answer for {path} is not MLflow's: {cause}; check the address")]
    Answer {
        /// What was asked for.
        path: String,
        /// What is wrong with it.
        cause: String,
    },
}

impl MlflowError {
    /// Whether the server does not know the call itself, as Azure does not know all of them.
    pub(super) fn is_unknown_call(&self) -> bool {
        matches!(self, Self::Refused { status: 404 | 405 | 501, code, .. } if code != "RESOURCE_DOES_NOT_EXIST")
    }

    pub(super) fn has_code(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused { code, .. } if code == wanted)
    }
}

/// A client of one MLflow server or workspace.
#[derive(Clone, Debug)]
pub struct Mlflow {
    http: reqwest::Client,
    base: String,
    options: MlflowOptions,
}

impl Mlflow {
    /// A client; asks for nothing yet.
    ///
    /// # Errors
    /// [`MlflowError::Address`]; [`MlflowError::Transport`] where there is no TLS.
    pub fn new(options: MlflowOptions) -> Result<Self, MlflowError> {
        let base = base(&options.url)?;
        let http = reqwest::Client::builder().timeout(options.timeout).build();
        let http = http.map_err(|source| MlflowError::Transport { path: "the client".to_owned(), source })?;
        Ok(Self { http, base, options })
    }

    /// `GET` with a query.
    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, MlflowError> {
        let url = format!("{}/api/2.0/mlflow/{path}", self.base);
        self.send(path, || self.http.request(Method::GET, &url).query(query)).await
    }

    /// `POST` of JSON.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, MlflowError> {
        let url = format!("{}/api/2.0/mlflow/{path}", self.base);
        self.send(path, || self.http.request(Method::POST, &url).json(body)).await
    }

    /// Uploads a file to where the server keeps artefacts.
    pub(super) async fn upload(&self, place: &str, bytes: &[u8]) -> Result<(), MlflowError> {
        let url = format!("{}/api/2.0/mlflow-artifacts/artifacts/{place}", self.base);
        self.send(place, || self.http.request(Method::PUT, &url).body(bytes.to_vec())).await.map(drop)
    }

    async fn send(
        &self,
        path: &str,
        request: impl Fn() -> reqwest::RequestBuilder,
    ) -> Result<Value, MlflowError> {
        let lost = |source| MlflowError::Transport { path: path.to_owned(), source };
        let mut attempt = 1;
        loop {
            let mut request = request();
            if let Some(token) = &self.options.token {
                request = request.bearer_auth(token);
            }
            let mut answer = request.send().await.map_err(lost)?;
            let status = answer.status();
            let busy = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
            if busy && attempt < ATTEMPTS {
                let asked = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
                let asked = asked.and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
                tokio::time::sleep(asked.unwrap_or(Duration::from_millis(200) * attempt).min(PATIENCE)).await;
                attempt += 1;
                continue;
            }
            let mut bytes = Vec::new();
            while let Some(chunk) = answer.chunk().await.map_err(lost)? {
                bytes.extend_from_slice(&chunk);
                if bytes.len() > MOST {
                    let cause = "it is larger than 4 MiB".to_owned();
                    return Err(MlflowError::Answer { path: path.to_owned(), cause });
                }
            }
            return read(path, status, &bytes);
        }
    }
}

fn read(path: &str, status: StatusCode, bytes: &[u8]) -> Result<Value, MlflowError> {
    if status.is_success() {
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        let parsed = serde_json::from_slice(bytes);
        return parsed
            .map_err(|error| MlflowError::Answer { path: path.to_owned(), cause: error.to_string() });
    }
    let value: Value = serde_json::from_slice(bytes).unwrap_or_default();
    // Azure puts the message a level deeper.
    let text = |name: &str, deeper: &str| {
        let found = value[name].as_str().or_else(|| value["error"][deeper].as_str()).unwrap_or_default();
        found.chars().filter(|c| !c.is_control()).take(300).collect::<String>()
    };
    Err(MlflowError::Refused {
        path: path.to_owned(),
        status: status.as_u16(),
        code: text("error_code", "code"),
        message: text("message", "message"),
    })
}

/// The address below which the API is served. A workspace's path says `v1.0`; its client for MLflow 2 and 3 asks for
/// `v2.0`.
fn base(url: &str) -> Result<String, MlflowError> {
    let trimmed = url.trim().trim_end_matches('/');
    let address = match trimmed.strip_prefix("azureml://") {
        Some(rest) => format!("https://{}", rest.replacen("/mlflow/v1.0/", "/mlflow/v2.0/", 1)),
        None => trimmed.to_owned(),
    };
    let rest = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.starts_with('/') => Ok(address),
        _ => Err(MlflowError::Address { url: url.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_servers_and_workspaces() {
        assert_eq!(base("http://127.0.0.1:5000/").unwrap(), "http://127.0.0.1:5000");
        assert_eq!(
            base("azureml://westeurope.api.azureml.ms/mlflow/v1.0/subscriptions/s/workspaces/w").unwrap(),
            "https://westeurope.api.azureml.ms/mlflow/v2.0/subscriptions/s/workspaces/w"
        );
        for bad in ["", "file:///models", "https://", "127.0.0.1:5000"] {
            assert!(base(bad).unwrap_err().to_string().contains("begins with"), "{bad}");
        }
    }

    #[test]
    fn refusals_of_both_kinds_are_read() {
        let ours = br#"{"error_code":"RESOURCE_ALREADY_EXISTS","message":"there is one"}"#;
        let error = read("x", StatusCode::BAD_REQUEST, ours).unwrap_err();
        assert!(error.has_code("RESOURCE_ALREADY_EXISTS") && !error.is_unknown_call());
        let azure = br#"{"error":{"code":"NotFound","message":"no such route"}}"#;
        assert!(read("x", StatusCode::NOT_FOUND, azure).unwrap_err().is_unknown_call());
        assert!(read("x", StatusCode::OK, b"<html>").unwrap_err().to_string().contains("check the address"));
    }
}
