//! The self-test: what every scorer has to hold, whatever it computes. Run before a version goes on trial, and by
//! `twinwright plugin check`.

use twinwright_core::scoring::{ScoreBatch, Scored, Scorer, ScorerError, StateBlobs, check_answer, status};
use twinwright_kernels::Baseline;

use crate::LoadedScorer;
use crate::text::tame;

/// Rows of the test's batch.
const ROWS: usize = 240;
/// Devices in it.
const DEVICES: usize = 3;
/// Bytes of one device's state.
const STATE_LIMIT: usize = 64 << 10;
const SECOND: i64 = 1_000_000;

/// Which rule a scorer breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule {rule:?}: {found}")]
pub struct Broken {
    /// The rule in a few words.
    pub rule: &'static str,
    /// What was found.
    pub found: String,
}

/// A rule that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The rule in a few words.
    pub rule: &'static str,
    /// What was found where it does not hold.
    pub broken: Option<String>,
}

struct Rows {
    signals: usize,
    device: Vec<u32>,
    time: Vec<i64>,
    values: Vec<f64>,
    mask: Vec<u8>,
}

impl Rows {
    /// Rows about the baseline's means, with masked values, a gap and a late row; the same every time.
    fn about(baseline: &Baseline) -> Self {
        let signals = baseline.signals.len();
        let regime = baseline.regimes.first();
        let mut rows = Self { signals, device: vec![], time: vec![], values: vec![], mask: vec![] };
        for row in 0..ROWS {
            rows.device.push(u32::try_from(row % DEVICES).unwrap_or(0));
            let jump = if row > ROWS / 2 { 600 * SECOND } else { 0 };
            let late = if row == 77 { 30 * SECOND } else { 0 };
            let at = i64::try_from(row).unwrap_or(0);
            rows.time.push(1_700_000_000 * SECOND + at * SECOND + jump - late);
            for signal in 0..signals {
                let mean = regime.and_then(|r| r.mean.get(signal)).copied().unwrap_or(0.0);
                let deviation = regime.and_then(|r| r.deviation.get(signal)).copied().unwrap_or(1.0);
                let wobble = ((row * 31 + signal * 17) % 23) as f64 / 11.0 - 1.0;
                let masked = (row + signal * 5) % 19 == 7;
                rows.values.push(if masked { f64::NAN } else { mean + deviation * wobble });
                rows.mask.push(u8::from(masked));
            }
        }
        rows
    }

    fn play(
        &self,
        scorer: &mut dyn Scorer,
        piece: usize,
        first: &StateBlobs,
        keep: impl Fn(u32) -> bool,
    ) -> Result<Scored, ScorerError> {
        let wanted: Vec<usize> = (0..self.device.len()).filter(|row| keep(self.device[*row])).collect();
        let (mut all, mut state) = (Scored::default(), first.clone());
        for rows in wanted.chunks(piece) {
            let pick = |row: &usize| row * self.signals..(row + 1) * self.signals;
            let (device, time): (Vec<u32>, Vec<i64>) =
                rows.iter().map(|row| (self.device[*row], self.time[*row])).unzip();
            let values: Vec<f64> =
                rows.iter().flat_map(|row| self.values[pick(row)].iter().copied()).collect();
            let mask: Vec<u8> = rows.iter().flat_map(|row| self.mask[pick(row)].iter().copied()).collect();
            let batch = ScoreBatch {
                signals: self.signals,
                device: &device,
                time: &time,
                values: &values,
                mask: &mask,
                state: &state,
            };
            let answer = scorer.score(&batch)?;
            check_answer(&batch, &answer, STATE_LIMIT)
                .map_err(|cause| ScorerError::Contract { scorer: scorer.id().to_owned(), cause })?;
            all.scores.extend(answer.scores);
            all.status.extend(answer.status);
            all.contributions.extend(answer.contributions);
            state = answer.state;
        }
        all.state = state;
        Ok(all)
    }
}

/// Looks at every rule; the first that makes the rest pointless ends it.
///
/// # Errors
/// Where the scorer cannot be prepared, or the baseline cannot be read.
pub fn check(loaded: &LoadedScorer, baseline_json: &[u8]) -> Result<Vec<Checked>, Broken> {
    let unusable =
        |error: &dyn std::fmt::Display| Broken { rule: "it takes the baseline", found: error.to_string() };
    let baseline = Baseline::from_json(baseline_json).map_err(|error| unusable(&error))?;
    let instance = || loaded.instantiate(baseline_json).map_err(|error| unusable(&error));
    let rows = Rows::about(&baseline);
    let none = StateBlobs { bytes: Vec::new(), ends: vec![0; DEVICES] };
    let mut first = instance()?;
    let whole = rows
        .play(&mut first, ROWS, &none, |_| true)
        .map_err(|error| Broken { rule: "it scores a batch", found: error.to_string() })?;
    let mut checked = vec![Checked { rule: "it scores a batch", broken: None }];
    let mut look = |rule, broken: Option<String>| checked.push(Checked { rule, broken });
    let played =
        |answer: Result<Scored, ScorerError>, fits: &dyn Fn(&Scored) -> bool, else_: &str| match answer {
            Ok(answer) => (!fits(&answer)).then(|| else_.to_owned()),
            Err(error) => Some(error.to_string()),
        };
    let same = |answer: &Scored| bits(answer) == bits(&whole);
    look("contributions add up to the score", unequal_sum(&whole, rows.signals));
    look(
        "it scores some rows",
        (!whole.status.contains(&status::OK)).then(|| "no row has status 0".to_owned()),
    );
    let warm = rows.play(&mut first, ROWS, &none, |_| true);
    look("a used instance answers as a fresh one", played(warm, &same, "the same rows gave other bits"));
    let fresh = rows.play(&mut instance()?, ROWS, &none, |_| true);
    look("two instances answer alike", played(fresh, &same, "the same rows gave other bits"));
    let near = |answer: &Scored| close(&answer.scores, &whole.scores) && answer.status == whole.status;
    let cut = rows.play(&mut instance()?, 7, &none, |_| true);
    look("it does not matter where batches are cut", played(cut, &near, "other scores in pieces of 7 rows"));
    let alone = rows.play(&mut first, ROWS, &none, |device| device == 1);
    let of_one: Vec<f64> =
        rows.device.iter().zip(&whole.scores).filter(|(device, _)| **device == 1).map(|(_, s)| *s).collect();
    let fits = |answer: &Scored| close(&answer.scores, &of_one);
    look(
        "a device does not feel the others",
        played(alone, &fits, "its scores change with who is in the batch"),
    );
    for (rule, blob) in [
        ("a state of garbage is no state", vec![0xff; 100]),
        (
            "a cut state is no state",
            whole.state.get(0).map(|blob| blob[..blob.len() / 2].to_vec()).unwrap_or_default(),
        ),
    ] {
        let mut strange = StateBlobs::default();
        (0..DEVICES).for_each(|_| strange.push(&blob));
        look(rule, played(rows.play(&mut instance()?, ROWS, &strange, |_| true), &|_| true, ""));
    }
    Ok(checked)
}

/// The first broken rule of [`check`], determinism apart where the scorer does not claim it.
///
/// # Errors
/// [`Broken`].
pub fn self_test(loaded: &LoadedScorer, baseline_json: &[u8]) -> Result<(), Broken> {
    let deterministic = loaded.descriptor().deterministic;
    let claims = |rule: &str| deterministic || !rule.contains("instance");
    match check(loaded, baseline_json)?.into_iter().find(|c| c.broken.is_some() && claims(c.rule)) {
        Some(Checked { rule, broken }) => Err(Broken { rule, found: tame(&broken.unwrap_or_default()) }),
        None => Ok(()),
    }
}

fn bits(answer: &Scored) -> (Vec<u64>, Vec<u8>, Vec<u64>, &StateBlobs) {
    let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect();
    (bits(&answer.scores), answer.status.clone(), bits(&answer.contributions), &answer.state)
}

fn close(left: &[f64], right: &[f64]) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).all(|(l, r)| (l - r).abs() <= 1e-9 * l.abs().max(r.abs()).max(1.0))
}

fn unequal_sum(answer: &Scored, signals: usize) -> Option<String> {
    let rows = answer.scores.iter().zip(&answer.status).enumerate();
    rows.filter(|(_, (_, state))| **state == status::OK).find_map(|(row, (score, _))| {
        let sum: f64 = answer.contributions[row * signals..(row + 1) * signals].iter().sum();
        ((sum - score).abs() > 1e-6 * score.abs().max(1.0))
            .then(|| format!("row {row}: they sum up to {sum}, the score is {score}"))
    })
}
