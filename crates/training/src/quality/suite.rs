//! Process data of the SECOM kind.
//!
//! Two forms: comma-separated with a header (a first column without a name is the part's number, a last column `y`
//! is 1 for a bad part, else -1 or 0), several files are one table ordered by number; or the original `secom.data`
//! with `secom_labels.data` (label and time). Protocol: parts in the order of time, the first half teaches, each part
//! of the second is judged by a model of earlier parts only.

use std::path::Path;

use super::{QualityOptions, fit, walk_forward};
use crate::learners::{Random, Table, auc, average_precision, bootstrap, brier, precision_at};
use crate::report::Report;
use crate::{TrainError, files};

/// Parts in the order of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parts {
    /// Names of the inputs.
    pub inputs: Vec<String>,
    /// The inputs.
    pub table: Table,
    /// Which parts were bad.
    pub bad: Vec<bool>,
}

/// Measures the parts in a folder.
///
/// # Errors
/// [`TrainError`] where there are no such files, or too few parts.
pub fn run(folder: &Path, options: &QualityOptions) -> Result<Report, TrainError> {
    let parts = read(folder)?;
    let mut report = Report::new("secom");
    let judged = walk_forward(&parts.table, &parts.bad, options)?;
    let model = fit("secom", &parts.inputs, &parts.table, &parts.bad, options)?;
    let (score, bad) = (&judged.prediction, &parts.bad[judged.first..]);
    let events = bad.iter().filter(|bad| **bad).count();
    let of = |draw: &[usize], figure: fn(&[f64], &[bool]) -> f64| {
        let (score, bad): (Vec<f64>, Vec<bool>) = draw.iter().map(|at| (score[*at], bad[*at])).unzip();
        figure(&score, &bad)
    };
    let interval = |figure: fn(&[f64], &[bool]) -> f64| bootstrap(bad.len(), 2, |draw| of(draw, figure));
    report.tell_with("secom_auc", auc(score, bad), "", interval(auc));
    report.tell_with(
        "secom_average_precision",
        average_precision(score, bad),
        "",
        interval(average_precision),
    );
    let rate = events as f64 / bad.len() as f64;
    for share in [5_usize, 10, 20] {
        let budget = (bad.len() * share / 100).max(1);
        let precision = precision_at(score, bad, budget);
        report.tell(format!("secom_precision_at_{share}"), 100.0 * precision, "%");
        let found = precision * budget as f64 / events.max(1) as f64;
        report.tell(format!("secom_found_at_{share}"), 100.0 * found, "% of the bad");
    }
    let chance: Vec<f64> = score
        .iter()
        .map(|prediction| crate::learners::sigmoid(model.slope * prediction + model.offset))
        .collect();
    report.tell("secom_brier", brier(&chance, bad), "");
    report.tell("secom_judged", bad.len() as f64, "parts");
    report.tell("secom_bad", events as f64, "parts");
    report.control("secom_precision_base_rate", 100.0 * rate, "%");
    report.control("secom_brier_base_rate", rate * (1.0 - rate), "");
    for seed in 1..=5 {
        let mut random = Random(seed);
        let score: Vec<f64> = bad.iter().map(|_| random.unit()).collect();
        report.control(format!("secom_auc_random_{seed}"), auc(&score, bad), "");
    }
    let order: Vec<f64> = (0..bad.len()).map(|at| -(at as f64)).collect();
    report.control("secom_auc_by_age", auc(&order, bad), "");
    report.notes.push(
        "time-ordered: each part is judged by a model of earlier parts, fitted anew every 100 parts; \
         the chances' scaling is fitted on the judged parts themselves, so the Brier figure is a little kind"
            .to_owned(),
    );
    let document = serde_json::to_vec(&model).map_err(TrainError::numeric)?;
    report.models.push(("part-quality".to_owned(), document));
    Ok(report)
}

/// Reads a folder.
///
/// # Errors
/// [`TrainError::File`] names the file and the line.
pub fn read(folder: &Path) -> Result<Parts, TrainError> {
    let listed = files::list(folder)?;
    let find = |name: &str| listed.iter().find(|(known, _)| known == name).map(|(_, path)| path.as_path());
    if let (Some(data), Some(labels)) = (find("secom.data"), find("secom_labels.data")) {
        return original(data, labels);
    }
    let mut rows: Vec<(f64, Vec<f64>, bool)> = Vec::new();
    let mut header: Option<Vec<String>> = None;
    for (_, path) in listed.iter().filter(|(name, _)| name.ends_with(".csv")) {
        let text = files::text(path)?;
        let mut lines = text.lines().enumerate();
        let Some((_, names)) = lines.next() else { continue };
        let names: Vec<String> = names.split(',').map(|name| name.trim_matches('"').to_owned()).collect();
        if header.as_ref().is_some_and(|known| *known != names) {
            return Err(TrainError::file(path, "its columns differ from those of the file before it"));
        }
        let numbered = names.first().is_some_and(String::is_empty);
        let fewest = if numbered { 3 } else { 2 };
        if names.len() < fewest || names.last().is_none_or(|name| name != "y") {
            return Err(TrainError::file(path, "the last column must be y, after at least one input"));
        }
        for (at, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            let numbers: Vec<f64> =
                line.split(',').map(|field| files::number(field, path, at)).collect::<Result<_, _>>()?;
            if numbers.len() != names.len() {
                let cause =
                    format!("line {} has {} fields instead of {}", at + 1, numbers.len(), names.len());
                return Err(TrainError::file(path, cause));
            }
            let order = if numbered { numbers[0] } else { rows.len() as f64 };
            let (inputs, outcome) =
                (&numbers[usize::from(numbered)..numbers.len() - 1], numbers[numbers.len() - 1]);
            rows.push((order, inputs.to_vec(), outcome == 1.0));
        }
        header = Some(names);
    }
    let Some(header) = header else {
        return Err(TrainError::file(
            folder,
            "it has no .csv files, and no secom.data with secom_labels.data",
        ));
    };
    let numbered = header.first().is_some_and(String::is_empty);
    let inputs: Vec<String> = header[usize::from(numbered)..header.len() - 1].to_vec();
    Ok(ordered(inputs, rows))
}

fn ordered(inputs: Vec<String>, mut rows: Vec<(f64, Vec<f64>, bool)>) -> Parts {
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut parts = Parts { table: Table::new(inputs.len()), inputs, bad: Vec::new() };
    for (_, row, bad) in rows {
        parts.table.push(&row);
        parts.bad.push(bad);
    }
    parts
}

/// The files as they were first published: numbers apart by spaces; label, then `"dd/mm/yyyy hh:mm:ss"`.
fn original(data: &Path, labels: &Path) -> Result<Parts, TrainError> {
    let mut rows = Vec::new();
    let (data_text, label_text) = (files::text(data)?, files::text(labels)?);
    let labelled: Vec<&str> = label_text.lines().filter(|line| !line.trim().is_empty()).collect();
    let measured: Vec<&str> = data_text.lines().filter(|line| !line.trim().is_empty()).collect();
    if labelled.len() != measured.len() {
        let cause = format!("{} labels for {} parts", labelled.len(), measured.len());
        return Err(TrainError::file(labels, cause));
    }
    let mut width = 0;
    for (at, (row, label)) in measured.iter().zip(&labelled).enumerate() {
        let inputs: Vec<f64> =
            row.split_whitespace().map(|field| files::number(field, data, at)).collect::<Result<_, _>>()?;
        width = if at == 0 { inputs.len() } else { width };
        if inputs.len() != width {
            return Err(TrainError::file(data, format!("line {} has {} numbers", at + 1, inputs.len())));
        }
        let (outcome, time) = label.split_once(' ').unwrap_or((label, ""));
        rows.push((moment(time).unwrap_or(at as f64), inputs, files::number(outcome, labels, at)? == 1.0));
    }
    Ok(ordered((0..width).map(|at| at.to_string()).collect(), rows))
}

/// A number that grows with `dd/mm/yyyy hh:mm:ss`.
fn moment(text: &str) -> Option<f64> {
    let parts: Vec<f64> = text
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    let [day, month, year, hour, minute, second] = parts.as_slice() else { return None };
    Some(((((year * 12.0 + month) * 31.0 + day) * 24.0 + hour) * 60.0 + minute) * 60.0 + second)
}
