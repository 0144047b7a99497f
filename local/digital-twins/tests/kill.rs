//! A process that is killed at any moment loses no acknowledged write, and no event of one.

// The functions of a test stand outside any test function here.
#![allow(clippy::unwrap_used, clippy::panic)]
mod common;

use std::collections::HashSet;
use std::io::BufRead;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use common::{machine, models, until};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use twinwright_local_digital_twins::{EndpointConfig, EndpointKind, Limits, LocalTwins, TwinsConfig};

/// The test starts its own program with this variable set to have a service in another process.
const FOLDER: &str = "TWINWRIGHT_TEST_TWINS_FOLDER";
const WRITERS: usize = 12;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs inside the test of kills, in a process of its own"]
async fn serve() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let folder = Path::new(&folder);
    rustls::crypto::ring::default_provider().install_default().ok();
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("ca.pem"), issued.cert.pem()).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der());
    let tls = rustls::ServerConfig::builder().with_no_client_auth();
    let tls = tls.with_single_cert(vec![issued.cert.der().clone()], key.into()).unwrap();
    let mut config = TwinsConfig::new(folder, Arc::new(tls));
    config.bind = "127.0.0.1:0".parse().unwrap();
    config.limits = Limits::lifted();
    let kind = EndpointKind::PartitionLog { folder: folder.join("log"), partitions: 2 };
    config.endpoints.push(EndpointConfig::new("log", kind));
    let service = LocalTwins::start(config).await.unwrap();
    println!("serving {}", service.address().port());
    std::future::pending::<()>().await;
}

struct Process {
    child: Child,
    client: Client,
    port: u16,
    token: String,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "serve", "--ignored", "--nocapture"])
            .env(FOLDER, folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
        let mut port = lines
            .map_while(Result::ok)
            .filter_map(|line| line.split("serving ").nth(1).and_then(|port| port.trim().parse().ok()));
        let port = port.next().expect("the service did not start");
        rustls::crypto::ring::default_provider().install_default().ok();
        let ca = std::fs::read(folder.join("ca.pem")).unwrap();
        let ca = reqwest::Certificate::from_pem(&ca).unwrap();
        let client = Client::builder().tls_certs_only([ca]).build().unwrap();
        let token = std::fs::read_to_string(folder.join("twins.token")).unwrap();
        Self { child, client, port, token }
    }

    /// A request; `None` when no answer came.
    async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Option<(u16, Value)> {
        let url = format!("https://localhost:{}{path}?api-version=2023-10-31", self.port);
        let request = self.client.request(Method::from_bytes(method.as_bytes()).unwrap(), url);
        let mut request = request.bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        let text = response.text().await.ok()?;
        Some((status, serde_json::from_str(&text).unwrap_or_default()))
    }
}

/// What one writer knows: the newest acknowledged value, and how many relationships were acknowledged.
#[derive(Debug, Clone, Default)]
struct Known {
    speed: u64,
    relationships: u64,
}

async fn write(process: &Process, writer: usize, known: &mut Known) {
    let path = format!("/digitaltwins/machine-{writer}");
    loop {
        let next = known.speed + 1;
        let patch = json!([{"op": "add", "path": "/speed", "value": next}, {"op": "add", "path": "/health/score", "value": next}]);
        match process.send("PATCH", &path, Some(patch)).await {
            Some((204, _)) => known.speed = next,
            Some(other) => panic!("{other:?}"),
            None => return,
        }
        if next.is_multiple_of(3) {
            let id = known.relationships + 1;
            let body = json!({"$relationshipName": "contains", "$targetId": format!("machine-{writer}")});
            let path = format!("/digitaltwins/line/relationships/r-{writer}-{id}");
            match process.send("PUT", &path, Some(body)).await {
                Some((200, _)) => known.relationships = id,
                Some(other) => panic!("{other:?}"),
                None => return,
            }
        }
    }
}

async fn verify(process: &Process, known: &mut [Known]) {
    for (writer, known) in known.iter_mut().enumerate() {
        let (status, twin) =
            process.send("GET", &format!("/digitaltwins/machine-{writer}"), None).await.unwrap();
        assert_eq!(status, 200);
        let speed = twin["speed"].as_u64().unwrap();
        assert_eq!(twin["health"]["score"].as_u64().unwrap_or(0), if speed == 0 { 0 } else { speed });
        // The one write without an answer may be there or not, whole or not at all.
        assert!(speed == known.speed || speed == known.speed + 1, "writer {writer}: {speed}, {known:?}");
        for id in 1..=known.relationships {
            let path = format!("/digitaltwins/line/relationships/r-{writer}-{id}");
            assert_eq!(process.send("GET", &path, None).await.unwrap().0, 200, "{path}");
        }
        known.speed = speed;
    }
}

fn logged(folder: &Path) -> HashSet<(String, u64)> {
    let mut found = HashSet::new();
    for entry in std::fs::read_dir(folder.join("log")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        // The last line may be half written while the service runs.
        for line in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            let subject = line["properties"]["cloudEvents:subject"].as_str().unwrap().to_owned();
            if let Some(value) = line["body"]["patch"][0]["value"].as_u64() {
                found.insert((subject, value));
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_write_and_no_event_is_lost() {
    let rounds: u64 = std::env::var("TWINWRIGHT_KILLS").map_or(5, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut known = vec![Known::default(); WRITERS];
    let mut process = Process::start(folder.path());
    assert_eq!(process.send("POST", "/models", Some(models())).await.unwrap().0, 201);
    let line = json!({"$metadata": {"$model": "dtmi:plant:Line;1"}});
    assert_eq!(process.send("PUT", "/digitaltwins/line", Some(line)).await.unwrap().0, 200);
    for writer in 0..WRITERS {
        let mut body = machine(0);
        body["health"] = json!({"$metadata": {}, "score": 0});
        let path = format!("/digitaltwins/machine-{writer}");
        assert_eq!(process.send("PUT", &path, Some(body)).await.unwrap().0, 200);
    }
    let route = json!({"endpointName": "log", "filter": "type = 'Microsoft.DigitalTwins.Twin.Update'"});
    assert_eq!(process.send("PUT", "/eventroutes/all", Some(route)).await.unwrap().0, 204);
    for round in 0..rounds {
        let before: u64 = known.iter().map(|known| known.speed).sum();
        let id = process.child.id();
        let pause = Duration::from_millis(60 + (round * 7919) % 400);
        let kill = tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            Command::new("kill").args(["-9", &id.to_string()]).status().unwrap();
        });
        futures::future::join_all(
            known.iter_mut().enumerate().map(|(writer, known)| write(&process, writer, known)),
        )
        .await;
        kill.await.unwrap();
        drop(process);
        let after: u64 = known.iter().map(|known| known.speed).sum();
        process = Process::start(folder.path());
        verify(&process, &mut known).await;
        eprintln!("round {round}: {} patches acknowledged, all there", after - before);
    }
    let wanted: HashSet<(String, u64)> = known
        .iter()
        .enumerate()
        .flat_map(|(writer, known)| (1..=known.speed).map(move |value| (format!("machine-{writer}"), value)))
        .collect();
    until("every event in the log", async || wanted.is_subset(&logged(folder.path())).then_some(())).await;
}
