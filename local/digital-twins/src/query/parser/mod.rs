//! Tokens to a tree. FROM is read before the names of SELECT are looked up, so each name is bound once, in place.

mod condition;
mod from;
mod pattern;
mod select;
mod test;

use super::ast::{Link, ModelTest, Path, Query, Select, Slot, Source};
use super::error::{Place, QueryError};
use super::lexer::{Placed, Token, lex};
use super::limits::QueryLimits;
use super::pins;

/// Words that must stand in double brackets to be names ("Reserved keywords").
const RESERVED: [&str; 37] = [
    "ALL",
    "AND",
    "AS",
    "ASC",
    "AVG",
    "BY",
    "COUNT",
    "DESC",
    "DEVICES_JOBS",
    "DEVICES_MODULES",
    "DEVICES",
    "ENDS_WITH",
    "FALSE",
    "FROM",
    "GROUP",
    "IN",
    "IS_BOOL",
    "IS_DEFINED",
    "IS_NULL",
    "IS_NUMBER",
    "IS_OBJECT",
    "IS_PRIMITIVE",
    "IS_STRING",
    "MAX",
    "MIN",
    "NOT",
    "NOT_IN",
    "NULL",
    "OR",
    "ORDER",
    "SELECT",
    "STARTS_WITH",
    "SUM",
    "TOP",
    "TRUE",
    "WHERE",
    "IS_OF_MODEL",
];

struct Parser<'l> {
    tokens: Vec<Placed>,
    at: usize,
    limits: &'l QueryLimits,
    slots: Vec<Slot>,
    links: Vec<Link>,
    models: Vec<ModelTest>,
    logical: usize,
}

/// Parses a query and checks that it makes sense.
pub(crate) fn parse(text: &str, limits: &QueryLimits) -> Result<Query, QueryError> {
    let characters = text.chars().count();
    if characters > limits.characters {
        let place = Place { line: 1, position: 1 };
        return Err(place.error(format!(
            "the query has {characters} characters, more than the {} that are taken: shorten it or split it",
            limits.characters
        )));
    }
    let tokens = lex(text)?;
    let mut parser = Parser {
        tokens,
        at: 0,
        limits,
        slots: Vec::new(),
        links: Vec::new(),
        models: Vec::new(),
        logical: 0,
    };
    parser.query()
}

fn is_word(token: &Token, keyword: &str) -> bool {
    matches!(token, Token::Word(word) if word.eq_ignore_ascii_case(keyword))
}

fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
}

fn begins_clause(token: &Token) -> bool {
    ["WHERE", "JOIN", "MATCH", "RELATED"].iter().any(|keyword| is_word(token, keyword))
}

impl Parser<'_> {
    fn query(&mut self) -> Result<Query, QueryError> {
        if !self.keyword("SELECT") {
            return self.error("a query begins with SELECT, as in SELECT * FROM DIGITALTWINS");
        }
        let start = self.place();
        let (top, select) = self.select()?;
        let source = self.from()?;
        let distinct = self.links_of_from(source)?;
        let condition = if self.keyword("WHERE") { Some(self.condition()?) } else { None };
        self.end()?;
        let select = self.bind_select(select, start)?;
        let query = Query {
            select,
            top,
            source,
            slots: std::mem::take(&mut self.slots),
            links: std::mem::take(&mut self.links),
            distinct: distinct.is_some(),
            condition,
            models: std::mem::take(&mut self.models),
        };
        let graph_clause = if distinct.is_some() { "MATCH" } else { "JOIN" };
        if (distinct.is_some() || !query.links.is_empty()) && !pins::any(&query) {
            return self.error(format!(
                "a query with {graph_clause} must say in WHERE which twin it begins at, apart from any OR and NOT: \
                 add X.$dtId = '…' or X.$dtId IN […] for one of its collections"
            ));
        }
        if !query.links.is_empty() && query.select == Select::All {
            return Err(start.error(format!(
                "* cannot be selected together with {graph_clause}: name the collections that are wanted"
            )));
        }
        Ok(query)
    }

    fn end(&self) -> Result<(), QueryError> {
        if *self.token() == Token::End {
            return Ok(());
        }
        for clause in ["ORDER", "GROUP", "OFFSET", "LIMIT", "HAVING", "UNION"] {
            if is_word(self.token(), clause) {
                return self.error(format!(
                    "{clause} is not part of the query language: do that with the rows in the client"
                ));
            }
        }
        self.error("the query should end here: join conditions with AND or OR, and remove what does not belong to it")
    }

    fn token(&self) -> &Token {
        &self.tokens[self.at].token
    }

    fn following(&self) -> &Token {
        &self.tokens[(self.at + 1).min(self.tokens.len() - 1)].token
    }

    fn place(&self) -> Place {
        self.tokens[self.at].place
    }

    fn advance(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len() - 1);
    }

    fn error<T>(&self, message: impl Into<String>) -> Result<T, QueryError> {
        Err(self.place().error(message))
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

    fn expect_sign(&mut self, sign: &str, example: &str) -> Result<(), QueryError> {
        if self.sign(sign) {
            return Ok(());
        }
        self.error(format!("'{sign}' was expected here, as in {example}"))
    }

    /// One name. `what` says what it would name.
    fn name(&mut self, what: &str) -> Result<String, QueryError> {
        let name = match self.token() {
            Token::Word(word) if is_reserved(word) => {
                return self
                    .error(format!("'{word}' is a reserved word: write the name of {what} as [[{word}]]"));
            }
            Token::Word(name) | Token::Quoted(name) => name.clone(),
            Token::Number(number) => {
                return self.error(format!(
                    "the name of {what} was expected here: one that begins with a digit is written as [[{number}]]"
                ));
            }
            _ => return self.error(format!("the name of {what} was expected here")),
        };
        self.advance();
        Ok(name)
    }

    /// Names joined by points, not yet bound.
    fn raw_path(&mut self) -> Result<Path, QueryError> {
        let place = self.place();
        let mut names = vec![self.name("a collection or property")?];
        while self.sign(".") {
            names.push(self.name("a property")?);
        }
        if *self.token() == Token::Sign("[") {
            return self.error(
                "elements of arrays cannot be reached one by one: ask ARRAY_CONTAINS(property, value)",
            );
        }
        Ok(Path { slot: 0, names, place })
    }

    /// A property, as conditions ask for.
    fn path(&mut self) -> Result<Path, QueryError> {
        let path = self.raw_path()?;
        let name = path.names.join(".");
        let path = self.bind(path)?;
        if path.names.is_empty() {
            return Err(path.place.error(format!(
                "'{name}' is a collection: ask for one of its properties, as in {name}.name"
            )));
        }
        Ok(path)
    }

    /// Gives a path the part of the row that it begins at.
    fn bind(&self, mut path: Path) -> Result<Path, QueryError> {
        let first = path.names.first().map_or("", String::as_str);
        if let Some(slot) = self.slot_named(first) {
            path.slot = slot;
            path.names.remove(0);
            return Ok(path);
        }
        if self.slots.len() == 1 {
            return Ok(path);
        }
        Err(path.place.error(self.unknown_collection(first)))
    }

    fn slot_named(&self, name: &str) -> Option<usize> {
        self.slots.iter().position(|slot| slot.name.as_deref() == Some(name))
    }

    fn unknown_collection(&self, name: &str) -> String {
        let known: Vec<&str> = self.slots.iter().filter_map(|slot| slot.name.as_deref()).collect();
        let near = known.iter().find(|known| known.eq_ignore_ascii_case(name));
        match near {
            Some(near) => {
                format!("there is no collection '{name}': names are case-sensitive, write '{near}'")
            }
            None => format!(
                "there is no collection '{name}': put one of {} in front of the property",
                known.join(", ")
            ),
        }
    }

    fn add_slot(&mut self, name: Option<String>, source: Source, place: Place) -> Result<usize, QueryError> {
        if let Some(name) = name.as_deref().filter(|name| self.slot_named(name).is_some()) {
            return Err(place.error(format!("the name '{name}' is taken: choose another")));
        }
        self.slots.push(Slot { name, source });
        Ok(self.slots.len() - 1)
    }
}
