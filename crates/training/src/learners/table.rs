//! Features, a column each.

use sha2::{Digest, Sha256};

use crate::TrainError;

/// R rows of F features, column-major; NaN where a value is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    columns: Vec<Vec<f64>>,
    rows: usize,
}

impl Table {
    /// A table without rows.
    pub fn new(features: usize) -> Self {
        Self { columns: vec![Vec::new(); features], rows: 0 }
    }

    /// From columns of equal length.
    ///
    /// # Errors
    /// [`TrainError::Shape`] where the lengths differ.
    pub fn from_columns(columns: Vec<Vec<f64>>) -> Result<Self, TrainError> {
        let rows = columns.first().map_or(0, Vec::len);
        match columns.iter().position(|column| column.len() != rows) {
            Some(at) => Err(TrainError::Shape {
                cause: format!("column {at} has {} rows, the first {rows}", columns[at].len()),
            }),
            None => Ok(Self { columns, rows }),
        }
    }

    /// Adds a row of F numbers; what is not finite counts as absent. A shorter row leaves the rest absent.
    pub fn push(&mut self, row: &[f64]) {
        for (at, column) in self.columns.iter_mut().enumerate() {
            column.push(row.get(at).copied().filter(|value| value.is_finite()).unwrap_or(f64::NAN));
        }
        self.rows += 1;
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Features.
    pub fn features(&self) -> usize {
        self.columns.len()
    }

    /// A column.
    pub fn column(&self, feature: usize) -> &[f64] {
        &self.columns[feature]
    }

    /// Copies a row; `into` has F places.
    pub fn row(&self, row: usize, into: &mut [f64]) {
        for (place, column) in into.iter_mut().zip(&self.columns) {
            *place = column[row];
        }
    }

    /// The rows at these places, in this order.
    #[must_use]
    pub fn pick(&self, rows: &[usize]) -> Self {
        let column = |column: &Vec<f64>| rows.iter().map(|&row| column[row]).collect();
        Self { columns: self.columns.iter().map(column).collect(), rows: rows.len() }
    }

    /// SHA-256 over features and target, hexadecimal: names the data of a model.
    pub fn hash(&self, target: &[f64]) -> String {
        let mut hash = Sha256::new();
        for column in self.columns.iter().map(Vec::as_slice).chain([target]) {
            for value in column {
                let value = if value.is_nan() { f64::NAN } else { *value };
                hash.update(value.to_bits().to_le_bytes());
            }
            hash.update([0xff]);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Checks a target against the table.
    pub(crate) fn check(&self, target: &[f64], need: usize, purpose: &'static str) -> Result<(), TrainError> {
        if target.len() != self.rows {
            let cause = format!("{} targets for {} rows", target.len(), self.rows);
            return Err(TrainError::Shape { cause });
        }
        if self.features() == 0 || self.features() > usize::from(u16::MAX) {
            let cause = format!("{} features; there must be 1 to {}", self.features(), u16::MAX);
            return Err(TrainError::Shape { cause });
        }
        if let Some(row) = target.iter().position(|value| !value.is_finite()) {
            return Err(TrainError::Shape { cause: format!("the target of row {row} is not finite") });
        }
        if self.rows < need {
            return Err(TrainError::too_few(purpose, self.rows, need));
        }
        Ok(())
    }
}
