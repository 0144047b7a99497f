//! The time series model, fed from the twin graph and from what history has: nobody keeps it by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use twinwright_core::time::{Micros, SECOND};
use twinwright_history::StoreError;
use twinwright_history::reader::SummaryQuery;
use twinwright_history::segment::Kind;
use twinwright_timeseries::model::{Hierarchy, Instance, Model, Source, Type};
use uuid::Uuid;

use super::{DAY, StoredHistory};
use crate::adapters::AzureTwins;

const TWINS: &str = "SELECT * FROM DIGITALTWINS";
const CONTAINS: &str = "SELECT * FROM RELATIONSHIPS R WHERE R.$relationshipName = 'contains'";
/// How long a model is good.
const FRESH: Micros = 60 * SECOND;
/// How far back history is asked for devices that no twin knows.
const LOOK_BACK: Micros = 7 * DAY;
/// Levels of a hierarchy, as Time Series Insights had it.
const DEEPEST: usize = 32;

impl StoredHistory {
    /// The model, at most a minute old. Where the twins do not answer, history alone says what there is.
    ///
    /// # Errors
    /// History cannot be read.
    pub async fn model(&self, twins: Option<&AzureTwins>, now: Micros) -> Result<Arc<Model>, StoreError> {
        let mut known = self.model.lock().await;
        if let Some((since, model)) = known.as_ref()
            && now.saturating_sub(*since) < FRESH
        {
            return Ok(Arc::clone(model));
        }
        let graph = match twins {
            None => Graph::default(),
            Some(twins) => match tokio::try_join!(twins.query(TWINS), twins.query(CONTAINS)) {
                Ok((twins, contains)) => Graph::new(&twins, &contains),
                Err(error) => {
                    tracing::warn!(%error, "the twins do not answer; the time series model has no hierarchies");
                    Graph::default()
                }
            },
        };
        let reader = self.reader().await?;
        let columns = reader.columns().await?;
        let signals: BTreeSet<String> = columns
            .into_iter()
            .filter(|(kind, _)| *kind == Kind::Signal)
            .map(|(_, name)| name.to_string())
            .collect();
        // The newest day alone would miss what was off; a month of a large plant is too much to ask every minute.
        let query = SummaryQuery {
            devices: None,
            signals: None,
            from: now - LOOK_BACK,
            to: now + DAY,
            interval: DAY,
        };
        let mut devices: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (device, signal) in reader.summaries(&query).await?.series.into_keys() {
            devices.entry(device.to_string()).or_default().insert(signal.to_string());
        }
        let model = Arc::new(self.put_together(&graph, &devices, &signals));
        *known = Some((now, Arc::clone(&model)));
        Ok(model)
    }

    fn put_together(
        &self,
        graph: &Graph,
        devices: &BTreeMap<String, BTreeSet<String>>,
        signals: &BTreeSet<String>,
    ) -> Model {
        let default_type = id("type", "");
        let default = Type::of_signals(&default_type, "DefaultType", signals.iter().map(String::as_str));
        let mut model = Model { default_type: default_type.clone(), ..Model::default() };
        model.types.insert(default_type, default);
        let mut of_model: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        let ids: BTreeSet<&String> = devices.keys().chain(graph.leaves.iter()).collect();
        for device in ids {
            let equipment = self.config.equipment.model_of(device);
            let known = of_model.entry(equipment).or_default();
            if let Some(policy) = self.config.equipment.policy(equipment) {
                known.extend(policy.signals.keys().cloned());
            }
            known.extend(devices.get(device).into_iter().flatten().cloned());
            let path = graph.path(device);
            let mut instance = Instance {
                time_series_id: vec![device.clone()],
                type_id: id("type", equipment),
                name: graph.twins.get(device).map(|twin| twin.name.clone()),
                ..Instance::default()
            };
            if !path.is_empty() {
                let levels: Vec<String> = path.iter().map(|(level, _)| level.clone()).collect();
                let name = levels.join(" / ");
                let hierarchy = id("hierarchy", &name);
                instance.hierarchy_ids.push(hierarchy.clone());
                instance.instance_fields = path.into_iter().collect();
                let source = Source { instance_field_names: levels };
                model.hierarchies.entry(hierarchy.clone()).or_insert(Hierarchy {
                    id: hierarchy,
                    name,
                    source,
                });
            }
            model.instances.insert(device.clone(), instance);
        }
        for (equipment, signals) in of_model {
            let kind =
                Type::of_signals(&id("type", equipment), equipment, signals.iter().map(String::as_str));
            model.types.insert(kind.id.clone(), kind);
        }
        model
    }
}

/// The same for the same name, on every machine.
fn id(what: &str, name: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("twinwright {what} {name}").as_bytes()).to_string()
}

#[derive(Debug, Default)]
struct Twin {
    /// Last part of its model's id.
    kind: String,
    name: String,
}

/// What contains what.
#[derive(Debug, Default)]
struct Graph {
    twins: BTreeMap<String, Twin>,
    parents: BTreeMap<String, String>,
    /// Twins that contain nothing and are contained.
    leaves: BTreeSet<String>,
}

impl Graph {
    fn new(twins: &[Value], contains: &[Value]) -> Self {
        let text =
            |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut graph = Self::default();
        for twin in twins {
            let model = twin.pointer("/$metadata/$model").and_then(Value::as_str).unwrap_or_default();
            let kind = model.split(';').next().and_then(|id| id.rsplit(':').next()).unwrap_or_default();
            let id = text(twin, "$dtId");
            let named = ["displayName", "name", "lineId", "equipmentId"].iter().map(|key| text(twin, key));
            let name = named.into_iter().find(|name| !name.is_empty()).unwrap_or_else(|| id.clone());
            graph.twins.insert(id, Twin { kind: kind.to_owned(), name });
        }
        let mut containing = BTreeSet::new();
        for relation in contains {
            let (source, target) = (text(relation, "$sourceId"), text(relation, "$targetId"));
            graph.parents.entry(target).or_insert_with(|| source.clone());
            containing.insert(source);
        }
        graph.leaves = graph.parents.keys().filter(|id| !containing.contains(*id)).cloned().collect();
        graph
    }

    /// Level and name of everything that contains a twin, the outermost first.
    fn path(&self, device: &str) -> Vec<(String, String)> {
        let mut path: Vec<(String, String)> = Vec::new();
        let mut seen = BTreeSet::from([device]);
        let mut next = self.parents.get(device);
        while let Some(parent) = next {
            // A graph may have a circle; a hierarchy may not.
            if !seen.insert(parent) || path.len() >= DEEPEST {
                break;
            }
            let twin = self.twins.get(parent);
            let kind = twin.map_or("Level", |twin| twin.kind.as_str());
            let same = path.iter().filter(|(level, _)| level.split(' ').next() == Some(kind)).count();
            let level = if same == 0 { kind.to_owned() } else { format!("{kind} {}", same + 1) };
            path.push((level, twin.map_or_else(|| parent.clone(), |twin| twin.name.clone())));
            next = self.parents.get(parent);
        }
        path.reverse();
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_contains_a_machine_is_its_hierarchy() {
        let twin = |id: &str, model: &str| json!({ "$dtId": id, "$metadata": { "$model": format!("dtmi:x:{model};1") } });
        let contains = |a: &str, b: &str| json!({ "$sourceId": a, "$targetId": b });
        let twins = [
            twin("jena", "Area"),
            twin("hall", "Area"),
            twin("line-1", "ProductionLine"),
            twin("arm", "Arm"),
        ];
        let edges = [
            contains("jena", "hall"),
            contains("hall", "line-1"),
            contains("line-1", "arm"),
            contains("a", "b"),
            contains("b", "a"),
        ];
        let graph = Graph::new(&twins, &edges);
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            graph.path("arm"),
            [pair("Area 2", "jena"), pair("Area", "hall"), pair("ProductionLine", "line-1")]
        );
        assert_eq!(graph.path("b").len(), 1, "a circle ends");
        assert_eq!(graph.leaves, BTreeSet::from(["arm".to_owned()]));
        assert_eq!(id("type", "pump"), id("type", "pump"));
    }
}
