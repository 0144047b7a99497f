//! The query language: text to tokens to a tree to rows.
//!
//! Source: the reference pages "SELECT clause", "FROM clause", "WHERE", "functions" and "operators" of the Azure
//! Digital Twins query language. JOIN and MATCH are refused by name.

mod ast;
mod evaluate;
mod lexer;
mod parser;
#[cfg(test)]
mod tests;

pub(crate) use ast::{Query, Select, Source};
pub(crate) use evaluate::{Row, matches, project};
pub use lexer::QueryError;
pub(crate) use parser::parse;
