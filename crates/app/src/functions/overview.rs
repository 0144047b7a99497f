//! `api/overview`: the line as a tree, each machine with its health and newest values.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use twinwright_core::time::iso;

use super::api::{Answer, ApiError};
use crate::app::App;
use crate::clock::now;
use crate::documents::AlertStore;
use crate::documents::alerts::AlertStatus;

const LINES: &str =
    "SELECT * FROM DIGITALTWINS T WHERE IS_OF_MODEL(T, 'dtmi:manufacturing:ProductionLine;1')";
const EQUIPMENT: &str = "SELECT * FROM DIGITALTWINS T WHERE IS_OF_MODEL(T, 'dtmi:manufacturing:Equipment;1')";
const CONTAINS: &str = "SELECT * FROM RELATIONSHIPS R WHERE R.$relationshipName = 'contains'";

/// Answers from the twins themselves: what is shown is what the twins say.
pub(super) async fn overview(State(app): State<Arc<App>>) -> Answer {
    let Some(twins) = &app.twins else {
        let text = "no twins are configured (twins.url)".to_owned();
        return Err(ApiError(StatusCode::SERVICE_UNAVAILABLE, text));
    };
    let failed = |error: twinwright_azure::Error| ApiError(StatusCode::BAD_GATEWAY, error.to_string());
    let (lines, equipment, contains) =
        tokio::try_join!(twins.query(LINES), twins.query(EQUIPMENT), twins.query(CONTAINS))
            .map_err(failed)?;
    let (open, unacknowledged) = counts(&app.alerts).await?;
    let line = |twin: &Value| {
        let id = text(twin, "$dtId");
        let inside = contains.iter().filter(|relation| text(relation, "$sourceId") == id);
        let inside: Vec<&str> = inside.map(|relation| text(relation, "$targetId")).collect();
        json!({ "id": id, "name": text(twin, "lineId"), "status": text(twin, "status"), "equipment": inside })
    };
    Ok(Json(json!({
        "now": iso(now()),
        "lines": lines.iter().map(line).collect::<Vec<_>>(),
        "equipment": equipment.iter().map(machine).collect::<Vec<_>>(),
        "alerts": { "open": open, "unacknowledged": unacknowledged },
        "pendingPatches": app.patcher.as_ref().map_or(0, |patcher| patcher.waiting()),
    })))
}

async fn counts(alerts: &AlertStore) -> Result<(usize, usize), ApiError> {
    let all = alerts.list(now(), true, usize::MAX).await?;
    let count = |states: &[AlertStatus]| all.iter().filter(|alert| states.contains(&alert.state)).count();
    let open = count(&[AlertStatus::Open, AlertStatus::Acknowledged]);
    Ok((open, count(&[AlertStatus::Open, AlertStatus::ClearedUnacknowledged])))
}

fn text<'a>(twin: &'a Value, key: &str) -> &'a str {
    twin.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn filled(value: Option<&Value>) -> Option<&str> {
    value.and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn machine(twin: &Value) -> Value {
    let none = Value::Object(Map::new());
    let health = twin.get("health").unwrap_or(&none);
    let map = |value: Option<&Value>| value.filter(|v| v.is_object()).cloned().unwrap_or_else(|| json!({}));
    let name = filled(twin.get("equipmentId")).unwrap_or_else(|| text(twin, "$dtId"));
    json!({
        "id": text(twin, "$dtId"),
        "model": twin.pointer("/$metadata/$model"),
        "name": name,
        "type": twin.get("equipmentType"),
        "observedAt": filled(twin.get("observedAt")),
        "latest": map(twin.get("latest")),
        "states": map(twin.get("states")),
        "health": {
            "status": filled(health.get("status")).unwrap_or("unknown"),
            "score": health.get("score"),
            "topCause": filled(health.get("topCause")),
            "contributions": map(health.get("contributions")),
            "remainingLife": health.get("remainingLife"),
            "scorer": filled(health.get("scorer")),
            "baseline": filled(health.get("baseline")),
            "lastCommand": filled(health.get("lastCommand")),
        },
        "alert": filled(health.get("alert")),
    })
}
