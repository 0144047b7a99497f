//! A scorer that is a model: its engine's component with the model at the end.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::modules::Manifest;
use crate::{BuildError, component};

/// The model of a folder.
pub(crate) const MODEL: &str = "model.onnx";
/// How its answers are read.
const SETTINGS: &str = "model.json";

/// Puts the folder's model at the end of its engine.
pub(crate) fn build(
    folder: &Path,
    manifest: &Manifest,
    engines: &[PathBuf],
    out: &Path,
) -> Result<String, BuildError> {
    let path = folder.join(SETTINGS);
    let wrong = |cause: String| BuildError::Manifest { path: path.clone(), cause };
    let file = |path: &Path| {
        let path = path.to_owned();
        move |cause| BuildError::File { path, cause }
    };
    let text = fs::read(&path).map_err(file(&path))?;
    let mut settings: Map<String, Value> =
        serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
    let Some(Value::String(engine)) = settings.remove("engine") else {
        return Err(wrong("write \"engine\": \"onnx\" or \"tree-ensemble\"".to_owned()));
    };
    if !engine.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') {
        return Err(wrong(format!("{engine:?} names no engine; write onnx or tree-ensemble")));
    }
    settings.insert("name".to_owned(), Value::String(manifest.name.clone()));
    settings.insert("version".to_owned(), Value::String(manifest.version.clone()));
    let name = format!("{engine}.wasm");
    let found = engines.iter().map(|folder| folder.join(&name)).find(|path| path.is_file());
    let found = found.ok_or_else(|| BuildError::Missing {
        program: format!("the engine {engine}"),
        install:
            "`cargo xtask engines` in Twinwright's own folder makes it; or name its folder with --engines"
                .to_owned(),
    })?;
    let model = folder.join(MODEL);
    let model = fs::read(&model).map_err(file(&model))?;
    let bytes = fs::read(&found).map_err(file(&found))?;
    let settings = Value::Object(settings).to_string();
    let bytes = twinwright_model::attach(&bytes, settings.as_bytes(), &model)
        .map_err(|error| BuildError::Component { name: manifest.name.clone(), cause: error.to_string() })?;
    component::replace(out, &bytes).map_err(file(out))?;
    Ok(format!("the engine {engine} and {MODEL}"))
}
