//! Steps 4 to 6 on a checked and committed frame: score, decide, and the newest of each twin. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use twinwright_core::alert::{ScoredRow, Subject, TransitionKind};
use twinwright_core::command::command_for;
use twinwright_core::frame::{ABSENT, Frame, NO_STATE, SignalColumn};
use twinwright_core::gate::Position;
use twinwright_core::patch::{Health, TwinUpdate};
use twinwright_core::policy::{Equipment, EquipmentPolicy};
use twinwright_core::quality::RowFlags;
use twinwright_core::scoring::{ScoreBatch, ScorerError, StateBlobs, status};

use super::check::Places;
use super::scorer::{ModelScorer, Who};
use super::state::{Device, LastScore, Model, PartitionState};
use crate::messages::{AlertMessage, Cause, Outputs};
use crate::scorers::canary::split;
use crate::scorers::document;

/// Causes of an alert at the most.
const MAX_CAUSES: usize = 5;
/// The rule of score-based alerts.
pub const RULE: &str = "health";

/// A scored row, for the side file that the dashboard reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowScore {
    /// Row of the frame.
    pub row: u32,
    /// Score.
    pub score: f64,
    /// Signal with the largest contribution, of the scorer's.
    pub top: Option<usize>,
}

/// The scored rows of one equipment model.
#[derive(Clone, Debug)]
pub struct ModelScores {
    /// Equipment model.
    pub equipment: Arc<str>,
    /// Scorer.
    pub scorer: Arc<str>,
    /// Baseline.
    pub baseline: Arc<str>,
    /// The scorer's signals.
    pub signals: Arc<[Arc<str>]>,
    /// Its rows, ascending.
    pub rows: Vec<RowScore>,
}

/// What applying a frame gave.
#[derive(Debug, Default)]
pub struct Effects {
    /// What to send.
    pub outputs: Outputs,
    /// Devices whose twin has something new (indices into the state).
    pub touched: Vec<u32>,
    /// Scores by equipment model.
    pub scores: Vec<ModelScores>,
    /// Scorers that failed: model and why.
    pub failures: Vec<(Arc<str>, ScorerError)>,
    /// Rows that the stand-in scored.
    pub stood_in: usize,
}

/// What the flow needs to know of the plant.
#[derive(Clone, Copy, Debug)]
pub struct Plant<'a> {
    /// Hub name.
    pub hub: &'a str,
    /// Equipment models.
    pub equipment: &'a Equipment,
}

/// Applies a frame whose segment is stored. The position moves to the end of its range.
pub fn apply(
    state: &mut PartitionState,
    frame: &Frame,
    places: &Places,
    scorers: &mut HashMap<Arc<str>, ModelScorer>,
    plant: Plant<'_>,
) -> Effects {
    let mut effects = Effects::default();
    let epoch = state.epoch();
    let enqueued =
        frame.enqueued.iter().copied().max().unwrap_or(frame.last_enqueued).max(frame.last_enqueued);
    state.position = Some(Position { sequence: frame.range.last, enqueued, epoch });
    newest(state, frame, places, &mut effects);
    let mut by_model: Vec<Vec<u32>> = vec![Vec::new(); state.models.len()];
    for row in 0..frame.rows() {
        if frame.row_flags[row] & RowFlags::LATE == 0 {
            let device = places.devices[frame.device[row] as usize];
            by_model[state.devices[device as usize].model as usize]
                .push(u32::try_from(row).unwrap_or(u32::MAX));
        }
    }
    for (model, rows) in by_model.iter().enumerate().filter(|(_, rows)| !rows.is_empty()) {
        let name = Arc::clone(&state.models[model].name);
        let device_of = |row: u32| &*frame.devices[frame.device[row as usize] as usize];
        for (key, rows) in split(&name, rows, scorers, device_of) {
            if let Some(scorer) = scorers.get_mut(&key) {
                score(state, frame, places, &rows, scorer, plant, &mut effects);
            }
        }
    }
    effects
}

/// Newest states and the devices that the frame touched.
fn newest(state: &mut PartitionState, frame: &Frame, places: &Places, effects: &mut Effects) {
    let mut touched = vec![false; frame.devices.len()];
    // The last code of each state of each device; texts are compared once a frame, not once a row.
    let mut last = vec![NO_STATE; frame.devices.len() * frame.states.len()];
    for row in 0..frame.rows() {
        let index = frame.device[row] as usize;
        let device = &mut state.devices[places.devices[index] as usize];
        device.enqueued = device.enqueued.max(frame.enqueued[row]);
        if frame.row_flags[row] & RowFlags::LATE != 0 {
            continue;
        }
        touched[index] = true;
        device.updated = frame.sequence[row];
        let codes = &mut last[index * frame.states.len()..];
        for (code, column) in codes.iter_mut().zip(&frame.states).filter(|(_, c)| c.codes[row] != NO_STATE) {
            *code = column.codes[row];
        }
    }
    for (index, &place) in places.devices.iter().enumerate() {
        let device = &mut state.devices[place as usize];
        let codes = &last[index * frame.states.len()..];
        for (&code, column) in codes.iter().zip(&frame.states).filter(|(code, _)| **code != NO_STATE) {
            let text = &column.dictionary[code as usize];
            match device.states.iter_mut().find(|(name, _)| *name == column.name) {
                Some((_, known)) if known == text => {}
                Some((_, known)) => *known = Arc::clone(text),
                None => device.states.push((Arc::clone(&column.name), Arc::clone(text))),
            }
        }
    }
    effects.touched =
        places.devices.iter().zip(touched).filter(|(_, t)| *t).map(|(&device, _)| device).collect();
}

/// Scores the rows of one model and steps the alert state of their devices.
fn score(
    state: &mut PartitionState,
    frame: &Frame,
    places: &Places,
    rows: &[u32],
    scorer: &mut ModelScorer,
    plant: Plant<'_>,
    effects: &mut Effects,
) {
    let width = scorer.signals.len();
    let columns: Vec<_> = scorer.signals.iter().map(|name| frame.signal(name)).collect();
    let mut local = vec![u32::MAX; frame.devices.len()];
    let (mut own, mut stand_in, mut devices) = (StateBlobs::default(), StateBlobs::default(), Vec::new());
    let mut device_of = Vec::with_capacity(rows.len());
    let mut time = Vec::with_capacity(rows.len());
    let mut values = Vec::with_capacity(rows.len() * width);
    let mut mask = Vec::with_capacity(rows.len() * width);
    for &row in rows {
        let row = row as usize;
        let index = frame.device[row] as usize;
        if local[index] == u32::MAX {
            local[index] = u32::try_from(devices.len()).unwrap_or(u32::MAX);
            let place = places.devices[index];
            let device = &state.devices[place as usize];
            own.push(if device.scorer_key == scorer.key { &device.scorer_state } else { &[] });
            stand_in.push(&device.stand_in_state);
            devices.push(place);
        }
        device_of.push(local[index]);
        time.push(frame.time[row]);
        take_row(&columns, row, &mut values, &mut mask);
    }
    let batch = ScoreBatch {
        signals: width,
        device: &device_of,
        time: &time,
        values: &values,
        mask: &mask,
        state: &own,
    };
    let outcome = scorer.score(&batch, &ScoreBatch { state: &stand_in, ..batch }, &devices);
    if let Some(error) = outcome.error {
        let model = state.models[state.devices[devices[0] as usize].model as usize].name.clone();
        effects.failures.push((model, error));
    }
    let Some((who, answer)) = outcome.answer else { return };
    let by: Arc<str> = match who {
        Who::Scorer => Arc::from(scorer.version.scorer.as_str()),
        Who::StandIn => Arc::from(scorer.stand_in.id()),
    };
    let baseline: Arc<str> = Arc::from(scorer.version.baseline.as_str());
    effects.stood_in += if who == Who::StandIn { rows.len() } else { 0 };
    for (at, &place) in devices.iter().enumerate() {
        let device = &mut state.devices[place as usize];
        let blob = answer.state.get(at).unwrap_or_default();
        match who {
            Who::Scorer => {
                device.scorer_key = Arc::clone(&scorer.key);
                device.scorer_state.clear();
                device.scorer_state.extend_from_slice(blob);
            }
            Who::StandIn => device.stand_in_state = blob.to_vec(),
        }
    }
    let epoch = state.epoch();
    let default = EquipmentPolicy::default();
    // All rows are of devices of one model.
    let Some(model) = devices.first().map(|&place| state.devices[place as usize].model) else { return };
    let model = &state.models[model as usize];
    let policy = plant.equipment.policy(&model.name).unwrap_or(&default);
    let mut last_row = vec![usize::MAX; devices.len()];
    let mut scored_rows = Vec::with_capacity(rows.len());
    for (at, &row) in rows.iter().enumerate() {
        if answer.status[at] != status::OK {
            continue;
        }
        last_row[device_of[at] as usize] = at;
        let contributions = &answer.contributions[at * width..(at + 1) * width];
        let score = answer.scores[at];
        scored_rows.push(RowScore { row, score, top: largest(contributions) });
        let device = &mut state.devices[devices[device_of[at] as usize] as usize];
        remember_causes(device, contributions, score > policy.alert.limit);
        let row = row as usize;
        let subject = Subject { hub: plant.hub, epoch, device: &device.id, rule: RULE };
        let scored = ScoredRow { sequence: frame.sequence[row], time: frame.time[row], score };
        let Some(transition) = device.alert.step(&subject, &policy.alert, scored) else { continue };
        let causes = causes(device, model, scorer, transition.kind);
        let message = AlertMessage {
            id: transition.case.id.clone(),
            device: device.id.to_string(),
            twin: device.id.to_string(),
            equipment: model.name.to_string(),
            rule: RULE.to_owned(),
            transition: transition.kind,
            severity: transition.case.severity,
            at: scored.time,
            opened_at: transition.case.opened_at,
            partition: frame.partition,
            sequence: scored.sequence,
            score,
            peak: transition.case.peak,
            advice: advice(policy, &causes),
            causes,
            scorer: by.to_string(),
            baseline: baseline.to_string(),
        };
        let reason = message.summary();
        let (command, last) = (&policy.command, &mut device.last_command);
        let asked = command_for(&transition, &message.device, &reason, scored.time, command, last);
        effects.outputs.commands.extend(asked);
        effects.outputs.alerts.push(message);
    }
    effects.scores.push(ModelScores {
        equipment: Arc::clone(&model.name),
        scorer: Arc::clone(&by),
        baseline: Arc::clone(&baseline),
        signals: Arc::clone(&scorer.signals),
        rows: scored_rows,
    });
    for (at, &place) in devices.iter().enumerate().filter(|(at, _)| last_row[*at] != usize::MAX) {
        let row = last_row[at];
        state.devices[place as usize].score = Some(LastScore {
            score: answer.scores[row],
            contributions: answer.contributions[row * width..(row + 1) * width].to_vec(),
            signals: Arc::clone(&scorer.signals),
            scorer: Arc::clone(&by),
            baseline: Arc::clone(&baseline),
            remaining_life: scorer.life.as_deref().map(|life| document::remaining(life, answer.scores[row])),
        });
    }
}

/// A row as scorers get it: what is absent or flagged is masked.
pub(super) fn take_row(
    columns: &[Option<&SignalColumn>],
    row: usize,
    values: &mut Vec<f64>,
    mask: &mut Vec<u8>,
) {
    for column in columns {
        let value = column.map_or(ABSENT, |column| column.trusted(row));
        values.push(if value.is_nan() { 0.0 } else { value });
        mask.push(u8::from(value.is_nan()));
    }
}

fn largest(contributions: &[f64]) -> Option<usize> {
    (0..contributions.len()).max_by(|&a, &b| contributions[a].total_cmp(&contributions[b]))
}

/// Sums contributions while the score is above the limit: one row's causes are noise.
fn remember_causes(device: &mut Device, contributions: &[f64], above: bool) {
    if !above && device.alert.case.is_none() {
        device.causes.clear();
        return;
    }
    device.causes.resize(contributions.len(), 0.0);
    for (sum, value) in device.causes.iter_mut().zip(contributions) {
        *sum += value.max(0.0);
    }
}

fn causes(device: &Device, model: &Model, scorer: &ModelScorer, kind: TransitionKind) -> Vec<Cause> {
    let total: f64 = device.causes.iter().sum();
    if kind == TransitionKind::Cleared || total <= 0.0 || device.causes.len() != scorer.signals.len() {
        return Vec::new();
    }
    let mut order: Vec<usize> = (0..device.causes.len()).collect();
    order.sort_by(|&a, &b| device.causes[b].total_cmp(&device.causes[a]));
    let cause = |at: usize| {
        let name = &scorer.signals[at];
        let place = model.signals.iter().position(|known| known == name);
        let value =
            place.and_then(|at| device.memory.signals.get(at)).map(|m| m.newest).filter(|v| v.is_finite());
        let expected = scorer.expected.get(at).copied().filter(|v| v.is_finite());
        let low = value.zip(expected).is_some_and(|(value, expected)| value < expected);
        let direction = if low { "low" } else { "high" }.to_owned();
        Cause { signal: name.to_string(), share: device.causes[at] / total, value, expected, direction }
    };
    order.into_iter().map(cause).filter(|cause| cause.share >= 0.01).take(MAX_CAUSES).collect()
}

fn advice(policy: &EquipmentPolicy, causes: &[Cause]) -> String {
    let named = causes.first().and_then(|cause| policy.advice.get(&cause.signal));
    named.or_else(|| policy.advice.get("*")).cloned().unwrap_or_default()
}

/// Everything the twin of a device should show now.
pub fn twin_update(state: &PartitionState, device: &Device, partition: u32) -> TwinUpdate {
    let model = &state.models[device.model as usize];
    let known = model.signals.iter().zip(&device.memory.signals);
    let latest =
        known.filter(|(_, memory)| memory.newest.is_finite()).map(|(n, m)| (Arc::clone(n), m.newest));
    let score = device.score.as_ref();
    let contributions: Vec<_> = score.map_or_else(Vec::new, |score| {
        score.signals.iter().cloned().zip(score.contributions.iter().copied()).collect()
    });
    let top_cause = score
        .and_then(|score| largest(&score.contributions).and_then(|at| score.signals.get(at)).map(Arc::clone))
        .filter(|_| device.alert.case.is_some());
    TwinUpdate {
        twin: Arc::clone(&device.id),
        partition,
        sequence: device.updated,
        observed_at: device.memory.newest.unwrap_or(0),
        latest: latest.collect(),
        states: device.states.clone(),
        health: Health {
            status: device.status(),
            score: score.map(|score| score.score),
            top_cause,
            contributions,
            scorer: score.map_or_else(|| Arc::from(""), |score| Arc::clone(&score.scorer)),
            baseline: score.map_or_else(|| Arc::from(""), |score| Arc::clone(&score.baseline)),
            alert: device.alert.case.as_ref().map(|case| case.id.clone()),
            remaining_life: score.and_then(|score| score.remaining_life.clone()),
        },
    }
}
