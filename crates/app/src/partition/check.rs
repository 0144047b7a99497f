//! Step 2: late, stuck, spike, range and unit, for a whole frame.

use twinwright_core::frame::Frame;
use twinwright_core::policy::{Equipment, SignalPolicy};
use twinwright_core::quality::{RowFlags, SignalMemory};

use super::state::PartitionState;

/// Where the frame's columns and devices are in the state.
#[derive(Clone, Debug)]
pub struct Places {
    /// Index of each of the frame's devices.
    pub devices: Vec<u32>,
    /// For each model of the state, for each of the frame's signal columns, the model's signal.
    pub signals: Vec<Vec<Option<usize>>>,
}

/// Flags what cannot be trusted and remembers the rest.
///
/// The flags that a frame from a segment carries are computed again: the rules are causal, so they come out alike.
pub fn check(state: &mut PartitionState, frame: &mut Frame, equipment: &Equipment) -> Places {
    let devices = state.resolve_devices(frame, equipment);
    let rows = frame.rows();
    let mut used = vec![false; state.models.len()];
    for &device in &devices {
        used[state.devices[device as usize].model as usize] = true;
    }
    // Only a column that a device of the model has values in becomes a signal of the model.
    let mut has = vec![vec![false; frame.signals.len()]; state.models.len()];
    for (column, signal) in frame.signals.iter().enumerate() {
        for (row, value) in signal.values.iter().enumerate() {
            if !value.is_nan() {
                let device = devices[frame.device[row] as usize];
                has[state.devices[device as usize].model as usize][column] = true;
            }
        }
    }
    let default = SignalPolicy::default();
    let mut signals = vec![Vec::new(); state.models.len()];
    let mut policies: Vec<Vec<&SignalPolicy>> = vec![Vec::new(); state.models.len()];
    for (at, model) in state.models.iter_mut().enumerate().filter(|(at, _)| used[*at]) {
        let policy = equipment.policy(&model.name);
        for (column, signal) in frame.signals.iter().enumerate() {
            signals[at].push(if has[at][column] { model.signal(&signal.name) } else { None });
            policies[at]
                .push(policy.and_then(|policy| policy.signals.get(&*signal.name)).unwrap_or(&default));
        }
    }
    frame.row_flags.resize(rows, 0);
    for column in &mut frame.signals {
        column.flags.clear();
        column.flags.resize(rows, 0);
    }
    for row in 0..rows {
        let device = &mut state.devices[devices[frame.device[row] as usize] as usize];
        if device.memory.is_late(frame.time[row]) {
            frame.row_flags[row] |= RowFlags::LATE;
            continue;
        }
        let model = device.model as usize;
        let known = &mut device.memory.signals;
        for (column, signal) in frame.signals.iter_mut().enumerate() {
            let value = signal.values[row];
            if value.is_nan() {
                continue;
            }
            let Some(place) = signals[model][column] else { continue };
            if known.len() <= place {
                known.resize_with(place + 1, SignalMemory::default);
            }
            signal.flags[row] = known[place].check(value, policies[model][column]);
        }
    }
    Places { devices, signals }
}
