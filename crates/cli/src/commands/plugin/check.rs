//! `plugin check` and `plugin test`.

use std::fs;

use anyhow::{Context as _, bail};
use serde_json::json;
use twinwright_scoring::conformance;

use super::cases::{cases_of, component_of, made_up};
use super::package::{draft, load};
use crate::args::CheckOptions;
use crate::output::Output;

/// Signals of the baseline that is made up where none is given.
const SIGNALS: usize = 4;

/// Runs `plugin check`.
pub(super) fn check(options: &CheckOptions, output: Output) -> anyhow::Result<()> {
    let component = component_of(&options.path)?;
    // Loading checks the header, the imports, the world, the descriptor, and that it compiles within its limits.
    let (bytes, loaded) = load(&component)?;
    let mut found = vec![(format!("world, imports and limits ({} kB)", bytes.len() / 1000), None)];
    match draft(&component) {
        Ok(draft) => {
            let fits = draft.fits(loaded.descriptor()).err().map(|error| error.to_string());
            found.push(("manifest and describe say the same".to_owned(), fits));
        }
        Err(error) => found.push(("there is a manifest".to_owned(), Some(format!("{error:#}")))),
    }
    let cases = cases_of(&options.path)?;
    let baseline = match (&options.baseline, cases.first()) {
        (Some(path), _) => fs::read(path).with_context(|| format!("cannot read {}", path.display()))?,
        (None, Some((_, case))) => case.baseline.get().as_bytes().to_vec(),
        (None, None) => made_up(SIGNALS, &loaded.descriptor().name)?,
    };
    match conformance::check(&loaded, &baseline) {
        Ok(checked) => found.extend(checked.into_iter().map(|rule| (rule.rule.to_owned(), rule.broken))),
        Err(broken) => found.push((broken.rule.to_owned(), Some(broken.found))),
    }
    for (name, case) in &cases {
        let played = loaded
            .instantiate(case.baseline.get().as_bytes())
            .map_err(|error| error.to_string())
            .and_then(|mut scorer| case.play(&mut scorer, usize::MAX));
        found.push((format!("case {name}"), played.err()));
    }
    told(loaded.id(), &found, output)
}

/// Runs `plugin test`: every case, whole and in pieces.
pub(super) fn test(options: &CheckOptions, output: Output) -> anyhow::Result<()> {
    let (_, loaded) = load(&component_of(&options.path)?)?;
    let cases = cases_of(&options.path)?;
    if cases.is_empty() {
        bail!("no cases; write golden/NAME.json with baseline, batch and expected");
    }
    let mut found = Vec::new();
    for (name, case) in &cases {
        for (pieces, piece) in [("whole", usize::MAX), ("row by row", 1), ("in sevens", 7)] {
            let played = loaded
                .instantiate(case.baseline.get().as_bytes())
                .map_err(|error| error.to_string())
                .and_then(|mut scorer| case.play(&mut scorer, piece));
            found.push((format!("{name}, {pieces}"), played.err()));
        }
    }
    told(loaded.id(), &found, output)
}

fn told(id: &str, found: &[(String, Option<String>)], output: Output) -> anyhow::Result<()> {
    let shown: Vec<_> = found
        .iter()
        .map(|(rule, broken)| json!({ "rule": rule, "holds": broken.is_none(), "found": broken }))
        .collect();
    output.result(&json!({ "scorer": id, "checks": shown }), || {
        let line = |(rule, broken): &(String, Option<String>)| match broken {
            None => format!("  holds   {rule}"),
            Some(found) => format!("  BROKEN  {rule}: {found}"),
        };
        format!("{id}\n{}", found.iter().map(line).collect::<Vec<_>>().join("\n"))
    });
    match found.iter().filter(|(_, broken)| broken.is_some()).count() {
        0 => Ok(()),
        count => bail!("{id} breaks {count} of {} checks", found.len()),
    }
}
