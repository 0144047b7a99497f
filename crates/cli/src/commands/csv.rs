//! CSV files of readings: a header, a time column if there is one, numbers.

use std::path::Path;

use anyhow::{Context as _, bail};
use twinwright_core::time::{Micros, SECOND, parse_iso};

/// Columns that hold the time, not telemetry.
const TIME: [&str; 4] = ["timestamp", "datetime", "ts", "time"];
/// Columns that hold the truth: a baseline or a replay that saw them would be cheating.
const LABELS: [&str; 4] = ["anomaly", "changepoint", "label", "fault"];

/// A table of readings.
#[derive(Debug)]
pub(super) struct Table {
    /// Numeric columns.
    pub(super) signals: Vec<String>,
    /// Time of each row; one second apart where the file has none.
    pub(super) time: Vec<Micros>,
    /// Values, row-major, NaN where a cell is empty or no number.
    pub(super) values: Vec<f64>,
}

impl Table {
    /// Reads a file; the separator (`,` `;` or tab) is the header's most frequent.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} cannot be used", path.display()))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        let Some(header) = lines.next() else { bail!("the file is empty; it needs a header and rows") };
        let separator =
            [';', ',', '\t'].into_iter().max_by_key(|&s| header.matches(s).count()).unwrap_or(',');
        let names: Vec<String> =
            header.split(separator).map(|n| n.trim().trim_matches('"').to_owned()).collect();
        let is = |name: &str, list: &[&str]| list.iter().any(|known| known.eq_ignore_ascii_case(name));
        let time_column = names.iter().position(|name| is(name, &TIME));
        let columns: Vec<usize> =
            (0..names.len()).filter(|&at| Some(at) != time_column && !is(&names[at], &LABELS)).collect();
        let mut table = Self { signals: Vec::new(), time: Vec::new(), values: Vec::new() };
        let mut seen = vec![false; columns.len()];
        for (row, line) in lines.enumerate() {
            let cells: Vec<&str> = line.split(separator).map(|cell| cell.trim().trim_matches('"')).collect();
            if cells.len() != names.len() {
                bail!("line {} has {} cells, the header has {}", row + 2, cells.len(), names.len());
            }
            let even = i64::try_from(row).unwrap_or(0) * SECOND;
            let time = match time_column {
                Some(at) => {
                    let parsed = parse_iso(cells[at]).or_else(|| parse_iso(&cells[at].replace(' ', "T")));
                    parsed.with_context(|| format!("line {}: {:?} is no time", row + 2, cells[at]))?
                }
                None => even,
            };
            table.time.push(time);
            for (place, &at) in columns.iter().enumerate() {
                let value: f64 = cells[at].parse().unwrap_or(f64::NAN);
                seen[place] |= value.is_finite();
                table.values.push(if value.is_finite() { value } else { f64::NAN });
            }
        }
        if table.time.is_empty() {
            bail!("the file has a header, but no rows");
        }
        table.signals = columns.iter().map(|&at| names[at].clone()).collect();
        let numeric: Vec<String> = table
            .signals
            .iter()
            .zip(&seen)
            .filter(|(_, seen)| **seen)
            .map(|(name, _)| name.clone())
            .collect();
        table.select(&numeric)
    }

    /// Keeps these signals, in this order.
    pub(super) fn select(self, signals: &[String]) -> anyhow::Result<Self> {
        let width = self.signals.len();
        let place = |name: &String| {
            let known = self.signals.iter().position(|known| known == name);
            known.with_context(|| {
                format!("there is no column {name:?}; there are {}", self.signals.join(", "))
            })
        };
        let places: Vec<usize> = signals.iter().map(place).collect::<anyhow::Result<_>>()?;
        let rows = self.values.chunks(width.max(1));
        let values = rows.flat_map(|row| places.iter().map(|&at| row[at])).collect();
        Ok(Self { signals: signals.to_vec(), time: self.time, values })
    }

    /// Values of a row.
    pub(super) fn row(&self, row: usize) -> &[f64] {
        let width = self.signals.len();
        &self.values[row * width..(row + 1) * width]
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn reads_semicolons_times_and_leaves_labels_out() {
        let text = "datetime;a;b;note;anomaly\n2020-03-09 10:14:33;1.5;2;x;0\n2020-03-09 10:14:34;;3;y;1\n";
        let table = Table::parse(text).unwrap();
        assert_eq!(table.signals, ["a", "b"]);
        assert_eq!(table.time[1] - table.time[0], 1_000_000);
        assert_eq!(table.row(0), [1.5, 2.0]);
        assert!(table.row(1)[0].is_nan());
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, part) in
            [("", "empty"), ("a,b\n", "no rows"), ("a,b\n1\n", "line 2"), ("time,a\nnow,1\n", "no time")]
        {
            let error = format!("{:#}", Table::parse(text).unwrap_err());
            assert!(error.contains(part), "{error}");
        }
    }
}
