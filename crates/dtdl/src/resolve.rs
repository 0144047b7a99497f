//! Schemas of one interface with their references replaced by what they refer to.

use std::collections::HashMap;
use std::sync::Arc;

use crate::dtmi::Dtmi;
use crate::element::{Content, ContentKind, Field, Interface, Language, Property, Relationship, Schema};
use crate::error::{ErrorKind, Errors};

/// Complex schemas nest at most this deep (DTDL v2 and v3, "Schemas").
const DEEPEST: usize = 5;

/// A resolved schema and what the limits need to know of it.
#[derive(Clone)]
struct Resolved {
    schema: Arc<Schema>,
    depth: usize,
    has_array: bool,
}

/// Resolves schemas of one interface. Each named schema is resolved once and shared, so that a small
/// document cannot unfold into a huge one.
pub(crate) struct Resolver<'a> {
    interface: &'a Interface,
    known: HashMap<Dtmi, Option<Resolved>>,
    errors: &'a mut Errors,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(interface: &'a Interface, errors: &'a mut Errors) -> Self {
        Self { interface, known: HashMap::new(), errors }
    }

    fn fault(&mut self, path: &str, kind: ErrorKind, message: String) {
        self.errors.push(self.interface.id.as_str(), path, kind, message);
    }

    /// Checks the schemas that no content uses.
    pub(crate) fn check_named(&mut self) {
        let ids: Vec<Dtmi> = self.interface.schemas.keys().cloned().collect();
        for id in ids {
            let schema = Arc::new(Schema::Reference(id.clone()));
            self.limited(&schema, id.as_str());
        }
    }

    /// The content with every schema resolved; nothing where a fault was found.
    pub(crate) fn content(&mut self, content: &Content) -> Option<Content> {
        let path = format!("content '{}'", content.name);
        let kind = match &content.kind {
            ContentKind::Property(property) => {
                let resolved = self.limited(&property.schema, &path)?;
                self.no_array(&resolved, &path);
                ContentKind::Property(Property { schema: resolved.schema, writable: property.writable })
            }
            ContentKind::Telemetry { schema } => {
                ContentKind::Telemetry { schema: self.limited(schema, &path)?.schema }
            }
            ContentKind::Command { request, response } => ContentKind::Command {
                request: self.field(request.as_ref(), &path)?,
                response: self.field(response.as_ref(), &path)?,
            },
            ContentKind::Relationship(relationship) => {
                let mut properties = indexmap::IndexMap::new();
                for (name, schema) in &relationship.properties {
                    let path = format!("{path} property '{name}'");
                    let resolved = self.limited(schema, &path)?;
                    self.no_array(&resolved, &path);
                    properties.insert(name.clone(), resolved.schema);
                }
                ContentKind::Relationship(Relationship { target: relationship.target.clone(), properties })
            }
            ContentKind::Component { schema } => ContentKind::Component { schema: schema.clone() },
        };
        let numeric = match &kind {
            ContentKind::Property(property) => is_numeric(&property.schema),
            ContentKind::Telemetry { schema } => is_numeric(schema),
            _ => true,
        };
        if content.about.unit.is_some() && !numeric {
            let message = "has a semantic type: its schema must be double, float, integer or long".to_owned();
            self.fault(&path, ErrorKind::Type, message);
        }
        Some(Content { name: content.name.clone(), about: content.about.clone(), kind })
    }

    fn field(&mut self, field: Option<&Field>, path: &str) -> Option<Option<Field>> {
        let Some(field) = field else { return Some(None) };
        let schema = self.limited(&field.schema, path)?.schema;
        Some(Some(Field { name: field.name.clone(), schema }))
    }

    fn no_array(&mut self, resolved: &Resolved, path: &str) {
        if resolved.has_array && self.interface.language == Language::V2 {
            let message = "a property of DTDL v2 may hold no array and no geospatial shape: use an object or a map, or write the model in v3";
            self.fault(path, ErrorKind::Type, message.to_owned());
        }
    }

    fn limited(&mut self, schema: &Arc<Schema>, path: &str) -> Option<Resolved> {
        let resolved = self.resolve(schema, path)?;
        if resolved.depth > DEEPEST {
            let message =
                format!("complex schemas are nested {} deep: {DEEPEST} is the most", resolved.depth);
            self.fault(path, ErrorKind::Depth, message);
            return None;
        }
        Some(resolved)
    }

    fn resolve(&mut self, schema: &Arc<Schema>, path: &str) -> Option<Resolved> {
        Some(match schema.as_ref() {
            Schema::Primitive(_) => Resolved { schema: Arc::clone(schema), depth: 0, has_array: false },
            Schema::Geospatial(_) => Resolved { schema: Arc::clone(schema), depth: 0, has_array: true },
            Schema::Enum(_) => Resolved { schema: Arc::clone(schema), depth: 1, has_array: false },
            Schema::Array(element) => {
                let inner = self.resolve(element, path)?;
                Resolved {
                    schema: Arc::new(Schema::Array(inner.schema)),
                    depth: inner.depth + 1,
                    has_array: true,
                }
            }
            Schema::Map(value) => {
                let inner = self.resolve(value, path)?;
                Resolved {
                    schema: Arc::new(Schema::Map(inner.schema)),
                    depth: inner.depth + 1,
                    has_array: inner.has_array,
                }
            }
            Schema::Object(fields) => {
                let (mut depth, mut has_array, mut resolved) = (0, false, Vec::with_capacity(fields.len()));
                for field in fields {
                    let inner = self.resolve(&field.schema, path)?;
                    depth = depth.max(inner.depth);
                    has_array |= inner.has_array;
                    resolved.push(Field { name: field.name.clone(), schema: inner.schema });
                }
                Resolved { schema: Arc::new(Schema::Object(resolved)), depth: depth + 1, has_array }
            }
            Schema::Reference(id) => return self.reference(id, path),
        })
    }

    fn reference(&mut self, id: &Dtmi, path: &str) -> Option<Resolved> {
        match self.known.get(id) {
            Some(Some(resolved)) => return Some(resolved.clone()),
            Some(None) => {
                self.fault(
                    path,
                    ErrorKind::Depth,
                    format!("the schema '{id}' contains itself: break the circle"),
                );
                return None;
            }
            None => {}
        }
        let Some(schema) = self.interface.schemas.get(id).cloned() else {
            let message =
                format!("the schema '{id}' is not defined in this interface: add it under 'schemas'");
            self.fault(path, ErrorKind::Reference, message);
            return None;
        };
        self.known.insert(id.clone(), None);
        let resolved = self.resolve(&schema, path)?;
        self.known.insert(id.clone(), Some(resolved.clone()));
        Some(resolved)
    }
}

fn is_numeric(schema: &Schema) -> bool {
    matches!(schema, Schema::Primitive(primitive) if primitive.is_numeric())
}
