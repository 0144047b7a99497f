//! The time series model: instances, their types, and hierarchies whose levels are instance fields.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::request::VariableShape;
use crate::tsx::Tsx;

/// The property that names a time series: the hub's authenticated device id.
pub const ID_PROPERTY: &str = "iothub-connection-device-id";

/// A time series: one device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    /// The device id, as the one part of the id.
    pub time_series_id: Vec<String>,
    /// Its type.
    pub type_id: String,
    /// Name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A sentence for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Hierarchies that it is in.
    pub hierarchy_ids: Vec<String>,
    /// Facts, the levels of hierarchies among them.
    pub instance_fields: BTreeMap<String, String>,
}

impl Instance {
    /// The device id.
    pub fn id(&self) -> &str {
        self.time_series_id.first().map_or("", String::as_str)
    }

    /// What people see.
    pub fn display(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| self.id())
    }
}

/// A type: the variables of its instances.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Type {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// A sentence for people.
    pub description: String,
    /// Variables by name.
    pub variables: BTreeMap<String, VariableShape>,
}

impl Type {
    /// A type with a mean of each signal and the count of events.
    pub fn of_signals<'a>(id: &str, name: &str, signals: impl Iterator<Item = &'a str>) -> Self {
        let tsx = |text: String| Tsx { tsx: text };
        let numeric = |signal: &str| VariableShape::Numeric {
            value: tsx(format!("$event[{}].Double", quoted(signal))),
            filter: None,
            interpolation: None,
            aggregation: Some(tsx("avg($value)".to_owned())),
        };
        let mut variables: BTreeMap<String, VariableShape> =
            signals.map(|signal| (signal.to_owned(), numeric(signal))).collect();
        let count = VariableShape::Aggregate { filter: None, aggregation: tsx("count()".to_owned()) };
        variables.insert("EventCount".to_owned(), count);
        Self { id: id.to_owned(), name: name.to_owned(), description: String::new(), variables }
    }
}

/// A text as an expression has it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A hierarchy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hierarchy {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Levels.
    pub source: Source,
}

/// Levels of a hierarchy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// Instance fields, the top level first.
    pub instance_field_names: Vec<String>,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    /// By device id.
    pub instances: BTreeMap<String, Instance>,
    /// By id.
    pub types: BTreeMap<String, Type>,
    /// By id.
    pub hierarchies: BTreeMap<String, Hierarchy>,
    /// Type of instances that nobody knows.
    pub default_type: String,
}

impl Model {
    /// The type of a device.
    pub fn type_of(&self, device: &str) -> Option<&Type> {
        let id = self.instances.get(device).map_or(&self.default_type, |instance| &instance.type_id);
        self.types.get(id)
    }

    /// Names of a path's levels below a hierarchy, for an instance that is in it: the fields it has, in order.
    pub fn path<'a>(&'a self, hierarchy: &'a Hierarchy, instance: &'a Instance) -> Option<Vec<&'a str>> {
        if !instance.hierarchy_ids.contains(&hierarchy.id) {
            return None;
        }
        let mut path = vec![hierarchy.name.as_str()];
        let fields = hierarchy.source.instance_field_names.iter();
        path.extend(fields.filter_map(|name| instance.instance_fields.get(name)).map(String::as_str));
        Some(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variable::Variable;

    #[test]
    fn variables_of_any_signal_can_be_read() {
        let kind = Type::of_signals("1", "pump", ["speed", "it's \\ [odd].Double"].into_iter());
        assert_eq!(kind.variables.len(), 3);
        for (name, shape) in &kind.variables {
            let variable = Variable::new(name, shape).unwrap();
            let mut names = std::collections::BTreeSet::new();
            variable.properties(&mut names);
            assert!(
                names.is_empty() == (name == "EventCount") && names.iter().all(|read| read == name),
                "{names:?}"
            );
        }
    }
}
