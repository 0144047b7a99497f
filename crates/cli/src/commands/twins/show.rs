//! Rows of a query, for people.

use serde_json::Value;

use crate::output::{clean, table};

/// Twins as a table with their health, other rows as JSON.
pub(super) fn rows(rows: &[Value]) -> String {
    let twins = rows.iter().all(|row| row.get("$dtId").is_some() && row.get("$metadata").is_some());
    if !twins {
        return serde_json::to_string_pretty(rows).unwrap_or_default();
    }
    let row = |twin: &Value| {
        let health = &twin["health"];
        vec![
            text(&twin["$dtId"]),
            text(&twin["$metadata"]["$model"]),
            text(&health["status"]),
            text(&health["score"]),
            text(&health["topCause"]),
        ]
    };
    table(&["twin", "model", "health", "score", "top cause"], &rows.iter().map(row).collect::<Vec<_>>())
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => clean(text),
        Value::Null => "-".to_owned(),
        Value::Number(number) => number.as_f64().map_or_else(|| number.to_string(), |n| format!("{n:.2}")),
        other => other.to_string(),
    }
}
