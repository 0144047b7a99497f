//! Logs, traces and metrics: to the console, and by OpenTelemetry to Application Insights when its connection
//! string is set.
//!
//! One trace follows a message from the batch to the patch: the host's `traceparent` is the parent of the batch's
//! span, and spans of patches are its children.

use std::sync::Arc;

use axum::http::HeaderMap;
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_application_insights::Exporter;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};
use twinwright_scoring::LoadedScorer;
use twinwright_scoring::metrics::MetricsReading;

use crate::counters::{Counters, Reading};
use crate::scorers::loader::Loader;

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

struct Providers {
    traces: SdkTracerProvider,
    logs: SdkLoggerProvider,
    metrics: SdkMeterProvider,
}

/// Keeps the exporters alive.
#[derive(Default)]
pub struct Telemetry {
    providers: Option<Providers>,
}

impl std::fmt::Debug for Telemetry {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Telemetry").field("exporting", &self.providers.is_some()).finish()
    }
}

impl Telemetry {
    /// Starts logging and, when a connection string is set, exporting. Call it outside the async runtime: the
    /// exporters send from threads of their own.
    ///
    /// # Errors
    /// [`TelemetryError`].
    pub fn start(filter: &str, connection: Option<&str>) -> Result<Self, TelemetryError> {
        let filter = EnvFilter::try_new(filter)
            .map_err(|cause| TelemetryError::Filter { filter: filter.to_owned(), cause })?;
        let console = fmt::layer().with_target(false).with_ansi(false).with_writer(std::io::stdout);
        let providers = connection.filter(|text| !text.is_empty()).map(providers).transpose()?;
        let traces = providers.as_ref().map(|providers| {
            tracing_opentelemetry::layer().with_tracer(providers.traces.tracer("twinwright"))
        });
        let logs = providers.as_ref().map(|providers| OpenTelemetryTracingBridge::new(&providers.logs));
        let registry = tracing_subscriber::registry().with(filter).with(console).with(traces).with(logs);
        // A second start (in tests) keeps the first subscriber.
        let _ = registry.try_init();
        Ok(Self { providers })
    }

    /// The connection string that Azure gives the process.
    pub fn connection() -> Option<String> {
        std::env::var(CONNECTION).ok()
    }

    /// Exports the counters as metrics.
    pub fn watch(&self, counters: &Arc<Counters>) {
        let Some(providers) = &self.providers else { return };
        let meter = providers.metrics.meter("twinwright");
        type Pick = fn(&Reading) -> u64;
        let list: [(&'static str, Pick); 7] = [
            ("twinwright.batches", |r| r.batches),
            ("twinwright.events", |r| r.events),
            ("twinwright.events.committed", |r| r.committed),
            ("twinwright.events.dead_lettered", |r| r.dead_lettered),
            ("twinwright.events.duplicates", |r| r.duplicates),
            ("twinwright.alerts", |r| r.alerts),
            ("twinwright.commands", |r| r.commands),
        ];
        for (name, pick) in list {
            let counters = Arc::clone(counters);
            let observe = move |observer: &dyn opentelemetry::metrics::AsyncInstrument<u64>| {
                observer.observe(pick(&counters.read()), &[]);
            };
            let _ = meter.u64_observable_counter(name).with_callback(observe).build();
        }
    }

    /// Exports what each scorer did and cost as metrics, with the scorer as an attribute.
    pub fn watch_scorers(&self, counters: &Arc<Counters>, loader: &Arc<Loader>) {
        let Some(providers) = &self.providers else { return };
        let meter = providers.metrics.meter("twinwright");
        type Pick = fn(&MetricsReading) -> u64;
        let list: [(&'static str, Pick); 6] = [
            ("twinwright.scorer.rows", |r| r.rows),
            ("twinwright.scorer.micros", |r| r.micros),
            ("twinwright.scorer.traps", |r| r.traps),
            ("twinwright.scorer.deadlines", |r| r.deadlines),
            ("twinwright.scorer.refusals", |r| r.refusals),
            ("twinwright.scorer.broken", |r| r.broken),
        ];
        let named = |loaded: &LoadedScorer| [KeyValue::new("scorer", loaded.id().to_owned())];
        for (name, pick) in list {
            let loader = Arc::clone(loader);
            let observe = move |observer: &dyn opentelemetry::metrics::AsyncInstrument<u64>| {
                loader
                    .all()
                    .iter()
                    .for_each(|loaded| observer.observe(pick(&loaded.metrics()), &named(loaded)));
            };
            let _ = meter.u64_observable_counter(name).with_callback(observe).build();
        }
        let memory = Arc::clone(loader);
        let observe = move |observer: &dyn opentelemetry::metrics::AsyncInstrument<u64>| {
            memory.all().iter().for_each(|loaded| observer.observe(loaded.metrics().memory, &named(loaded)));
        };
        let _ = meter.u64_observable_gauge("twinwright.scorer.memory").with_callback(observe).build();
        let counters = Arc::clone(counters);
        let observe = move |observer: &dyn opentelemetry::metrics::AsyncInstrument<u64>| {
            for ((equipment, scorer), rows) in counters.scored() {
                let whose = [
                    KeyValue::new("equipment", equipment.to_string()),
                    KeyValue::new("scorer", scorer.to_string()),
                ];
                observer.observe(rows, &whose);
            }
        };
        let _ = meter.u64_observable_counter("twinwright.scored").with_callback(observe).build();
    }

    /// Sends what is buffered.
    pub fn flush(&self) {
        if let Some(providers) = &self.providers {
            let _ = providers.traces.force_flush();
            let _ = providers.logs.force_flush();
            let _ = providers.metrics.force_flush();
        }
    }
}

fn providers(connection: &str) -> Result<Providers, TelemetryError> {
    let exporter = || {
        let client = reqwest::blocking::Client::builder().build().map_err(|_| TelemetryError::Connection)?;
        Exporter::new_from_connection_string(connection, client).map_err(|_| TelemetryError::Connection)
    };
    Ok(Providers {
        traces: SdkTracerProvider::builder().with_batch_exporter(exporter()?).build(),
        logs: SdkLoggerProvider::builder().with_batch_exporter(exporter()?).build(),
        metrics: SdkMeterProvider::builder().with_periodic_exporter(exporter()?).build(),
    })
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
