//! Figures: measured, compared with what they must be and with what we aim at, printed and written.

use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

/// One measured figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Figure {
    /// Name, with its unit where it is a time: `handler_ready_ms`.
    pub(crate) name: String,
    /// What was measured.
    pub(crate) value: f64,
    /// Unit, for people.
    pub(crate) unit: String,
    /// What it has to reach; none for figures that only tell.
    pub(crate) must: Option<f64>,
    /// What we would like it to reach.
    pub(crate) aim: Option<f64>,
    /// Whether more is better.
    #[serde(skip)]
    more_is_better: bool,
}

impl Figure {
    /// A figure that must not be lower.
    pub(crate) fn at_least(name: &str, value: f64, unit: &str, must: f64, aim: f64) -> Self {
        Self { must: Some(must), aim: Some(aim), more_is_better: true, ..Self::told(name, value, unit) }
    }

    /// A figure that must not be higher.
    pub(crate) fn at_most(name: &str, value: f64, unit: &str, must: f64, aim: f64) -> Self {
        Self { must: Some(must), aim: Some(aim), ..Self::told(name, value, unit) }
    }

    /// A figure that only tells.
    pub(crate) fn told(name: &str, value: f64, unit: &str) -> Self {
        Self {
            name: name.to_owned(),
            value,
            unit: unit.to_owned(),
            must: None,
            aim: None,
            more_is_better: false,
        }
    }

    /// Whether it reaches the limit; none without one. What could not be measured reaches nothing.
    fn reaches(&self, limit: Option<f64>) -> Option<bool> {
        limit.map(|limit| if self.more_is_better { self.value >= limit } else { self.value <= limit })
    }

    /// Whether it is what it must be.
    pub(crate) fn holds(&self) -> bool {
        self.reaches(self.must).unwrap_or(true)
    }
}

/// A table for people: ✓ or ✗ against must and aim.
pub(crate) fn table(figures: &[Figure]) -> String {
    let against = |figure: &Figure, limit: Option<f64>| match (limit, figure.reaches(limit)) {
        (Some(limit), Some(reached)) => format!("{} {}", if reached { '✓' } else { '✗' }, number(limit)),
        _ => "-".to_owned(),
    };
    let row = |figure: &Figure| {
        let (must, aim) = (against(figure, figure.must), against(figure, figure.aim));
        [figure.name.clone(), number(figure.value), figure.unit.clone(), must, aim]
    };
    let mut rows = vec![["figure", "value", "unit", "must", "aim"].map(str::to_owned)];
    rows.extend(figures.iter().map(row));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [0, 1, 2, 3, 4].map(width);
    let line = |row: &[String; 5]| {
        let [name, value, unit, must, aim] = row;
        let [a, b, c, d, e] = widths;
        format!("{name:<a$}  {value:>b$}  {unit:<c$}  {must:>d$}  {aim:>e$}").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Writes the figures as JSON.
pub(crate) fn write_json(figures: &[Figure], path: &Path) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(figures)? + "\n";
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Thousands apart; decimals only where they say something.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 1_000.0 || value == value.trunc() => 0,
        size if size >= 10.0 => 1,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 && value.is_finite() {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_held_against_must_and_aim_in_their_direction() {
        let figures = [
            Figure::at_least("events_per_s", 312_345.6, "events/s", 200_000.0, 400_000.0),
            Figure::at_most("ready_ms", 330.0, "ms", 300.0, 100.0),
            Figure::told("decode_ms", 0.25, "ms"),
        ];
        assert_eq!(figures.iter().map(Figure::holds).collect::<Vec<_>>(), [true, false, true]);
        let text = table(&figures);
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[1].contains("312,346") && lines[1].contains("✓ 200,000") && lines[1].contains("✗ 400,000"),
            "{text}"
        );
        assert!(
            lines[2].contains("✗ 300") && lines[3].contains("0.250") && lines[3].ends_with('-'),
            "{text}"
        );
        assert!(!Figure::at_most("lost", f64::NAN, "ms", 1.0, 1.0).holds());
    }

    #[test]
    fn the_file_has_exactly_the_five_fields() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("figures.json");
        write_json(&[Figure::at_most("a", 1.5, "ms", 2.0, 1.0), Figure::told("b", 2.0, "MB")], &path)
            .unwrap();
        let value: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let expected = serde_json::json!([
            {"name": "a", "value": 1.5, "unit": "ms", "must": 2.0, "aim": 1.0},
            {"name": "b", "value": 2.0, "unit": "MB", "must": null, "aim": null},
        ]);
        assert_eq!(value, expected);
    }

    #[test]
    fn numbers_read_well() {
        let pairs = [
            (1_234_567.0, "1,234,567"),
            (-1_000.0, "-1,000"),
            (99.96, "100.0"),
            (0.5, "0.500"),
            (12.0, "12"),
        ];
        for (value, text) in pairs {
            assert_eq!(number(value), text);
        }
    }
}
