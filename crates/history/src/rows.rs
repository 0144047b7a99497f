//! Frames checked, cut and filtered by row.

use std::sync::Arc;

use twinwright_core::frame::{Frame, SequenceRange, SignalColumn, SparseText, StateColumn};
use twinwright_core::time::{Micros, SECOND};

use crate::StoreError;

/// Enqueued time that one segment may span, so that a reader knows how far before a time to look.
pub(crate) const LONGEST_SPAN: Micros = 3_600 * SECOND;

/// Refuses a frame whose columns do not fit together: it could not be read back.
pub(crate) fn check(frame: &Frame) -> Result<(), StoreError> {
    let rows = frame.rows();
    let wrong = |what: &str| {
        Err(StoreError::invalid(format!("the frame cannot be stored, its {what}: build it anew")))
    };
    if [frame.device.len(), frame.time.len(), frame.enqueued.len()] != [rows; 3] {
        return wrong("columns differ in length");
    }
    if frame.device.iter().any(|&device| device as usize >= frame.devices.len()) {
        return wrong("device index is out of bounds");
    }
    let flags_fit = |flags: &[u8]| flags.is_empty() || flags.len() == rows;
    let signals = frame.signals.iter().all(|column| column.values.len() == rows && flags_fit(&column.flags));
    let states = frame.states.iter().all(|column| column.codes.len() == rows);
    if !signals || !states || !flags_fit(&frame.row_flags) {
        return wrong("signals, states or flags differ in length");
    }
    let sparse_fits = |text: &SparseText| {
        let ascending = text.0.windows(2).all(|pair| pair[0].0 < pair[1].0);
        ascending && text.0.last().is_none_or(|(row, _)| (*row as usize) < rows)
    };
    if !sparse_fits(&frame.properties) || !sparse_fits(&frame.extra) {
        return wrong("properties or extra texts are not in the order of rows");
    }
    Ok(())
}

/// The frame with the rows that `keep` wants, everything else as it is.
pub(crate) fn select(frame: Frame, keep: &[bool]) -> Frame {
    if keep.iter().all(|&keep| keep) {
        return frame;
    }
    let mut position = 0_u32;
    let positions: Vec<Option<u32>> =
        keep.iter().map(|&keep| keep.then(|| (position, position += 1).0)).collect();
    let sparse = |text: SparseText| {
        let moved = text.0.into_iter().filter_map(|(row, text)| {
            positions.get(row as usize).copied().flatten().map(|position| (position, text))
        });
        SparseText(moved.collect())
    };
    let signals = frame.signals.into_iter().map(|column| SignalColumn {
        values: pick(&column.values, keep),
        flags: pick(&column.flags, keep),
        name: column.name,
    });
    let states =
        frame.states.into_iter().map(|column| StateColumn { codes: pick(&column.codes, keep), ..column });
    Frame {
        device: pick(&frame.device, keep),
        time: pick(&frame.time, keep),
        enqueued: pick(&frame.enqueued, keep),
        sequence: pick(&frame.sequence, keep),
        row_flags: pick(&frame.row_flags, keep),
        signals: signals.collect(),
        states: states.collect(),
        properties: sparse(frame.properties),
        extra: sparse(frame.extra),
        partition: frame.partition,
        range: frame.range,
        first_enqueued: frame.first_enqueued,
        last_enqueued: frame.last_enqueued,
        devices: frame.devices,
    }
}

/// The wanted values; flags that were never set stay empty.
fn pick<T: Copy>(values: &[T], keep: &[bool]) -> Vec<T> {
    values.iter().zip(keep).filter(|(_, keep)| **keep).map(|(value, _)| *value).collect()
}

/// Where a frame must be cut so that no part spans more enqueued time than [`LONGEST_SPAN`]: rows that begin a new part.
/// After an outage one batch of a quiet partition can span days.
fn cuts(frame: &Frame) -> Vec<usize> {
    let (mut start, mut cuts) = (frame.first_enqueued, Vec::new());
    for (row, &enqueued) in frame.enqueued.iter().enumerate() {
        if enqueued.saturating_sub(start) >= LONGEST_SPAN {
            if row > 0 || frame.sequence[0] > frame.range.first {
                cuts.push(row);
            }
            start = enqueued;
        }
    }
    cuts
}

/// The frame in parts of at most an hour of enqueued time; `None` where one part is enough, as nearly always.
/// The parts follow from the frame alone, and their ranges cover its range without a hole.
pub(crate) fn split(frame: &Frame) -> Option<Vec<Frame>> {
    let cuts = cuts(frame);
    if cuts.is_empty() {
        return None;
    }
    let mut parts = Vec::with_capacity(cuts.len() + 1);
    let mut begin = 0;
    for end in cuts.into_iter().chain([frame.rows()]) {
        let keep: Vec<bool> = (0..frame.rows()).map(|row| (begin..end).contains(&row)).collect();
        let mut part = select(frame.clone(), &keep);
        let first = if parts.is_empty() { frame.range.first } else { frame.sequence[begin] };
        let last = if end == frame.rows() { frame.range.last } else { frame.sequence[end] - 1 };
        part.range = SequenceRange { first, last };
        if !parts.is_empty() {
            part.first_enqueued = frame.enqueued[begin];
        }
        if end < frame.rows() {
            part.last_enqueued = part.enqueued.last().copied().unwrap_or(part.first_enqueued);
        }
        parts.push(part);
        begin = end;
    }
    Some(parts)
}

/// Gives each text a number, in order of first appearance.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    texts: Vec<Arc<str>>,
    numbers: std::collections::HashMap<Arc<str>, u32>,
    /// Neighbouring rows often have the same text.
    last: Option<u32>,
    bytes: usize,
}

/// What an entry costs beside its text: two pointers with lengths, a number, a hash table's slack.
const ENTRY: usize = 64;

impl Dictionary {
    pub(crate) fn number(&mut self, text: &str) -> u32 {
        if let Some(last) = self.last.filter(|last| &*self.texts[*last as usize] == text) {
            return last;
        }
        let number = self.numbers.get(text).copied().unwrap_or_else(|| {
            let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
            let shared: Arc<str> = Arc::from(text);
            self.bytes += text.len() + ENTRY;
            self.texts.push(Arc::clone(&shared));
            self.numbers.insert(shared, number);
            number
        });
        self.last = Some(number);
        number
    }

    pub(crate) fn shared(&self, number: u32) -> &Arc<str> {
        &self.texts[number as usize]
    }

    pub(crate) fn get(&self, number: u32) -> &str {
        &self.texts[number as usize]
    }

    pub(crate) fn find(&self, text: &str) -> Option<u32> {
        self.numbers.get(text).copied()
    }

    pub(crate) fn texts(&self) -> &[Arc<str>] {
        &self.texts
    }

    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.texts.len()).unwrap_or(u32::MAX)
    }

    /// Bytes of memory, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn into_texts(self) -> Vec<Arc<str>> {
        self.texts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::frame;

    #[test]
    fn a_batch_that_spans_days_is_cut_without_holes() {
        assert!(split(&frame(0, 0, 999)).is_none());
        let mut long = frame(0, 10, 29);
        for (row, enqueued) in long.enqueued.iter_mut().enumerate() {
            *enqueued += i64::try_from(row / 8).unwrap() * 24 * LONGEST_SPAN;
        }
        long.range = SequenceRange { first: 7, last: 31 };
        let parts = split(&long).unwrap();
        let ranges: Vec<_> =
            parts.iter().map(|part| (part.range.first, part.range.last, part.rows())).collect();
        assert_eq!(ranges, [(7, 17, 8), (18, 25, 8), (26, 31, 4)]);
        assert_eq!(parts[1].first_enqueued, parts[1].enqueued[0]);
        assert!(parts.iter().all(|part| check(part).is_ok() && split(part).is_none()));
    }

    #[test]
    fn texts_move_with_their_rows() {
        let mut frame = frame(0, 0, 4);
        frame.extra = SparseText(vec![(1, "one".into()), (3, "three".into())]);
        let some = select(frame, &[true, false, false, true, true]);
        assert_eq!(some.sequence, [0, 3, 4]);
        assert_eq!(some.extra, SparseText(vec![(1, "three".into())]));
    }

    #[test]
    fn frames_that_do_not_fit_together_are_refused() {
        type Breakage = fn(&mut Frame);
        let breakages: [Breakage; 6] = [
            |frame| frame.device[0] = 9,
            |frame| frame.time.truncate(2),
            |frame| frame.row_flags = vec![0],
            |frame| frame.signals[0].flags = vec![0],
            |frame| frame.extra = SparseText(vec![(99, "x".into())]),
            |frame| frame.properties = SparseText(vec![(1, "x".into()), (1, "y".into())]),
        ];
        for breakage in breakages {
            let mut frame = frame(0, 0, 4);
            breakage(&mut frame);
            assert!(matches!(check(&frame), Err(StoreError::Invalid { .. })));
        }
    }
}
