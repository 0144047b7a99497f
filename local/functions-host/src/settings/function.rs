//! `function.json`: one trigger, output bindings, a retry policy.

use std::{path::Path, time::Duration};

use serde_json::Value;

use super::{
    json::{at, expand, flag, number, span, text},
    route::Route,
};
use crate::{HostError, ncrontab::Schedule};

/// How many events one call carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cardinality {
    /// One event a call; the default when the field is missing.
    One,
    /// A batch a call.
    Many,
}

/// `dataType` of a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataType {
    /// Absent: text for one value, parsed JSON for many.
    Unset,
    /// Text.
    String,
    /// Bytes.
    Binary,
}

/// What calls a function.
#[derive(Debug, Clone, PartialEq)]
pub enum Trigger {
    /// `eventHubTrigger`.
    EventHub {
        /// Shown in `PartitionContext`.
        event_hub_name: String,
        /// Shown in `PartitionContext`. Default `$Default`.
        consumer_group: String,
        /// One event or a batch a call.
        cardinality: Cardinality,
        /// Form of the events.
        data_type: DataType,
    },
    /// `timerTrigger`.
    Timer {
        /// When.
        schedule: Schedule,
        /// Also when the host starts.
        run_on_startup: bool,
        /// Remember the schedule's state over restarts.
        use_monitor: bool,
    },
    /// `queueTrigger`.
    Queue {
        /// Queue name.
        queue: String,
        /// Form of the message.
        data_type: DataType,
    },
    /// `httpTrigger`.
    Http {
        /// Path below the route prefix.
        route: Route,
        /// Allowed methods in upper case; empty allows all.
        methods: Vec<String>,
    },
}

/// Where an output goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutKind {
    /// A storage queue.
    Queue {
        /// Queue name.
        queue: String,
    },
    /// The answer to the HTTP request.
    Http,
}

/// An output binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutBinding {
    /// Key in the reply's `Outputs`, or `$return`.
    pub name: String,
    /// Where it goes.
    pub kind: OutKind,
    /// `dataType` binary: texts are not tried as base64.
    pub binary: bool,
}

/// When a failed invocation is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries after the first; none means for ever (-1 in the file).
    pub max_retry_count: Option<u32>,
    /// Pause before the first retry.
    pub minimum: Duration,
    /// Longest pause; equal to `minimum` for a fixed delay.
    pub maximum: Duration,
}

impl RetryPolicy {
    /// Pause before retry number `retry` (1 = first): doubles from the minimum up to the maximum.
    pub fn delay(&self, retry: u32) -> Duration {
        let factor = 2_u32.saturating_pow(retry.saturating_sub(1).min(20));
        self.minimum.saturating_mul(factor).min(self.maximum)
    }
}

/// A function of the app.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionDefinition {
    /// Folder name.
    pub name: String,
    /// Name of the trigger's binding: the key in `Data`.
    pub binding: String,
    /// What calls it.
    pub trigger: Trigger,
    /// Where its outputs go.
    pub outputs: Vec<OutBinding>,
    /// Retry policy of its own.
    pub retry: Option<RetryPolicy>,
}

impl FunctionDefinition {
    /// Whether the function may be proxied: nothing but one HTTP request in and one HTTP answer out.
    pub fn is_http_in_and_out(&self) -> bool {
        matches!(self.trigger, Trigger::Http { .. })
            && matches!(&self.outputs[..], [out] if out.kind == OutKind::Http)
    }

    /// Reads one `function.json`; none when it is disabled.
    pub fn parse(
        name: &str,
        json: &str,
        environment: &[(String, String)],
    ) -> Result<Option<Self>, HostError> {
        let wrong = |reason: String| HostError::Function { function: name.to_owned(), reason };
        let value: Value = serde_json::from_str(json.trim_start_matches('\u{feff}'))
            .map_err(|error| wrong(format!("not valid JSON: {error}")))?;
        let setting = format!("AzureWebJobs.{name}.Disabled");
        let off =
            environment.iter().any(|(key, value)| *key == setting && value.eq_ignore_ascii_case("true"));
        if off || flag(&value, &["disabled"]) == Some(true) {
            return Ok(None);
        }
        parse(name, &value, environment).map(Some).map_err(wrong)
    }
}

/// Reads every `<name>/function.json` one level below the app folder, in the order of their names.
pub fn load_functions(
    app_folder: &Path,
    environment: &[(String, String)],
) -> Result<Vec<FunctionDefinition>, HostError> {
    let failed = |action: &'static str, path: &Path| {
        let path = path.to_owned();
        move |source| HostError::File { action, path, source }
    };
    let mut functions = Vec::new();
    for entry in std::fs::read_dir(app_folder).map_err(failed("list", app_folder))? {
        let folder = entry.map_err(failed("list", app_folder))?.path();
        let file = folder.join("function.json");
        if !file.is_file() {
            continue;
        }
        let Some(name) = folder.file_name().and_then(|name| name.to_str()) else { continue };
        let json = std::fs::read_to_string(&file).map_err(failed("read", &file))?;
        functions.extend(FunctionDefinition::parse(name, &json, environment)?);
    }
    functions.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(functions)
}

fn parse(name: &str, value: &Value, environment: &[(String, String)]) -> Result<FunctionDefinition, String> {
    let legal = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.len() <= 128
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if !legal {
        return Err(
            "a function's folder name must be letters, digits, - and _, and begin with a letter".into()
        );
    }
    let Some(Value::Array(bindings)) = at(value, &["bindings"]) else {
        return Err("\"bindings\" must be a list with one trigger".to_owned());
    };
    let (mut trigger, mut outputs, mut names) = (None, Vec::new(), Vec::<String>::new());
    for binding in bindings {
        let binding_name =
            text(binding, &["name"]).filter(|name| !name.is_empty()).ok_or("every binding needs a name")?;
        if names.iter().any(|other| other.eq_ignore_ascii_case(&binding_name)) {
            return Err(format!("two bindings are named {binding_name:?}; names must differ"));
        }
        names.push(binding_name.clone());
        let kind = text(binding, &["type"]).ok_or_else(|| format!("binding {binding_name:?} has no type"))?;
        let direction = text(binding, &["direction"]).unwrap_or_else(|| "in".to_owned()).to_ascii_lowercase();
        if kind.to_ascii_lowercase().ends_with("trigger") {
            if trigger.is_some() {
                return Err("has two triggers; a function has exactly one".to_owned());
            }
            trigger = Some((binding_name, parse_trigger(name, &kind, binding, environment)?));
        } else if direction == "out" {
            outputs.push(parse_output(binding_name, &kind, binding, environment)?);
        } else {
            return Err(format!(
                "binding {binding_name:?}: input bindings of type {kind} are not supported by this host"
            ));
        }
    }
    let (binding, trigger) = trigger.ok_or("has no trigger; a function has exactly one")?;
    Ok(FunctionDefinition { name: name.to_owned(), binding, trigger, outputs, retry: retry_policy(value)? })
}

fn setting(binding: &Value, name: &str, environment: &[(String, String)]) -> Result<Option<String>, String> {
    let Some(raw) = text(binding, &[name]) else { return Ok(None) };
    let (value, unknown) = expand(&raw, environment);
    match unknown.first() {
        Some(missing) => Err(format!("{name} uses %{missing}%, but there is no app setting of that name")),
        None => Ok(Some(value)),
    }
}

fn data_type(binding: &Value) -> Result<DataType, String> {
    match text(binding, &["dataType"]).map(|text| text.to_ascii_lowercase()).as_deref() {
        None | Some("undefined") => Ok(DataType::Unset),
        Some("string") => Ok(DataType::String),
        Some("binary") => Ok(DataType::Binary),
        Some(other) => Err(format!("dataType {other:?} is not supported; use string or binary")),
    }
}

fn parse_trigger(
    name: &str,
    kind: &str,
    binding: &Value,
    environment: &[(String, String)],
) -> Result<Trigger, String> {
    Ok(match kind.to_ascii_lowercase().as_str() {
        "eventhubtrigger" => Trigger::EventHub {
            event_hub_name: setting(binding, "eventHubName", environment)?.unwrap_or_default(),
            consumer_group: setting(binding, "consumerGroup", environment)?
                .unwrap_or_else(|| "$Default".to_owned()),
            cardinality: match text(binding, &["cardinality"])
                .map(|text| text.to_ascii_lowercase())
                .as_deref()
            {
                None | Some("one") => Cardinality::One,
                Some("many") => Cardinality::Many,
                Some(other) => return Err(format!("cardinality {other:?} is not known; use one or many")),
            },
            data_type: data_type(binding)?,
        },
        "timertrigger" => {
            let schedule =
                setting(binding, "schedule", environment)?.ok_or("timerTrigger needs a schedule")?;
            Trigger::Timer {
                schedule: schedule.parse().map_err(|error| format!("schedule {schedule:?}: {error}"))?,
                run_on_startup: flag(binding, &["runOnStartup"]).unwrap_or(false),
                use_monitor: flag(binding, &["useMonitor"]).unwrap_or(true),
            }
        }
        "queuetrigger" => Trigger::Queue {
            queue: queue_name(setting(binding, "queueName", environment)?)?,
            data_type: data_type(binding)?,
        },
        "httptrigger" => {
            let route = setting(binding, "route", environment)?.unwrap_or_else(|| name.to_owned());
            let methods = match at(binding, &["methods"]) {
                None => Vec::new(),
                Some(Value::Array(list)) if list.iter().all(Value::is_string) => {
                    list.iter().filter_map(Value::as_str).map(str::to_ascii_uppercase).collect()
                }
                Some(_) => return Err("methods must be a list of texts".to_owned()),
            };
            Trigger::Http { route: Route::parse(&route)?, methods }
        }
        _ => {
            return Err(format!(
                "triggers of type {kind} are not supported by this host; it knows eventHubTrigger, timerTrigger, queueTrigger and httpTrigger"
            ));
        }
    })
}

fn parse_output(
    name: String,
    kind: &str,
    binding: &Value,
    environment: &[(String, String)],
) -> Result<OutBinding, String> {
    let binary = data_type(binding)? == DataType::Binary;
    let kind = match kind.to_ascii_lowercase().as_str() {
        "queue" => OutKind::Queue { queue: queue_name(setting(binding, "queueName", environment)?)? },
        "http" => OutKind::Http,
        _ => {
            return Err(format!(
                "output bindings of type {kind} are not supported by this host; it knows queue and http"
            ));
        }
    };
    Ok(OutBinding { name, kind, binary })
}

fn queue_name(name: Option<String>) -> Result<String, String> {
    let name = name.ok_or("queueName is missing")?;
    // The service refuses capitals; the real host lowers them.
    let name = name.to_ascii_lowercase();
    crate::queues::check_name(&name).map_err(|error| error.to_string())?;
    Ok(name)
}

pub(super) fn retry_policy(value: &Value) -> Result<Option<RetryPolicy>, String> {
    let Some(retry) = at(value, &["retry"]) else { return Ok(None) };
    let strategy = text(retry, &["strategy"])
        .ok_or("retry.strategy is missing; use fixedDelay or exponentialBackoff")?;
    let count =
        number(retry, &["maxRetryCount"])?.ok_or("retry.maxRetryCount is missing; -1 retries for ever")?;
    let max_retry_count = match count {
        -1 => None,
        count => Some(u32::try_from(count).map_err(|_| "retry.maxRetryCount must be -1 or more")?),
    };
    let need = |name: &str| span(retry, &[name])?.ok_or_else(|| format!("retry.{name} is missing"));
    let (minimum, maximum) = match strategy.to_ascii_lowercase().as_str() {
        "fixeddelay" => (need("delayInterval")?, need("delayInterval")?),
        "exponentialbackoff" => (need("minimumInterval")?, need("maximumInterval")?),
        _ => {
            return Err(format!(
                "retry.strategy {strategy:?} is not known; use fixedDelay or exponentialBackoff"
            ));
        }
    };
    if minimum > maximum {
        return Err("retry.minimumInterval must not be above maximumInterval".to_owned());
    }
    Ok(Some(RetryPolicy { max_retry_count, minimum, maximum }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_text(json: &str) -> Result<FunctionDefinition, String> {
        let environment = [("HUB".to_owned(), "telemetry".to_owned())];
        FunctionDefinition::parse("ingest", json, &environment)
            .map(Option::unwrap)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn an_event_hub_function() {
        let function = parse_text(
            r#"{"bindings":[{"type":"eventHubTrigger","direction":"in","name":"events","eventHubName":"%HUB%","cardinality":"many","dataType":"binary","connection":"C"},
                {"type":"queue","direction":"out","name":"alerts","queueName":"alerts","connection":"S"}],
                "retry":{"strategy":"exponentialBackoff","maxRetryCount":-1,"minimumInterval":"00:00:01","maximumInterval":"00:00:30"}}"#,
        )
        .unwrap();
        let Trigger::EventHub { event_hub_name, consumer_group, cardinality, data_type } = &function.trigger
        else {
            panic!("not an event hub trigger")
        };
        assert_eq!((event_hub_name.as_str(), consumer_group.as_str()), ("telemetry", "$Default"));
        assert_eq!((*cardinality, *data_type), (Cardinality::Many, DataType::Binary));
        let retry = function.retry.unwrap();
        assert_eq!(retry.max_retry_count, None);
        assert_eq!(retry.delay(1), Duration::from_secs(1));
        assert_eq!(retry.delay(3), Duration::from_secs(4));
        assert_eq!(retry.delay(400), Duration::from_secs(30));
    }

    #[test]
    fn mistakes_are_named() {
        for (json, expected) in [
            ("{}", "bindings"),
            (r#"{"bindings":[]}"#, "no trigger"),
            (r#"{"bindings":[{"name":"a","type":"blobTrigger"}]}"#, "not supported"),
            (
                r#"{"bindings":[{"name":"a","type":"httpTrigger"},{"name":"A","type":"http","direction":"out"}]}"#,
                "names must differ",
            ),
            (r#"{"bindings":[{"name":"a","type":"timerTrigger","schedule":"often"}]}"#, "schedule"),
            (r#"{"bindings":[{"name":"a","type":"queueTrigger","queueName":"%NO_SUCH%"}]}"#, "NO_SUCH"),
            (
                r#"{"bindings":[{"name":"a","type":"httpTrigger"}],"retry":{"strategy":"fixedDelay","maxRetryCount":2}}"#,
                "delayInterval",
            ),
        ] {
            let error = parse_text(json).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
