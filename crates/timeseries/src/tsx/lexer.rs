//! Characters into tokens.

use std::sync::Arc;

use twinwright_core::time::parse_iso;

use super::LONGEST;
use crate::{QueryError, Value, interval};

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A literal.
    Literal(Value),
    /// A name or keyword, with its `$` if it has one.
    Name(Arc<str>),
    /// An operator or bracket.
    Symbol(&'static str),
}

const SYMBOLS: [&str; 19] =
    ["<=", ">=", "!=", "<>", "==", "(", ")", ",", ".", "[", "]", "+", "-", "*", "/", "%", "=", "<", ">"];

pub(super) fn error(at: usize, message: impl Into<String>) -> QueryError {
    QueryError::Expression { target: String::new(), at: at + 1, message: message.into() }
}

/// Tokens with the characters at which they begin.
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, QueryError> {
    if text.len() > LONGEST {
        let message = format!("the expression is longer than {LONGEST} characters: divide it into variables");
        return Err(QueryError::limit("", message));
    }
    let characters: Vec<char> = text.chars().collect();
    let (mut at, mut found) = (0, Vec::new());
    while let Some(&c) = characters.get(at) {
        let start = at;
        let token = match c {
            _ if c.is_whitespace() => {
                at += 1;
                continue;
            }
            '\'' => Token::Literal(Value::String(quoted(&characters, &mut at)?.into())),
            '0'..='9' => Token::Literal(number(&characters, &mut at)?),
            '$' | '_' | 'a'..='z' | 'A'..='Z' => {
                let name = name(&characters, &mut at);
                let prefixed = characters.get(at) == Some(&'\'');
                match name.to_ascii_lowercase().as_str() {
                    "dt" | "ts" if prefixed => literal(&name, &characters, &mut at)?,
                    "true" => Token::Literal(Value::Bool(true)),
                    "false" => Token::Literal(Value::Bool(false)),
                    "null" => Token::Literal(Value::Null),
                    _ => Token::Name(name.into()),
                }
            }
            _ => {
                let rest: String = characters[at..].iter().take(2).collect();
                let symbol = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol));
                let Some(symbol) = symbol else {
                    return Err(error(
                        at,
                        format!("{c:?} means nothing here: remove it, or put text in single quotes"),
                    ));
                };
                at += symbol.len();
                Token::Symbol(symbol)
            }
        };
        found.push((start, token));
    }
    Ok(found)
}

fn name(characters: &[char], at: &mut usize) -> String {
    let start = *at;
    *at += 1;
    while characters.get(*at).is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '$')) {
        // A minus within a name is one only before a letter: `$value-1` is a difference.
        let is_minus = characters[*at] == '-';
        if is_minus && !characters.get(*at + 1).is_some_and(|next| next.is_alphabetic()) {
            break;
        }
        *at += 1;
    }
    characters[start..*at].iter().collect()
}

fn quoted(characters: &[char], at: &mut usize) -> Result<String, QueryError> {
    let start = *at;
    *at += 1;
    let mut text = String::new();
    loop {
        match (characters.get(*at), characters.get(*at + 1)) {
            (Some('\\'), Some(next)) => {
                text.push(*next);
                *at += 2;
            }
            (Some('\''), Some('\'')) => {
                text.push('\'');
                *at += 2;
            }
            (Some('\''), _) => {
                *at += 1;
                return Ok(text);
            }
            (Some(c), _) => {
                text.push(*c);
                *at += 1;
            }
            (None, _) => return Err(error(start, "the text has no end: close it with a single quote")),
        }
    }
}

fn number(characters: &[char], at: &mut usize) -> Result<Value, QueryError> {
    let start = *at;
    let mut whole = true;
    while let Some(c) = characters.get(*at) {
        match c {
            '0'..='9' => {}
            '.' if whole && characters.get(*at + 1).is_some_and(char::is_ascii_digit) => whole = false,
            'e' | 'E'
                if characters.get(*at + 1).is_some_and(|c| c.is_ascii_digit() || matches!(c, '+' | '-')) =>
            {
                whole = false;
                *at += 1;
            }
            _ => break,
        }
        *at += 1;
    }
    let text: String = characters[start..*at].iter().collect();
    let value = if whole { text.parse().ok().map(Value::Long) } else { None };
    let value =
        value.or_else(|| text.parse().ok().filter(|value: &f64| value.is_finite()).map(Value::Double));
    value.ok_or_else(|| error(start, format!("{text} is no number")))
}

fn literal(prefix: &str, characters: &[char], at: &mut usize) -> Result<Token, QueryError> {
    let start = *at;
    let text = quoted(characters, at)?;
    let value = if prefix.eq_ignore_ascii_case("dt") {
        parse_iso(&text).map(Value::DateTime)
    } else {
        interval::parse(&text).map(Value::TimeSpan)
    };
    let hint = if prefix.eq_ignore_ascii_case("dt") { "dt'2026-03-04T05:06:07Z'" } else { "ts'PT1M'" };
    value
        .map(Token::Literal)
        .ok_or_else(|| error(start, format!("{text:?} cannot be read: write it as in {hint}")))
}
