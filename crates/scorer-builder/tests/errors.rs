//! What is wrong with a folder of scorers is said before anything is compiled.

#![allow(missing_docs)]

use std::fs;
use std::path::PathBuf;

use twinwright_scorer_builder::{BuildError, build};

/// A folder of its own for each test, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("twinwright-builder-{name}-{}", std::process::id()));
        fs::remove_dir_all(&folder).ok();
        fs::create_dir_all(folder.join("chart")).expect("folder");
        Self(folder)
    }

    fn build(&self) -> BuildError {
        build(&self.0, &self.0.join("target"), &self.0.join("out"), &mut |_| {})
            .expect_err("nothing to build")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

#[test]
fn a_folder_without_scorers_is_named() {
    let folder = Folder::new("empty");
    assert!(matches!(folder.build(), BuildError::NoModules { .. }));
    // A crate without a manifest is not published.
    fs::write(folder.0.join("chart/Cargo.toml"), "").expect("file");
    assert!(matches!(folder.build(), BuildError::NoModules { .. }));
}

#[test]
fn a_manifest_has_to_fit() {
    let folder = Folder::new("manifest");
    fs::write(folder.0.join("chart/Cargo.toml"), "").expect("file");
    for (text, part) in [
        ("{", "EOF"),
        (r#"{"name": "chart"}"#, "missing field `version`"),
        (
            r#"{"name": "other", "version": "1.0.0", "world": "w", "summary": "s", "author": "a"}"#,
            "its name other must be the folder's, chart",
        ),
    ] {
        fs::write(folder.0.join("chart/manifest.json"), text).expect("file");
        let said = folder.build().to_string();
        assert!(said.contains(part), "{said}");
    }
}
