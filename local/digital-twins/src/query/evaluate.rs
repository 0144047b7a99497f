//! Conditions and columns against one twin or relationship.

use std::cmp::Ordering;

use serde_json::{Map, Value};
use twinwright_dtdl::ModelSet;

use super::ast::{Condition, Kind, Operand, Operator, Select, TextFunction};

/// A twin or relationship in its wire form.
pub(crate) type Row = Map<String, Value>;

/// True when the row meets the condition. A missing property meets no comparison.
pub(crate) fn matches(condition: &Condition, row: &Row, models: &ModelSet) -> bool {
    match condition {
        Condition::All(list) => list.iter().all(|condition| matches(condition, row, models)),
        Condition::Any(list) => list.iter().any(|condition| matches(condition, row, models)),
        Condition::Not(inner) => !matches(inner, row, models),
        Condition::Compare { left, operator, right } => match (value_of(left, row), value_of(right, row)) {
            (Some(left), Some(right)) => compare(left, *operator, right),
            _ => false,
        },
        Condition::In { operand, list, negated } => value_of(operand, row)
            .is_some_and(|value| list.iter().any(|entry| compare(value, Operator::Equal, entry)) != *negated),
        Condition::IsOfModel { model, exact } => {
            let own =
                row.get("$metadata").and_then(|metadata| metadata.get("$model")).and_then(Value::as_str);
            own.is_some_and(|own| models.is_of_model(own, model, *exact))
        }
        Condition::Is { kind, path } => is(*kind, lookup(row, path)),
        Condition::Text { function, left, right } => {
            let text = |operand| value_of(operand, row).and_then(Value::as_str);
            match (text(left), text(right)) {
                (Some(left), Some(right)) => match function {
                    TextFunction::StartsWith => left.starts_with(right),
                    TextFunction::EndsWith => left.ends_with(right),
                    TextFunction::Contains => left.contains(right),
                },
                _ => false,
            }
        }
        Condition::ArrayContains { path, value } => {
            let list = lookup(row, path).and_then(Value::as_array);
            list.is_some_and(|list| list.iter().any(|entry| compare(entry, Operator::Equal, value)))
        }
        Condition::Holds(path) => lookup(row, path).and_then(Value::as_bool).unwrap_or(false),
    }
}

/// The row as the query asks for it. A missing property is left out.
pub(crate) fn project(select: &Select, row: &Row) -> Value {
    match select {
        Select::All | Select::Count => Value::Object(row.clone()),
        Select::Columns(columns) => {
            let mut projected = Map::new();
            for (key, path) in columns {
                if path.is_empty() {
                    projected.insert(key.clone(), Value::Object(row.clone()));
                } else if let Some(value) = lookup(row, path) {
                    projected.insert(key.clone(), value.clone());
                }
            }
            Value::Object(projected)
        }
    }
}

fn value_of<'a>(operand: &'a Operand, row: &'a Row) -> Option<&'a Value> {
    match operand {
        Operand::Literal(value) => Some(value),
        Operand::Path(path) => lookup(row, path),
    }
}

fn lookup<'a>(row: &'a Row, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(row.get(first)?, |value, name| value.get(name))
}

fn is(kind: Kind, value: Option<&Value>) -> bool {
    let Some(value) = value else { return kind == Kind::Null };
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

fn compare(left: &Value, operator: Operator, right: &Value) -> bool {
    let ordering = match (left, right) {
        (Value::Number(left), Value::Number(right)) => match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => left.as_f64().zip(right.as_f64()).and_then(|(left, right)| left.partial_cmp(&right)),
        },
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
