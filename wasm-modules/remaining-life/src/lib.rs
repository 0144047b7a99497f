//! The scorer `remaining-life`: the kernel of the same name behind the scorer contract.
//!
//! Its baseline is a model of remaining life. Its score is `limit / what remains`, so whoever knows the model's limit
//! has the estimate.

twinwright_kernels::export_scorer!(twinwright_kernels::RemainingLife);
