//! k-means: linfa on a sample, then full passes of Lloyd's algorithm.

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_clustering::KMeans;
use ndarray::Array2;
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng as _;

use super::{Block, LANES, RowSource, reduce, sample};
use crate::TrainError;

/// Full passes at the most.
const PASSES: usize = 300;
/// Squared movement of the centres, over the mean variance of the signals, that counts as standing still: what
/// scikit-learn calls `tol`.
const STILL: f64 = 1e-4;

/// Clusters of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Clusters {
    /// Centres, row-major.
    pub centres: Vec<f64>,
    /// Rows of each cluster.
    pub sizes: Vec<u64>,
    /// Sum of squared distances to the nearest centre.
    pub inertia: f64,
    /// Full passes that it took.
    pub passes: usize,
}

/// Beginnings that linfa tries, the best of which is refined: its k-means++ draws one candidate for each centre, and
/// about every third draw ends in a poor optimum where clusters are far apart.
const BEGINNINGS: usize = 16;
/// Rows that it tries them on.
const BEGIN_ROWS: usize = 5_000;

struct Sums {
    centres: Vec<f64>,
    sizes: Vec<u64>,
    inertia: f64,
}

/// Finds `clusters` clusters; the same for the same rows and seed.
///
/// # Errors
/// [`TrainError`]: fewer rows than clusters, values that are not finite, a source that fails.
pub fn kmeans(source: &dyn RowSource, clusters: usize, seed: u64) -> Result<Clusters, TrainError> {
    let width = source.width();
    let (rows, seen) = sample(source, seed)?;
    if clusters == 0 || seen < clusters {
        return Err(TrainError::too_few("clusters", seen, clusters.max(1)));
    }
    // An even part of the sample is enough to begin with, and many beginnings matter more than many rows.
    let step = (rows.len() / width).div_ceil(BEGIN_ROWS).max(1);
    let rows: Vec<f64> = rows.chunks_exact(width).step_by(step).flatten().copied().collect();
    let records = Array2::from_shape_vec((rows.len() / width, width), rows).map_err(TrainError::numeric)?;
    let variance = records.var_axis(ndarray::Axis(0), 0.0).mean().unwrap_or(0.0);
    let random = Xoshiro256Plus::seed_from_u64(seed);
    let model = KMeans::params_with_rng(clusters, random)
        .n_runs(BEGINNINGS)
        .tolerance(1e-4)
        .fit(&DatasetBase::from(records))
        .map_err(TrainError::numeric)?;
    let mut found = Clusters {
        centres: model.centroids().iter().copied().collect(),
        sizes: vec![0; clusters],
        inertia: 0.0,
        passes: 0,
    };
    while found.passes < PASSES {
        let sums = pass(source, &found.centres, clusters)?;
        found.passes += 1;
        let mut moved = 0.0;
        for (which, size) in sums.sizes.iter().enumerate().filter(|(_, size)| **size > 0) {
            let centre = &mut found.centres[which * width..(which + 1) * width];
            for (centre, sum) in centre.iter_mut().zip(&sums.centres[which * width..]) {
                let mean = sum / *size as f64;
                moved += (mean - *centre) * (mean - *centre);
                *centre = mean;
            }
        }
        (found.sizes, found.inertia) = (sums.sizes, sums.inertia);
        if moved <= STILL * variance {
            break;
        }
    }
    Ok(found)
}

fn pass(source: &dyn RowSource, centres: &[f64], clusters: usize) -> Result<Sums, TrainError> {
    let width = source.width();
    let zero = || Sums { centres: vec![0.0; clusters * width], sizes: vec![0; clusters], inertia: 0.0 };
    let visit = |sums: &mut Sums, block: &Block| {
        let (mut best, mut nearest) = ([f64::INFINITY; LANES], [0_usize; LANES]);
        for (which, centre) in centres.chunks_exact(width).enumerate() {
            let mut distance = [0.0; LANES];
            for (column, centre) in block.columns.iter().zip(centre) {
                for lane in 0..LANES {
                    let offset = column[lane] - centre;
                    distance[lane] += offset * offset;
                }
            }
            for lane in 0..LANES {
                let closer = distance[lane] < best[lane];
                best[lane] = if closer { distance[lane] } else { best[lane] };
                nearest[lane] = if closer { which } else { nearest[lane] };
            }
        }
        for lane in 0..block.rows {
            sums.inertia += best[lane];
            sums.sizes[nearest[lane]] += 1;
            let sum = &mut sums.centres[nearest[lane] * width..(nearest[lane] + 1) * width];
            sum.iter_mut().zip(&block.columns).for_each(|(sum, column)| *sum += column[lane]);
        }
    };
    reduce(source, zero, visit, |total, part| {
        total.centres.iter_mut().zip(part.centres).for_each(|(total, part)| *total += part);
        total.sizes.iter_mut().zip(part.sizes).for_each(|(total, part)| *total += part);
        total.inertia += part.inertia;
    })
}
