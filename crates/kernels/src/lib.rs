//! The numeric kernels of the scorers: pure maths on plain slices, no IO, no clock, no randomness.
//!
//! The WebAssembly guests, the trainer and the built-in stand-in all run this same code, so a limit that was
//! calibrated by one holds for the others. [`baseline`] is the trained document and its validation; [`batch`] the
//! shapes that go in and come out; [`ewma`], [`mahalanobis`], [`mixture`], [`pca_t2q`] and [`range_extension`] the kernels; [`wire`] the packed buffers of
//! the scorer contract. [`model`] is what an engine of models as data has around it. [`life`] estimates remaining life with the predictors of [`forest`]. [`linear`] holds the few matrix operations that the kernels and the trainer share.
//!
//! What a kernel must not know: how a baseline is fitted, where rows come from, what an alert is.

pub mod baseline;
pub mod batch;
mod blob;
mod charts;
mod clock;
mod document;
mod drive;
pub mod ewma;
pub mod forest;
mod json;
mod lanes;
pub mod life;
pub mod linear;
pub mod mahalanobis;
pub mod mixture;
pub mod model;
pub mod pca_t2q;
pub mod range_extension;
mod regime;
mod scorer;
pub mod wire;

pub use baseline::{Baseline, BaselineError};
pub use batch::{Answer, AnswerMut, Batch, BatchError, Kernel, status};
pub use ewma::EwmaChart;
pub use life::RemainingLife;
pub use mahalanobis::SmoothedMahalanobis;
pub use mixture::GaussianMixture;
pub use model::{Engine, ModelKernel};
pub use pca_t2q::PcaT2Q;
pub use range_extension::RangeExtension;
pub use scorer::ScorerKernel;

/// Deviations that one row counts at most, in either direction.
///
/// A single absurd value (a sensor that reports 1e30 once) would otherwise rule the window for as long as it
/// stays in it. A lasting fault still reaches far above any limit: a 30-row mean of independent noise spreads
/// over 0.18 deviations, so a window at the cap stands some 50 of its own deviations out.
pub const ROW_CAP: f64 = 10.0;
