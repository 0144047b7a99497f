//! FROM and JOIN.

use super::{Parser, begins_clause, is_word};
use crate::query::ast::{Direction, Link, Slot, Source};
use crate::query::error::QueryError;
use crate::query::lexer::Token;

const JOIN_EXAMPLE: &str = "JOIN B RELATED A.contains";

impl Parser<'_> {
    pub(super) fn from(&mut self) -> Result<Source, QueryError> {
        if !self.keyword("FROM") {
            return self.error("FROM was expected here, as in SELECT * FROM DIGITALTWINS");
        }
        let source = if self.keyword("DIGITALTWINS") {
            Source::Twins
        } else if self.keyword("RELATIONSHIPS") {
            Source::Relationships
        } else if *self.token() == Token::Sign("(") {
            return self.error("queries inside queries are not offered: run one after the other");
        } else {
            return self.error("FROM takes DIGITALTWINS or RELATIONSHIPS");
        };
        let name = self.optional_name()?;
        if *self.token() == Token::Sign(",") {
            return self.error("FROM takes one collection: join others to it with JOIN … RELATED");
        }
        self.slots = vec![Slot { name, source }];
        Ok(source)
    }

    fn optional_name(&mut self) -> Result<Option<String>, QueryError> {
        match self.token() {
            token if begins_clause(token) => Ok(None),
            token if ["ORDER", "GROUP", "OFFSET", "LIMIT"].iter().any(|word| is_word(token, word)) => {
                Ok(None)
            }
            Token::Word(_) | Token::Quoted(_) => self.name("the collection").map(Some),
            _ => Ok(None),
        }
    }

    /// JOIN or MATCH, if there is one. Something for MATCH.
    pub(super) fn links_of_from(&mut self, source: Source) -> Result<Option<()>, QueryError> {
        for clause in ["JOIN", "MATCH"] {
            if is_word(self.token(), clause) && source == Source::Relationships {
                return self.error(format!("{clause} goes with DIGITALTWINS, not with RELATIONSHIPS"));
            }
        }
        if self.keyword("MATCH") {
            self.pattern()?;
            for clause in ["JOIN", "MATCH"] {
                if is_word(self.token(), clause) {
                    return self.error(format!(
                        "{clause} cannot follow a MATCH, of which a query has one: lengthen its chain"
                    ));
                }
            }
            return Ok(Some(()));
        }
        while is_word(self.token(), "JOIN") {
            self.join()?;
        }
        if is_word(self.token(), "MATCH") {
            return self.error("MATCH cannot follow a JOIN: write the whole path as one of them");
        }
        if is_word(self.token(), "RELATED") {
            return self.error(format!("RELATED follows JOIN, as in {JOIN_EXAMPLE}"));
        }
        Ok(None)
    }

    fn join(&mut self) -> Result<(), QueryError> {
        if self.links.len() == self.limits.joins() {
            return self.error(format!("more than {} JOINs: split the query", self.limits.joins()));
        }
        self.advance();
        let place = self.place();
        let target = self.name("the joined collection")?;
        if !self.keyword("RELATED") {
            return self.error(format!("RELATED was expected here, as in {JOIN_EXAMPLE}"));
        }
        let path = self.raw_path()?;
        let [from, relationship] = path.names.as_slice() else {
            return Err(path.place.error(format!(
                "RELATED takes a collection and the name of a relationship, as in {JOIN_EXAMPLE}"
            )));
        };
        let Some(from) = self.slot_named(from) else {
            let known = self.slots.iter().any(|slot| slot.name.is_some());
            return Err(path.place.error(if known {
                self.unknown_collection(from)
            } else {
                format!("there is no collection '{from}': name it, as in FROM DIGITALTWINS {from}")
            }));
        };
        if self.slots[from].source == Source::Relationships {
            return Err(path.place.error("relationships begin at twins: name a collection of twins here"));
        }
        let names = vec![relationship.clone()];
        let to = self.add_slot(Some(target), Source::Twins, place)?;
        let place = self.place();
        let name = self.optional_name()?;
        let relationship = self.add_slot(name, Source::Relationships, place)?;
        self.links.push(Link {
            from,
            to,
            relationship: Some(relationship),
            direction: Direction::Forward,
            names,
            hops: (1, 1),
        });
        Ok(())
    }
}
