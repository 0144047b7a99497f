//! One name for each signal and state in all files of the history, so that a table over many days has one type a
//! column. Names are given once and never taken back; they differ without regard to case and have no character that
//! Delta Lake forbids.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::segment::{FIXED, Kind, free_name, safe_name};

/// A signal's or state's column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnName {
    /// Name of the column.
    pub column: String,
    /// Name of the signal or state, as the device sends it.
    pub name: Arc<str>,
    /// Signal or state.
    pub kind: Kind,
}

/// The names given so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registry {
    columns: Vec<ColumnName>,
    numbers: HashMap<(Kind, Arc<str>), usize>,
    taken: HashSet<String>,
}

impl Registry {
    pub(crate) fn new(columns: &[ColumnName]) -> Self {
        let numbers = columns.iter().enumerate();
        let fixed = FIXED.iter().map(|name| (*name).to_owned()).chain(["epoch", "date"].map(str::to_owned));
        Self {
            columns: columns.to_vec(),
            numbers: numbers.map(|(at, column)| ((column.kind, Arc::clone(&column.name)), at)).collect(),
            taken: fixed.chain(columns.iter().map(|column| column.column.to_lowercase())).collect(),
        }
    }

    pub(crate) fn columns(&self) -> &[ColumnName] {
        &self.columns
    }

    pub(crate) fn find(&self, kind: Kind, name: &Arc<str>) -> Option<usize> {
        self.numbers.get(&(kind, Arc::clone(name))).copied()
    }

    /// The number of a signal or state, with a new column where it has none.
    pub(crate) fn assign(&mut self, kind: Kind, name: &Arc<str>) -> usize {
        if let Some(number) = self.find(kind, name) {
            return number;
        }
        let safe: String = safe_name(name)
            .chars()
            .map(|c| if matches!(c, ' ' | ',' | ';' | '{' | '}' | '(' | ')' | '=') { '_' } else { c })
            .collect();
        let column = free_name(safe, kind, &mut self.taken);
        let number = self.columns.len();
        self.columns.push(ColumnName { column, name: Arc::clone(name), kind });
        self.numbers.insert((kind, Arc::clone(name)), number);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_given_once_and_stay() {
        let mut registry = Registry { taken: Registry::new(&[]).taken, ..Registry::default() };
        let mut name = |kind, name: &str| {
            let number = registry.assign(kind, &Arc::from(name));
            registry.columns[number].column.clone()
        };
        assert_eq!(name(Kind::Signal, "speed"), "speed");
        assert_eq!(name(Kind::State, "Speed"), "Speed_state");
        assert_eq!(name(Kind::Signal, "ts"), "ts_signal");
        assert_eq!(name(Kind::Signal, "date"), "date_signal");
        assert_eq!(name(Kind::Signal, "a b(c)"), "a_b_c_");
        assert_eq!(name(Kind::Signal, "a_b_c_"), "a_b_c__signal");
        assert_eq!(name(Kind::Signal, "speed"), "speed");
        let again = Registry::new(registry.columns());
        assert_eq!(again.find(Kind::State, &"Speed".into()), Some(1));
        assert_eq!(again.find(Kind::State, &"speed".into()), None);
    }
}
