//! `twins component …`, `twins telemetry` and `twins route …`.

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use twinwright_azure::twins::{EventRoute, TwinsClient};

use super::{MOST, client, update};
use crate::args::{ComponentCommand, RouteCommand};
use crate::output::{Output, clean, table};

pub(super) async fn component(command: ComponentCommand, output: Output) -> anyhow::Result<()> {
    match command {
        ComponentCommand::Show { id, component, target } => {
            let found = client(&target)?.get_component(&id, &component).await?;
            let found =
                found.with_context(|| format!("twin {id} has no component {component}, or is not there"))?;
            output.result(&found, || serde_json::to_string_pretty(&found).unwrap_or_default());
        }
        ComponentCommand::Update { id, component, set, target } => {
            client(&target)?.patch_component(&id, &component, &update::operations(&set, None)?).await?;
            output.result(&json!({ "updated": id, "component": component }), || {
                format!("updated {id}/{component}")
            });
        }
    }
    Ok(())
}

pub(super) async fn telemetry(
    client: &TwinsClient,
    id: &str,
    payload: &str,
    component: Option<&str>,
    message_id: Option<String>,
    output: Output,
) -> anyhow::Result<()> {
    let payload: Value = serde_json::from_str(payload).context("the message needs to be JSON")?;
    let message_id = message_id.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    match component {
        Some(component) => client.publish_component_telemetry(id, component, &message_id, &payload).await?,
        None => client.publish_telemetry(id, &message_id, None, &payload).await?,
    }
    output.result(&json!({ "messageId": message_id }), || format!("sent {message_id}"));
    Ok(())
}

pub(super) async fn route(command: RouteCommand, output: Output) -> anyhow::Result<()> {
    match command {
        RouteCommand::Create { id, endpoint, filter, target } => {
            let route = EventRoute { id, endpoint_name: endpoint, filter };
            client(&target)?.put_event_route(&route).await?;
            output.result(&route, || format!("events go to {} by route {}", route.endpoint_name, route.id));
        }
        RouteCommand::List { target } => {
            let routes = client(&target)?.list_event_routes()?.collect(MOST).await?;
            let cells = routes.iter().map(|r| vec![clean(&r.id), clean(&r.endpoint_name), clean(&r.filter)]);
            output.result(&routes, || table(&["route", "endpoint", "filter"], &cells.collect::<Vec<_>>()));
        }
        RouteCommand::Delete { id, target } => {
            if !client(&target)?.delete_event_route(&id).await? {
                bail!("there is no event route {id}");
            }
            output.result(&json!({ "deleted": id }), || format!("deleted {id}"));
        }
    }
    Ok(())
}
