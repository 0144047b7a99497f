//! The service around the graph: access, limits, outages, restarts.
mod common;

use std::io::Write;
use std::time::{Duration, Instant};

use common::{Answer, Service, machine, open, start, start_with};
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
    assert_eq!(answer.headers["traceresponse"], trace);
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
async fn a_restart_keeps_all_and_a_torn_line_costs_nothing() {
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
    let token = service.twins.token().to_owned();
    let Service { twins, folder, client } = service;
    drop(client);
    twins.stop().await;
    let journal = folder.path().join("twins.journal");
    let torn = b"{\"op\":\"deleteTwin\",\"id\":\"mach";
    std::fs::OpenOptions::new().append(true).open(&journal).unwrap().write_all(torn).unwrap();
    let (twins, client) = open(folder.path(), Limits::lifted()).await;
    let service = Service { twins, client, folder };
    assert_eq!(service.twins.token(), token);
    assert_eq!(service.get("/models").await.body, models);
    assert_eq!(service.get("/digitaltwins/machine-001").await.body, twin);
    assert_eq!(service.get("/digitaltwins/line/relationships").await.body, relationships);
    service.get("/digitaltwins/machine-002").await.expect(404, "DigitalTwinNotFound");
    service.put("/digitaltwins/machine-004", machine(1)).await.expect(200, "");
    let text = std::fs::read_to_string(&journal).unwrap();
    assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_and_a_taken_folder_are_clear_errors() {
    let service = start().await;
    let tls = || {
        let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der());
        let builder = rustls::ServerConfig::builder().with_no_client_auth();
        std::sync::Arc::new(builder.with_single_cert(vec![issued.cert.der().clone()], key.into()).unwrap())
    };
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
