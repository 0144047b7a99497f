//! The distinct values of a column and their codes.

use super::{NONE, Pages, Slot};

/// Numbers doubles in the order of their first appearance. Decimals of a narrow range, which is what sensors report, are
/// looked up by their digits; other doubles by a hash.
#[derive(Debug)]
pub(crate) struct DoubleDictionary {
    slots: Vec<(u64, u32)>,
    shift: u32,
    /// Codes by the digits of a decimal.
    by_digits: Vec<u32>,
    /// Codes of the page at hand.
    codes: Vec<u32>,
    pub(crate) values: Vec<f64>,
    pub(crate) pages: Pages,
    /// The least and the greatest value of each page; `None` where it has none.
    pub(crate) bounds: Vec<Option<(f64, f64)>>,
}

const EMPTY: u32 = u32::MAX;
const FIRST_SLOTS: u32 = 12;
/// Values that are looked at to guess how many places a column has.
const SAMPLE: usize = 32;
/// What decimals are multiplied with, places by places.
const SCALES: [f64; 5] = [1.0, 10.0, 100.0, 1_000.0, 10_000.0];
/// Widest range of digits that is looked up directly: half a megabyte of codes.
const WIDEST: f64 = 131_071.0;
/// More digits are not looked at.
const MOST: f64 = 2_147_483_000.0;
/// 1.5 * 2^52: no fraction fits beside it, so the lowest bits of a sum with it are the nearest integer.
const SHIFT: f64 = 6_755_399_441_055_744.0;

impl DoubleDictionary {
    pub(crate) fn new() -> Self {
        Self {
            slots: Vec::new(),
            shift: 64 - FIRST_SLOTS,
            by_digits: Vec::new(),
            codes: Vec::new(),
            values: Vec::new(),
            pages: Pages::default(),
            bounds: Vec::new(),
        }
    }

    /// Encodes the values; `false` where over half of them are distinct, and a dictionary would only be in the way.
    pub(crate) fn encode(&mut self, slot: &Slot, values: &[f64]) -> bool {
        self.values.clear();
        self.pages.clear();
        self.bounds.clear();
        let most = (values.len() / 2).max(1_024);
        let mut absent = false;
        for page in values.chunks(slot.page) {
            let (bounds, gaps) = bounds(page);
            self.bounds.push(bounds);
            absent |= gaps;
        }
        if let Some(decimals) = decimals(values, joined(&self.bounds), absent)
            && let Some(fits) = self.encode_decimals(slot, values, decimals, most)
        {
            return fits;
        }
        self.encode_doubles(slot, values, most)
    }

    /// `None` where two values have the same digits: then they are not all decimals.
    fn encode_decimals(
        &mut self,
        slot: &Slot,
        values: &[f64],
        decimals: Decimals,
        most: usize,
    ) -> Option<bool> {
        let Self { by_digits, values: distinct, codes, .. } = self;
        let Decimals { scale, least, range, absent: gaps } = decimals;
        by_digits.clear();
        by_digits.resize(range, EMPTY);
        for values in values.chunks(slot.page) {
            let (mut differs, mut absent) = (0, 0);
            codes.resize(values.len(), NONE);
            for (code, &value) in codes.iter_mut().zip(values) {
                if gaps && value.is_nan() {
                    *code = NONE;
                    absent += 1;
                    continue;
                }
                let known = &mut by_digits[rounded(value * scale).wrapping_sub(least) as usize];
                if *known == EMPTY {
                    *known = distinct.len() as u32;
                    distinct.push(value);
                }
                *code = *known;
                // One value a code, to the last bit.
                differs |= distinct[*known as usize].to_bits() ^ value.to_bits();
            }
            if differs != 0 {
                self.values.clear();
                self.pages.clear();
                return None;
            }
            if distinct.len() > most {
                return Some(false);
            }
            self.pages.push(codes, distinct.len(), slot.is_optional(), absent);
        }
        Some(true)
    }

    fn encode_doubles(&mut self, slot: &Slot, values: &[f64], most: usize) -> bool {
        self.shift = 64 - FIRST_SLOTS;
        self.slots.clear();
        self.slots.resize(1 << FIRST_SLOTS, (0, EMPTY));
        let mut last = (u64::MAX, NONE);
        for values in values.chunks(slot.page) {
            self.codes.clear();
            let mut absent = 0;
            for &value in values {
                let bits = value.to_bits();
                // Signals stand still more often than one thinks.
                if bits != last.0 {
                    let code = if value.is_nan() { NONE } else { self.code(bits, value) };
                    if self.values.len() > most {
                        return false;
                    }
                    last = (bits, code);
                }
                absent += usize::from(last.1 == NONE);
                self.codes.push(last.1);
            }
            self.pages.push(&self.codes, self.values.len(), slot.is_optional(), absent);
        }
        true
    }

    fn code(&mut self, bits: u64, value: f64) -> u32 {
        let mask = self.slots.len() - 1;
        let mut at = hash(bits, self.shift);
        loop {
            let (known, code) = self.slots[at & mask];
            if code == EMPTY {
                break;
            }
            if known == bits {
                return code;
            }
            at += 1;
        }
        let code = u32::try_from(self.values.len()).unwrap_or(0);
        self.slots[at & mask] = (bits, code);
        self.values.push(value);
        if self.values.len() * 2 > self.slots.len() {
            self.grow();
        }
        code
    }

    fn grow(&mut self) {
        self.shift -= 1;
        let length = self.slots.len() * 2;
        self.slots.clear();
        self.slots.resize(length, (0, EMPTY));
        for (code, value) in (0_u32..).zip(&self.values) {
            let mut at = hash(value.to_bits(), self.shift);
            while self.slots[at & (length - 1)].1 != EMPTY {
                at += 1;
            }
            self.slots[at & (length - 1)] = (value.to_bits(), code);
        }
    }
}

/// Short decimals of a narrow range, as far as a few of them tell.
#[derive(Clone, Copy, Debug)]
struct Decimals {
    scale: f64,
    /// Digits of the least value.
    least: i32,
    /// How many values there are from the least to the greatest.
    range: usize,
    /// Whether any row has no value.
    absent: bool,
}

/// What the values may be decimals of; `None` where they are not.
fn decimals(values: &[f64], bounds: Option<(f64, f64)>, absent: bool) -> Option<Decimals> {
    let sample = || values.iter().filter(|value| !value.is_nan()).take(SAMPLE);
    let scale = SCALES.into_iter().find(|&scale| sample().all(|&value| is_decimal(value, scale)))?;
    let (low, high) = bounds?;
    if high - low >= WIDEST / scale || low.abs().max(high.abs()) >= MOST / scale {
        return None;
    }
    let (least, most) = (rounded(low * scale), rounded(high * scale));
    Some(Decimals { scale, least, range: (most - least) as usize + 1, absent })
}

/// Whether a small value is so many places and no more, to the last bit: a decimal is read as the quotient's nearest
/// double, and so is computed here. Minus zero has digits, and is none.
fn is_decimal(value: f64, scale: f64) -> bool {
    let digits = value * scale + SHIFT - SHIFT;
    (digits / scale).to_bits() == value.to_bits()
}

/// The nearest integer of a small value. A call of `round` takes longer.
fn rounded(value: f64) -> i32 {
    (value + SHIFT).to_bits() as i32
}

/// The least and the greatest value, `None` where all are absent; and whether any is.
fn bounds(values: &[f64]) -> (Option<(f64, f64)>, bool) {
    // An absent value is a NaN, and compares with nothing. Eight at a time, because the order of comparisons is the
    // program's otherwise.
    let (blocks, rest) = values.as_chunks::<8>();
    let (mut low, mut high) = ([f64::INFINITY; 8], [f64::NEG_INFINITY; 8]);
    let mut gaps = [0; 8];
    for block in blocks {
        for lane in 0..8 {
            low[lane] = if block[lane] < low[lane] { block[lane] } else { low[lane] };
            high[lane] = if block[lane] > high[lane] { block[lane] } else { high[lane] };
            gaps[lane] |= if block[lane].is_nan() { u64::MAX } else { 0 };
        }
    }
    let low = low.iter().chain(rest).fold(f64::INFINITY, |low, &value| if value < low { value } else { low });
    let high = high
        .iter()
        .chain(rest)
        .fold(f64::NEG_INFINITY, |high, &value| if value > high { value } else { high });
    let absent = gaps.iter().any(|&gaps| gaps != 0) || rest.iter().any(|value| value.is_nan());
    ((low <= high).then_some((low, high)), absent)
}

/// The bounds of all pages.
pub(super) fn joined(pages: &[Option<(f64, f64)>]) -> Option<(f64, f64)> {
    pages.iter().flatten().copied().reduce(|(low, high), page| (low.min(page.0), high.max(page.1)))
}

fn hash(bits: u64, shift: u32) -> usize {
    // The low bits of a decimal's mantissa vary as much as the high ones; both must reach the top.
    ((bits ^ (bits >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> shift) as usize
}
