//! What there is: `availability` and `eventSchema`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use serde_json::{Map, Value, json};
use twinwright_core::time::{Micros, SECOND, iso};
use twinwright_history::segment::Kind;
use twinwright_timeseries::model::ID_PROPERTY;
use twinwright_timeseries::request::EventSchemaRequest;

use super::{Answer, Parameters, body};
use crate::app::App;
use crate::clock::now;
use crate::history::StoreType;

const DAY: Micros = 86_400 * SECOND;

/// Events by day, and from when until when there are any.
pub(super) async fn availability(
    State(app): State<Arc<App>>,
    Query(parameters): Query<Parameters>,
) -> Answer {
    let store = parameters.store()?;
    let earliest = app.history.earliest(store, now());
    let contents = app.history.reader().await?.contents().await?;
    let Some((low, high)) = contents.bounds.filter(|(_, high)| *high >= earliest) else {
        return Ok(Json(json!({ "availability": null })));
    };
    let days = contents.days.range(earliest.saturating_sub(DAY)..);
    let distribution: Map<String, Value> = days.map(|(day, rows)| (iso(*day), json!(rows))).collect();
    let mut answer = json!({ "availability": {
        "intervalSize": "P1D",
        "distribution": distribution,
        "range": { "from": iso(low.max(earliest)), "to": iso(high) },
    }});
    if store == StoreType::Warm {
        answer["retention"] = json!(format!("P{}D", app.config.history.warm_days));
    }
    Ok(Json(answer))
}

/// Properties of events. Numbers are Double; a client that asks for a whole one as Long gets it.
pub(super) async fn event_schema(
    State(app): State<Arc<App>>,
    Query(parameters): Query<Parameters>,
    text: String,
) -> Answer {
    parameters.store()?;
    let request: EventSchemaRequest = body(&text)?;
    request.search_span.times()?;
    let columns = app.history.reader().await?.columns().await?;
    let mut properties = vec![
        json!({ "name": "timestamp", "type": "DateTime" }),
        json!({ "name": ID_PROPERTY, "type": "String" }),
    ];
    properties.extend(columns.iter().map(|(kind, name)| {
        json!({ "name": name, "type": if *kind == Kind::Signal { "Double" } else { "String" } })
    }));
    Ok(Json(json!({ "properties": properties })))
}
