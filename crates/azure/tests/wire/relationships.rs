use serde_json::{Map, Value, json};
use twinwright_azure::twins::{IncomingRelationship, Relationship, TwinsClient};

use crate::server::{Server, options, reply, token};

fn stored(id: &str) -> Value {
    json!({ "$relationshipId": id, "$etag": "W/\"1\"", "$sourceId": "line", "$relationshipName": "contains",
        "$targetId": "pump", "order": 3 })
}

async fn client(replies: Vec<crate::server::Reply>) -> (Server, TwinsClient, tempfile::NamedTempFile) {
    let server = Server::start(replies).await;
    let (file, tokens) = token("t");
    let client = TwinsClient::new(&server.url, tokens, &options()).unwrap();
    (server, client, file)
}

#[tokio::test]
async fn relationships_are_kept() {
    let missing = json!({ "error": { "code": "TargetDigitalTwinNotFound", "message": "no" } });
    let gone = reply(404, json!({ "error": { "code": "RelationshipNotFound", "message": "no" } }));
    let replies = vec![
        reply(200, stored("r 1")),
        reply(404, missing),
        reply(200, stored("r 1")),
        gone.clone(),
        reply(204, ""),
        gone,
    ];
    let (server, client, _file) = client(replies).await;
    let properties: Map<_, _> = [("order".to_owned(), json!(3))].into_iter().collect();
    let new = Relationship {
        source: "line".into(),
        id: "r 1".into(),
        name: "contains".into(),
        target: "pump".into(),
        etag: String::new(),
        properties,
    };
    let kept = client.put_relationship(&new).await.unwrap();
    assert_eq!(kept, Relationship { etag: "W/\"1\"".into(), ..new.clone() });
    let error = client.put_relationship(&new).await.unwrap_err();
    assert_eq!(error.service().unwrap().code, "TargetDigitalTwinNotFound");
    assert!(client.get_relationship("line", "r 1").await.unwrap().is_some());
    assert!(client.get_relationship("line", "r 1").await.unwrap().is_none());
    assert!(client.delete_relationship("line", "r 1").await.unwrap());
    assert!(!client.delete_relationship("line", "r 1").await.unwrap());
    let asked = server.asked();
    assert_eq!(asked[0].line(), "PUT /digitaltwins/line/relationships/r%201?api-version=2023-10-31");
    assert_eq!(asked[0].json(), json!({ "$relationshipName": "contains", "$targetId": "pump", "order": 3 }));
}

#[tokio::test]
async fn lists_follow_links_but_never_to_another_host() {
    // The service writes absolute links; this one names a host that must not get the token.
    let link = "https://elsewhere.example/digitaltwins/line/relationships?continuationToken=a%2Bb&api-version=2023-10-31";
    let incoming = json!({ "$relationshipId": "r", "$sourceId": "line", "$relationshipName": "contains",
        "$relationshipLink": "/digitaltwins/line/relationships/r" });
    let replies = vec![
        reply(200, json!({ "value": [stored("1")], "nextLink": link })),
        reply(200, json!({ "value": [stored("2")], "nextLink": null })),
        reply(200, json!({ "value": [incoming] })),
    ];
    let (server, client, _file) = client(replies).await;
    let all = client.list_relationships("line", Some("contains")).unwrap().collect(10).await.unwrap();
    assert_eq!(all.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["1", "2"]);
    let all = client.list_incoming("pump").unwrap().collect(10).await.unwrap();
    assert_eq!(
        all,
        [IncomingRelationship { id: "r".into(), source: "line".into(), name: "contains".into() }]
    );
    let lines: Vec<_> = server.asked().iter().map(|asked| asked.line()).collect();
    assert_eq!(
        lines,
        [
            "GET /digitaltwins/line/relationships?relationshipName=contains&api-version=2023-10-31",
            "GET /digitaltwins/line/relationships?continuationToken=a%2Bb&api-version=2023-10-31",
            "GET /digitaltwins/pump/incomingrelationships?api-version=2023-10-31",
        ]
    );
}

#[tokio::test]
async fn models_are_added_listed_and_read() {
    let model = json!({ "id": "dtmi:com:example:Pump;1", "description": {}, "displayName": { "en": "Pump" },
        "decommissioned": false, "uploadTime": "2026-01-01T00:00:00.0000000+00:00" });
    let mut whole = model.clone();
    whole["model"] = json!({ "@id": "dtmi:com:example:Pump;1" });
    let exists = json!({ "error": { "code": "ModelAlreadyExists", "message": "there" } });
    let missing = json!({ "error": { "code": "ModelNotFound", "message": "no" } });
    let replies = vec![
        reply(201, json!([model])),
        reply(409, exists),
        reply(200, whole),
        reply(404, missing),
        reply(200, json!({ "value": [model], "nextLink": null })),
        reply(204, ""),
    ];
    let (server, client, _file) = client(replies).await;
    let id = "dtmi:com:example:Pump;1";
    assert_eq!(client.add_models(&[json!({ "@id": id })]).await.unwrap()[0].id, id);
    let error = client.add_models(&[json!({ "@id": id })]).await.unwrap_err();
    assert!(error.is_conflict(), "{error}");
    assert!(client.get_model(id).await.unwrap().unwrap().definition.is_some());
    assert!(client.get_model(id).await.unwrap().is_none());
    assert_eq!(client.list_models(false).unwrap().collect(10).await.unwrap().len(), 1);
    assert!(client.delete_model(id).await.unwrap());
    assert!(client.add_models(&[]).await.is_err());
    let lines: Vec<_> = server.asked().iter().map(|asked| asked.line()).collect();
    let path = "/models/dtmi%3Acom%3Aexample%3APump%3B1";
    assert_eq!(lines[0], "POST /models?api-version=2023-10-31");
    assert_eq!(lines[2], format!("GET {path}?includeModelDefinition=true&api-version=2023-10-31"));
    assert_eq!(lines[4], "GET /models?includeModelDefinition=false&api-version=2023-10-31");
    assert_eq!(lines[5], format!("DELETE {path}?api-version=2023-10-31"));
}

#[tokio::test]
async fn a_query_pages_by_its_token() {
    let page = |items: Value, token: Value| {
        reply(200, json!({ "value": items, "continuationToken": token })).header("query-charge", "6.19")
    };
    let bad = json!({ "error": { "code": "SqlQueryError", "message": "line 1:7" } });
    let replies = vec![
        page(json!([{ "a": 1 }]), json!("next")),
        page(json!([]), json!("more")),
        page(json!([{ "a": 2 }]), Value::Null),
        page(json!([]), json!("x")),
        page(json!([]), json!("x")),
        reply(400, bad),
    ];
    let (server, client, _file) = client(replies).await;
    let mut pages = client.query_all("SELECT * FROM digitaltwins").unwrap();
    let first = pages.next_page().await.unwrap().unwrap();
    assert_eq!((first.items, first.charge), (vec![json!({ "a": 1 })], Some(6.19)));
    assert_eq!(pages.collect(10).await.unwrap(), [json!({ "a": 2 })]);
    let error = client.query_all("SELECT 1").unwrap().collect(10).await.unwrap_err();
    assert!(error.to_string().contains("circles"), "{error}");
    let error = client.query_all("SELEC").unwrap().collect(10).await.unwrap_err();
    assert_eq!(error.service().unwrap().code, "SqlQueryError");
    let asked = server.asked();
    assert_eq!(asked[0].line(), "POST /query?api-version=2023-10-31");
    assert_eq!(asked[0].json(), json!({ "query": "SELECT * FROM digitaltwins" }));
    assert_eq!(asked[1].json(), json!({ "continuationToken": "next" }));
    assert_eq!(asked[2].json(), json!({ "continuationToken": "more" }));
}
