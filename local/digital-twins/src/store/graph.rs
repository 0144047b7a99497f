//! The state itself, and how a line of the journal changes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::{Value, json};
use twinwright_dtdl::{ModelSet, Rules};

use crate::answer::Refusal;
use crate::twin::{Document, model_of};

/// A model as it was uploaded, and what the service adds.
#[derive(Debug, Clone)]
pub(crate) struct ModelEntry {
    pub(crate) document: Value,
    pub(crate) upload_time: String,
    pub(crate) decommissioned: bool,
}

/// Everything that the service knows.
#[derive(Debug)]
pub(crate) struct Graph {
    pub(crate) models: ModelSet,
    pub(crate) entries: IndexMap<String, ModelEntry>,
    pub(crate) twins: BTreeMap<String, Arc<Document>>,
    /// By source twin and relationship.
    pub(crate) relationships: BTreeMap<(String, String), Arc<Document>>,
    /// Target twin to source twin and relationship.
    pub(crate) incoming: BTreeMap<String, BTreeSet<(String, String)>>,
}

impl Default for Graph {
    fn default() -> Self {
        Self {
            models: ModelSet::new(Rules::DigitalTwins),
            entries: IndexMap::new(),
            twins: BTreeMap::new(),
            relationships: BTreeMap::new(),
            incoming: BTreeMap::new(),
        }
    }
}

fn text<'a>(line: &'a Value, key: &str) -> Result<&'a str, String> {
    line[key].as_str().ok_or_else(|| format!("'{key}' is missing"))
}

impl Graph {
    /// Applies one line of the journal.
    pub(crate) fn apply(&mut self, mut line: Value) -> Result<(), String> {
        match text(&line, "op")? {
            "models" => self.add_models(&line)?,
            "decommission" => {
                let id = text(&line, "id")?;
                let entry = self.entries.get_mut(id).ok_or_else(|| format!("no model '{id}'"))?;
                entry.decommissioned = line["decommissioned"] == true;
            }
            "deleteModel" => {
                let id = text(&line, "id")?;
                self.models = self.models.without(id);
                self.entries.shift_remove(id);
            }
            "twin" => {
                let Value::Object(twin) = line["twin"].take() else { return Err("'twin' is missing".into()) };
                let id =
                    twin.get("$dtId").and_then(Value::as_str).ok_or("the twin has no identifier")?.to_owned();
                self.twins.insert(id, Arc::new(twin));
            }
            "deleteTwin" => {
                self.twins.remove(text(&line, "id")?);
            }
            "relationship" => {
                let Value::Object(relationship) = line["relationship"].take() else {
                    return Err("'relationship' is missing".into());
                };
                let field = |name: &str| relationship.get(name).and_then(Value::as_str).map(str::to_owned);
                let (source, id, target) = (field("$sourceId"), field("$relationshipId"), field("$targetId"));
                let (Some(source), Some(id), Some(target)) = (source, id, target) else {
                    return Err("the relationship has no identifiers".into());
                };
                self.incoming.entry(target).or_default().insert((source.clone(), id.clone()));
                self.relationships.insert((source, id), Arc::new(relationship));
            }
            "deleteRelationship" => {
                let key = (text(&line, "source")?.to_owned(), text(&line, "id")?.to_owned());
                if let Some(relationship) = self.relationships.remove(&key) {
                    let target = relationship.get("$targetId").and_then(Value::as_str).unwrap_or_default();
                    let now_empty = self.incoming.get_mut(target).is_some_and(|sources| {
                        sources.remove(&key);
                        sources.is_empty()
                    });
                    if now_empty {
                        self.incoming.remove(target);
                    }
                }
            }
            other => return Err(format!("'{other}' is no known change")),
        }
        Ok(())
    }

    fn add_models(&mut self, line: &Value) -> Result<(), String> {
        let list = line["models"].as_array().ok_or("'models' is missing")?;
        let documents: Vec<Value> = list.iter().map(|entry| entry["model"].clone()).collect();
        self.models = self.models.with(&documents).map_err(|errors| errors[0].to_string())?;
        for entry in list {
            let model = ModelEntry {
                document: entry["model"].clone(),
                upload_time: text(entry, "uploadTime")?.to_owned(),
                decommissioned: entry["decommissioned"] == true,
            };
            let id = entry["model"]["@id"].as_str().ok_or("a model has no @id")?;
            self.entries.insert(id.to_owned(), model);
        }
        Ok(())
    }

    /// The whole graph as journal lines.
    pub(crate) fn lines(&self) -> impl Iterator<Item = Value> {
        let models = (!self.entries.is_empty()).then(|| {
            let list: Vec<Value> = self.entries.values().map(ModelEntry::line).collect();
            json!({"op": "models", "models": list})
        });
        let twins = self.twins.values().map(|twin| json!({"op": "twin", "twin": **twin}));
        let relationships =
            self.relationships.values().map(|entry| json!({"op": "relationship", "relationship": **entry}));
        models.into_iter().chain(twins).chain(relationships)
    }

    /// Names of the components of a twin, by its model.
    pub(crate) fn components_of(&self, twin: &Document) -> Vec<String> {
        let interface = model_of(twin).and_then(|model| self.models.resolve(model));
        interface.map_or_else(Vec::new, |interface| {
            interface.components().map(|(name, _)| name.to_owned()).collect()
        })
    }

    /// One component of a twin.
    pub(crate) fn component_of<'a>(&self, twin: &'a Document, name: &str) -> Result<&'a Document, Refusal> {
        let known = self.components_of(twin).iter().any(|component| component == name);
        match twin.get(name) {
            Some(Value::Object(component)) if known => Ok(component),
            _ => Err(Refusal::missing("ComponentNotFound", format!("the twin has no component '{name}'"))),
        }
    }
}

impl ModelEntry {
    pub(crate) fn line(&self) -> Value {
        json!({"model": self.document, "uploadTime": self.upload_time, "decommissioned": self.decommissioned})
    }
}
