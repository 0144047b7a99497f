//! Twins, components and telemetry.

// The functions of a test stand outside any test function here.
#![allow(clippy::unwrap_used, clippy::panic)]
mod common;

use common::{machine, start};
use serde_json::{Value, json};
use twinwright_local_digital_twins::TwinEventKind;

#[tokio::test(flavor = "multi_thread")]
async fn a_twin_has_the_wire_shape_of_the_service() {
    let service = start().await.with_models().await;
    let put = service.put("/digitaltwins/arm", machine(3)).await.expect(200, "");
    assert_eq!(put.body["$etag"], put.etag());
    assert!(put.etag().starts_with("W/\""));
    assert_eq!(put.body["$dtId"], "arm");
    let time = put.body["$metadata"]["speed"]["lastUpdateTime"].as_str().unwrap();
    assert_eq!(time.len(), 28);
    assert!(time.ends_with('Z'));
    assert!(put.body["health"]["$metadata"]["$lastUpdateTime"].is_string());
    assert!(put.body["health"]["$metadata"].get("$model").is_none());
    let old = service.client.get(service.url("/digitaltwins/arm").replace("2023-10-31", "2020-10-31"));
    let old = common::Answer::read(old.bearer_auth(service.twins.token()).send().await.unwrap()).await;
    assert!(old.body["$metadata"].get("$lastUpdateTime").is_none());
    service.get("/digitaltwins/none").await.expect(404, "DigitalTwinNotFound");
    service
        .send("PUT", "/digitaltwins/arm", Some(machine(3)), &[("if-none-match", "*")])
        .await
        .expect(412, "PreconditionFailed");
    service
        .send("PUT", "/digitaltwins/arm", Some(machine(3)), &[("if-none-match", "x")])
        .await
        .expect(400, "InvalidArgument");
    service
        .send("PUT", "/digitaltwins/leg", Some(machine(3)), &[("if-none-match", "*")])
        .await
        .expect(200, "");
    service
        .send("DELETE", "/digitaltwins/leg", None, &[("if-match", "W/\"old\"")])
        .await
        .expect(412, "PreconditionFailed");
    service.delete("/digitaltwins/leg").await.expect(204, "");
    service.delete("/digitaltwins/leg").await.expect(404, "DigitalTwinNotFound");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_must_fit_its_model() {
    let service = start().await.with_models().await;
    service.put("/digitaltwins/a", json!([])).await.expect(400, "InvalidArgument");
    service.put("/digitaltwins/a", json!({"speed": 1})).await.expect(400, "ValidationFailed");
    let unknown = service
        .put("/digitaltwins/a", json!({"$metadata": {"$model": "dtmi:plant:None;1"}}))
        .await
        .expect(400, "ValidationFailed");
    assert!(unknown.body["error"]["details"][0]["message"].as_str().unwrap().contains("does not exist"));
    let mut bad = machine(1);
    bad["speed"] = "fast".into();
    bad["other"] = 1.into();
    bad["place"] = json!({"row": 1.5});
    bad.as_object_mut().unwrap().remove("health");
    let refused = service.put("/digitaltwins/a", bad).await.expect(400, "ValidationFailed");
    assert_eq!(refused.body["error"]["details"].as_array().unwrap().len(), 4, "{}", refused.body);
    let mut large = machine(1);
    large["serial"] = "x".repeat(40_000).into();
    service.put("/digitaltwins/a", large).await.expect(413, "PayloadTooLarge");
    let mut long = machine(1);
    long["serial"] = "x".repeat(5_000).into();
    service.put("/digitaltwins/a", long).await.expect(400, "ValidationFailed");
}

#[tokio::test(flavor = "multi_thread")]
async fn patches_keep_the_rules_of_the_service() {
    let service = start().await.with_models().await.with_line(1).await;
    let path = "/digitaltwins/machine-000";
    let before = service.get(path).await;
    let ok = service.patch(path, json!([{"op": "add", "path": "/serial", "value": "S1"}, {"op": "replace", "path": "/health/score", "value": 2}])).await.expect(204, "");
    let after = service.get(path).await;
    assert_eq!(after.etag(), ok.etag());
    assert_ne!(after.etag(), before.etag());
    assert_eq!(after.body["serial"], "S1");
    assert_eq!(after.body["health"]["score"], 2);
    assert_eq!(after.body["$metadata"]["speed"], before.body["$metadata"]["speed"]);
    service
        .send(
            "PATCH",
            path,
            Some(json!([{"op": "add", "path": "/speed", "value": 1}])),
            &[("if-match", &before.etag())],
        )
        .await
        .expect(412, "PreconditionFailed");
    service
        .send(
            "PATCH",
            path,
            Some(json!([{"op": "add", "path": "/speed", "value": 1}])),
            &[("if-match", &after.etag())],
        )
        .await
        .expect(204, "");
    let nothing = service.patch(path, json!([])).await.expect(204, "");
    assert_eq!(service.get(path).await.etag(), nothing.etag());
    for (patch, code) in [
        (json!([{"op": "replace", "path": "/place", "value": {}}]), "JsonPatchInvalid"),
        (json!([{"op": "add", "path": "/place/hall", "value": "B"}]), "JsonPatchInvalid"),
        (json!([{"op": "move", "path": "/speed", "from": "/serial"}]), "JsonPatchInvalid"),
        (json!([{}]), "JsonPatchInvalid"),
        (json!(["x"]), ""),
        (json!({}), ""),
        (json!([{"op": "add", "path": "/speed", "value": "fast"}]), "ValidationFailed"),
        (json!([{"op": "add", "path": "/unknown", "value": 1}]), "ValidationFailed"),
        (json!([{"op": "remove", "path": "/health"}]), "ValidationFailed"),
        (
            json!([{"op": "replace", "path": "/$metadata/$model", "value": "dtmi:plant:Line;1"}]),
            "ValidationFailed",
        ),
        (json!([{"op": "add", "path": "/$metadata/$lastUpdateTime", "value": "x"}]), "JsonPatchInvalid"),
    ] {
        let refused = service.patch(path, patch.clone()).await;
        assert_eq!((refused.status, refused.code()), (400, code), "{patch}: {}", refused.body);
        if code.is_empty() {
            assert_eq!(refused.headers["content-type"], "application/problem+json");
        }
    }
    assert_eq!(service.get(path).await.body["speed"], 1);
    let source =
        json!([{"op": "add", "path": "/$metadata/speed/sourceTime", "value": "2026-01-01T00:00:00Z"}]);
    service.patch(path, source).await.expect(204, "");
    service.patch(path, json!([{"op": "add", "path": "/speed", "value": 5}])).await.expect(204, "");
    assert_eq!(
        service.get(path).await.body["$metadata"]["speed"]["sourceTime"],
        "2026-01-01T00:00:00.0000000Z"
    );
    service.patch(path, json!([{"op": "add", "path": "/place", "value": {"hall": "B"}}, {"op": "add", "path": "/place/row", "value": 2}])).await.expect(204, "");
    service.patch(path, json!([{"op": "remove", "path": "/place"}])).await.expect(204, "");
    let read = service.get(path).await;
    assert!(read.body.get("place").is_none() && read.body["$metadata"].get("place").is_none());
    service
        .patch("/digitaltwins/none", json!([{"op": "add", "path": "/a", "value": 1}]))
        .await
        .expect(404, "DigitalTwinNotFound");
    let change = json!([{"op": "replace", "path": "/$metadata/$model", "value": "dtmi:plant:Health;1"}, {"op": "remove", "path": "/health"},
        {"op": "remove", "path": "/speed"}, {"op": "remove", "path": "/serial"}, {"op": "add", "path": "/score", "value": 1}]);
    service.patch(path, change).await.expect(204, "");
    assert_eq!(service.get(path).await.body["$metadata"]["$model"], "dtmi:plant:Health;1");
}

#[tokio::test(flavor = "multi_thread")]
async fn components_are_read_and_patched_on_their_own() {
    let service = start().await.with_models().await.with_line(1).await;
    let path = "/digitaltwins/machine-000/components/health";
    let read = service.get(path).await.expect(200, "");
    assert_eq!(read.body["score"], 0.5);
    assert!(!read.etag().is_empty());
    service.patch(path, json!([{"op": "replace", "path": "/score", "value": 0.9}])).await.expect(204, "");
    assert_eq!(service.get(path).await.body["score"], 0.9);
    service
        .patch(path, json!([{"op": "add", "path": "/score", "value": "x"}]))
        .await
        .expect(400, "ValidationFailed");
    service.patch(path, json!([{}])).await.expect(400, "JsonPatchInvalid");
    service.get("/digitaltwins/machine-000/components/none").await.expect(404, "ComponentNotFound");
    service.get("/digitaltwins/none/components/health").await.expect(404, "DigitalTwinNotFound");
    let missing = json!([{"op": "add", "path": "/score", "value": 1}]);
    service
        .patch("/digitaltwins/machine-000/components/none", missing.clone())
        .await
        .expect(400, "JsonPatchInvalid");
    service.patch("/digitaltwins/none/components/health", missing).await.expect(404, "DigitalTwinNotFound");
}

#[tokio::test(flavor = "multi_thread")]
async fn telemetry_and_changes_reach_observers_in_order() {
    let service = start().await.with_models().await;
    let mut events = service.twins.subscribe();
    let service = service.with_line(1).await;
    let headers = [("message-id", "m1"), ("telemetry-source-time", "2026-01-01T00:00:00Z")];
    let payload = Some(json!({"temperature": 20}));
    service
        .send("POST", "/digitaltwins/machine-000/telemetry", payload.clone(), &headers)
        .await
        .expect(204, "");
    service
        .send("POST", "/digitaltwins/machine-000/components/health/telemetry", payload.clone(), &headers)
        .await
        .expect(204, "");
    service
        .send("POST", "/digitaltwins/machine-000/telemetry", payload.clone(), &[])
        .await
        .expect(400, "MissingArgument");
    service
        .send(
            "POST",
            "/digitaltwins/machine-000/telemetry",
            payload.clone(),
            &[("message-id", "m"), ("telemetry-source-time", "x")],
        )
        .await
        .expect(400, "InvalidArgument");
    service
        .send("POST", "/digitaltwins/none/telemetry", payload.clone(), &headers)
        .await
        .expect(404, "DigitalTwinNotFound");
    service
        .send("POST", "/digitaltwins/machine-000/components/none/telemetry", payload, &headers)
        .await
        .expect(404, "ComponentNotFound");
    let patch = json!([{"op": "add", "path": "/speed", "value": 9}]);
    service.patch("/digitaltwins/machine-000", patch.clone()).await.expect(204, "");
    service.delete("/digitaltwins/line/relationships/has-000").await.expect(204, "");
    let mut seen = Vec::new();
    while let Ok(event) = events.try_recv() {
        assert!(event.received_us > 0);
        seen.push((event.twin_id, event.kind));
    }
    let names: Vec<&str> = seen
        .iter()
        .map(|(_, kind)| match kind {
            TwinEventKind::Created(_) => "created",
            TwinEventKind::RelationshipCreated { .. } => "related",
            TwinEventKind::Telemetry { .. } => "telemetry",
            TwinEventKind::Updated { .. } => "updated",
            TwinEventKind::RelationshipDeleted { .. } => "unrelated",
            _ => "other",
        })
        .collect();
    assert_eq!(names, ["created", "created", "related", "telemetry", "telemetry", "updated", "unrelated"]);
    let TwinEventKind::Updated { model, patch: told, after } = &seen[5].1 else { panic!("{:?}", seen[5]) };
    assert_eq!((seen[5].0.as_str(), model.as_str(), told), ("machine-000", "dtmi:plant:Machine;1", &patch));
    assert_eq!(after.to_value()["speed"], 9);
    assert!(after.to_value()["$metadata"]["speed"]["lastUpdateTime"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_patches_of_one_twin_lose_nothing() {
    let service = start().await.with_models().await.with_line(1).await;
    let service = std::sync::Arc::new(service);
    let fields = ["speed", "serial"];
    let tasks: Vec<_> = (0..40)
        .map(|index| {
            let service = std::sync::Arc::clone(&service);
            tokio::spawn(async move {
                let value: Value = if index % 2 == 0 { index.into() } else { index.to_string().into() };
                let patch = json!([{"op": "add", "path": format!("/{}", fields[index % 2]), "value": value}]);
                service.patch("/digitaltwins/machine-000", patch).await.expect(204, "").etag()
            })
        })
        .collect();
    let mut etags = Vec::new();
    for task in tasks {
        etags.push(task.await.unwrap());
    }
    let last = service.get("/digitaltwins/machine-000").await;
    assert!(etags.contains(&last.etag()));
    assert!(last.body["speed"].is_number() && last.body["serial"].is_string());
    etags.sort();
    etags.dedup();
    assert_eq!(etags.len(), 40);
}
