//! `twins …`.

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use twinwright_azure::twins::Relationship;

use crate::args::{ModelCommand, RelationshipCommand, TwinsCommand};
use crate::connection::Connection;
use crate::output::{Output, clean, table};

/// Rows shown at the most.
const MAX_ROWS: usize = 10_000;

/// Runs a `twins` command.
///
/// # Errors
/// No platform runs, or Digital Twins refuses; its words say why.
pub async fn twins(command: TwinsCommand, output: Output) -> anyhow::Result<()> {
    let client = |data: &crate::args::DataOption| Connection::load(&data.data)?.twins(&data.data);
    match command {
        TwinsCommand::Model { command: ModelCommand::Create { files, data } } => {
            let mut models = Vec::new();
            for file in &files {
                let text = std::fs::read_to_string(file)
                    .with_context(|| format!("cannot read {}", file.display()))?;
                let value =
                    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", file.display()))?;
                match value {
                    Value::Array(list) => models.extend(list),
                    model => models.push(model),
                }
            }
            let added = client(&data)?.add_models(&models).await?;
            let ids: Vec<&str> = added.iter().map(|model| model.id.as_str()).collect();
            output.result(&ids, || format!("uploaded {}", ids.join(", ")));
        }
        TwinsCommand::Model { command: ModelCommand::List { data } } => {
            let models = client(&data)?.list_models(false)?.collect(MAX_ROWS).await?;
            let ids: Vec<&str> = models.iter().map(|model| model.id.as_str()).collect();
            output.result(&ids, || ids.join("\n"));
        }
        TwinsCommand::Create { id, model, properties, data } => {
            let mut body: Value = serde_json::from_str(&properties).context("--properties needs JSON")?;
            let Some(object) = body.as_object_mut() else { bail!("--properties needs a JSON object") };
            object.insert("$metadata".to_owned(), json!({ "$model": model }));
            // Digital Twins wants every component there, even an empty one.
            if model.starts_with("dtmi:twinwright:Equipment;") && !object.contains_key("health") {
                object.insert("health".to_owned(), json!({ "$metadata": {} }));
            }
            let Some(twin) = client(&data)?.create_twin(&id, &body).await? else {
                bail!("there is a twin {id} already; twinwright twins show {id}");
            };
            output.result(&twin.body, || format!("created {id}"));
        }
        TwinsCommand::Show { id, data } => {
            let twin = client(&data)?.get_twin(&id).await?;
            let twin = twin
                .with_context(|| format!("there is no twin {id}; twinwright twins create {id} --model …"))?;
            output.result(&twin.body, || serde_json::to_string_pretty(&twin.body).unwrap_or_default());
        }
        TwinsCommand::Query { sql, data } => {
            let rows = client(&data)?.query_all(&sql)?.collect(MAX_ROWS).await?;
            output.result(&rows, || show_rows(&rows));
        }
        TwinsCommand::Delete { id, data } => {
            let client = client(&data)?;
            for relationship in
                client.list_relationships(&id, None)?.collect(MAX_ROWS).await.unwrap_or_default()
            {
                client.delete_relationship(&id, &relationship.id).await?;
            }
            for incoming in client.list_incoming(&id)?.collect(MAX_ROWS).await.unwrap_or_default() {
                client.delete_relationship(&incoming.source, &incoming.id).await?;
            }
            if !client.delete_twin(&id, None).await? {
                bail!("there is no twin {id}");
            }
            output.result(&json!({ "deleted": id }), || format!("deleted {id}"));
        }
        TwinsCommand::Relationship {
            command: RelationshipCommand::Create { source, name, target, id, data },
        } => {
            let id = id.unwrap_or_else(|| format!("{name}-{target}"));
            let etag = String::new();
            let relationship =
                Relationship { source, id, name, target, etag, properties: serde_json::Map::new() };
            let made = client(&data)?.put_relationship(&relationship).await?;
            let text = format!("{} {} {}", made.source, made.name, made.target);
            output.result(&json!({ "id": made.id, "source": made.source, "target": made.target }), || text);
        }
    }
    Ok(())
}

fn show_rows(rows: &[Value]) -> String {
    let twins = rows.iter().all(|row| row.get("$dtId").is_some() && row.get("$metadata").is_some());
    if !twins {
        return serde_json::to_string_pretty(rows).unwrap_or_default();
    }
    let text = |value: &Value| match value {
        Value::String(text) => clean(text),
        Value::Null => "-".to_owned(),
        Value::Number(number) => number.as_f64().map_or_else(|| number.to_string(), |n| format!("{n:.2}")),
        other => other.to_string(),
    };
    let row = |twin: &Value| {
        let health = &twin["health"];
        let model = text(&twin["$metadata"]["$model"]);
        vec![
            text(&twin["$dtId"]),
            model,
            text(&health["status"]),
            text(&health["score"]),
            text(&health["topCause"]),
        ]
    };
    table(&["twin", "model", "health", "score", "top cause"], &rows.iter().map(row).collect::<Vec<_>>())
}
