//! The distinct values of a column and their codes.

use super::NONE;

/// Numbers doubles in the order of their first appearance. Decimals of a narrow range, which is what sensors report, are
/// looked up by their digits; other doubles by a hash.
#[derive(Debug)]
pub(crate) struct DoubleDictionary {
    slots: Vec<(u64, u32)>,
    shift: u32,
    /// Codes by the digits of a decimal.
    by_digits: Vec<u32>,
    pub(crate) values: Vec<f64>,
    pub(crate) codes: Vec<u32>,
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
    pub(crate) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            shift: 64 - FIRST_SLOTS,
            by_digits: Vec::new(),
            values: Vec::new(),
            codes: Vec::new(),
        }
    }

    /// Encodes the values; `false` where over half of them are distinct, and a dictionary would only be in the way.
    pub(crate) fn encode(&mut self, values: &[f64]) -> bool {
        self.values.clear();
        self.codes.clear();
        self.codes.reserve(values.len());
        let most = (values.len() / 2).max(1_024);
        match decimals(values) {
            Some(decimals) => self.encode_decimals(values, decimals, most),
            None => self.encode_doubles(values, most),
        }
    }

    fn encode_decimals(&mut self, values: &[f64], decimals: Decimals, most: usize) -> bool {
        let Decimals { scale, least, range } = decimals;
        self.by_digits.clear();
        self.by_digits.resize(range, EMPTY);
        for &value in values {
            if value.is_nan() {
                self.codes.push(NONE);
                continue;
            }
            let digits = rounded(value * scale);
            let slot = &mut self.by_digits[digits.wrapping_sub(least) as usize];
            if *slot == EMPTY {
                *slot = self.values.len() as u32;
                self.values.push(value);
            }
            self.codes.push(*slot);
        }
        self.values.len() <= most
    }

    fn encode_doubles(&mut self, values: &[f64], most: usize) -> bool {
        self.shift = 64 - FIRST_SLOTS;
        self.slots.clear();
        self.slots.resize(1 << FIRST_SLOTS, (0, EMPTY));
        let mut last = (u64::MAX, NONE);
        for &value in values {
            let bits = value.to_bits();
            // Signals stand still more often than one thinks.
            if bits == last.0 {
                self.codes.push(last.1);
                continue;
            }
            let code = if value.is_nan() { NONE } else { self.code(bits, value) };
            if self.values.len() > most {
                return false;
            }
            last = (bits, code);
            self.codes.push(code);
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

/// Short decimals of a narrow range.
#[derive(Clone, Copy, Debug)]
struct Decimals {
    scale: f64,
    /// Digits of the least value.
    least: i32,
    /// How many values there are from the least to the greatest.
    range: usize,
}

/// What each of the values is a decimal of, to the last bit; `None` where one is not.
fn decimals(values: &[f64]) -> Option<Decimals> {
    let sample = || values.iter().filter(|value| !value.is_nan()).take(SAMPLE);
    let scale = SCALES.into_iter().find(|&scale| sample().all(|&value| is_decimal(value, scale)))?;
    // In order of cost: a range takes no division.
    let (low, high) = bounds(values)?;
    if high - low >= WIDEST / scale || low.abs().max(high.abs()) >= MOST / scale {
        return None;
    }
    let (least, most) = (rounded(low * scale), rounded(high * scale));
    // Blocks, so that the compiler can look at several values at a time.
    let all = values.chunks(64).all(|block| {
        block.iter().fold(true, |all, &value| all & (value.is_nan() | is_decimal(value, scale)))
    });
    all.then(|| Decimals { scale, least, range: (most - least) as usize + 1 })
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

/// The least and the greatest value; `None` where all are absent.
pub(super) fn bounds(values: &[f64]) -> Option<(f64, f64)> {
    // An absent value is a NaN, and compares with nothing. Four at a time, because the order of comparisons is the
    // program's otherwise.
    let (blocks, rest) = values.as_chunks::<4>();
    let (mut low, mut high) = ([f64::INFINITY; 4], [f64::NEG_INFINITY; 4]);
    for block in blocks {
        for lane in 0..4 {
            low[lane] = if block[lane] < low[lane] { block[lane] } else { low[lane] };
            high[lane] = if block[lane] > high[lane] { block[lane] } else { high[lane] };
        }
    }
    let low = low.iter().chain(rest).fold(f64::INFINITY, |low, &value| if value < low { value } else { low });
    let high = high
        .iter()
        .chain(rest)
        .fold(f64::NEG_INFINITY, |high, &value| if value > high { value } else { high });
    (low <= high).then_some((low, high))
}

fn hash(bits: u64, shift: u32) -> usize {
    // The low bits of a decimal's mantissa vary as much as the high ones; both must reach the top.
    ((bits ^ (bits >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> shift) as usize
}
