//! Running the real kernels over rows.

use twinwright_kernels::{Answer, Baseline, Batch, EwmaChart, Kernel, SmoothedMahalanobis, status};

use crate::TrainError;
use crate::rows::Ordered;

/// The two scorers' names, as baselines list them.
pub(crate) const SCORERS: [&str; 2] = [SmoothedMahalanobis::NAME, EwmaChart::NAME];

/// Answers of both kernels over all rows, each device starting without state; order of [`SCORERS`].
pub(crate) fn run(baseline: &Baseline, rows: &Ordered) -> Result<[Answer; 2], TrainError> {
    Ok([run_one::<SmoothedMahalanobis>(baseline, rows)?, run_one::<EwmaChart>(baseline, rows)?])
}

fn run_one<K: Kernel>(baseline: &Baseline, rows: &Ordered) -> Result<Answer, TrainError> {
    let mask: Vec<u8> = rows.values.iter().map(|value| u8::from(value.is_nan())).collect();
    let batch = Batch {
        signals: rows.width,
        device: &rows.device,
        time: &rows.time,
        values: &rows.values,
        mask: &mask,
        state: &[],
        state_ends: &vec![0; rows.devices],
    };
    K::new(baseline).map_err(TrainError::numeric)?.score(&batch).map_err(TrainError::numeric)
}

/// Scores that count.
pub(crate) fn scores(answer: &Answer) -> Vec<f64> {
    let counts = |(score, row_status): (&f64, &u8)| (*row_status == status::OK).then_some(*score);
    answer.scores.iter().zip(&answer.status).filter_map(counts).collect()
}
