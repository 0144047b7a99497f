//! Rows as JSON, written straight from the documents.

use serde_json::{Map, Value};

use super::ast::{Query, Select};
use super::evaluate::{Document, lookup};
use super::page::{Page, Row};
use crate::twin::{Wire, unfold};

/// The rows of a page as a JSON array. A property that a row lacks is left out. `with_times` is false for the oldest
/// version of the API, which knows no time of last update for the whole of a twin.
pub(crate) fn write_rows(query: &Query, page: &Page, with_times: bool) -> Result<Vec<u8>, serde_json::Error> {
    if query.select == Select::Count {
        return Ok(format!("[{{\"COUNT\":{}}}]", page.count).into_bytes());
    }
    let mut out = Vec::with_capacity(64 + 512 * page.rows.len());
    out.push(b'[');
    for (number, row) in page.rows.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        match &query.select {
            Select::Columns(columns) => {
                let parts = columns.iter().filter_map(|(key, path)| {
                    let document = row.get(path.slot)?.as_deref()?;
                    let part = match path.names.as_slice() {
                        [] => Part::Whole(document),
                        names if names.iter().any(|name| name == "$metadata") => {
                            Part::Owned(lookup(&unfold(document), names)?.clone())
                        }
                        names => Part::Inner(lookup(document, names)?),
                    };
                    Some((key, part))
                });
                write_columns(&mut out, parts, with_times)?;
            }
            _ => match first(row) {
                Some(document) => Part::Whole(document).write(&mut out, with_times)?,
                None => out.extend_from_slice(b"{}"),
            },
        }
    }
    out.push(b']');
    Ok(out)
}

enum Part<'a> {
    Whole(&'a Document),
    Inner(&'a Value),
    /// In its wire form already.
    Owned(Value),
}

impl Part<'_> {
    fn write(&self, out: &mut Vec<u8>, with_times: bool) -> Result<(), serde_json::Error> {
        let folded = match self {
            Self::Whole(document) => *document,
            Self::Inner(Value::Object(inner)) => inner,
            Self::Inner(value) => return serde_json::to_writer(out, value),
            Self::Owned(Value::Object(map)) if !with_times => {
                let mut map = map.clone();
                strip_times(&mut map);
                return serde_json::to_writer(out, &map);
            }
            Self::Owned(value) => return serde_json::to_writer(out, value),
        };
        if with_times {
            return serde_json::to_writer(out, &Wire(folded));
        }
        let mut document = unfold(folded);
        strip_times(&mut document);
        serde_json::to_writer(out, &document)
    }
}

fn first(row: &Row) -> Option<&Document> {
    row.iter().flatten().next().map(|document| &**document)
}

fn write_columns<'a>(
    out: &mut Vec<u8>,
    parts: impl Iterator<Item = (&'a String, Part<'a>)>,
    with_times: bool,
) -> Result<(), serde_json::Error> {
    out.push(b'{');
    for (number, (key, part)) in parts.enumerate() {
        if number > 0 {
            out.push(b',');
        }
        serde_json::to_writer(&mut *out, key)?;
        out.push(b':');
        part.write(out, with_times)?;
    }
    out.push(b'}');
    Ok(())
}

/// A twin's own, and its components'.
fn strip_times(document: &mut Map<String, Value>) {
    document.remove("$lastUpdateTime");
    for value in document.values_mut() {
        if let Value::Object(inner) = value {
            inner.remove("$lastUpdateTime");
            if let Some(Value::Object(metadata)) = inner.get_mut("$metadata") {
                metadata.remove("$lastUpdateTime");
            }
        }
    }
}
