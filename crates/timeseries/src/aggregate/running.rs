//! Aggregates of a bucket that is still open.

use std::cmp::Ordering;

use crate::tsx::Aggregate;
use crate::value::finite;
use crate::{QueryError, Value};

/// Values of one bucket that `median` looks at.
const MOST_MEDIAN: usize = 5_000_000;

/// Running aggregates of one open bucket.
#[derive(Clone, Debug, Default)]
pub(super) struct Running {
    count: i64,
    sum: f64,
    mean: f64,
    squares: f64,
    numbers: f64,
    min: Value,
    max: Value,
    first: Value,
    last: Value,
    all: Vec<Value>,
}

impl Running {
    pub(super) fn add(&mut self, aggregate: Aggregate, value: Value) -> Result<(), QueryError> {
        self.count += 1;
        match aggregate {
            Aggregate::Count => {}
            Aggregate::Sum | Aggregate::Avg | Aggregate::Stdev => {
                if let Some(number) = value.number() {
                    // Welford's way: no difference of large squares.
                    self.numbers += 1.0;
                    self.sum += number;
                    let distance = number - self.mean;
                    self.mean += distance / self.numbers;
                    self.squares += distance * (number - self.mean);
                }
            }
            Aggregate::Min if self.min.is_null() || value.order(&self.min) == Some(Ordering::Less) => {
                self.min = value
            }
            Aggregate::Max if self.max.is_null() || value.order(&self.max) == Some(Ordering::Greater) => {
                self.max = value
            }
            Aggregate::First if self.first.is_null() => self.first = value,
            Aggregate::Last => self.last = value,
            Aggregate::Median => {
                if self.all.len() >= MOST_MEDIAN {
                    let message = format!(
                        "a bucket has more than {MOST_MEDIAN} values for median: ask for a narrower interval"
                    );
                    return Err(QueryError::limit("interval", message));
                }
                self.all.push(value);
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, aggregate: Aggregate) -> Value {
        let run = std::mem::take(self);
        let of_numbers = |value: f64| if run.numbers > 0.0 { finite(value) } else { Value::Null };
        match aggregate {
            Aggregate::Count => Value::Long(run.count),
            Aggregate::Sum => of_numbers(run.sum),
            Aggregate::Avg => of_numbers(run.sum / run.numbers),
            Aggregate::Stdev if run.numbers > 1.0 => {
                finite((run.squares / (run.numbers - 1.0)).max(0.0).sqrt())
            }
            Aggregate::Min => run.min,
            Aggregate::Max => run.max,
            Aggregate::First => run.first,
            Aggregate::Last => run.last,
            // The middle event by time, as the language has it, not the middle value.
            Aggregate::Median if !run.all.is_empty() => run.all[(run.all.len() - 1) / 2].clone(),
            _ => Value::Null,
        }
    }
}
