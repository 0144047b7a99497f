//! From parsed elements to the types that everyone else works with.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::dtmi::Dtmi;
use crate::element::{
    Content, ContentKind, Description, EnumSchema, EnumValues, Field, Interface, Language, Localised,
    Primitive, Property, Relationship, Schema, Shape,
};
use crate::graph::{Element, Extra, Id, Literal};
use crate::link::short;
use crate::meta::class::Class;
use crate::meta::metamodel;

/// Schemas never nest deeper once a model is accepted; a bound all the same, as the types would allow it.
const DEEPEST: usize = 16;

/// Builds the public form of the elements that `find` knows. Each schema is built once and shared, so that a small
/// document cannot unfold into a huge one.
pub(crate) struct Publisher<F> {
    find: F,
    schemas: HashMap<Id, Arc<Schema>>,
    depth: usize,
}

impl<'e, F: Fn(&str) -> Option<&'e Arc<Element>>> Publisher<F> {
    pub(crate) fn new(find: F) -> Self {
        Self { find, schemas: HashMap::new(), depth: 0 }
    }

    pub(crate) fn interface(&mut self, element: &Element) -> Option<Interface> {
        let mut contents = IndexMap::new();
        for id in element.all("contents") {
            if let Some(content) = (self.find)(id).and_then(|content| self.content(content)) {
                contents.insert(content.name.clone(), Arc::new(content));
            }
        }
        let mut schemas = IndexMap::new();
        for id in element.all("schemas") {
            if let (Some(name), Some(schema)) = (dtmi(id), self.schema(id)) {
                schemas.insert(name, schema);
            }
        }
        let mut extends: Vec<Dtmi> = element.all("extends").filter_map(|id| dtmi(id)).collect();
        extends.dedup();
        Some(Interface {
            id: dtmi(&element.id)?,
            language: if element.version == 2 { Language::V2 } else { Language::V3 },
            about: about(element),
            extends,
            contents,
            schemas,
        })
    }

    fn content(&mut self, element: &Element) -> Option<Content> {
        let kind = match element.class {
            Class::Property => ContentKind::Property(self.property(element)?),
            Class::Telemetry => ContentKind::Telemetry { schema: self.schema(element.one("schema")?)? },
            Class::Component => ContentKind::Component { schema: dtmi(element.one("schema")?)? },
            Class::Command => ContentKind::Command {
                request: self.payload(element, "request"),
                response: self.payload(element, "response"),
            },
            Class::Relationship => ContentKind::Relationship(self.relationship(element)),
            _ => return None,
        };
        Some(Content { name: element.name()?.to_owned(), about: about(element), kind })
    }

    fn property(&mut self, element: &Element) -> Option<Property> {
        let writable = matches!(element.literal("writable"), Some(Literal::Flag(true)));
        Some(Property { schema: self.schema(element.one("schema")?)?, writable })
    }

    fn payload(&mut self, element: &Element, property: &str) -> Option<Field> {
        let payload = (self.find)(element.one(property)?)?;
        self.field(payload)
    }

    fn field(&mut self, element: &Element) -> Option<Field> {
        Some(Field { name: element.name()?.to_owned(), schema: self.schema(element.one("schema")?)? })
    }

    fn relationship(&mut self, element: &Element) -> Relationship {
        let target = match element.extra("target") {
            Some(Extra::Identifier(id)) => dtmi(id),
            _ => None,
        };
        let mut properties = IndexMap::new();
        for id in element.all("properties") {
            let Some(property) = (self.find)(id) else { continue };
            let schema = property.one("schema").and_then(|id| self.schema(id));
            if let (Some(name), Some(schema)) = (property.name(), schema) {
                properties.insert(name.to_owned(), schema);
            }
        }
        Relationship { target, properties }
    }

    /// The schema of an identifier: of a schema, or of an element that has one and stands for its value.
    pub(crate) fn schema(&mut self, id: &str) -> Option<Arc<Schema>> {
        let id = metamodel().resolve(id);
        if let Some(schema) = self.schemas.get(id) {
            return Some(Arc::clone(schema));
        }
        if let Some(shape) = id
            .strip_prefix("dtmi:standard:schema:geospatial:")
            .and_then(|rest| Shape::from_term(rest.split(';').next()?))
        {
            return Some(Arc::new(Schema::Geospatial(shape)));
        }
        let element = (self.find)(id)?;
        if self.depth > DEEPEST {
            return None;
        }
        self.depth += 1;
        let schema = self.build(element).map(Arc::new);
        self.depth -= 1;
        let schema = schema?;
        self.schemas.insert(Arc::clone(&element.id), Arc::clone(&schema));
        Some(schema)
    }

    fn build(&mut self, element: &Element) -> Option<Schema> {
        let part = |property: &str| element.one(property).and_then(|id| (self.find)(id));
        Some(match element.class {
            Class::Array => Schema::Array(self.schema(element.one("elementSchema")?)?),
            Class::Map => {
                let value = part("mapValue")?;
                Schema::Map(self.schema(value.one("schema")?)?)
            }
            Class::Object => {
                let fields = element.all("fields").filter_map(|id| (self.find)(id));
                let fields: Vec<&Arc<Element>> = fields.collect();
                Schema::Object(fields.into_iter().filter_map(|field| self.field(field)).collect())
            }
            Class::Enum => {
                let integers = part("valueSchema").is_some_and(|schema| schema.class == Class::Integer);
                Schema::Enum(EnumSchema { values: self.values(element, integers) })
            }
            Class::MapValue | Class::Field => {
                return self.schema(element.one("schema")?).map(|schema| (*schema).clone());
            }
            class => Schema::Primitive(Primitive::from_term(term_of(class)?)?),
        })
    }

    fn values(&self, element: &Element, integers: bool) -> EnumValues {
        let values = element.all("enumValues").filter_map(|id| (self.find)(id));
        let named = values.filter_map(|value| Some((value.name()?.to_owned(), value.literal("enumValue")?)));
        if integers {
            let whole = named.filter_map(|(name, literal)| match literal {
                Literal::Whole(number) => Some((name, *number)),
                _ => None,
            });
            EnumValues::Integers(whole.collect())
        } else {
            let texts = named.filter_map(|(name, literal)| match literal {
                Literal::Text(text) => Some((name, text.clone())),
                _ => None,
            });
            EnumValues::Strings(texts.collect())
        }
    }
}

/// The term of a primitive's only element.
fn term_of(class: Class) -> Option<&'static str> {
    Some(match class {
        Class::Boolean => "boolean",
        Class::Date => "date",
        Class::DateTime => "dateTime",
        Class::Double => "double",
        Class::Duration => "duration",
        Class::Float => "float",
        Class::Integer => "integer",
        Class::Long => "long",
        Class::String => "string",
        Class::Time => "time",
        _ => return None,
    })
}

pub(crate) fn dtmi(id: &str) -> Option<Dtmi> {
    id.parse().ok()
}

fn about(element: &Element) -> Description {
    let words = |property: &str| match element.literal(property) {
        Some(Literal::Words(words)) => words.clone(),
        _ => Localised::new(),
    };
    let unit = element.extras.iter().find_map(|(name, extra)| match extra {
        Extra::Elements(list) if metamodel().term(name) == "unit" => list.first(),
        _ => None,
    });
    let supplemental = element.supplemental.iter().map(|kind| metamodel().term(kind).to_owned());
    Description {
        id: dtmi(&element.id),
        display_name: words("displayName"),
        description: words("description"),
        comment: element.text("comment").map(str::to_owned),
        supplemental_types: supplemental.chain(element.undefined.iter().cloned()).collect(),
        unit: unit.map(|unit| short(unit).to_owned()),
    }
}
