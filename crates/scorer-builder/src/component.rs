//! From core module to component.

use std::io;
use std::path::Path;

use wit_component::ComponentEncoder;

use crate::BuildError;

/// Encodes and validates; the contract travels in a section of the core module.
pub(crate) fn encode(name: &str, core_module: &Path) -> Result<Vec<u8>, BuildError> {
    let bytes = std::fs::read(core_module)
        .map_err(|cause| BuildError::File { path: core_module.to_owned(), cause })?;
    ComponentEncoder::default()
        .validate(true)
        .module(&bytes)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| BuildError::Component { name: name.to_owned(), cause: format!("{error:#}") })
}

/// Writes whole or not at all, and not where nothing changed: a running host watches these files.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if std::fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let temporary = path.with_extension(format!("{}.new", std::process::id()));
    std::fs::write(&temporary, bytes)?;
    std::fs::rename(&temporary, path)
}
