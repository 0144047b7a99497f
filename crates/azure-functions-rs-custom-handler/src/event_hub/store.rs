//! Where a batch keeps its text and bodies: two buffers and offsets into them, nothing per event.

use crate::error::Fault;
use crate::scan::{Cursor, Token};
use crate::spare;

/// The largest body whose offsets fit a [`Span`].
pub(crate) const MAX_BODY: usize = (1 << 31) - 64;

const IN_BYTES: u32 = 1 << 31;
const ABSENT: u32 = u32::MAX;

/// A piece of one of the two buffers, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    length: u32,
}

impl Span {
    pub(crate) const NONE: Self = Self { start: ABSENT, length: 0 };

    // Both buffers are bounded by `MAX_BODY`, which the entry point checks, so the casts keep all bits.
    #[allow(clippy::cast_possible_truncation)]
    pub(crate) fn in_text(start: usize, end: usize) -> Self {
        Self { start: start as u32, length: (end - start) as u32 }
    }

    #[allow(clippy::cast_possible_truncation)]
    pub(crate) fn in_bytes(start: usize, end: usize) -> Self {
        Self { start: start as u32 | IN_BYTES, length: (end - start) as u32 }
    }

    /// The positions in the text buffer, for a span that lies there.
    pub(crate) fn text_range(self) -> Option<(usize, usize)> {
        let start = self.start as usize;
        (self.start & IN_BYTES == 0).then_some((start, start + self.length as usize))
    }

    pub(crate) fn is_none(self) -> bool {
        self.start == ABSENT
    }
}

/// The two buffers of a batch.
#[derive(Clone, Default)]
pub(crate) struct Store {
    /// Metadata and message texts with the host's outer encoding taken off.
    pub(crate) text: String,
    /// Decoded bodies, and the few strings that hold escapes of their own.
    pub(crate) bytes: Vec<u8>,
}

impl Store {
    pub(crate) fn slice(&self, span: Span) -> &[u8] {
        if span.is_none() {
            return &[];
        }
        let (buffer, start) = if span.start & IN_BYTES == 0 {
            (self.text.as_bytes(), span.start as usize)
        } else {
            (self.bytes.as_slice(), (span.start & !IN_BYTES) as usize)
        };
        buffer.get(start..start + span.length as usize).unwrap_or_default()
    }

    pub(crate) fn text(&self, span: Span) -> Option<&str> {
        if span.is_none() {
            return None;
        }
        match span.text_range() {
            // Cut at quotes of text that was checked whole.
            Some((start, end)) => self.text.get(start..end),
            None => std::str::from_utf8(self.slice(span)).ok(),
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        spare::give(std::mem::take(&mut self.text).into_bytes());
        spare::give(std::mem::take(&mut self.bytes));
    }
}

/// The text buffer while it is filled: as large as the body from the start, since taking an encoding
/// off only shrinks.
pub(crate) struct Arena {
    buffer: Vec<u8>,
    used: usize,
}

impl Arena {
    pub(crate) fn for_body(length: usize) -> Self {
        let mut buffer = spare::take();
        buffer.resize(length + 8, 0);
        Self { buffer, used: 0 }
    }

    /// Takes the next value's outer encoding off and keeps the text.
    pub(crate) fn take_value(&mut self, cursor: &mut Cursor<'_>) -> Result<(usize, usize), Fault> {
        let start = self.used;
        if cursor.peek() == Some(b'"') {
            self.used = cursor.unescape_next(&mut self.buffer, start)?;
        } else {
            let raw = cursor.raw_value()?;
            if let Some(target) = self.buffer.get_mut(start..start + raw.len()) {
                target.copy_from_slice(raw);
                self.used += raw.len();
            }
        }
        Ok((start, self.used))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.used).unwrap_or_default()
    }

    /// What is written, and the room that is left.
    pub(crate) fn split(&mut self) -> (&[u8], &mut [u8]) {
        let (done, free) = self.buffer.split_at_mut(self.used);
        (done, free)
    }

    /// Keeps what was written at the start of the free room.
    pub(crate) fn keep(&mut self, length: usize) {
        self.used = (self.used + length).min(self.buffer.len());
    }

    pub(crate) fn into_string(mut self) -> Result<String, usize> {
        self.buffer.truncate(self.used);
        String::from_utf8(self.buffer).map_err(|error| error.utf8_error().valid_up_to())
    }
}

/// Keeps a string: in place where it has no escapes, else unescaped into `bytes`. `base` is where the
/// cursor's input begins in the text buffer.
pub(crate) fn keep_string(
    cursor: &Cursor<'_>,
    token: Token,
    base: usize,
    bytes: &mut Vec<u8>,
) -> Result<Span, Fault> {
    if !token.escaped {
        return Ok(Span::in_text(base + token.start, base + token.end));
    }
    let start = bytes.len();
    cursor.unescape_token(token, bytes)?;
    Ok(Span::in_bytes(start, bytes.len()))
}
