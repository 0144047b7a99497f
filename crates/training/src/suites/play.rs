//! A recording the whole way: baseline document, scorer, alert state machine.

use twinwright_core::alert::{AlertState, ScoredRow, Subject, TransitionKind};
use twinwright_core::policy::AlertPolicy;
use twinwright_core::scoring::{ScoreBatch, Scorer, StateBlobs, check_answer, status};

use super::{ScorerHost, SuiteError};
use crate::{Choice, Matrix, Options, choose, fit};

/// Rows in a call of the scorer, as batches of a partition are.
const BATCH: usize = 512;
/// Bytes of state that a device may have.
const STATE: usize = 64 << 10;

/// Telemetry of one device with what is known of it.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// Name for people.
    pub name: String,
    /// Signals, S of them.
    pub signals: Vec<String>,
    /// Event time a row, µs UTC.
    pub time: Vec<i64>,
    /// Values, row-major.
    pub values: Vec<f64>,
    /// Whether the row is abnormal.
    pub truth: Vec<bool>,
    /// Whether the row is a change point.
    pub changes: Vec<bool>,
}

impl Recording {
    /// Rows.
    pub fn rows(&self) -> usize {
        self.time.len()
    }

    /// Rows before `rows` as training rows.
    pub fn training<'a>(&'a self, device: &'a [u32], rows: usize) -> Matrix<'a> {
        let width = self.signals.len();
        Matrix { device: &device[..rows], time: &self.time[..rows], values: &self.values[..rows * width] }
    }
}

/// What training made of the first rows: the choice with its reasons, and the document.
pub struct Trained {
    /// The choice.
    pub choice: Choice,
    /// The baseline document.
    pub document: Vec<u8>,
}

/// Chooses and fits on the first rows alone; `also` are further scorers to fit, for comparison.
///
/// # Errors
/// [`SuiteError::Train`].
pub fn train(
    recording: &Recording,
    rows: usize,
    options: &Options,
    also: &[&str],
) -> Result<Trained, SuiteError> {
    let failed = |cause| SuiteError::Train { recording: recording.name.clone(), cause };
    let device = vec![0; rows];
    let matrix = recording.training(&device, rows);
    let choice = choose(&recording.signals, &[], &matrix, options).map_err(failed)?;
    let mut options = choice.options.clone();
    options.extra_scorers.extend(also.iter().map(|name| (*name).to_owned()));
    let candidate = fit(&recording.name, &recording.signals, &[], &matrix, &options).map_err(failed)?;
    let document = candidate.baseline.to_json().map_err(|error| failed(crate::TrainError::numeric(error)))?;
    Ok(Trained { choice, document })
}

/// Scores of all rows by a prepared scorer, NaN where it gives none.
///
/// # Errors
/// [`SuiteError::Scorer`] where the scorer fails or breaks its contract.
pub fn scores(
    host: &mut dyn ScorerHost,
    scorer: &str,
    document: &[u8],
    recording: &Recording,
) -> Result<Vec<f64>, SuiteError> {
    let mut prepared = host.prepare(scorer, document)?;
    scores_of(&mut *prepared, recording)
}

/// Scores of all rows by a scorer that is prepared already; each recording begins without a state.
///
/// # Errors
/// As [`scores`].
pub fn scores_of(scorer: &mut dyn Scorer, recording: &Recording) -> Result<Vec<f64>, SuiteError> {
    let width = recording.signals.len();
    let mut state = StateBlobs { bytes: Vec::new(), ends: vec![0] };
    let mut scores = Vec::with_capacity(recording.rows());
    for from in (0..recording.rows()).step_by(BATCH) {
        let to = (from + BATCH).min(recording.rows());
        let values = &recording.values[from * width..to * width];
        let mask: Vec<u8> = values.iter().map(|value| u8::from(!value.is_finite())).collect();
        let device = vec![0; to - from];
        let batch = ScoreBatch {
            signals: width,
            device: &device,
            time: &recording.time[from..to],
            values,
            mask: &mask,
            state: &state,
        };
        let answer = scorer.score(&batch);
        let failed = |cause| SuiteError::Scorer { scorer: scorer.id().to_owned(), cause };
        let answer = answer.map_err(|error| failed(error.to_string()))?;
        check_answer(&batch, &answer, STATE).map_err(failed)?;
        let counted = answer.scores.iter().zip(&answer.status);
        scores.extend(counted.map(|(score, of)| if *of == status::OK { *score } else { f64::NAN }));
        state = answer.state;
    }
    Ok(scores)
}

/// What the alert state machine made of scores.
#[derive(Clone, Debug, Default)]
pub struct Alarms {
    /// Whether a case was open after the row.
    pub open: Vec<bool>,
    /// Rows that raised a case.
    pub raised: Vec<usize>,
}

/// Runs the alert state machine over scores; rows without a score are not seen by it, as in the product.
pub fn alarms(policy: &AlertPolicy, scores: &[f64]) -> Alarms {
    let subject = Subject { hub: "evaluate", epoch: 0, device: "recording", rule: "health" };
    let mut state = AlertState::default();
    let mut alarms = Alarms::default();
    for (row, &score) in scores.iter().enumerate() {
        if !score.is_nan() {
            let at = row as i64;
            let transition = state.step(&subject, policy, ScoredRow { sequence: at, time: at, score });
            if transition.is_some_and(|transition| transition.kind == TransitionKind::Raised) {
                alarms.raised.push(row);
            }
        }
        alarms.open.push(state.case.is_some());
    }
    alarms
}
