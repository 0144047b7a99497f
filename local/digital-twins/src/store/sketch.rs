//! What a twin's own properties hold, small enough to look through all twins in a few milliseconds.
//!
//! A document is a tree of texts and values, scattered over memory; a query that selects one twin in a thousand would
//! read them all. A sketch is one short list. It can say for certain that a property does not hold a value, and never
//! says so wrongly; whether it does hold it, only the document knows.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde_json::Value;

use crate::twin::Document;

/// The number of a property's name.
pub(crate) type Name = u32;

/// Numbers of names. Names come from models, so there are not too many of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(HashMap<Arc<str>, Name>);

/// What one property holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Trace {
    /// A number, rounded: those that differ by little may look alike.
    Number(f64),
    /// The hash of a text: different texts may look alike.
    Text(u64),
    Bool(bool),
    Other,
}

/// The properties of a twin.
pub(crate) type Sketch = Box<[(Name, Trace)]>;

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    /// Less, or equal.
    AtMost,
    /// Greater, or equal.
    AtLeast,
}

/// A condition that a sketch can rule out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filter {
    /// None when no twin has such a property.
    name: Option<Name>,
    comparison: Comparison,
    value: Trace,
}

fn trace(value: &Value) -> Trace {
    match value {
        Value::Number(number) => number.as_f64().map_or(Trace::Other, Trace::Number),
        Value::String(text) => {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            Trace::Text(hasher.finish())
        }
        Value::Bool(value) => Trace::Bool(*value),
        _ => Trace::Other,
    }
}

impl Names {
    /// The sketch of a twin.
    pub(crate) fn sketch(&mut self, twin: &Document) -> Sketch {
        let own = twin.iter().filter(|(name, _)| !name.starts_with('$'));
        own.map(|(name, value)| {
            let number = match self.0.get(name.as_str()) {
                Some(number) => *number,
                None => {
                    let number = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
                    self.0.insert(Arc::from(name.as_str()), number);
                    number
                }
            };
            (number, trace(value))
        })
        .collect()
    }

    /// A filter for a property of a twin; none for what sketches do not tell.
    pub(crate) fn filter(&self, name: &str, comparison: Comparison, value: &Value) -> Option<Filter> {
        let value = trace(value);
        let tells = match value {
            Trace::Number(_) => true,
            Trace::Text(_) | Trace::Bool(_) => comparison == Comparison::Equal,
            Trace::Other => false,
        };
        let name_known = tells && !name.starts_with('$');
        name_known.then(|| Filter { name: self.0.get(name).copied(), comparison, value })
    }
}

impl Filter {
    /// True when the condition is certainly not met.
    pub(crate) fn rules_out(&self, sketch: &Sketch) -> bool {
        let found = sketch.iter().find(|(name, _)| Some(*name) == self.name);
        match (found, self.value) {
            (Some((_, Trace::Number(found))), Trace::Number(wanted)) => match self.comparison {
                Comparison::Equal => *found != wanted,
                Comparison::AtMost => *found > wanted,
                Comparison::AtLeast => *found < wanted,
            },
            (Some((_, found)), wanted) => *found != wanted,
            (None, _) => true,
        }
    }
}
