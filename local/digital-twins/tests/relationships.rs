//! Relationships, outgoing and incoming.

// The functions of a test stand outside any test function here.
#![allow(clippy::unwrap_used, clippy::panic)]
mod common;

use common::{machine, start};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_relationship_lives_from_put_to_delete() {
    let service = start().await.with_models().await.with_line(2).await;
    let path = "/digitaltwins/line/relationships/has-000";
    let read = service.get(path).await.expect(200, "");
    assert_eq!(read.body["$etag"], read.etag());
    assert_eq!(read.body["$sourceId"], "line");
    assert_eq!(read.body["$targetId"], "machine-000");
    assert!(read.body.get("$metadata").is_none());
    let patched = service
        .patch(path, json!([{"op": "replace", "path": "/since", "value": "2026-02-01"}]))
        .await
        .expect(204, "");
    assert_eq!(service.get(path).await.etag(), patched.etag());
    service
        .patch(path, json!([{"op": "replace", "path": "/$targetId", "value": "machine-001"}]))
        .await
        .expect(400, "JsonPatchInvalid");
    service
        .patch(path, json!([{"op": "add", "path": "/since", "value": "soon"}]))
        .await
        .expect(400, "ValidationFailed");
    service
        .send("PATCH", path, Some(json!([{"op": "remove", "path": "/since"}])), &[("if-match", &read.etag())])
        .await
        .expect(412, "PreconditionFailed");
    service.send("DELETE", path, None, &[("if-match", &read.etag())]).await.expect(412, "PreconditionFailed");
    service.delete("/digitaltwins/machine-000").await.expect(400, "RelationshipsNotDeleted");
    service.delete("/digitaltwins/line").await.expect(400, "RelationshipsNotDeleted");
    service.delete(path).await.expect(204, "");
    service.delete(path).await.expect(404, "RelationshipNotFound");
    service.get(path).await.expect(404, "RelationshipNotFound");
    service.delete("/digitaltwins/machine-000").await.expect(204, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relationship_must_fit_the_graph() {
    let service = start().await.with_models().await.with_line(2).await;
    let path = "/digitaltwins/line/relationships/new";
    let body = |target: &str| json!({"$relationshipName": "contains", "$targetId": target});
    service.put(path, json!({"$targetId": "machine-000"})).await.expect(400, "InvalidArgument");
    service.put(path, json!({"$relationshipName": "contains"})).await.expect(400, "InvalidArgument");
    service.put(path, body("line")).await.expect(400, "OperationNotAllowed");
    service.put(path, body("none")).await.expect(404, "TargetDigitalTwinNotFound");
    service
        .put(path, json!({"$relationshipName": "eats", "$targetId": "machine-000"}))
        .await
        .expect(400, "InvalidRelationship");
    service
        .put("/digitaltwins/none/relationships/new", body("machine-000"))
        .await
        .expect(404, "DigitalTwinNotFound");
    service
        .put("/digitaltwins/other", json!({"$metadata": {"$model": "dtmi:plant:Line;1"}}))
        .await
        .expect(200, "");
    service.put(path, body("other")).await.expect(400, "InvalidRelationship");
    let mut wrong = body("machine-000");
    wrong["since"] = 5.into();
    service.put(path, wrong).await.expect(400, "ValidationFailed");
    service.put(path, body("machine-000")).await.expect(200, "");
    service.put(path, body("machine-001")).await.expect(400, "InvalidArgument");
    service
        .send("PUT", path, Some(body("machine-000")), &[("if-none-match", "*")])
        .await
        .expect(412, "PreconditionFailed");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_paged_and_filtered() {
    let service = start().await.with_models().await.with_line(120).await;
    let (mut link, mut seen, mut pages) = ("/digitaltwins/line/relationships".to_owned(), Vec::new(), 0);
    loop {
        let page = service.get(&link).await.expect(200, "");
        pages += 1;
        seen.extend(
            page.body["value"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["$relationshipId"].as_str().unwrap().to_owned()),
        );
        match page.body["nextLink"].as_str() {
            Some(next) => link = next.to_owned(),
            None => break,
        }
    }
    assert!(pages > 1);
    assert_eq!(seen, (0..120).map(|index| format!("has-{index:03}")).collect::<Vec<_>>());
    let none = service.get("/digitaltwins/line/relationships?relationshipName=eats").await.expect(200, "");
    assert_eq!(none.body, json!({"value": [], "nextLink": null}));
    let incoming = service.get("/digitaltwins/machine-007/incomingrelationships").await.expect(200, "");
    assert_eq!(
        incoming.body["value"],
        json!([{"$relationshipId": "has-007", "$sourceId": "line", "$relationshipName": "contains",
        "$relationshipLink": "/digitaltwins/line/relationships/has-007"}])
    );
    service.get("/digitaltwins/none/relationships").await.expect(404, "DigitalTwinNotFound");
    service.get("/digitaltwins/none/incomingrelationships").await.expect(404, "DigitalTwinNotFound");
    service.put("/digitaltwins/x%20y", machine(1)).await.expect(200, "");
    assert_eq!(service.get("/digitaltwins/x%20y").await.body["$dtId"], "x y");
}
