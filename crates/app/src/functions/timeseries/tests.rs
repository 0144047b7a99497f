//! Requests as tsiclient makes them, against history that was ingested; before and after compaction the answers are the
//! same.

use axum::body::Body;
use axum::http::Request;
use azure_functions_rs_custom_handler::EventHubBatch;
use azure_functions_rs_custom_handler::testing::{BatchOptions, EventSpec, event_hub_body};
use tower::ServiceExt as _;
use twinwright_core::time::SECOND;
use twinwright_history::store::Store;

use super::*;
use crate::testing::{config, runtime};

/// 2025-10-09T08:53:20Z
const START: i64 = 1_760_000_000_000_000;
const SPAN: &str = r#""searchSpan":{"from":"2025-10-09T08:53:20Z","to":"2025-10-09T08:55:00Z"}"#;

async fn app() -> Arc<App> {
    let app = App::with_parts(config(), Store::memory(), None, None, None, None);
    let event = |sequence: i64| {
        let mode = if sequence % 20 < 10 { "running" } else { "idle" };
        let body = format!(r#"{{"temperature":{},"mode":"{mode}"}}"#, sequence % 10);
        let device = if sequence % 2 == 0 { "robotic-arm-001" } else { "conveyor-belt-001" };
        EventSpec::telemetry(device, sequence, START + sequence * SECOND, body.as_bytes())
    };
    let events: Vec<EventSpec> = (0..100).map(event).collect();
    let options = BatchOptions::default();
    let batch = EventHubBatch::parse(&event_hub_body(&events, &options), &options.binding).unwrap();
    app.ingest.batch(&batch, START).await.unwrap();
    Arc::new(app)
}

async fn ask(app: &Arc<App>, method: &str, path: &str, body: &str) -> (u16, Value) {
    let uri = format!("/api/timeseries/{path}");
    let request = Request::builder().method(method).uri(uri).body(Body::from(body.to_owned())).unwrap();
    let response = crate::functions::router(Arc::clone(app)).oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let bytes = axum::body::to_bytes(response.into_body(), 64 << 20).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

const QUERY: &str = "timeseries/query?api-version=2020-07-31&storeType=ColdStore";

fn queries() -> Vec<String> {
    let value = r#""value":{"tsx":"$event.temperature.Double"}"#;
    let id = r#""timeSeriesId":["robotic-arm-001"]"#;
    vec![
        format!(
            r#"{{"aggregateSeries":{{{id},{SPAN},"interval":"PT1M","projectedVariables":["avg","max"],"inlineVariables":{{
            "avg":{{"kind":"numeric",{value},"aggregation":{{"tsx":"avg($value)"}}}},
            "max":{{"kind":"numeric",{value},"aggregation":{{"tsx":"max($value)"}}}}}}}}}}"#
        ),
        format!(
            r#"{{"aggregateSeries":{{{id},{SPAN},"interval":"PT10S","projectedVariables":["held","mode","EventCount"],
            "inlineVariables":{{"held":{{"kind":"numeric",{value},"aggregation":{{"tsx":"twavg($value)"}},
            "interpolation":{{"kind":"Linear","boundary":{{"span":"PT1M"}}}}}},
            "mode":{{"kind":"categorical","value":{{"tsx":"$event.mode.String"}},
            "categories":[{{"label":"Good","values":["running"]}}],"defaultCategory":{{"label":"Other"}}}}}}}}}}"#
        ),
        format!(r#"{{"getEvents":{{{id},{SPAN},"filter":{{"tsx":"$event.temperature.Double > 2"}}}}}}"#),
        format!(r#"{{"getSeries":{{{id},{SPAN},"projectedVariables":["temperature"]}}}}"#),
    ]
}

#[test]
fn a_client_of_time_series_insights_gets_its_answers() {
    runtime().block_on(async {
        let app = app().await;
        let mut before = Vec::new();
        for query in queries() {
            let (status, page) = ask(&app, "POST", QUERY, &query).await;
            assert_eq!(status, 200, "{page}");
            before.push(page);
        }
        let column = |page: &Value, name: &str| {
            let properties = page["properties"].as_array().unwrap();
            properties.iter().find(|property| property["name"] == name).unwrap()["values"].clone()
        };
        assert_eq!(before[0]["timestamps"][0], "2025-10-09T08:53:00.000000Z");
        assert_eq!(column(&before[0], "avg")[1], 4.0);
        assert_eq!(column(&before[0], "max")[0], 8.0);
        assert_eq!(column(&before[1], "EventCount")[0], 5);
        assert_eq!(column(&before[1], "mode[Good]")[0], 5);
        assert_eq!(before[2]["timestamps"].as_array().unwrap().len(), 30);
        assert_eq!(column(&before[3], "temperature")[1], 2.0);
        app.history.compact(START + 172_800 * SECOND).await.unwrap();
        for (query, before) in queries().iter().zip(before) {
            assert_eq!(ask(&app, "POST", QUERY, query).await.1, before, "{query}");
        }
        let (_, warm) = ask(&app, "POST", "timeseries/query?storeType=WarmStore", &queries()[2]).await;
        assert_eq!(warm["timestamps"], json!([]), "it is long ago");
    });
}

#[test]
fn the_model_and_what_there_is_are_told() {
    runtime().block_on(async {
        let app = app().await;
        let (_, found) = ask(&app, "GET", "availability?api-version=2020-07-31", "").await;
        assert_eq!(found["availability"]["distribution"]["2025-10-09T00:00:00.000000Z"], 100);
        let (_, schema) = ask(&app, "POST", "eventSchema", &format!("{{{SPAN}}}")).await;
        assert!(
            schema["properties"]
                .as_array()
                .unwrap()
                .contains(&json!({ "name": "temperature", "type": "Double" }))
        );
        let (_, settings) = ask(&app, "GET", "timeseries/modelSettings/", "").await;
        assert_eq!(settings["modelSettings"]["timeSeriesIdProperties"][0]["type"], "String");
        let (_, types) = ask(&app, "GET", "timeseries/types/", "").await;
        assert!(
            types["types"].as_array().unwrap().iter().any(|kind| kind["name"] == "DefaultType"),
            "{types}"
        );
        for path in ["timeseries/instances/", "timeseries/hierarchies/"] {
            assert_eq!(ask(&app, "GET", path, "").await.0, 200);
        }
        let (status, refused) = ask(&app, "POST", "timeseries/types/$batch", r#"{"put":[]}"#).await;
        assert!(status == 400 && refused["error"]["message"].as_str().unwrap().contains("twin graph"));
        assert_eq!(
            ask(&app, "POST", "timeseries/instances/search", r#"{"searchString":"arm"}"#).await.0,
            200
        );
        assert_eq!(
            ask(&app, "POST", "timeseries/instances/suggest", r#"{"searchString":"arm"}"#).await.0,
            200
        );
    });
}

#[test]
fn bad_requests_say_what_to_change() {
    runtime().block_on(async {
        let app = app().await;
        let wide = r#"{"aggregateSeries":{"timeSeriesId":["a"],"searchSpan":{"from":"2015-01-01T00:00:00Z",
            "to":"2025-01-01T00:00:00Z"},"interval":"PT1M","inlineVariables":{"n":{"kind":"aggregate",
            "aggregation":{"tsx":"count()"}}}}}"#;
        for (path, body, part) in [
            (QUERY, "{}", "exactly one"),
            (QUERY, "[1", "cannot be read"),
            (QUERY, wide, "200000 are answered"),
            ("timeseries/query?api-version=2016-12-12", "{}", "2020-07-31"),
            ("timeseries/query?storeType=Hot", "{}", "WarmStore"),
        ] {
            let (status, answer) = ask(&app, "POST", path, body).await;
            assert_eq!(status, 400, "{answer}");
            assert!(answer["error"]["message"].as_str().unwrap().contains(part), "{answer}");
            assert!(answer["error"]["code"].is_string() && answer["error"]["innerError"]["code"].is_string());
        }
    });
}
