//! Payloads that look like one before: a device writes the same fields in the same order, so that the names need only
//! be compared, and most values are short numbers.
//!
//! Whatever is not plainly of that kind (escapes, nesting, exponents, very long numbers, another field) is left to the
//! general reader, which alone decides what is an error. What is read here comes out as it would there.

use super::MAX_TEXT;
use super::row::Field;

/// Shapes remembered for one batch: fleets mix a few kinds of devices.
const MOST_SHAPES: usize = 4;
/// Powers of ten that a double holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];
/// Integers up to here are exact as doubles.
const EXACT: u64 = 1 << 53;

/// Field names in the order of a payload.
pub(super) type Shape = Vec<Box<str>>;

/// The shapes seen, the one used last in front.
#[derive(Default)]
pub(super) struct Shapes {
    known: Vec<Shape>,
}

impl Shapes {
    /// Reads a payload by a known shape, handing each field with its value (`None` for `null`); false when it fits
    /// none. `field` says whether it could use the field; after a false answer `undo` is called, because the general
    /// reader begins anew.
    pub(super) fn read<'a, C>(
        &mut self,
        body: &'a [u8],
        context: &mut C,
        field: impl Fn(&mut C, &str, Option<Field<'a>>) -> bool,
        undo: impl Fn(&mut C),
    ) -> bool {
        for at in 0..self.known.len() {
            if read_by(&self.known[at], body, &mut |name, value| field(context, name, value)).is_some() {
                self.known.swap(0, at);
                return true;
            }
            undo(context);
        }
        false
    }

    /// Remembers the shape of a payload that the general reader read. Names that JSON writes with escapes are not
    /// compared, so a shape with one is not kept.
    pub(super) fn learn(&mut self, shape: Shape) {
        let plain = |name: &str| name.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
        if shape.is_empty() || !shape.iter().all(|name| plain(name)) || self.known.contains(&shape) {
            return;
        }
        self.known.truncate(MOST_SHAPES - 1);
        self.known.insert(0, shape);
    }
}

fn read_by<'a>(
    shape: &Shape,
    body: &'a [u8],
    field: &mut impl FnMut(&str, Option<Field<'a>>) -> bool,
) -> Option<()> {
    let mut at = after(body, 0, b'{')?;
    for (index, name) in shape.iter().enumerate() {
        if index > 0 {
            at = after(body, at, b',')?;
        }
        at = after(body, at, b'"')?;
        at += body.get(at..)?.starts_with(name.as_bytes()).then_some(name.len())?;
        at = (*body.get(at)? == b'"').then_some(at + 1)?;
        at = skip_space(body, after(body, at, b':')?);
        let (value, end) = value(body, at)?;
        at = field(name, value).then_some(end)?;
    }
    at = skip_space(body, after(body, at, b'}')?);
    (at == body.len()).then_some(())
}

#[inline]
fn skip_space(body: &[u8], mut at: usize) -> usize {
    while matches!(body.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
        at += 1;
    }
    at
}

#[inline]
fn after(body: &[u8], at: usize, wanted: u8) -> Option<usize> {
    let at = skip_space(body, at);
    (*body.get(at)? == wanted).then_some(at + 1)
}

#[inline]
fn value(body: &[u8], at: usize) -> Option<(Option<Field<'_>>, usize)> {
    match *body.get(at)? {
        b'"' => text(body, at + 1),
        b'-' | b'0'..=b'9' => number(body, at).map(|(value, end)| (Some(Field::Number(value)), end)),
        b't' => word(body, at, "true").map(|end| (Some(Field::Text("true".into())), end)),
        b'f' => word(body, at, "false").map(|end| (Some(Field::Text("false".into())), end)),
        b'n' => word(body, at, "null").map(|end| (None, end)),
        _ => None,
    }
}

fn word(body: &[u8], at: usize, word: &str) -> Option<usize> {
    body.get(at..)?.starts_with(word.as_bytes()).then_some(at + word.len())
}

fn text(body: &[u8], at: usize) -> Option<(Option<Field<'_>>, usize)> {
    let rest = body.get(at..)?;
    // The text, its closing quote, and not more: a longer one is kept elsewhere.
    let window = rest.get(..=MAX_TEXT).unwrap_or(rest);
    let length = window.iter().position(|&byte| matches!(byte, b'"' | b'\\') || byte < b' ')?;
    (rest[length] == b'"').then_some(())?;
    let text = std::str::from_utf8(&rest[..length]).ok()?;
    Some((Some(Field::Text(text.into())), at + length + 1))
}

/// A number as `[-]digits[.digits]` that one division gives exactly rounded (Clinger, "How to read floating point
/// numbers accurately", 1990).
#[inline]
#[expect(clippy::cast_precision_loss, reason = "signals are doubles; integers above 2^53 are rounded")]
fn number(body: &[u8], mut at: usize) -> Option<(f64, usize)> {
    let negative = body[at] == b'-';
    at += usize::from(negative);
    let start = at;
    let mut digits = 0_u64;
    while let Some(digit) = body.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        digits = digits.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    let whole = at - start;
    if whole == 0 || (whole > 1 && body[start] == b'0') {
        return None;
    }
    let mut fraction = 0;
    if body.get(at) == Some(&b'.') {
        at += 1;
        let start = at;
        while let Some(digit) = body.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
            digits = digits.wrapping_mul(10).wrapping_add(u64::from(digit));
            at += 1;
        }
        fraction = at - start;
        if fraction == 0 {
            return None;
        }
    }
    // Eighteen digits fit the integer; beyond that it may have wrapped round.
    if whole + fraction > 18 || (fraction > 0 && digits > EXACT) || matches!(body.get(at), Some(b'e' | b'E'))
    {
        return None;
    }
    let value = digits as f64 / POWERS[fraction];
    Some((if negative { -value } else { value }, at))
}
