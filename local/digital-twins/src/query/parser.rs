//! Tokens to a tree, by recursive descent with a bounded depth.

use serde_json::Value;
use twinwright_dtdl::Dtmi;

use super::ast::{Condition, Kind, Operand, Operator, Path, Query, Select, Source, TextFunction};
use super::lexer::{Placed, QueryError, Token, lex};

/// Limits of the service: characters of a query, AND and OR, items of IN; and of this parser: nesting.
const LONGEST: usize = 8000;
const MOST_LOGICAL: usize = 50;
const MOST_ITEMS: usize = 100;
const DEEPEST: usize = 40;

struct Parser {
    tokens: Vec<Placed>,
    at: usize,
    alias: Option<String>,
    logical: usize,
    depth: usize,
}

/// Parses a query.
pub(crate) fn parse(text: &str) -> Result<Query, QueryError> {
    if text.chars().count() > LONGEST {
        let message = format!("the query has more than {LONGEST} characters: shorten it");
        return Err(QueryError { line: 1, position: LONGEST, message });
    }
    let tokens = lex(text)?;
    let alias = find_alias(&tokens);
    let mut parser = Parser { tokens, at: 0, alias, logical: 0, depth: 0 };
    parser.query()
}

/// The alias stands after the columns that use it, so it is looked up first.
fn find_alias(tokens: &[Placed]) -> Option<String> {
    let from = tokens.iter().position(|placed| is_word(&placed.token, "FROM"))?;
    match &tokens.get(from + 2)?.token {
        Token::Word(word)
            if !["WHERE", "JOIN", "MATCH"].iter().any(|keyword| word.eq_ignore_ascii_case(keyword)) =>
        {
            Some(word.clone())
        }
        _ => None,
    }
}

fn is_word(token: &Token, keyword: &str) -> bool {
    matches!(token, Token::Word(word) if word.eq_ignore_ascii_case(keyword))
}

impl Parser {
    fn token(&self) -> &Token {
        &self.tokens[self.at].token
    }

    fn following(&self) -> &Token {
        &self.tokens[(self.at + 1).min(self.tokens.len() - 1)].token
    }

    fn advance(&mut self) -> Token {
        let token = self.tokens[self.at].token.clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn error<T>(&self, message: impl Into<String>) -> Result<T, QueryError> {
        let placed = &self.tokens[self.at];
        Err(QueryError { line: placed.line, position: placed.position, message: message.into() })
    }

    fn keyword(&mut self, keyword: &str) -> bool {
        let found = is_word(self.token(), keyword);
        if found {
            self.advance();
        }
        found
    }

    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.token(), Token::Sign(found) if *found == sign);
        if found {
            self.advance();
        }
        found
    }

    fn expect_sign(&mut self, sign: &str) -> Result<(), QueryError> {
        if self.sign(sign) { Ok(()) } else { self.error(format!("'{sign}' was expected here")) }
    }

    fn query(&mut self) -> Result<Query, QueryError> {
        if !self.keyword("SELECT") {
            return self.error("a query begins with SELECT, as in SELECT * FROM DIGITALTWINS");
        }
        let top = if is_word(self.token(), "TOP") && *self.following() == Token::Sign("(") {
            self.at += 2;
            let Token::Number(number) = self.advance() else {
                return self.error("TOP takes a number, as in TOP(10)");
            };
            let Some(top) = number.as_u64() else {
                return self.error("TOP takes a whole number, as in TOP(10)");
            };
            self.expect_sign(")")?;
            Some(top)
        } else {
            None
        };
        let select =
            if top.is_some() && is_word(self.token(), "FROM") { Select::All } else { self.select()? };
        if !self.keyword("FROM") {
            return self.error("FROM was expected here, as in SELECT * FROM DIGITALTWINS");
        }
        let source = if self.keyword("DIGITALTWINS") {
            Source::Twins
        } else if self.keyword("RELATIONSHIPS") {
            Source::Relationships
        } else {
            return self.error("FROM takes DIGITALTWINS or RELATIONSHIPS");
        };
        if self.alias.is_some() {
            self.advance();
        }
        for clause in ["JOIN", "MATCH"] {
            if is_word(self.token(), clause) {
                return self.error(format!(
                    "{clause} is not offered by the local service: query each side and put the rows together"
                ));
            }
        }
        let condition = if self.keyword("WHERE") { Some(self.any()?) } else { None };
        for clause in ["ORDER", "GROUP", "OFFSET"] {
            if is_word(self.token(), clause) {
                return self.error(format!("{clause} is not part of the query language"));
            }
        }
        if *self.token() != Token::End {
            return self.error("the query should end here");
        }
        Ok(Query { select, top, source, condition })
    }

    fn select(&mut self) -> Result<Select, QueryError> {
        if self.sign("*") {
            return Ok(Select::All);
        }
        if is_word(self.token(), "COUNT") && *self.following() == Token::Sign("(") {
            self.at += 2;
            self.expect_sign(")")?;
            return Ok(Select::Count);
        }
        let mut columns: Vec<(String, Path)> = Vec::new();
        loop {
            let path = self.path()?;
            let default = path.last().cloned().or_else(|| self.alias.clone()).unwrap_or_default();
            let key = if self.keyword("AS") { self.name()? } else { default };
            columns.push((key, path));
            if columns.len() > MOST_ITEMS {
                return self.error(format!("more than {MOST_ITEMS} columns: select fewer"));
            }
            if !self.sign(",") {
                return Ok(Select::Columns(columns));
            }
        }
    }

    fn name(&mut self) -> Result<String, QueryError> {
        match self.token().clone() {
            Token::Word(name) | Token::Quoted(name) => {
                self.advance();
                Ok(name)
            }
            _ => self.error("a name was expected here"),
        }
    }

    /// Names joined by points; the alias in front is dropped.
    fn path(&mut self) -> Result<Path, QueryError> {
        if let Token::Word(word) = self.token() {
            let reserved = ["SELECT", "FROM", "WHERE", "AND", "OR", "NOT", "IN", "NIN", "AS", "TOP", "COUNT"];
            if reserved.iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
                && self.alias.as_ref() != Some(word)
            {
                return self.error(format!(
                    "'{word}' is a reserved word: write a property of this name as [[{word}]]"
                ));
            }
        }
        let mut path = vec![self.name()?];
        while self.sign(".") {
            path.push(self.name()?);
        }
        if self.alias.as_ref() == path.first() {
            path.remove(0);
        }
        Ok(path)
    }

    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, QueryError>) -> Result<T, QueryError> {
        if self.depth >= DEEPEST {
            return self.error(format!("the condition is nested more than {DEEPEST} deep: simplify it"));
        }
        self.depth += 1;
        let outcome = read(self);
        self.depth -= 1;
        outcome
    }

    fn count_logical(&mut self) -> Result<(), QueryError> {
        self.logical += 1;
        if self.logical > MOST_LOGICAL {
            self.error(format!("more than {MOST_LOGICAL} AND and OR: use IN or several queries"))
        } else {
            Ok(())
        }
    }

    fn any(&mut self) -> Result<Condition, QueryError> {
        let mut conditions = vec![self.all()?];
        while self.keyword("OR") {
            self.count_logical()?;
            conditions.push(self.all()?);
        }
        Ok(if conditions.len() == 1 { conditions.swap_remove(0) } else { Condition::Any(conditions) })
    }

    fn all(&mut self) -> Result<Condition, QueryError> {
        let mut conditions = vec![self.single()?];
        while self.keyword("AND") {
            self.count_logical()?;
            conditions.push(self.single()?);
        }
        Ok(if conditions.len() == 1 { conditions.swap_remove(0) } else { Condition::All(conditions) })
    }

    fn single(&mut self) -> Result<Condition, QueryError> {
        if self.keyword("NOT") {
            return self.nested(Self::single).map(|condition| Condition::Not(Box::new(condition)));
        }
        if self.sign("(") {
            let condition = self.nested(Self::any)?;
            self.expect_sign(")")?;
            return Ok(condition);
        }
        if let (Token::Word(word), Token::Sign("(")) = (self.token().clone(), self.following().clone()) {
            self.at += 2;
            let condition = self.function(&word.to_ascii_uppercase())?;
            self.expect_sign(")")?;
            return Ok(condition);
        }
        let left = self.operand()?;
        let negated =
            is_word(self.token(), "NIN") || (is_word(self.token(), "NOT") && is_word(self.following(), "IN"));
        if self.keyword("NIN") || (negated && self.keyword("NOT") && self.keyword("IN")) || self.keyword("IN")
        {
            return Ok(Condition::In { operand: left, list: self.literals()?, negated });
        }
        let operator = match self.token() {
            Token::Sign("=") => Operator::Equal,
            Token::Sign("!=") => Operator::NotEqual,
            Token::Sign("<") => Operator::Less,
            Token::Sign("<=") => Operator::LessOrEqual,
            Token::Sign(">") => Operator::Greater,
            Token::Sign(">=") => Operator::GreaterOrEqual,
            _ => match left {
                Operand::Path(path) => return Ok(Condition::Holds(path)),
                Operand::Literal(_) => {
                    return self.error("a comparison was expected here, as in T.temperature > 50");
                }
            },
        };
        self.advance();
        Ok(Condition::Compare { left, operator, right: self.operand()? })
    }

    fn operand(&mut self) -> Result<Operand, QueryError> {
        match self.literal() {
            Some(value) => Ok(Operand::Literal(value)),
            None => self.path().map(Operand::Path),
        }
    }

    fn literal(&mut self) -> Option<Value> {
        let value = match self.token() {
            Token::Text(text) => Value::from(text.clone()),
            Token::Number(number) => Value::Number(number.clone()),
            token if is_word(token, "true") => Value::Bool(true),
            token if is_word(token, "false") => Value::Bool(false),
            token if is_word(token, "null") => Value::Null,
            _ => return None,
        };
        self.advance();
        Some(value)
    }

    fn literals(&mut self) -> Result<Vec<Value>, QueryError> {
        self.expect_sign("[")?;
        let mut list = Vec::new();
        loop {
            let Some(value) = self.literal() else {
                return self.error("a value was expected here, as in ['a', 'b']");
            };
            list.push(value);
            if list.len() > MOST_ITEMS {
                return self.error(format!("a list holds {MOST_ITEMS} values at most: split the query"));
            }
            if !self.sign(",") {
                break;
            }
        }
        self.expect_sign("]")?;
        Ok(list)
    }

    fn function(&mut self, name: &str) -> Result<Condition, QueryError> {
        let kind = match name {
            "IS_OF_MODEL" => return self.is_of_model(),
            "STARTSWITH" | "STARTS_WITH" => return self.text_function(TextFunction::StartsWith),
            "ENDSWITH" | "ENDS_WITH" => return self.text_function(TextFunction::EndsWith),
            "CONTAINS" => return self.text_function(TextFunction::Contains),
            "ARRAY_CONTAINS" => {
                let path = self.path()?;
                self.expect_sign(",")?;
                let Some(value) = self.literal() else {
                    return self.error("ARRAY_CONTAINS takes a property and a value");
                };
                return Ok(Condition::ArrayContains { path, value });
            }
            "IS_DEFINED" => Kind::Defined,
            "IS_NULL" => Kind::Null,
            "IS_BOOL" => Kind::Bool,
            "IS_NUMBER" => Kind::Number,
            "IS_STRING" => Kind::String,
            "IS_PRIMITIVE" => Kind::Primitive,
            "IS_OBJECT" => Kind::Object,
            _ => return self.error(format!("there is no function '{name}'")),
        };
        Ok(Condition::Is { kind, path: self.path()? })
    }

    fn is_of_model(&mut self) -> Result<Condition, QueryError> {
        if matches!(self.token(), Token::Word(_)) {
            let path = self.path()?;
            if !path.is_empty() {
                return self.error("IS_OF_MODEL takes the collection's alias first, as in IS_OF_MODEL(T, 'dtmi:example:Pump;1')");
            }
            self.expect_sign(",")?;
        }
        let Token::Text(text) = self.token().clone() else {
            return self.error("IS_OF_MODEL takes the identifier of a model in quotation marks");
        };
        let Ok(model) = text.parse::<Dtmi>() else {
            return self.error(format!("'{text}' is no identifier of a model"));
        };
        self.advance();
        let exact = self.sign(",") && {
            if !self.keyword("exact") {
                return self.error("only 'exact' may stand here");
            }
            true
        };
        Ok(Condition::IsOfModel { model, exact })
    }

    fn text_function(&mut self, function: TextFunction) -> Result<Condition, QueryError> {
        let left = self.operand()?;
        self.expect_sign(",")?;
        let right = self.operand()?;
        Ok(Condition::Text { function, left, right })
    }
}
