//! Twins in memory, with the manners of the service: entity tags, and ten writes a second of one twin.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Map, Value};
use twinwright_core::time::{Micros, parse_iso};

use twinwright_app::ports::{TwinAnswer, TwinPort, TwinVersion};

/// Writes of one twin in a second, as "Azure Digital Twins service limits" has it.
const WRITES: usize = 10;
const SECOND: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug, Default)]
pub struct MemoryTwins {
    twins: Mutex<HashMap<String, MemoryTwin>>,
}

#[derive(Debug, Default)]
struct MemoryTwin {
    version: u64,
    properties: BTreeMap<String, Value>,
    written: Vec<Instant>,
}

impl MemoryTwins {
    /// Makes a twin without properties.
    pub fn create(&self, twin: &str) {
        self.lock().insert(twin.to_owned(), MemoryTwin::default());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, MemoryTwin>> {
        self.twins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryTwin {
    fn etag(&self) -> String {
        format!("W/\"{}\"", self.version)
    }

    /// How long the next write has to wait.
    fn wait(&mut self) -> Option<Duration> {
        self.written.retain(|at| at.elapsed() < SECOND);
        let first = self.written.first().filter(|_| self.written.len() >= WRITES)?;
        Some(SECOND.saturating_sub(first.elapsed()))
    }

    fn apply(&mut self, patch: &str) -> Result<(), String> {
        let operations: Vec<Map<String, Value>> =
            serde_json::from_str(patch).map_err(|error| error.to_string())?;
        let mut properties = self.properties.clone();
        for operation in &operations {
            let text = |key: &str| operation.get(key).and_then(Value::as_str);
            let path =
                text("path").and_then(|path| path.strip_prefix('/')).ok_or("an operation has no path")?;
            match (text("op"), operation.get("value")) {
                (Some("add" | "replace"), Some(value)) => {
                    properties.insert(path.to_owned(), value.clone());
                }
                (Some("remove"), _) => {
                    properties.remove(path);
                }
                _ => {
                    return Err("an operation is neither add, replace nor remove, or has no value".to_owned());
                }
            }
        }
        self.properties = properties;
        Ok(())
    }
}

#[async_trait]
impl TwinPort for MemoryTwins {
    async fn version(&self, twin: &str) -> TwinAnswer<TwinVersion> {
        match self.lock().get(twin) {
            Some(found) => TwinAnswer::Done(TwinVersion {
                etag: found.etag(),
                observed_at: found.properties.get("observedAt").and_then(Value::as_str).and_then(parse_iso),
                shows_life: found.properties.contains_key("health/remainingLife"),
            }),
            None => TwinAnswer::NotFound,
        }
    }

    async fn patch(&self, twin: &str, patch: String, etag: &str) -> TwinAnswer<String> {
        let mut twins = self.lock();
        let Some(found) = twins.get_mut(twin) else { return TwinAnswer::NotFound };
        if let Some(wait) = found.wait() {
            return TwinAnswer::Throttled(Micros::try_from(wait.as_micros()).unwrap_or(Micros::MAX).max(1));
        }
        if found.etag() != etag {
            return TwinAnswer::Changed;
        }
        if let Err(reason) = found.apply(&patch) {
            return TwinAnswer::Refused(reason);
        }
        found.version += 1;
        found.written.push(Instant::now());
        TwinAnswer::Done(found.etag())
    }
}
