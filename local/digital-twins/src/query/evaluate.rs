//! Conditions against the parts of a row.
//!
//! A condition is met or not, never unknown: a missing property meets no comparison, so NOT of one is met.

use std::cmp::Ordering;
use std::collections::HashSet;

use serde_json::{Map, Number, Value};

use super::ast::{Condition, Kind, Operand, Operator, Path, Test, TextFunction};

/// A twin or relationship in its wire form.
pub(crate) type Document = Map<String, Value>;

/// The parts of a row, by slot; those not bound yet are missing.
pub(crate) struct Parts<'a> {
    pub(crate) documents: &'a [Option<&'a Document>],
    /// For each `IS_OF_MODEL`, the identifiers of models that meet it.
    pub(crate) models: &'a [HashSet<&'a str>],
    /// For each `IS_OF_MODEL`, the slot that it asks.
    pub(crate) model_slots: &'a [usize],
}

impl Parts<'_> {
    /// True when the row meets the condition.
    pub(crate) fn meet(&self, condition: &Condition) -> bool {
        match condition {
            Condition::All(list) => list.iter().all(|inner| self.meet(inner)),
            Condition::Any(list) => list.iter().any(|inner| self.meet(inner)),
            Condition::Test { test, negated } => self.test(test) != *negated,
        }
    }

    fn test(&self, test: &Test) -> bool {
        match test {
            Test::Compare { left, operator, right } => match (self.value_of(left), self.value_of(right)) {
                (Some(left), Some(right)) => compare(left, *operator, right),
                _ => false,
            },
            Test::In { operand, list, negated } => self
                .value_of(operand)
                .is_some_and(|value| list.iter().any(|entry| equal(value, entry)) != *negated),
            Test::IsOfModel(number) => {
                let twin = self.documents[self.model_slots[*number]];
                let model = twin.and_then(crate::twin::model_of);
                model.is_some_and(|model| self.models[*number].contains(model))
            }
            Test::Is { kind, path } => is(*kind, self.lookup(path)),
            Test::Text { function, left, right } => {
                let text = |operand| self.value_of(operand).and_then(Value::as_str);
                match (text(left), text(right)) {
                    (Some(left), Some(right)) => match function {
                        TextFunction::StartsWith => left.starts_with(right),
                        TextFunction::EndsWith => left.ends_with(right),
                        TextFunction::Contains => left.contains(right),
                    },
                    _ => false,
                }
            }
            Test::ArrayContains { path, value } => {
                let list = self.lookup(path).and_then(Value::as_array);
                list.is_some_and(|list| list.iter().any(|entry| equal(entry, value)))
            }
            Test::Holds(path) => self.lookup(path).and_then(Value::as_bool).unwrap_or(false),
        }
    }

    fn value_of<'b>(&'b self, operand: &'b Operand) -> Option<&'b Value> {
        match operand {
            Operand::Literal(value) => Some(value),
            Operand::Path(path) => self.lookup(path),
        }
    }

    fn lookup(&self, path: &Path) -> Option<&Value> {
        lookup(self.documents[path.slot]?, &path.names)
    }
}

/// The value at the end of a path of names.
pub(crate) fn lookup<'a>(document: &'a Document, names: &[String]) -> Option<&'a Value> {
    let mut value = document.get(names.first()?)?;
    for (at, name) in names.iter().enumerate().skip(1) {
        value = match value {
            Value::Object(map) => map.get(name)?,
            // The time of a property stands folded in memory: see `Wire`.
            Value::String(_) if name == "lastUpdateTime" && at >= 2 && is_folded(&names[at - 2..at]) => value,
            _ => return None,
        };
    }
    Some(value)
}

/// Whether a container and a name in it are the metadata of a property.
fn is_folded(names: &[String]) -> bool {
    matches!(names, [container, property] if container == "$metadata" && !property.starts_with('$'))
}

/// What a missing property has no kind of: not even null.
fn is(kind: Kind, value: Option<&Value>) -> bool {
    let Some(value) = value else { return false };
    match kind {
        Kind::Defined => true,
        Kind::Null => value.is_null(),
        Kind::Bool => value.is_boolean(),
        Kind::Number => value.is_number(),
        Kind::String => value.is_string(),
        Kind::Primitive => !value.is_object() && !value.is_array(),
        Kind::Object => value.is_object(),
    }
}

fn equal(left: &Value, right: &Value) -> bool {
    compare(left, Operator::Equal, right)
}

/// Values of different kinds are different, and neither is the greater.
fn compare(left: &Value, operator: Operator, right: &Value) -> bool {
    let ordering = match (left, right) {
        (Value::Number(left), Value::Number(right)) => compare_numbers(left, right),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (Value::Null, Value::Null) => Some(Ordering::Equal),
        _ => None,
    };
    match (operator, ordering) {
        (Operator::NotEqual, None) => true,
        (_, None) => false,
        (Operator::Equal, Some(ordering)) => ordering.is_eq(),
        (Operator::NotEqual, Some(ordering)) => ordering.is_ne(),
        (Operator::Less, Some(ordering)) => ordering.is_lt(),
        (Operator::LessOrEqual, Some(ordering)) => ordering.is_le(),
        (Operator::Greater, Some(ordering)) => ordering.is_gt(),
        (Operator::GreaterOrEqual, Some(ordering)) => ordering.is_ge(),
    }
}

fn compare_numbers(left: &Number, right: &Number) -> Option<Ordering> {
    // Whole numbers above 2^53 would meet their neighbours as floating point.
    if let (Some(left), Some(right)) = (left.as_i64(), right.as_i64()) {
        return Some(left.cmp(&right));
    }
    left.as_f64().zip(right.as_f64()).and_then(|(left, right)| left.partial_cmp(&right))
}
