//! Reads `metamodel.json`.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;

use super::class::Class;
use super::pattern::Pattern;
use super::{
    Constraint, Context, Metamodel, Sibling, SupplementalProperty, SupplementalType, SupplementalValue,
};
use crate::graph::{Element, Literal};

#[derive(Deserialize)]
struct Tables {
    contexts: Vec<ContextRow>,
    reserved: Vec<String>,
    types: Vec<TypeRow>,
    /// Prefix of the identifiers, type, names.
    units: Vec<(String, String, String)>,
    /// Parent, prefix of the identifiers, version, names.
    enums: Vec<(String, String, u8, String)>,
    elements: Vec<ElementRow>,
    aliases: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct ContextRow {
    id: String,
    /// Prefix, suffix, names; a name without a colon after the prefix stands for the prefix itself.
    terms: Vec<(String, String, String)>,
    #[serde(default)]
    reserved: Vec<String>,
}

/// Several types that differ in their names alone; `name=family` fills the asterisk of a property.
#[derive(Deserialize)]
struct TypeRow {
    prefix: String,
    suffix: String,
    names: String,
    #[serde(default, rename = "abstract")]
    is_abstract: bool,
    kind: String,
    cotypes: String,
    versions: Vec<u8>,
    parent: Option<Arc<str>>,
    #[serde(default)]
    with: Vec<Arc<str>>,
    #[serde(default)]
    without: Vec<Arc<str>>,
    #[serde(default)]
    instead: Vec<Arc<str>>,
    #[serde(default)]
    properties: Vec<PropertyRow>,
    #[serde(default)]
    constraints: Vec<ConstraintRow>,
    #[serde(default)]
    siblings: Vec<SiblingRow>,
}

#[derive(Deserialize)]
struct PropertyRow {
    id: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    child_of: Option<String>,
    #[serde(default)]
    optional: bool,
    #[serde(default)]
    plural: bool,
    #[serde(default)]
    least: usize,
    #[serde(default)]
    unique: bool,
    minimum: Option<i32>,
    longest: Option<usize>,
    pattern: Option<String>,
}

#[derive(Deserialize)]
struct ConstraintRow {
    property: String,
    #[serde(default)]
    inverse: bool,
    #[serde(default)]
    types: Vec<Arc<str>>,
    #[serde(default)]
    values: Vec<Arc<str>>,
    no_other: Option<Arc<str>>,
    some_other: Option<Arc<str>>,
    key: Option<Arc<str>>,
    parent_of: Option<Arc<str>>,
}

#[derive(Deserialize)]
struct SiblingRow {
    key: Arc<str>,
    #[serde(default)]
    types: Vec<Arc<str>>,
    not: Option<Arc<str>>,
    has: Option<Arc<str>>,
    unique: Option<Arc<str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ElementRow {
    id: Arc<str>,
    class: String,
    version: u8,
    name: Option<String>,
    enum_value: Option<String>,
    schema: Option<Arc<str>>,
    element_schema: Option<Arc<str>>,
    value_schema: Option<Arc<str>>,
    #[serde(default)]
    fields: Vec<Arc<str>>,
    #[serde(default)]
    enum_values: Vec<Arc<str>>,
}

pub(super) fn load() -> Metamodel {
    // The file is part of the program and read by every test: it cannot be wrong for a user only.
    let tables: Tables = match serde_json::from_str(include_str!("metamodel.json")) {
        Ok(tables) => tables,
        Err(error) => unreachable!("the tables of the language are malformed: {error}"),
    };
    let mut contexts: HashMap<String, Vec<Context>> = HashMap::new();
    let mut terms = HashMap::new();
    for row in tables.contexts {
        let context = context(row, &mut terms);
        contexts.entry(context.name.clone()).or_default().push(context);
    }
    let types = tables.types.iter().flat_map(types).map(|kind| (Arc::clone(&kind.id), kind)).collect();
    let mut elements: Vec<Element> = tables.elements.into_iter().map(element).collect();
    for (prefix, kind, names) in &tables.units {
        let kind: Arc<str> = format!("dtmi:standard:class:{kind};2").into();
        for name in names.split(' ') {
            let mut unit = Element::standard(format!("{prefix}{name};2").into(), Class::Unit, 2);
            unit.supplemental.push(Arc::clone(&kind));
            elements.push(unit);
        }
    }
    for (parent, prefix, version, names) in &tables.enums {
        let parent: Arc<str> = parent.as_str().into();
        let mut family = Element::standard(Arc::clone(&parent), Class::Enum, *version);
        family.refs.push(("valueSchema", "dtmi:dtdl:instance:Schema:string;2".into()));
        for name in names.split(' ') {
            let id: Arc<str> = format!("{prefix}{name}").into();
            let mut value = Element::standard(Arc::clone(&id), Class::EnumValue, *version);
            value.child_of = Some(Arc::clone(&parent));
            value.literals.push(("name", Literal::Text(name.to_owned())));
            value.literals.push(("enumValue", Literal::Text(name.to_owned())));
            elements.push(value);
            family.refs.push(("enumValues", id));
        }
        elements.push(family);
    }
    Metamodel {
        contexts,
        terms,
        types,
        elements: elements.into_iter().map(|element| (Arc::clone(&element.id), Arc::new(element))).collect(),
        aliases: tables.aliases.into_iter().map(|(from, to)| (from.into(), to.into())).collect(),
        reserved: tables.reserved,
    }
}

fn context(row: ContextRow, all: &mut HashMap<Arc<str>, String>) -> Context {
    let mut terms = HashMap::new();
    for (prefix, suffix, names) in &row.terms {
        for name in names.split(' ') {
            let id: Arc<str> = if prefix.ends_with(':') {
                format!("{prefix}{name}{suffix}").into()
            } else {
                prefix.as_str().into()
            };
            all.entry(Arc::clone(&id)).or_insert_with(|| name.to_owned());
            terms.insert(name.to_owned(), id);
        }
    }
    let (name, major) = row.id.split_once(';').unwrap_or((&row.id, "0"));
    Context { name: name.to_owned(), major: major.parse().unwrap_or(0), terms, reserved: row.reserved }
}

fn types(row: &TypeRow) -> Vec<SupplementalType> {
    // An asterisk stands for every class; types of extensions of other versions may name classes that are not known here.
    let classes: Vec<Class> = match row.cotypes.as_str() {
        "*" => Class::all().to_vec(),
        names => names.split(' ').filter_map(Class::from_name).collect(),
    };
    let one = |entry: &str| {
        let (name, family) = entry.split_once('=').unwrap_or((entry, ""));
        SupplementalType {
            id: format!("{}{name}{}", row.prefix, row.suffix).into(),
            is_abstract: row.is_abstract,
            is_material: matches!(
                row.kind.as_str(),
                "Unit" | "UnitAttribute" | "LatentType" | "NamedLatentType"
            ),
            classes: classes.clone(),
            versions: row.versions.clone(),
            parent: row.parent.clone(),
            with: row.with.clone(),
            without: row.without.clone(),
            instead: row.instead.clone(),
            properties: row.properties.iter().map(|row| property(row, family)).collect(),
            constraints: row.constraints.iter().map(constraint).collect(),
            siblings: row.siblings.iter().map(sibling).collect(),
        }
    };
    row.names.split(' ').map(one).collect()
}

fn property(row: &PropertyRow, family: &str) -> SupplementalProperty {
    let takes = match row.kind.as_deref() {
        None => SupplementalValue::Identifier,
        Some("#string") => SupplementalValue::Text {
            longest: row.longest,
            pattern: row.pattern.as_deref().and_then(Pattern::from_name),
        },
        Some("#integer") => SupplementalValue::Whole { least: row.minimum },
        Some("#decimal") => SupplementalValue::Number,
        Some("#boolean") => SupplementalValue::Flag,
        Some("#langString") => SupplementalValue::Words,
        Some("#duration") => SupplementalValue::Duration,
        Some("#JSON") => SupplementalValue::Json,
        Some(kind) => SupplementalValue::Element {
            kind: kind.replace('*', family).into(),
            child_of: row.child_of.as_deref().map(|parent| parent.replace('*', family).into()),
        },
    };
    SupplementalProperty {
        id: row.id.as_str().into(),
        takes,
        optional: row.optional,
        plural: row.plural,
        least: row.least,
        unique: row.unique,
    }
}

fn constraint(row: &ConstraintRow) -> Constraint {
    let property = row.property.clone();
    if row.inverse {
        return Constraint::Parent {
            property,
            types: row.types.clone(),
            no_other: row.no_other.clone(),
            some_other: row.some_other.clone(),
        };
    }
    match (&row.key, &row.parent_of) {
        (Some(key), Some(of)) => {
            Constraint::SiblingParent { property, key: Arc::clone(key), of: Arc::clone(of) }
        }
        _ if row.values.is_empty() => Constraint::Types { property, types: row.types.clone() },
        _ => Constraint::Values { property, values: row.values.clone() },
    }
}

fn sibling(row: &SiblingRow) -> Sibling {
    Sibling {
        key: Arc::clone(&row.key),
        types: row.types.clone(),
        not: row.not.clone(),
        has: row.has.clone(),
        unique: row.unique.clone(),
    }
}

fn element(row: ElementRow) -> Element {
    // Classes in the table are classes of the language: the fallback is never taken.
    let class = Class::from_name(&row.class).unwrap_or(Class::Object);
    let mut element = Element::standard(row.id, class, row.version);
    let texts = [("name", row.name), ("enumValue", row.enum_value)];
    element.literals.extend(texts.into_iter().filter_map(|(name, text)| Some((name, Literal::Text(text?)))));
    let single =
        [("schema", row.schema), ("elementSchema", row.element_schema), ("valueSchema", row.value_schema)];
    element.refs.extend(single.into_iter().filter_map(|(name, id)| Some((name, id?))));
    element.refs.extend(row.fields.into_iter().map(|id| ("fields", id)));
    element.refs.extend(row.enum_values.into_iter().map(|id| ("enumValues", id)));
    element
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_between_the_tables_holds() {
        let metamodel = load();
        for element in metamodel.elements.values() {
            for (property, target) in &element.refs {
                assert!(metamodel.element(target).is_some(), "{} {property} {target}", element.id);
            }
            for kind in &element.supplemental {
                assert!(metamodel.supplemental(kind).is_some(), "{} {kind}", element.id);
            }
        }
        for kind in metamodel.types.values() {
            for property in &kind.properties {
                if let SupplementalValue::Element { child_of: Some(parent), .. } = &property.takes {
                    assert!(metamodel.element(parent).is_some(), "{} {parent}", kind.id);
                }
            }
        }
        assert!(metamodel.types.len() > 300 && metamodel.elements.len() > 1000);
    }
}
