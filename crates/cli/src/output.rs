//! Printing: for people by default, JSON when asked, colours and progress only on a terminal.

use std::io::IsTerminal as _;

use serde::Serialize;
use serde_json::Value;

/// Where output goes, and for whom.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
    terminal: bool,
}

impl Output {
    /// Output in JSON, or for people.
    pub fn new(json: bool) -> Self {
        Self { json, terminal: std::io::stdout().is_terminal() }
    }

    /// Whether JSON was asked for.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Prints a result: the value as JSON, or the text.
    pub fn result(self, value: &impl Serialize, text: impl FnOnce() -> String) {
        if self.json {
            println!("{}", serde_json::to_string_pretty(value).unwrap_or_default());
        } else {
            println!("{}", text());
        }
    }

    /// Prints a line for people as something happens; as one JSON object a line when JSON was asked for.
    pub fn event(self, kind: &str, text: &str, fields: Value) {
        if self.json {
            let mut object = serde_json::json!({ "event": kind });
            if let (Some(object), Value::Object(fields)) = (object.as_object_mut(), fields) {
                object.extend(fields);
            }
            println!("{object}");
        } else if self.terminal {
            let colour = match kind {
                "alert" => "\x1b[33m",
                "command" => "\x1b[31m",
                "ready" => "\x1b[32m",
                _ => "\x1b[2m",
            };
            println!("{colour}{kind:>8}\x1b[0m  {text}");
        } else {
            println!("{kind:>8}  {text}");
        }
    }
}

/// A table with aligned columns.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> =
            cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(head.to_vec())];
    lines.extend(rows.iter().map(|row| line(row.iter().map(String::as_str).collect())));
    lines.join("\n")
}

/// Text of a device or a service, safe to print: control characters are shown as `?`, so that no device rewrites
/// the terminal.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
