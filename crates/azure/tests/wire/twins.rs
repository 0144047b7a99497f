use std::time::Duration;

use serde_json::{Value, json};
use twinwright_azure::{
    Error,
    http::HttpOptions,
    twins::{PatchOutcome, TwinsClient},
};

use crate::server::{Reply, Server, options, reply, token};

const ETAG: &str = r#"W/"0b9d5f8c-0000-4000-8000-000000000001""#;

pub(crate) fn twin(id: &str) -> Value {
    json!({ "$dtId": id, "$etag": ETAG, "temperature": 21.5,
        "$metadata": { "$model": "dtmi:com:example:Pump;1", "$lastUpdateTime": "2026-01-01T00:00:00.0000000Z" } })
}

fn fault(code: &str, message: &str) -> Value {
    json!({ "error": { "code": code, "message": message, "details": [{ "code": code, "message": "temprature is unknown" }] } })
}

async fn patch(answer: Reply) -> (PatchOutcome, Server) {
    let server = Server::start(vec![answer]).await;
    let (_file, tokens) = token("t");
    let client = TwinsClient::new(&server.url, tokens, &options()).unwrap();
    (client.patch_twin("pump 1", r#"[{"op":"add","path":"/a","value":1}]"#.into(), Some(ETAG)).await, server)
}

#[tokio::test]
async fn a_twin_is_read_and_written() {
    let stored = || reply(200, twin("pump;1/ä")).header("etag", ETAG);
    let missing = reply(404, fault("DigitalTwinNotFound", "no"));
    let exists = reply(412, fault("PreconditionFailed", "exists"));
    let replies = vec![stored(), missing.clone(), stored(), stored(), exists, reply(204, ""), missing];
    let server = Server::start(replies).await;
    let (_file, tokens) = token("secret-token");
    let client = TwinsClient::new(&server.url, tokens, &options()).unwrap();

    let read = client.get_twin("pump;1/ä").await.unwrap().unwrap();
    assert_eq!((read.etag.as_str(), read.model.as_str()), (ETAG, "dtmi:com:example:Pump;1"));
    assert_eq!(read.body["temperature"], 21.5);
    assert_eq!(client.get_twin("other").await.unwrap(), None);
    let body = json!({ "$metadata": { "$model": "dtmi:com:example:Pump;1" } });
    client.put_twin("pump;1/ä", &body).await.unwrap();
    assert!(client.create_twin("pump;1/ä", &body).await.unwrap().is_some());
    assert_eq!(client.create_twin("pump;1/ä", &body).await.unwrap(), None);
    assert!(client.delete_twin("a", Some(ETAG)).await.unwrap());
    assert!(!client.delete_twin("a", None).await.unwrap());

    let asked = server.asked();
    let lines: Vec<_> = asked.iter().map(|asked| asked.line()).collect();
    let pump = "/digitaltwins/pump%3B1%2F%C3%A4?api-version=2023-10-31";
    assert_eq!(lines[0], format!("GET {pump}"));
    assert_eq!(lines[2], format!("PUT {pump}"));
    assert_eq!(lines[5], "DELETE /digitaltwins/a?api-version=2023-10-31");
    assert_eq!(asked[0].header("authorization"), "Bearer secret-token");
    assert_eq!((asked[2].header("if-none-match"), asked[3].header("if-none-match")), ("", "*"));
    assert_eq!((asked[5].header("if-match"), asked[6].header("if-match")), (ETAG, ""));
    assert_eq!(asked[2].header("content-type"), "application/json");
    assert_eq!(asked[2].json(), body);
    assert_eq!(server.connections(), 1, "connections are kept");
}

#[tokio::test]
async fn a_patch_ends_in_one_of_six_ways() {
    let (outcome, server) = patch(reply(204, "").header("etag", ETAG)).await;
    assert_eq!(outcome, PatchOutcome::Patched { etag: Some(ETAG.into()) });
    let asked = &server.asked()[0];
    assert_eq!(asked.line(), "PATCH /digitaltwins/pump%201?api-version=2023-10-31");
    assert_eq!(asked.header("content-type"), "application/json-patch+json");
    assert_eq!(asked.header("if-match"), ETAG);
    assert_eq!(asked.json(), json!([{ "op": "add", "path": "/a", "value": 1 }]));

    assert_eq!(patch(reply(404, fault("DigitalTwinNotFound", "no"))).await.0, PatchOutcome::NotFound);
    assert_eq!(
        patch(reply(412, fault("PreconditionFailed", "no"))).await.0,
        PatchOutcome::PreconditionFailed
    );
    let PatchOutcome::Invalid { code, message } =
        patch(reply(400, fault("ValidationFailed", "see details"))).await.0
    else {
        unreachable!("400 is invalid")
    };
    assert_eq!((code.as_str(), message.as_str()), ("ValidationFailed", "see details; temprature is unknown"));
    // As recorded: no code when throttled.
    let throttled = json!({ "error": { "statusCode": 429, "message": "slow down" } });
    let throttled = patch(reply(429, throttled).header("retry-after", 14)).await;
    assert_eq!(throttled.0, PatchOutcome::Throttled { retry_after: Some(Duration::from_secs(14)) });
    assert_eq!(throttled.1.asked().len(), 1, "the caller decides when to try again");
    for (answer, words) in [
        (reply(500, ""), "500"),
        (reply(502, "<html>bad gateway</html>"), "bad gateway"),
        (reply(403, ""), "Azure Digital Twins Data Owner"),
        (reply(404, "<html>no such site</html>"), "is the address that of"),
    ] {
        let PatchOutcome::Unavailable { cause } = patch(answer).await.0 else { unreachable!("{words}") };
        assert!(cause.contains(words), "{cause}");
    }
}

#[tokio::test]
async fn a_problem_document_has_no_code() {
    let problem = json!({ "title": "One or more validation errors occurred.", "status": 400,
        "errors": { "[0]": ["not an object"] } });
    let (outcome, _) = patch(reply(400, problem).header("content-type", "application/problem+json")).await;
    let PatchOutcome::Invalid { code, message } = outcome else { unreachable!("400 is invalid") };
    assert_eq!(code, "Http400");
    assert!(message.contains("not an object"), "{message}");
}

#[tokio::test]
async fn nothing_is_sent_that_cannot_be_taken() {
    let server = Server::start(vec![]).await;
    let (_file, tokens) = token("t");
    let client = TwinsClient::new(&server.url, tokens, &options()).unwrap();
    for (id, patch) in [("..", "[]".to_owned()), ("", "[]".to_owned()), ("a", " ".repeat(40_000))] {
        let outcome = client.patch_twin(id, patch.into(), None).await;
        assert!(matches!(outcome, PatchOutcome::Invalid { .. }), "{outcome:?}");
    }
    assert!(matches!(client.patch_twin("a", "[]".into(), Some("a\nb")).await, PatchOutcome::Invalid { .. }));
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_refused_token_is_read_again_once() {
    let unauthorised = || reply(401, json!({ "statusCode": 401, "message": "Unauthorized" }));
    let server = Server::start(vec![unauthorised(), reply(200, twin("a")), unauthorised()]).await;
    let (file, tokens) = token("old-token");
    let client = TwinsClient::new(&server.url, tokens.clone(), &options()).unwrap();
    tokens.authorization("https://digitaltwins.azure.net/.default").await.unwrap();
    std::fs::write(file.path(), "new-token").unwrap();
    assert!(client.get_twin("a").await.unwrap().is_some());
    let error = client.get_twin("a").await.unwrap_err();
    assert_eq!((error.status(), error.is_temporary()), (Some(401), false));
    let shown = format!("{error} {error:?} {client:?} {tokens:?}");
    assert!(shown.contains("get twin a: the service answered 401 (Unauthorized)"), "{shown}");
    assert!(!shown.contains("-token"), "{shown}");
    let tokens: Vec<_> =
        server.asked().iter().map(|asked| asked.header("authorization").to_owned()).collect();
    assert_eq!(tokens, ["Bearer old-token", "Bearer new-token", "Bearer new-token"]);
}

#[tokio::test]
async fn telemetry_carries_its_id_and_time() {
    let server = Server::start(vec![reply(204, "")]).await;
    let (_file, tokens) = token("t");
    let client = TwinsClient::new(&server.url, tokens, &options()).unwrap();
    client.publish_telemetry("a", "m-1", Some("2026-01-01T00:00:00Z"), &json!({ "t": 1 })).await.unwrap();
    let asked = &server.asked()[0];
    assert_eq!(asked.line(), "POST /digitaltwins/a/telemetry?api-version=2023-10-31");
    assert_eq!(
        (asked.header("message-id"), asked.header("telemetry-source-time")),
        ("m-1", "2026-01-01T00:00:00Z")
    );
}

#[tokio::test]
async fn a_hostile_answer_is_bounded() {
    let server = Server::start(vec![reply(200, "x".repeat(5000)), reply(200, "[]"), reply(200, "{}")]).await;
    let (_file, tokens) = token("t");
    let options = HttpOptions { largest_answer: 4000, ..options() };
    let client = TwinsClient::new(&server.url, tokens, &options).unwrap();
    for expected in ["larger than 4000 bytes", "not a JSON object", "is missing"] {
        let error = client.get_twin("a").await.unwrap_err();
        assert!(matches!(error, Error::Answer { .. }) && error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn a_token_never_goes_out_in_the_clear() {
    let (_file, tokens) = token("t");
    let error = TwinsClient::new("http://plant.example", tokens, &options()).unwrap_err().to_string();
    assert!(error.contains("it must begin with https://"), "{error}");
}
