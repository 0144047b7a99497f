//! From a JSON object to an element of a known class: types, identifiers, and which property is which.

use serde_json::{Map, Value};

use super::class::{Class, names};
use super::{Reader, literal};
use crate::context::Scope;
use crate::dtmi::{Dtmi, MAX_INTERFACE_IDENTIFIER, is_name};
use crate::element::{Description, Language, Schema};
use crate::error::ErrorKind;
use crate::semantics::{short_term, units_of};

/// An element with its class known and its properties named by their short terms.
pub(crate) struct Raw<'a> {
    pub(crate) class: Class,
    pub(crate) about: Description,
    pub(crate) path: String,
    fields: Vec<(&'static str, &'a Value)>,
    units: Option<&'static [&'static str]>,
}

impl<'a> Raw<'a> {
    pub(crate) fn get(&self, term: &str) -> Option<&'a Value> {
        self.fields.iter().find(|(name, _)| *name == term).map(|(_, value)| *value)
    }

    pub(crate) fn at(&self, term: &str) -> String {
        join(&self.path, term)
    }
}

pub(crate) fn join(path: &str, term: &str) -> String {
    if path.is_empty() { term.to_owned() } else { format!("{path}.{term}") }
}

/// What the list of `@type` says.
#[derive(Default)]
struct Types {
    class: Option<Class>,
    supplemental: Vec<String>,
    units: Option<&'static [&'static str]>,
    undefined: bool,
}

impl Reader<'_> {
    /// Reads the frame of an element. Where `inferred` is given, `@type` may be left out.
    pub(crate) fn element<'a>(
        &mut self,
        value: &'a Value,
        path: &str,
        allowed: &[Class],
        inferred: Option<Class>,
    ) -> Option<Raw<'a>> {
        let Value::Object(map) = value else {
            self.fault(
                path,
                ErrorKind::Shape,
                format!("is no JSON object: write one with @type {}", names(allowed)),
            );
            return None;
        };
        if map.len() == 1 && map.contains_key("@id") {
            self.fault(
                path,
                ErrorKind::Reference,
                "refers by an object with @id: write the identifier as a plain text",
            );
            return None;
        }
        let types = self.types(map, path, allowed, inferred)?;
        let class = types.class?;
        let mut raw = Raw {
            class,
            about: Description::default(),
            path: path.to_owned(),
            fields: Vec::new(),
            units: types.units,
        };
        raw.about.id = self.identifier(map, path, class);
        self.properties(map, &mut raw, &types);
        raw.about.supplemental_types = types.supplemental;
        for (term, required) in class.terms(self.scope.language) {
            if *required && raw.get(term).is_none() {
                self.fault(path, ErrorKind::Property, format!("{} has no '{term}': add it", class.term()));
            }
        }
        if raw.units.is_some() && raw.about.unit.is_none() {
            self.fault(path, ErrorKind::Property, "has a semantic type and no 'unit': add the unit");
        }
        Some(raw)
    }

    fn types(
        &mut self,
        map: &Map<String, Value>,
        path: &str,
        allowed: &[Class],
        inferred: Option<Class>,
    ) -> Option<Types> {
        let mut types = Types::default();
        let given: Vec<&Value> = match map.get("@type") {
            None => Vec::new(),
            Some(Value::Array(list)) => list.iter().collect(),
            Some(one) => vec![one],
        };
        if given.is_empty() && inferred.is_none() {
            self.fault(path, ErrorKind::Type, format!("has no @type: add one of {}", names(allowed)));
            return None;
        }
        for entry in given {
            let Some(text) = entry.as_str() else {
                self.fault(path, ErrorKind::Type, "has an @type that is no text: write the name of a class");
                return None;
            };
            let term = class_term(text, self.scope.language);
            if let Some(class) = term.and_then(|term| Class::from_term(term, self.scope.language)) {
                if types.class.replace(class).is_some() {
                    self.fault(path, ErrorKind::Type, "has two classes in @type: keep one");
                    return None;
                }
            } else if let Some(units) = units_of(&self.scope, short_term(text)) {
                if types.units.replace(units).is_some() {
                    self.fault(path, ErrorKind::Type, "has two semantic types: keep one");
                }
                types.supplemental.push(short_term(text).to_owned());
            } else if self.scope.defines_adjunct(text) {
                types.supplemental.push(text.to_owned());
            } else {
                self.unknown_type(text, path);
                types.undefined = true;
                types.supplemental.push(text.to_owned());
            }
        }
        // A class is inferred only where @type is absent: a co-type alone does not name one.
        let class = types.class.or(inferred.filter(|_| !map.contains_key("@type")));
        match class {
            None => self.fault(
                path,
                ErrorKind::Type,
                format!("has no class in @type: add one of {}", names(allowed)),
            ),
            Some(class) if !allowed.contains(&class) => {
                self.fault(
                    path,
                    ErrorKind::Type,
                    format!("is of class {}: only {} may stand here", class.term(), names(allowed)),
                );
                return None;
            }
            Some(class) => {
                if types.units.is_some() && !class.takes_semantic_type(self.scope.language) {
                    self.fault(
                        path,
                        ErrorKind::Type,
                        format!("{} takes no semantic type: remove it from @type", class.term()),
                    );
                }
                let adjunct = |name: &str| types.supplemental.iter().any(|entry| entry == name);
                let fits = matches!(class, Class::Property | Class::Telemetry);
                if (adjunct("ValueAnnotation") || adjunct("Historized")) && !fits {
                    self.fault(
                        path,
                        ErrorKind::Type,
                        format!("{} takes no such co-type: use it on a Property or Telemetry", class.term()),
                    );
                }
            }
        }
        types.class = class;
        Some(types)
    }

    /// A context inside an element may repeat the one in force or name an older language.
    fn same_scope(&self, context: &Value) -> bool {
        match context {
            Value::Array(list) if list.is_empty() => true,
            _ => Scope::read(Some(context)).is_ok_and(|scope| scope.language <= self.scope.language),
        }
    }

    fn unknown_type(&mut self, text: &str, path: &str) {
        let well_formed = if text.starts_with("dtmi:") {
            Dtmi::parse(text, self.scope.language).is_ok_and(|id| !id.is_reserved())
        } else {
            is_name(text)
        };
        if !well_formed {
            self.fault(
                path,
                ErrorKind::Type,
                format!("'{text}' is no class: write a class of DTDL or the identifier of a co-type"),
            );
        } else if !self.scope.open {
            self.fault(
                path,
                ErrorKind::Type,
                format!("'{text}' is an unknown co-type: remove it or name its extension in @context"),
            );
        } else if self.scope.language == Language::V2 && is_class_name_of_another_version(text) {
            self.fault(path, ErrorKind::Type, format!("'{text}' is no class of DTDL v2: use one of v2"));
        }
    }

    fn identifier(&mut self, map: &Map<String, Value>, path: &str, class: Class) -> Option<Dtmi> {
        let value = match map.get("@id") {
            None => {
                if class == Class::Interface {
                    self.fault(
                        path,
                        ErrorKind::Identifier,
                        "has no @id: add one, as in \"@id\": \"dtmi:example:Pump;1\"",
                    );
                }
                return None;
            }
            Some(value) => value,
        };
        let Some(text) = value.as_str() else {
            self.fault(
                path,
                ErrorKind::Identifier,
                "has an @id that is no text: write it as dtmi:example:Pump;1",
            );
            return None;
        };
        let id = match Dtmi::parse(text, self.scope.language) {
            Ok(id) => id,
            Err(error) => {
                self.fault(path, ErrorKind::Identifier, error.to_string());
                return None;
            }
        };
        if id.is_reserved() {
            self.fault(
                path,
                ErrorKind::Identifier,
                format!("'{id}' has a reserved prefix: use one of your own"),
            );
        }
        if class == Class::Interface && text.len() > MAX_INTERFACE_IDENTIFIER {
            let message = format!(
                "the @id of an interface has {} characters: shorten it to {MAX_INTERFACE_IDENTIFIER}",
                text.len()
            );
            self.fault(path, ErrorKind::Identifier, message);
        }
        // The parts of a model are filed under its name, so nobody else may use it.
        if !self.ids.insert(id.clone()) {
            self.fault(
                path,
                ErrorKind::Duplicate,
                format!("'{id}' is defined twice: give each element its own @id"),
            );
        }
        Some(id)
    }

    fn properties<'a>(&mut self, map: &'a Map<String, Value>, raw: &mut Raw<'a>, types: &Types) {
        let language = self.scope.language;
        for (key, value) in map {
            let path = join(&raw.path, key);
            if let Some(keyword) = key.strip_prefix('@') {
                match keyword {
                    "id" | "type" => {}
                    "context" if raw.class == Class::Interface || self.same_scope(value) => {}
                    _ if language == Language::V2 && !matches!(keyword, "context" | "graph") => {}
                    _ => self.fault(
                        &path,
                        ErrorKind::Property,
                        format!("'{key}' may not stand here: remove it"),
                    ),
                }
                continue;
            }
            let term = property_term(key, language);
            let known =
                term.and_then(|term| raw.class.terms(language).iter().find(|(name, _)| *name == term));
            if value.as_array().is_some_and(Vec::is_empty) && matches!(term, Some("writable" | "comment")) {
                continue;
            }
            if value.is_null() {
                self.fault(&path, ErrorKind::Property, "is null: give a value or leave it out");
            } else if let Some((name, _)) = known {
                if raw.get(name).is_some() {
                    self.fault(&path, ErrorKind::Duplicate, format!("'{name}' is given twice: keep one"));
                } else {
                    raw.fields.push((name, value));
                }
            } else {
                self.common_property(key, term, value, &path, raw, types);
            }
        }
    }

    fn common_property(
        &mut self,
        key: &str,
        term: Option<&str>,
        value: &Value,
        path: &str,
        raw: &mut Raw<'_>,
        types: &Types,
    ) {
        let v2 = self.scope.language == Language::V2;
        let outcome = match term {
            Some("displayName") => literal::localised(value, if v2 { 64 } else { 512 })
                .map(|texts| raw.about.display_name = texts),
            Some("description") => literal::localised(value, 512).map(|texts| raw.about.description = texts),
            Some("comment") => literal::text(value).and_then(|text| {
                raw.about.comment = Some(text.to_owned());
                if text.chars().count() > 512 {
                    Err("is longer than 512 characters: shorten it".into())
                } else {
                    Ok(())
                }
            }),
            Some("unit") if raw.units.is_some() => literal::text(value).and_then(|text| {
                let unit = short_term(text);
                raw.about.unit = Some(unit.to_owned());
                let units = raw.units.unwrap_or_default();
                if units.contains(&unit) {
                    Ok(())
                } else {
                    Err(format!("'{unit}' does not fit the semantic type: use one of {}", units.join(", ")))
                }
            }),
            Some("annotates") if types.supplemental.iter().any(|entry| entry == "ValueAnnotation") => {
                literal::text(value).map(|_| ())
            }
            Some("overrides") if types.supplemental.iter().any(|entry| entry == "Override") => {
                literal::text(value).map(|_| ())
            }
            _ if types.undefined && self.scope.open => Ok(()),
            _ => Err(format!(
                "'{key}' is no property of {}: remove it or correct its spelling",
                raw.class.term()
            )),
        };
        if let Err(message) = outcome {
            self.fault(path, ErrorKind::Property, message);
        }
    }

    /// A semantic type measures numbers.
    pub(crate) fn check_quantity(&mut self, raw: &Raw<'_>, schema: &Schema) {
        let numeric = match schema {
            Schema::Primitive(primitive) => primitive.is_numeric(),
            Schema::Reference(_) => true,
            _ => false,
        };
        if raw.units.is_some() && !numeric {
            self.fault(
                &raw.at("schema"),
                ErrorKind::Type,
                "has a semantic type: its schema must be double, float, integer or long",
            );
        }
    }
}

/// `Property` or `dtmi:dtdl:class:Property;2` alike.
fn class_term(text: &str, language: Language) -> Option<&str> {
    long_or_short(text, "dtmi:dtdl:class:", language)
}

fn property_term(text: &str, language: Language) -> Option<&str> {
    long_or_short(text, "dtmi:dtdl:property:", language)
}

pub(crate) fn long_or_short<'a>(text: &'a str, prefix: &str, language: Language) -> Option<&'a str> {
    let Some(rest) = text.strip_prefix(prefix) else { return Some(text) };
    let version = if language == Language::V2 { ";2" } else { ";3" };
    rest.strip_suffix(version)
}

fn is_class_name_of_another_version(text: &str) -> bool {
    matches!(text, "CommandRequest" | "CommandResponse" | "CapabilityModel" | "InterfaceInstance")
}
