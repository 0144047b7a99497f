//! Import and delete jobs.

// The functions of a test stand outside any test function here.
#![allow(clippy::unwrap_used, clippy::panic)]
mod common;

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use common::{Answer, Service, models, start_configured, start_with, until};
use serde_json::{Value, json};
use twinwright_local_digital_twins::{BlobAccount, Limits};

struct Jobs {
    service: Service,
    files: tempfile::TempDir,
}

async fn start() -> Jobs {
    let files = tempfile::tempdir().unwrap();
    let folder = files.path().to_owned();
    let service = start_configured(|config| config.jobs.folder = Some(folder)).await;
    Jobs { service, files }
}

fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

fn lines(entries: &[Value]) -> String {
    entries.iter().map(|entry| format!("{entry}\n")).collect()
}

fn header() -> Vec<Value> {
    vec![json!({"Section": "Header"}), json!({"fileVersion": "1.0.0", "author": "a", "organization": "o"})]
}

fn plant(machines: usize) -> String {
    let mut entries = header();
    entries.push(json!({"Section": "Models"}));
    entries.extend(models().as_array().unwrap().iter().cloned());
    entries.push(json!({"Section": "Twins"}));
    entries.push(json!({"$dtId": "line", "$metadata": {"$model": "dtmi:plant:Line;1"}, "name": "A"}));
    for index in 0..machines {
        entries.push(json!({"$dtId": format!("m{index}"), "$metadata": {"$model": "dtmi:plant:Machine;1"}, "speed": index,
            "health": {"$metadata": {}}}));
    }
    entries.push(json!({"Section": "Relationships"}));
    for index in 0..machines {
        let key = if index % 2 == 0 { "$dtId" } else { "$sourceId" };
        entries.push(json!({key: "line", "$relationshipId": format!("r{index}"), "$relationshipName": "contains", "$targetId": format!("m{index}")}));
    }
    lines(&entries)
}

impl Jobs {
    async fn put(&self, id: &str, input: &str) -> Answer {
        std::fs::write(self.files.path().join(format!("{id}.ndjson")), input).unwrap();
        let body = json!({"inputBlobUri": uri(&self.files.path().join(format!("{id}.ndjson"))),
            "outputBlobUri": uri(&self.files.path().join(format!("{id}.log")))});
        self.service.put(&format!("/jobs/imports/{id}"), body).await
    }

    async fn run(&self, id: &str, input: &str) -> Value {
        let made = self.put(id, input).await.expect(201, "");
        assert_eq!((made.body["id"].as_str(), made.body["status"].as_str()), (Some(id), Some("notstarted")));
        ended(&self.service, &format!("/jobs/imports/{id}")).await
    }

    fn log(&self, id: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.files.path().join(format!("{id}.log"))).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

async fn ended(service: &Service, path: &str) -> Value {
    until("the end of the job", async || {
        let answer = service.get(path).await;
        assert_eq!(answer.status, 200);
        let job = answer.body;
        job["finishedDateTime"].is_string().then_some(job)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plant_is_imported_whole() {
    let jobs = start().await;
    let job = jobs.run("first", &plant(2500)).await;
    assert_eq!(job["status"], "succeeded", "{job} {:?}", jobs.log("first"));
    for name in ["createdDateTime", "lastActionDateTime", "purgeDateTime", "inputBlobUri", "outputBlobUri"] {
        assert!(job[name].is_string(), "{name}");
    }
    let log = jobs.log("first");
    let told: Vec<String> = log
        .iter()
        .map(|line| {
            format!(
                "{} {}",
                line["details"]["section"].as_str().unwrap_or("-"),
                line["details"]["status"].as_str().unwrap()
            )
        })
        .collect();
    let wanted = [
        "- Started",
        "Models Started",
        "Models Succeeded",
        "Twins Started",
        "Twins Succeeded",
        "Relationships Started",
        "Relationships Succeeded",
        "- Succeeded",
    ];
    assert_eq!(told, wanted);
    assert!(
        log.iter()
            .all(|line| line["jobId"] == "first" && line["jobType"] == "Import" && line["logType"] == "Info")
    );
    let count =
        jobs.service.query("SELECT COUNT() FROM DIGITALTWINS").await.body["value"][0]["COUNT"].clone();
    assert_eq!(count, 2501);
    assert_eq!(jobs.service.get("/digitaltwins/m2499").await.body["speed"], 2499);
    jobs.service.get("/digitaltwins/line/relationships/r2499").await.expect(200, "");
    // Once more: everything is there already, and the same entries are written again.
    assert_eq!(jobs.run("second", &plant(10)).await["status"], "succeeded");
    let listed = jobs.service.send("GET", "/jobs/imports", None, &[("max-items-per-page", "1")]).await;
    assert_eq!(listed.body["value"][0]["id"], "first");
    let next = jobs.service.get(listed.body["nextLink"].as_str().unwrap()).await.body;
    assert_eq!((&next["value"][0]["id"], &next["nextLink"]), (&json!("second"), &Value::Null));
    jobs.put("first", "").await.expect(409, "JobIdAlreadyExists");
    let path = "/jobs/imports/first";
    assert_eq!(
        jobs.service.post("/jobs/imports/first/cancel", json!({})).await.expect(200, "").body["status"],
        "succeeded"
    );
    jobs.service.delete(path).await.expect(204, "");
    jobs.service.get(path).await.expect(404, "JobNotFound");
    jobs.service.delete(path).await.expect(404, "JobNotFound");
    jobs.service.post("/jobs/imports/first/cancel", json!({})).await.expect(404, "JobNotFound");
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_entries_are_in_the_log_and_the_others_are_imported() {
    let jobs = start().await;
    assert_eq!(jobs.run("base", &plant(2)).await["status"], "succeeded");
    let mut entries = header();
    entries.push(json!({"Section": "Twins"}));
    entries.push(json!({"$dtId": "good", "$metadata": {"$model": "dtmi:plant:Line;1"}}));
    entries.push(json!({"$dtId": "bad", "$metadata": {"$model": "dtmi:plant:None;1"}}));
    entries.push(json!({"$metadata": {"$model": "dtmi:plant:Line;1"}}));
    entries.push(
        json!({"$dtId": "good", "$metadata": {"$model": "dtmi:plant:Line;1"}, "name": "the later one"}),
    );
    entries.push(json!({"Section": "Relationships"}));
    entries.push(json!({"$dtId": "line", "$relationshipId": "x", "$relationshipName": "contains", "$targetId": "gone"}));
    let input = lines(&entries)
        .replace("{\"Section\":\"Relationships\"}", "not json\n{\"Section\":\"Relationships\"}");
    let job = jobs.run("mixed", &input).await;
    assert_eq!((&job["status"], &job["error"]["code"]), (&json!("failed"), &json!("ImportFailed")));
    let log = jobs.log("mixed");
    let errors: Vec<&Value> =
        log.iter().filter(|line| line["logType"] == "Error").map(|line| &line["details"]).collect();
    assert_eq!(errors.len(), 4, "{errors:?}");
    let codes: Vec<_> = errors.iter().map(|error| error["error"]["code"].as_str().unwrap()).collect();
    assert!(codes.contains(&"ValidationFailed") && codes.contains(&"TargetDigitalTwinNotFound"), "{codes:?}");
    assert!(errors.iter().any(|error| error["id"] == "bad") && errors.iter().any(|error| error["line"] == 8));
    assert_eq!(jobs.service.get("/digitaltwins/good").await.body["name"], "the later one");
    jobs.service.get("/digitaltwins/bad").await.expect(404, "DigitalTwinNotFound");
    for (id, input) in [("empty", ""), ("order", "{\"Section\": \"Twins\"}"), ("binary", "\u{0}\u{1}")] {
        let job = jobs.run(id, input).await;
        let wanted = if id == "empty" { "succeeded" } else { "failed" };
        assert_eq!(job["status"], wanted, "{id}: {job}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn places_outside_are_refused() {
    let jobs = start().await;
    let inside = uri(&jobs.files.path().join("in"));
    std::fs::write(jobs.files.path().join("in"), "").unwrap();
    let out = uri(&jobs.files.path().join("out"));
    for (input, output) in [
        ("file:///etc/hostname", out.as_str()),
        (inside.as_str(), "file:///tmp/somewhere/out"),
        ("http://169.254.169.254/latest", &out),
        ("http://localhost:1/devstoreaccount1/c/b", &out),
        (&inside, "gopher://x"),
        ("", &out),
    ] {
        let body = json!({"inputBlobUri": input, "outputBlobUri": output});
        jobs.service.put("/jobs/imports/x", body).await.expect(400, "ValidationFailed");
    }
    jobs.service
        .put("/jobs/imports/x", json!({"inputBlobUri": inside}))
        .await
        .expect(400, "ValidationFailed");
    jobs.service
        .put("/jobs/imports/a%2Fb", json!({"inputBlobUri": inside, "outputBlobUri": out}))
        .await
        .expect(400, "ValidationFailed");
    let old = jobs.service.url("/jobs/imports").replace("2023-10-31", "2022-05-31");
    jobs.service.get(&old).await.expect(400, "UnsupportedApiVersion");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_job_runs_at_a_time_and_can_be_cancelled() {
    let jobs = start().await;
    // A named pipe would do, but is refused: a blob whose sender takes its time is a long job.
    let (sender, receiver) = tokio::sync::watch::channel(false);
    let router = Router::new().fallback(move |request: Request| {
        let mut receiver = receiver.clone();
        async move {
            if request.method() == "PUT" {
                return StatusCode::CREATED.into_response();
            }
            let first = bytes::Bytes::from(plant(1500));
            let rest = futures::stream::once(async move {
                let _ = receiver.wait_for(|go| *go).await;
                Ok::<_, std::io::Error>(bytes::Bytes::from("\n"))
            });
            let body = futures::StreamExt::chain(futures::stream::iter([Ok(first)]), rest);
            axum::body::Body::from_stream(body).into_response()
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let account =
        BlobAccount { address: format!("http://{address}/account"), name: "account".into(), key: None };
    let service = jobs.service.restart_configured(|config| config.jobs.accounts = vec![account]).await;
    let body = json!({"inputBlobUri": format!("http://{address}/account/c/in"), "outputBlobUri": format!("http://{address}/account/c/out")});
    service.put("/jobs/imports/long", body.clone()).await.expect(201, "");
    service.put("/jobs/imports/other", body).await.expect(400, "JobLimitReached");
    service.post("/jobs/deletions", json!({})).await.expect(400, "JobLimitReached");
    until("the job at work", async || {
        (service.get("/jobs/imports/long").await.body["status"] == "running").then_some(())
    })
    .await;
    service.delete("/jobs/imports/long").await.expect(400, "ValidationFailed");
    let answer = service.post("/jobs/imports/long/cancel", json!({})).await.expect(200, "");
    assert_eq!(answer.body["status"], "cancelling");
    sender.send(true).unwrap();
    assert_eq!(ended(&service, "/jobs/imports/long").await["status"], "cancelled");
    service.delete("/jobs/imports/long").await.expect(204, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_are_read_and_written_with_the_account_s_key() {
    let written: Arc<Mutex<Vec<(String, String, String)>>> = Arc::default();
    let kept = Arc::clone(&written);
    let router = Router::new().fallback(move |request: Request| {
        let kept = Arc::clone(&kept);
        async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            let key = parts.headers["authorization"].to_str().unwrap().to_owned();
            let line = format!("{} {}", parts.method, parts.uri);
            kept.lock().unwrap().push((line, key, String::from_utf8(body.to_vec()).unwrap()));
            if parts.method == "GET" { plant(3).into_response() } else { StatusCode::CREATED.into_response() }
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let account = BlobAccount {
        address: format!("http://{address}/account"),
        name: "account".into(),
        key: Some("a2V5".into()),
    };
    let service = start_configured(|config| config.jobs.accounts = vec![account]).await;
    let body = json!({"inputBlobUri": format!("http://{address}/account/c/in"), "outputBlobUri": format!("http://{address}/account/c/out")});
    service.put("/jobs/imports/blob", body).await.expect(201, "");
    assert_eq!(ended(&service, "/jobs/imports/blob").await["status"], "succeeded");
    let written = written.lock().unwrap();
    assert_eq!((written[0].0.as_str(), written[1].0.as_str()), ("GET /account/c/in", "PUT /account/c/out"));
    assert!(written.iter().all(|(_, key, _)| key.starts_with("SharedKey account:")));
    assert!(written[1].2.lines().count() >= 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_leaves_nothing() {
    let jobs = start().await;
    assert_eq!(jobs.run("plant", &plant(1200)).await["status"], "succeeded");
    let service = jobs.service;
    service.post("/jobs/deletions?timeoutInMinutes=5", json!({})).await.expect(400, "ValidationFailed");
    let made =
        service.send("POST", "/jobs/deletions", None, &[("operation-id", "all-gone")]).await.expect(202, "");
    let location = made.headers["operation-location"].to_str().unwrap().to_owned();
    assert!(location.contains("/jobs/deletions/all-gone?api-version=2023-10-31"), "{location}");
    let job = ended(&service, "/jobs/deletions/all-gone").await;
    assert_eq!(job["status"], "succeeded");
    assert!(job.get("inputBlobUri").is_none());
    assert_eq!(service.get("/models").await.body, json!({"value": [], "nextLink": null}));
    assert_eq!(service.query("SELECT * FROM DIGITALTWINS").await.body["value"], json!([]));
    service.get("/jobs/deletions/none").await.expect(404, "DeleteJobNotFound");
    let listed = service.get("/jobs/deletions").await.body;
    assert_eq!(listed["value"][0]["id"], "all-gone");
    let service = service.restart().await;
    assert_eq!(service.get("/jobs/deletions/all-gone").await.body, job);
    assert_eq!(service.get("/models").await.body["value"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_jobs_api_takes_one_request_a_second() {
    let service = start_with(Limits { jobs: 1, ..Limits::lifted() }).await;
    service.get("/jobs/imports").await.expect(200, "");
    let refused = service.get("/jobs/imports").await;
    assert_eq!(refused.status, 429);
    assert!(refused.headers.contains_key("retry-after"));
}
