//! Where a model came from, and who is told of it.
//!
//! A [`ModelCard`] is a model's lineage: what it was made of, by which code, how good it is. It is stored beside the
//! model's document, which stays the truth: promotion is the next numbered document in the blob container.
//! [`mlflow`] tells MLflow as well, where one is configured (an Azure Machine Learning workspace speaks the same
//! REST): an outage there costs an entry in a list, never a promotion.

mod card;
pub mod mlflow;

pub use card::{MlModelFile, ModelCard};
