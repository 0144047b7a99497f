//! What the host is told: its own configuration, `host.json` and `function.json`.

mod function;
mod host_json;
mod json;
mod route;
mod timespan;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

pub use function::{
    Cardinality, DataType, FunctionDefinition, OutBinding, OutKind, RetryPolicy, Trigger, load_functions,
};
pub use host_json::{CustomHandler, EventHubSettings, HostJson, HttpSettings, InitialOffset, QueueSettings};
pub(crate) use json::expand;
pub use route::{Route, RouteParameters};
pub use timespan::parse_timespan;

use crate::{queues::QueueService, source::EventSource};

/// Where the HTTP endpoint listens.
#[derive(Debug)]
pub enum Bind {
    /// An address; port 0 picks a free one.
    Address(SocketAddr),
    /// A socket that the caller bound, so that it can choose the port first.
    Listener(std::net::TcpListener),
}

/// The program that answers the calls.
#[derive(Debug, Clone)]
pub enum Handler {
    /// What `customHandler.description` of `host.json` names, as a child process.
    FromHostJson,
    /// Something that already listens, such as a server in the test's own process; never started, killed or restarted.
    External {
        /// Such as `http://127.0.0.1:8080`; the path is ignored.
        url: String,
    },
}

/// How the body of a call is framed. The cloud sends chunks; Core Tools may send a length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `Transfer-Encoding: chunked`, as the host in the cloud.
    Chunked,
    /// `Content-Length`, as under Core Tools.
    ContentLength,
}

/// All that a host needs to know.
pub struct HostConfig {
    /// Folder with `host.json` and one folder per function.
    pub app_folder: PathBuf,
    /// Folder for checkpoints and timer states; made if missing.
    pub data_folder: PathBuf,
    /// Where HTTP triggers listen. Default 127.0.0.1:7071.
    pub bind: Bind,
    /// App settings: added to the child's inherited environment, and used to expand `%NAME%`.
    pub environment: Vec<(String, String)>,
    /// Which program answers. Default [`Handler::FromHostJson`].
    pub handler: Handler,
    /// Where Event Hub triggers read; needed when the app has one.
    pub event_source: Option<Arc<dyn EventSource>>,
    /// Where queue bindings read and write; needed when the app has one.
    pub queues: Option<Arc<dyn QueueService>>,
    /// Framing of the calls. Default chunked.
    pub framing: Framing,
    /// Whether calls carry a random `traceparent` header, as the cloud does now and then. Default true.
    pub traceparent: bool,
    /// Send SIGTERM and wait this long before SIGKILL. The real host does not; default none.
    pub graceful_stop: Option<Duration>,
    /// How long running invocations may go on once the host stops. Default 10 s, as in the cloud.
    pub drain: Duration,
    /// The handler error that stops the host. Default 3, as in the cloud; raise it for crash tests.
    pub error_limit: usize,
    /// Overrides `functionTimeout` of `host.json`; for tests of hanging functions.
    pub function_timeout: Option<Duration>,
}

impl HostConfig {
    /// A configuration with the defaults above.
    pub fn new(app_folder: impl Into<PathBuf>, data_folder: impl Into<PathBuf>) -> Self {
        Self {
            app_folder: app_folder.into(),
            data_folder: data_folder.into(),
            bind: Bind::Address(SocketAddr::from(([127, 0, 0, 1], 7071))),
            environment: Vec::new(),
            handler: Handler::FromHostJson,
            event_source: None,
            queues: None,
            framing: Framing::Chunked,
            traceparent: true,
            graceful_stop: None,
            drain: Duration::from_secs(10),
            error_limit: 3,
            function_timeout: None,
        }
    }
}

impl std::fmt::Debug for HostConfig {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The environment holds keys, so only its names are shown.
        let names: Vec<_> = self.environment.iter().map(|(name, _)| name).collect();
        formatter
            .debug_struct("HostConfig")
            .field("app_folder", &self.app_folder)
            .field("data_folder", &self.data_folder)
            .field("bind", &self.bind)
            .field("environment", &names)
            .field("handler", &self.handler)
            .finish_non_exhaustive()
    }
}
