//! Harness of the acceptance tests: a whole platform in a folder of its own, on free ports.
//!
//! The staged app is found through `TWINWRIGHT_APP` (and `TWINWRIGHT_APP_KILL_POINTS` for the one with kill
//! points), which `cargo xtask test` sets. Without it a test says so and is skipped, never in CI.

pub mod books;
pub mod feed;
pub mod line;
pub mod port;

use std::path::PathBuf;

use anyhow::Context as _;

/// The staged app, or `None` after saying why the test is skipped.
///
/// # Panics
/// In CI, where nothing may be skipped.
pub fn staged(variable: &str) -> Option<PathBuf> {
    needed(variable, "stage the app first: cargo xtask test does it")
}

/// The folder of this package. Asked when it runs: a test may have been compiled in another checkout that shares the
/// target folder.
///
/// # Errors
/// The test is not run by cargo.
pub fn package() -> anyhow::Result<PathBuf> {
    Ok(std::env::var_os("CARGO_MANIFEST_DIR")
        .context("CARGO_MANIFEST_DIR is not set: run it with cargo")?
        .into())
}

/// A path from the environment that a test needs.
///
/// # Panics
/// In CI, where nothing may be skipped.
#[expect(clippy::panic, reason = "a skipped test in CI is a failure")]
pub fn needed(variable: &str, hint: &str) -> Option<PathBuf> {
    match std::env::var_os(variable) {
        Some(path) if !path.is_empty() => Some(PathBuf::from(path)),
        _ if std::env::var("CI").is_ok_and(|value| value == "true") => {
            panic!("{variable} is not set, and nothing may be skipped in CI; {hint}")
        }
        _ => {
            println!("skipped: {variable} is not set; {hint}");
            None
        }
    }
}
