//! Lists, in pages. A page remembers the last key that it looked at, so changes between pages do no harm.

use std::ops::Bound;

use serde_json::{Value, json};

use super::{Store, no_twin};
use crate::answer::Refusal;
use crate::twin::Document;

/// Some rows, and the key to go on after, if there may be more.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) rows: Vec<Value>,
    pub(crate) after: Option<[String; 2]>,
}

impl Store {
    /// Relationships from a twin, or (`incoming`) to it.
    pub(crate) fn relationships(
        &self,
        twin: &str,
        name: Option<&str>,
        incoming: bool,
        after: &[String; 2],
        size: usize,
    ) -> Result<Page, Refusal> {
        let graph = self.graph();
        if !graph.twins.contains_key(twin) {
            return Err(no_twin(twin));
        }
        let mut page = Page { rows: Vec::new(), after: None };
        let start = Bound::Excluded((after[0].clone(), after[1].clone()));
        let named = |row: &Document| {
            name.is_none_or(|name| row.get("$relationshipName").and_then(Value::as_str) == Some(name))
        };
        let keys: Box<dyn Iterator<Item = &(String, String)>> = if incoming {
            let list = graph.incoming.get(twin);
            Box::new(list.into_iter().flat_map(|list| list.range((start.clone(), Bound::Unbounded))))
        } else {
            let start =
                if after[0].is_empty() { Bound::Included((twin.to_owned(), String::new())) } else { start };
            Box::new(
                graph
                    .relationships
                    .range((start, Bound::Unbounded))
                    .map(|(key, _)| key)
                    .take_while(|key| key.0 == twin),
            )
        };
        let mut last = None;
        for key in keys {
            let Some(row) = graph.relationships.get(key).filter(|row| named(row)) else { continue };
            if page.rows.len() == size {
                page.after = last;
                break;
            }
            page.rows.push(if incoming { incoming_row(row) } else { Value::Object((**row).clone()) });
            last = Some([key.0.clone(), key.1.clone()]);
        }
        Ok(page)
    }
}

/// What the list of incoming relationships tells: no properties, no etag.
fn incoming_row(row: &Document) -> Value {
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
    let (source, id) = (text("$sourceId"), text("$relationshipId"));
    json!({
        "$relationshipId": id,
        "$sourceId": source,
        "$relationshipName": text("$relationshipName"),
        "$relationshipLink": format!("/digitaltwins/{source}/relationships/{id}"),
    })
}
