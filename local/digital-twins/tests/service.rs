//! The service around the graph: access, limits, outages, restarts.

// The functions of a test stand outside any test function here.
#![allow(clippy::unwrap_used, clippy::panic)]
mod common;

use std::time::{Duration, Instant};

use common::{Answer, machine, start, start_configured, start_with};
use serde_json::json;
use twinwright_local_digital_twins::{Limits, Outage, TwinsConfig, TwinsError};

#[tokio::test(flavor = "multi_thread")]
async fn only_a_right_token_opens() {
    let service = start().await;
    for token in [None, Some("wrong"), Some("")] {
        let mut request = service.client.get(service.url("/models"));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = Answer::read(request.send().await.unwrap()).await;
        assert_eq!(
            (answer.status, answer.body),
            (401, json!({"statusCode": 401, "message": "Unauthorized"}))
        );
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(service.twins.token_file()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_and_paths_are_checked_and_traces_continue() {
    let service = start().await;
    for (version, status) in
        [("2020-10-31", 200), ("2022-05-31", 200), ("2023-02-27-preview", 200), ("2019-01-01", 400)]
    {
        let url = service.url("/models").replace("2023-10-31", version);
        let request = service.client.get(url).bearer_auth(service.twins.token()).send().await.unwrap();
        assert_eq!(request.status().as_u16(), status, "{version}");
    }
    let url = service.url("/models").replace("?api-version=2023-10-31", "");
    let request = service.client.get(url).bearer_auth(service.twins.token());
    Answer::read(request.send().await.unwrap()).await.expect(400, "MissingArgument");
    service.get("/nothing").await.expect(404, "ResourceNotFound");
    service.put("/models", json!([])).await.expect(405, "MethodNotAllowed");
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let answer = service.send("GET", "/models", None, &[("traceparent", trace)]).await;
    let response = answer.headers["traceresponse"].to_str().unwrap();
    assert!(response.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && response != trace, "{response}");
    let odd = service.send("GET", "/models", None, &[("traceparent", "00-zz")]).await.expect(200, "");
    assert_eq!(odd.headers["traceresponse"].len(), 55);
    assert!(odd.headers.contains_key("mise-correlation-id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_twin_takes_ten_writes_a_second() {
    let service = start_with(Limits::default()).await.with_models().await;
    service.put("/digitaltwins/a", machine(0)).await.expect(200, "");
    service.put("/digitaltwins/b", machine(0)).await.expect(200, "");
    let patch = json!([{"op": "add", "path": "/speed", "value": 1}]);
    let deadline = Instant::now() + Duration::from_secs(20);
    let refused = loop {
        assert!(Instant::now() < deadline, "the limit was never reached");
        let answer = service.patch("/digitaltwins/a", patch.clone()).await;
        if answer.status != 204 {
            break answer;
        }
    };
    assert_eq!(refused.status, 429);
    assert_eq!(refused.body["error"]["statusCode"], 429);
    assert!(refused.body["error"].get("code").is_none());
    assert_eq!(refused.headers["retry-after"], "1");
    service.patch("/digitaltwins/b", patch.clone()).await.expect(204, "");
    while service.patch("/digitaltwins/a", patch.clone()).await.status != 204 {
        assert!(Instant::now() < deadline, "the limit was never lifted");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_refuses_or_hangs_and_ends() {
    let service = start().await;
    service.twins.set_outage(Some(Outage::Unavailable));
    let refused = service.get("/models").await.expect(503, "ServiceUnavailable");
    assert_eq!(refused.headers["retry-after"], "1");
    service.twins.set_outage(Some(Outage::Hang));
    let request = service.client.get(service.url("/models")).bearer_auth(service.twins.token());
    assert!(request.timeout(Duration::from_millis(300)).send().await.unwrap_err().is_timeout());
    service.twins.set_outage(None);
    service.get("/models").await.expect(200, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_all() {
    let service = start().await.with_models().await.with_line(3).await;
    service
        .patch("/digitaltwins/machine-001", json!([{"op": "add", "path": "/serial", "value": "S"}]))
        .await
        .expect(204, "");
    service.delete("/digitaltwins/line/relationships/has-002").await.expect(204, "");
    service.delete("/digitaltwins/machine-002").await.expect(204, "");
    let models = service.get("/models").await.body;
    let twin = service.get("/digitaltwins/machine-001").await.body;
    let relationships = service.get("/digitaltwins/line/relationships").await.body;
    let incoming = service.get("/digitaltwins/machine-000/incomingrelationships").await.body;
    let token = service.twins.token().to_owned();
    let service = service.restart().await;
    assert_eq!(service.twins.token(), token);
    assert_eq!(service.get("/models").await.body["value"], models["value"]);
    assert_eq!(service.get("/digitaltwins/machine-001").await.body, twin);
    assert_eq!(service.get("/digitaltwins/line/relationships").await.body, relationships);
    assert_eq!(service.get("/digitaltwins/machine-000/incomingrelationships").await.body, incoming);
    service.get("/digitaltwins/machine-002").await.expect(404, "DigitalTwinNotFound");
    service.put("/digitaltwins/machine-004", machine(1)).await.expect(200, "");
    service.delete("/digitaltwins/machine-000").await.expect(400, "RelationshipsNotDeleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_that_cannot_be_read_are_clear_errors() {
    let service = start().await;
    let tls = service.tls.clone();
    let fails = async |folder: &std::path::Path| {
        let mut config = TwinsConfig::new(folder, tls.clone());
        config.bind = "127.0.0.1:0".parse().unwrap();
        twinwright_local_digital_twins::LocalTwins::start(config).await.unwrap_err()
    };
    let old = tempfile::tempdir().unwrap();
    std::fs::write(old.path().join("twins.journal"), "{}").unwrap();
    let error = fails(old.path()).await;
    assert!(
        matches!(error, TwinsError::OldJournal(_)) && error.to_string().contains("move it away"),
        "{error}"
    );
    let broken = tempfile::tempdir().unwrap();
    std::fs::write(broken.path().join("twins.redb"), vec![7; 10_000]).unwrap();
    let error = fails(broken.path()).await;
    assert!(matches!(error, TwinsError::Database { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_can_lag_behind_reads() {
    let lag = Duration::from_millis(600);
    let service = start_configured(|config| config.query_lag = lag).await.with_models().await;
    let written = Instant::now();
    service.put("/digitaltwins/late", machine(1)).await.expect(200, "");
    service.get("/digitaltwins/late").await.expect(200, "");
    let deadline = written + Duration::from_secs(20);
    loop {
        let rows = service.query("SELECT * FROM DIGITALTWINS").await.expect(200, "").body["value"].clone();
        if rows.as_array().unwrap().len() == 1 {
            assert!(written.elapsed() >= lag);
            break;
        }
        assert!(Instant::now() < deadline, "the twin never showed up");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_and_a_taken_folder_are_clear_errors() {
    let service = start().await;
    let tls = || service.tls.clone();
    let other = tempfile::tempdir().unwrap();
    let mut config = TwinsConfig::new(other.path(), tls());
    config.bind = service.twins.address();
    let error = twinwright_local_digital_twins::LocalTwins::start(config).await.unwrap_err();
    assert!(
        matches!(error, TwinsError::Listen { .. }) && error.to_string().contains("free the port"),
        "{error}"
    );
    let mut config = TwinsConfig::new(service.folder.path(), tls());
    config.bind = "127.0.0.1:0".parse().unwrap();
    let error = twinwright_local_digital_twins::LocalTwins::start(config).await.unwrap_err();
    assert!(matches!(error, TwinsError::InUse(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_bodies_are_refused() {
    let service = start().await.with_models().await;
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    for body in
        ["", "{", "nul", "\u{0}", deep.as_str(), "{\"$metadata\": 5}", "{\"$metadata\": {\"$model\": 5}}"]
    {
        for (method, path) in [
            ("PUT", "/digitaltwins/a"),
            ("PATCH", "/digitaltwins/a"),
            ("POST", "/query"),
            ("POST", "/models"),
        ] {
            let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
            let request = service
                .client
                .request(method, service.url(path))
                .bearer_auth(service.twins.token())
                .body(body.to_owned());
            let status = request.send().await.unwrap().status().as_u16();
            assert!((400..500).contains(&status), "{path} {status}");
        }
    }
}
