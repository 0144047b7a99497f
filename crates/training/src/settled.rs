//! Which rows tell of a set point: not the passage from one to the next, and not a sensor's glitch, which would be a cluster
//! of its own and stretch the scale for all others.

use linfa::traits::Transformer;
use linfa_clustering::Dbscan;
use ndarray::Array2;

use crate::TrainError;
use crate::rows::Ordered;
use crate::statistics::quantile;

/// Rows that are looked at: the cost grows with their square.
const SAMPLE: usize = 1_000;
/// Its multiples come near to no fraction.
const GOLDEN: f64 = 0.618_033_988_749_894_9;
/// Fewer rows than this say nothing about which of them are lonely.
const FEWEST: usize = 100;
/// Share of the rows that a set point has around each of its own.
const SHARE: f64 = 0.01;
/// How near "around" is, in parts of the span between the first and the last hundredth.
const NEAR: f64 = 0.1;

/// The `rows` whose settings lie near a cluster of DBSCAN (Ester, Kriegel, Sander and Xu, 1996); all, where there is none.
/// All of them have all settings.
pub(crate) fn settled(
    data: &Ordered,
    settings: &[usize],
    rows: Vec<usize>,
) -> Result<Vec<usize>, TrainError> {
    // Spread by the golden ratio, because machines do things every second or tenth row.
    let spread = |at: usize| ((at as f64 * GOLDEN).fract() * rows.len() as f64) as usize;
    let sample: Vec<usize> = (0..rows.len().min(SAMPLE)).map(|at| rows[spread(at)]).collect();
    if sample.len() < FEWEST {
        return Ok(rows);
    }
    let span = |&column: &usize| {
        let mut values: Vec<f64> = sample.iter().map(|&row| data.row(row)[column]).collect();
        let high = quantile(&mut values, 1.0 - SHARE).unwrap_or(0.0);
        let (low, middle) = (quantile(&mut values, SHARE), quantile(&mut values, 0.5));
        // A setting that stands still moves by its resolution.
        (high - low.unwrap_or(0.0)).max(middle.unwrap_or(0.0).abs() * 1e-3).max(1e-6)
    };
    let spans: Vec<f64> = settings.iter().map(span).collect();
    let point =
        |row: usize| settings.iter().zip(&spans).map(move |(&column, span)| data.row(row)[column] / span);
    let points: Vec<f64> = sample.iter().flat_map(|&row| point(row)).collect();
    let points =
        Array2::from_shape_vec((sample.len(), settings.len()), points).map_err(TrainError::numeric)?;
    let around = ((sample.len() as f64 * SHARE) as usize).max(3);
    let clusters = Dbscan::params(around).tolerance(NEAR).transform(&points).map_err(TrainError::numeric)?;
    let count = clusters.iter().flatten().max().map_or(0, |last| last + 1);
    if count == 0 {
        return Ok(rows);
    }
    // Each cluster's box, a little wider: what was not looked at is as near as what was.
    let mut boxes = vec![vec![(f64::INFINITY, f64::NEG_INFINITY); settings.len()]; count];
    for (point, cluster) in points.rows().into_iter().zip(&clusters) {
        let Some(cluster) = cluster else { continue };
        for ((low, high), value) in boxes[*cluster].iter_mut().zip(point) {
            (*low, *high) = (low.min(value - NEAR / 2.0), high.max(value + NEAR / 2.0));
        }
    }
    let inside = |row: usize, sides: &[(f64, f64)]| {
        sides.iter().zip(point(row)).all(|((low, high), value)| (*low..=*high).contains(&value))
    };
    Ok(rows.into_iter().filter(|&row| boxes.iter().any(|sides| inside(row, sides))).collect())
}
