//! MATCH: nodes in parentheses, arrows between them.

use super::Parser;
use crate::query::ast::{Direction, Link, Slot, Source};
use crate::query::error::QueryError;
use crate::query::lexer::Token;

const EXAMPLE: &str = "MATCH (a)-[:contains]->(b)";

impl Parser<'_> {
    pub(super) fn pattern(&mut self) -> Result<(), QueryError> {
        let named = self.slots.drain(..).next().and_then(|slot| slot.name);
        let place = self.place();
        let mut from = self.node()?;
        let mut left = self.limits.hops();
        while matches!(self.token(), Token::Sign("<" | "-")) {
            from = self.arrow(from, &mut left)?;
        }
        if let Some(name) = named.filter(|name| self.slot_named(name).is_none()) {
            return Err(place.error(format!(
                "the collection '{name}' does not occur in MATCH: name it there, as in ({name})-[]->(other)"
            )));
        }
        Ok(())
    }

    fn node(&mut self) -> Result<usize, QueryError> {
        self.expect_sign("(", EXAMPLE)?;
        let place = self.place();
        let name = match self.token() {
            Token::Sign(")") => None,
            _ => Some(self.name("a collection of twins")?),
        };
        self.expect_sign(")", EXAMPLE)?;
        // A name that comes again means the same twin again.
        match name.as_deref().and_then(|name| self.slot_named(name)) {
            Some(slot) if self.slots[slot].source == Source::Twins => Ok(slot),
            _ => self.add_slot(name, Source::Twins, place),
        }
    }

    fn arrow(&mut self, from: usize, left: &mut usize) -> Result<usize, QueryError> {
        let backward = self.sign("<");
        self.expect_sign("-", EXAMPLE)?;
        if !self.sign("[") {
            return self.error(format!("'[' was expected here, also when nothing is asked of a relationship, as in (a)-[]->(b) or {EXAMPLE}"));
        }
        let place = self.place();
        let variable = match self.token() {
            Token::Word(_) | Token::Quoted(_) => Some(self.name("the relationship")?),
            _ => None,
        };
        let names = self.names()?;
        let at_hops = self.place();
        let hops = self.hops()?;
        self.expect_sign("]", EXAMPLE)?;
        self.expect_sign("-", EXAMPLE)?;
        let forward = self.sign(">");
        let direction = match (backward, forward) {
            (true, true) => {
                return Err(
                    place.error("an arrow has one head: use -[]- for either direction, or two arrows")
                );
            }
            (true, false) => Direction::Backward,
            (false, true) => Direction::Forward,
            (false, false) => Direction::Either,
        };
        if hops.1 > *left {
            return Err(
                at_hops.error(format!("more than {} hops in one query: ask for fewer", self.limits.hops()))
            );
        }
        *left -= hops.1;
        if let Some(name) = variable.as_deref().filter(|_| hops != (1, 1)) {
            return Err(place.error(format!(
                "'{name}' would stand for several relationships: remove the name, or ask for one hop"
            )));
        }
        let relationship = match hops {
            (1, 1) => Some(self.add_slot(variable, Source::Relationships, place)?),
            _ => None,
        };
        let to = self.node()?;
        self.links.push(Link { from, to, relationship, direction, names, hops });
        Ok(to)
    }

    /// `:a|b`
    fn names(&mut self) -> Result<Vec<String>, QueryError> {
        if *self.token() == Token::Sign("|") {
            return self.error("names of relationships begin with a colon, as in [:contains|feeds]");
        }
        let mut names = Vec::new();
        if self.sign(":") {
            names.push(self.name("a relationship")?);
            while self.sign("|") {
                names.push(self.name("a relationship")?);
            }
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    /// `*n`, `*m..n`, `*..n`: the first bound of a range is not part of it, the last one is.
    fn hops(&mut self) -> Result<(usize, usize), QueryError> {
        if !self.sign("*") {
            return Ok((1, 1));
        }
        let place = self.place();
        let first = self.hop_count()?;
        let range = self.sign(".");
        if range {
            self.expect_sign(".", "[*1..3]")?;
        }
        let hops = match (first, range) {
            (Some(first), false) => (first, first),
            (None, false) => return self.error("a number of hops was expected here, as in [*3] or [*1..3]"),
            (first, true) => {
                let Some(last) = self.hop_count()? else {
                    return self.error("a range of hops needs an end, as in [*..3] or [*1..3]");
                };
                // One above the limit is refused by the caller, who knows how many are left.
                (first.map_or(1, |first| first.saturating_add(1)), last)
            }
        };
        if hops.1 == 0 || hops.0 == 0 || hops.0 > hops.1 {
            return Err(place.error(
                "the range of hops is empty: its first number is not part of it, its last is, and none may be 0",
            ));
        }
        Ok(hops)
    }

    fn hop_count(&mut self) -> Result<Option<usize>, QueryError> {
        let Token::Number(number) = self.token() else { return Ok(None) };
        let Some(count) = number.as_u64() else {
            return self.error("a number of hops is a whole number above 0");
        };
        self.advance();
        Ok(Some(usize::try_from(count).unwrap_or(usize::MAX)))
    }
}

/// So that a slot can be told from its source alone.
impl Slot {
    pub(crate) fn is_twin(&self) -> bool {
        self.source == Source::Twins
    }
}
