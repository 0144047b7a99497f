//! When a trial goes on, ends well or ends badly.

use serde::{Deserialize, Serialize};

/// The rules of a trial. The defaults are those of `scoring.canary` in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SwapPolicy {
    /// Batches in shadow: the version on trial scores, the promoted one serves.
    pub shadow_batches: u32,
    /// Batches as canary: it serves a share of the devices.
    pub canary_batches: u32,
    /// Batches after the promotion during which it may still be rolled back.
    pub probation_batches: u32,
    /// Per cent of the devices that a canary serves.
    pub share_percent: u8,
    /// Rows that both versions scored before scores are compared or anything is promoted.
    pub min_rows: u64,
    /// Calls that may trap, refuse or break the contract.
    pub failures: u32,
    /// Calls that may pass their deadline: a busy machine does that to the best.
    pub deadlines: u32,
    /// The 99th percentile of its time for a row, as a multiple of the promoted version's.
    pub p99_ratio: f64,
    /// A slower version is let go as long as its 99th percentile for a whole batch is below this, in microseconds.
    pub p99_floor_us: u64,
    /// Population stability index of the two score distributions.
    pub psi: f64,
    /// Kolmogorov–Smirnov distance, which must also be beyond chance.
    pub ks: f64,
    /// Rows above the limit, as a multiple of the promoted version's, upwards or downwards.
    pub alert_ratio: f64,
    /// Share of rows that it may fail to score although the promoted version does.
    pub unscored: f64,
    /// Seconds in quarantine after a first roll-back; doubled with each further one.
    pub quarantine_seconds: u32,
}

impl Default for SwapPolicy {
    fn default() -> Self {
        Self {
            shadow_batches: 30,
            canary_batches: 60,
            probation_batches: 60,
            share_percent: 10,
            min_rows: 500,
            failures: 0,
            deadlines: 1,
            p99_ratio: 5.0,
            p99_floor_us: 20_000,
            psi: 0.25,
            ks: 0.2,
            alert_ratio: 2.0,
            unscored: 0.2,
            quarantine_seconds: 3_600,
        }
    }
}

impl SwapPolicy {
    /// The first setting that makes no sense, in words.
    ///
    /// # Errors
    /// Names the setting and what is allowed.
    pub fn validate(&self) -> Result<(), String> {
        let batches = [self.shadow_batches, self.canary_batches, self.probation_batches];
        if batches.iter().any(|count| !(1..=100_000).contains(count)) {
            return Err("shadow_batches, canary_batches and probation_batches: 1 to 100000".to_owned());
        }
        if !(1..=100).contains(&self.share_percent) {
            return Err("share_percent: 1 to 100".to_owned());
        }
        if !(self.p99_ratio >= 1.0 && self.alert_ratio >= 1.0) {
            return Err("p99_ratio and alert_ratio: at least 1".to_owned());
        }
        if !(self.psi > 0.0 && self.ks > 0.0 && self.ks <= 1.0 && (0.0..=1.0).contains(&self.unscored)) {
            return Err("psi and ks are above 0, ks and unscored at most 1".to_owned());
        }
        Ok(())
    }
}
