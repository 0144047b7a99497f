//! Models as data: what a scorer's engine reads beside its code.
//!
//! [`Carried`] is a model at the end of an engine's component: one file that is signed, published and swapped as any
//! scorer, while the engine in it is compiled once for all its models. [`Model::read`] takes the bytes of an `.onnx`
//! file and gives its operators with their attributes; [`TreeEnsemble`] makes one operator of trees into a table whose
//! links are checked once, so that walking it can neither loop nor leave the table. No dependencies, so a WebAssembly
//! guest can use it as it is. It knows nothing of scores.

mod carried;
mod error;
mod onnx;
mod trees;
mod wire;

pub use carried::{Carried, attach, split};
pub use error::ModelError;
pub use onnx::{Attribute, Input, MAX_BYTES, MAX_OPERATORS, Model, Operator};
pub use trees::{MAX_DEPTH, MAX_FEATURES, MAX_NODES, MAX_OUTPUTS, TreeEnsemble};
