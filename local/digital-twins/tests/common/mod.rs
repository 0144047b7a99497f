//! A running service and a client that trusts it.
// Helpers of tests: a failed step should stop the test at once, and not every test file uses all of them.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use reqwest::{Client, Method, Response};
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::{Value, json};
use twinwright_local_digital_twins::{Limits, LocalTwins, TwinsConfig};

pub struct Service {
    pub twins: LocalTwins,
    pub client: Client,
    pub folder: tempfile::TempDir,
    pub tls: Arc<rustls::ServerConfig>,
}

pub async fn start() -> Service {
    start_with(Limits::lifted()).await
}

pub async fn start_with(limits: Limits) -> Service {
    start_configured(|config| config.limits = limits).await
}

/// A service with what a test changes in its configuration. Limits are lifted unless the test sets them.
pub async fn start_configured(change: impl FnOnce(&mut TwinsConfig)) -> Service {
    let folder = tempfile::tempdir().unwrap();
    let (tls, client) = trust();
    let twins = open(folder.path(), &tls, change).await;
    Service { twins, client, folder, tls }
}

/// A certificate for a server, and a client that trusts it.
pub fn trust() -> (Arc<rustls::ServerConfig>, Client) {
    rustls::crypto::ring::default_provider().install_default().ok();
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der());
    let tls = rustls::ServerConfig::builder().with_no_client_auth();
    let tls = tls.with_single_cert(vec![issued.cert.der().clone()], key.into()).unwrap();
    let certificate = reqwest::Certificate::from_pem(issued.cert.pem().as_bytes()).unwrap();
    (Arc::new(tls), Client::builder().tls_certs_only([certificate]).build().unwrap())
}

pub async fn open(
    folder: &Path,
    tls: &Arc<rustls::ServerConfig>,
    change: impl FnOnce(&mut TwinsConfig),
) -> LocalTwins {
    let mut config = TwinsConfig::new(folder, Arc::clone(tls));
    config.bind = "127.0.0.1:0".parse().unwrap();
    config.limits = Limits::lifted();
    change(&mut config);
    LocalTwins::start(config).await.unwrap()
}

/// Waits until a condition holds; fails after 30 seconds.
pub async fn until<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(std::time::Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Answer {
    pub async fn read(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
        Self { status, headers, body }
    }

    /// The error's code; a job that failed is no error of the request that asks for it.
    pub fn code(&self) -> &str {
        if self.status < 400 {
            return "";
        }
        let code = self.body["error"]["code"].as_str().unwrap_or_default();
        if !code.is_empty() {
            assert_eq!(self.headers["x-ms-error-code"], code);
        }
        code
    }

    pub fn etag(&self) -> String {
        self.headers["etag"].to_str().unwrap().to_owned()
    }

    #[track_caller]
    pub fn expect(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.code()), (status, code), "{}", self.body);
        self
    }
}

impl Service {
    /// Stops the service and starts it on the same folder.
    pub async fn restart(self) -> Self {
        self.restart_configured(|_| {}).await
    }

    pub async fn restart_configured(self, change: impl FnOnce(&mut TwinsConfig)) -> Self {
        let Self { twins, client, folder, tls } = self;
        twins.stop().await;
        let twins = open(folder.path(), &tls, change).await;
        Self { twins, client, folder, tls }
    }

    pub fn url(&self, path: &str) -> String {
        let separator = if path.contains('?') { '&' } else { '?' };
        format!("https://localhost:{}{path}{separator}api-version=2023-10-31", self.twins.address().port())
    }

    pub async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let url = if path.starts_with("https:") { path.to_owned() } else { self.url(path) };
        let mut request = self.client.request(Method::from_bytes(method.as_bytes()).unwrap(), url);
        request = request.bearer_auth(self.twins.token());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        Answer::read(request.send().await.unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None, &[]).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send("PUT", path, Some(body), &[]).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, Some(body), &[]).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send("PATCH", path, Some(body), &[]).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, None, &[]).await
    }

    pub async fn query(&self, text: &str) -> Answer {
        self.post("/query", json!({"query": text})).await
    }

    /// Two models: a line that contains machines, and a machine with a health component.
    pub async fn with_models(self) -> Self {
        self.post("/models", models()).await.expect(201, "");
        self
    }

    /// A line and `count` machines, each joined to it.
    pub async fn with_line(self, count: usize) -> Self {
        self.put("/digitaltwins/line", json!({"$metadata": {"$model": "dtmi:plant:Line;1"}, "name": "A"}))
            .await
            .expect(200, "");
        for index in 0..count {
            self.put(&format!("/digitaltwins/machine-{index:03}"), machine(index)).await.expect(200, "");
            let path = format!("/digitaltwins/line/relationships/has-{index:03}");
            let body = json!({"$relationshipName": "contains", "$targetId": format!("machine-{index:03}"), "since": "2026-01-01"});
            self.put(&path, body).await.expect(200, "");
        }
        self
    }
}

pub fn machine(speed: usize) -> Value {
    json!({"$metadata": {"$model": "dtmi:plant:Machine;1"}, "speed": speed, "health": {"$metadata": {}, "score": 0.5}})
}

pub fn models() -> Value {
    json!([
        {"@context": "dtmi:dtdl:context;2", "@id": "dtmi:plant:Line;1", "@type": "Interface", "displayName": "Line", "contents": [
            {"@type": "Property", "name": "name", "schema": "string"},
            {"@type": "Relationship", "name": "contains", "target": "dtmi:plant:Machine;1", "properties": [
                {"@type": "Property", "name": "since", "schema": "date"}]}]},
        {"@context": "dtmi:dtdl:context;2", "@id": "dtmi:plant:Machine;1", "@type": "Interface", "contents": [
            {"@type": "Property", "name": "speed", "schema": "double"},
            {"@type": "Property", "name": "serial", "schema": "string"},
            {"@type": "Property", "name": "place", "schema": {"@type": "Object", "fields": [
                {"name": "hall", "schema": "string"}, {"name": "row", "schema": "integer"}]}},
            {"@type": "Telemetry", "name": "temperature", "schema": "double"},
            {"@type": "Command", "name": "emergencyStop"},
            {"@type": "Component", "name": "health", "schema": "dtmi:plant:Health;1"}]},
        {"@context": "dtmi:dtdl:context;2", "@id": "dtmi:plant:Health;1", "@type": "Interface", "contents": [
            {"@type": "Property", "name": "score", "schema": "double"}]}
    ])
}
