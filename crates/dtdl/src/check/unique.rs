//! Names and values that must be unique among siblings, and the values of enumerations.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::fault::{Fault, Faults};
use crate::graph::{Element, Graph, Id, Literal};
use crate::meta::class::Class;
use crate::meta::grammar::{Takes, rules};
use crate::meta::metamodel;

pub(super) fn unique(graph: &Graph, faults: &mut Faults) {
    for element in graph.fresh_elements() {
        let lists: &[(&str, &[&str])] = match element.class {
            Class::Enum => &[("enumValues", &["name", "enumValue"])],
            Class::Object => &[("fields", &["name"])],
            Class::Relationship => &[("properties", &["name"])],
            _ => continue,
        };
        for (property, keys) in lists {
            for key in *keys {
                among(graph, faults, element, property, key);
            }
            count(faults, element, property);
        }
        if element.class == Class::Enum {
            values(graph, faults, element);
        }
    }
    supplemental(graph, faults);
}

fn among(graph: &Graph, faults: &mut Faults, parent: &Element, property: &str, key: &str) {
    let mut seen: HashMap<String, &Element> = HashMap::new();
    for child in parent.all(property).filter_map(|id| graph.get(id)) {
        let Some(literal) = child.literal(key) else { continue };
        let text = show(literal);
        // A number and a text that look alike are different values.
        let kind = matches!(literal, Literal::Text(_));
        match seen.get(&format!("{kind}{text}")) {
            Some(first) => {
                let fault = Fault::new("nonUniquePropertyValue").element(&parent.id).property(property);
                let fault = fault.aux(key).value(text);
                faults.push(fault.at(first.property_span(key)).also(child.property_span(key)));
            }
            None => {
                seen.insert(format!("{kind}{text}"), child);
            }
        }
    }
}

/// The value of a literal as text.
pub(super) fn show(literal: &Literal) -> String {
    match literal {
        Literal::Text(text) => text.clone(),
        Literal::Whole(number) => number.to_string(),
        Literal::Number(number) => number.to_string(),
        Literal::Flag(true) => "True".to_owned(),
        Literal::Flag(false) => "False".to_owned(),
        Literal::Words(_) => String::new(),
    }
}

fn count(faults: &mut Faults, element: &Element, property: &str) {
    let most =
        rules(element.class, element.version).find(|rule| rule.name == property).and_then(|rule| match rule
            .takes
        {
            Takes::Elements(elements) => elements.most,
            _ => None,
        });
    let different: HashSet<&Id> = element.all(property).collect();
    if let Some(most) = most.filter(|most| different.len() > *most) {
        let fault = Fault::new("objectCountAboveMax").element(&element.id).property(property);
        let fault = fault.transformation(format!("{}, {most}", different.len()));
        faults.push(fault.at(element.property_span(property)));
    }
}

fn values(graph: &Graph, faults: &mut Faults, element: &Element) {
    let Some(schema) = element.one("valueSchema").and_then(|id| graph.get(id)) else { return };
    let datatype = match schema.class {
        Class::Integer => "integer",
        Class::String => "string",
        class => {
            let fault = Fault::new("incorrectPropertyValue")
                .element(&element.id)
                .property("valueSchema")
                .value(metamodel().term(&schema.id))
                .restriction("'integer' or 'string'");
            faults.push(fault.at(element.property_span("valueSchema")));
            if class != Class::Boolean {
                return;
            }
            "boolean"
        }
    };
    for value in element.all("enumValues").filter_map(|id| graph.get(id)) {
        let Some(literal) = value.literal("enumValue") else { continue };
        let fits = matches!(
            (datatype, literal),
            ("integer", Literal::Whole(_)) | ("string", Literal::Text(_)) | ("boolean", Literal::Flag(_))
        );
        if !fits {
            let fault = Fault::new("nonConformantDatatype")
                .element(&value.id)
                .property("enumValue")
                .related(Arc::clone(&element.id))
                .restriction("valueSchema")
                .value(show(literal))
                .kind(datatype);
            let also = element.property_span("valueSchema");
            faults.push(fault.at(value.property_span("enumValue")).also(also));
        }
    }
}

/// Supplemental properties that must differ between siblings.
fn supplemental(graph: &Graph, faults: &mut Faults) {
    let mut seen: HashMap<(&Id, &str, &Id, String), &Element> = HashMap::new();
    for (id, parents) in &graph.parents {
        let Some(element) = graph.get(id) else { continue };
        let lines = element.supplemental_types().flat_map(|kind| &kind.properties);
        for property in lines.filter(|property| property.unique) {
            let Some(crate::graph::Extra::Literal(literal)) = element.extra(&property.id) else { continue };
            for (parent, held) in parents {
                let key = (parent, held.as_str(), &property.id, show(literal));
                match seen.get(&key) {
                    Some(first) if first.id == element.id => {}
                    Some(first) => {
                        let fault = Fault::new("nonUniquePropertyValue").element(parent).property(held);
                        let fault = fault.aux(&*property.id).value(show(literal));
                        let term = metamodel().term(&property.id);
                        faults.push(fault.at(first.property_span(term)).also(element.property_span(term)));
                    }
                    None => {
                        seen.insert(key, element);
                    }
                }
            }
        }
    }
}
