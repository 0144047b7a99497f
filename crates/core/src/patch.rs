//! The newest of each twin, and the one JSON Patch that writes it (RFC 6902, `add` only: `replace` fails on a
//! property that was never set).

use std::fmt::Write as _;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::time::{Micros, iso};

/// Entries of a map property at the most: keeps a patch below ADT's 32 KB whatever a device sends.
const MAX_ENTRIES: usize = 120;
/// Characters of a text value at the most.
const MAX_TEXT: usize = 128;

/// Health in a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// No baseline yet, or the scorer is warming up.
    #[default]
    Learning,
    /// Below the limit.
    Healthy,
    /// A warning is open.
    Warning,
    /// A critical alert is open.
    Critical,
    /// The device has gone silent.
    Silent,
}

impl HealthStatus {
    /// The word on the twin.
    pub fn word(self) -> &'static str {
        match self {
            Self::Learning => "learning",
            Self::Healthy => "healthy",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Silent => "silent",
        }
    }
}

/// How long a machine is going to last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RemainingLife {
    /// What remains, in [`Self::unit`]; the longest life that the model tells apart stands for that and more.
    pub value: f64,
    /// Lower end of the 90 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// `cycles` or `hours`.
    pub unit: Arc<str>,
}

/// The `health` component of an equipment twin.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Health {
    /// Health in a word.
    pub status: HealthStatus,
    /// Newest score; 1.0 is the limit.
    pub score: Option<f64>,
    /// Signal with the largest contribution.
    pub top_cause: Option<Arc<str>>,
    /// Contribution of each signal to the score.
    pub contributions: Vec<(Arc<str>, f64)>,
    /// Scorer that said so, `name@version`.
    pub scorer: Arc<str>,
    /// Baseline it used.
    pub baseline: Arc<str>,
    /// Id of the open alert.
    pub alert: Option<String>,
    /// What remains, where the scorer estimates it.
    pub remaining_life: Option<RemainingLife>,
}

/// Everything the twin of a device should show now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TwinUpdate {
    /// Twin id.
    pub twin: Arc<str>,
    /// Partition of the device.
    pub partition: u32,
    /// Sequence number of the newest event in it.
    pub sequence: i64,
    /// Time of that event.
    pub observed_at: Micros,
    /// Newest value of each signal.
    pub latest: Vec<(Arc<str>, f64)>,
    /// Newest text of each state.
    pub states: Vec<(Arc<str>, Arc<str>)>,
    /// Health.
    pub health: Health,
}

/// What becomes of the twin's `remainingLife`, which models before `dtmi:twinwright:Equipment;2` do not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifePatch {
    /// It is written where it is known.
    Write,
    /// It is taken away: the twin has one that nobody vouches for any more.
    Remove,
    /// Nothing is said of it.
    Leave,
}

impl TwinUpdate {
    /// The JSON Patch document for `dtmi:twinwright:Equipment;1` and models that extend it.
    pub fn json_patch(&self, life: LifePatch) -> String {
        let mut out = String::with_capacity(512);
        out.push('[');
        map(&mut out, "/latest", self.latest.iter().map(|(name, value)| (&**name, Value::Number(*value))));
        map(&mut out, "/states", self.states.iter().map(|(name, text)| (&**name, Value::Text(text))));
        text(&mut out, "/observedAt", &iso(self.observed_at));
        let health = &self.health;
        text(&mut out, "/health/status", health.status.word());
        if let Some(score) = health.score {
            open(&mut out, "/health/score");
            number(&mut out, score);
            out.push('}');
        }
        text(&mut out, "/health/topCause", health.top_cause.as_deref().unwrap_or(""));
        let contributions = health.contributions.iter().map(|(name, value)| (&**name, Value::Number(*value)));
        map(&mut out, "/health/contributions", contributions);
        text(&mut out, "/health/scorer", &health.scorer);
        text(&mut out, "/health/baseline", &health.baseline);
        text(&mut out, "/health/alert", health.alert.as_deref().unwrap_or(""));
        if life == LifePatch::Remove {
            out.push_str(r#",{"op":"remove","path":"/health/remainingLife"}"#);
        }
        if let Some(life) = health.remaining_life.as_ref().filter(|_| life == LifePatch::Write) {
            open(&mut out, "/health/remainingLife");
            for (at, (name, value)) in
                [("value", life.value), ("low", life.low), ("high", life.high)].into_iter().enumerate()
            {
                let _ = write!(out, r#"{}"{name}":"#, if at == 0 { '{' } else { ',' });
                number(&mut out, value);
            }
            out.push_str(r#","unit":"#);
            quoted(&mut out, &life.unit);
            out.push_str("}}");
        }
        out.push(']');
        out
    }
}

enum Value<'a> {
    Number(f64),
    Text(&'a str),
}

fn open(out: &mut String, path: &str) {
    if out.len() > 1 {
        out.push(',');
    }
    let _ = write!(out, r#"{{"op":"add","path":"{path}","value":"#);
}

fn text(out: &mut String, path: &str, value: &str) {
    open(out, path);
    quoted(out, value);
    out.push('}');
}

fn map<'a>(out: &mut String, path: &str, entries: impl Iterator<Item = (&'a str, Value<'a>)>) {
    open(out, path);
    out.push('{');
    for (at, (name, value)) in entries.take(MAX_ENTRIES).enumerate() {
        if at > 0 {
            out.push(',');
        }
        quoted(out, &map_key(name));
        out.push(':');
        match value {
            Value::Number(value) => number(out, value),
            Value::Text(value) => quoted(out, value),
        }
    }
    out.push_str("}}");
}

/// A map key that DTDL allows: letters, digits and underscores, a letter first, at most 64 characters.
pub fn map_key(name: &str) -> String {
    let mut key: String =
        name.chars().take(64).map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if !key.starts_with(|c: char| c.is_ascii_alphabetic()) {
        key.insert(0, 'n');
        key.truncate(64);
    }
    while key.ends_with('_') && key.len() > 1 {
        key.pop();
    }
    key
}

/// JSON has no NaN and no infinities; nothing of them is ever written to a twin.
fn number(out: &mut String, value: f64) {
    if value.is_finite() {
        let _ = write!(out, "{value}");
    } else {
        out.push('0');
    }
}

fn quoted(out: &mut String, value: &str) {
    out.push('"');
    for c in value.chars().take(MAX_TEXT) {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn remaining_life_is_one_value_and_absent_where_nobody_knows() {
        let mut update = TwinUpdate::default();
        assert!(!update.json_patch(LifePatch::Write).contains("remainingLife"));
        let life = RemainingLife { value: 41.5, low: 30.0, high: f64::NAN, unit: Arc::from("cycles") };
        update.health.remaining_life = Some(life);
        let patch: serde_json::Value = serde_json::from_str(&update.json_patch(LifePatch::Write)).unwrap();
        let last = patch.as_array().and_then(|operations| operations.last()).unwrap();
        assert_eq!(last["path"], "/health/remainingLife");
        let number = |name: &str| last["value"][name].as_f64();
        assert_eq!([number("value"), number("low"), number("high")], [Some(41.5), Some(30.0), Some(0.0)]);
        assert_eq!(last["value"]["unit"], "cycles");
        assert!(!update.json_patch(LifePatch::Leave).contains("remainingLife"));
        let removed: serde_json::Value = serde_json::from_str(&update.json_patch(LifePatch::Remove)).unwrap();
        let last = removed.as_array().and_then(|operations| operations.last()).unwrap();
        assert_eq!(*last, serde_json::json!({ "op": "remove", "path": "/health/remainingLife" }));
    }

    proptest! {
        #[test]
        fn a_patch_is_json_below_the_limit_whatever_the_names(
            names in proptest::collection::vec(".{0,200}", 0..300),
            value in any::<f64>(),
        ) {
            let update = TwinUpdate {
                latest: names.iter().map(|name| (Arc::from(name.as_str()), value)).collect(),
                states: names.iter().map(|name| (Arc::from(name.as_str()), Arc::from(name.as_str()))).collect(),
                ..TwinUpdate::default()
            };
            let patch = update.json_patch(LifePatch::Write);
            let parsed: serde_json::Value = serde_json::from_str(&patch)?;
            prop_assert!(parsed.as_array().is_some_and(|ops| ops.iter().all(|op| op["op"] == "add")));
            for key in parsed[0]["value"].as_object().into_iter().flat_map(|map| map.keys()) {
                prop_assert!(key.starts_with(|c: char| c.is_ascii_alphabetic()));
            }
        }
    }
}
