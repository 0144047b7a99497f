//! Look-back: a scorer that cannot read the state of a device gets the device's newest stored rows.
//!
//! Another baseline, another state format, another scorer: the blob of before is of no use to it, and without this a machine
//! would be without a score, and so without an alert, until it has warmed up again. What is read depends on the state, the
//! frame and the segments before it alone, so a replay comes to the same states. The rows were scored when they came; here
//! nothing comes of them but the state.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::StreamExt;
use tracing::{info, warn};
use twinwright_core::frame::Frame;
use twinwright_core::quality::RowFlags;
use twinwright_core::scoring::{ScoreBatch, ScorerError, StateBlobs};
use twinwright_core::time::{Micros, SECOND};
use twinwright_history::StoreError;
use twinwright_history::segments::SegmentLog;

use super::apply::take_row;
use super::check::Places;
use super::ingest::run_scoring;
use super::scorer::ModelScorer;
use super::state::PartitionState;
use crate::scorers::canary::split;

/// How far back.
const BACK: Micros = 3_600 * SECOND;
/// Rows a device at the most, the newest; the slowest of the built-in scorers warms up within 300.
const EACH: usize = 500;
/// Segments at the most, the newest: a quiet line has a row in each.
const SEGMENTS: usize = 256;
/// Rows of all devices at the most.
const ROWS: usize = 100_000;
/// Segments fetched at the same time.
const FETCHES: usize = 8;
/// Rows a call.
const CALL: usize = 1_000;

/// Gives the frame's devices a state that their scorer can read. `known` is how many devices the state had before the
/// frame; a new one has no rows to look back to.
///
/// # Errors
/// [`StoreError`] where the rows cannot be read. A damaged segment is passed over.
pub(super) async fn look_back(
    segments: &SegmentLog,
    state: &mut PartitionState,
    known: usize,
    frame: &Frame,
    places: &Places,
    scorers: &mut HashMap<Arc<str>, ModelScorer>,
) -> Result<(), StoreError> {
    let parts = strangers(state, known, frame, places, scorers);
    if parts.is_empty() {
        return Ok(());
    }
    let all = parts.iter().flat_map(|(_, devices)| devices);
    let wanted: HashSet<Arc<str>> = all.map(|&at| Arc::clone(&state.devices[at as usize].id)).collect();
    let before = newest(segments, frame, state.epoch(), &wanted).await?;
    for (key, devices) in parts {
        let Some(scorer) = scorers.get_mut(&key) else { continue };
        let ids: Vec<&str> = devices.iter().map(|&at| &*state.devices[at as usize].id).collect();
        let states = match run_scoring(|| play(scorer, &ids, &before, frame.range.first)) {
            Ok(states) => states,
            Err(error) => {
                warn!(partition = frame.partition, scorer = scorer.version.scorer, %error, "no look-back, devices begin anew");
                StateBlobs::default()
            }
        };
        info!(
            partition = frame.partition,
            scorer = scorer.version.scorer,
            baseline = scorer.version.baseline,
            devices = devices.len(),
            "looked back"
        );
        for (at, &place) in devices.iter().enumerate() {
            let device = &mut state.devices[place as usize];
            device.scorer_state = states.get(at).unwrap_or_default().to_vec();
            // Also where that is empty: it looks back once.
            device.scorer_key = Arc::clone(&scorer.key);
        }
    }
    Ok(())
}

/// Devices of the frame whose state their scorer cannot read, by scorer.
fn strangers(
    state: &PartitionState,
    known: usize,
    frame: &Frame,
    places: &Places,
    scorers: &HashMap<Arc<str>, ModelScorer>,
) -> Vec<(Arc<str>, Vec<u32>)> {
    let mut by_model: Vec<Vec<u32>> = vec![Vec::new(); state.models.len()];
    for (index, &place) in (0_u32..).zip(&places.devices).filter(|(_, place)| (**place as usize) < known) {
        by_model[state.devices[place as usize].model as usize].push(index);
    }
    let mut parts = Vec::new();
    for (model, devices) in by_model.iter().enumerate().filter(|(_, devices)| !devices.is_empty()) {
        let id = |index: u32| &*frame.devices[index as usize];
        for (key, devices) in split(&state.models[model].name, devices, scorers, id) {
            let Some(scorer) = scorers.get(&key).filter(|scorer| scorer.is_trusted()) else { continue };
            let places = devices.iter().map(|&index| places.devices[index as usize]);
            let is_strange = |place: &u32| state.devices[*place as usize].scorer_key != scorer.key;
            let strange: Vec<u32> = places.filter(is_strange).collect();
            if !strange.is_empty() {
                parts.push((key, strange));
            }
        }
    }
    parts
}

/// The segments before a frame, oldest first, from where each of the devices has rows enough.
async fn newest(
    segments: &SegmentLog,
    frame: &Frame,
    epoch: u32,
    wanted: &HashSet<Arc<str>>,
) -> Result<Vec<Frame>, StoreError> {
    let from = frame.first_enqueued.saturating_sub(BACK);
    let mut names = segments.after(frame.partition, i64::MIN, Some(from)).await?;
    names.retain(|name| {
        name.first < frame.range.first
            && from <= name.first_enqueued
            && name.first_enqueued <= frame.first_enqueued
    });
    names.sort_by_key(|name| std::cmp::Reverse((name.first_enqueued, name.first, name.last)));
    names.truncate(SEGMENTS);
    let mut loads =
        futures::stream::iter(names).map(|name| async move { segments.load(&name).await }).buffered(FETCHES);
    // Counted by segment, not by row: a segment is taken whole, wherever its rows came from.
    let (mut frames, mut rows, mut each) = (Vec::new(), 0, HashMap::<Arc<str>, usize>::new());
    while let Some(loaded) = loads.next().await {
        let before = match loaded {
            Ok((before, metadata)) if metadata.epoch == epoch => before,
            Ok(_) => continue,
            Err(StoreError::Corrupt { path, cause }) => {
                warn!(path, cause, "a damaged segment is passed over");
                continue;
            }
            Err(error) => return Err(error),
        };
        rows += before.rows();
        for &device in &before.device {
            if let Some(id) = wanted.get(&before.devices[device as usize]) {
                *each.entry(Arc::clone(id)).or_default() += 1;
            }
        }
        frames.push(before);
        if rows >= ROWS || (each.len() == wanted.len() && each.values().all(|count| *count >= EACH)) {
            break;
        }
    }
    frames.reverse();
    Ok(frames)
}

/// Scores the rows of these devices before an event, the newest of each, and answers the states that this leaves.
fn play(
    scorer: &mut ModelScorer,
    ids: &[&str],
    frames: &[Frame],
    event: i64,
) -> Result<StateBlobs, ScorerError> {
    let numbers: HashMap<&str, u32> = ids.iter().copied().zip(0..).collect();
    let mut left = vec![EACH; ids.len()];
    let (mut rows, mut next) = (Vec::new(), event);
    for (at, frame) in frames.iter().enumerate().rev() {
        let devices: Vec<Option<u32>> = frame.devices.iter().map(|id| numbers.get(&**id).copied()).collect();
        for row in (0..frame.rows()).rev() {
            let Some(device) = devices[frame.device[row] as usize] else { continue };
            let late = frame.row_flags.get(row).is_some_and(|flags| flags & RowFlags::LATE != 0);
            // A row that two segments have counts once.
            if !late && frame.sequence[row] < next && left[device as usize] > 0 {
                left[device as usize] -= 1;
                rows.push((at, row, device));
            }
        }
        next = next.min(frame.range.first);
    }
    rows.reverse();
    let mut states = StateBlobs::default();
    ids.iter().for_each(|_| states.push(&[]));
    let signals = Arc::clone(&scorer.signals);
    let columns: Vec<Vec<_>> =
        frames.iter().map(|frame| signals.iter().map(|name| frame.signal(name)).collect()).collect();
    for rows in rows.chunks(CALL) {
        let (mut values, mut mask) = (Vec::new(), Vec::new());
        rows.iter().for_each(|&(at, row, _)| take_row(&columns[at], row, &mut values, &mut mask));
        let batch = ScoreBatch {
            signals: signals.len(),
            device: &rows.iter().map(|(_, _, device)| *device).collect::<Vec<_>>(),
            time: &rows.iter().map(|(at, row, _)| frames[*at].time[*row]).collect::<Vec<_>>(),
            values: &values,
            mask: &mask,
            state: &states,
        };
        match scorer.score_alone(&batch) {
            Some(answer) => states = answer?.state,
            None => break,
        }
    }
    Ok(states)
}

#[cfg(test)]
mod tests;
