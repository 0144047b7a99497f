//! A back-test: stored rows through a scorer and the alert logic, as the live path would have taken them, and two such runs
//! side by side.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use twinwright_core::alert::{AlertState, ScoredRow, Severity, Subject, TransitionKind};
use twinwright_core::policy::AlertPolicy;
use twinwright_core::scoring::{ScoreBatch, Scorer, ScorerError, StateBlobs, status};
use twinwright_core::time::Micros;
use twinwright_scoring::swap::{Histogram, kolmogorov_smirnov, population_stability};

/// Rows a call, as a batch of the hub may have.
const CALL: usize = 1_000;
/// Alerts that are kept of a run; more are counted alone.
const MOST_ALERTS: usize = 10_000;

/// One stored row, with the scorer's signals in its order; NaN where there is none.
#[derive(Clone, Debug)]
pub struct TestRow {
    /// Device.
    pub device: Arc<str>,
    /// Event time.
    pub time: Micros,
    /// Sequence number.
    pub sequence: i64,
    /// Values, one a signal.
    pub values: Vec<f64>,
}

/// An alert that a run raised.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RaisedAlert {
    /// Device.
    pub device: String,
    /// When it was raised, µs UTC.
    pub from: Micros,
    /// When it cleared; the end of the rows where it did not.
    pub to: Micros,
    /// Highest score while it was open.
    pub peak: f64,
    /// How bad it became.
    pub severity: Severity,
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Rows that went in.
    pub rows: u64,
    /// Rows with a score that counts.
    pub scored: u64,
    /// Rows above the limit.
    pub above: u64,
    /// Calls that failed; their rows have no score, and the states stay.
    pub failures: Vec<ScorerError>,
    /// Calls that failed, all of them.
    pub failed: u64,
    /// Alerts, in the order in which they were raised.
    pub alerts: Vec<RaisedAlert>,
    /// Scores by size.
    pub scores: Histogram,
    /// Seconds that the calls took.
    pub seconds: f64,
}

/// A scorer on its way through history.
pub struct BackTest {
    scorer: Box<dyn Scorer>,
    policy: AlertPolicy,
    devices: HashMap<Arc<str>, Device>,
    last: Micros,
    outcome: Outcome,
}

#[derive(Default)]
struct Device {
    state: Vec<u8>,
    alert: AlertState,
    open: Option<usize>,
}

impl std::fmt::Debug for BackTest {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("BackTest").field("scorer", &self.scorer.id()).finish_non_exhaustive()
    }
}

impl BackTest {
    /// Begins with devices that nothing is known of.
    pub fn new(scorer: Box<dyn Scorer>, policy: AlertPolicy) -> Self {
        Self { scorer, policy, devices: HashMap::new(), last: Micros::MIN, outcome: Outcome::default() }
    }

    /// Takes rows, each device's in their order.
    pub fn feed(&mut self, rows: &[TestRow]) {
        for rows in rows.chunks(CALL) {
            self.call(rows);
        }
    }

    fn call(&mut self, rows: &[TestRow]) {
        let signals = rows.first().map_or(0, |row| row.values.len());
        let mut numbers: HashMap<&Arc<str>, u32> = HashMap::new();
        let (mut names, mut state) = (Vec::new(), StateBlobs::default());
        let mut device = Vec::with_capacity(rows.len());
        for row in rows {
            let number = *numbers.entry(&row.device).or_insert_with(|| {
                let known = self.devices.entry(Arc::clone(&row.device)).or_default();
                state.push(&known.state);
                names.push(&row.device);
                names.len() as u32 - 1
            });
            device.push(number);
        }
        let time: Vec<Micros> = rows.iter().map(|row| row.time).collect();
        let values: Vec<f64> = rows.iter().flat_map(|row| row.values.iter().copied()).collect();
        let mask: Vec<u8> = values.iter().map(|value| u8::from(value.is_nan())).collect();
        let batch =
            ScoreBatch { signals, device: &device, time: &time, values: &values, mask: &mask, state: &state };
        self.outcome.rows += rows.len() as u64;
        let started = Instant::now();
        let answer = self.scorer.score(&batch);
        self.outcome.seconds += started.elapsed().as_secs_f64();
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                self.outcome.failed += 1;
                if self.outcome.failures.len() < 10 {
                    self.outcome.failures.push(error);
                }
                return;
            }
        };
        for (at, name) in names.iter().enumerate() {
            if let (Some(device), Some(blob)) = (self.devices.get_mut(*name), answer.state.get(at)) {
                device.state = blob.to_vec();
            }
        }
        for (row, (&score, &row_status)) in rows.iter().zip(answer.scores.iter().zip(&answer.status)) {
            self.last = self.last.max(row.time);
            if row_status == status::OK {
                self.decide(row, score);
            }
        }
    }

    fn decide(&mut self, row: &TestRow, score: f64) {
        let outcome = &mut self.outcome;
        outcome.scored += 1;
        outcome.above += u64::from(score > self.policy.limit);
        outcome.scores.add(score);
        let Some(device) = self.devices.get_mut(&row.device) else { return };
        let subject = Subject { hub: "", epoch: 0, device: &row.device, rule: "health" };
        let scored = ScoredRow { sequence: row.sequence, time: row.time, score };
        let transition = device.alert.step(&subject, &self.policy, scored);
        if let Some(transition) = transition {
            let case = &transition.case;
            if transition.kind == TransitionKind::Raised && outcome.alerts.len() < MOST_ALERTS {
                device.open = Some(outcome.alerts.len());
                outcome.alerts.push(RaisedAlert {
                    device: row.device.to_string(),
                    from: row.time,
                    to: Micros::MAX,
                    peak: case.peak,
                    severity: case.severity,
                });
            }
            if let Some(alert) = device.open.and_then(|at| outcome.alerts.get_mut(at)) {
                (alert.peak, alert.severity) = (case.peak, case.severity);
                if transition.kind == TransitionKind::Cleared {
                    alert.to = row.time;
                    device.open = None;
                }
            }
        } else if let (Some(alert), Some(case)) =
            (device.open.and_then(|at| outcome.alerts.get_mut(at)), &device.alert.case)
        {
            alert.peak = case.peak;
        }
    }

    /// What came of it.
    pub fn end(mut self) -> Outcome {
        for alert in self.outcome.alerts.iter_mut().filter(|alert| alert.to == Micros::MAX) {
            alert.to = self.last;
        }
        self.outcome
    }
}

/// Two runs over the same rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// Alerts of the candidate at times when the other one had none on that device.
    pub gained: Vec<RaisedAlert>,
    /// Alerts of the other one at times when the candidate had none.
    pub lost: Vec<RaisedAlert>,
    /// Population stability index of the scores; above 0.25 is a major shift.
    pub psi: f64,
    /// Kolmogorov–Smirnov distance, and what chance exceeds once in a thousand times.
    pub ks: (f64, f64),
}

/// Holds a candidate's run against that of the scorer that serves.
pub fn difference(candidate: &Outcome, serving: &Outcome) -> Difference {
    let without = |alerts: &[RaisedAlert], others: &[RaisedAlert]| -> Vec<RaisedAlert> {
        let meets = |one: &RaisedAlert, other: &RaisedAlert| {
            one.device == other.device && one.from <= other.to && other.from <= one.to
        };
        alerts.iter().filter(|one| !others.iter().any(|other| meets(one, other))).cloned().collect()
    };
    Difference {
        gained: without(&candidate.alerts, &serving.alerts),
        lost: without(&serving.alerts, &candidate.alerts),
        psi: population_stability(&candidate.scores, &serving.scores),
        ks: kolmogorov_smirnov(&candidate.scores, &serving.scores),
    }
}

#[cfg(test)]
mod tests {
    use twinwright_core::scoring::Scored;

    use super::*;

    /// Scores with the first value above a floor; its state counts the rows.
    struct Above(f64);

    impl Scorer for Above {
        fn id(&self) -> &str {
            "above@1.0.0"
        }

        fn score(&mut self, batch: &ScoreBatch<'_>) -> Result<Scored, ScorerError> {
            if batch.values.contains(&666.0) {
                return Err(ScorerError::Refused { scorer: self.id().to_owned(), cause: "no".to_owned() });
            }
            let scores: Vec<f64> = batch.values.iter().map(|value| (value - self.0).max(0.0)).collect();
            let mut state = StateBlobs::default();
            for device in 0..batch.state.ends.len() {
                let seen = batch.state.get(device).and_then(|blob| blob.first()).copied().unwrap_or(0);
                let more = batch.device.iter().filter(|of| **of as usize == device).count() as u8;
                state.push(&[seen + more]);
            }
            Ok(Scored { status: vec![0; scores.len()], contributions: scores.clone(), scores, state })
        }
    }

    fn row(device: &str, at: i64, value: f64) -> TestRow {
        TestRow { device: device.into(), time: at * 1_000_000, sequence: at, values: vec![value] }
    }

    fn run(floor: f64, rows: &[TestRow]) -> Outcome {
        let mut test = BackTest::new(Box::new(Above(floor)), AlertPolicy::default());
        rows.chunks(7).for_each(|rows| test.feed(rows));
        test.end()
    }

    #[test]
    fn alerts_gained_and_lost_are_those_that_the_other_run_had_not() {
        let fault = |at: i64| if (20..40).contains(&at) { 1.5 } else { 0.2 };
        let mut rows: Vec<TestRow> = (0..60).map(|at| row("a", at, fault(at))).collect();
        rows.extend((60..100).map(|at| row("b", at, 3.0)));
        let (serving, candidate) = (run(0.0, &rows), run(1.0, &rows));
        assert_eq!((serving.rows, serving.scored, serving.alerts.len()), (100, 100, 2));
        assert_eq!((serving.alerts[0].from, serving.alerts[0].to), (24_000_000, 49_000_000));
        assert_eq!((serving.alerts[1].to, serving.alerts[1].peak), (99_000_000, 3.0), "open to the end");
        assert_eq!(candidate.alerts.len(), 1, "only b is bad enough");
        let told = difference(&candidate, &serving);
        assert_eq!((told.gained.len(), told.lost.len()), (0, 1));
        assert_eq!(told.lost[0].device, "a");
        assert!(told.psi > 0.25 && told.ks.0 > told.ks.1);
    }

    #[test]
    fn a_call_that_fails_is_told_and_the_others_go_on() {
        let rows: Vec<TestRow> = (0..21).map(|at| row("a", at, if at == 8 { 666.0 } else { 0.1 })).collect();
        let outcome = run(0.0, &rows);
        assert_eq!((outcome.rows, outcome.scored, outcome.failed), (21, 14, 1));
    }
}
