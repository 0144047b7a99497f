//! Each file `queries/*.case` holds queries and the rows that they must give, of the graph in `queries/graph.json`.
//!
//! A case is a comment, a line with the query, and a line for each row, in any order; an empty line ends it. `"*"` in a
//! row stands for any value.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::PathBuf;

use common::{Service, start};
use serde_json::{Value, json};

async fn with_graph(service: Service, graph: &Value) -> Service {
    service.post("/models", graph["models"].clone()).await.expect(201, "");
    for (id, twin) in graph["twins"].as_object().unwrap() {
        let mut twin = twin.clone();
        let model = twin.as_object_mut().unwrap().remove("model").unwrap();
        twin["$metadata"] = json!({"$model": model});
        if let Some(health) = twin.get_mut("health") {
            health["$metadata"] = json!({});
        }
        service.put(&format!("/digitaltwins/{id}"), twin).await.expect(200, "");
    }
    for relationship in graph["relationships"].as_array().unwrap() {
        let mut body = relationship.clone();
        let mut take = |name: &str| body.as_object_mut().unwrap().remove(name).unwrap();
        let (from, id, name, to) = (take("from"), take("id"), take("name"), take("to"));
        body["$relationshipName"] = name;
        body["$targetId"] = to;
        let path = format!("/digitaltwins/{}/relationships/{}", from.as_str().unwrap(), id.as_str().unwrap());
        service.put(&path, body).await.expect(200, "");
    }
    service
}

/// Puts the star wherever the expected row has one.
fn hide(found: &mut Value, expected: &Value) {
    if expected == "*" {
        *found = "*".into();
    } else if let (Some(found), Some(expected)) = (found.as_object_mut(), expected.as_object()) {
        for (key, expected) in expected {
            if let Some(found) = found.get_mut(key) {
                hide(found, expected);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cases_give_their_rows() {
    // Asked when it runs: another checkout may have compiled it.
    let folder = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("tests/queries");
    let graph: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("graph.json")).unwrap()).unwrap();
    let service = with_graph(start().await, &graph).await;
    let mut run = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_none_or(|extension| extension != "case") {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        for case in text.split("\n\n") {
            let mut lines = case.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
            let Some(query) = lines.next() else { continue };
            let mut expected: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
            let answer = service.query(query).await;
            assert_eq!(answer.status, 200, "{}: {query}: {}", file.display(), answer.body);
            let mut found = answer.body["value"].as_array().unwrap().clone();
            for (found, expected) in found.iter_mut().zip(&expected) {
                hide(found, expected);
            }
            found.sort_by_key(Value::to_string);
            expected.sort_by_key(Value::to_string);
            assert_eq!(found, expected, "{}: {query}", file.display());
            run += 1;
        }
    }
    assert!(run > 50, "only {run} cases were found");
}
