//! Figures of an evaluation, for tables and documents.

use serde::Serialize;

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Lower case words joined by `_`.
    pub name: String,
    /// What was measured.
    pub value: f64,
    /// Unit, for people; empty for a plain number.
    pub unit: String,
    /// 95 % bootstrap interval, where one makes sense.
    pub interval: Option<(f64, f64)>,
}

/// What a suite measured on a folder of data.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// The suite's name.
    pub suite: String,
    /// The figures.
    pub figures: Vec<Figure>,
    /// The same figures of methods that know next to nothing, to be beaten.
    pub controls: Vec<Figure>,
    /// What a reader must know: the protocol, what was left out.
    pub notes: Vec<String>,
    /// The trained models, each a JSON document: name and bytes.
    #[serde(skip)]
    pub models: Vec<(String, Vec<u8>)>,
}

impl Report {
    /// An empty report.
    pub fn new(suite: &str) -> Self {
        Self { suite: suite.to_owned(), ..Self::default() }
    }

    /// Adds a figure.
    pub fn tell(&mut self, name: impl Into<String>, value: f64, unit: &str) {
        self.figures.push(Figure { name: name.into(), value, unit: unit.to_owned(), interval: None });
    }

    /// Adds a figure with its interval.
    pub fn tell_with(&mut self, name: impl Into<String>, value: f64, unit: &str, interval: (f64, f64)) {
        let interval = Some(interval);
        self.figures.push(Figure { name: name.into(), value, unit: unit.to_owned(), interval });
    }

    /// Adds a control.
    pub fn control(&mut self, name: impl Into<String>, value: f64, unit: &str) {
        self.controls.push(Figure { name: name.into(), value, unit: unit.to_owned(), interval: None });
    }

    /// A figure by its name.
    pub fn figure(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|figure| figure.name == name).map(|figure| figure.value)
    }
}
