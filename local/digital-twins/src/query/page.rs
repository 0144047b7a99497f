//! Rows as they are found, and the place to go on from.

use std::sync::Arc;

use super::budget::{Budget, GivenUp};
use super::evaluate::Document;

/// Where a query stands: for each step that leads to a row, the names of what was chosen there. Rows come in the order
/// of these, whatever is written meanwhile, so a page begins after the last row of the one before.
pub(crate) type Position = Vec<Vec<String>>;

/// The parts of a row, by slot.
pub(crate) type Row = Vec<Option<Arc<Document>>>;

/// Rows of one page.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) rows: Vec<Row>,
    /// Number of rows, when only that was asked for.
    pub(crate) count: u64,
    /// The position of the last row, when there are more.
    pub(crate) after: Option<Position>,
    /// Twins, relationships and paths looked at.
    pub(crate) examined: u64,
}

/// What to do after a row or candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Next,
    /// There is a row that does not fit into the page.
    Full,
    /// The lock should be let go; go on from the position.
    Pause,
}

/// Takes rows up to the size of a page.
pub(crate) struct Collector {
    pub(crate) rows: Vec<Row>,
    pub(crate) count: u64,
    counting: bool,
    size: usize,
    pub(crate) budget: Budget,
    /// Of the last row of a full page.
    pub(crate) page_end: Option<Position>,
    /// Of the last candidate before a pause.
    pub(crate) resume: Option<Position>,
}

impl Collector {
    pub(crate) fn new(counting: bool, size: usize, budget: Budget) -> Self {
        Self { rows: Vec::new(), count: 0, counting, size, budget, page_end: None, resume: None }
    }

    pub(crate) fn step(&mut self) -> Result<(), GivenUp> {
        self.budget.step()
    }

    /// Takes a row; `row` and `position` are made only when they are needed.
    pub(crate) fn take(&mut self, row: impl FnOnce() -> Row, position: impl FnOnce() -> Position) -> Flow {
        if self.counting {
            self.count += 1;
            return Flow::Next;
        }
        if self.rows.len() == self.size {
            return Flow::Full;
        }
        self.rows.push(row());
        if self.rows.len() == self.size {
            self.page_end = Some(position());
        }
        Flow::Next
    }

    /// Asked after each candidate: whether to let go of the lock there.
    pub(crate) fn pause(&mut self, position: impl FnOnce() -> Position) -> Flow {
        if !self.budget.slice_is_over() {
            return Flow::Next;
        }
        self.resume = Some(position());
        Flow::Pause
    }
}
