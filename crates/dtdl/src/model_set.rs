//! A set of models that fit together, and what each has through inheritance.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};
use serde_json::Value;

use crate::dtmi::Dtmi;
use crate::element::{Content, ContentKind, Interface, Relationship, Schema};
use crate::error::ModelError;
use crate::fault::Fault;
use crate::graph::{Element, Graph, Id};
use crate::meta::metamodel;
use crate::options::{Options, Rules};
use crate::publish::{Publisher, dtmi};
use crate::session;
use crate::source::Source;

/// An interface with all that it inherits.
#[derive(Debug, Clone)]
pub struct ResolvedInterface {
    /// The interface as written.
    pub interface: Arc<Interface>,
    /// Every interface it inherits from, directly or not, without itself.
    pub ancestors: IndexSet<Dtmi>,
    /// Own and inherited contents by name, inherited ones first.
    pub contents: IndexMap<String, ResolvedContent>,
    /// The elements that it is made of, by identifier, for models that come later.
    elements: Arc<IndexMap<Id, Arc<Element>>>,
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

    /// Names and schemas of all properties.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &Arc<Schema>)> {
        self.contents.iter().filter_map(|(name, resolved)| match &resolved.content.kind {
            ContentKind::Property(property) => Some((name.as_str(), &property.schema)),
            _ => None,
        })
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

    /// Names of all commands.
    pub fn commands(&self) -> impl Iterator<Item = &str> {
        self.contents
            .iter()
            .filter(|(_, resolved)| matches!(resolved.content.kind, ContentKind::Command { .. }))
            .map(|(name, _)| name.as_str())
    }
}

/// Models that fit together. Cheap to clone; adding models leaves the old set as it was.
#[derive(Debug, Clone, Default)]
pub struct ModelSet {
    options: Options,
    models: IndexMap<Dtmi, Arc<ResolvedInterface>>,
}

/// A set with new models in it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The old and the new models.
    pub models: ModelSet,
    /// Identifiers of the new models, in the order of the sources.
    pub added: Vec<Dtmi>,
    /// What is accepted and of no use, as commands are in Azure Digital Twins.
    pub warnings: Vec<ModelError>,
}

impl ModelSet {
    /// An empty set that keeps the given rules.
    pub fn new(rules: Rules) -> Self {
        Self::with_options(Options { rules, ..Options::default() })
    }

    /// An empty set whose models are parsed with these options.
    pub fn with_options(options: Options) -> Self {
        Self { options, models: IndexMap::new() }
    }

    /// This set with more models: all of them, or none and every error (at most [`Options::most_errors`]).
    ///
    /// Places in errors are places in the documents printed with two spaces of indentation; where the text of the author
    /// is at hand, [`ModelSet::load`] gives places in that.
    pub fn with(&self, documents: &[Value]) -> Result<Self, Vec<ModelError>> {
        let text = |document: &Value| format!("{document:#}");
        let sources = documents
            .iter()
            .enumerate()
            .map(|(index, document)| Source::new(format!("document {}", index + 1), text(document)))
            .collect();
        self.load(sources).map(|loaded| loaded.models)
    }

    /// This set with the models of some sources: all of them, or none and every error.
    pub fn load(&self, sources: Vec<Source>) -> Result<Loaded, Vec<ModelError>> {
        self.load_with(sources, |_| None)
    }

    /// As [`ModelSet::load`]; `resolver` is asked for models that are referred to and neither in the set nor in the sources.
    /// It answers sources that define all of them, or nothing to refuse.
    pub fn load_with(
        &self,
        sources: Vec<Source>,
        mut resolver: impl FnMut(&[Dtmi]) -> Option<Vec<Source>>,
    ) -> Result<Loaded, Vec<ModelError>> {
        let known = |graph: &mut Graph, id: &Id| self.recall(graph, id);
        let occupied = |id: &str| self.models.contains_key(id);
        let mut ask = |ids: &[Id]| {
            let ids: Vec<Dtmi> = ids.iter().filter_map(|id| dtmi(id)).collect();
            resolver(&ids)
        };
        let (graph, errors) = session::run(sources, &self.options, &known, &occupied, &mut ask);
        if errors.is_empty() { Ok(self.publish(graph)) } else { Err(errors) }
    }

    /// Adds a model of the set, and all that it refers to, to a graph. False for identifiers that the set does not have.
    fn recall(&self, graph: &mut Graph, id: &Id) -> bool {
        let mut open: Vec<Id> = vec![Arc::clone(id)];
        let mut found = false;
        while let Some(id) = open.pop() {
            if graph.elements.contains_key(&id) {
                continue;
            }
            // Elements inside interfaces are asked for in error only: looking through all is good enough.
            let model = self
                .models
                .get(&*id)
                .or_else(|| self.models.values().find(|model| model.elements.contains_key(&id)));
            let Some(model) = model else { continue };
            found = true;
            let mut contents = IndexMap::new();
            for (own, element) in model.elements.iter() {
                graph.elements.insert(Arc::clone(own), Arc::clone(element));
                for (property, target) in &element.refs {
                    if matches!(*property, "extends" | "schema") && !model.elements.contains_key(target) {
                        open.push(Arc::clone(target));
                    }
                }
            }
            let interface = model.elements.first();
            for content in interface.iter().flat_map(|(_, element)| element.all("contents")) {
                if let Some(name) = model.elements.get(content).and_then(|element| element.name()) {
                    contents.insert(name.to_owned(), Arc::clone(content));
                }
            }
            if let Some((id, _)) = interface {
                graph.contents.insert(Arc::clone(id), contents);
            }
        }
        found
    }

    fn publish(&self, mut graph: Graph) -> Loaded {
        let warnings = self.warnings(&mut graph);
        let interfaces = interfaces(&graph);
        let built: IndexMap<Id, Arc<Interface>> = {
            let mut publisher = Publisher::new(|id: &str| graph.get(id));
            let one = |id: &Id| Some((Arc::clone(id), Arc::new(publisher.interface(graph.get(id)?)?)));
            interfaces.iter().filter_map(one).collect()
        };
        let ancestors: Vec<IndexSet<Dtmi>> = built.keys().map(|id| ancestors(&graph, id)).collect();
        let mut partitions = partitions(graph);
        let mut models = self.models.clone();
        let mut added = Vec::with_capacity(built.len());
        for ((id, interface), ancestors) in built.iter().zip(ancestors) {
            let mut contents = IndexMap::new();
            for ancestor in ancestors.iter().rev() {
                let inherited = built
                    .get(ancestor.as_str())
                    .or_else(|| self.models.get(ancestor).map(|model| &model.interface));
                contents.extend(inherited.into_iter().flat_map(own));
            }
            contents.extend(own(interface));
            let elements = Arc::new(partitions.remove(id).unwrap_or_default());
            let interface = Arc::clone(interface);
            added.push(interface.id.clone());
            models.insert(
                interface.id.clone(),
                Arc::new(ResolvedInterface { interface, ancestors, contents, elements }),
            );
        }
        Loaded { models: Self { options: self.options.clone(), models }, added, warnings }
    }

    /// What the service accepts and has no use for.
    fn warnings(&self, graph: &mut Graph) -> Vec<ModelError> {
        if self.options.rules != Rules::DigitalTwins {
            return Vec::new();
        }
        let commands = graph
            .fresh_elements()
            .filter(|element| element.class == crate::meta::class::Class::Command)
            .take(self.options.most_errors);
        let faults: Vec<Fault> = commands
            .map(|element| {
                let name = element.name().unwrap_or_default();
                Fault::new("commandUnused").element(&element.id).value(name).at(element.span())
            })
            .collect();
        if faults.is_empty() {
            return Vec::new();
        }
        let roots = session::roots(graph);
        faults.into_iter().map(|fault| session::describe(graph, &roots, fault)).collect()
    }

    /// This set without one model. Who may be removed is the caller's to decide; see [`ModelSet::dependants`].
    pub fn without(&self, id: &str) -> Self {
        let mut models = self.models.clone();
        models.shift_remove(id);
        Self { options: self.options.clone(), models }
    }

    /// The interface of an identifier, with all that it inherits.
    pub fn resolve(&self, id: &str) -> Option<&Arc<ResolvedInterface>> {
        self.models.get(id)
    }

    /// The schema of an identifier: one of the language, as in `dtmi:dtdl:instance:Schema:double;2`, or one of a model, with the
    /// identifier that its author gave or that was made from its place. Fields and values of maps stand for their schemas.
    pub fn schema(&self, id: &str) -> Option<Arc<Schema>> {
        let holder = self.models.values().find(|model| model.elements.contains_key(id));
        let find =
            |id: &str| holder.and_then(|model| model.elements.get(id)).or_else(|| metamodel().element(id));
        Publisher::new(find).schema(id)
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

/// The new interfaces in the order of the text; those written inside others were parsed before them.
fn interfaces(graph: &Graph) -> Vec<Id> {
    let mut found: Vec<&Arc<Element>> =
        graph.fresh_elements().filter(|element| element.class.is_interface()).collect();
    found.sort_by_key(|element| element.site.as_ref().map(|site| (site.document, site.object.start)));
    found.into_iter().map(|element| Arc::clone(&element.id)).collect()
}

/// All interfaces above one, the nearest first.
fn ancestors(graph: &Graph, id: &str) -> IndexSet<Dtmi> {
    let above = |id: &str| -> Vec<&Id> {
        let mut above: Vec<&Id> =
            graph.get(id).map_or_else(Vec::new, |element| element.all("extends").collect());
        above.reverse();
        above
    };
    let mut found: IndexSet<Dtmi> = IndexSet::new();
    let mut open = above(id);
    while let Some(next) = open.pop() {
        if dtmi(next).is_some_and(|name| found.insert(name)) {
            open.extend(above(next));
        }
    }
    found
}

/// The new elements by interface, each interface first among its own, without their texts.
fn partitions(graph: Graph) -> HashMap<Id, IndexMap<Id, Arc<Element>>> {
    let fresh: HashSet<Id> = graph.fresh.into_iter().collect();
    let mut partitions: HashMap<Id, IndexMap<Id, Arc<Element>>> = HashMap::new();
    let mut inner = Vec::new();
    for (id, element) in graph.elements.into_iter().filter(|(id, _)| fresh.contains(id)) {
        let mut element = Arc::unwrap_or_clone(element);
        element.site = None;
        if element.class.is_interface() {
            partitions.entry(Arc::clone(&id)).or_default().insert(id, Arc::new(element));
        } else {
            inner.push(element);
        }
    }
    for element in inner {
        if let Some(partition) = element.defined_in.as_ref().and_then(|id| partitions.get_mut(id)) {
            partition.insert(Arc::clone(&element.id), Arc::new(element));
        }
    }
    partitions
}

/// Own contents with their origin.
fn own(interface: &Arc<Interface>) -> impl Iterator<Item = (String, ResolvedContent)> {
    interface.contents.iter().map(|(name, content)| {
        let resolved = ResolvedContent { origin: interface.id.clone(), content: Arc::clone(content) };
        (name.clone(), resolved)
    })
}
