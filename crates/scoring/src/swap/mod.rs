//! From a published version to the one that serves: the decisions, as pure code.
//!
//! [`Standing`] says what holds for an equipment model: which release is promoted and which one is on trial; its
//! methods are all the ways it can change. [`Trial`] runs the version on trial beside the one that serves, and gathers
//! [`Evidence`]; [`judge`] turns evidence into a [`Verdict`] by a [`SwapPolicy`]. Who stores standings and loads
//! components is the caller's affair: nothing here does IO or asks a clock, so that every instance that reads the same
//! documents comes to the same standing.
//!
//! ```text
//! begin ──▶ shadow ──▶ canary ──▶ probation ──▶ settled
//!             │          │            │
//!             └──────────┴────────────┴──▶ rolled back, and in quarantine for a while
//! ```

mod evidence;
mod policy;
mod share;
mod standing;
mod statistics;
mod trial;
mod verdict;

pub use evidence::{Evidence, Failure, Side};
pub use policy::SwapPolicy;
pub use share::in_share;
pub use standing::{Candidate, Quarantined, Release, Stage, Standing, SwapError};
pub use statistics::{Histogram, kolmogorov_smirnov, population_stability};
pub use trial::{Role, Trial, TrialRecord};
pub use verdict::{Reason, Verdict, judge};
