//! The alert state machine (ISA-18.2 terms): on-delay, off-delay, hysteresis, one open case an asset. Pure.
//!
//! It sees one scored row after the other and answers with at most one transition. Acknowledgement and shelving are
//! people's acts, kept beside the transitions and joined when an alert is shown.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::policy::AlertPolicy;
use crate::time::Micros;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Look at it.
    Warning,
    /// It may have to be stopped.
    Critical,
}

/// What happened to a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransitionKind {
    /// It opened.
    Raised,
    /// It became critical.
    Escalated,
    /// It cleared.
    Cleared,
}

/// A row as the machine sees it.
#[derive(Clone, Copy, Debug)]
pub struct ScoredRow {
    /// Sequence number of the event.
    pub sequence: i64,
    /// Event time.
    pub time: Micros,
    /// The score; 1.0 is the calibrated limit.
    pub score: f64,
}

/// An open case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Id, see [`case_id`].
    pub id: String,
    /// Sequence number of the first row above the limit.
    pub first_sequence: i64,
    /// Time of the row that opened it.
    pub opened_at: Micros,
    /// Worst so far.
    pub severity: Severity,
    /// Highest score so far.
    pub peak: f64,
    below: u32,
}

/// A device's alert state for one rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AlertState {
    above: u32,
    critical: u32,
    first_above: i64,
    /// The open case, if any.
    pub case: Option<Case>,
}

/// A transition and the case as it is after it.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// What happened.
    pub kind: TransitionKind,
    /// The case.
    pub case: Case,
}

/// Names the asset and the rule that a state belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Hub name.
    pub hub: &'a str,
    /// Epoch of the partition: sequence numbers repeat in a re-created hub.
    pub epoch: u32,
    /// Device id.
    pub device: &'a str,
    /// Rule name, e.g. `health`.
    pub rule: &'a str,
}

/// The id of a case: 20 hexadecimal digits that follow from the asset, the rule and the first row alone, so that a
/// replay raises the same alert.
pub fn case_id(subject: &Subject<'_>, first_sequence: i64) -> String {
    let mut hash = Sha256::new();
    for part in [subject.hub, subject.device, subject.rule] {
        // Lengths keep ("a", "bc") apart from ("ab", "c").
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.update(subject.epoch.to_le_bytes());
    hash.update(first_sequence.to_le_bytes());
    hash.finalize().iter().take(10).map(|byte| format!("{byte:02x}")).collect()
}

impl AlertState {
    /// Takes one scored row in the order of the partition.
    pub fn step(
        &mut self,
        subject: &Subject<'_>,
        policy: &AlertPolicy,
        row: ScoredRow,
    ) -> Option<Transition> {
        let above = row.score > policy.limit;
        if above && self.above == 0 {
            self.first_above = row.sequence;
        }
        self.above = if above { self.above.saturating_add(1) } else { 0 };
        self.critical = if row.score > policy.critical_limit { self.critical.saturating_add(1) } else { 0 };
        let critical = self.critical >= policy.critical_delay_rows;
        let Some(case) = &mut self.case else {
            if self.above < policy.on_delay_rows {
                return None;
            }
            let severity = if critical { Severity::Critical } else { Severity::Warning };
            let id = case_id(subject, self.first_above);
            let first_sequence = self.first_above;
            let case = Case { id, first_sequence, opened_at: row.time, severity, peak: row.score, below: 0 };
            return Some(Transition { kind: TransitionKind::Raised, case: self.case.insert(case).clone() });
        };
        case.peak = case.peak.max(row.score);
        let low = row.score < policy.limit * policy.hysteresis;
        case.below = if low { case.below.saturating_add(1) } else { 0 };
        if case.below >= policy.off_delay_rows {
            let case = self.case.take()?;
            return Some(Transition { kind: TransitionKind::Cleared, case });
        }
        if critical && case.severity < Severity::Critical {
            case.severity = Severity::Critical;
            return Some(Transition { kind: TransitionKind::Escalated, case: case.clone() });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SUBJECT: Subject<'_> = Subject { hub: "hub", epoch: 0, device: "arm", rule: "health" };

    fn run(scores: &[f64]) -> Vec<(usize, TransitionKind)> {
        let mut state = AlertState::default();
        let policy = AlertPolicy::default();
        let step = |(at, &score): (usize, &f64)| {
            let row = ScoredRow { sequence: at as i64, time: at as i64, score };
            state.step(&SUBJECT, &policy, row).map(|transition| (at, transition.kind))
        };
        scores.iter().enumerate().filter_map(step).collect()
    }

    #[test]
    fn opens_after_the_on_delay_and_clears_after_the_off_delay() {
        let mut scores = vec![1.5; 6];
        scores.extend([0.1; 10]);
        assert_eq!(run(&scores), [(4, TransitionKind::Raised), (15, TransitionKind::Cleared)]);
    }

    #[test]
    fn a_score_that_hovers_between_the_limits_does_not_chatter() {
        let mut scores = vec![1.5; 5];
        scores.extend((0..100).map(|row| if row % 2 == 0 { 0.7 } else { 1.2 }));
        assert_eq!(run(&scores), [(4, TransitionKind::Raised)]);
    }

    #[test]
    fn becomes_critical_once() {
        let scores = [1.5, 1.5, 1.5, 1.5, 1.5, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0];
        assert_eq!(run(&scores), [(4, TransitionKind::Raised), (9, TransitionKind::Escalated)]);
    }

    #[test]
    fn the_id_follows_from_the_first_row() {
        assert_eq!(case_id(&SUBJECT, 7), case_id(&SUBJECT, 7));
        assert_ne!(case_id(&SUBJECT, 7), case_id(&SUBJECT, 8));
        assert_ne!(case_id(&SUBJECT, 7), case_id(&Subject { epoch: 1, ..SUBJECT }, 7));
    }

    proptest! {
        #[test]
        fn raised_and_cleared_alternate(scores in proptest::collection::vec(0.0..4.0_f64, 0..400)) {
            let kinds: Vec<_> = run(&scores).into_iter().map(|(_, kind)| kind).collect();
            let mut open = false;
            for kind in kinds {
                prop_assert_eq!(open, kind != TransitionKind::Raised);
                open = kind != TransitionKind::Cleared;
            }
        }
    }
}
