//! AND, OR, NOT and parentheses, without recursion: a query of nothing but parentheses must not use up the stack.
//!
//! NOT is pushed down to the leaves while they are read. A condition is either met or not, never unknown, so that
//! changes no answer, and the depth of the tree is bounded by the number of AND and OR.

use super::{Parser, is_word};
use crate::query::ast::Condition;
use crate::query::error::{Place, QueryError};
use crate::query::lexer::Token;

/// What stands between two parentheses: alternatives (OR) of conditions that must all hold (AND).
struct Frame {
    opened: Place,
    negated: bool,
    alternatives: Vec<Vec<Condition>>,
}

impl Frame {
    fn new(opened: Place, negated: bool) -> Self {
        Self { opened, negated, alternatives: vec![Vec::new()] }
    }

    fn push(&mut self, condition: Condition) {
        if let Some(last) = self.alternatives.last_mut() {
            last.push(condition);
        }
    }

    /// De Morgan: what is negated swaps AND and OR. The leaves are negated already.
    fn close(self) -> Condition {
        let negated = self.negated;
        let inner = self.alternatives.into_iter().map(|list| join(list, !negated)).collect();
        join(inner, negated)
    }
}

/// Conditions under one AND (`all`) or OR, which swallows others of its kind.
fn join(list: Vec<Condition>, all: bool) -> Condition {
    let mut flat = Vec::with_capacity(list.len());
    for condition in list {
        match condition {
            Condition::All(inner) if all => flat.extend(inner),
            Condition::Any(inner) if !all => flat.extend(inner),
            other => flat.push(other),
        }
    }
    if flat.len() == 1 {
        return flat.swap_remove(0);
    }
    if all { Condition::All(flat) } else { Condition::Any(flat) }
}

impl Parser<'_> {
    pub(super) fn condition(&mut self) -> Result<Condition, QueryError> {
        let mut frames: Vec<Frame> = Vec::new();
        let mut frame = Frame::new(self.place(), false);
        loop {
            let mut negated = frame.negated;
            while self.keyword("NOT") {
                negated = !negated;
            }
            let opened = self.place();
            if self.sign("(") {
                frames.push(std::mem::replace(&mut frame, Frame::new(opened, negated)));
                continue;
            }
            let test = self.test()?;
            frame.push(Condition::Test { test, negated });
            while self.sign(")") {
                let Some(outer) = frames.pop() else {
                    self.at -= 1;
                    return self.error("this ')' closes nothing: remove it");
                };
                let inner = std::mem::replace(&mut frame, outer).close();
                frame.push(inner);
            }
            if is_word(self.token(), "AND") {
                self.count_logical()?;
            } else if is_word(self.token(), "OR") {
                self.count_logical()?;
                frame.alternatives.push(Vec::new());
            } else if frames.is_empty() {
                return Ok(frame.close());
            } else if *self.token() == Token::End {
                return Err(frame.opened.error("this '(' is not closed: add ')'"));
            } else {
                return self.error("AND, OR or ')' was expected here");
            }
            self.advance();
        }
    }

    fn count_logical(&mut self) -> Result<(), QueryError> {
        self.logical += 1;
        if self.logical > self.limits.logical_operators {
            return self.error(format!(
                "more than {} AND and OR: split the query, or ask with IN for several values",
                self.limits.logical_operators
            ));
        }
        Ok(())
    }
}
