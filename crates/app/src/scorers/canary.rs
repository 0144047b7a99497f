//! Which rows of a batch a canary serves, and how a segment says so.
//!
//! A segment names the version that scored each equipment model. While a canary serves a share of a model's devices,
//! a second entry, `MODEL#canary=PERCENT`, names its version: with the release's hash that is all a replay needs to
//! split the rows as they were split then. Names of equipment models have no `#`.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use twinwright_history::segment::Version;
use twinwright_scoring::swap::in_share;

use super::assets;
use crate::partition::scorer::ModelScorer;

const MARK: &str = "#canary=";

/// A canary beside a promoted scorer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canary {
    /// Under which name its scorer is prepared.
    pub key: Arc<str>,
    /// Hash of its release: chooses the devices.
    pub seed: Arc<str>,
    /// Per cent of the devices.
    pub percent: u8,
}

/// The name of a model's canary in a segment.
pub fn key(model: &str, percent: u8) -> String {
    format!("{model}{MARK}{percent}")
}

/// Whose baselines an entry of a segment speaks of: an equipment model, or one of its assets.
pub fn home_of(key: &str) -> &str {
    key.split_once(MARK).map_or(key, |(home, _)| home)
}

/// After the scorers of a segment's versions were prepared: which of them are canaries of which.
pub fn connect(versions: &BTreeMap<String, Version>, scorers: &mut HashMap<Arc<str>, ModelScorer>) {
    for scorer in scorers.values_mut() {
        scorer.canary = None;
    }
    for (key, version) in versions {
        let Some((model, percent)) = key.split_once(MARK) else { continue };
        if let (Some(scorer), Ok(percent)) = (scorers.get_mut(model), percent.parse()) {
            let seed = Arc::from(version.scorer_hash.as_str());
            scorer.canary = Some(Canary { key: Arc::from(key.as_str()), seed, percent });
        }
    }
}

/// Splits the rows of a model: each part with the name of the scorer that serves it. An asset with a baseline of its own
/// is in no trial.
pub fn split<'a, 'r>(
    model: &Arc<str>,
    rows: &'r [u32],
    scorers: &HashMap<Arc<str>, ModelScorer>,
    device_of: impl Fn(u32) -> &'a str,
) -> Vec<(Arc<str>, Cow<'r, [u32]>)> {
    let (mut parts, rows) = assets::split(model, rows, scorers, &device_of);
    let canary = scorers.get(model).and_then(|scorer| scorer.canary.clone());
    let Some(canary) = canary.filter(|canary| scorers.contains_key(&canary.key)) else {
        parts.extend((!rows.is_empty()).then(|| (Arc::clone(model), rows)));
        return parts;
    };
    // The same device comes again and again in a batch; its hash is taken once.
    let mut known: HashMap<&str, bool> = HashMap::new();
    let (served, others): (Vec<u32>, Vec<u32>) = rows.iter().partition(|row| {
        let device = device_of(**row);
        *known.entry(device).or_insert_with(|| in_share(device, &canary.seed, canary.percent))
    });
    let halves = [(Arc::clone(model), others), (canary.key, served)].into_iter();
    parts.extend(halves.filter(|(_, rows)| !rows.is_empty()).map(|(key, rows)| (key, Cow::Owned(rows))));
    parts
}
