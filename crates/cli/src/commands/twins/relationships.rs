//! `twins relationship …`.

use anyhow::bail;
use serde_json::json;
use twinwright_azure::twins::Relationship;

use super::{MOST, client, object};
use crate::args::RelationshipCommand;
use crate::output::{Output, clean, table};

pub(super) async fn run(command: RelationshipCommand, output: Output) -> anyhow::Result<()> {
    match command {
        RelationshipCommand::Create { source, name, target_twin, id, properties, target } => {
            let id = id.unwrap_or_else(|| format!("{name}-{target_twin}"));
            let properties = object("--properties", &properties)?;
            let wanted =
                Relationship { source, id, name, target: target_twin, etag: String::new(), properties };
            let made = client(&target)?.put_relationship(&wanted).await?;
            let text = format!("{} {} {}", made.source, made.name, made.target);
            output.result(&json!({ "id": made.id, "source": made.source, "target": made.target }), || text);
        }
        RelationshipCommand::List { source, name, target } => {
            let all = client(&target)?.list_relationships(&source, name.as_deref())?.collect(MOST).await?;
            let rows: Vec<_> = all
                .iter()
                .map(|one| json!({ "id": one.id, "name": one.name, "source": one.source, "target": one.target, "properties": one.properties }))
                .collect();
            let cells = all.iter().map(|one| vec![clean(&one.id), clean(&one.name), clean(&one.target)]);
            output.result(&rows, || table(&["id", "name", "target"], &cells.collect::<Vec<_>>()));
        }
        RelationshipCommand::Incoming { twin, target } => {
            let all = client(&target)?.list_incoming(&twin)?.collect(MOST).await?;
            let rows: Vec<_> = all
                .iter()
                .map(|one| json!({ "id": one.id, "name": one.name, "source": one.source }))
                .collect();
            let cells = all.iter().map(|one| vec![clean(&one.id), clean(&one.name), clean(&one.source)]);
            output.result(&rows, || table(&["id", "name", "source"], &cells.collect::<Vec<_>>()));
        }
        RelationshipCommand::Delete { source, id, target } => {
            if !client(&target)?.delete_relationship(&source, &id).await? {
                bail!("twin {source} has no relationship {id}; twinwright twins relationship list {source}");
            }
            output.result(&json!({ "deleted": id }), || format!("deleted {id}"));
        }
    }
    Ok(())
}
