//! The scorer `range-extension`: the kernel of the same name behind the scorer contract.

twinwright_kernels::export_scorer!(twinwright_kernels::RangeExtension);
