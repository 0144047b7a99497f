//! `range-extension`: how far a single signal leaves everything that it did lately.
//!
//! A signal without companions says little row by row, and what is normal for it (a daily wave, bursts, levels) fits
//! no mean and deviation. What does fit is its range: three features of it are followed (the value, the mean and the
//! spread of its last rows), each with the lowest and highest it reached within the memory. The raw score is by how
//! much the row extends one of these ranges, in parts of the range's width. Rows inside all ranges score 0.
//!
//! **Records only.** A value that leaves the range goes on to do so for some rows. Only a row whose extension exceeds
//! that of all the last rows is scored; the others are 0. One event gives one or two scored rows, not hundreds.
//!
//! **Memory is bounded.** The ranges are kept by blocks of rows: the oldest block is forgotten as a whole, so a
//! row costs the same however long the memory is, and no series of values makes the state grow.
//!
//! A gap in time empties the windows of mean and spread, not the ranges: what a signal may reach does not change
//! because it was silent.

use crate::baseline::{Baseline, BaselineError, RangeChart, wrong};
use crate::batch::{AnswerMut, Batch, BatchError, Kernel, status};
use crate::blob::{Head, Reader, Tag, put_f64s};
use crate::clock::{Clock, Step, gap_micros};
use crate::drive::{RowKernel, drive};

/// Blocks that the memory is kept in.
const BLOCKS: usize = 32;
/// Value, mean, spread.
const FEATURES: usize = 3;
/// Signals at most: the state of one takes about 2 kB, and a device's has to stay small.
pub const MAX_RANGE_SIGNALS: usize = 24;

/// The kernel, prepared.
pub struct RangeExtension {
    width: usize,
    chart: RangeChart,
    block_rows: u32,
    gap: i64,
    limit: f64,
    head: Head,
}

/// What is remembered of a device.
pub(crate) struct Memory {
    clock: Clock,
    signals: Vec<Track>,
    /// Raw scores of the last rows, a ring.
    raw: Vec<f64>,
    raw_head: usize,
}

/// What is remembered of a signal.
struct Track {
    /// The last values, a ring, for mean and spread.
    window: Vec<f64>,
    head: usize,
    filled: usize,
    /// Rows in the newest block.
    in_block: u32,
    /// The newest block, and how many are in use.
    block: usize,
    blocks: usize,
    /// Lowest and highest of each feature, a block at a time.
    low: [[f64; FEATURES]; BLOCKS],
    high: [[f64; FEATURES]; BLOCKS],
    /// The same over all blocks but the newest.
    past: [(f64, f64); FEATURES],
}

/// Values count as this at the most: the squares of a value like 1e300 would not be finite.
const ABSURD: f64 = 1e100;
const EMPTY: (f64, f64) = (f64::INFINITY, f64::NEG_INFINITY);

impl Kernel for RangeExtension {
    const NAME: &'static str = "range-extension";

    fn new(baseline: &Baseline) -> Result<Self, BaselineError> {
        baseline.validate()?;
        let width = baseline.width();
        let chart = baseline.range.ok_or_else(|| BaselineError::NoLimit(Self::NAME.to_owned()))?;
        if width > MAX_RANGE_SIGNALS {
            let problem = format!("are {width}, {} takes at most {MAX_RANGE_SIGNALS}", Self::NAME);
            return Err(wrong("signals", problem));
        }
        let tag = [chart.mean_rows, chart.spread_rows, chart.memory_rows, chart.record_rows]
            .into_iter()
            .fold(Tag::new(), |tag, rows| tag.number(rows as f64));
        let layout = baseline.signals.iter().fold(tag, |tag, name| tag.text(name)).0;
        Ok(Self {
            width,
            chart,
            // At most a million by validation.
            block_rows: chart.memory_rows.div_ceil(BLOCKS) as u32,
            gap: gap_micros(baseline.gap_reset_seconds),
            limit: baseline.limit(Self::NAME)?,
            head: Head { kernel: b'r', layout },
        })
    }

    fn score_into(&mut self, batch: &Batch<'_>, answer: AnswerMut<'_>) -> Result<(), BatchError> {
        drive(self, batch, self.width, answer)
    }
}

impl RangeExtension {
    fn fresh(&self) -> Memory {
        Memory {
            clock: Clock::default(),
            signals: (0..self.width).map(|_| Track::new(self.ring())).collect(),
            raw: vec![0.0; self.chart.record_rows],
            raw_head: 0,
        }
    }

    fn ring(&self) -> usize {
        self.chart.mean_rows.max(self.chart.spread_rows)
    }

    fn read_memory(&self, blob: &[u8]) -> Option<Memory> {
        let (clock, mut reader) = self.head.read(blob)?;
        let mut memory = self.fresh();
        memory.clock = clock;
        memory.raw_head = usize::from(reader.u16()?);
        reader.f64s(&mut memory.raw)?;
        for track in &mut memory.signals {
            track.read(&mut reader, self.block_rows)?;
        }
        let sound = memory.raw_head < memory.raw.len()
            && memory.raw.iter().all(|raw| raw.is_finite())
            && reader.0.is_empty();
        sound.then_some(memory)
    }
}

impl Track {
    fn new(ring: usize) -> Self {
        Self {
            window: vec![0.0; ring],
            head: 0,
            filled: 0,
            in_block: 0,
            block: 0,
            blocks: 1,
            low: [[EMPTY.0; FEATURES]; BLOCKS],
            high: [[EMPTY.1; FEATURES]; BLOCKS],
            past: [EMPTY; FEATURES],
        }
    }

    /// Value, mean of the last rows, spread of the last rows.
    fn features(&mut self, value: f64, chart: &RangeChart) -> [f64; FEATURES] {
        let ring = self.window.len();
        self.window[self.head] = value;
        self.head = (self.head + 1) % ring;
        self.filled = (self.filled + 1).min(ring);
        let (head, filled) = (self.head, self.filled);
        let newest = |rows: usize| (1..=rows.min(filled)).map(move |back| (head + ring - back) % ring);
        let window = &self.window;
        let mean = |rows: usize| newest(rows).map(|at| window[at]).sum::<f64>() / rows.min(filled) as f64;
        let centre = mean(chart.spread_rows);
        let squares: f64 = newest(chart.spread_rows).map(|at| (window[at] - centre).powi(2)).sum();
        let spread = (squares / chart.spread_rows.min(filled) as f64).sqrt();
        [value, mean(chart.mean_rows), spread]
    }

    /// By how much the features extend their ranges, in parts of the ranges; then they belong to the ranges.
    fn extend(&mut self, features: [f64; FEATURES], block_rows: u32) -> f64 {
        let mut most = 0.0_f64;
        for (at, &feature) in features.iter().enumerate() {
            let low = self.past[at].0.min(self.low[self.block][at]);
            let high = self.past[at].1.max(self.high[self.block][at]);
            let out = (feature - high).max(low - feature).max(0.0);
            let width = high - low;
            // A signal that stood still and moves at last: out by the whole of its range, however little it is.
            let extension = if width > 0.0 { out / width } else { f64::from(u8::from(out > 0.0)) };
            if low <= high {
                most = most.max(extension.min(1e6));
            }
            self.low[self.block][at] = self.low[self.block][at].min(feature);
            self.high[self.block][at] = self.high[self.block][at].max(feature);
        }
        self.in_block += 1;
        if self.in_block >= block_rows {
            self.next_block();
        }
        most
    }

    fn next_block(&mut self) {
        self.in_block = 0;
        self.block = (self.block + 1) % BLOCKS;
        self.blocks = (self.blocks + 1).min(BLOCKS);
        self.low[self.block] = [EMPTY.0; FEATURES];
        self.high[self.block] = [EMPTY.1; FEATURES];
        self.sum_up();
    }

    fn sum_up(&mut self) {
        self.past = [EMPTY; FEATURES];
        for block in (0..BLOCKS).filter(|block| *block != self.block) {
            for (at, past) in self.past.iter_mut().enumerate() {
                *past = (past.0.min(self.low[block][at]), past.1.max(self.high[block][at]));
            }
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        // All below 65,536 by validation.
        for number in [self.head, self.filled, self.block, self.blocks] {
            out.extend_from_slice(&(number as u16).to_le_bytes());
        }
        out.extend_from_slice(&u64::from(self.in_block).to_le_bytes());
        put_f64s(&self.window[..self.filled], out);
        for block in self.used() {
            put_f64s(&self.low[block], out);
            put_f64s(&self.high[block], out);
        }
    }

    /// Blocks in use, the newest first.
    fn used(&self) -> impl Iterator<Item = usize> + use<> {
        let newest = self.block;
        (0..self.blocks).map(move |back| (newest + BLOCKS - back) % BLOCKS)
    }

    fn read(&mut self, reader: &mut Reader<'_>, block_rows: u32) -> Option<()> {
        self.head = usize::from(reader.u16()?);
        self.filled = usize::from(reader.u16()?);
        self.block = usize::from(reader.u16()?);
        self.blocks = usize::from(reader.u16()?);
        self.in_block = u32::try_from(reader.u64()?).ok()?;
        let ring = self.window.len();
        let placed = if self.filled == ring { self.head < ring } else { self.head == self.filled };
        let inside = self.filled <= ring && self.block < BLOCKS && (1..=BLOCKS).contains(&self.blocks);
        if !placed || !inside || self.in_block >= block_rows {
            return None;
        }
        reader.f64s(&mut self.window[..self.filled])?;
        for block in self.used() {
            reader.f64s(&mut self.low[block])?;
            reader.f64s(&mut self.high[block])?;
        }
        self.sum_up();
        let sound = self.window.iter().all(|value| value.abs() <= ABSURD)
            && self.low.iter().chain(&self.high).flatten().all(|bound| !bound.is_nan());
        sound.then_some(())
    }
}

impl RowKernel for RangeExtension {
    type State = Memory;

    fn read(&self, blob: &[u8]) -> Memory {
        self.read_memory(blob).unwrap_or_else(|| self.fresh())
    }

    fn write(&self, state: &Memory, out: &mut Vec<u8>) {
        self.head.write(&state.clock, out);
        out.extend_from_slice(&(state.raw_head as u16).to_le_bytes());
        put_f64s(&state.raw, out);
        state.signals.iter().for_each(|track| track.write(out));
    }

    fn row(&mut self, state: &mut Memory, time: i64, row: &[f64], contributions: &mut [f64]) -> (f64, u8) {
        match state.clock.step(time, self.gap) {
            Step::Continue => {}
            Step::Refuse => return (0.0, status::INVALID),
            Step::Reset => {
                for track in &mut state.signals {
                    (track.head, track.filled) = (0, 0);
                    track.window.fill(0.0);
                }
            }
        }
        let (mut present, mut warm) = (false, false);
        let mut raw = 0.0_f64;
        for ((track, &value), contribution) in state.signals.iter_mut().zip(row).zip(contributions.iter_mut())
        {
            if value.is_nan() {
                continue;
            }
            present = true;
            let before = (track.blocks - 1) * self.block_rows as usize + track.in_block as usize;
            let features = track.features(value.clamp(-ABSURD, ABSURD), &self.chart);
            let extension = track.extend(features, self.block_rows);
            if before >= self.chart.record_rows {
                warm = true;
                *contribution = extension;
                raw = raw.max(extension);
            }
        }
        if !present {
            return (0.0, status::INSUFFICIENT);
        }
        let record = raw > 0.0 && state.raw.iter().all(|earlier| raw > *earlier);
        state.raw[state.raw_head] = raw;
        state.raw_head = (state.raw_head + 1) % state.raw.len();
        if !warm {
            return (0.0, status::WARMING);
        }
        let score = if record { raw / self.limit } else { 0.0 };
        let total: f64 = contributions.iter().sum();
        let factor = if total > 0.0 { score / total } else { 0.0 };
        contributions.iter_mut().for_each(|contribution| *contribution *= factor);
        (score, status::OK)
    }
}
