//! From JSON documents to interfaces, each checked on its own. What crosses interfaces is checked in `model_set`.

mod class;
mod content;
mod literal;
mod raw;
mod schema;

use std::collections::HashSet;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;

use crate::Rules;
use crate::context::Scope;
use crate::dtmi::Dtmi;
use crate::element::{Interface, Language, Schema};
use crate::error::{ErrorKind, Errors};
use class::Class;

/// Inline interfaces nest at most this deep.
const DEEPEST_INLINE: usize = 12;

/// Reads one top-level document and the interfaces inside it.
pub(crate) struct Reader<'a> {
    pub(crate) scope: Scope,
    pub(crate) ids: &'a mut HashSet<Dtmi>,
    pub(crate) schemas: IndexMap<Dtmi, Arc<Schema>>,
    pub(crate) depth: usize,
    errors: &'a mut Errors,
    model: String,
    rules: Rules,
    inline_depth: usize,
    interfaces: Vec<Interface>,
}

/// Reads every document; faults are collected, what could be read comes back.
pub(crate) fn read(documents: &[Value], rules: Rules, errors: &mut Errors) -> Vec<Interface> {
    let mut ids = HashSet::new();
    let mut interfaces = Vec::new();
    // A list inside the upload counts as its entries, as the language's own parser takes it.
    let flat = documents.iter().flat_map(|document| match document {
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    });
    for (index, document) in flat.enumerate() {
        let fallback = format!("document {}", index + 1);
        let model =
            document.get("@id").and_then(Value::as_str).map_or(fallback, |id| id.chars().take(200).collect());
        if !document.is_object() {
            errors.push(
                &model,
                "",
                ErrorKind::Shape,
                "is no JSON object: a model is one object with @id, @type and @context",
            );
            continue;
        }
        if document.get("@graph").is_some() {
            errors.push(
                &model,
                "@graph",
                ErrorKind::Shape,
                "@graph is not taken: upload the models as a plain list",
            );
            continue;
        }
        let scope = match Scope::read(document.get("@context")) {
            Ok(scope) => scope,
            Err((kind, message)) => {
                errors.push(&model, "@context", kind, message);
                continue;
            }
        };
        let mut reader = Reader {
            scope,
            ids: &mut ids,
            schemas: IndexMap::new(),
            depth: 0,
            errors,
            model,
            rules,
            inline_depth: 0,
            interfaces: Vec::new(),
        };
        reader.interface(document, "");
        interfaces.append(&mut reader.interfaces);
    }
    interfaces
}

impl Reader<'_> {
    pub(crate) fn fault(&mut self, path: &str, kind: ErrorKind, message: impl Into<String>) {
        self.errors.push(&self.model, path, kind, message);
    }

    /// Relationships of v2 may name targets of v3, so identifiers that cross interfaces are read by the wider rule in v3 only.
    pub(crate) fn reference_language(&self) -> Language {
        self.scope.language
    }

    fn interface(&mut self, value: &Value, path: &str) -> Option<Dtmi> {
        let raw = self.element(value, path, &[Class::Interface], None)?;
        let extends = self.extends(&raw);
        self.schemas_of(&raw);
        let contents = self.contents(&raw);
        let id = raw.about.id.clone()?;
        self.interfaces.push(Interface {
            id: id.clone(),
            language: self.scope.language,
            about: raw.about,
            extends,
            contents,
            schemas: std::mem::take(&mut self.schemas),
        });
        Some(id)
    }

    /// An interface written inside another. The language allows it, Azure Digital Twins does not.
    pub(crate) fn inline_interface(&mut self, value: &Value, path: &str) -> Option<Dtmi> {
        if self.rules == Rules::DigitalTwins {
            let message = "an interface may not be written inside another: make it a model of its own and refer to its @id";
            self.fault(path, ErrorKind::Service, message);
            return None;
        }
        if self.inline_depth >= DEEPEST_INLINE {
            self.fault(
                path,
                ErrorKind::Depth,
                "interfaces are nested too deeply: make it a model of its own",
            );
            return None;
        }
        let scope = match value.get("@context").map(|context| Scope::read(Some(context))) {
            None => self.scope.clone(),
            Some(Ok(scope)) if scope.language <= self.scope.language => scope,
            Some(Ok(_)) => {
                self.fault(
                    path,
                    ErrorKind::Context,
                    "a newer language inside an older one is not allowed: use the same @context",
                );
                return None;
            }
            Some(Err((kind, message))) => {
                self.fault(path, kind, message);
                return None;
            }
        };
        let outer_scope = std::mem::replace(&mut self.scope, scope);
        let outer_schemas = std::mem::take(&mut self.schemas);
        self.inline_depth += 1;
        let id = self.interface(value, path);
        self.inline_depth -= 1;
        self.scope = outer_scope;
        self.schemas = outer_schemas;
        id
    }
}
