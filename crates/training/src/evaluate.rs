//! Whether a candidate may replace the baseline in force.

use std::collections::BTreeMap;

use twinwright_kernels::{Baseline, linear, status};

use crate::calibrate::{self, ALWAYS};
use crate::faults::{Fault, found};
use crate::rows::Ordered;
use crate::{Candidate, Matrix, TrainError};

/// What is tolerated.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Share of the rows that a first baseline may call abnormal, and below which false alarms count as equal.
    pub false_alarms: f64,
    /// Share of the rows that the baseline in force may call abnormal; above it, the rows themselves are
    /// suspect: a machine that is failing must not teach that failing is normal.
    pub suspect: f64,
    /// By how much the mean negative log-likelihood a signal may be worse (nats): below it is chance.
    pub likelihood_slack: f64,
    /// Fewest scored rows that allow a verdict.
    pub rows: usize,
}

impl Default for Evaluation {
    fn default() -> Self {
        Self { false_alarms: 0.01, suspect: 0.2, likelihood_slack: 0.05, rows: 50 }
    }
}

/// The decision, with its reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Whether the candidate may take over.
    pub promote: bool,
    /// Why, in words.
    pub reason: String,
    /// `candidate.…` and `reference.…` figures.
    pub metrics: BTreeMap<String, f64>,
}

struct Figures {
    /// Highest share of rows above the limit among the scorers.
    false_alarms: f64,
    mean_score: f64,
    likelihood: f64,
    rows: usize,
}

/// Compares on `holdout`: recent rows, in the signal order of the candidate, that the candidate was not fitted on
/// (its calibration rows may be among them); and on `faults` that people labelled, which `scorer` is to find.
///
/// # Errors
/// [`TrainError`] where the rows do not fit the candidate, or are too few.
pub fn evaluate(
    candidate: &Candidate,
    reference: Option<&Baseline>,
    holdout: &Matrix<'_>,
    (scorer, faults): (&str, &[Fault<'_>]),
    tolerance: &Evaluation,
) -> Result<Verdict, TrainError> {
    let rows = holdout.ordered(candidate.baseline.width())?;
    let ours = figures(&candidate.baseline, &rows)?;
    if ours.rows < tolerance.rows {
        return Err(TrainError::too_few("the evaluation", ours.rows, tolerance.rows));
    }
    let mut metrics = BTreeMap::new();
    note(&mut metrics, "candidate", &ours);
    let we_find = found(&candidate.baseline, scorer, faults, ours.false_alarms)?;
    if we_find.scored > 0 {
        metrics.insert("labelled_faults".to_owned(), we_find.scored as f64);
        metrics.insert("candidate.faults_found".to_owned(), we_find.found as f64);
    }
    let verdict = |promote, reason: String, metrics| Ok(Verdict { promote, reason, metrics });
    let Some(reference) = reference else {
        let promote = ours.false_alarms <= tolerance.false_alarms;
        let (alarms, most) = (percent(ours.false_alarms), percent(tolerance.false_alarms));
        let reason = if promote {
            format!("first baseline, {alarms} of the held-out rows above the limit")
        } else {
            format!(
                "{alarms} of the held-out rows are above the limit, at most {most} are allowed; train on more rows"
            )
        };
        return verdict(promote, reason, metrics);
    };
    if reference.signals != candidate.baseline.signals {
        let reason = "the signals changed, so the two cannot be compared; promote it by hand".to_owned();
        return verdict(false, reason, metrics);
    }
    let theirs = figures(reference, &rows)?;
    note(&mut metrics, "reference", &theirs);
    if theirs.rows < tolerance.rows {
        return Err(TrainError::too_few(
            "the evaluation by the baseline in force",
            theirs.rows,
            tolerance.rows,
        ));
    }
    if theirs.false_alarms > tolerance.suspect {
        let share = percent(theirs.false_alarms);
        let reason = format!(
            "{} finds {share} of the recent rows abnormal: a failing machine must not become the new normal; \
             look at it, then promote by hand",
            reference.id
        );
        return verdict(false, reason, metrics);
    }
    let their_scorer = reference.scorers.first().map_or(scorer, String::as_str);
    let they_find = found(reference, their_scorer, faults, theirs.false_alarms)?;
    let mut of_faults = String::new();
    if we_find.scored > 0 {
        metrics.insert("reference.faults_found".to_owned(), they_find.found as f64);
        let (ours, theirs, all) = (we_find.found, they_find.found, we_find.scored);
        if ours < theirs {
            let reason =
                format!("it finds {ours} of the {all} labelled faults, {} finds {theirs}", reference.id);
            return verdict(false, reason, metrics);
        }
        of_faults = format!(", {ours} of {all} labelled faults found (was {theirs})");
    }
    if ours.false_alarms > theirs.false_alarms.max(tolerance.false_alarms) {
        let (new, old) = (percent(ours.false_alarms), percent(theirs.false_alarms));
        return verdict(false, format!("more false alarms: {new} instead of {old} of the rows"), metrics);
    }
    if ours.likelihood > theirs.likelihood + tolerance.likelihood_slack {
        let reason = format!(
            "it describes the recent rows worse: negative log-likelihood {:.3} instead of {:.3} a signal",
            ours.likelihood, theirs.likelihood
        );
        return verdict(false, reason, metrics);
    }
    let reason = format!(
        "no worse than {}: false alarms {} (was {}), negative log-likelihood {:.3} (was {:.3}) a \
         signal{of_faults}",
        reference.id,
        percent(ours.false_alarms),
        percent(theirs.false_alarms),
        ours.likelihood,
        theirs.likelihood
    );
    verdict(true, reason, metrics)
}

/// Runs a baseline over the rows. The likelihood is that of the window means in the signals' own units, so that
/// baselines with other deviations compare; smaller is better.
fn figures(baseline: &Baseline, rows: &Ordered) -> Result<Figures, TrainError> {
    let answers = calibrate::run(baseline, rows)?;
    let share = |answer| {
        let scores = calibrate::scores(answer);
        scores.iter().filter(|score| **score > 1.0).count() as f64 / scores.len().max(1) as f64
    };
    let limit = baseline.limit(ALWAYS[0]).map_err(TrainError::numeric)?;
    let width = baseline.width();
    // The regime that weighs most stands for the constant part; regimes differ little in it.
    let constants: Vec<f64> = baseline
        .regimes
        .iter()
        .map(|regime| {
            let units: f64 = regime.deviation.iter().map(|deviation| deviation.ln()).sum();
            linear::log_determinant(&regime.precision, width).map(|log| units - 0.5 * log)
        })
        .collect::<Option<_>>()
        .ok_or_else(|| TrainError::numeric("a precision matrix is not positive definite"))?;
    let constant: f64 = baseline.regimes.iter().zip(&constants).map(|(regime, c)| regime.weight * c).sum();
    // Whoever was promoted has the chosen scorer first; the likelihood is that of the window means in any case.
    let windows = baseline.scorers.iter().position(|name| name == ALWAYS[0]).and_then(|at| answers.get(at));
    let windows = windows.ok_or_else(|| {
        TrainError::numeric(format!("the baseline does not name {}; train a new one", ALWAYS[0]))
    })?;
    let scores = calibrate::scores(windows);
    let count = scores.len().max(1) as f64;
    let squared: f64 = scores.iter().map(|score| (score * limit) * (score * limit)).sum();
    Ok(Figures {
        false_alarms: answers.iter().map(share).fold(0.0, f64::max),
        mean_score: scores.iter().sum::<f64>() / count,
        likelihood: (0.5 * squared / count + constant) / width as f64,
        rows: windows.status.iter().filter(|s| **s == status::OK).count(),
    })
}

fn note(metrics: &mut BTreeMap<String, f64>, who: &str, figures: &Figures) {
    metrics.insert(format!("{who}.false_alarm_share"), figures.false_alarms);
    metrics.insert(format!("{who}.mean_score"), figures.mean_score);
    metrics.insert(format!("{who}.negative_log_likelihood"), figures.likelihood);
    metrics.insert(format!("{who}.rows"), figures.rows as f64);
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
