//! `plugin build`.

use serde_json::json;
use twinwright_scorer_builder::build_one;

use crate::args::BuildOptions;
use crate::output::Output;

/// Runs `plugin build`.
pub(super) fn build(options: &BuildOptions, output: Output) -> anyhow::Result<()> {
    let built = build_one(&options.folder, &options.engines.folders(), &mut |line| {
        if !output.is_json() {
            eprintln!("{line}");
        }
    })?;
    let size = std::fs::metadata(&built.path).map_or(0, |file| file.len());
    output.result(
        &json!({ "scorer": built.name, "component": built.path, "bytes": size, "how": built.how }),
        || format!("{} built with {}: {} ({} kB)", built.name, built.how, built.path.display(), size / 1000),
    );
    Ok(())
}
