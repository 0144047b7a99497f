//! From JSON to a model of remaining life.

use super::{Bands, FORMAT, LifeModel, LifeRegime, Unit};
use crate::BaselineError;
use crate::baseline::{TrainingWindow, wrong};
use crate::document::{Object, Read};
use crate::forest::{Forest, Linear, Predictor, Tree};
use crate::json::parse;

/// Reads a document; sizes and ranges are checked afterwards.
pub(crate) fn read(json: &[u8]) -> Read<LifeModel> {
    let value = parse(json).map_err(|error| BaselineError::Json(error.to_string()))?;
    let root = Object::of(&value, "")?;
    let format = root.whole("format")?;
    if format != u64::from(FORMAT) {
        return Err(BaselineError::Format(u32::try_from(format).unwrap_or(u32::MAX)));
    }
    let window = Object::of(root.need("window")?, "window.")?;
    let bands = Object::of(root.need("bands")?, "bands.")?;
    let small = |name: &str| root.whole(name).map(|whole| whole.min(1 << 20) as usize);
    Ok(LifeModel {
        kind: root.text("kind")?,
        format: FORMAT,
        id: root.text("id")?,
        equipment: root.text("equipment")?,
        created: root.text("created")?,
        window: TrainingWindow {
            from: window.text("from")?,
            to: window.text("to")?,
            rows: window.whole("rows")?,
        },
        data_hash: root.text("data_hash")?,
        code_version: root.or("code_version", Object::text)?.unwrap_or_default(),
        signals: root.texts("signals")?,
        settings: root.or("settings", Object::texts)?.unwrap_or_default(),
        used: places(&root, "used", 1 << 20)?.into_iter().map(|at| at as usize).collect(),
        regimes: root.list("regimes")?.iter().map(regime).collect::<Read<_>>()?,
        window_rows: small("window_rows")?,
        start_rows: small("start_rows")?,
        warm_rows: small("warm_rows")?,
        new_run_gap_seconds: root.or("new_run_gap_seconds", Object::number)?.unwrap_or(0.0),
        unit: match root.text("unit")?.as_str() {
            "cycles" => Unit::Cycles,
            "hours" => Unit::Hours,
            _ => return root.fail("unit", "must be cycles or hours"),
        },
        cap: root.number("cap")?,
        limit: root.number("limit")?,
        predictor: predictor(&Object::of(root.need("predictor")?, "predictor.")?)?,
        bands: Bands { borders: bands.numbers("borders")?, quantiles: lists(&bands, "quantiles")? },
        metrics: root.or("metrics", Object::figures)?.unwrap_or_default(),
        note: root.or("note", Object::text)?.unwrap_or_default(),
    })
}

/// Whole numbers up to `most`.
fn places(object: &Object<'_>, name: &str, most: u32) -> Read<Vec<u32>> {
    let whole = |number: &f64| (0.0..=f64::from(most)).contains(number) && number.fract() == 0.0;
    let numbers = object.numbers(name)?;
    if !numbers.iter().all(whole) {
        return object.fail(name, "must be whole numbers in range");
    }
    Ok(numbers.into_iter().map(|number| number as u32).collect())
}

fn lists(object: &Object<'_>, name: &str) -> Read<Vec<Vec<f64>>> {
    let list = |item: &crate::json::Value| match item {
        crate::json::Value::List(items) => items
            .iter()
            .map(|item| match item {
                crate::json::Value::Number(number) => Ok(*number),
                _ => object.fail(name, "must be lists of numbers"),
            })
            .collect(),
        _ => object.fail(name, "must be lists of numbers"),
    };
    object.list(name)?.iter().map(list).collect()
}

fn regime(value: &crate::json::Value) -> Read<LifeRegime> {
    let regime = Object::of(value, "regimes[].")?;
    Ok(LifeRegime {
        centre: regime.or("centre", Object::numbers)?.unwrap_or_default(),
        scale: regime.or("scale", Object::numbers)?.unwrap_or_default(),
        mean: regime.numbers("mean")?,
        deviation: regime.numbers("deviation")?,
    })
}

fn predictor(object: &Object<'_>) -> Read<Predictor> {
    if let Some(value) = object.find("forest") {
        let forest = Object::of(value, "predictor.forest.")?;
        let trees = forest.list("trees")?.iter().map(tree).collect::<Read<_>>()?;
        return Ok(Predictor::Forest(Forest { base: forest.number("base")?, trees }));
    }
    let Some(value) = object.find("linear") else {
        return Err(wrong("predictor", "must have a forest or a linear model".to_owned()));
    };
    let linear = Object::of(value, "predictor.linear.")?;
    Ok(Predictor::Linear(Linear {
        intercept: linear.number("intercept")?,
        mean: linear.numbers("mean")?,
        scale: linear.numbers("scale")?,
        weight: linear.numbers("weight")?,
        clip: linear.number("clip")?,
    }))
}

fn tree(value: &crate::json::Value) -> Read<Tree> {
    let tree = Object::of(value, "predictor.forest.trees[].")?;
    let nodes = |name| -> Read<Vec<u16>> {
        Ok(places(&tree, name, u32::from(u16::MAX))?.into_iter().map(|number| number as u16).collect())
    };
    Ok(Tree {
        feature: nodes("feature")?,
        threshold: tree.numbers("threshold")?,
        left: nodes("left")?,
        right: nodes("right")?,
        missing_left: places(&tree, "missing_left", 1)?.into_iter().map(|number| number as u8).collect(),
        value: tree.numbers("value")?,
    })
}
