//! The tree of a query.

use serde_json::Value;
use twinwright_dtdl::Dtmi;

/// A whole query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query {
    pub(crate) select: Select,
    pub(crate) top: Option<u64>,
    pub(crate) source: Source,
    pub(crate) condition: Option<Condition>,
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

/// Names from the root of a twin or relationship downwards; empty for the whole of it.
pub(crate) type Path = Vec<String>;

/// A condition of WHERE.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
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
    IsOfModel {
        model: Dtmi,
        exact: bool,
    },
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
