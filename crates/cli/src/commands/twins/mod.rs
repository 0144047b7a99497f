//! `twins …`: the same commands on the local platform and on Azure.

mod bulk;
mod models;
mod parts;
mod relationships;
mod show;
mod update;

use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};
use twinwright_azure::http::HttpOptions;
use twinwright_azure::identity::TokenSource;
use twinwright_azure::twins::TwinsClient;

use crate::args::{TwinsCommand, TwinsTarget};
use crate::connection::Connection;
use crate::output::Output;

/// Items listed at the most.
const MOST: usize = 100_000;

/// Runs a `twins` command.
///
/// # Errors
/// No platform runs, or Digital Twins refuses; its words say why.
pub async fn twins(command: TwinsCommand, output: Output) -> anyhow::Result<()> {
    match command {
        TwinsCommand::Model { command } => models::run(command, output).await,
        TwinsCommand::Create { id, model, properties, replace, target } => {
            let mut body = object("--properties", &properties)?;
            body.insert("$metadata".to_owned(), json!({ "$model": model }));
            create(&client(&target)?, &id, &model, body, replace, output).await
        }
        TwinsCommand::Show { id, target } => {
            let twin = client(&target)?.get_twin(&id).await?;
            let twin = twin
                .with_context(|| format!("there is no twin {id}; twinwright twins create {id} --model …"))?;
            output.result(&twin.body, || serde_json::to_string_pretty(&twin.body).unwrap_or_default());
            Ok(())
        }
        TwinsCommand::Update { id, set, patch, if_match, target } => {
            let operations = update::operations(&set, patch.as_deref())?;
            update::twin(&client(&target)?, &id, &operations, if_match.as_deref(), output).await
        }
        TwinsCommand::Query { sql, most, target } => {
            let rows = client(&target)?.query_all(&sql)?.collect(most).await?;
            output.result(&rows, || show::rows(&rows));
            Ok(())
        }
        TwinsCommand::Delete { id, target } => delete(&client(&target)?, &id, output).await,
        TwinsCommand::Relationship { command } => relationships::run(command, output).await,
        TwinsCommand::Component { command } => parts::component(command, output).await,
        TwinsCommand::Telemetry { id, payload, component, message_id, target } => {
            let client = client(&target)?;
            parts::telemetry(&client, &id, &payload, component.as_deref(), message_id, output).await
        }
        TwinsCommand::Import { source, log, target } => {
            bulk::import(&client(&target)?, &source, log.as_deref(), output).await
        }
        TwinsCommand::Export { file, target } => bulk::export(&client(&target)?, &file, output).await,
        TwinsCommand::Route { command } => parts::route(command, output).await,
    }
}

/// The client of the instance that is meant.
fn client(target: &TwinsTarget) -> anyhow::Result<TwinsClient> {
    match &target.url {
        Some(url) => {
            Ok(TwinsClient::new(url, TokenSource::managed_or_developer()?, &HttpOptions::default())?)
        }
        None => Connection::load(&target.data.data)?.twins(&target.data.data),
    }
}

fn object(option: &str, text: &str) -> anyhow::Result<Map<String, Value>> {
    match serde_json::from_str(text).with_context(|| format!("{option} needs JSON"))? {
        Value::Object(object) => Ok(object),
        _ => bail!("{option} needs a JSON object, such as '{{\"name\": \"pump\"}}'"),
    }
}

/// Digital Twins wants every component of the model there, even an empty one.
async fn create(
    client: &TwinsClient,
    id: &str,
    model: &str,
    mut body: Map<String, Value>,
    replace: bool,
    output: Output,
) -> anyhow::Result<()> {
    for component in models::components(client, model).await? {
        body.entry(component).or_insert_with(|| json!({ "$metadata": {} }));
    }
    let body = Value::Object(body);
    let twin = if replace {
        client.put_twin(id, &body).await?
    } else {
        let made = client.create_twin(id, &body).await?;
        made.with_context(|| {
            format!("there is a twin {id} already; add --replace, or see twinwright twins show {id}")
        })?
    };
    output.result(&twin.body, || format!("created {id}"));
    Ok(())
}

async fn delete(client: &TwinsClient, id: &str, output: Output) -> anyhow::Result<()> {
    if client.get_twin(id).await?.is_none() {
        bail!("there is no twin {id}");
    }
    for relationship in client.list_relationships(id, None)?.collect(MOST).await? {
        client.delete_relationship(id, &relationship.id).await?;
    }
    for incoming in client.list_incoming(id)?.collect(MOST).await? {
        client.delete_relationship(&incoming.source, &incoming.id).await?;
    }
    client.delete_twin(id, None).await?;
    output.result(&json!({ "deleted": id }), || format!("deleted {id}"));
    Ok(())
}
