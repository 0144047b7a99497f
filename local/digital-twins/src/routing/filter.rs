//! The filter of a route: text to a tree, and the tree against an event.
//!
//! `true`, `false`, comparisons of attributes and `$body.…` paths with values, STARTS_WITH, ENDS_WITH, CONTAINS, AND, OR,
//! NOT and parentheses. Text is compared with regard to case. What an event lacks is null. One file although it is long: the
//! grammar and what it means are read together.

use std::cmp::Ordering;

use serde_json::Value;

use super::CloudEvent;

/// Longest filter, in bytes, and deepest nesting of parentheses.
const LONGEST: usize = 8_000;
const DEEPEST: usize = 64;
const ATTRIBUTES: [&str; 6] = ["type", "source", "subject", "dataschema", "datacontenttype", "specversion"];

/// A filter that was understood.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Filter {
    Constant(bool),
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Compare(Operand, Comparison, Operand),
    Text(Function, Operand, Operand),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Function {
    StartsWith,
    EndsWith,
    Contains,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    Attribute(String),
    Body(Vec<String>),
    Literal(Value),
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Literal(Value),
    Sign(&'static str),
}

const SIGNS: [&str; 10] = ["!=", "<>", "<=", ">=", "=", "<", ">", "(", ")", ","];

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, String> {
    let bytes = text.as_bytes();
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let start = at;
        let byte = bytes[at];
        if byte.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        if let Some(sign) = SIGNS.into_iter().find(|sign| text[at..].starts_with(sign)) {
            found.push((start + 1, Token::Sign(sign)));
            at += sign.len();
            continue;
        }
        if byte == b'\'' {
            let (value, end) = quoted(text, at)?;
            found.push((start + 1, Token::Literal(value.into())));
            at = end;
            continue;
        }
        while at < bytes.len() && !bytes[at].is_ascii_whitespace() && !b"!=<>(),'".contains(&bytes[at]) {
            at += 1;
        }
        if at == start {
            return Err(format!("the filter has an unexpected character at position {}", start + 1));
        }
        let word = &text[start..at];
        let token = match word {
            "null" => Token::Literal(Value::Null),
            _ if byte.is_ascii_digit() || byte == b'-' => {
                let number: Option<serde_json::Number> = word.parse().ok();
                let number =
                    number.ok_or_else(|| format!("'{word}' at position {} is no number", start + 1))?;
                Token::Literal(Value::Number(number))
            }
            _ => Token::Word(word.to_owned()),
        };
        found.push((start + 1, token));
    }
    Ok(found)
}

/// A text in quotes that begins at a place; a quote inside is written twice or after a backslash.
fn quoted(text: &str, start: usize) -> Result<(String, usize), String> {
    let mut value = String::new();
    let mut rest = text[start + 1..].char_indices().peekable();
    while let Some((index, character)) = rest.next() {
        match character {
            '\\' if matches!(rest.peek(), Some((_, '\'' | '\\'))) => {
                value.extend(rest.next().map(|(_, escaped)| escaped));
            }
            '\'' if matches!(rest.peek(), Some((_, '\''))) => {
                rest.next();
                value.push('\'');
            }
            '\'' => return Ok((value, start + 1 + index + 1)),
            other => value.push(other),
        }
    }
    Err(format!("the text that begins at position {} has no closing quote", start + 1))
}

/// Understands a filter, or says where it goes wrong.
pub(super) fn parse(text: &str) -> Result<Filter, String> {
    if text.len() > LONGEST {
        return Err(format!("the filter has {} characters: {LONGEST} are the most", text.len()));
    }
    let mut parser = Parser { tokens: tokens(text)?, next: 0, depth: 0 };
    let filter = parser.any()?;
    match parser.tokens.get(parser.next) {
        None => Ok(filter),
        Some((position, _)) => {
            Err(format!("the filter should end before position {position}: join conditions with AND or OR"))
        }
    }
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    next: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(_, token)| token)
    }

    fn here(&self) -> String {
        match self.tokens.get(self.next) {
            Some((position, _)) => format!("at position {position}"),
            None => "at its end".to_owned(),
        }
    }

    fn word(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(wanted));
        self.next += usize::from(found);
        found
    }

    fn sign(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(sign)) if *sign == wanted);
        self.next += usize::from(found);
        found
    }

    fn any(&mut self) -> Result<Filter, String> {
        let mut list = vec![self.all()?];
        while self.word("or") {
            list.push(self.all()?);
        }
        Ok(if list.len() == 1 { list.remove(0) } else { Filter::Any(list) })
    }

    fn all(&mut self) -> Result<Filter, String> {
        let mut list = vec![self.one()?];
        while self.word("and") {
            list.push(self.one()?);
        }
        Ok(if list.len() == 1 { list.remove(0) } else { Filter::All(list) })
    }

    fn one(&mut self) -> Result<Filter, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("the filter is nested more than {DEEPEST} levels deep: write it flatter"));
        }
        let filter = self.one_inner();
        self.depth -= 1;
        filter
    }

    fn one_inner(&mut self) -> Result<Filter, String> {
        if self.sign("(") {
            let inner = self.any()?;
            return if self.sign(")") {
                Ok(inner)
            } else {
                Err(format!("the filter lacks a ')' {}", self.here()))
            };
        }
        if self.word("not") {
            return Ok(Filter::Not(Box::new(self.one()?)));
        }
        for (name, function) in [
            ("starts_with", Function::StartsWith),
            ("startswith", Function::StartsWith),
            ("ends_with", Function::EndsWith),
            ("endswith", Function::EndsWith),
            ("contains", Function::Contains),
        ] {
            if self.word(name) {
                return self.function(function);
            }
        }
        let left = self.operand()?;
        let comparison = [
            ("=", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<>", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            ("<", Comparison::Less),
            (">=", Comparison::GreaterOrEqual),
            (">", Comparison::Greater),
        ];
        let found = comparison.into_iter().find(|(sign, _)| self.sign(sign));
        match (found, left) {
            (Some((_, comparison)), left) => Ok(Filter::Compare(left, comparison, self.operand()?)),
            (None, Operand::Literal(Value::Bool(constant))) => Ok(Filter::Constant(constant)),
            (None, _) => Err(format!("the filter lacks a comparison such as = or > {}", self.here())),
        }
    }

    fn function(&mut self, function: Function) -> Result<Filter, String> {
        let lacks = |parser: &Self, sign: &str| format!("the filter lacks a '{sign}' {}", parser.here());
        if !self.sign("(") {
            return Err(lacks(self, "("));
        }
        let left = self.operand()?;
        if !self.sign(",") {
            return Err(lacks(self, ","));
        }
        let right = self.operand()?;
        if !self.sign(")") {
            return Err(lacks(self, ")"));
        }
        Ok(Filter::Text(function, left, right))
    }

    fn operand(&mut self) -> Result<Operand, String> {
        let place = self.here();
        let token = self.peek().cloned();
        self.next += 1;
        match token {
            Some(Token::Literal(value)) => Ok(Operand::Literal(value)),
            Some(Token::Word(word)) if word == "true" || word == "false" => {
                Ok(Operand::Literal((word == "true").into()))
            }
            Some(Token::Word(word)) if ATTRIBUTES.contains(&word.as_str()) => Ok(Operand::Attribute(word)),
            Some(Token::Word(word)) if word.starts_with("$body.") => {
                let path: Vec<String> = word.split('.').skip(1).map(str::to_owned).collect();
                if path.iter().any(|part| part.is_empty() || part.contains(['[', ']'])) {
                    return Err(format!(
                        "the path '{word}' {place} is not understood: arrays cannot be looked into"
                    ));
                }
                Ok(Operand::Body(path))
            }
            Some(Token::Word(word)) => Err(format!(
                "'{word}' {place} is not known: use {}, $body.<property>, a text in quotes, a number, true, false or null",
                ATTRIBUTES.join(", ")
            )),
            _ => Err(format!("the filter lacks a value {place}")),
        }
    }
}

impl Filter {
    pub(super) fn admits(&self, event: &CloudEvent) -> bool {
        match self {
            Self::Constant(constant) => *constant,
            Self::All(list) => list.iter().all(|filter| filter.admits(event)),
            Self::Any(list) => list.iter().any(|filter| filter.admits(event)),
            Self::Not(inner) => !inner.admits(event),
            Self::Compare(left, comparison, right) => compare(left.of(event), *comparison, right.of(event)),
            Self::Text(function, left, right) => match (left.of(event), right.of(event)) {
                (Found::Text(left), Found::Text(right)) => match function {
                    Function::StartsWith => left.starts_with(right),
                    Function::EndsWith => left.ends_with(right),
                    Function::Contains => left.contains(right),
                },
                _ => false,
            },
        }
    }
}

/// The value of an operand for one event.
enum Found<'a> {
    Null,
    Text(&'a str),
    Other(&'a Value),
}

impl Operand {
    fn of<'a>(&'a self, event: &'a CloudEvent) -> Found<'a> {
        let value = match self {
            Self::Attribute(name) => return event.attribute(name).map_or(Found::Null, Found::Text),
            Self::Body(path) => path.iter().try_fold(&event.data, |value, name| value.get(name)),
            Self::Literal(value) => Some(value),
        };
        match value {
            None | Some(Value::Null) => Found::Null,
            Some(Value::String(text)) => Found::Text(text),
            Some(other) => Found::Other(other),
        }
    }
}

fn compare(left: Found<'_>, comparison: Comparison, right: Found<'_>) -> bool {
    let ordering = match (left, right) {
        (Found::Null, Found::Null) => Some(Ordering::Equal),
        (Found::Text(left), Found::Text(right)) => Some(left.cmp(right)),
        (Found::Other(Value::Bool(left)), Found::Other(Value::Bool(right))) => Some(left.cmp(right)),
        (Found::Other(Value::Number(left)), Found::Other(Value::Number(right))) => {
            left.as_f64().zip(right.as_f64()).and_then(|(left, right)| left.partial_cmp(&right))
        }
        _ => None,
    };
    match (comparison, ordering) {
        (Comparison::NotEqual, None) => true,
        (_, None) => false,
        (Comparison::Equal, Some(ordering)) => ordering.is_eq(),
        (Comparison::NotEqual, Some(ordering)) => ordering.is_ne(),
        (Comparison::Less, Some(ordering)) => ordering.is_lt(),
        (Comparison::LessOrEqual, Some(ordering)) => ordering.is_le(),
        (Comparison::Greater, Some(ordering)) => ordering.is_gt(),
        (Comparison::GreaterOrEqual, Some(ordering)) => ordering.is_ge(),
    }
}

#[cfg(test)]
mod tests;
