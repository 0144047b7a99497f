//! The contents of an interface.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;

use super::class::{CONTENT, Class};
use super::raw::{Raw, join, long_or_short};
use super::{Reader, literal};
use crate::dtmi::{Dtmi, is_name};
use crate::element::{Content, ContentKind, Field, Language, Property, Relationship, Schema};
use crate::error::ErrorKind;

impl Reader<'_> {
    pub(crate) fn contents(&mut self, raw: &Raw<'_>) -> IndexMap<String, Content> {
        let mut contents = IndexMap::new();
        for (value, path) in self.list(raw, "contents", 300) {
            let Some(element) = self.element(value, &path, CONTENT, None) else { continue };
            let name = self.name(&element);
            let kind = match element.class {
                Class::Property => self.property(&element).map(ContentKind::Property),
                Class::Telemetry => {
                    self.schema_of(&element, "schema").map(|schema| ContentKind::Telemetry { schema })
                }
                Class::Command => Some(self.command(&element)),
                Class::Relationship => Some(ContentKind::Relationship(self.relationship(&element))),
                _ => self.component(&element),
            };
            let (Some(name), Some(kind)) = (name, kind) else { continue };
            if contents.contains_key(&name) {
                self.fault(
                    &path,
                    ErrorKind::Duplicate,
                    format!("the name '{name}' is used twice in this interface: rename one"),
                );
                continue;
            }
            contents.insert(name.clone(), Content { name, about: element.about, kind });
        }
        contents
    }

    /// The programming name of an element, checked.
    pub(crate) fn name(&mut self, raw: &Raw<'_>) -> Option<String> {
        let most = if self.scope.language == Language::V2 { 64 } else { 512 };
        let outcome = literal::text(raw.get("name")?).and_then(|name| {
            if name.len() > most {
                Err(format!("has {} characters: shorten it to {most} at most", name.len()))
            } else if is_name(name) {
                Ok(name.to_owned())
            } else {
                Err(format!("'{name}' is no name: use letters, digits and underscores, a letter first and no underscore last"))
            }
        });
        outcome.map_err(|message| self.fault(&raw.at("name"), ErrorKind::Property, message)).ok()
    }

    fn flag(&mut self, raw: &Raw<'_>, term: &str) -> bool {
        match raw.get(term).map(literal::boolean) {
            None => false,
            Some(Ok(flag)) => flag,
            Some(Err(message)) => {
                self.fault(&raw.at(term), ErrorKind::Property, message);
                false
            }
        }
    }

    fn property(&mut self, raw: &Raw<'_>) -> Option<Property> {
        let writable = self.flag(raw, "writable");
        let schema = self.schema_of(raw, "schema")?;
        Some(Property { schema, writable })
    }

    fn command(&mut self, raw: &Raw<'_>) -> ContentKind {
        let (request, response) = match self.scope.language {
            Language::V2 => (Class::CommandPayload, Class::CommandPayload),
            Language::V3 => (Class::CommandRequest, Class::CommandResponse),
        };
        let mut payload = |term: &str, class: Class| -> Option<Field> {
            let value = raw.get(term)?;
            self.field(value, &raw.at(term), class)
        };
        let (request, response) = (payload("request", request), payload("response", response));
        if let Some(value) = raw.get("commandType") {
            let term = value
                .as_str()
                .and_then(|text| long_or_short(text, "dtmi:dtdl:instance:CommandType:", self.scope.language));
            if !matches!(term, Some("synchronous" | "asynchronous")) {
                self.fault(
                    &raw.at("commandType"),
                    ErrorKind::Property,
                    "must be 'synchronous' or 'asynchronous': better leave it out",
                );
            }
        }
        ContentKind::Command { request, response }
    }

    fn relationship(&mut self, raw: &Raw<'_>) -> Relationship {
        self.flag(raw, "writable");
        let most = if self.scope.language == Language::V2 { 500 } else { i64::MAX };
        for (term, range, hint) in [
            ("minMultiplicity", 0..=0, "must be 0"),
            ("maxMultiplicity", 1..=most, "must be 1 or more, and at most 500 in DTDL v2"),
        ] {
            match raw.get(term).map(literal::integer) {
                Some(Ok(number)) if !range.contains(&number) => {
                    self.fault(&raw.at(term), ErrorKind::Limit, hint)
                }
                Some(Err(message)) => self.fault(&raw.at(term), ErrorKind::Property, message),
                _ => {}
            }
        }
        let target = raw.get("target").and_then(|value| self.reference(value, &raw.at("target")));
        let mut properties: IndexMap<String, Arc<Schema>> = IndexMap::new();
        for (value, path) in self.list(raw, "properties", 300) {
            let Some(element) = self.element(value, &path, &[Class::Property], None) else { continue };
            let name = self.name(&element);
            let (Some(name), Some(property)) = (name, self.property(&element)) else { continue };
            if properties.insert(name.clone(), property.schema).is_some() {
                self.fault(
                    &path,
                    ErrorKind::Duplicate,
                    format!("the name '{name}' is used twice in this relationship: rename one"),
                );
            }
        }
        Relationship { target, properties }
    }

    fn component(&mut self, raw: &Raw<'_>) -> Option<ContentKind> {
        let value = raw.get("schema")?;
        let path = raw.at("schema");
        if value.is_object() {
            return self.inline_interface(value, &path).map(|schema| ContentKind::Component { schema });
        }
        self.reference(value, &path).map(|schema| ContentKind::Component { schema })
    }

    /// The identifier of another interface, written as a plain text.
    pub(crate) fn reference(&mut self, value: &Value, path: &str) -> Option<Dtmi> {
        let value = match value {
            Value::Array(list) if list.len() == 1 => &list[0],
            other => other,
        };
        let Some(text) = value.as_str() else {
            let message = "must be the identifier of an interface, written as a plain text";
            self.fault(path, ErrorKind::Reference, message);
            return None;
        };
        match Dtmi::parse(text, self.reference_language()) {
            Ok(id) if id.is_reserved() => {
                self.fault(
                    path,
                    ErrorKind::Reference,
                    format!("'{id}' has a reserved prefix: refer to an interface of your own"),
                );
                None
            }
            Ok(id) => Some(id),
            Err(error) => {
                self.fault(path, ErrorKind::Reference, error.to_string());
                None
            }
        }
    }

    pub(crate) fn extends(&mut self, raw: &Raw<'_>) -> Vec<Dtmi> {
        let mut parents: Vec<Dtmi> = Vec::new();
        for (value, path) in self.list(raw, "extends", 2) {
            let parent = if value.is_object() {
                self.inline_interface(value, &path)
            } else {
                self.reference(value, &path)
            };
            match parent {
                Some(id) if parents.contains(&id) => {
                    self.fault(&path, ErrorKind::Duplicate, format!("'{id}' is listed twice: keep one"))
                }
                Some(id) => parents.push(id),
                None => {}
            }
        }
        parents
    }

    pub(crate) fn schemas_of(&mut self, raw: &Raw<'_>) {
        for (value, path) in self.list(raw, "schemas", usize::MAX) {
            let Some(element) = self.element(value, &path, super::class::COMPLEX, None) else { continue };
            if element.about.id.is_none() {
                self.fault(
                    &join(&path, "@id"),
                    ErrorKind::Identifier,
                    "a schema listed under 'schemas' needs an @id: add one",
                );
            }
            self.complex(&element);
        }
    }
}
