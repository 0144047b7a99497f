//! What a suite gives: figures with intervals and targets, tables, notes.

use serde::Serialize;

/// Figures of a run. How long it took is the caller's to add: this crate has no clock.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Suite.
    pub suite: String,
    /// What it is, in a line.
    pub about: String,
    /// SHA-256 of the settings, the first 16 digits.
    pub settings_hash: String,
    /// Recordings scored.
    pub recordings: usize,
    /// Run time, seconds; 0 until the caller sets it.
    pub seconds: f64,
    /// The figures that targets are set for, and what stands beside them.
    pub figures: Vec<Figure>,
    /// Comparisons and single recordings.
    pub tables: Vec<Table>,
    /// What a reader has to know: protocol, choice, limits of what the figures say.
    pub notes: Vec<String>,
}

/// A number that is to be compared.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// Name, `suite_what`.
    pub name: String,
    /// The number.
    pub value: f64,
    /// Unit; empty for a pure number.
    pub unit: String,
    /// Lower end of the 95 % bootstrap interval over recordings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// Below (or above) it the suite has failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub must: Option<Bound>,
    /// What is aimed at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aim: Option<Bound>,
}

/// A bound on a figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// The figure has to reach it.
    AtLeast(f64),
    /// The figure must not exceed it.
    AtMost(f64),
}

/// Rows of text under a head.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Table {
    /// Title.
    pub title: String,
    /// Names of the columns.
    pub head: Vec<String>,
    /// Cells.
    pub rows: Vec<Vec<String>>,
}

impl Bound {
    /// Whether a value keeps it.
    pub fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
        }
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtLeast(bound) => write!(out, "≥ {bound}"),
            Self::AtMost(bound) => write!(out, "≤ {bound}"),
        }
    }
}

impl Figure {
    /// A figure without interval and targets.
    pub fn new(name: &str, value: f64, unit: &str) -> Self {
        Self {
            name: name.to_owned(),
            value,
            unit: unit.to_owned(),
            low: None,
            high: None,
            must: None,
            aim: None,
        }
    }

    /// With what must be reached and what is aimed at.
    #[must_use]
    pub fn target(mut self, must: Bound, aim: Bound) -> Self {
        self.must = Some(must);
        self.aim = Some(aim);
        self
    }

    /// With an interval.
    #[must_use]
    pub fn interval(mut self, (low, high): (f64, f64)) -> Self {
        self.low = Some(low);
        self.high = Some(high);
        self
    }

    /// Whether it keeps what must be kept.
    pub fn passes(&self) -> bool {
        self.must.is_none_or(|must| must.holds(self.value))
    }

    /// Value, interval, targets and verdict in words.
    pub fn line(&self) -> String {
        let unit = if self.unit.is_empty() { String::new() } else { format!(" {}", self.unit) };
        let mut line = format!("{:<34} {:>9.3}{unit}", self.name, self.value);
        if let (Some(low), Some(high)) = (self.low, self.high) {
            line.push_str(&format!("  [{low:.3}, {high:.3}]"));
        }
        if let (Some(must), Some(aim)) = (self.must, self.aim) {
            let verdict = match (must.holds(self.value), aim.holds(self.value)) {
                (_, true) => "aim reached",
                (true, _) => "kept",
                _ => "MISSED",
            };
            line.push_str(&format!("  must {must}, aim {aim}: {verdict}"));
        }
        line
    }
}

impl Table {
    /// An empty table.
    pub fn new(title: &str, head: &[&str]) -> Self {
        Self {
            title: title.to_owned(),
            head: head.iter().map(|name| (*name).to_owned()).collect(),
            rows: Vec::new(),
        }
    }
}

impl Report {
    /// Whether all that must be kept is kept.
    pub fn passes(&self) -> bool {
        self.figures.iter().all(Figure::passes)
    }
}
