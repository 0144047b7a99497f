//! What a partition knows: a function of its segments, kept in memory, snapshotted now and then.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use twinwright_core::alert::AlertState;
use twinwright_core::frame::{Frame, SequenceRange};
use twinwright_core::gate::Position;
use twinwright_core::patch::{HealthStatus, RemainingLife};
use twinwright_core::policy::Equipment;
use twinwright_core::quality::DeviceMemory;
use twinwright_core::time::Micros;

use crate::messages::Outputs;

/// Version of the snapshot's form; another one is ignored and the state is rebuilt from the segments.
const FORM: u8 = 2;
/// Gaps remembered at the most; older ones stay in the log.
const MAX_GAPS: usize = 100;
/// Signals of one equipment model at the most.
const MAX_SIGNALS: usize = 256;

/// Sequence numbers that no segment holds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// Missing numbers.
    pub range: SequenceRange,
    /// Enqueued time of the event after the gap.
    pub before: Micros,
    /// Epoch.
    pub epoch: u32,
}

/// The newest score of a device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastScore {
    /// Score; 1.0 is the limit.
    pub score: f64,
    /// Contribution of each of the baseline's signals.
    pub contributions: Vec<f64>,
    /// Names of the baseline's signals.
    pub signals: Arc<[Arc<str>]>,
    /// Scorer, `name@version`.
    pub scorer: Arc<str>,
    /// Baseline id.
    pub baseline: Arc<str>,
    /// What remains, where the baseline is a model of remaining life.
    pub remaining_life: Option<RemainingLife>,
}

/// What is known of one device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// Device id; the twin has the same.
    pub id: Arc<str>,
    /// Index of the equipment model.
    pub model: u32,
    /// Quality memory.
    pub memory: DeviceMemory,
    /// Newest text of each state.
    pub states: Vec<(Arc<str>, Arc<str>)>,
    /// Scorer state, and the scorer and baseline it belongs to.
    pub scorer_state: Vec<u8>,
    /// Key of `scorer_state`.
    pub scorer_key: Arc<str>,
    /// State of the stand-in, apart so that one bad batch does not make the scorer warm up again.
    pub stand_in_state: Vec<u8>,
    /// Newest score.
    pub score: Option<LastScore>,
    /// Sum of contributions over the rows above the limit, for the causes of the alert.
    pub causes: Vec<f64>,
    /// Alert state of the rule `health`.
    pub alert: AlertState,
    /// When the last command was asked for.
    pub last_command: Option<Micros>,
    /// Sequence number of the newest row that changed the twin's values.
    pub updated: i64,
    /// Newest of those that the twin is known to show.
    pub patched: i64,
    /// Enqueued time of the newest row.
    pub enqueued: Micros,
}

impl Device {
    /// Health in a word.
    pub fn status(&self) -> HealthStatus {
        use twinwright_core::alert::Severity;
        match (&self.alert.case, &self.score) {
            (Some(case), _) if case.severity == Severity::Critical => HealthStatus::Critical,
            (Some(_), _) => HealthStatus::Warning,
            (None, Some(_)) => HealthStatus::Healthy,
            (None, None) => HealthStatus::Learning,
        }
    }
}

/// Signals of an equipment model as this partition has met them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// Model name.
    pub name: Arc<str>,
    /// Signal names, in the order of [`DeviceMemory::signals`].
    pub signals: Vec<Arc<str>>,
}

/// Everything a partition knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PartitionState {
    /// How far it has come; `None` before the first event.
    pub position: Option<Position>,
    /// Equipment models met.
    pub models: Vec<Model>,
    /// Devices met.
    pub devices: Vec<Device>,
    /// Replied but not yet known to have reached the queues.
    pub outbox: Outputs,
    /// Holes in the sequence numbers.
    pub gaps: Vec<Gap>,
    #[serde(skip)]
    index: HashMap<Arc<str>, u32>,
}

impl PartitionState {
    /// Writes a snapshot.
    ///
    /// # Errors
    /// Only when memory runs out.
    pub fn to_snapshot(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_extend(self, vec![FORM])
    }

    /// Reads a snapshot; `None` for one of another form.
    pub fn from_snapshot(bytes: &[u8]) -> Option<Self> {
        let (&form, rest) = bytes.split_first()?;
        if form != FORM {
            return None;
        }
        let mut state: Self = postcard::from_bytes(rest).ok()?;
        state.index =
            (0_u32..).zip(&state.devices).map(|(at, device)| (Arc::clone(&device.id), at)).collect();
        Some(state)
    }

    /// Epoch of the hub.
    pub fn epoch(&self) -> u32 {
        self.position.map_or(0, |position| position.epoch)
    }

    /// How far it has come, to be compared: epoch and sequence number.
    pub fn reached(&self) -> (u32, i64) {
        self.position.map_or((0, i64::MIN), |position| (position.epoch, position.sequence))
    }

    /// Notes a hole.
    pub fn add_gap(&mut self, gap: Gap) {
        if self.gaps.len() >= MAX_GAPS {
            self.gaps.remove(0);
        }
        self.gaps.push(gap);
    }

    /// A device by id.
    pub fn device(&self, id: &str) -> Option<&Device> {
        self.index.get(id).and_then(|&at| self.devices.get(at as usize))
    }

    /// A device by id, to change it.
    pub fn device_mut(&mut self, id: &str) -> Option<&mut Device> {
        let at = *self.index.get(id)?;
        self.devices.get_mut(at as usize)
    }

    /// Whether a field name is known as a number of any model.
    pub fn is_signal(&self, name: &str, equipment: &Equipment) -> bool {
        self.models.iter().any(|model| {
            model.signals.iter().any(|signal| &**signal == name)
                || equipment.policy(&model.name).is_some_and(|policy| policy.signals.contains_key(name))
        })
    }

    /// Index of each of the frame's devices here; new ones are added.
    pub fn resolve_devices(&mut self, frame: &Frame, equipment: &Equipment) -> Vec<u32> {
        let resolve = |id: &Arc<str>| {
            if let Some(&known) = self.index.get(id) {
                return known;
            }
            let model = equipment.model_of(id);
            let model = self.models.iter().position(|known| &*known.name == model).unwrap_or_else(|| {
                self.models.push(Model { name: Arc::from(model), signals: Vec::new() });
                self.models.len() - 1
            });
            let at = u32::try_from(self.devices.len()).unwrap_or(u32::MAX);
            self.devices.push(Device {
                id: Arc::clone(id),
                model: u32::try_from(model).unwrap_or(0),
                memory: DeviceMemory::default(),
                states: Vec::new(),
                scorer_state: Vec::new(),
                scorer_key: Arc::from(""),
                stand_in_state: Vec::new(),
                score: None,
                causes: Vec::new(),
                alert: AlertState::default(),
                last_command: None,
                updated: -1,
                patched: -1,
                enqueued: Micros::MIN,
            });
            self.index.insert(Arc::clone(id), at);
            at
        };
        frame.devices.iter().map(resolve).collect()
    }
}

impl Model {
    /// Index of a signal; a new one is added until the limit.
    pub fn signal(&mut self, name: &Arc<str>) -> Option<usize> {
        if let Some(at) = self.signals.iter().position(|known| known == name) {
            return Some(at);
        }
        if self.signals.len() >= MAX_SIGNALS {
            return None;
        }
        self.signals.push(Arc::clone(name));
        Some(self.signals.len() - 1)
    }
}
