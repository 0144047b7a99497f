//! The scorer `ewma-chart`: the kernel of the same name behind the scorer contract.

twinwright_kernels::export_scorer!(twinwright_kernels::EwmaChart);
