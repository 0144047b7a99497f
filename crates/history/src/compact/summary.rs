//! What a span of values comes to.

/// What is known of the values of a signal in a span of time. Absent values count nowhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Number of values.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// Sum of their squares.
    pub sum_of_squares: f64,
    /// The earliest.
    pub first: f64,
    /// The latest.
    pub last: f64,
}

impl Summary {
    /// Of no value.
    pub const EMPTY: Self = Self {
        count: 0,
        sum: 0.0,
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
        sum_of_squares: 0.0,
        first: f64::NAN,
        last: f64::NAN,
    };

    /// Of values in the order of time.
    pub(super) fn of(values: &[f64]) -> Self {
        let mut summary = Self::EMPTY;
        let (&[first, ..], &[.., last]) = (values, values) else { return summary };
        if values.iter().fold(false, |any, value| any | value.is_nan()) {
            summary.add(values);
            return summary;
        }
        (summary.count, summary.first, summary.last) = (values.len() as u64, first, last);
        for &value in values {
            summary.sum += value;
            summary.sum_of_squares += value * value;
            summary.min = if value < summary.min { value } else { summary.min };
            summary.max = if value > summary.max { value } else { summary.max };
        }
        summary
    }

    /// Adds values in the order of time, later than all before.
    pub fn add(&mut self, values: &[f64]) {
        for &value in values {
            if value.is_nan() {
                continue;
            }
            if self.count == 0 {
                self.first = value;
            }
            self.last = value;
            self.count += 1;
            self.sum += value;
            self.sum_of_squares += value * value;
            self.min = if value < self.min { value } else { self.min };
            self.max = if value > self.max { value } else { self.max };
        }
    }

    /// Adds what is known of a later span.
    pub fn merge(&mut self, later: &Self) {
        if later.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *later;
            return;
        }
        self.count += later.count;
        self.sum += later.sum;
        self.sum_of_squares += later.sum_of_squares;
        self.min = self.min.min(later.min);
        self.max = self.max.max(later.max);
        self.last = later.last;
    }

    /// In the order of a roll-up's columns.
    pub(super) const fn values(&self) -> [f64; 6] {
        [self.sum, self.min, self.max, self.sum_of_squares, self.first, self.last]
    }

    /// The mean; `None` of no value.
    pub fn mean(&self) -> Option<f64> {
        #[allow(clippy::cast_precision_loss, reason = "no signal has 2^53 values in a bucket")]
        let count = self.count as f64;
        (self.count > 0).then(|| self.sum / count)
    }
}
