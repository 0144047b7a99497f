//! The query API.
// The function that reads identifiers stands outside any test function.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Service, start};
use proptest::prelude::*;
use serde_json::{Value, json};

async fn ids(service: &Service, condition: &str) -> Vec<String> {
    let answer =
        service.query(&format!("SELECT T.$dtId FROM DIGITALTWINS T WHERE {condition}")).await.expect(200, "");
    answer.body["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["$dtId"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_select() {
    let service = start().await.with_models().await.with_line(4).await;
    service.patch("/digitaltwins/machine-001", json!([{"op": "add", "path": "/serial", "value": "it's \"A1\""},
        {"op": "add", "path": "/place", "value": {"hall": "B", "row": 3}}, {"op": "add", "path": "/health/score", "value": 1.5}])).await.expect(204, "");
    for (condition, expected) in [
        ("T.speed = 1", vec!["machine-001"]),
        ("T.speed > 1 AND T.speed <= 3", vec!["machine-002", "machine-003"]),
        ("T.speed < 1 OR T.speed >= 3", vec!["machine-000", "machine-003"]),
        ("NOT (T.speed < 3 OR T.$dtId = 'line')", vec!["machine-003"]),
        ("T.speed IN [0, 2]", vec!["machine-000", "machine-002"]),
        ("T.speed NIN [0, 2]", vec!["machine-001", "machine-003"]),
        ("T.speed != 0 AND T.speed != 1 AND T.speed != 2", vec!["machine-003"]),
        ("IS_OF_MODEL(T, 'dtmi:plant:Line;1')", vec!["line"]),
        ("IS_OF_MODEL('dtmi:plant:Line;1', exact)", vec!["line"]),
        ("IS_DEFINED(T.serial)", vec!["machine-001"]),
        (
            "IS_OBJECT(T.place) AND IS_STRING(T.serial) AND IS_NUMBER(T.speed) AND NOT IS_BOOL(T.speed)",
            vec!["machine-001"],
        ),
        ("T.serial = 'it\\'s \"A1\"'", vec!["machine-001"]),
        (
            "STARTSWITH(T.serial, 'it') AND ENDS_WITH(T.serial, '\"') AND CONTAINS(T.serial, 'A1')",
            vec!["machine-001"],
        ),
        ("T.place.row = 3 AND T.[[place]].hall = 'B'", vec!["machine-001"]),
        ("T.health.score > 1", vec!["machine-001"]),
        ("T.$metadata.$model = 'dtmi:plant:Line;1'", vec!["line"]),
        ("$dtId = 'line'", vec!["line"]),
        ("T.Speed = 1", vec![]),
    ] {
        assert_eq!(ids(&service, condition).await, expected, "{condition}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_have_the_shape_that_was_asked_for() {
    let service = start().await.with_models().await.with_line(3).await;
    let count = service.query("select count() from digitaltwins").await.expect(200, "");
    assert_eq!(count.body["value"], json!([{"COUNT": 4}]));
    let charge: f64 = count.headers["query-charge"].to_str().unwrap().parse().unwrap();
    assert!(charge > 0.0);
    let top = service.query("SELECT TOP(2) FROM DIGITALTWINS").await.expect(200, "");
    assert_eq!(top.body["value"].as_array().unwrap().len(), 2);
    assert!(top.body["continuationToken"].is_null());
    let columns = service.query("SELECT M.speed AS v, M.health.score, M.missing FROM DIGITALTWINS M WHERE M.$dtId = 'machine-002'").await;
    assert_eq!(columns.body["value"], json!([{"v": 2, "score": 0.5}]));
    let whole = service.query("SELECT M FROM DIGITALTWINS M WHERE M.$dtId = 'line'").await;
    assert_eq!(whole.body["value"][0]["M"]["$dtId"], "line");
    let relationships = service
        .query("SELECT * FROM RELATIONSHIPS R WHERE R.$targetId IN ['machine-001']")
        .await
        .expect(200, "");
    assert_eq!(relationships.body["value"][0]["$relationshipId"], "has-001");
    assert_eq!(service.query("SELECT COUNT() FROM RELATIONSHIPS").await.body["value"][0]["COUNT"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_full_until_the_last() {
    let service = start().await.with_models().await.with_line(10).await;
    for (query, expected) in
        [("SELECT * FROM DIGITALTWINS", vec![4, 4, 3]), ("SELECT TOP(6) FROM DIGITALTWINS", vec![4, 2])]
    {
        let (mut body, mut sizes) = (json!({"query": query}), Vec::new());
        loop {
            let page = service
                .send("POST", "/query", Some(body), &[("max-items-per-page", "4")])
                .await
                .expect(200, "");
            sizes.push(page.body["value"].as_array().unwrap().len());
            match page.body["continuationToken"].as_str() {
                Some(token) => body = json!({"query": "ignored", "continuationToken": token}),
                None => break,
            }
        }
        assert_eq!(sizes, expected, "{query}");
    }
    service.post("/query", json!({"continuationToken": "nonsense"})).await.expect(400, "BadRequest");
    service.post("/query", json!({})).await.expect(400, "InvalidArgument");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_query_names_the_place() {
    let service = start().await;
    let refused =
        service.query("SELECT * FROM DIGITALTWINS\nWHERE speed >").await.expect(400, "SqlQueryError");
    let message = refused.body["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("line 2, position 14"), "{message}");
    service.query("SELECT A FROM DIGITALTWINS A JOIN B RELATED A.x").await.expect(400, "SqlQueryError");
}

proptest! {
    #[test]
    fn no_query_panics(text in "\\PC{0,80}") {
        let _ = twinwright_local_digital_twins::check_query(&text);
    }

    #[test]
    fn no_sequence_of_words_panics(words in prop::collection::vec(prop::sample::select(vec![
        "SELECT", "*", "FROM", "DIGITALTWINS", "T", "WHERE", "T.a", "=", "'x'", "1", "AND", "OR", "NOT", "(", ")", "IN", "[", "]", ",", "COUNT()",
        "TOP(1)", "IS_OF_MODEL(", "IS_DEFINED(", "[[x]]", "$dtId", ".", "-", "1e9", "ä", "\n", "AS", "RELATIONSHIPS", "JOIN"]), 0..24)) {
        let _ = twinwright_local_digital_twins::check_query(&words.join(" "));
        let _: Value = words.concat().into();
    }
}
