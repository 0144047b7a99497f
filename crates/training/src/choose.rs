//! Which scorer for this history, and why: rules fixed beforehand that look at training rows alone.

use serde::Serialize;
use twinwright_kernels::{EwmaChart, Kernel, PcaT2Q, RangeExtension, SmoothedMahalanobis};

use crate::statistics::mean_deviation;
use crate::{Matrix, Options, TrainError};

/// From so many signals on, faults show in relations between signals rather than in single ones.
const MANY_SIGNALS: usize = 30;
/// Windows a pair of signals below which the covariance of window means is not known well enough.
const WINDOWS_A_PAIR: usize = 2;

/// A scorer with the options to fit it, and the reasons.
#[derive(Clone, Debug, Serialize)]
pub struct Choice {
    /// Scorer.
    pub scorer: String,
    /// Options with the chosen scorer among the fitted ones.
    #[serde(skip)]
    pub options: Options,
    /// Why, one rule a line, in the order in which they were tried.
    pub reasons: Vec<String>,
}

/// Chooses among the shipped scorers.
///
/// # Errors
/// [`TrainError`] where the rows do not fit together, or an asset's settings are not among its signals.
pub fn choose(
    signals: &[String],
    settings: &[String],
    rows: &Matrix<'_>,
    options: &Options,
) -> Result<Choice, TrainError> {
    if let Some(setting) = settings.iter().find(|setting| !signals.contains(setting)) {
        return Err(TrainError::UnknownSetting { setting: setting.clone() });
    }
    let ordered = rows.ordered(signals.len())?;
    let mut reasons = Vec::new();
    let measured: Vec<usize> = (0..signals.len()).filter(|at| !settings.contains(&signals[*at])).collect();
    let moving = |at: &&usize| {
        let column: Vec<f64> = ordered.column(**at).collect();
        mean_deviation(column.into_iter()).is_some_and(|(_, deviation)| deviation > 0.0)
    };
    let moves = measured.iter().filter(moving).count();
    if moves < measured.len() {
        reasons.push(format!(
            "{} of {} signals never moved in training",
            measured.len() - moves,
            measured.len()
        ));
    }
    let windows = ordered.rows() / options.window_rows.max(1);
    let scorer = if measured.len() == 1 {
        reasons.push(format!(
            "one signal ({}): its range says more than its mean, so {}",
            signals[measured[0]],
            RangeExtension::NAME
        ));
        RangeExtension::NAME
    } else if measured.len() >= MANY_SIGNALS && ordered.rows() >= 4 * measured.len() {
        reasons.push(format!(
            "{} signals (from {MANY_SIGNALS} on): relations between them say most, so {}",
            measured.len(),
            PcaT2Q::NAME
        ));
        PcaT2Q::NAME
    } else if windows < WINDOWS_A_PAIR * measured.len() * measured.len().max(8) {
        reasons.push(format!(
            "{windows} windows of {} rows for {} signals: too few to know how they move together, so {}",
            options.window_rows,
            measured.len(),
            EwmaChart::NAME
        ));
        EwmaChart::NAME
    } else {
        reasons.push(format!(
            "{windows} windows of {} rows for {} signals: enough to know how they move together, so {}",
            options.window_rows,
            measured.len(),
            SmoothedMahalanobis::NAME
        ));
        SmoothedMahalanobis::NAME
    };
    if ordered.rows() as f64 * options.slow_alpha <= 20.0 {
        reasons.push(format!(
            "short history ({} rows): signals that wander in it (correlation above {} at {} rows) are compared with \
             their own slow mean",
            ordered.rows(),
            options.wander_correlation,
            options.window_rows
        ));
    }
    if !settings.is_empty() {
        reasons.push(format!("operating settings {}: regimes where they form clusters", settings.join(", ")));
    }
    let mut options = options.clone();
    if !options.wants(scorer) {
        options.extra_scorers.push(scorer.to_owned());
    }
    Ok(Choice { scorer: scorer.to_owned(), options, reasons })
}
