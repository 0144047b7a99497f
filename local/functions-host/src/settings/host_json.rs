//! `host.json`: the parts that matter to a custom handler and to the four kinds of trigger.

use std::{path::Path, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::json::{at, flag, number, span, text};
use crate::{HostError, queues::MessageEncoding};

/// The settings of `host.json`, with the real host's defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct HostJson {
    /// `functionTimeout`; none means without limit. Default 30 minutes.
    pub function_timeout: Option<Duration>,
    /// `customHandler`; none when the app has no such section.
    pub custom_handler: Option<CustomHandler>,
    /// `extensions.http`.
    pub http: HttpSettings,
    /// `extensions.eventHubs`.
    pub event_hubs: EventHubSettings,
    /// `extensions.queues`.
    pub queues: QueueSettings,
    /// A root `retry`, used by functions without one of their own.
    pub retry: Option<super::RetryPolicy>,
}

/// `customHandler`.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomHandler {
    /// `description.defaultExecutablePath`, not yet expanded.
    pub executable: String,
    /// `description.workingDirectory`, relative to the app folder.
    pub working_directory: Option<String>,
    /// `description.workerDirectory`, base of a relative executable.
    pub worker_directory: Option<String>,
    /// Arguments before and after `defaultWorkerPath`, in order, not yet expanded.
    pub arguments: Vec<String>,
    /// `enableForwardingHttpRequest` (legacy).
    pub forwarding: bool,
    /// `enableProxyingHttpRequest`; wins over forwarding.
    pub proxying: bool,
    /// `initializationTimeout`. Default 30 s.
    pub initialization_timeout: Duration,
    /// `port`; none picks a free one.
    pub port: Option<u16>,
}

/// `extensions.http`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// `routePrefix`, without slashes at its ends. Default `api`.
    pub route_prefix: String,
    /// `maxConcurrentRequests`; more are answered 429. Default 1024 here, so that memory stays bounded.
    pub max_concurrent_requests: usize,
}

/// Where a partition without a checkpoint begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InitialOffset {
    /// The oldest event kept.
    Start,
    /// Only what arrives from now on.
    End,
    /// The first event enqueued at or after that time.
    Enqueued(DateTime<Utc>),
}

/// `extensions.eventHubs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventHubSettings {
    /// Events per call at most. Default 100.
    pub max_event_batch_size: usize,
    /// Wait for that many. Default 1.
    pub min_event_batch_size: usize,
    /// But no longer than this. Default 60 s.
    pub max_wait_time: Duration,
    /// Checkpoint every so many batches. Default 1.
    pub batch_checkpoint_frequency: u64,
    /// False never checkpoints. Default true.
    pub enable_checkpointing: bool,
    /// Where to begin. Default the start.
    pub initial_offset: InitialOffset,
}

/// `extensions.queues`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSettings {
    /// Messages fetched at once, at most 32. Default 16.
    pub batch_size: usize,
    /// Fetch again when no more than this many run. Default half of the batch size.
    pub new_batch_threshold: usize,
    /// How long a failed message stays hidden. Default none.
    pub visibility_timeout: Duration,
    /// Deliveries before a message is poisoned. Default 5.
    pub max_dequeue_count: i64,
    /// Longest pause between polls. Default 2 s, the real host's value for development.
    pub max_polling_interval: Duration,
    /// How bodies are written to Azure Storage. Default base64.
    pub message_encoding: MessageEncoding,
}

impl HostJson {
    /// Reads `host.json` of an app folder; `environment` may override single values by names such as
    /// `AzureFunctionsJobHost__customHandler__port`.
    pub fn load(app_folder: &Path, environment: &[(String, String)]) -> Result<Self, HostError> {
        let path = app_folder.join("host.json");
        let text = std::fs::read_to_string(&path).map_err(|source| HostError::File {
            action: "read",
            path,
            source,
        })?;
        Self::parse(&text, environment)
    }

    /// The same from text.
    pub fn parse(text: &str, environment: &[(String, String)]) -> Result<Self, HostError> {
        let mut value: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
            .map_err(|error| HostError::HostJson(format!("not valid JSON: {error}")))?;
        if !value.is_object() {
            return Err(HostError::HostJson("must be a JSON object".to_owned()));
        }
        for (name, setting) in environment {
            let Some(path) = name.strip_prefix("AzureFunctionsJobHost__") else { continue };
            override_at(&mut value, path, setting);
        }
        if text_at(&value, &["version"]).as_deref() != Some("2.0") {
            return Err(HostError::HostJson("\"version\" must be \"2.0\"".to_owned()));
        }
        Self::from_value(&value).map_err(HostError::HostJson)
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        let function_timeout = match text(value, &["functionTimeout"]) {
            Some(text) if text == "-1" || text == "-00:00:00.0010000" => None,
            Some(_) => span(value, &["functionTimeout"])?,
            None => Some(Duration::from_secs(30 * 60)),
        };
        Ok(Self {
            function_timeout,
            custom_handler: custom_handler(value)?,
            http: http(value)?,
            event_hubs: event_hubs(value)?,
            queues: queues(value)?,
            retry: super::function::retry_policy(value)?,
        })
    }
}

fn text_at(value: &Value, path: &[&str]) -> Option<String> {
    text(value, path)
}

fn override_at(value: &mut Value, path: &str, setting: &str) {
    let mut place = value;
    for name in path.split("__") {
        if !place.is_object() {
            *place = Value::Object(serde_json::Map::new());
        }
        let Value::Object(members) = place else { return };
        let key = members.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned();
        place = members.entry(key.unwrap_or_else(|| name.to_owned())).or_insert(Value::Null);
    }
    *place = Value::String(setting.to_owned());
}

fn custom_handler(value: &Value) -> Result<Option<CustomHandler>, String> {
    let Some(section) = at(value, &["customHandler"]) else { return Ok(None) };
    if at(section, &["http", "routes"]).is_some() {
        return Err(
            "customHandler.http.routes is not supported here; write a function.json with an httpTrigger"
                .into(),
        );
    }
    let executable = text(section, &["description", "defaultExecutablePath"])
        .filter(|path| !path.trim().is_empty())
        .ok_or("customHandler.description.defaultExecutablePath is missing; name the handler's executable")?;
    let list = |name: &str| -> Result<Vec<String>, String> {
        match at(section, &["description", name]) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
                Ok(items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            }
            Some(_) => Err(format!("customHandler.description.{name} must be a list of texts")),
        }
    };
    let mut arguments = list("arguments")?;
    arguments.extend(text(section, &["description", "defaultWorkerPath"]));
    arguments.extend(list("workerArguments")?);
    let port = number(section, &["port"])?
        .map(|port| {
            u16::try_from(port).map_err(|_| "customHandler.port must be between 1 and 65535".to_owned())
        })
        .transpose()?
        .filter(|port| *port != 0);
    Ok(Some(CustomHandler {
        executable,
        working_directory: text(section, &["description", "workingDirectory"]),
        worker_directory: text(section, &["description", "workerDirectory"]),
        arguments,
        forwarding: flag(section, &["enableForwardingHttpRequest"]).unwrap_or(false),
        proxying: flag(section, &["enableProxyingHttpRequest"])
            .or_else(|| flag(section, &["http", "enableProxying"]))
            .unwrap_or(false),
        initialization_timeout: span(section, &["initializationTimeout"])?.unwrap_or(Duration::from_secs(30)),
        port,
    }))
}

fn http(value: &Value) -> Result<HttpSettings, String> {
    let prefix = match at(value, &["extensions", "http", "routePrefix"]) {
        None => "api".to_owned(),
        Some(Value::String(prefix)) => prefix.trim_matches('/').to_owned(),
        Some(_) => return Err("extensions.http.routePrefix must be a text".to_owned()),
    };
    let most = number(value, &["extensions", "http", "maxConcurrentRequests"])?;
    Ok(HttpSettings {
        route_prefix: prefix,
        max_concurrent_requests: most
            .and_then(|most| usize::try_from(most).ok())
            .filter(|most| *most > 0)
            .unwrap_or(1024),
    })
}

fn event_hubs(value: &Value) -> Result<EventHubSettings, String> {
    let base = ["extensions", "eventHubs"];
    let section = at(value, &base).unwrap_or(&Value::Null);
    let max = bounded(section, "maxEventBatchSize", 100, 1, 10_000)?;
    let min = bounded(section, "minEventBatchSize", 1, 1, 10_000)?;
    if min > max {
        return Err("extensions.eventHubs.minEventBatchSize must not be above maxEventBatchSize".to_owned());
    }
    let kind = text(section, &["initialOffsetOptions", "type"]).unwrap_or_else(|| "fromStart".to_owned());
    let initial_offset = match kind.to_ascii_lowercase().as_str() {
        "fromstart" => InitialOffset::Start,
        "fromend" => InitialOffset::End,
        "fromenqueuedtime" => text(section, &["initialOffsetOptions", "enqueuedTimeUtc"])
            .and_then(|text| DateTime::parse_from_rfc3339(&text).ok())
            .map(|time| InitialOffset::Enqueued(time.to_utc()))
            .ok_or("extensions.eventHubs.initialOffsetOptions.enqueuedTimeUtc must be a time such as 2026-01-31T00:00:00Z")?,
        other => return Err(format!("extensions.eventHubs.initialOffsetOptions.type {other:?} is not known; use fromStart, fromEnd or fromEnqueuedTime")),
    };
    let wait = span(section, &["maxWaitTime"])?.unwrap_or(Duration::from_secs(60));
    Ok(EventHubSettings {
        max_event_batch_size: max,
        min_event_batch_size: min,
        max_wait_time: wait.min(Duration::from_secs(600)),
        batch_checkpoint_frequency: bounded(section, "batchCheckpointFrequency", 1, 1, 1_000_000)? as u64,
        enable_checkpointing: flag(section, &["enableCheckpointing"]).unwrap_or(true),
        initial_offset,
    })
}

fn queues(value: &Value) -> Result<QueueSettings, String> {
    let section = at(value, &["extensions", "queues"]).unwrap_or(&Value::Null);
    let batch_size = bounded(section, "batchSize", 16, 1, 32)?;
    let encoding = text(section, &["messageEncoding"]).unwrap_or_else(|| "base64".to_owned());
    Ok(QueueSettings {
        batch_size,
        new_batch_threshold: bounded(section, "newBatchThreshold", batch_size / 2, 0, 1_000)?,
        visibility_timeout: span(section, &["visibilityTimeout"])?.unwrap_or_default(),
        max_dequeue_count: i64::try_from(bounded(section, "maxDequeueCount", 5, 1, 1_000_000)?).unwrap_or(5),
        max_polling_interval: span(section, &["maxPollingInterval"])?
            .unwrap_or(Duration::from_secs(2))
            .max(Duration::from_millis(100)),
        message_encoding: match encoding.to_ascii_lowercase().as_str() {
            "base64" => MessageEncoding::Base64,
            "none" => MessageEncoding::None,
            other => {
                return Err(format!(
                    "extensions.queues.messageEncoding {other:?} is not known; use base64 or none"
                ));
            }
        },
    })
}

fn bounded(section: &Value, name: &str, default: usize, least: usize, most: usize) -> Result<usize, String> {
    match number(section, &[name])? {
        None => Ok(default),
        Some(number) => usize::try_from(number)
            .ok()
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| format!("{name} must be between {least} and {most}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_real_host() {
        let settings = HostJson::parse(r#"{"version":"2.0"}"#, &[]).unwrap();
        assert_eq!(settings.event_hubs.max_event_batch_size, 100);
        assert_eq!(settings.http.route_prefix, "api");
        assert_eq!((settings.queues.batch_size, settings.queues.new_batch_threshold), (16, 8));
        assert_eq!(settings.queues.max_dequeue_count, 5);
        assert_eq!(settings.function_timeout, Some(Duration::from_secs(1800)));
        assert_eq!(settings.custom_handler, None);
    }

    #[test]
    fn names_have_no_case_and_settings_override() {
        let text = r#"{"Version":"2.0","CUSTOMHANDLER":{"Description":{"DefaultExecutablePath":"h","arguments":["-a"],
            "defaultWorkerPath":"s.py","workerArguments":["-b"]},"EnableProxyingHttpRequest":true},
            "extensions":{"http":{"routePrefix":""},"eventHubs":{"maxEventBatchSize":1000}}}"#;
        let environment = [
            ("AzureFunctionsJobHost__customHandler__initializationTimeout".to_owned(), "00:00:05".to_owned()),
            ("AzureFunctionsJobHost__extensions__queues__batchSize".to_owned(), "4".to_owned()),
        ];
        let settings = HostJson::parse(text, &environment).unwrap();
        let handler = settings.custom_handler.unwrap();
        assert_eq!(handler.arguments, ["-a", "s.py", "-b"]);
        assert!(handler.proxying);
        assert_eq!(handler.initialization_timeout, Duration::from_secs(5));
        assert_eq!(settings.queues.batch_size, 4);
        assert_eq!(settings.http.route_prefix, "");
        assert_eq!(settings.event_hubs.max_event_batch_size, 1000);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            ("{", "not valid JSON"),
            ("{}", "version"),
            (r#"{"version":"2.0","customHandler":{}}"#, "defaultExecutablePath"),
            (r#"{"version":"2.0","extensions":{"queues":{"batchSize":99}}}"#, "batchSize"),
            (r#"{"version":"2.0","functionTimeout":"soon"}"#, "functionTimeout"),
        ] {
            let error = HostJson::parse(text, &[]).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
