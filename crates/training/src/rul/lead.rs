//! How long before a failure an alert would have come.

/// Rows in a row at or below the limit that make an alert.
pub const ROWS_TO_ALERT: usize = 3;

/// Lead times over runs to failure.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Leads {
    /// What truly remained when the alert came, one a run; `None` where none came.
    pub of_run: Vec<Option<f64>>,
}

impl Leads {
    /// From estimates and truth of whole runs: an alert comes when [`ROWS_TO_ALERT`] estimates in a row, from row
    /// `warm` on, are at most `limit`.
    pub fn of(estimate: &[Vec<f64>], truth: &[Vec<f64>], limit: f64, warm: usize) -> Self {
        let one = |(estimate, truth): (&Vec<f64>, &Vec<f64>)| {
            let mut below = 0;
            for (row, (estimate, truth)) in estimate.iter().zip(truth).enumerate() {
                below = if row + 1 >= warm && *estimate <= limit { below + 1 } else { 0 };
                if below == ROWS_TO_ALERT {
                    return Some(*truth);
                }
            }
            None
        };
        Self { of_run: estimate.iter().zip(truth).map(one).collect() }
    }

    /// Runs whose alert left at least `time`.
    pub fn at_least(&self, time: f64) -> usize {
        self.of_run.iter().flatten().filter(|lead| **lead >= time).count()
    }

    /// Runs whose alert came while more than `time` was left: too early to act on.
    pub fn early(&self, time: f64) -> usize {
        self.of_run.iter().flatten().filter(|lead| **lead > time).count()
    }

    /// A quantile of the lead times; a run without an alert counts as 0.
    pub fn quantile(&self, share: f64) -> f64 {
        let mut leads: Vec<f64> = self.of_run.iter().map(|lead| lead.unwrap_or(0.0)).collect();
        crate::statistics::quantile(&mut leads, share).unwrap_or(f64::NAN)
    }
}
