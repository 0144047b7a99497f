//! The custom handler: where it listens, whether it is ready, and the task that keeps it running.

mod command_line;
mod output;
mod process;
mod supervisor;

use std::time::Duration;

use axum::{
    body::Body,
    http::{Request, Uri, uri::Authority},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::sync::{mpsc, oneshot, watch};

pub(crate) use command_line::CommandLine;
pub(crate) use supervisor::{Settings, Supervisor, supervise_external};

/// The client for everything that goes to the handler.
pub(crate) type HandlerClient = Client<HttpConnector, Body>;

/// How the handler stands, as invocations see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HandlerState {
    /// Not ready: invocations wait.
    Starting,
    /// Ready, or gone after exit code 0 (which the host does not notice): invocations are sent.
    Serving { pid: Option<u32>, generation: u64 },
    /// The host gave up or stops.
    Stopped,
}

/// What the supervisor can be told.
#[derive(Debug)]
pub(crate) enum Command {
    /// SIGKILL, as if something outside had killed it: counts as an error.
    Kill,
    /// Replace the process of this generation; not counted. `taken` is dropped when calls wait for the new one.
    Restart { generation: u64, taken: oneshot::Sender<()> },
    /// End it for good.
    Stop { done: oneshot::Sender<()> },
}

/// The rest of the host's view of the handler.
#[derive(Debug, Clone)]
pub(crate) struct HandlerControl {
    pub(crate) authority: Authority,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) state: watch::Receiver<HandlerState>,
    pub(crate) initialization_timeout: Duration,
}

impl HandlerControl {
    /// Waits until calls can be sent; gives the process generation. None when the host stopped.
    pub(crate) async fn serving(&self) -> Option<u64> {
        let mut state = self.state.clone();
        let found = state.wait_for(|state| *state != HandlerState::Starting).await.ok()?;
        match *found {
            HandlerState::Serving { generation, .. } => Some(generation),
            _ => None,
        }
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        match *self.state.borrow() {
            HandlerState::Serving { pid, .. } => pid,
            _ => None,
        }
    }

    pub(crate) async fn send(&self, command: Command) {
        // A supervisor that is gone has nothing left to do.
        let _ = self.commands.send(command).await;
    }

    /// Replaces the process of this generation; what is called afterwards meets the new one.
    pub(crate) async fn restart(&self, generation: u64) {
        let (taken, dropped) = oneshot::channel();
        self.send(Command::Restart { generation, taken }).await;
        let _ = dropped.await;
    }

    pub(crate) async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        self.send(Command::Stop { done }).await;
        let _ = stopped.await;
    }

    /// A URL of the handler.
    pub(crate) fn uri(&self, path_and_query: &str) -> Result<Uri, axum::http::Error> {
        Uri::builder().scheme("http").authority(self.authority.clone()).path_and_query(path_and_query).build()
    }
}

/// A client without headers, redirects or timeouts of its own.
pub(crate) fn client() -> HandlerClient {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(Duration::from_secs(5)));
    Client::builder(TokioExecutor::new()).pool_idle_timeout(Duration::from_secs(60)).build(connector)
}

/// One `GET /`: any HTTP answer means ready.
pub(crate) async fn answers(client: &HandlerClient, authority: &Authority) -> bool {
    let uri = Uri::builder().scheme("http").authority(authority.clone()).path_and_query("/").build();
    let Some(request) = uri.ok().and_then(|uri| Request::get(uri).body(Body::empty()).ok()) else {
        return false;
    };
    matches!(tokio::time::timeout(Duration::from_secs(5), client.request(request)).await, Ok(Ok(_)))
}
