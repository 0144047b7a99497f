//! Finding instances: by words, along the paths of hierarchies; and completing what somebody types.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::QueryError;
use crate::model::{Instance, Model};

/// Longer texts are no search.
const LONGEST: usize = 256;
/// Levels of a path.
const DEEPEST: usize = 33;
/// Hits of a page where the client does not say, and at the most.
const PAGE: usize = 10;
const MOST_PAGE: usize = 1_000;

/// The body of `POST /timeseries/instances/search`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SearchRequest {
    /// Words, each of which must be somewhere.
    pub search_string: Option<String>,
    /// Hierarchy name, then levels; everything, if there is none.
    pub path: Option<Vec<String>>,
    /// How instances are given.
    pub instances: Option<InstanceOptions>,
    /// How hierarchy nodes are given.
    pub hierarchies: Option<NodeOptions>,
}

/// How instances are given.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InstanceOptions {
    /// Also those further down.
    pub recursive: Option<bool>,
    /// `DisplayName` or `Rank`.
    pub sort: Option<Sort>,
    /// Whether words that were found are marked.
    pub highlights: Option<bool>,
    /// Hits of a page.
    pub page_size: Option<usize>,
}

/// How hierarchy nodes are given.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeOptions {
    /// `OneLevel` or `UntilChildren`.
    pub expand: Option<Expand>,
    /// `Name` or `CumulativeInstanceCount`.
    pub sort: Option<Sort>,
    /// Nodes of a page.
    pub page_size: Option<usize>,
}

/// How far nodes are opened.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Expand {
    /// `OneLevel` or `UntilChildren`.
    pub kind: Option<String>,
}

/// An order.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Sort {
    /// What of.
    pub by: Option<String>,
}

/// The body of `POST /timeseries/instances/suggest`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SuggestRequest {
    /// The begin of something.
    pub search_string: String,
    /// Suggestions at the most.
    pub take: Option<usize>,
}

/// Answers a search. `token` is the header `x-ms-continuation`: how many hits were given before, of instances or of nodes.
///
/// # Errors
/// A text or path that is too long, or a token that is none.
pub fn search(model: &Model, request: &SearchRequest, token: Option<&str>) -> Result<Value, QueryError> {
    let text = request.search_string.as_deref().unwrap_or_default();
    let path = request.path.as_deref().unwrap_or_default();
    if text.len() > LONGEST || path.len() > DEEPEST {
        let message = format!("a search has at most {LONGEST} characters and {DEEPEST} levels");
        return Err(QueryError::limit("searchString", message));
    }
    let (of_instances, of_nodes) = skip(token)?;
    let words: Vec<String> = text.to_lowercase().split_whitespace().map(str::to_owned).collect();
    let options = request.instances.clone().unwrap_or_default();
    let recursive = options.recursive.unwrap_or(!words.is_empty());
    let mut hits: Vec<&Instance> = Vec::new();
    let mut nodes: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for instance in model.instances.values().filter(|instance| matches(instance, model, &words)) {
        let (mut here, mut below) = (path.is_empty() && instance.hierarchy_ids.is_empty(), path.is_empty());
        for hierarchy in model.hierarchies.values() {
            let Some(levels) = model.path(hierarchy, instance) else { continue };
            if levels.len() < path.len()
                || levels.iter().zip(path).any(|(level, wanted)| *level != wanted.as_str())
            {
                continue;
            }
            below = true;
            match levels.get(path.len()) {
                None => here = true,
                Some(next) => _ = nodes.entry((*next).to_owned()).or_default().insert(instance.id()),
            }
        }
        if here || (recursive && below) {
            hits.push(instance);
        }
    }
    hits.sort_by(|a, b| a.display().cmp(b.display()).then_with(|| a.id().cmp(b.id())));
    let page = options.page_size.unwrap_or(PAGE).clamp(1, MOST_PAGE);
    let given: Vec<Value> =
        hits.iter().skip(of_instances).take(page).map(|hit| shown(hit, model, &words)).collect();
    let more = of_instances + given.len() < hits.len();
    let mut instances = json!({ "hits": given, "hitCount": hits.len() });
    if more {
        instances["continuationToken"] = json!(format!("i{}", of_instances + page));
    }
    let options = request.hierarchies.clone().unwrap_or_default();
    let by_count = options
        .sort
        .and_then(|sort| sort.by)
        .is_some_and(|by| by.eq_ignore_ascii_case("CumulativeInstanceCount"));
    let mut nodes: Vec<(String, usize)> = nodes.into_iter().map(|(name, ids)| (name, ids.len())).collect();
    if by_count {
        nodes.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    }
    let page = options.page_size.unwrap_or(PAGE).clamp(1, MOST_PAGE);
    let deeper = options
        .expand
        .and_then(|expand| expand.kind)
        .is_some_and(|kind| kind.eq_ignore_ascii_case("UntilChildren"));
    let mut given = Vec::new();
    for (name, count) in nodes.iter().skip(of_nodes).take(page) {
        let mut node = json!({ "name": name, "cumulativeInstanceCount": count });
        // Opened while there is one way only, as far as there is one.
        if deeper && nodes.len() == 1 && path.len() < DEEPEST {
            let further =
                SearchRequest { path: Some([path, std::slice::from_ref(name)].concat()), ..request.clone() };
            node["hierarchyNodes"] = search(model, &further, None)?["hierarchyNodes"].take();
        }
        given.push(node);
    }
    let mut found = json!({ "hits": given, "hitCount": nodes.len() });
    if of_nodes + given.len() < nodes.len() {
        found["continuationToken"] = json!(format!("h{}", of_nodes + page));
    }
    Ok(json!({ "instances": instances, "hierarchyNodes": found }))
}

/// Answers a suggestion.
///
/// # Errors
/// A text that is too long.
pub fn suggest(model: &Model, request: &SuggestRequest) -> Result<Value, QueryError> {
    let text = request.search_string.trim().to_lowercase();
    if text.len() > LONGEST {
        return Err(QueryError::limit("searchString", format!("a search has at most {LONGEST} characters")));
    }
    let mut found: BTreeSet<&str> = BTreeSet::new();
    for instance in model.instances.values() {
        let fields = instance.instance_fields.values().map(String::as_str);
        let type_name = model.types.get(&instance.type_id).map(|kind| kind.name.as_str());
        for candidate in [instance.id(), instance.display()].into_iter().chain(type_name).chain(fields) {
            if !text.is_empty() && candidate.to_lowercase().contains(&text) {
                found.insert(candidate);
            }
        }
    }
    let mut found: Vec<&str> = found.into_iter().collect();
    found.sort_by_key(|candidate| (!candidate.to_lowercase().starts_with(&text), candidate.len()));
    let take = request.take.unwrap_or(PAGE).min(MOST_PAGE);
    let words = [text];
    let shown = found.into_iter().take(take);
    let shown =
        shown.map(|text| json!({ "searchString": text, "highlightedSearchString": highlight(text, &words) }));
    Ok(json!({ "suggestions": shown.collect::<Vec<_>>() }))
}

fn skip(token: Option<&str>) -> Result<(usize, usize), QueryError> {
    let Some(token) = token else { return Ok((0, 0)) };
    let number = |text: &str| text.parse::<usize>().ok();
    let read = match (token.strip_prefix('i'), token.strip_prefix('h')) {
        (Some(rest), _) => number(rest).map(|skip| (skip, 0)),
        (_, Some(rest)) => number(rest).map(|skip| (0, skip)),
        _ => None,
    };
    let message = "the continuation token is not of a search: begin without one";
    read.ok_or_else(|| QueryError::invalid("x-ms-continuation", message))
}

fn matches(instance: &Instance, model: &Model, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let kind = model.types.get(&instance.type_id).map_or("", |kind| &kind.name);
    let mut text =
        [instance.id(), instance.display(), instance.description.as_deref().unwrap_or(""), kind].join("\n");
    instance.instance_fields.values().for_each(|field| {
        text.push('\n');
        text.push_str(field);
    });
    let text = text.to_lowercase();
    words.iter().all(|word| text.contains(word))
}

fn shown(instance: &Instance, model: &Model, words: &[String]) -> Value {
    let mut shown = json!(instance);
    let of = |text: &str| highlight(text, words);
    let fields = instance.instance_fields.iter();
    let (names, values): (Vec<&String>, Vec<String>) = fields.map(|(name, value)| (name, of(value))).unzip();
    let hierarchies = instance.hierarchy_ids.iter().filter_map(|id| model.hierarchies.get(id));
    let hierarchies: Vec<(&str, String)> =
        hierarchies.map(|hierarchy| (hierarchy.id.as_str(), of(&hierarchy.name))).collect();
    shown["highlights"] = json!({
        "timeSeriesId": [of(instance.id())],
        "type": of(model.types.get(&instance.type_id).map_or("", |kind| &kind.name)),
        "name": of(instance.display()),
        "description": of(instance.description.as_deref().unwrap_or("")),
        "hierarchyIds": hierarchies.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        "hierarchyNames": hierarchies.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>(),
        "instanceFieldNames": names,
        "instanceFieldValues": values,
    });
    shown
}

/// Marks words with `<hit>`, as the service did.
fn highlight(text: &str, words: &[String]) -> String {
    let lower = text.to_lowercase();
    let first = words.iter().filter(|word| !word.is_empty());
    let found = first.filter_map(|word| lower.find(word.as_str()).map(|at| (at, word.len()))).min();
    // Lower case may be longer than upper case: then there is no telling where the word is.
    match found.filter(|(at, length)| {
        lower.len() == text.len() && text.is_char_boundary(*at) && text.is_char_boundary(at + length)
    }) {
        Some((at, length)) => {
            format!(
                "{}<hit>{}</hit>{}",
                &text[..at],
                &text[at..at + length],
                highlight(&text[at + length..], words)
            )
        }
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Hierarchy, Source, Type};

    fn model() -> Model {
        let mut model = Model { default_type: "0".into(), ..Model::default() };
        model.types.insert("0".into(), Type::of_signals("0", "DefaultType", ["speed"].into_iter()));
        let source = Source { instance_field_names: vec!["Site".into(), "Line".into()] };
        model.hierarchies.insert("h".into(), Hierarchy { id: "h".into(), name: "Plant".into(), source });
        for (id, line, inside) in
            [("arm-1", "L1", true), ("arm-2", "L1", true), ("belt-1", "L2", true), ("loose", "", false)]
        {
            let mut instance =
                Instance { time_series_id: vec![id.into()], type_id: "0".into(), ..Instance::default() };
            if inside {
                instance.hierarchy_ids.push("h".into());
                instance.instance_fields = [("Site", "Jena"), ("Line", line)]
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .into();
            }
            model.instances.insert(id.into(), instance);
        }
        model
    }

    fn found(request: Value, token: Option<&str>) -> Value {
        search(&model(), &serde_json::from_value(request).unwrap(), token).unwrap()
    }

    #[test]
    fn paths_lead_down_and_counts_add_up() {
        let top = found(json!({ "path": null }), None);
        assert_eq!(top["hierarchyNodes"]["hits"], json!([{ "name": "Plant", "cumulativeInstanceCount": 3 }]));
        assert_eq!(top["instances"]["hits"][0]["timeSeriesId"], json!(["loose"]));
        let open =
            found(json!({ "path": [], "hierarchies": { "expand": { "kind": "UntilChildren" } } }), None);
        let lines = &open["hierarchyNodes"]["hits"][0]["hierarchyNodes"]["hits"][0]["hierarchyNodes"]["hits"];
        assert_eq!(lines[0], json!({ "name": "L1", "cumulativeInstanceCount": 2 }), "{open}");
        let line = found(json!({ "path": ["Plant", "Jena", "L1"] }), None);
        assert_eq!(
            (&line["instances"]["hitCount"], &line["hierarchyNodes"]["hitCount"]),
            (&json!(2), &json!(0))
        );
        let below =
            found(json!({ "path": ["Plant"], "instances": { "recursive": true, "pageSize": 2 } }), None);
        assert_eq!(below["instances"]["continuationToken"], "i2");
        let rest = found(
            json!({ "path": ["Plant"], "instances": { "recursive": true, "pageSize": 2 } }),
            Some("i2"),
        );
        assert_eq!(rest["instances"]["hits"][0]["timeSeriesId"], json!(["belt-1"]));
        let by_count = found(
            json!({ "path": ["Plant", "Jena"], "hierarchies": { "sort": { "by": "CumulativeInstanceCount" } } }),
            None,
        );
        assert_eq!(by_count["hierarchyNodes"]["hits"][0]["name"], "L1");
    }

    #[test]
    fn words_are_found_and_marked() {
        let hits = found(json!({ "searchString": "ARM l1" }), None);
        assert_eq!(hits["instances"]["hitCount"], 2);
        assert_eq!(hits["instances"]["hits"][0]["highlights"]["name"], "<hit>arm</hit>-1");
        let suggested =
            suggest(&model(), &SuggestRequest { search_string: "be".into(), take: None }).unwrap();
        assert_eq!(suggested["suggestions"][0]["highlightedSearchString"], "<hit>be</hit>lt-1");
        assert!(
            search(
                &model(),
                &SearchRequest { search_string: Some("x".repeat(300)), ..SearchRequest::default() },
                None
            )
            .is_err()
        );
        assert!(search(&model(), &SearchRequest::default(), Some("z")).is_err());
        assert_eq!(highlight("İstanbul", &["istanbul".to_owned()]), "İstanbul");
    }
}
