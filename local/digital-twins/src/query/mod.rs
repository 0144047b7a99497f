//! The query language: text to tokens to a tree, a plan, and rows in pages.
//!
//! `parser` reads a query and binds its names; what makes no sense is refused there, with its place. `pins` finds out
//! which identifiers and models a condition allows, `scan` and `walk` use that with the index of the graph: the one for
//! a single collection, the other for JOIN and MATCH, with `trails` for several hops. `run` makes a page of it in
//! slices of some milliseconds, so that no query keeps writers out; `rows` writes the page once the lock is gone.
//!
//! Where the reference is silent, this holds: a missing property meets no comparison and is of no kind, not even null;
//! conditions are met or not, never unknown; rows come in the order of identifiers.
//!
//! Source: the reference pages "SELECT clause", "FROM clause", "JOIN clause", "MATCH clause", "WHERE clause",
//! "Functions", "Operators" and "Reserved keywords" of the Azure Digital Twins query language.

mod ast;
mod budget;
mod error;
mod evaluate;
mod lexer;
mod limits;
mod page;
mod parser;
mod pins;
mod rows;
mod run;
mod scan;
#[cfg(test)]
mod tests;
mod trails;
mod walk;

pub(crate) use ast::{Query, Select};
pub(crate) use budget::{Budget, GivenUp};
pub use error::QueryError;
pub use limits::QueryLimits;
pub(crate) use page::{Page, Position};
pub(crate) use parser::parse;
pub(crate) use rows::write_rows;
pub(crate) use run::run;
