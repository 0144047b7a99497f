//! SELECT: TOP, columns, COUNT.

use std::collections::HashSet;

use super::{Parser, is_word};
use crate::query::ast::{Path, Select};
use crate::query::error::{Place, QueryError};
use crate::query::lexer::Token;

/// Columns of one query. The service names no limit; its longest query has room for no more.
const MOST_COLUMNS: usize = 4000;

/// What stands after SELECT, before FROM told what the names mean.
pub(super) enum Raw {
    All,
    Count,
    Columns(Vec<(Option<String>, Path)>),
}

impl Parser<'_> {
    pub(super) fn select(&mut self) -> Result<(Option<u64>, Raw), QueryError> {
        let top = self.top()?;
        if top.is_some() && is_word(self.token(), "FROM") {
            return Ok((top, Raw::All));
        }
        if self.sign("*") {
            if *self.token() == Token::Sign(",") {
                return self.error("* stands alone: remove it or the other columns");
            }
            return Ok((top, Raw::All));
        }
        if is_word(self.token(), "COUNT") && *self.following() == Token::Sign("(") {
            if top.is_some() {
                return self.error("COUNT() gives one row: remove TOP");
            }
            self.advance();
            self.advance();
            self.expect_sign(")", "COUNT()")?;
            return Ok((None, Raw::Count));
        }
        for function in ["AVG", "MIN", "MAX", "SUM"] {
            if is_word(self.token(), function) && *self.following() == Token::Sign("(") {
                return self
                    .error(format!("{function} is not offered by the query language: only COUNT() is"));
            }
        }
        Ok((top, Raw::Columns(self.columns()?)))
    }

    fn top(&mut self) -> Result<Option<u64>, QueryError> {
        if !is_word(self.token(), "TOP") || *self.following() != Token::Sign("(") {
            return Ok(None);
        }
        self.advance();
        self.advance();
        let top = match self.token() {
            Token::Number(number) => number.as_u64(),
            _ => None,
        };
        let Some(top) = top else {
            return self.error("TOP takes a whole number from 0, as in TOP(10)");
        };
        self.advance();
        self.expect_sign(")", "TOP(10)")?;
        Ok(Some(top))
    }

    fn columns(&mut self) -> Result<Vec<(Option<String>, Path)>, QueryError> {
        let mut columns = Vec::new();
        loop {
            let path = self.raw_path()?;
            if *self.token() == Token::Sign("(") {
                return self.error("functions cannot be selected: use them in WHERE");
            }
            let key = if self.keyword("AS") { Some(self.name("the column")?) } else { None };
            columns.push((key, path));
            if columns.len() > MOST_COLUMNS {
                return self.error(format!("more than {MOST_COLUMNS} columns: select fewer"));
            }
            if !self.sign(",") {
                break;
            }
        }
        if !is_word(self.token(), "FROM") {
            return self.error(
                "FROM or a comma was expected here, as in SELECT T.name, T.speed FROM DIGITALTWINS T",
            );
        }
        Ok(columns)
    }

    pub(super) fn bind_select(&self, raw: Raw, place: Place) -> Result<Select, QueryError> {
        let raw = match raw {
            Raw::All => return Ok(Select::All),
            Raw::Count => return Ok(Select::Count),
            Raw::Columns(raw) => raw,
        };
        let mut keys = HashSet::new();
        let mut columns = Vec::with_capacity(raw.len());
        for (key, path) in raw {
            // Unless it says otherwise, a column is called by the last of its names.
            let key = key.or_else(|| path.names.last().cloned()).unwrap_or_default();
            if !keys.insert(key.clone()) {
                return Err(place.error(format!(
                    "two columns are called '{key}': give one of them another name, as in A.{key} AS other"
                )));
            }
            columns.push((key, self.bind(path)?));
        }
        Ok(Select::Columns(columns))
    }
}
