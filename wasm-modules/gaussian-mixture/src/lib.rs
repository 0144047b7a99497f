//! The scorer `gaussian-mixture`: the kernel of the same name behind the scorer contract.

twinwright_kernels::export_scorer!(twinwright_kernels::GaussianMixture);
