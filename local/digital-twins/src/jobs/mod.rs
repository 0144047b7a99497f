//! Jobs: bulk imports from a blob, and the deletion of everything.
//!
//! A job is a record in the database that clients poll, and a task that works on it. One job runs at a time. An import
//! reads its input line by line, writes in chunks that are durable each, and is not atomic, as on Azure; what was
//! refused is in the output log, line by line. A job that a kill interrupted is `failed` after the restart, and can be
//! run again: what it did is done once more, with the same outcome.
//!
//! Source: the Jobs API of the data plane REST API, and "Bulk import with the Jobs API".

mod blob;
mod deletion;
mod format;
mod import;
mod job;
mod output;
mod place;
mod runner;
mod shared_key;

pub(crate) use deletion::run as run_deletion;
pub(crate) use import::run as run_import;
pub(crate) use job::{Job, JobKind, JobStatus, check_job_id};
pub use place::{BlobAccount, JobSettings};
pub(crate) use place::{Place, Places};
pub(crate) use runner::Runner;
