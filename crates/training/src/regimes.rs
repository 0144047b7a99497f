//! Operating regimes: clusters of the settings, never of the measurements (a fault must not become a regime).

use linfa::DatasetBase;
use linfa::traits::{Fit, Predict};
use linfa_clustering::KMeans;
use ndarray::Array2;

use crate::TrainError;
use crate::rows::Ordered;
use crate::settled::settled;
use crate::statistics::mean_deviation;

/// A regime is worth its own covariance only with this many rows a signal.
const ROWS_A_SIGNAL: usize = 50;
/// Mean silhouette from which clusters are believed: settings that merely spread give about 0.3 to 0.5 for any
/// number of clusters, distinct set points 0.7 and more.
const BELIEVED: f64 = 0.6;
/// Rows that the silhouette looks at: its cost grows with the square.
const SILHOUETTE_ROWS: usize = 400;

/// The regimes found.
pub(crate) struct Regimes {
    /// Centre of each regime, in the settings' units.
    pub(crate) centres: Vec<Vec<f64>>,
    /// Scale of each setting.
    pub(crate) scale: Vec<f64>,
    /// Regime a row.
    pub(crate) of_row: Vec<usize>,
    /// Mean silhouette; 0 for a single regime.
    pub(crate) silhouette: f64,
    /// Rows that had no say in it: between two set points, a glitch, or without their settings.
    pub(crate) passing: usize,
}

/// Finds 1 to `most` regimes. Seeded, hence the same for the same rows.
pub(crate) fn find(rows: &Ordered, settings: &[usize], most: usize) -> Result<Regimes, TrainError> {
    let has_all = |row: &usize| settings.iter().all(|&c| rows.row(*row)[c].is_finite());
    let whole: Vec<usize> = (0..rows.rows()).filter(has_all).collect();
    let whole = if settings.is_empty() { whole } else { settled(rows, settings, whole)? };
    let spread = |&column: &usize| {
        let settled = mean_deviation(whole.iter().map(|&row| rows.row(row)[column]));
        // Settings that never come in one row have a mean each all the same.
        settled.or_else(|| mean_deviation(rows.column(column).collect::<Vec<_>>().into_iter()))
    };
    let spreads: Vec<(f64, f64)> = settings.iter().map(|c| spread(c).unwrap_or((0.0, 1.0))).collect();
    // A setting that never moved chooses nothing, whatever it is divided by.
    let floor = |&(mean, deviation): &(f64, f64)| deviation.max(mean.abs() * 1e-3).max(1e-6);
    let scale: Vec<f64> = spreads.iter().map(floor).collect();
    let mut found = Regimes {
        centres: vec![spreads.iter().map(|(mean, _)| *mean).collect()],
        of_row: vec![0; rows.rows()],
        silhouette: 0.0,
        passing: rows.rows() - whole.len(),
        scale,
    };
    let moved = spreads.iter().any(|(mean, deviation)| *deviation > mean.abs() * 1e-3);
    if settings.is_empty() || !moved {
        return Ok(found);
    }
    let scaled: Vec<f64> = whole
        .iter()
        .flat_map(|&row| settings.iter().zip(&found.scale).map(move |(&c, scale)| rows.row(row)[c] / scale))
        .collect();
    let points =
        Array2::from_shape_vec((whole.len(), settings.len()), scaled).map_err(TrainError::numeric)?;
    for clusters in 2..=most {
        if whole.len() < ROWS_A_SIGNAL * rows.width * clusters {
            break;
        }
        let data = DatasetBase::from(points.clone());
        let model = KMeans::params(clusters).max_n_iterations(200).fit(&data).map_err(TrainError::numeric)?;
        let labels = model.predict(&points).to_vec();
        let smallest =
            (0..clusters).map(|which| labels.iter().filter(|l| **l == which).count()).min().unwrap_or(0);
        if smallest < ROWS_A_SIGNAL * rows.width / 2 {
            continue;
        }
        let silhouette = silhouette(&points, &labels, clusters);
        if silhouette > found.silhouette && silhouette >= BELIEVED {
            found.silhouette = silhouette;
            let unscale = |centre: ndarray::ArrayView1<'_, f64>| {
                centre.iter().zip(&found.scale).map(|(value, scale)| value * scale).collect::<Vec<f64>>()
            };
            found.centres = model.centroids().rows().into_iter().map(unscale).collect();
        }
    }
    // A fixed order, so that the document does not depend on how the clusters were numbered.
    found.centres.sort_by(|left, right| {
        left.iter()
            .zip(right)
            .map(|(l, r)| l.total_cmp(r))
            .find(|o| o.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    found.of_row = assign(rows, settings, &found.centres, &found.scale);
    Ok(found)
}

/// The nearest centre of each row, as the kernels choose it; a row without settings stays where its device was.
fn assign(rows: &Ordered, settings: &[usize], centres: &[Vec<f64>], scale: &[f64]) -> Vec<usize> {
    let mut last = vec![0; rows.devices];
    (0..rows.rows())
        .map(|row| {
            let values = rows.row(row);
            let distance = |centre: &Vec<f64>| -> f64 {
                settings
                    .iter()
                    .enumerate()
                    .filter(|(_, column)| values[**column].is_finite())
                    .map(|(at, &column)| ((values[column] - centre[at]) / scale[at]).powi(2))
                    .sum()
            };
            let last = &mut last[rows.device[row] as usize];
            if settings.iter().any(|&column| values[column].is_finite()) {
                let nearest = centres.iter().map(distance).enumerate().min_by(|l, r| l.1.total_cmp(&r.1));
                *last = nearest.map_or(0, |(at, _)| at);
            }
            *last
        })
        .collect()
}

/// Mean silhouette over an even selection of the rows.
fn silhouette(points: &Array2<f64>, labels: &[usize], clusters: usize) -> f64 {
    let step = labels.len().div_ceil(SILHOUETTE_ROWS).max(1);
    let chosen: Vec<usize> = (0..labels.len()).step_by(step).collect();
    let mut total = 0.0;
    for &row in &chosen {
        let mut sums = vec![0.0; clusters];
        let mut counts = vec![0_usize; clusters];
        for &other in chosen.iter().filter(|other| **other != row) {
            let squared: f64 =
                points.row(row).iter().zip(points.row(other)).map(|(l, r)| (l - r) * (l - r)).sum();
            sums[labels[other]] += squared.sqrt();
            counts[labels[other]] += 1;
        }
        let mean = |which: usize| sums[which] / counts[which].max(1) as f64;
        let own = mean(labels[row]);
        let nearest = (0..clusters).filter(|&w| w != labels[row]).map(mean).fold(f64::INFINITY, f64::min);
        let larger = own.max(nearest);
        total += if larger > 0.0 { (nearest - own) / larger } else { 0.0 };
    }
    total / chosen.len().max(1) as f64
}
