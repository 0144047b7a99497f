//! `@id`: given by the author, or made from the parent's.

use std::sync::Arc;

use super::{Parser, Place};
use crate::dtmi::MAX_IDENTIFIER;
use crate::fault::{Fault, Stop};
use crate::graph::Id;
use crate::jsonld::{Node, Object, Value};
use crate::meta::metamodel;
use crate::scope::{Scope, is_reference};

impl Parser<'_> {
    pub(super) fn identifier(
        &mut self,
        object: &Object,
        scope: &Scope,
        place: &Place<'_>,
        tolerate: bool,
    ) -> Result<Id, Stop> {
        match &object.id {
            Some(id) => self.given(id, object, scope, tolerate),
            None => self.made(object, place),
        }
    }

    fn given(&mut self, id: &str, object: &Object, scope: &Scope, tolerate: bool) -> Result<Id, Stop> {
        let at = self.point(object.id_at);
        let version = scope.version();
        if id.is_empty() {
            return self.faults.quit(Fault::new("idNotString").at(at));
        }
        if id.chars().count() > MAX_IDENTIFIER {
            let fault = Fault::new("idTooLong").value(id).restriction(version.to_string());
            return self.faults.quit(fault.transformation(MAX_IDENTIFIER.to_string()).at(at));
        }
        if !is_reference(id, version) {
            let fault = Fault::new("invalidId").value(id).restriction(version.to_string());
            return self.faults.quit(fault.at(at));
        }
        if !tolerate && scope.reserved().any(|prefix| id.starts_with(prefix)) {
            let prefixes: Vec<String> = scope.reserved().map(|prefix| format!("'{prefix}'")).collect();
            let fault = Fault::new("reservedId").value(id).restriction(prefixes.join(", "));
            return self.faults.quit(fault.at(at));
        }
        Ok(id.into())
    }

    /// `dtmi:a:b;1` and `contents` with the name `c` make `dtmi:a:b:_contents:__c;1`.
    fn made(&mut self, object: &Object, place: &Place<'_>) -> Result<Id, Stop> {
        let at = self.object_span(object);
        let Some(parent) = place.parent else {
            return self.faults.quit(Fault::new("missingTopLevelId").at(at));
        };
        let property = place.term().to_owned();
        if place.takes.needs_id {
            let fault = Fault::new("missingRequiredId").element(parent).property(property);
            return self.faults.quit(fault.at(at));
        }
        let mut second = String::new();
        if place.takes.named {
            let written = object.properties.iter().find(|own| metamodel().term(&own.name) == "name");
            let Some(written) = written else {
                let fault = Fault::new("missingDtmiSegPropertyValue").element(parent).property(property);
                return self.faults.quit(fault.value("name").at(at));
            };
            let Some(segment) = segment(&written.values.list) else {
                let fault = Fault::new("dtmiSegPropertyNotStringOrNumber").element(parent).property(property);
                let also = self.property_span(written);
                return self.faults.quit(fault.value("name").at(at).also(also));
            };
            second = format!(":__{segment}");
        }
        let (path, version) = match parent.split_once(';') {
            Some((path, version)) => (path, format!(";{version}")),
            None => (&**parent, String::new()),
        };
        let first = property.split(';').next().unwrap_or(&property);
        Ok(Arc::from(format!("{path}:_{first}{second}{version}")))
    }
}

/// The text or number that names an element, as far as it can be made out.
fn segment(values: &[Node]) -> Option<String> {
    let [node] = values else { return None };
    let value = match &node.value {
        Value::Object(object) => &object.value.as_ref()?.value,
        value => value,
    };
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string().replace('.', "_")),
        _ => None,
    }
}
