//! The state itself, and how a line of the journal changes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::{Value, json};
use twinwright_dtdl::{ModelSet, Rules};

use super::index::Index;
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
    /// The same, as queries look for it.
    pub(crate) index: Index,
}

impl Default for Graph {
    fn default() -> Self {
        Self {
            models: ModelSet::new(Rules::DigitalTwins),
            entries: IndexMap::new(),
            twins: BTreeMap::new(),
            relationships: BTreeMap::new(),
            incoming: BTreeMap::new(),
            index: Index::default(),
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
                self.insert_twin(id, Arc::new(twin));
            }
            "deleteTwin" => {
                self.remove_twin(text(&line, "id")?);
            }
            "relationship" => {
                let Value::Object(relationship) = line["relationship"].take() else {
                    return Err("'relationship' is missing".into());
                };
                let field = |name: &str| relationship.get(name).and_then(Value::as_str).map(str::to_owned);
                let (Some(source), Some(id), Some(_)) =
                    (field("$sourceId"), field("$relationshipId"), field("$targetId"))
                else {
                    return Err("the relationship has no identifiers".into());
                };
                self.insert_relationship((source, id), Arc::new(relationship));
            }
            "deleteRelationship" => {
                self.remove_relationship(&(text(&line, "source")?.to_owned(), text(&line, "id")?.to_owned()));
            }
            other => return Err(format!("'{other}' is no known change")),
        }
        Ok(())
    }

    pub(crate) fn insert_twin(&mut self, id: String, document: Arc<Document>) -> Option<Arc<Document>> {
        self.index.put_twin(&document);
        self.twins.insert(id, document)
    }

    pub(crate) fn remove_twin(&mut self, id: &str) -> Option<Arc<Document>> {
        self.index.remove_twin(id);
        self.twins.remove(id)
    }

    pub(crate) fn insert_relationship(
        &mut self,
        key: (String, String),
        document: Arc<Document>,
    ) -> Option<Arc<Document>> {
        let target = document.get("$targetId").and_then(Value::as_str).unwrap_or_default();
        self.incoming.entry(target.to_owned()).or_default().insert(key.clone());
        let old = self.relationships.insert(key, Arc::clone(&document));
        self.index.put_relationship(&document, old.as_deref());
        old
    }

    pub(crate) fn remove_relationship(&mut self, key: &(String, String)) -> Option<Arc<Document>> {
        let removed = self.relationships.remove(key)?;
        self.index.remove_relationship(&removed);
        let target = removed.get("$targetId").and_then(Value::as_str).unwrap_or_default();
        let now_empty = self.incoming.get_mut(target).is_some_and(|sources| {
            sources.remove(key);
            sources.is_empty()
        });
        if now_empty {
            self.incoming.remove(target);
        }
        Some(removed)
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
