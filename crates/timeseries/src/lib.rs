//! The query API of Time Series Insights Gen2 (2020-07-31) without its service: shapes of requests and answers, the
//! expression language, variables, interpolation, the time series model and its search. Pure: events come in, pages go
//! out; who reads them from where is the caller's.
//!
//! | Module | What it is |
//! |---|---|
//! | [`tsx`] | expressions: `avg($value)`, `$event.speed.Double > 5` |
//! | [`interval`] | ISO 8601 durations, and equal buckets over a span |
//! | [`request`] | what a client asks |
//! | [`variable`] | numeric, categorical and aggregate variables, checked |
//! | [`aggregate`] | `aggregateSeries`: events into buckets as they come |
//! | [`project`] | `getEvents` and `getSeries`: events as columns, page by page |
//! | [`page`] | what a client gets |
//! | [`model`], [`search`] | instances, types, hierarchies; finding them |

pub mod aggregate;
mod error;
mod events;
pub mod interval;
pub mod model;
pub mod page;
pub mod project;
pub mod request;
pub mod search;
mod token;
pub mod tsx;
mod value;
pub mod variable;
mod weighted;

pub use error::QueryError;
pub use events::{Column, Events};
pub use value::{Value, ValueType};
