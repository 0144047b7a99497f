//! Tokens into a tree: recursive descent, by binding strength.

use std::sync::Arc;

use super::lexer::{Token, error, tokens};
use super::{Aggregate, DEEPEST, Function, Node, Operator, Scalar};
use crate::{QueryError, ValueType};

type Slots = Vec<(Aggregate, Option<Scalar>)>;

/// Reads a text; aggregates only where they are allowed, and none within another.
pub(super) fn parse(text: &str, aggregates: bool) -> Result<(Node, Slots), QueryError> {
    let tokens = tokens(text)?;
    let end = text.chars().count();
    let mut parser = Parser { tokens, at: 0, end, depth: 0, slots: Vec::new(), aggregates };
    if parser.tokens.is_empty() {
        return Err(error(0, "the expression is empty"));
    }
    let node = parser.binary(0)?;
    if parser.at < parser.tokens.len() {
        return Err(parser.unexpected("an operator or the end"));
    }
    Ok((node, parser.slots))
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
    end: usize,
    depth: usize,
    slots: Slots,
    aggregates: bool,
}

/// Operators by strength, the weakest first.
const LEVELS: [&[(&str, Operator)]; 5] = [
    &[("or", Operator::Or)],
    &[("and", Operator::And)],
    &[
        ("=", Operator::Equal),
        ("==", Operator::Equal),
        ("!=", Operator::NotEqual),
        ("<>", Operator::NotEqual),
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
        ("has", Operator::Has),
    ],
    &[("+", Operator::Plus), ("-", Operator::Minus)],
    &[("*", Operator::Times), ("/", Operator::Divide), ("%", Operator::Modulo)],
];
const COMPARISON: usize = 2;

impl Parser {
    fn place(&self) -> usize {
        self.tokens.get(self.at).map_or(self.end, |(place, _)| *place)
    }

    fn unexpected(&self, wanted: &str) -> QueryError {
        let found = match self.tokens.get(self.at) {
            None => "the end".to_owned(),
            Some((_, Token::Symbol(symbol))) => (*symbol).to_owned(),
            Some((_, Token::Name(name))) => name.to_string(),
            Some((_, Token::Literal(_))) => "a literal".to_owned(),
        };
        error(self.place(), format!("{found} stands where {wanted} is expected"))
    }

    fn symbol(&mut self, wanted: &str) -> bool {
        let is = matches!(self.tokens.get(self.at), Some((_, Token::Symbol(symbol))) if *symbol == wanted);
        self.at += usize::from(is);
        is
    }

    fn word(&mut self, wanted: &str) -> bool {
        let is = matches!(self.tokens.get(self.at), Some((_, Token::Name(name))) if name.eq_ignore_ascii_case(wanted));
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, wanted: &str) -> Result<(), QueryError> {
        if self.symbol(wanted) { Ok(()) } else { Err(self.unexpected(wanted)) }
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, QueryError>) -> Result<T, QueryError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            let message = format!("the expression is nested deeper than {DEEPEST}: divide it into variables");
            return Err(error(self.place(), message));
        }
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn operator(&mut self, level: usize) -> Option<Operator> {
        LEVELS[level]
            .iter()
            .find(|(text, _)| self.symbol(text) || self.word(text))
            .map(|(_, operator)| *operator)
    }

    fn binary(&mut self, level: usize) -> Result<Node, QueryError> {
        if level == LEVELS.len() {
            return self.unary();
        }
        if level == COMPARISON && self.word("not") {
            let inner = self.deeper(|parser| parser.binary(COMPARISON))?;
            return Ok(Node::Not(Box::new(inner)));
        }
        let mut left = self.binary(level + 1)?;
        let mut chained = 0;
        loop {
            if level == COMPARISON && self.word("in") {
                let list = self.deeper(Self::arguments)?;
                left = Node::In(Box::new(left), list);
                continue;
            }
            let Some(operator) = self.operator(level) else { return Ok(left) };
            chained += 1;
            // A chain makes a tree as deep as it is long.
            if chained > DEEPEST * 4 {
                return Err(error(
                    self.place(),
                    "too many operators in a row: divide the expression into variables",
                ));
            }
            let right = self.binary(level + 1)?;
            left = Node::Binary(operator, Box::new(left), Box::new(right));
        }
    }

    fn unary(&mut self) -> Result<Node, QueryError> {
        if self.symbol("-") {
            let inner = self.deeper(Self::unary)?;
            return Ok(Node::Negative(Box::new(inner)));
        }
        if self.symbol("+") {
            return self.deeper(Self::unary);
        }
        self.primary()
    }

    fn primary(&mut self) -> Result<Node, QueryError> {
        if self.symbol("(") {
            let inner = self.deeper(|parser| parser.binary(0))?;
            self.expect(")")?;
            return Ok(inner);
        }
        match self.tokens.get(self.at).cloned() {
            Some((_, Token::Literal(value))) => {
                self.at += 1;
                Ok(Node::Literal(value))
            }
            Some((place, Token::Name(name))) => {
                self.at += 1;
                self.named(place, &name)
            }
            _ => Err(self.unexpected("a value")),
        }
    }

    fn named(&mut self, place: usize, name: &Arc<str>) -> Result<Node, QueryError> {
        match name.to_ascii_lowercase().as_str() {
            "$event" => return self.property(place),
            "$value" => return Ok(Node::Current),
            "$ts" => return Ok(Node::Time),
            _ => {}
        }
        if let Some(aggregate) = aggregate(name)
            && matches!(self.tokens.get(self.at), Some((_, Token::Symbol("("))))
        {
            return self.aggregate(place, aggregate);
        }
        let Some(function) = Function::by_name(name) else {
            let message = format!(
                "{name} is no function or property: properties are written as in $event.{name}.Double"
            );
            return Err(error(place, message));
        };
        let arguments = self.deeper(Self::arguments)?;
        function.check(arguments.len()).map_err(|message| error(place, message))?;
        Ok(Node::Call(function, arguments))
    }

    fn aggregate(&mut self, place: usize, aggregate: Aggregate) -> Result<Node, QueryError> {
        if !self.aggregates {
            return Err(error(
                place,
                "an aggregate stands where one event is looked at: use it in aggregation alone",
            ));
        }
        self.aggregates = false;
        let arguments = self.deeper(Self::arguments);
        self.aggregates = true;
        let mut arguments = arguments?;
        let argument = match (aggregate, arguments.len()) {
            (Aggregate::Count, 0) => None,
            (_, 1) => arguments.pop().map(Scalar),
            _ => {
                return Err(error(
                    place,
                    "an aggregate takes one argument, as in avg($value); count() takes none",
                ));
            }
        };
        self.slots.push((aggregate, argument));
        Ok(Node::Slot(self.slots.len() - 1))
    }

    /// `(a, b)`
    fn arguments(&mut self) -> Result<Vec<Node>, QueryError> {
        self.expect("(")?;
        let mut arguments = Vec::new();
        if self.symbol(")") {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.binary(0)?);
            if self.symbol(")") {
                return Ok(arguments);
            }
            self.expect(",")?;
        }
    }

    /// Behind `$event`: `.name`, `['name']`, `.['name']`, each with a `.Type` or without; nested names grow by dots.
    fn property(&mut self, place: usize) -> Result<Node, QueryError> {
        let mut parts: Vec<Arc<str>> = Vec::new();
        let mut kind = None;
        loop {
            let dotted = self.symbol(".");
            if self.symbol("[") {
                let Some((_, Token::Literal(crate::Value::String(name)))) = self.tokens.get(self.at).cloned()
                else {
                    return Err(self.unexpected("a name in single quotes"));
                };
                self.at += 1;
                self.expect("]")?;
                parts.push(name);
            } else if dotted {
                let Some((_, Token::Name(name))) = self.tokens.get(self.at).cloned() else {
                    return Err(self.unexpected("a property's name"));
                };
                self.at += 1;
                match ValueType::parse(&name) {
                    Some(found) if !parts.is_empty() => {
                        kind = Some(found);
                        break;
                    }
                    _ => parts.push(name),
                }
            } else {
                break;
            }
        }
        match parts.as_slice() {
            [] => Err(error(place, "$event needs a property: write it as in $event.temperature.Double")),
            [one] if one.eq_ignore_ascii_case("$ts") => Ok(Node::Time),
            _ => Ok(Node::Property(parts.join(".").into(), kind)),
        }
    }
}

fn aggregate(name: &str) -> Option<Aggregate> {
    let all = [
        ("count", Aggregate::Count),
        ("min", Aggregate::Min),
        ("max", Aggregate::Max),
        ("sum", Aggregate::Sum),
        ("avg", Aggregate::Avg),
        ("first", Aggregate::First),
        ("last", Aggregate::Last),
        ("median", Aggregate::Median),
        ("stdev", Aggregate::Stdev),
        ("twsum", Aggregate::TimeWeightedSum),
        ("twavg", Aggregate::TimeWeightedAvg),
        ("left", Aggregate::Left),
        ("right", Aggregate::Right),
    ];
    all.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, aggregate)| *aggregate)
}
