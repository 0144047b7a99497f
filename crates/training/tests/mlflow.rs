//! The MLflow client beside a real `mlflow server`, and beside servers that are away or odd.
//!
//! The real one runs where `TWINWRIGHT_MLFLOW_PYTHON` names an interpreter that has the package `mlflow`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use twinwright_training::registry::ModelCard;
use twinwright_training::registry::mlflow::{Mlflow, MlflowError, MlflowOptions};

const PYTHON: &str = "TWINWRIGHT_MLFLOW_PYTHON";
const DOCUMENT: &[u8] = br#"{"kind":"remaining-life","id":"pump-7/3","created":"2025-01-01T00:00:00Z",
    "data_hash":"aa","code_version":"0.1.0","window":{"from":"2024-01-01T00:00:00Z","to":"2024-02-01T00:00:00Z"},
    "cap":125,"unit":"cycles","metrics":{"fold_rmse_capped":12.5,"odd@name":1}}"#;

fn client(url: &str) -> Mlflow {
    rustls::crypto::ring::default_provider().install_default().ok();
    let timeout = Duration::from_secs(20);
    Mlflow::new(MlflowOptions { url: url.to_owned(), token: Some("t0ken".to_owned()), timeout }).unwrap()
}

/// Ends the server with the test, however that ends: its workers are its process group.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-TERM", "--", &group]).status();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn start(python: &str, folder: &std::path::Path) -> (Server, String) {
    use std::os::unix::process::CommandExt as _;
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    let mut command = Command::new(python);
    command
        .args([
            "-m",
            "mlflow",
            "server",
            "--host",
            "127.0.0.1",
            "--workers",
            "1",
            "--port",
            &port.to_string(),
        ])
        .arg("--backend-store-uri")
        .arg(format!("sqlite:///{}/mlflow.db", folder.display()))
        .arg("--artifacts-destination")
        .arg(folder.join("artifacts"))
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    let mut server = Server(command.spawn().unwrap());
    let deadline = Instant::now() + Duration::from_secs(120);
    let http = reqwest::Client::new();
    loop {
        let answer = http.get(format!("{url}/health")).send().await;
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            return (server, url);
        }
        assert!(server.0.try_wait().unwrap().is_none(), "mlflow server ended before it answered");
        assert!(Instant::now() < deadline, "mlflow server does not answer");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_real_server_takes_runs_versions_and_the_champion() {
    let Ok(python) = std::env::var(PYTHON) else {
        eprintln!("skipped: {PYTHON} names no interpreter with mlflow");
        return;
    };
    rustls::crypto::ring::default_provider().install_default().ok();
    let folder = tempfile::tempdir().unwrap();
    let (_server, url) = start(&python, folder.path()).await;
    let mlflow = client(&url);
    let card = ModelCard::of(DOCUMENT).unwrap();
    let first = mlflow.publish("twinwright", &card, DOCUMENT, None, 1_735_689_600_000).await.unwrap();
    assert_eq!((first.name.as_str(), first.version.as_str()), ("twinwright-remaining-life-pump-7", "1"));
    assert!(first.uploaded && !first.known);
    let again = mlflow.publish("twinwright", &card, DOCUMENT, None, 1_735_689_700_000).await.unwrap();
    assert!(again.known && again.version == "1" && again.run == first.run, "{again:?}");

    let next = String::from_utf8_lossy(DOCUMENT).replace("pump-7/3", "pump-7/4");
    let newer = ModelCard::of(next.as_bytes()).unwrap();
    let second =
        mlflow.publish("twinwright", &newer, next.as_bytes(), None, 1_735_689_800_000).await.unwrap();
    assert_eq!(second.version, "2");
    assert_eq!(mlflow.champion(&second.name).await.unwrap(), None);
    mlflow.promote(&second.name, "2").await.unwrap();
    assert_eq!(mlflow.champion(&second.name).await.unwrap().as_deref(), Some("2"));
    mlflow.promote(&second.name, "1").await.unwrap();
    assert_eq!(mlflow.champion(&second.name).await.unwrap().as_deref(), Some("1"));

    let run = reqwest::Client::new()
        .get(format!("{url}/api/2.0/mlflow/runs/get?run_id={}", first.run))
        .send()
        .await
        .unwrap();
    let run: serde_json::Value = serde_json::from_slice(&run.bytes().await.unwrap()).unwrap();
    assert_eq!(run["run"]["info"]["status"], "FINISHED");
    let metrics = run["run"]["data"]["metrics"].as_array().unwrap();
    assert!(metrics.iter().any(|metric| metric["key"] == "fold_rmse_capped" && metric["value"] == 12.5));
    let tags = run["run"]["data"]["tags"].as_array().unwrap();
    assert!(tags.iter().any(|tag| tag["key"] == "twinwright.data_hash" && tag["value"] == "aa"));
    let artifacts = run["run"]["info"]["artifact_uri"].as_str().unwrap();
    let place = artifacts.trim_start_matches("mlflow-artifacts:/");
    let stored = std::fs::read(folder.path().join("artifacts").join(place).join("model/model.json")).unwrap();
    assert_eq!(stored, DOCUMENT);
}

#[tokio::test]
async fn a_server_that_is_away_is_an_error_in_time() {
    let mlflow = client(&format!("http://127.0.0.1:{}", free_port()));
    let card = ModelCard::of(DOCUMENT).unwrap();
    let began = Instant::now();
    let error = mlflow.publish("twinwright", &card, DOCUMENT, None, 0).await.unwrap_err();
    assert!(matches!(error, MlflowError::Transport { .. }), "{error}");
    assert!(began.elapsed() < Duration::from_secs(10));
}

/// Answers each request by its path, on threads of the test's own.
fn answering(answer: fn(&str) -> (u16, &'static str)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut request, mut chunk) = (Vec::new(), [0; 4_096]);
            loop {
                let read = stream.read(&mut chunk).unwrap_or(0);
                request.extend_from_slice(&chunk[..read]);
                let text = String::from_utf8_lossy(&request).to_lowercase();
                let Some((head, body)) = text.split_once("\r\n\r\n") else {
                    if read == 0 { break } else { continue }
                };
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                if read == 0 || body.len() >= length.map_or(0, |length| length.trim().parse().unwrap()) {
                    assert!(head.contains("authorization: bearer t0ken"), "{head}");
                    break;
                }
            }
            let request = String::from_utf8_lossy(&request);
            let (status, body) = answer(request.lines().next().unwrap_or_default());
            let head =
                format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all((head + body).as_bytes());
        }
    });
    url
}

#[tokio::test]
async fn without_aliases_the_champion_is_a_tag() {
    let url = answering(|line| match line {
        line if line.contains("registered-models/alias") => {
            (404, r#"{"error":{"code":"NotFound","message":"no route"}}"#)
        }
        line if line.contains("model-versions/set-tag") => (200, "{}"),
        _ => (500, "{}"),
    });
    client(&url).promote("model", "4").await.unwrap();
}

#[tokio::test]
async fn a_web_page_in_place_of_mlflow_is_told() {
    let url = answering(|_| (200, "<html>hello</html>"));
    let card = ModelCard::of(DOCUMENT).unwrap();
    let error = client(&url).publish("twinwright", &card, DOCUMENT, None, 0).await.unwrap_err();
    assert!(error.to_string().contains("check the address"), "{error}");
}
