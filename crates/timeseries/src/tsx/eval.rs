//! Values of trees. What is absent stays absent through every operator; `and` and `or` know three truths.

use std::cmp::Ordering;

use super::{Node, Operator, Row};
use crate::Value;
use crate::value::finite;

/// A node's value: of an event, or of the values of aggregates.
pub(super) fn eval(node: &Node, row: Option<&Row<'_>>, slots: &[Value]) -> Value {
    match node {
        Node::Literal(value) => value.clone(),
        Node::Property(name, kind) => row.map_or(Value::Null, |row| row.events.value(name, *kind, row.at)),
        Node::Time => {
            let time = row.and_then(|row| row.events.times.get(row.at));
            time.map_or(Value::Null, |time| Value::DateTime(*time))
        }
        Node::Current => row.map_or(Value::Null, |row| row.value.clone()),
        Node::Slot(number) => slots.get(*number).cloned().unwrap_or_default(),
        Node::Not(inner) => match eval(inner, row, slots) {
            Value::Bool(value) => Value::Bool(!value),
            _ => Value::Null,
        },
        Node::Negative(inner) => match eval(inner, row, slots) {
            Value::Long(value) => value.checked_neg().map_or(Value::Null, Value::Long),
            Value::Double(value) => Value::Double(-value),
            Value::TimeSpan(value) => value.checked_neg().map_or(Value::Null, Value::TimeSpan),
            _ => Value::Null,
        },
        Node::Binary(operator @ (Operator::And | Operator::Or), left, right) => {
            let decides = Value::Bool(*operator == Operator::Or);
            let left = eval(left, row, slots);
            if left == decides {
                return decides;
            }
            match (left, eval(right, row, slots)) {
                (_, right) if right == decides => decides,
                (Value::Bool(_), right @ Value::Bool(_)) => right,
                _ => Value::Null,
            }
        }
        Node::Binary(operator, left, right) => {
            binary(*operator, &eval(left, row, slots), &eval(right, row, slots))
        }
        Node::In(inner, list) => {
            let inner = eval(inner, row, slots);
            if inner.is_null() {
                return Value::Null;
            }
            let is_equal = |node: &Node| eval(node, row, slots).order(&inner) == Some(Ordering::Equal);
            Value::Bool(list.iter().any(is_equal))
        }
        Node::Call(function, arguments) => {
            let arguments: Vec<Value> = arguments.iter().map(|node| eval(node, row, slots)).collect();
            function.call(&arguments, row.map_or(0, |row| row.now))
        }
    }
}

fn binary(operator: Operator, left: &Value, right: &Value) -> Value {
    // `x = null` asks whether there is a value.
    if left.is_null() || right.is_null() {
        return match operator {
            Operator::Equal => Value::Bool(left.is_null() && right.is_null()),
            Operator::NotEqual => Value::Bool(left.is_null() != right.is_null()),
            _ => Value::Null,
        };
    }
    let compare = |holds: fn(Ordering) -> bool| {
        left.order(right).map_or(Value::Null, |order| Value::Bool(holds(order)))
    };
    match operator {
        Operator::Equal => compare(Ordering::is_eq),
        Operator::NotEqual => compare(Ordering::is_ne),
        Operator::Less => compare(Ordering::is_lt),
        Operator::LessOrEqual => compare(Ordering::is_le),
        Operator::Greater => compare(Ordering::is_gt),
        Operator::GreaterOrEqual => compare(Ordering::is_ge),
        Operator::Has => match (left, right) {
            (Value::String(text), Value::String(part)) => {
                Value::Bool(text.to_lowercase().contains(&part.to_lowercase()))
            }
            _ => Value::Null,
        },
        _ => arithmetic(operator, left, right),
    }
}

fn arithmetic(operator: Operator, left: &Value, right: &Value) -> Value {
    match (left, right) {
        (Value::Long(a), Value::Long(b)) => {
            let value = match operator {
                Operator::Plus => a.checked_add(*b),
                Operator::Minus => a.checked_sub(*b),
                Operator::Times => a.checked_mul(*b),
                Operator::Modulo => a.checked_rem(*b),
                // A quotient of whole numbers is seldom one.
                _ => return ratio(left, right),
            };
            value.map_or(Value::Null, Value::Long)
        }
        (Value::DateTime(a), Value::DateTime(b)) if operator == Operator::Minus => {
            a.checked_sub(*b).map_or(Value::Null, Value::TimeSpan)
        }
        (Value::DateTime(a), Value::TimeSpan(b)) => {
            let value = match operator {
                Operator::Plus => a.checked_add(*b),
                Operator::Minus => a.checked_sub(*b),
                _ => None,
            };
            value.map_or(Value::Null, Value::DateTime)
        }
        (Value::TimeSpan(a), Value::TimeSpan(b)) => {
            let value = match operator {
                Operator::Plus => a.checked_add(*b),
                Operator::Minus => a.checked_sub(*b),
                _ => None,
            };
            value.map_or(Value::Null, Value::TimeSpan)
        }
        _ => match (left.number(), right.number()) {
            (Some(a), Some(b)) => match operator {
                Operator::Plus => finite(a + b),
                Operator::Minus => finite(a - b),
                Operator::Times => finite(a * b),
                Operator::Modulo => finite(a % b),
                _ => finite(a / b),
            },
            _ => Value::Null,
        },
    }
}

fn ratio(left: &Value, right: &Value) -> Value {
    left.number().zip(right.number()).map_or(Value::Null, |(a, b)| finite(a / b))
}
