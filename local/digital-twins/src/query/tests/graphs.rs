//! Small graphs, and queries of them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::query::{Budget, GivenUp, Page, Position, QueryLimits, parse, run, write_rows};
use crate::store::Graph;
use crate::twin::Document;

pub(super) fn budget() -> Budget {
    Budget::new(Duration::from_secs(60), Arc::default())
}

/// Number of random cases: this, unless PROPTEST_CASES asks for another.
pub(super) fn cases(usual: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(usual)
}

pub(super) fn object(value: Value) -> Document {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

pub(super) fn put_twin(graph: &mut Graph, id: &str, model: &str, properties: Value) {
    let mut twin = object(properties);
    twin.insert("$dtId".into(), id.into());
    twin.insert("$metadata".into(), json!({"$model": model}));
    graph.insert_twin(id.to_owned(), Arc::new(twin));
}

pub(super) fn put_relationship(graph: &mut Graph, source: &str, id: &str, name: &str, target: &str) {
    let relationship =
        json!({"$relationshipId": id, "$sourceId": source, "$relationshipName": name, "$targetId": target});
    graph.insert_relationship((source.to_owned(), id.to_owned()), Arc::new(object(relationship)));
}

/// Interfaces without contents, each with what it extends.
pub(super) fn put_models(graph: &mut Graph, models: &[(&str, &[&str])]) {
    let documents: Vec<Value> = models
        .iter()
        .map(|(id, extends)| json!({"@context": "dtmi:dtdl:context;2", "@id": id, "@type": "Interface", "extends": extends}))
        .collect();
    graph.models = graph.models.with(&documents).unwrap();
}

pub(super) fn page(
    graph: &Graph,
    text: &str,
    after: Option<Position>,
    size: usize,
    budget: Budget,
) -> Result<(Vec<Value>, Page), GivenUp> {
    let query = parse(text, &QueryLimits::default()).unwrap_or_else(|error| panic!("{text}: {error}"));
    let page = run(&query, after, size, budget, || graph)?;
    let rows = serde_json::from_slice(&write_rows(&query, &page, true).unwrap()).unwrap();
    Ok((rows, page))
}

/// All rows, in pages of a size.
pub(super) fn pages(graph: &Graph, text: &str, size: usize, budget: impl Fn() -> Budget) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let (mut rows, page) = page(graph, text, after, size, budget()).unwrap();
        assert!(rows.len() == size || page.after.is_none(), "pages are full until the last");
        all.append(&mut rows);
        after = page.after;
        if after.is_none() {
            return all;
        }
    }
}

pub(super) fn rows(graph: &Graph, text: &str) -> Vec<Value> {
    pages(graph, text, 1_000_000, budget)
}
