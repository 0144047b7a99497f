//! What tests need beside Rust: installed once, into a cache, with a word about why.
//!
//! Everything lives in `~/.cache/twinwright` (or below `XDG_CACHE_HOME`), in folders named by the hash of what was
//! asked for, so that a changed requirement makes a new folder. What cannot be installed is named, with what goes
//! untested because of it; nothing here makes a build fail.

pub(crate) mod apt;
pub(crate) mod browser;
pub(crate) mod node;
pub(crate) mod python;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::workspace::Workspace;

/// A tool's place, or why it is not there.
type Found = Result<PathBuf, String>;

/// All of them.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    /// Python with Microsoft's SDKs.
    pub(crate) python_sdk: Found,
    /// Python with what other people open history with.
    pub(crate) python_history: Found,
    /// Python with the compilers of scorers in Python and C.
    pub(crate) python_scorers: Found,
    /// Python with the Bicep parser and linter.
    pub(crate) python_infra: Found,
    /// Python with the MLflow server.
    pub(crate) python_mlflow: Found,
    /// A folder with npm's packages, runnable as Azurite.
    pub(crate) npm: Found,
    /// Chromium.
    pub(crate) browser: Found,
}

impl Tools {
    /// Finds or installs all.
    pub(crate) fn ensure(workspace: &Workspace) -> Self {
        let root = &workspace.root;
        Self {
            python_sdk: python::install(
                root,
                "sdk",
                "Microsoft's Python SDKs, which the local platform must serve",
            ),
            python_history: python::install(
                root,
                "history",
                "DuckDB, pandas and deltalake, which must read stored history",
            ),
            python_scorers: python::install(
                root,
                "scorers",
                "componentize-py and zig, which make scorers of Python and C",
            ),
            python_infra: python::install(root, "infra", "a parser and a linter for the Bicep files"),
            python_mlflow: python::install(root, "mlflow", "a real MLflow server for the model registry"),
            npm: node::install(root),
            browser: browser::install(),
        }
    }

    /// What is missing, and what goes untested because of it.
    pub(crate) fn missing(&self) -> Vec<String> {
        let needs = [
            (&self.python_sdk, "Python SDKs", "their acceptance tests are skipped"),
            (&self.python_history, "DuckDB and deltalake", "nobody else opens stored history"),
            (&self.python_scorers, "componentize-py and zig", "the examples of scorers are not built"),
            (&self.python_infra, "Bicep parser", "infra/ is not checked"),
            (&self.python_mlflow, "MLflow", "the model registry is tested without a real server"),
            (&self.npm, "npm packages", "the Node SDK, Azurite and the dashboard are not tested"),
            (&self.browser, "Chromium", "the dashboard is not tested"),
        ];
        let text = |(found, name, effect): (&Found, &str, &str)| match found {
            Ok(_) => None,
            Err(cause) => Some(format!("{name}: {cause}; {effect}")),
        };
        needs.into_iter().filter_map(text).collect()
    }
}

/// The cache, created where it is missing, and locked against another run until the value goes.
fn cache() -> Result<(PathBuf, File), String> {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = named("XDG_CACHE_HOME")
        .or_else(|| named("HOME").map(|home| home.join(".cache")))
        .ok_or("neither XDG_CACHE_HOME nor HOME is set")?
        .join("twinwright");
    let told = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(told)?;
    let lock = File::create(folder.join("tools.lock")).map_err(told)?;
    lock.lock().map_err(told)?;
    Ok((folder, lock))
}

/// A folder of the cache for what the hash stands for: filled by `fill` unless it was before.
fn ensure_folder(name: &str, hash: &str, fill: impl FnOnce(&Path) -> Result<(), String>) -> Found {
    let (cache, _lock) = cache()?;
    let folder = cache.join(format!("{name}-{}", hash.get(..12).unwrap_or(hash)));
    let stamp = folder.join(".complete");
    if stamp.is_file() {
        return Ok(folder);
    }
    let told = |error: std::io::Error| format!("{}: {error}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(told)?;
    }
    fs::create_dir_all(&folder).map_err(told)?;
    fill(&folder)?;
    fs::write(&stamp, hash).map_err(told)?;
    Ok(folder)
}
