//! A set of linked models: what one interface takes from others is checked and flattened here.

use std::collections::HashSet;
use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};
use serde_json::Value;

use crate::Rules;
use crate::dtmi::Dtmi;
use crate::element::{Content, ContentKind, Interface, Language, Relationship, Schema};
use crate::error::{ErrorKind, Errors, ModelError};
use crate::read;
use crate::resolve::Resolver;

/// Longest chain of inheritance (DTDL v2 and v3, "Interface").
const DEEPEST_INHERITANCE: usize = 10;
/// Most contents of an interface of v2, inherited ones included.
const MOST_CONTENTS_V2: usize = 300;
/// Most elements of an interface of v3, inherited ones included.
const MOST_CONTENTS_V3: usize = 100_000;

/// An interface with all that it inherits.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedInterface {
    /// The interface as written.
    pub interface: Arc<Interface>,
    /// Every interface it inherits from, directly or not, without itself.
    pub ancestors: IndexSet<Dtmi>,
    /// Own and inherited contents by name; schemas hold no references any more.
    pub contents: IndexMap<String, ResolvedContent>,
    depth: usize,
}

/// A content and the interface that defines it.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedContent {
    /// The interface that defines it.
    pub origin: Dtmi,
    /// The content.
    pub content: Arc<Content>,
}

impl ResolvedInterface {
    /// The identifier.
    pub fn id(&self) -> &Dtmi {
        &self.interface.id
    }

    /// Schema of a property.
    pub fn property(&self, name: &str) -> Option<&Arc<Schema>> {
        match &self.contents.get(name)?.content.kind {
            ContentKind::Property(property) => Some(&property.schema),
            _ => None,
        }
    }

    /// Schema of a telemetry.
    pub fn telemetry(&self, name: &str) -> Option<&Arc<Schema>> {
        match &self.contents.get(name)?.content.kind {
            ContentKind::Telemetry { schema } => Some(schema),
            _ => None,
        }
    }

    /// A relationship.
    pub fn relationship(&self, name: &str) -> Option<&Relationship> {
        match &self.contents.get(name)?.content.kind {
            ContentKind::Relationship(relationship) => Some(relationship),
            _ => None,
        }
    }

    /// The interface of a component.
    pub fn component(&self, name: &str) -> Option<&Dtmi> {
        match &self.contents.get(name)?.content.kind {
            ContentKind::Component { schema } => Some(schema),
            _ => None,
        }
    }

    /// Names and interfaces of all components.
    pub fn components(&self) -> impl Iterator<Item = (&str, &Dtmi)> {
        self.contents.iter().filter_map(|(name, resolved)| match &resolved.content.kind {
            ContentKind::Component { schema } => Some((name.as_str(), schema)),
            _ => None,
        })
    }
}

/// Models that fit together. Cheap to clone; adding models leaves the old set as it was.
#[derive(Debug, Clone, Default)]
pub struct ModelSet {
    rules: Rules,
    models: IndexMap<Dtmi, Arc<ResolvedInterface>>,
}

impl ModelSet {
    /// An empty set that keeps the given rules.
    pub fn new(rules: Rules) -> Self {
        Self { rules, models: IndexMap::new() }
    }

    /// This set with more models: all of them, or none and every fault (at most 100).
    pub fn with(&self, documents: &[Value]) -> Result<Self, Vec<ModelError>> {
        let mut errors = Errors::default();
        let read = read::read(documents, self.rules, &mut errors);
        if !errors.list.is_empty() {
            return Err(errors.list);
        }
        let mut pending: IndexMap<Dtmi, Arc<Interface>> = IndexMap::new();
        for interface in read {
            if self.models.contains_key(&interface.id) {
                let message =
                    "a model with this @id exists already: models never change, raise the version".to_owned();
                errors.push(interface.id.as_str(), "@id", ErrorKind::Duplicate, message);
            }
            pending.insert(interface.id.clone(), Arc::new(interface));
        }
        let mut linker = Linker { models: self.models.clone(), pending, visiting: HashSet::new(), errors };
        let ids: Vec<Dtmi> = linker.pending.keys().cloned().collect();
        for id in &ids {
            linker.link(id, 0);
        }
        for id in &ids {
            linker.check_components(id);
        }
        if linker.errors.list.is_empty() {
            Ok(Self { rules: self.rules, models: linker.models })
        } else {
            Err(linker.errors.list)
        }
    }

    /// This set without one model. Who may be removed is the caller's to decide; see [`ModelSet::dependants`].
    pub fn without(&self, id: &str) -> Self {
        let mut models = self.models.clone();
        models.shift_remove(id);
        Self { rules: self.rules, models }
    }

    /// The interface of an identifier, with all that it inherits.
    pub fn resolve(&self, id: &str) -> Option<&Arc<ResolvedInterface>> {
        self.models.get(id)
    }

    /// Every model, in the order of their arrival.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<ResolvedInterface>> {
        self.models.values()
    }

    /// Number of models.
    pub fn len(&self) -> usize {
        self.models.len()
    }

    /// True without any model.
    pub fn is_empty(&self) -> bool {
        self.models.is_empty()
    }

    /// What a model needs directly: the interfaces that it extends or has as components.
    pub fn dependencies(&self, id: &str) -> IndexSet<Dtmi> {
        let Some(model) = self.models.get(id) else { return IndexSet::new() };
        needs(&model.interface).cloned().collect()
    }

    /// Models that extend this one or have it as a component, directly.
    pub fn dependants(&self, id: &str) -> Vec<Dtmi> {
        let needing =
            self.models.values().filter(|model| needs(&model.interface).any(|need| need.as_str() == id));
        needing.map(|model| model.id().clone()).collect()
    }

    /// Whether a twin of model `id` counts as one of `ancestor`: the same model, or (unless `exact`) a model that is or
    /// inherits from one of the same name with the same or a newer version.
    pub fn is_of_model(&self, id: &str, ancestor: &Dtmi, exact: bool) -> bool {
        if id == ancestor.as_str() {
            return true;
        }
        if exact {
            return false;
        }
        let fits = |candidate: &Dtmi| {
            candidate.path() == ancestor.path() && candidate.version() >= ancestor.version()
        };
        match self.models.get(id) {
            Some(model) => fits(model.id()) || model.ancestors.iter().any(fits),
            None => id.parse().is_ok_and(|id: Dtmi| fits(&id)),
        }
    }
}

fn needs(interface: &Interface) -> impl Iterator<Item = &Dtmi> {
    let components = interface.contents.values().filter_map(|content| match &content.kind {
        ContentKind::Component { schema } => Some(schema),
        _ => None,
    });
    interface.extends.iter().chain(components)
}

/// Links pending interfaces into a copy of the set.
struct Linker {
    models: IndexMap<Dtmi, Arc<ResolvedInterface>>,
    pending: IndexMap<Dtmi, Arc<Interface>>,
    visiting: HashSet<Dtmi>,
    errors: Errors,
}

impl Linker {
    fn fault(&mut self, model: &Dtmi, path: &str, kind: ErrorKind, message: String) {
        self.errors.push(model.as_str(), path, kind, message);
    }

    fn link(&mut self, id: &Dtmi, level: usize) -> Option<Arc<ResolvedInterface>> {
        let Some(interface) = self.pending.get(id).cloned() else { return self.models.get(id).cloned() };
        if let Some(done) = self.models.get(id) {
            return Some(Arc::clone(done));
        }
        if level > 2 * DEEPEST_INHERITANCE || !self.visiting.insert(id.clone()) {
            let message = format!(
                "the inheritance of '{id}' goes in a circle or too deep: {DEEPEST_INHERITANCE} levels are the most"
            );
            self.fault(id, "extends", ErrorKind::Depth, message);
            return None;
        }
        let resolved = self.flatten(&interface, level);
        self.visiting.remove(id);
        let resolved = Arc::new(resolved?);
        self.models.insert(id.clone(), Arc::clone(&resolved));
        Some(resolved)
    }

    fn flatten(&mut self, interface: &Arc<Interface>, level: usize) -> Option<ResolvedInterface> {
        let id = &interface.id;
        let mut ancestors = IndexSet::new();
        let mut contents: IndexMap<String, ResolvedContent> = IndexMap::new();
        let mut depth = 0;
        for parent_id in &interface.extends {
            if !self.pending.contains_key(parent_id) && !self.models.contains_key(parent_id) {
                let message =
                    format!("'{parent_id}' does not exist: upload it in the same request or before");
                self.fault(id, "extends", ErrorKind::Reference, message);
                return None;
            }
            let parent = self.link(parent_id, level + 1)?;
            if interface.language < parent.interface.language {
                let message = format!(
                    "'{parent_id}' is written in DTDL v3: a model of v2 cannot extend it, write this one in v3 too"
                );
                self.fault(id, "extends", ErrorKind::Reference, message);
            }
            depth = depth.max(parent.depth + 1);
            ancestors.insert(parent_id.clone());
            ancestors.extend(parent.ancestors.iter().cloned());
            for (name, inherited) in &parent.contents {
                match contents.get(name) {
                    Some(other) if other.origin == inherited.origin => {}
                    Some(other) => {
                        let message = format!(
                            "'{name}' is inherited from both '{}' and '{}': rename one of them",
                            other.origin, inherited.origin
                        );
                        self.fault(id, "extends", ErrorKind::Duplicate, message);
                    }
                    None => {
                        contents.insert(name.clone(), inherited.clone());
                    }
                }
            }
        }
        if depth > DEEPEST_INHERITANCE {
            let message = format!("inherits through {depth} levels: {DEEPEST_INHERITANCE} are the most");
            self.fault(id, "extends", ErrorKind::Depth, message);
        }
        let mut resolver = Resolver::new(interface, &mut self.errors);
        resolver.check_named();
        let own: Vec<Content> =
            interface.contents.values().filter_map(|content| resolver.content(content)).collect();
        for content in own {
            if let Some(other) = contents.get(&content.name) {
                let message =
                    format!("'{}' is inherited from '{}' already: rename it", content.name, other.origin);
                self.fault(id, "contents", ErrorKind::Duplicate, message);
                continue;
            }
            contents.insert(
                content.name.clone(),
                ResolvedContent { origin: id.clone(), content: Arc::new(content) },
            );
        }
        let most = if interface.language == Language::V2 { MOST_CONTENTS_V2 } else { MOST_CONTENTS_V3 };
        if contents.len() > most {
            let message =
                format!("has {} contents with the inherited ones: {most} are the most", contents.len());
            self.fault(id, "contents", ErrorKind::Limit, message);
        }
        Some(ResolvedInterface { interface: Arc::clone(interface), ancestors, contents, depth })
    }

    /// A component's interface must exist, hold no component itself and be of no newer language.
    fn check_components(&mut self, id: &Dtmi) {
        let Some(model) = self.models.get(id).cloned() else { return };
        let mut faults: IndexMap<String, (ErrorKind, String)> = IndexMap::new();
        for (name, schema) in model.components() {
            let fault = match self.models.get(schema) {
                None if self.pending.contains_key(schema) => continue,
                None => (
                    ErrorKind::Reference,
                    format!(
                        "the interface '{schema}' does not exist: upload it in the same request or before"
                    ),
                ),
                Some(inner) if inner.components().next().is_some() => (
                    ErrorKind::Depth,
                    format!("the interface '{schema}' holds components itself: one level is allowed"),
                ),
                Some(inner) if inner.interface.language > model.interface.language => (
                    ErrorKind::Reference,
                    format!("the interface '{schema}' is written in DTDL v3: write this model in v3 too"),
                ),
                Some(_) => continue,
            };
            faults.insert(format!("content '{name}'"), fault);
        }
        for (path, (kind, message)) in faults {
            self.fault(id, &path, kind, message);
        }
    }
}
