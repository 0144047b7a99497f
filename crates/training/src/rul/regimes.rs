//! Operating regimes of runs: clusters of the settings, and normal values within each.

use linfa::DatasetBase;
use linfa::traits::{Fit, Predict};
use linfa_clustering::KMeans;
use ndarray::Array2;
use twinwright_kernels::life::LifeRegime;

use super::LifeRun;
use crate::TrainError;
use crate::statistics::mean_deviation;

/// Rows that the clusters are found on.
const ROWS: usize = 4_000;
/// Share of the settings' variance that must be left within clusters at the most: distinct set points leave next to
/// nothing, settings that merely spread leave a quarter or more for any small number of clusters.
const LEFT: f64 = 0.02;
/// Fewest rows of a regime.
const FEWEST: usize = 200;

/// Regimes and the signals that move within them.
pub(super) struct Normals {
    pub(super) regimes: Vec<LifeRegime>,
    pub(super) used: Vec<usize>,
}

/// Finds 1 to `most` regimes, seeded, and each one's normal values.
pub(super) fn find(
    runs: &[&LifeRun],
    width: usize,
    settings: &[usize],
    most: usize,
) -> Result<Normals, TrainError> {
    let rows: Vec<&[f64]> = runs.iter().flat_map(|run| run.values.chunks_exact(width)).collect();
    let spread = |column: usize| {
        let values = rows.iter().map(|row| row[column]);
        mean_deviation(values).unwrap_or((0.0, 0.0))
    };
    let scale: Vec<f64> = settings
        .iter()
        .map(|&column| {
            let (mean, deviation) = spread(column);
            deviation.max(mean.abs() * 1e-3).max(1e-6)
        })
        .collect();
    let centres = centres(&rows, settings, &scale, most)?;
    let nearest = |row: &[f64]| {
        let distance = |centre: &Vec<f64>| -> f64 {
            let parts = settings.iter().enumerate().filter(|(_, column)| row[**column].is_finite());
            parts.map(|(at, &column)| ((row[column] - centre[at]) / scale[at]).powi(2)).sum()
        };
        let distances = centres.iter().map(distance).enumerate();
        distances.min_by(|l, r| l.1.total_cmp(&r.1)).map_or(0, |(at, _)| at)
    };
    let of_row: Vec<usize> = rows.iter().map(|row| nearest(row)).collect();
    let mut moving = vec![false; width];
    let mut regimes = Vec::new();
    for (which, centre) in centres.iter().enumerate() {
        let mut regime =
            LifeRegime { centre: centre.clone(), scale: scale.clone(), mean: vec![], deviation: vec![] };
        for (signal, moving) in moving.iter_mut().enumerate() {
            let members =
                rows.iter().zip(&of_row).filter(|(_, of)| **of == which).map(|(row, _)| row[signal]);
            let (mean, deviation) = mean_deviation(members).unwrap_or_else(|| spread(signal));
            let least = (mean.abs() * 1e-6).max(1e-9);
            *moving |= deviation > least;
            regime.mean.push(mean);
            regime.deviation.push(deviation.max(least));
        }
        regimes.push(regime);
    }
    let used: Vec<usize> = (0..width).filter(|at| moving[*at] && !settings.contains(at)).collect();
    if used.is_empty() {
        return Err(TrainError::numeric(
            "no signal moves within its regime; record signals that wear shows in",
        ));
    }
    Ok(Normals { regimes, used })
}

/// The smallest number of clusters that leaves next to nothing of the settings' variance; one where none does.
fn centres(
    rows: &[&[f64]],
    settings: &[usize],
    scale: &[f64],
    most: usize,
) -> Result<Vec<Vec<f64>>, TrainError> {
    let whole: Vec<&&[f64]> =
        rows.iter().filter(|row| settings.iter().all(|column| row[*column].is_finite())).collect();
    let chosen: Vec<&[f64]> =
        whole.iter().step_by(whole.len().div_ceil(ROWS).max(1)).map(|row| **row).collect();
    let mean = |column: usize| chosen.iter().map(|row| row[column]).sum::<f64>() / chosen.len().max(1) as f64;
    let one = vec![settings.iter().map(|&column| mean(column)).collect::<Vec<f64>>()];
    if settings.is_empty() || chosen.len() < 2 * FEWEST {
        return Ok(one);
    }
    let points = Array2::from_shape_fn((chosen.len(), settings.len()), |(row, at)| {
        (chosen[row][settings[at]] - one[0][at]) / scale[at]
    });
    let variance = points.iter().map(|value| value * value).sum::<f64>();
    if variance <= 0.0 {
        return Ok(one);
    }
    let data = DatasetBase::from(points);
    for count in 2..=most {
        let model = KMeans::params(count).n_runs(3).fit(&data).map_err(TrainError::numeric)?;
        let labels = model.predict(&data.records);
        let within: f64 = data
            .records
            .rows()
            .into_iter()
            .zip(&labels)
            .map(|(row, label)| {
                let centre = model.centroids().row(*label);
                row.iter().zip(centre).map(|(value, centre)| (value - centre).powi(2)).sum::<f64>()
            })
            .sum();
        let fewest = (0..count).map(|which| labels.iter().filter(|label| **label == which).count()).min();
        let enough = fewest.unwrap_or(0) * rows.len() / chosen.len() >= FEWEST;
        if within < LEFT * variance && enough {
            let back = |row: ndarray::ArrayView1<'_, f64>| {
                row.iter().enumerate().map(|(at, value)| one[0][at] + value * scale[at]).collect::<Vec<f64>>()
            };
            let mut centres: Vec<Vec<f64>> = model.centroids().rows().into_iter().map(back).collect();
            centres.sort_by(|l, r| l.partial_cmp(r).unwrap_or(std::cmp::Ordering::Equal));
            return Ok(centres);
        }
    }
    Ok(one)
}
