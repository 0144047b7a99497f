//! What a new platform needs to show something: models, the line of the recipe, baselines of healthy machines.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};
use twinwright_app::clock::now;
use twinwright_app::train::{Declared, Readings, fit_and_promote};
use twinwright_azure::twins::{Relationship, TwinsClient};
use twinwright_history::store::Store;
use twinwright_simulator::{Kind, Reading, Scenario, healthy_history};

use crate::connection::Connection;

const MODELS: [&str; 6] = [
    include_str!("../../../../infra/models/production-line.json"),
    include_str!("../../../../infra/models/equipment.json"),
    include_str!("../../../../infra/models/twinwright-health.json"),
    include_str!("../../../../infra/models/twinwright-equipment.json"),
    include_str!("../../../../infra/models/twinwright-health-2.json"),
    include_str!("../../../../infra/models/twinwright-equipment-2.json"),
];
/// The model of the machines' twins.
const EQUIPMENT: &str = "dtmi:twinwright:Equipment;1";
/// Rows of healthy operation that the first baselines are fitted on: a bit more than an hour at one a second.
const ROWS: usize = 4_000;
/// The history is of another run of the machines than the one shown.
const HISTORY_SEED: u64 = 7_001;

/// Uploads the models that are missing.
pub(super) async fn twins(connection: &Connection, data: &Path) -> anyhow::Result<()> {
    let client = connection.twins(data)?;
    let known: BTreeSet<String> =
        client.list_models(false)?.collect(1_000).await?.into_iter().map(|model| model.id).collect();
    let models: Vec<Value> = MODELS.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
    let missing: Vec<Value> = models
        .into_iter()
        .filter(|model| !known.contains(model["@id"].as_str().unwrap_or_default()))
        .collect();
    if !missing.is_empty() {
        client.add_models(&missing).await.context("cannot upload the models")?;
    }
    Ok(())
}

/// Creates the twins of a scenario's lines and machines, and a baseline for each equipment model that has none.
///
/// # Errors
/// The twins or the storage cannot be written.
pub async fn provision(
    connection: &Connection,
    data: &Path,
    scenario: &Scenario,
    period_us: i64,
) -> anyhow::Result<()> {
    let client = connection.twins(data)?;
    for line in &scenario.lines {
        let body = json!({
            "$metadata": { "$model": "dtmi:manufacturing:ProductionLine;1" },
            "lineId": line.id,
            "status": "operational",
        });
        client.create_twin(&line.id, &body).await?;
        for equipment in &line.equipment {
            create_machine(&client, &line.id, &equipment.id, equipment.kind.name()).await?;
        }
    }
    let store = Store::from_url(&connection.storage_url)?;
    for kind in Kind::ALL {
        let config = twinwright_app::config::load(None, std::iter::empty())?;
        let model = scenario.equipment().find(|e| e.kind == kind).map(|e| config.equipment.model_of(&e.id));
        let Some(model) = model else { continue };
        if twinwright_app::catalog::baselines(&store, model).latest().await?.is_some() {
            continue;
        }
        let history = healthy_history(kind, HISTORY_SEED, ROWS, period_us);
        let mut readings = of_simulator(&history);
        fit_and_promote(&store, model, &mut readings, Declared::default(), now())
            .await
            .with_context(|| format!("no baseline for {model}"))?;
    }
    Ok(())
}

async fn create_machine(client: &TwinsClient, line: &str, id: &str, kind: &str) -> anyhow::Result<()> {
    let body = json!({
        "$metadata": { "$model": EQUIPMENT },
        "equipmentId": id,
        "equipmentType": kind,
        "health": { "$metadata": {}, "status": "learning" },
    });
    client.create_twin(id, &body).await?;
    let relationship = Relationship {
        source: line.to_owned(),
        id: format!("contains-{id}"),
        name: "contains".to_owned(),
        target: id.to_owned(),
        etag: String::new(),
        properties: serde_json::Map::new(),
    };
    if client.get_relationship(line, &relationship.id).await?.is_none() {
        client.put_relationship(&relationship).await?;
    }
    Ok(())
}

fn of_simulator(history: &[Reading]) -> Readings {
    let names = history.first().into_iter().flat_map(|reading| reading.signals.iter());
    let mut readings =
        Readings { signals: names.map(|(name, _)| (*name).to_owned()).collect(), ..Readings::default() };
    for reading in history {
        readings.push(0, reading.time_us, |name| reading.signal(name));
    }
    readings
}
