//! What holds for an equipment model, and every way it can change.

use serde::{Deserialize, Serialize};
use twinwright_core::time::{Micros, SECOND, iso};

use super::{SwapPolicy, Verdict};

/// Versions in quarantine that are remembered; the oldest are forgotten first.
const MOST_QUARANTINED: usize = 64;
/// Longest quarantine, seconds.
const LONGEST_QUARANTINE: i64 = 30 * 86_400;

/// A published version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Name of the scorer.
    pub name: String,
    /// Version.
    pub version: String,
    /// SHA-256 of the component, hexadecimal.
    pub sha256: String,
}

/// How far a trial has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// It scores; its scores are compared and thrown away.
    Shadow,
    /// It serves a share of the devices.
    Canary,
    /// It serves all, and may still be rolled back.
    Probation,
}

/// A version on trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// Which.
    pub release: Release,
    /// How far.
    pub stage: Stage,
    /// Per cent of the devices it serves as canary.
    pub share_percent: u8,
    /// When the stage began, µs UTC.
    pub since: Micros,
}

/// A version that was rolled back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quarantined {
    /// Its hash.
    pub sha256: String,
    /// No trial before, µs UTC.
    pub until: Micros,
    /// How often it was rolled back.
    pub strikes: u32,
}

/// What holds for an equipment model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Standing {
    /// What serves; `None`: the scorer that the configuration names and that came with the app.
    pub promoted: Option<Release>,
    /// What served before, to roll back to; `None` with `promoted` set means the one of the configuration.
    pub previous: Option<Release>,
    /// What is on trial.
    pub candidate: Option<Candidate>,
    /// What was rolled back, oldest first.
    pub quarantine: Vec<Quarantined>,
}

/// Why a standing cannot change so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SwapError {
    /// It was rolled back not long ago.
    #[error(
        "{id} was rolled back {strikes} times and is in quarantine until {until}; publish a new version, or use --force"
    )]
    Quarantined {
        /// Name and version.
        id: String,
        /// When it may be tried again.
        until: String,
        /// How often.
        strikes: u32,
    },
    /// It serves already.
    #[error("{id} is promoted already")]
    Promoted {
        /// Name and version.
        id: String,
    },
    /// It is on trial already.
    #[error("{id} is on trial already; see: twinwright plugin list")]
    OnTrial {
        /// Name and version.
        id: String,
    },
    /// There is nothing to go back to.
    #[error("no version is promoted or on trial; there is nothing to roll back")]
    Nothing,
}

impl Release {
    /// Name and version.
    pub fn id(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }
}

impl Standing {
    fn refuse_quarantined(&self, release: &Release, now: Micros) -> Result<(), SwapError> {
        match self.quarantine.iter().find(|entry| entry.sha256 == release.sha256 && now < entry.until) {
            Some(entry) => {
                let until = iso(entry.until);
                Err(SwapError::Quarantined { id: release.id(), until, strikes: entry.strikes })
            }
            None => Ok(()),
        }
    }

    /// Puts a release on trial, first in shadow; one that is on trial gives way to it.
    ///
    /// # Errors
    /// [`SwapError`]; `force` lets a quarantine pass.
    pub fn begin(
        &self,
        release: &Release,
        share_percent: u8,
        now: Micros,
        force: bool,
    ) -> Result<Self, SwapError> {
        if self.promoted.as_ref().is_some_and(|promoted| promoted.sha256 == release.sha256) {
            return Err(SwapError::Promoted { id: release.id() });
        }
        if self.candidate.as_ref().is_some_and(|candidate| candidate.release.sha256 == release.sha256) {
            return Err(SwapError::OnTrial { id: release.id() });
        }
        if !force {
            self.refuse_quarantined(release, now)?;
        }
        let mut next = self.clone();
        let stage = Stage::Shadow;
        next.candidate = Some(Candidate { release: release.clone(), stage, share_percent, since: now });
        Ok(next)
    }

    /// Promotes a release by hand, without waiting for a trial; it is on probation like any other.
    ///
    /// # Errors
    /// [`SwapError`].
    pub fn promote(&self, release: &Release, now: Micros, force: bool) -> Result<Self, SwapError> {
        if self.promoted.as_ref().is_some_and(|promoted| promoted.sha256 == release.sha256) {
            return Err(SwapError::Promoted { id: release.id() });
        }
        if !force {
            self.refuse_quarantined(release, now)?;
        }
        let share_percent = self.candidate.as_ref().map_or(0, |candidate| candidate.share_percent);
        Ok(self.serve(release.clone(), share_percent, now))
    }

    fn serve(&self, release: Release, share_percent: u8, now: Micros) -> Self {
        Self {
            previous: self.promoted.clone(),
            promoted: Some(release.clone()),
            candidate: Some(Candidate { release, stage: Stage::Probation, share_percent, since: now }),
            quarantine: self.quarantine.clone(),
        }
    }

    /// Goes back: ends a trial, or returns to what served before the promoted version. What is left is quarantined.
    ///
    /// # Errors
    /// [`SwapError::Nothing`].
    pub fn roll_back(&self, now: Micros, policy: &SwapPolicy) -> Result<Self, SwapError> {
        let mut next = self.clone();
        let left = match next.candidate.take() {
            Some(candidate) if candidate.stage != Stage::Probation => candidate.release,
            _ => {
                let left = next.promoted.take().ok_or(SwapError::Nothing)?;
                next.promoted = next.previous.take();
                left
            }
        };
        let strikes = next.quarantine.iter().find(|e| e.sha256 == left.sha256).map_or(0, |e| e.strikes) + 1;
        let seconds = i64::from(policy.quarantine_seconds)
            .saturating_mul(1_i64 << strikes.saturating_sub(1).min(20))
            .min(LONGEST_QUARANTINE);
        next.quarantine.retain(|entry| entry.sha256 != left.sha256);
        let until = now.saturating_add(seconds.saturating_mul(SECOND));
        next.quarantine.push(Quarantined { sha256: left.sha256, until, strikes });
        if next.quarantine.len() > MOST_QUARANTINED {
            next.quarantine.remove(0);
        }
        Ok(next)
    }

    /// Applies a verdict on a trial; `None` where nothing changes, above all because the trial it speaks of is over:
    /// another instance was quicker, or a person decided otherwise.
    pub fn apply(&self, on: &Candidate, verdict: &Verdict, now: Micros, policy: &SwapPolicy) -> Option<Self> {
        let candidate = self.candidate.as_ref().filter(|candidate| *candidate == on)?;
        match (verdict, candidate.stage) {
            (Verdict::Continue, _) => None,
            (Verdict::RollBack(_), _) => self.roll_back(now, policy).ok(),
            (Verdict::Advance, Stage::Shadow) => {
                let mut next = self.clone();
                next.candidate = Some(Candidate { stage: Stage::Canary, since: now, ..candidate.clone() });
                Some(next)
            }
            (Verdict::Advance, Stage::Canary) => {
                Some(self.serve(candidate.release.clone(), candidate.share_percent, now))
            }
            (Verdict::Advance, Stage::Probation) => Some(Self { candidate: None, ..self.clone() }),
        }
    }
}
