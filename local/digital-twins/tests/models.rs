//! The models API.

// The functions of a test stand outside any test function here.
#![allow(clippy::unwrap_used, clippy::panic)]
mod common;

use common::{models, start};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn models_are_added_listed_and_read() {
    let service = start().await;
    let added = service.post("/models", models()).await.expect(201, "");
    assert_eq!(added.body[0]["id"], "dtmi:plant:Line;1");
    assert_eq!(added.body[0]["displayName"], json!({"en": "Line"}));
    assert_eq!(added.body[1]["description"], json!({}));
    assert!(added.body[0]["uploadTime"].as_str().unwrap().ends_with("+00:00"));
    assert!(added.body[0].get("model").is_none());
    let read =
        service.get("/models/dtmi%3Aplant%3ALine%3B1?includeModelDefinition=true").await.expect(200, "");
    assert_eq!(read.body["model"]["@id"], "dtmi:plant:Line;1");
    service.get("/models/dtmi:plant:None;1").await.expect(404, "ModelNotFound");
    let list = service.get("/models?dependenciesFor=dtmi:plant:Machine;1").await.expect(200, "");
    assert_eq!(list.body["value"].as_array().unwrap().len(), 2);
    assert!(list.body["nextLink"].is_null());
    service.get("/models?dependenciesFor=dtmi:plant:None;1").await.expect(404, "ModelNotFound");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_models_are_followed_by_absolute_links() {
    let service = start().await.with_models().await;
    let first = service.send("GET", "/models", None, &[("max-items-per-page", "2")]).await.expect(200, "");
    assert_eq!(first.body["value"].as_array().unwrap().len(), 2);
    let link = first.body["nextLink"].as_str().unwrap().to_owned();
    assert!(link.starts_with("https://localhost:"), "{link}");
    let second = service.send("GET", &link, None, &[("max-items-per-page", "2")]).await.expect(200, "");
    assert_eq!(second.body["value"].as_array().unwrap().len(), 1);
    assert!(second.body["nextLink"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_all_or_nothing() {
    let service = start().await;
    let broken = json!([models()[2], {"@type": "Interface", "@context": "dtmi:dtdl:context;2"}]);
    let refused = service.post("/models", broken).await.expect(400, "DTDLParserError");
    assert!(refused.body["error"]["message"].as_str().unwrap().contains("has no @id"));
    assert_eq!(service.get("/models").await.body, json!({"value": [], "nextLink": null}));
    service.post("/models", models()).await.expect(201, "");
    service.post("/models", json!([models()[2]])).await.expect(409, "ModelAlreadyExists");
    service.post("/models", json!([])).await.expect(400, "InvalidArgument");
    service.post("/models", json!({})).await.expect(400, "InvalidArgument");
}

#[tokio::test(flavor = "multi_thread")]
async fn references_are_checked_before_a_model_goes() {
    let service = start().await.with_models().await.with_line(1).await;
    let decommission = |value: bool| json!([{"op": "replace", "path": "/decommissioned", "value": value}]);
    service
        .patch("/models/dtmi:plant:Health;1", decommission(true))
        .await
        .expect(409, "ModelReferencesNotDecommissioned");
    service.delete("/models/dtmi:plant:Health;1").await.expect(409, "ModelReferencesNotDeleted");
    service.patch("/models/dtmi:plant:Machine;1", decommission(true)).await.expect(204, "");
    service
        .patch("/models/dtmi:plant:Machine;1", json!([{"op": "add", "path": "/x", "value": 1}]))
        .await
        .expect(400, "JsonPatchInvalid");
    service.put("/digitaltwins/new", common::machine(1)).await.expect(400, "ModelDecommissioned");
    let speed = json!([{"op": "add", "path": "/speed", "value": 7}]);
    service.patch("/digitaltwins/machine-000", speed.clone()).await.expect(204, "");
    service.delete("/models/dtmi:plant:Machine;1").await.expect(204, "");
    service.delete("/models/dtmi:plant:Machine;1").await.expect(404, "ModelNotFound");
    service.get("/digitaltwins/machine-000").await.expect(200, "");
    service.patch("/digitaltwins/machine-000", speed).await.expect(400, "ValidationFailed");
}
