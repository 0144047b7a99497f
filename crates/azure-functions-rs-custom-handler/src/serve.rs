//! The life of a handler process: port, readiness, orderly end.

use std::env::{self, VarError};
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::context::INVOCATION_ID;

/// The environment variable in which the host passes the port.
pub const PORT_VARIABLE: &str = "FUNCTIONS_CUSTOMHANDLER_PORT";

/// How long invocations that run when the process is asked to end may take to finish.
pub const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// Why a handler could not start or run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The process was not started by the host.
    #[error(
        "{PORT_VARIABLE} is not set; start the handler through the Functions host (`func start`) or set it to a free port"
    )]
    PortMissing,
    /// The variable holds no port number.
    #[error("{PORT_VARIABLE} is `{value}`; it has to be a number from 1 to 65535")]
    PortInvalid {
        /// What the variable holds.
        value: String,
    },
    /// The port cannot be opened.
    #[error("cannot listen on 127.0.0.1:{port}; is another handler still running there?")]
    Bind {
        /// The port that was asked for.
        port: u16,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The listener failed while it ran.
    #[error("the listener failed")]
    Listener(#[source] io::Error),
}

/// The port that the host has chosen for the handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandlerPort(pub u16);

impl HandlerPort {
    /// Reads [`PORT_VARIABLE`].
    ///
    /// # Errors
    /// [`ServeError::PortMissing`] or [`ServeError::PortInvalid`].
    pub fn from_environment() -> Result<Self, ServeError> {
        match env::var(PORT_VARIABLE) {
            Ok(value) => Self::parse(&value),
            Err(VarError::NotPresent) => Err(ServeError::PortMissing),
            Err(VarError::NotUnicode(value)) => {
                Err(ServeError::PortInvalid { value: value.to_string_lossy().into_owned() })
            }
        }
    }

    /// Reads a port number, 1 to 65535.
    ///
    /// # Errors
    /// [`ServeError::PortInvalid`].
    pub fn parse(value: &str) -> Result<Self, ServeError> {
        match value.trim().parse::<u16>() {
            Ok(port) if port > 0 => Ok(Self(port)),
            _ => Err(ServeError::PortInvalid { value: crate::error::shorten(value) }),
        }
    }
}

/// Opens the port on the IPv4 loopback address, the only one that the host calls. Port 0 takes a free one.
///
/// # Errors
/// [`ServeError::Bind`].
pub async fn bind(port: u16) -> Result<TcpListener, ServeError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|cause| ServeError::Bind { port, cause })
}

/// Puts the answer to the host's readiness question in front of a router: a `GET /` that is no invocation is
/// answered with 200 at once.
pub fn handler(router: Router) -> Router {
    // A fallback is set so that the layer also runs for a router without any route for `/`.
    router.fallback(unknown).layer(middleware::from_fn(readiness))
}

async fn readiness(request: Request, next: Next) -> Response {
    let asks = request.method() == Method::GET
        && request.uri().path() == "/"
        && !request.headers().contains_key(INVOCATION_ID);
    if asks { (StatusCode::OK, "ready").into_response() } else { next.run(request).await }
}

async fn unknown(request: Request) -> Response {
    let path = request.uri().path();
    tracing::error!(path, "no function of this name; check the folder names beside host.json");
    let cause = format!("no function at {path}");
    (StatusCode::NOT_FOUND, axum::Json(serde_json::json!({ "error": cause }))).into_response()
}

/// Runs a handler on the host's port until `shutdown` completes, then lets running invocations finish.
///
/// # Errors
/// [`ServeError`] names the port and what to do.
pub async fn serve(
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let HandlerPort(port) = HandlerPort::from_environment()?;
    serve_on(bind(port).await?, router, shutdown).await
}

/// As [`serve`], on a listener that is open already.
///
/// # Errors
/// [`ServeError::Listener`].
pub async fn serve_on(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let (announce, announced) = oneshot::channel();
    let stop = async move {
        shutdown.await;
        tracing::info!("stopping: no new invocations, running ones may finish");
        let _ = announce.send(());
    };
    let drained_too_long = async move {
        if announced.await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(DRAIN_LIMIT).await;
    };
    let server = axum::serve(listener, handler(router)).with_graceful_shutdown(stop);
    tokio::select! {
        ended = async { server.await } => ended.map_err(ServeError::Listener),
        () = drained_too_long => {
            tracing::warn!("invocations still run {} s after the stop; they are cut off", DRAIN_LIMIT.as_secs());
            Ok(())
        }
    }
}

/// Completes when the process is asked to end: Ctrl-C, or SIGTERM from a container's runtime. (The Functions
/// host itself only ever kills, so work has to be durable before it is answered.)
pub async fn terminated() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                () = interrupted() => {}
            }
            return;
        }
    }
    interrupted().await;
}

async fn interrupted() {
    if let Err(cause) = tokio::signal::ctrl_c().await {
        // Without the signal there is no way to be asked; ending at once would be worse.
        tracing::warn!("cannot listen for Ctrl-C: {cause}");
        std::future::pending::<()>().await;
    }
}
