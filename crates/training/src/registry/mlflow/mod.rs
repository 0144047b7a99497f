//! MLflow by REST: experiments, runs, metrics, registered models, aliases.
//!
//! Speaks to `mlflow server` and to an Azure Machine Learning workspace (its `azureml://` tracking address). What Azure
//! does not serve has a way around: aliases become a version's tag, files are uploaded only where the server offers
//! to store them. [`Mlflow::publish`] may be repeated: a version that is there already is found by its document's
//! hash. Source: MLflow's REST API reference; Microsoft's page "Using MLflow REST with Azure ML".

mod client;
mod publish;

pub use client::{Mlflow, MlflowError, MlflowOptions};
pub use publish::Published;
