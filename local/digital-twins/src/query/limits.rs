//! What a query may ask for.

use std::time::Duration;

/// Joins beyond which the limit cannot be raised: the parts of a row are told apart by one bit each.
const MOST_JOINS: usize = 20;
/// Hops beyond which the limit cannot be raised: the work of one hop grows with their number.
const MOST_HOPS: usize = 10;

/// Limits of queries. The defaults are those of "Azure Digital Twins service limits" and of the language's reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryLimits {
    /// Characters of a query.
    pub characters: usize,
    /// AND and OR, taken together.
    pub logical_operators: usize,
    /// Values in one list of IN or NIN.
    pub list_items: usize,
    /// JOINs of a query; 20 at most.
    pub joins: usize,
    /// Hops of a MATCH, taken together; 10 at most.
    pub hops: usize,
    /// Rows of a page when the client does not say.
    pub default_page: usize,
    /// Rows of a page at most.
    pub largest_page: usize,
    /// Time after which a query is given up with `TimeoutError`.
    pub timeout: Duration,
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self {
            characters: 8000,
            logical_operators: 50,
            list_items: 50,
            joins: 5,
            hops: 10,
            default_page: 100,
            largest_page: 1000,
            timeout: Duration::from_secs(60),
        }
    }
}

impl QueryLimits {
    pub(crate) fn joins(&self) -> usize {
        self.joins.min(MOST_JOINS)
    }

    pub(crate) fn hops(&self) -> usize {
        self.hops.min(MOST_HOPS)
    }
}
