//! Tests against graphs in memory, without HTTP.

mod documented;
mod errors;
mod graphs;
mod hostile;
mod naive;
mod paging;
mod reference;
