//! An app folder in a temporary directory, and a handler in this process whose answers a test decides.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, Method, Response},
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::{broadcast, mpsc};
use twinwright_local_functions_host::{Bind, FunctionsHost, Handler, HostConfig, HostEvent};

/// No test waits longer than this for anything.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// An app on disk.
pub(crate) struct App {
    pub(crate) folder: TempDir,
}

impl App {
    /// An app with members of `host.json` besides the version.
    pub(crate) fn new(host_json: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("app")).unwrap();
        let comma = if host_json.is_empty() { "" } else { "," };
        let text = format!(r#"{{"version":"2.0"{comma}{host_json}}}"#);
        std::fs::write(folder.path().join("app/host.json"), text).unwrap();
        Self { folder }
    }

    pub(crate) fn function(self, name: &str, json: &str) -> Self {
        let folder = self.folder.path().join("app").join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("function.json"), json).unwrap();
        self
    }

    /// A configuration with free ports.
    pub(crate) fn config(&self, handler: Handler) -> HostConfig {
        let mut config = HostConfig::new(self.folder.path().join("app"), self.folder.path().join("data"));
        config.bind = Bind::Address("127.0.0.1:0".parse().unwrap());
        config.handler = handler;
        config.drain = Duration::from_secs(2);
        config
    }
}

/// One call as the handler saw it.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Call {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// A metadata value that is a text of JSON.
    pub(crate) fn metadata(&self, name: &str) -> Value {
        let value = self.json()["Metadata"][name].clone();
        match value.as_str() {
            Some(text) => serde_json::from_str(text).unwrap(),
            None => value,
        }
    }
}

/// What a test's handler answers.
pub(crate) type Answer = Box<dyn Fn(&Call) -> Response<Body> + Send + Sync>;

/// A handler in this process.
pub(crate) struct TestHandler {
    pub(crate) url: String,
    pub(crate) calls: Arc<Mutex<Vec<Call>>>,
    arrivals: mpsc::UnboundedReceiver<Call>,
}

impl TestHandler {
    pub(crate) async fn start(answer: impl Fn(&Call) -> Response<Body> + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let (sender, arrivals) = mpsc::unbounded_channel();
        let answer: Arc<Answer> = Arc::new(Box::new(answer));
        let kept = Arc::clone(&calls);
        let app = Router::new().fallback(move |request: Request| {
            let (kept, sender, answer) = (Arc::clone(&kept), sender.clone(), Arc::clone(&answer));
            async move {
                let (parts, body) = request.into_parts();
                let body = to_bytes(body, 64 << 20).await.unwrap().to_vec();
                let path = parts.uri.to_string();
                if parts.method == Method::GET && path == "/" {
                    return Response::new(Body::empty());
                }
                let call = Call { method: parts.method, path, headers: parts.headers, body };
                kept.lock().unwrap().push(call.clone());
                let _ = sender.send(call.clone());
                answer(&call)
            }
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, calls, arrivals }
    }

    pub(crate) fn handler(&self) -> Handler {
        Handler::External { url: self.url.clone() }
    }

    pub(crate) async fn next(&mut self) -> Call {
        tokio::time::timeout(DEADLINE, self.arrivals.recv()).await.expect("a call in time").unwrap()
    }

    pub(crate) fn count(&self) -> usize {
        self.calls.lock().unwrap().len()
    }
}

/// A JSON answer.
pub(crate) fn reply(json: &str) -> Response<Body> {
    Response::builder().header("content-type", "application/json").body(Body::from(json.to_owned())).unwrap()
}

pub(crate) fn status(code: u16) -> Response<Body> {
    Response::builder().status(code).body(Body::empty()).unwrap()
}

/// Waits for the first event that `pick` takes.
pub(crate) async fn until<T>(
    events: &mut broadcast::Receiver<HostEvent>,
    pick: impl Fn(&HostEvent) -> Option<T>,
) -> T {
    let search = async {
        loop {
            if let Some(found) = pick(&events.recv().await.unwrap()) {
                return found;
            }
        }
    };
    tokio::time::timeout(DEADLINE, search).await.expect("an event in time")
}

pub(crate) async fn start(config: HostConfig) -> FunctionsHost {
    let host = FunctionsHost::start(config).await.unwrap();
    tokio::time::timeout(DEADLINE, host.ready()).await.unwrap().unwrap();
    host
}

/// The example handler, which cargo builds beside the tests.
pub(crate) fn example_handler() -> String {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().and_then(Path::parent).unwrap().join("examples/echo_handler");
    assert!(
        path.is_file(),
        "{} is missing; run the tests without --test, or cargo build --examples",
        path.display()
    );
    path.to_str().unwrap().to_owned()
}

/// `customHandler` of `host.json` for the example handler.
pub(crate) fn example_host_json(more: &str) -> String {
    format!(
        r#""customHandler":{{"description":{{"defaultExecutablePath":{:?},"arguments":["--name","%APP_SETTING%"]}}{more}}}"#,
        example_handler()
    )
}
