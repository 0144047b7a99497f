//! A component that carries a model: the engine is compiled and kept once for all its models, the model goes into the
//! baseline's document of each instance.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value};
use twinwright_model::{Carried, split};

use crate::LoadError;

/// Takes a component apart: what is compiled, and its model.
pub(crate) fn take_apart(bytes: &[u8]) -> Result<(&[u8], Option<CarriedModel>), LoadError> {
    match split(bytes).map_err(|error| wrong(&error.to_string()))? {
        Some(carried) => Ok((carried.engine, Some(CarriedModel::read(&carried)?))),
        None => Ok((bytes, None)),
    }
}

/// What the settings say of the whole, beside what the engine reads.
#[derive(Deserialize)]
struct Named {
    name: String,
    version: String,
}

/// A model, ready for documents.
pub(crate) struct CarriedModel {
    pub(crate) name: String,
    pub(crate) version: String,
    /// `{"model":{…},` – the beginning of a document that goes on with a baseline's members.
    beginning: String,
}

impl CarriedModel {
    fn read(carried: &Carried<'_>) -> Result<Self, LoadError> {
        let unread = |error: serde_json::Error| wrong(&format!("its settings: {error}"));
        let mut settings: Map<String, Value> = serde_json::from_slice(carried.settings).map_err(unread)?;
        let Named { name, version } =
            serde_json::from_value(Value::Object(settings.clone())).map_err(unread)?;
        settings.insert("bytes".to_owned(), Value::String(STANDARD.encode(carried.model)));
        let beginning = format!("{{\"model\":{},", Value::Object(settings));
        Ok(Self { name, version, beginning })
    }

    /// A baseline's document with the model in it. A document that is none is left as it is: the engine says what is
    /// wrong with it.
    pub(crate) fn with_baseline(&self, baseline: &[u8]) -> Vec<u8> {
        match baseline.trim_ascii_start().strip_prefix(b"{") {
            Some(members) => [self.beginning.as_bytes(), members].concat(),
            None => baseline.to_vec(),
        }
    }
}

fn wrong(cause: &str) -> LoadError {
    LoadError::Model { cause: crate::text::tame(cause) }
}
