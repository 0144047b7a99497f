//! The curve between events: its integral, mean and ends in each bucket.

use twinwright_core::time::{Micros, SECOND};

use crate::Value;
use crate::interval::Grid;
use crate::request::InterpolationKind;
use crate::tsx::Aggregate;
use crate::value::finite;

#[derive(Clone, Copy, Debug, Default)]
struct Part {
    integral: f64,
    covered: f64,
    left: Option<f64>,
    right: Option<f64>,
}

/// A curve that grows event by event.
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    kind: InterpolationKind,
    parts: Vec<Part>,
    last: Option<(Micros, f64)>,
}

#[expect(clippy::cast_precision_loss, reason = "a time within a bucket")]
fn seconds(span: Micros) -> f64 {
    span as f64 / SECOND as f64
}

impl Curve {
    pub(crate) fn new(kind: InterpolationKind, grid: &Grid) -> Self {
        Self { kind, parts: vec![Part::default(); grid.count], last: None }
    }

    /// The next event; one of the same time takes the place of the one before.
    pub(crate) fn point(&mut self, grid: &Grid, time: Micros, value: f64) {
        if let Some((since, before)) = self.last.filter(|(since, _)| *since < time) {
            let end = match self.kind {
                InterpolationKind::Linear => value,
                InterpolationKind::Step => before,
            };
            self.cover(grid, (since, before), (time, end));
        }
        // An event at the very start of a bucket is its left end, also where nothing follows.
        if let Some(at) = grid.bucket(time).filter(|at| grid.time(*at).max(grid.from) == time) {
            self.parts[at].left = Some(value);
        }
        self.last = Some((time, value));
    }

    /// Nothing comes any more: a step holds to the end.
    pub(crate) fn end(&mut self, grid: &Grid) {
        if let Some((since, value)) = self.last.filter(|(since, _)| *since < grid.to)
            && self.kind == InterpolationKind::Step
        {
            self.cover(grid, (since, value), (grid.to, value));
        }
    }

    fn cover(&mut self, grid: &Grid, (since, first): (Micros, f64), (until, last): (Micros, f64)) {
        let (from, to) = (since.max(grid.from), until.min(grid.to));
        let slope = (last - first) / seconds(until - since);
        let value = |time: Micros| if time == until { last } else { first + slope * seconds(time - since) };
        let Some(mut at) = grid.bucket(from) else { return };
        while at < grid.count {
            let (begin, end) = (grid.time(at).max(grid.from), grid.time(at + 1).min(grid.to));
            let (low, high) = (begin.max(from), end.min(to));
            if low >= high {
                break;
            }
            let part = &mut self.parts[at];
            let (a, b) = (value(low), value(high));
            part.integral += (a + b) / 2.0 * seconds(high - low);
            part.covered += seconds(high - low);
            if low == begin {
                part.left = Some(a);
            }
            if high == end {
                part.right = Some(b);
            }
            at += 1;
        }
    }

    pub(crate) fn value(&self, bucket: usize, aggregate: Aggregate) -> Value {
        let Some(part) = self.parts.get(bucket) else { return Value::Null };
        let of = |value: Option<f64>| value.map_or(Value::Null, finite);
        match aggregate {
            Aggregate::Left => of(part.left),
            Aggregate::Right => of(part.right),
            _ if part.covered <= 0.0 => Value::Null,
            Aggregate::TimeWeightedSum => finite(part.integral),
            _ => finite(part.integral / part.covered),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(kind: InterpolationKind, points: &[(i64, f64)], aggregate: Aggregate) -> Vec<Value> {
        let grid = Grid::new(0, 40 * SECOND, 10 * SECOND).unwrap();
        let mut curve = Curve::new(kind, &grid);
        points.iter().for_each(|(time, value)| curve.point(&grid, time * SECOND, *value));
        curve.end(&grid);
        (0..grid.count).map(|at| curve.value(at, aggregate)).collect()
    }

    const POINTS: [(i64, f64); 3] = [(-10, 0.0), (10, 20.0), (25, 5.0)];

    #[test]
    fn steps_hold_and_lines_join() {
        use Aggregate::{Left, Right, TimeWeightedAvg, TimeWeightedSum};
        use InterpolationKind::{Linear, Step};
        let double = Value::Double;
        assert_eq!(values(Step, &POINTS, Left), [double(0.0), double(20.0), double(20.0), double(5.0)]);
        assert_eq!(values(Step, &POINTS, Right), [double(0.0), double(20.0), double(5.0), double(5.0)]);
        assert_eq!(
            values(Step, &POINTS, TimeWeightedSum),
            [double(0.0), double(200.0), double(125.0), double(50.0)]
        );
        assert_eq!(values(Step, &POINTS, TimeWeightedAvg)[2], double(12.5));
        assert_eq!(values(Linear, &POINTS, Left), [double(10.0), double(20.0), double(10.0), Value::Null]);
        assert_eq!(values(Linear, &POINTS, Right), [double(20.0), double(10.0), Value::Null, Value::Null]);
        assert_eq!(values(Linear, &POINTS, TimeWeightedSum)[..2], [double(150.0), double(150.0)]);
        // Only half of the third bucket is known.
        assert_eq!(values(Linear, &POINTS, TimeWeightedAvg)[2], double(7.5));
        assert_eq!(values(Linear, &[(10, 1.0)], Left), [Value::Null, double(1.0), Value::Null, Value::Null]);
        assert_eq!(values(Step, &[], Left), vec![Value::Null; 4]);
    }
}
