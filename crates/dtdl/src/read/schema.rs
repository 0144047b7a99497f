//! Schemas: primitives, references and the four complex kinds.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use super::class::{COMPLEX, Class};
use super::raw::{Raw, join, long_or_short};
use super::{Reader, literal};
use crate::dtmi::Dtmi;
use crate::element::{EnumSchema, EnumValues, Field, GEOSPATIAL, Language, Primitive, Schema};
use crate::error::ErrorKind;

/// Documents nest at most this deep while they are read; the language's own limit of 5 is checked once references are known.
const DEEPEST: usize = 24;

impl Reader<'_> {
    /// Reads the value of a property that takes a schema.
    pub(crate) fn schema(&mut self, value: &Value, path: &str) -> Option<Arc<Schema>> {
        match value {
            Value::String(text) => self.named_schema(text, path),
            Value::Array(list) => match list.as_slice() {
                [one] if !one.is_array() => self.schema(one, path),
                _ => {
                    self.fault(path, ErrorKind::Shape, "must be one schema: give one");
                    None
                }
            },
            _ if self.depth >= DEEPEST => {
                self.fault(
                    path,
                    ErrorKind::Depth,
                    "is nested too deeply: 5 levels of complex schemas are allowed",
                );
                None
            }
            _ => {
                self.depth += 1;
                let raw = self.element(value, path, COMPLEX, None);
                let schema = raw.and_then(|raw| self.complex(&raw));
                self.depth -= 1;
                schema
            }
        }
    }

    fn named_schema(&mut self, text: &str, path: &str) -> Option<Arc<Schema>> {
        let term = long_or_short(text, "dtmi:dtdl:instance:Schema:", self.scope.language);
        if let Some(primitive) = term.and_then(Primitive::from_term) {
            return Some(Arc::new(Schema::Primitive(primitive)));
        }
        let shape = term.map(|term| {
            term.strip_prefix("dtmi:standard:schema:geospatial:")
                .and_then(|rest| rest.split(';').next())
                .unwrap_or(term)
        });
        if let Some(shape) = GEOSPATIAL.into_iter().find(|name| Some(*name) == shape) {
            return Some(Arc::new(Schema::Geospatial(shape)));
        }
        match Dtmi::parse(text, self.scope.language) {
            Ok(id) if !id.is_reserved() => Some(Arc::new(Schema::Reference(id))),
            _ => {
                let message = format!(
                    "'{text}' is no schema: use a primitive such as double, or the identifier of a schema of this interface"
                );
                self.fault(path, ErrorKind::Reference, message);
                None
            }
        }
    }

    /// Reads a complex schema whose frame is known, and files it under its identifier.
    pub(crate) fn complex(&mut self, raw: &Raw<'_>) -> Option<Arc<Schema>> {
        let schema = match raw.class {
            Class::Array => Schema::Array(self.schema_of(raw, "elementSchema")?),
            Class::Map => Schema::Map(self.map(raw)?),
            Class::Enum => Schema::Enum(self.enumeration(raw)?),
            Class::Object => Schema::Object(self.object(raw)),
            _ => return None,
        };
        let schema = Arc::new(schema);
        if let Some(id) = &raw.about.id {
            self.schemas.insert(id.clone(), Arc::clone(&schema));
        }
        Some(schema)
    }

    /// The schema under one property of an element.
    pub(crate) fn schema_of(&mut self, raw: &Raw<'_>, term: &str) -> Option<Arc<Schema>> {
        let value = raw.get(term)?;
        let schema = self.schema(value, &raw.at(term))?;
        self.check_quantity(raw, &schema);
        Some(schema)
    }

    /// A name and a schema: a field, a map's value, a command's payload.
    pub(crate) fn field(&mut self, value: &Value, path: &str, class: Class) -> Option<Field> {
        let value = match value {
            Value::Array(list) if list.len() == 1 => &list[0],
            other => other,
        };
        let raw = self.element(value, path, &[class], Some(class))?;
        let name = self.name(&raw);
        if raw.get("nullable").is_some_and(|value| literal::boolean(value).is_err()) {
            self.fault(&raw.at("nullable"), ErrorKind::Property, "is not a boolean: write true or false");
        }
        let schema = self.schema_of(&raw, "schema")?;
        Some(Field { name: name?, schema })
    }

    fn map(&mut self, raw: &Raw<'_>) -> Option<Arc<Schema>> {
        if let Some(value) = raw.get("mapKey") {
            let path = raw.at("mapKey");
            if let Some(key) = self.field(value, &path, Class::MapKey)
                && *key.schema != Schema::Primitive(Primitive::String)
            {
                self.fault(
                    &join(&path, "schema"),
                    ErrorKind::Property,
                    "the key of a map must have schema 'string'",
                );
            }
        }
        let value = raw.get("mapValue")?;
        self.field(value, &raw.at("mapValue"), Class::MapValue).map(|field| field.schema)
    }

    fn object(&mut self, raw: &Raw<'_>) -> Vec<Field> {
        let mut fields: Vec<Field> = Vec::new();
        let mut names = HashSet::new();
        let list = self.list(raw, "fields", 30);
        for (value, path) in list {
            let Some(field) = self.field(value, &path, Class::Field) else { continue };
            if names.insert(field.name.clone()) {
                fields.push(field);
            } else {
                self.fault(
                    &path,
                    ErrorKind::Duplicate,
                    format!("the name '{}' is used twice in this object: rename one", field.name),
                );
            }
        }
        fields
    }

    fn enumeration(&mut self, raw: &Raw<'_>) -> Option<EnumSchema> {
        let text = raw.get("valueSchema").and_then(|value| match value {
            Value::Array(list) if list.len() == 1 => list[0].as_str(),
            other => other.as_str(),
        })?;
        let term = long_or_short(text, "dtmi:dtdl:instance:Schema:", self.scope.language);
        let mut values = match term.and_then(Primitive::from_term) {
            Some(Primitive::Integer) => EnumValues::Integers(Vec::new()),
            Some(Primitive::String) => EnumValues::Strings(Vec::new()),
            _ => {
                self.fault(&raw.at("valueSchema"), ErrorKind::Property, "must be 'integer' or 'string'");
                return None;
            }
        };
        let mut names = HashSet::new();
        for (value, path) in self.list(raw, "enumValues", 100) {
            let Some(element) = self.element(value, &path, &[Class::EnumValue], Some(Class::EnumValue))
            else {
                continue;
            };
            let Some(name) = self.name(&element) else { continue };
            if !names.insert(name.clone()) {
                self.fault(
                    &path,
                    ErrorKind::Duplicate,
                    format!("the name '{name}' is used twice in this enumeration: rename one"),
                );
            }
            let Some(given) = element.get("enumValue") else { continue };
            let outcome = match &mut values {
                EnumValues::Integers(list) => literal::integer(given).and_then(|number| {
                    let number = i32::try_from(number)
                        .map_err(|_| "does not fit 32 bits: use a smaller number".to_owned())?;
                    if list.iter().any(|(_, other)| *other == number) {
                        return Err(format!("{number} is used twice in this enumeration: change one"));
                    }
                    list.push((name, number));
                    Ok(())
                }),
                EnumValues::Strings(list) => literal::text(given).and_then(|text| {
                    if list.iter().any(|(_, other)| other == text) {
                        return Err(format!("'{text}' is used twice in this enumeration: change one"));
                    }
                    list.push((name, text.to_owned()));
                    Ok(())
                }),
            };
            if let Err(message) = outcome {
                self.fault(&element.at("enumValue"), ErrorKind::Property, message);
            }
        }
        Some(EnumSchema { values })
    }

    /// The entries of a property that takes many, with their paths; `most` is the limit of v2.
    pub(crate) fn list<'a>(&mut self, raw: &Raw<'a>, term: &str, most: usize) -> Vec<(&'a Value, String)> {
        let path = raw.at(term);
        let entries: Vec<(&Value, String)> = match raw.get(term) {
            None => return Vec::new(),
            Some(Value::Array(list)) => {
                list.iter().enumerate().map(|(index, entry)| (entry, format!("{path}[{index}]"))).collect()
            }
            Some(one) => vec![(one, path.clone())],
        };
        let v2 = self.scope.language == Language::V2;
        if v2 && entries.len() > most {
            self.fault(
                &path,
                ErrorKind::Limit,
                format!("has {} entries: DTDL v2 allows {most}", entries.len()),
            );
        }
        if v2 && entries.is_empty() && matches!(term, "fields" | "enumValues") {
            self.fault(&path, ErrorKind::Limit, "is empty: add at least one entry");
        }
        entries
    }
}
