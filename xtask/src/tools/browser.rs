//! A browser that a test can drive.

use std::path::PathBuf;

use super::{Found, apt};
use crate::process::on_path;

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// That of `CHROMIUM`, or one on the path, or the distribution's.
pub(crate) fn install() -> Found {
    if let Some(path) = std::env::var_os("CHROMIUM") {
        let path = PathBuf::from(path);
        return if path.is_file() {
            Ok(path)
        } else {
            Err(format!("CHROMIUM names no file: {}", path.display()))
        };
    }
    if let Some(path) = find() {
        return Ok(path);
    }
    apt::install(&["chromium"], "the dashboard's test looks at the page in a real browser")?;
    find().ok_or_else(|| "chromium was installed and is not on the path".to_owned())
}

fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let name = NAMES.into_iter().find(|name| on_path(name))?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file())
}
