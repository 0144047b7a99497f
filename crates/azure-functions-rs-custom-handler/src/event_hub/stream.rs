//! `Metadata.SystemPropertiesArray` read straight from the request body, entry by entry.

use super::event::Record;
use super::pattern::{Pattern, Sample};
use super::system_properties::{self, Lacking};
use crate::error::{Fault, Problem};
use crate::scan::{Cursor, unescape_some};

/// How often patterns are learnt in a batch before its entries count as too different.
const MOST_LESSONS: u32 = 96;
/// How many kinds of entries are told apart: devices set different properties, and come mixed.
const MOST_SHAPES: usize = 8;
/// How much text is looked at first at least; twice as much each time after.
const FIRST_LOOK: usize = 128;

/// One kind of entries.
struct Shape {
    last: Sample,
    pattern: Option<Pattern>,
}

/// A walk through the array inside its JSON string.
pub(crate) struct Stream<'a, 'o> {
    input: &'a [u8],
    read: usize,
    /// Free room of the text buffer, and where it begins there.
    out: &'o mut [u8],
    base: usize,
    written: usize,
    first: bool,
    shapes: Vec<Shape>,
    /// The shape of the entry before.
    recent: usize,
    lessons: u32,
    expected: usize,
    marks: Vec<usize>,
    look: Vec<u8>,
}

impl<'a, 'o> Stream<'a, 'o> {
    /// Enters the array of the string that is next.
    pub(crate) fn enter(cursor: &mut Cursor<'a>, out: &'o mut [u8], base: usize) -> Result<Self, Fault> {
        cursor.expect(b'"', "a string")?;
        let mut stream = Self {
            input: cursor.input(),
            read: cursor.position(),
            out,
            base,
            written: 0,
            first: true,
            shapes: Vec::new(),
            recent: 0,
            lessons: 0,
            expected: 0,
            marks: Vec::new(),
            look: Vec::new(),
        };
        let (length, ()) = stream.look_ahead(|cursor| cursor.expect(b'[', "`[`"))?;
        stream.take(length)?;
        Ok(stream)
    }

    /// Reads the next entry into `record`; false at the end of the array.
    #[inline]
    pub(crate) fn next(
        &mut self,
        bytes: &mut Vec<u8>,
        lacking: &mut Lacking,
        record: &mut Record,
    ) -> Result<bool, Fault> {
        // A pattern knows texts, not times and numbers; those come from arrays of their own in all but the
        // oldest hosts.
        if !self.first
            && !lacking.anything()
            && self.input.get(self.read) == Some(&b',')
            && self.next_alike(record)
        {
            return Ok(true);
        }
        self.next_ordinary(bytes, lacking, record)
    }

    /// Tries the patterns, that of the last entry first.
    fn next_alike(&mut self, record: &mut Record) -> bool {
        let Some(comma) = self.out.get_mut(self.written) else { return false };
        *comma = b',';
        for step in 0..self.shapes.len() {
            let index = (self.recent + step) % self.shapes.len();
            let Some(pattern) = &self.shapes[index].pattern else { continue };
            let target = (&mut *self.out, self.written + 1);
            let found =
                pattern.apply(self.input, self.read + 1, target, self.base, (record, &mut self.marks));
            if let Some((read, written)) = found {
                (self.read, self.written, self.recent) = (read, written, index);
                return true;
            }
        }
        false
    }

    fn next_ordinary(
        &mut self,
        bytes: &mut Vec<u8>,
        lacking: &mut Lacking,
        record: &mut Record,
    ) -> Result<bool, Fault> {
        let was_first = self.first;
        let (length, entry) = self.look_ahead(|cursor| {
            let mut first = was_first;
            if !cursor.next_element(&mut first)? {
                return Ok(None);
            }
            cursor.peek();
            let start = cursor.position();
            cursor.skip_value()?;
            Ok(Some(start))
        })?;
        let (read, written) = (self.read, self.written);
        self.take(length)?;
        self.first = false;
        self.expected = length + length / 4;
        let Some(start) = entry else { return Ok(false) };
        let text = self.out.get(written + start..self.written).unwrap_or_default();
        let mut cursor = Cursor::new(text);
        system_properties::read(&mut cursor, self.base + written + start, bytes, lacking, record)?;
        self.remember(Sample { escaped: (read + start, self.read), plain: written + start }, lacking, record);
        Ok(true)
    }

    fn remember(&mut self, sample: Sample, lacking: &Lacking, record: &Record) {
        // With an escape before it the entry would begin elsewhere; no host writes one there.
        if self.input.get(sample.escaped.0) != Some(&b'{') || lacking.anything() {
            return;
        }
        for (index, shape) in self.shapes.iter_mut().enumerate() {
            if self.lessons == MOST_LESSONS {
                return;
            }
            self.lessons += 1;
            let samples = (shape.last, sample);
            let learnt = Pattern::learn(self.input, samples, shape.pattern.as_ref(), self.base, record);
            if learnt.is_some() {
                *shape = Shape { last: sample, pattern: learnt };
                self.recent = index;
                return;
            }
        }
        if self.shapes.len() < MOST_SHAPES {
            self.shapes.push(Shape { last: sample, pattern: None });
        }
    }

    /// Reads something from the text ahead without moving; returns how much text it took.
    fn look_ahead<T>(
        &mut self,
        read: impl Fn(&mut Cursor<'_>) -> Result<T, Fault>,
    ) -> Result<(usize, T), Fault> {
        self.look.clear();
        let mut enough = self.expected.max(FIRST_LOOK);
        let mut position = self.read;
        loop {
            let (reached, ended) = unescape_some(self.input, position, &mut self.look, enough)?;
            position = reached;
            let mut cursor = Cursor::new(&self.look);
            match read(&mut cursor) {
                Ok(value) => return Ok((cursor.position(), value)),
                // Perhaps only cut off by the end of the look.
                Err(_) if !ended => enough *= 2,
                Err(fault) => return Err(fault),
            }
        }
    }

    /// Moves over `length` bytes of text, which were looked at just before, and keeps them.
    fn take(&mut self, length: usize) -> Result<(), Fault> {
        let full = Fault { position: self.read, problem: Problem::Truncated };
        let end = self.written + length;
        let text = self.look.get(..length).ok_or(full)?;
        self.out.get_mut(self.written..end).ok_or(full)?.copy_from_slice(text);
        self.written = end;
        // Once more, since the first time went past the end.
        self.look.clear();
        (self.read, _) = unescape_some(self.input, self.read, &mut self.look, length)?;
        Ok(())
    }

    /// Checks that nothing follows the array; returns the position behind the string in the body, and how much
    /// text was written.
    pub(crate) fn finish(mut self) -> Result<(usize, usize), Fault> {
        self.look.clear();
        let (quote, ended) = unescape_some(self.input, self.read, &mut self.look, usize::MAX)?;
        Cursor::new(&self.look).finish()?;
        if !ended {
            return Err(Fault { position: quote, problem: Problem::Truncated });
        }
        Ok((quote + 1, self.written))
    }
}
