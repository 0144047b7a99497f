//! Time series expressions: what filters, values and aggregations are written in. Text of anybody, so length and depth
//! are bounded, and reading takes time in proportion to the length.

mod eval;
mod functions;
mod lexer;
mod parser;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use twinwright_core::time::Micros;

use crate::{Events, QueryError, Value, ValueType};

pub use functions::Function;

/// Characters of an expression.
pub const LONGEST: usize = 4_096;
/// Brackets and operators within one another.
pub const DEEPEST: usize = 64;

/// An expression as requests have it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tsx {
    /// The text.
    pub tsx: String,
}

/// What an aggregate does with the values of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// Events, or values where it has an argument.
    Count,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// The sum.
    Sum,
    /// The mean.
    Avg,
    /// The earliest.
    First,
    /// The latest.
    Last,
    /// The middle one by time.
    Median,
    /// Standard deviation of the sample.
    Stdev,
    /// Integral over time, in units times seconds; needs interpolation.
    TimeWeightedSum,
    /// Mean over time; needs interpolation.
    TimeWeightedAvg,
    /// At the bucket's start; needs interpolation.
    Left,
    /// At the bucket's end; needs interpolation.
    Right,
}

impl Aggregate {
    /// Whether it is of the curve between events, not of the events.
    pub fn needs_interpolation(self) -> bool {
        matches!(self, Self::TimeWeightedSum | Self::TimeWeightedAvg | Self::Left | Self::Right)
    }
}

/// Operators of two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Has,
    Plus,
    Minus,
    Times,
    Divide,
    Modulo,
}

/// A read expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Literal(Value),
    /// `$event.name.Type`
    Property(Arc<str>, Option<ValueType>),
    /// `$event.$ts`
    Time,
    /// `$value`
    Current,
    Not(Box<Node>),
    Negative(Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
    In(Box<Node>, Vec<Node>),
    Call(Function, Vec<Node>),
    /// The result of an aggregate, by number.
    Slot(usize),
}

/// An expression about one event.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar(pub(crate) Node);

/// What a scalar expression is evaluated on.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Events.
    pub events: &'a Events,
    /// Which of them.
    pub at: usize,
    /// `$value`.
    pub value: &'a Value,
    /// `utcNow()`.
    pub now: Micros,
}

impl Scalar {
    /// Reads an expression without aggregates.
    ///
    /// # Errors
    /// [`QueryError::Expression`] says where and why; [`QueryError::Limit`] above 4,096 characters.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let (node, aggregates) = parser::parse(text, false)?;
        debug_assert!(aggregates.is_empty(), "the parser refuses them");
        Ok(Self(node))
    }

    /// Its value for an event.
    pub fn eval(&self, row: &Row<'_>) -> Value {
        eval::eval(&self.0, Some(row), &[])
    }

    /// Whether an event passes it.
    pub fn holds(&self, row: &Row<'_>) -> bool {
        self.eval(row) == Value::Bool(true)
    }

    /// Adds the names of the properties that it reads.
    pub fn properties(&self, names: &mut BTreeSet<String>) {
        properties(&self.0, names);
    }

    /// The property, where it is one and nothing else.
    pub fn plain(&self) -> Option<(&Arc<str>, Option<ValueType>)> {
        match &self.0 {
            Node::Property(name, kind) => Some((name, *kind)),
            _ => None,
        }
    }
}

/// An expression over the events of a bucket.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregation {
    outer: Node,
    /// Aggregates in it, with their arguments.
    pub aggregates: Vec<(Aggregate, Option<Scalar>)>,
}

impl Aggregation {
    /// Reads an expression with aggregates.
    ///
    /// # Errors
    /// As [`Scalar::parse`]; one without an aggregate.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let (outer, aggregates) = parser::parse(text, true)?;
        if aggregates.is_empty() {
            return Err(QueryError::invalid(
                "",
                "the aggregation has no aggregate: write one, as in avg($value)",
            ));
        }
        Ok(Self { outer, aggregates })
    }

    /// The value, from the values of the aggregates.
    pub fn finish(&self, slots: &[Value]) -> Value {
        eval::eval(&self.outer, None, slots)
    }

    /// The aggregate, where it is one and nothing else.
    pub fn plain(&self) -> Option<(Aggregate, Option<&Scalar>)> {
        match (&self.outer, self.aggregates.as_slice()) {
            (Node::Slot(0), [(aggregate, argument)]) => Some((*aggregate, argument.as_ref())),
            _ => None,
        }
    }

    /// Adds the names of the properties that it reads.
    pub fn properties(&self, names: &mut BTreeSet<String>) {
        let arguments = self.aggregates.iter().filter_map(|(_, argument)| argument.as_ref());
        arguments.for_each(|argument| argument.properties(names));
    }
}

fn properties(node: &Node, names: &mut BTreeSet<String>) {
    match node {
        Node::Property(name, _) => {
            names.insert(name.to_string());
        }
        Node::Not(inner) | Node::Negative(inner) => properties(inner, names),
        Node::Binary(_, left, right) => {
            properties(left, names);
            properties(right, names);
        }
        Node::In(inner, list) => {
            properties(inner, names);
            list.iter().for_each(|node| properties(node, names));
        }
        Node::Call(_, arguments) => arguments.iter().for_each(|node| properties(node, names)),
        Node::Literal(_) | Node::Time | Node::Current | Node::Slot(_) => {}
    }
}

#[cfg(test)]
mod tests;
