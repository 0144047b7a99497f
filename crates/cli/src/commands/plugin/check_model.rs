//! `plugin check-model`: which engine reads a model, what to export otherwise, and whether it answers as onnxruntime does.

mod compare;
mod operators;

use std::fs;

use anyhow::{Context as _, bail};
use serde_json::json;
use twinwright_model::Model;

use self::operators::{Verdict, verdicts};
use crate::args::CheckModelOptions;
use crate::output::Output;

/// A larger difference from onnxruntime, relative to the answers' size, fails: numbers of 32 bits differ by a hundredth
/// of this where sums are made in another order.
const TOLERANCE: f64 = 1e-3;

/// Runs `plugin check-model`.
pub(super) fn check_model(options: &CheckModelOptions, output: Output) -> anyhow::Result<()> {
    let path = options.model.display();
    let bytes = fs::read(&options.model).with_context(|| format!("cannot read {path}"))?;
    let model = Model::read(&bytes).with_context(|| format!("{path}"))?;
    let found = verdicts(&model);
    let refused = found.operators.iter().filter(|operator| operator.verdict != Verdict::Supported).count();
    let compared = match (found.engine, refused) {
        (Some(engine), 0) => Some(compare::compare(options, &model, &bytes, engine)),
        _ => None,
    };
    let (compared, why_not) = match compared {
        Some(Ok(compared)) => (Some(compared), None),
        Some(Err(error)) => (None, Some(format!("{error:#}"))),
        None => (None, None),
    };
    let shown = json!({
        "model": options.model, "engine": found.engine, "operators": found.operators, "compared": compared,
        "notCompared": why_not,
    });
    output.result(&shown, || {
        let mut lines: Vec<String> = found.operators.iter().map(ToString::to_string).collect();
        match (found.engine, refused) {
            (Some(engine), 0) => lines.push(format!("the engine {engine} reads it")),
            _ => lines.push("no engine reads it as it is".to_owned()),
        }
        lines.extend(compared.as_ref().map(ToString::to_string));
        lines.extend(why_not.as_ref().map(|why| format!("not compared: {why}")));
        lines.join("\n")
    });
    match compared {
        _ if refused > 0 => bail!("{refused} of its operators need another export"),
        Some(compared) if compared.largest_difference > TOLERANCE * compared.largest_answer.max(1.0) => {
            bail!("the engine answers otherwise than onnxruntime; do not use this model")
        }
        Some(_) => Ok(()),
        None => bail!("{path} was not compared: {}", why_not.unwrap_or_default()),
    }
}
