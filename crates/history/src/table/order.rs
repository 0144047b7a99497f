//! Rows picked out of columns.

use std::ops::Range;

/// Rows of a run that are worth a copy of their own, on average.
const SHORT_RUN: usize = 8;

/// Rows in an order. Those of one device and batch lie behind each other: then they are copied as they lie.
pub(super) enum Order<'a> {
    Rows(&'a [u32]),
    Runs(Vec<Range<usize>>),
}

impl<'a> Order<'a> {
    pub(super) fn of(rows: &'a [u32]) -> Self {
        let mut runs: Vec<Range<usize>> = Vec::new();
        for run in rows.chunk_by(|&a, &b| a.wrapping_add(1) == b) {
            if (runs.len() + 1) * SHORT_RUN > rows.len() {
                return Self::Rows(rows);
            }
            let start = run[0] as usize;
            runs.push(start..start + run.len());
        }
        Self::Runs(runs)
    }

    /// Replaces what is in `target`.
    pub(super) fn pick<T: Copy>(&self, values: &[T], target: &mut Vec<T>) {
        target.clear();
        match self {
            Self::Rows(rows) => target.extend(rows.iter().map(|&row| values[row as usize])),
            Self::Runs(runs) => runs.iter().for_each(|run| target.extend_from_slice(&values[run.clone()])),
        }
    }
}
