//! One of the arrays of a batch, walked in step with the others.

use super::decode::Range;
use crate::error::{DecodeError, Fault};
use crate::scan::Cursor;

/// A position in one array.
pub(crate) struct Walk<'t> {
    pub(crate) cursor: Cursor<'t>,
    pub(crate) base: usize,
    field: &'t str,
    first: bool,
    count: usize,
}

impl<'t> Walk<'t> {
    pub(crate) fn enter(text: &'t [u8], range: Range, field: &'t str) -> Result<Self, DecodeError> {
        let mut cursor = Cursor::new(text.get(range.0..range.1).unwrap_or_default());
        cursor.expect(b'[', "`[`").map_err(|fault| fault.in_field(field))?;
        Ok(Self { cursor, base: range.0, field, first: true, count: 0 })
    }

    pub(crate) fn enter_if_there(
        text: &'t [u8],
        range: Option<Range>,
        field: &'t str,
    ) -> Result<Option<Self>, DecodeError> {
        match range {
            // An absent list is written as `null` by some builds of the extension.
            Some((start, end)) if text.get(start..end) != Some(b"null") => {
                Self::enter(text, (start, end), field).map(Some)
            }
            _ => Ok(None),
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn next(&mut self) -> Result<bool, DecodeError> {
        let more = self.cursor.next_element(&mut self.first).map_err(|fault| fault.in_field(self.field))?;
        self.count += usize::from(more);
        Ok(more)
    }

    /// Reads the next entry, which has to exist because `Data` has one; `total` counts all of `Data`.
    #[inline]
    pub(crate) fn entry<T>(
        &mut self,
        data: &mut Walk<'_>,
        read: impl FnOnce(&mut Cursor<'t>, usize) -> Result<T, Fault>,
    ) -> Result<T, DecodeError> {
        if !self.next()? {
            let found = self.count;
            return Err(self.mismatch(data.count_all()?, found));
        }
        read(&mut self.cursor, self.base).map_err(|fault| self.located(fault))
    }

    pub(crate) fn located(&self, fault: Fault) -> DecodeError {
        fault.in_field(&format!("{}[{}]", self.field, self.count.saturating_sub(1)))
    }

    pub(crate) fn mismatch(&self, expected: usize, found: usize) -> DecodeError {
        DecodeError::LengthMismatch { field: self.field.to_owned(), expected, found }
    }

    pub(crate) fn count_all(&mut self) -> Result<usize, DecodeError> {
        // Called after `Data`'s current entry has been read, or after an array gave one too many.
        while self.next()? {
            self.cursor.skip_value().map_err(|fault| fault.in_field(self.field))?;
        }
        Ok(self.count)
    }

    pub(crate) fn end(mut self, expected: usize) -> Result<(), DecodeError> {
        if self.next()? {
            self.cursor.skip_value().map_err(|fault| self.located(fault))?;
            let found = self.count_all()?;
            return Err(self.mismatch(expected, found));
        }
        self.cursor.finish().map_err(|fault| fault.in_field(self.field))
    }
}
