//! Baselines of single assets: a machine with history enough of its own is compared with itself, not with its like.
//!
//! An asset's baselines, training runs and cards lie under `MODEL@DEVICE`, and so do the entries of segments that name
//! what scored its rows. Its scorer is its model's; only the baseline is its own. Names of equipment models have no `@`,
//! and in the device's it is escaped.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::warn;
use twinwright_core::time::Micros;
use twinwright_history::names::hub_part;
use twinwright_history::store::Store;

use crate::partition::scorer::ModelScorer;

const MARK: char = '@';
/// Longest escaped device id: longer ones would be cut, and two cut alike are one name.
const LONGEST: usize = 120;
/// Where all baselines are, by model and asset.
const BASELINES: &str = "baselines/v=1";

/// Name of an asset's baselines; `None` for a device id that is too long to be one.
pub fn key(model: &str, device: &str) -> Option<String> {
    let device = hub_part(device);
    (device.len() <= LONGEST).then(|| format!("{model}{MARK}{device}"))
}

/// The equipment model of a model or of an asset.
pub fn model_of(home: &str) -> &str {
    home.split_once(MARK).map_or(home, |(model, _)| model)
}

/// Whether a name is an asset's.
pub fn is_asset(home: &str) -> bool {
    home.contains(MARK)
}

/// The assets that have a baseline, looked up once in a while.
#[derive(Debug, Default)]
pub struct Assets {
    known: Mutex<Option<(Micros, Arc<BTreeSet<String>>)>>,
}

impl Assets {
    /// Names of all assets with a baseline. Where storage does not answer, those of before stay.
    pub async fn named(&self, store: &Store, now: Micros, fresh: Micros) -> Arc<BTreeSet<String>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((checked, names)) = &known
            && now < checked.saturating_add(fresh)
        {
            return Arc::clone(names);
        }
        let names = match store.folders(BASELINES).await {
            Ok(folders) => {
                let names = folders.iter().filter_map(|folder| folder.rsplit('/').next());
                Arc::new(names.filter(|name| is_asset(name)).map(str::to_owned).collect())
            }
            Err(error) => {
                warn!(%error, "baselines of single assets cannot be listed; those in use stay");
                known.map(|(_, names)| names).unwrap_or_default()
            }
        };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, Arc::clone(&names)));
        names
    }
}

type Parts<'r> = Vec<(Arc<str>, Cow<'r, [u32]>)>;

/// Takes the rows of assets with a scorer of their own out of a model's.
pub(super) fn split<'a, 'r>(
    model: &str,
    rows: &'r [u32],
    scorers: &HashMap<Arc<str>, ModelScorer>,
    device_of: &impl Fn(u32) -> &'a str,
) -> (Parts<'r>, Cow<'r, [u32]>) {
    if !scorers.keys().any(|key| is_asset(key) && model_of(key) == model) {
        return (Vec::new(), Cow::Borrowed(rows));
    }
    // The same device comes again and again in a batch; its name is made once.
    let mut homes: HashMap<&str, Option<usize>> = HashMap::new();
    let mut parts: Vec<(Arc<str>, Vec<u32>)> = Vec::new();
    let mut others = Vec::new();
    for &row in rows {
        let device = device_of(row);
        let part = *homes.entry(device).or_insert_with(|| {
            let (key, _) = scorers.get_key_value(key(model, device)?.as_str())?;
            parts.push((Arc::clone(key), Vec::new()));
            Some(parts.len() - 1)
        });
        match part {
            Some(part) => parts[part].1.push(row),
            None => others.push(row),
        }
    }
    (parts.into_iter().map(|(key, rows)| (key, Cow::Owned(rows))).collect(), Cow::Owned(others))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_cannot_name_itself_into_anothers_place() {
        assert_eq!(key("arm", "arm-1").as_deref(), Some("arm@arm-1"));
        for device in ["a@b", "x#canary=5", "a/../b", ".."] {
            let key = key("arm", device).unwrap();
            assert_eq!((model_of(&key), is_asset(&key)), ("arm", true), "{key}");
            assert_eq!(crate::scorers::canary::home_of(&key), key);
            assert_eq!(key.matches(['@', '/', '#']).count(), 1, "{key}");
        }
        assert_eq!(key("arm", &"x".repeat(128)), None);
        assert!(!is_asset("arm"));
    }
}
