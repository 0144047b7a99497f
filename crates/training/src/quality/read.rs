//! Process data of the SECOM kind.
//!
//! Two forms: comma-separated with a header (a first column without a name is the part's number, one named `Time` its
//! time; the last column, `y` or `Pass/Fail`, is 1 for a bad part, else -1 or 0), several files are one table in that
//! order; or the original `secom.data` with `secom_labels.data` (label and time).

use std::path::Path;

use crate::learners::Table;
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

/// Reads a folder; no parts where it has no such file.
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
        let ordered = names.first().is_some_and(|name| name.is_empty() || name == "Time");
        let fewest = if ordered { 3 } else { 2 };
        if names.len() < fewest || names.last().is_none_or(|name| name != "y" && name != "Pass/Fail") {
            let cause = "the last column must be y or Pass/Fail, after at least one input";
            return Err(TrainError::file(path, cause));
        }
        for (at, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            let (first, rest) = if ordered { line.split_once(',').unwrap_or((line, "")) } else { ("", line) };
            let order = match names[0].as_str() {
                "Time" => moment(first).ok_or_else(|| {
                    TrainError::file(path, format!("line {}: {first:?} is not a time", at + 1))
                })?,
                "" => files::number(first, path, at)?,
                _ => rows.len() as f64,
            };
            let mut inputs: Vec<f64> =
                rest.split(',').map(|field| files::number(field, path, at)).collect::<Result<_, _>>()?;
            let fields = inputs.len() + usize::from(ordered);
            let Some(outcome) = inputs.pop().filter(|_| fields == names.len()) else {
                let cause = format!("line {} has {fields} fields instead of {}", at + 1, names.len());
                return Err(TrainError::file(path, cause));
            };
            rows.push((order, inputs, outcome == 1.0));
        }
        header = Some(names);
    }
    let Some(header) = header else { return Ok(Parts::default()) };
    let ordered_by = header.first().is_some_and(|name| name.is_empty() || name == "Time");
    let inputs: Vec<String> = header[usize::from(ordered_by)..header.len() - 1].to_vec();
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

/// A number that grows with `dd/mm/yyyy hh:mm:ss` or `yyyy-mm-dd hh:mm:ss`.
fn moment(text: &str) -> Option<f64> {
    let parts: Vec<f64> = text
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    let &[a, month, c, hour, minute, second] = parts.as_slice() else { return None };
    let (year, day) = if a > 31.0 { (a, c) } else { (c, a) };
    Some(((((year * 12.0 + month) * 31.0 + day) * 24.0 + hour) * 60.0 + minute) * 60.0 + second)
}
