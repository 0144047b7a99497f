//! Logs, traces and metrics: to the console, and to Application Insights when its connection string is set.
//!
//! One trace follows a message from the batch to the patch: the host's `traceparent` is the parent of the batch's
//! span, and spans of patches are its children.

use axum::http::HeaderMap;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

/// The app setting that Azure sets.
const CONNECTION: &str = "APPLICATIONINSIGHTS_CONNECTION_STRING";

/// Why telemetry cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be read.
    #[error("telemetry.log = {filter:?}: {cause}")]
    Filter {
        /// The setting.
        filter: String,
        /// Why.
        cause: tracing_subscriber::filter::ParseError,
    },
    /// The connection string cannot be used; it is not repeated, since it holds a key.
    #[error("{CONNECTION} cannot be used; copy it anew from the Application Insights resource")]
    Connection,
}

/// Keeps the exporters alive; flushes when asked.
#[derive(Debug, Default)]
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Starts logging and, when configured, exporting.
    ///
    /// # Errors
    /// [`TelemetryError`].
    pub fn start(filter: &str) -> Result<Self, TelemetryError> {
        let filter = EnvFilter::try_new(filter)
            .map_err(|cause| TelemetryError::Filter { filter: filter.to_owned(), cause })?;
        let console = fmt::layer().with_target(false).with_ansi(false).with_writer(std::io::stdout);
        let registry = tracing_subscriber::registry().with(filter).with(console);
        let provider = match std::env::var(CONNECTION) {
            Ok(connection) if !connection.is_empty() => Some(provider(&connection)?),
            _ => None,
        };
        let exported =
            provider.as_ref().map(|p| tracing_opentelemetry::layer().with_tracer(p.tracer("twinwright")));
        // A second start (tests) keeps the first subscriber.
        let _ = registry.with(exported).try_init();
        Ok(Self { provider })
    }

    /// Sends what is buffered.
    pub fn flush(&self) {
        if let Some(provider) = &self.provider {
            let _ = provider.force_flush();
        }
    }
}

fn provider(connection: &str) -> Result<SdkTracerProvider, TelemetryError> {
    let client = reqwest::blocking_free_client().ok_or(TelemetryError::Connection)?;
    let exporter = opentelemetry_application_insights::Exporter::new_from_connection_string(connection, client)
        .map_err(|_| TelemetryError::Connection)?;
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).build())
}

/// A span that continues the host's trace.
pub fn continue_trace(headers: &HeaderMap, function: &'static str) -> Span {
    let span = info_span!("invocation", function);
    let context = TraceContextPropagator::new().extract(&Headers(headers));
    let _ = span.set_parent(context);
    span
}

struct Headers<'a>(&'a HeaderMap);

impl opentelemetry::propagation::Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }
    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(axum::http::HeaderName::as_str).collect()
    }
}
