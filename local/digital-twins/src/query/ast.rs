//! The tree of a query, with every name bound to what it stands for.

use serde_json::Value;
use twinwright_dtdl::Dtmi;

use super::error::Place;

/// A whole query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query {
    pub(crate) select: Select,
    pub(crate) top: Option<u64>,
    pub(crate) source: Source,
    /// The parts of a row: one when nothing is joined.
    pub(crate) slots: Vec<Slot>,
    /// How the parts hang together.
    pub(crate) links: Vec<Link>,
    /// No relationship may serve twice in one row: so it is in MATCH, but not in JOIN.
    pub(crate) distinct: bool,
    pub(crate) condition: Option<Condition>,
    /// What the `IS_OF_MODEL` of the condition ask for, by number.
    pub(crate) models: Vec<ModelTest>,
}

/// What a row looks like.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Select {
    /// `*`
    All,
    /// `COUNT()`
    Count,
    /// Named columns, each with its key.
    Columns(Vec<(String, Path)>),
}

/// What is queried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Twins,
    Relationships,
}

/// A part of a row: a twin or a relationship, with the name that the query gives it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Slot {
    pub(crate) name: Option<String>,
    pub(crate) source: Source,
}

/// One JOIN, or one arrow of MATCH.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Link {
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// The relationship itself, when there is exactly one hop.
    pub(crate) relationship: Option<usize>,
    pub(crate) direction: Direction,
    /// Sorted; empty for any name.
    pub(crate) names: Vec<String>,
    /// Fewest and most hops, both included.
    pub(crate) hops: (usize, usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Forward,
    Backward,
    Either,
}

/// Names from the root of a part of the row downwards; none for the whole of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Path {
    pub(crate) slot: usize,
    pub(crate) names: Vec<String>,
    pub(crate) place: Place,
}

/// A condition of WHERE. NOT stands only at its leaves.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Test { test: Test, negated: bool },
}

/// A condition without AND, OR and NOT.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Test {
    Compare {
        left: Operand,
        operator: Operator,
        right: Operand,
    },
    In {
        operand: Operand,
        list: Vec<Value>,
        negated: bool,
    },
    /// The number of a [`ModelTest`].
    IsOfModel(usize),
    Is {
        kind: Kind,
        path: Path,
    },
    Text {
        function: TextFunction,
        left: Operand,
        right: Operand,
    },
    ArrayContains {
        path: Path,
        value: Value,
    },
    /// A bare path: true when it holds the boolean true.
    Holds(Path),
}

/// What an `IS_OF_MODEL` asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ModelTest {
    pub(crate) slot: usize,
    pub(crate) model: Dtmi,
    pub(crate) exact: bool,
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    Path(Path),
    Literal(Value),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What an `IS_…` function asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Defined,
    Null,
    Bool,
    Number,
    String,
    Primitive,
    Object,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextFunction {
    StartsWith,
    EndsWith,
    Contains,
}

impl Query {
    /// A bit for each part of the row that a condition needs.
    pub(crate) fn parts_of(&self, condition: &Condition) -> u64 {
        let operand = |operand: &Operand| match operand {
            Operand::Path(path) => 1 << path.slot,
            Operand::Literal(_) => 0,
        };
        match condition {
            Condition::All(list) | Condition::Any(list) => {
                list.iter().fold(0, |parts, inner| parts | self.parts_of(inner))
            }
            Condition::Test { test, .. } => match test {
                Test::Compare { left, right, .. } | Test::Text { left, right, .. } => {
                    operand(left) | operand(right)
                }
                Test::In { operand: inner, .. } => operand(inner),
                Test::IsOfModel(number) => 1 << self.models[*number].slot,
                Test::Is { path, .. } | Test::ArrayContains { path, .. } | Test::Holds(path) => {
                    1 << path.slot
                }
            },
        }
    }

    /// The conditions that must all hold.
    pub(crate) fn conjuncts(&self) -> &[Condition] {
        match &self.condition {
            None => &[],
            Some(Condition::All(list)) => list,
            Some(other) => std::slice::from_ref(other),
        }
    }
}
