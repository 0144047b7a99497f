//! What the system properties of a batch have in common.
//!
//! The entries of one batch are alike: the same keys in the same order, many values the same, and only a
//! few texts and numbers different. A [`Pattern`] is learnt from two entries: the pieces that were equal, with
//! gaps between them. Where the next entry fits, it costs a comparison and a copy for each piece, both
//! encodings at once. Where it does not fit, it is read in the ordinary way; a pattern only ever saves time.

use super::event::{Field, Record};
use super::store::Span;
use crate::scan::{Escape, copy_run};

/// Entries longer than this are not learnt from, so that the list of tokens stays small.
const LONGEST_ENTRY: usize = 16 * 1024;

/// An entry that was read in the ordinary way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// Where the entry lies in the request body.
    pub(crate) escaped: (usize, usize),
    /// Where its text begins in the output.
    pub(crate) plain: usize,
}

/// What follows a literal piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    /// Any text without quotes and escapes, inside a string.
    Text,
    /// An integer.
    Number,
    /// The end of the entry.
    End,
}

#[derive(Debug, Clone, Copy)]
struct Piece {
    /// The literal in the request body.
    escaped: (usize, usize),
    /// The literal in the output.
    plain: (usize, usize),
    gap: Gap,
}

/// Where a field's text lies, relative to a literal or as a whole gap.
#[derive(Debug, Clone, Copy)]
struct Place {
    field: Field,
    piece: usize,
    /// Offset in the piece's literal and length; `None` for the gap behind it.
    inside: Option<(usize, usize)>,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Pattern {
    pieces: Vec<Piece>,
    places: Vec<Place>,
    /// Which tokens differed so far; a later pattern keeps them as gaps.
    variable: Vec<bool>,
}

/// A run of plain text or one escape sequence.
#[derive(Debug, Clone, Copy)]
struct Token {
    start: usize,
    end: usize,
    escape: bool,
}

impl Pattern {
    /// Compares two entries. `record` is what the ordinary way found in the second one, whose text begins at
    /// `base + second.plain` of the text buffer.
    pub(crate) fn learn(
        input: &[u8],
        (first, second): (Sample, Sample),
        known: Option<&Self>,
        base: usize,
        record: &Record,
    ) -> Option<Self> {
        let before = tokens(input, first.escaped)?;
        let after = tokens(input, second.escaped)?;
        if before.len() != after.len() {
            return None;
        }
        let variable: Vec<bool> = before
            .iter()
            .zip(&after)
            .enumerate()
            .map(|(index, (old, new))| {
                input[old.start..old.end] != input[new.start..new.end]
                    || known.is_some_and(|known| {
                        known.variable.len() == after.len() && known.variable[index] && !new.escape
                    })
            })
            .collect();
        let pieces = pieces(input, &after, &variable, second)?;
        let places = places(&pieces, base, record)?;
        Some(Self { pieces, places, variable })
    }

    /// Reads the entry at `read` if it fits: writes its text to `out[write..]`, sets the record's fields, and
    /// returns the positions behind both.
    pub(crate) fn apply(
        &self,
        input: &[u8],
        mut read: usize,
        (out, mut write): (&mut [u8], usize),
        base: usize,
        (record, marks): (&mut Record, &mut Vec<usize>),
    ) -> Option<(usize, usize)> {
        let start = write;
        marks.clear();
        for piece in &self.pieces {
            let literal = input.get(piece.escaped.0..piece.escaped.1)?;
            if !input.get(read..)?.starts_with(literal) {
                return None;
            }
            read += literal.len();
            let length = piece.plain.1 - piece.plain.0;
            if write + length > out.len() {
                return None;
            }
            out.copy_within(piece.plain.0..piece.plain.1, write);
            marks.push(write);
            write += length;
            let run = match piece.gap {
                Gap::End => 0,
                Gap::Text => copy_run(input, read, out, write)?,
                Gap::Number => {
                    let digits = input.get(read..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
                    if digits == 0 {
                        return None;
                    }
                    out.get_mut(write..write + digits)?.copy_from_slice(&input[read..read + digits]);
                    digits
                }
            };
            marks.push(write);
            read += run;
            write += run;
        }
        marks.push(write);
        for place in &self.places {
            let mark = 2 * place.piece;
            let (from, to) = match place.inside {
                Some((offset, length)) => (marks[mark] + offset, marks[mark] + offset + length),
                None => (marks[mark + 1], marks[mark + 2]),
            };
            record.set(place.field, Span::in_text(base + from, base + to));
        }
        record.set(Field::SystemProperties, Span::in_text(base + start, base + write));
        Some((read, write))
    }
}

fn tokens(input: &[u8], (from, to): (usize, usize)) -> Option<Vec<Token>> {
    if to - from > LONGEST_ENTRY {
        return None;
    }
    let mut tokens = Vec::new();
    let mut at = from;
    while at < to {
        if input[at] == b'\\' {
            // Only escapes that stand for one byte: positions in the output stay easy to follow.
            let escape = Escape::read(input, at).ok().filter(|escape| escape.length == 2)?;
            tokens.push(Token { start: at, end: at + escape.length, escape: true });
            at += escape.length;
        } else {
            let run = input[at..to].iter().position(|byte| *byte == b'\\').unwrap_or(to - at);
            tokens.push(Token { start: at, end: at + run, escape: false });
            at += run;
        }
    }
    Some(tokens)
}

/// Cuts an entry into literals and gaps. Gives up wherever a gap could mean something else than in the entry
/// learnt from: in a key, behind an inner backslash, or outside strings in anything but an integer.
fn pieces(input: &[u8], tokens: &[Token], variable: &[bool], sample: Sample) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut plain = sample.plain;
    let mut literal = (sample.escaped.0, plain);
    let mut in_string = false;
    let mut gap_in_string = false;
    let mut after_backslash = false;
    let mut close =
        |literal: &mut (usize, usize), escaped: (usize, usize), plain: usize, length: usize, gap: Gap| {
            pieces.push(Piece { escaped: (literal.0, escaped.0), plain: (literal.1, plain), gap });
            *literal = (escaped.1, plain + length);
        };
    for (index, (token, variable)) in tokens.iter().zip(variable).enumerate() {
        let text = &input[token.start..token.end];
        if token.escape {
            if *variable {
                return None;
            }
            let inner_escaped = std::mem::take(&mut after_backslash);
            match text {
                b"\\\\" => after_backslash = in_string && !inner_escaped,
                b"\\\"" if !inner_escaped => {
                    let next = tokens.get(index + 1).map(|next| &input[next.start..next.end]);
                    let is_key = next.is_some_and(|next| next.trim_ascii_start().starts_with(b":"));
                    if in_string && gap_in_string && is_key {
                        return None;
                    }
                    in_string = !in_string;
                    gap_in_string = false;
                }
                _ => {}
            }
            plain += 1;
            continue;
        }
        let follows_backslash = std::mem::take(&mut after_backslash);
        if *variable {
            let (mut from, mut to) = (token.start, token.end);
            if !in_string {
                let number = text.strip_prefix(b":")?.strip_suffix(b",")?;
                if number.is_empty() || !number.iter().all(u8::is_ascii_digit) {
                    return None;
                }
                (from, to) = (from + 1, to - 1);
            } else if follows_backslash {
                return None;
            }
            gap_in_string = in_string;
            let gap = if in_string { Gap::Text } else { Gap::Number };
            close(&mut literal, (from, to), plain + (from - token.start), to - from, gap);
        }
        plain += text.len();
    }
    close(&mut literal, (sample.escaped.1, sample.escaped.1), plain, 0, Gap::End);
    Some(pieces)
}

fn places(pieces: &[Piece], base: usize, record: &Record) -> Option<Vec<Place>> {
    let mut places = Vec::new();
    for field in Field::SYSTEM {
        let span = record.get(field);
        if span.is_none() {
            continue;
        }
        // A text with escapes of its own lies elsewhere, where a pattern cannot put it.
        let (from, to) = span.text_range()?;
        let (from, to) = (from.checked_sub(base)?, to.checked_sub(base)?);
        let place = pieces.iter().enumerate().find_map(|(index, piece)| {
            let gap_end = pieces.get(index + 1).map_or(piece.plain.1, |next| next.plain.0);
            // The gap first: an empty text between two pieces belongs to it.
            if piece.gap == Gap::Text && (from, to) == (piece.plain.1, gap_end) {
                return Some(Place { field, piece: index, inside: None });
            }
            let inside = from >= piece.plain.0 && to <= piece.plain.1;
            inside.then(|| Place { field, piece: index, inside: Some((from - piece.plain.0, to - from)) })
        })?;
        places.push(place);
    }
    Some(places)
}
