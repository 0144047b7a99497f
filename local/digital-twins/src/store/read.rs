//! Lists and queries, in pages. A page remembers the last key that it looked at, so changes between pages do no harm.

use std::ops::Bound;

use serde_json::{Value, json};

use super::{Store, no_twin};
use crate::answer::Refusal;
use crate::query::{Query, Row, Select, Source, matches, project};
use crate::twin::unfold;

/// Some rows, and the key to go on after, if there may be more.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) rows: Vec<Value>,
    pub(crate) after: Option<[String; 2]>,
    /// Twins or relationships looked at.
    pub(crate) examined: usize,
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
        let mut page = Page { rows: Vec::new(), after: None, examined: 0 };
        let start = Bound::Excluded((after[0].clone(), after[1].clone()));
        let named = |row: &Row| {
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
        page.examined = page.rows.len();
        Ok(page)
    }

    /// Rows of a query after a key; `size` rows at most.
    pub(crate) fn query(&self, query: &Query, after: &[String; 2], size: usize) -> Page {
        let graph = self.query_graph();
        // Times of single properties are folded in memory; few conditions look at them.
        let unfolds = format!("{:?}", query.condition).contains("lastUpdateTime");
        let wanted = |row: &Row| {
            query.condition.as_ref().is_none_or(|condition| {
                if unfolds {
                    matches(condition, &unfold(row), &graph.models)
                } else {
                    matches(condition, row, &graph.models)
                }
            })
        };
        let rows: Box<dyn Iterator<Item = ([&String; 2], &Row)>> = match query.source {
            Source::Twins => {
                let range = (
                    if after[0].is_empty() { Bound::Unbounded } else { Bound::Excluded(after[0].clone()) },
                    Bound::Unbounded,
                );
                Box::new(graph.twins.range(range).map(|(id, twin)| ([id, id], &**twin)))
            }
            Source::Relationships => {
                let start = Bound::Excluded((after[0].clone(), after[1].clone()));
                Box::new(
                    graph
                        .relationships
                        .range((start, Bound::Unbounded))
                        .map(|(key, row)| ([&key.0, &key.1], &**row)),
                )
            }
        };
        let mut page = Page { rows: Vec::new(), after: None, examined: 0 };
        if query.select == Select::Count {
            let count = rows.inspect(|_| page.examined += 1).filter(|(_, row)| wanted(row)).count();
            page.rows.push(json!({"COUNT": count}));
            return page;
        }
        let mut last = None;
        for (key, row) in rows {
            page.examined += 1;
            if !wanted(row) {
                continue;
            }
            if page.rows.len() == size {
                page.after = last;
                break;
            }
            page.rows.push(project(&query.select, &unfold(row)));
            last = Some([key[0].clone(), key[1].clone()]);
        }
        page
    }
}

/// What the list of incoming relationships tells: no properties, no etag.
fn incoming_row(row: &Row) -> Value {
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
    let (source, id) = (text("$sourceId"), text("$relationshipId"));
    json!({
        "$relationshipId": id,
        "$sourceId": source,
        "$relationshipName": text("$relationshipName"),
        "$relationshipLink": format!("/digitaltwins/{source}/relationships/{id}"),
    })
}
