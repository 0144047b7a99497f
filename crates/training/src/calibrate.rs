//! Running the real kernels over rows.

use twinwright_kernels::{
    Answer, Baseline, Batch, EwmaChart, GaussianMixture, Kernel, PcaT2Q, RangeExtension, SmoothedMahalanobis,
    status,
};

use crate::TrainError;
use crate::rows::Ordered;

/// The scorers that every baseline has a limit for.
pub(crate) const ALWAYS: [&str; 2] = [SmoothedMahalanobis::NAME, EwmaChart::NAME];
/// All scorers that baselines are fitted for.
pub const SCORERS: [&str; 5] =
    [SmoothedMahalanobis::NAME, EwmaChart::NAME, PcaT2Q::NAME, RangeExtension::NAME, GaussianMixture::NAME];

/// Answers of a baseline's kernels over all rows, each device starting without state; order of its `scorers`.
pub(crate) fn run(baseline: &Baseline, rows: &Ordered) -> Result<Vec<Answer>, TrainError> {
    baseline.scorers.iter().map(|name| run_named(name, baseline, rows)).collect()
}

/// Answer of one kernel.
pub(crate) fn run_named(name: &str, baseline: &Baseline, rows: &Ordered) -> Result<Answer, TrainError> {
    match name {
        SmoothedMahalanobis::NAME => run_one::<SmoothedMahalanobis>(baseline, rows),
        EwmaChart::NAME => run_one::<EwmaChart>(baseline, rows),
        PcaT2Q::NAME => run_one::<PcaT2Q>(baseline, rows),
        RangeExtension::NAME => run_one::<RangeExtension>(baseline, rows),
        GaussianMixture::NAME => run_one::<GaussianMixture>(baseline, rows),
        other => Err(TrainError::UnknownScorer { scorer: other.to_owned() }),
    }
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
