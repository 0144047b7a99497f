//! Tree ensembles as tables: [`TreeEnsemble`] of `TreeEnsembleRegressor` and `TreeEnsembleClassifier`, versions 1 to 3
//! of `ai.onnx.ml` without the tensors of doubles. `read` checks, `table` holds and walks.

mod read;
mod table;

pub use read::{MAX_DEPTH, MAX_FEATURES, MAX_NODES, MAX_OUTPUTS};
pub use table::TreeEnsemble;
