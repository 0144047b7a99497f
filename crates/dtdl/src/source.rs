//! Sources of models and places inside them.

/// One named text with models, as a file or the body of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Name that errors show: a path, or the model's place in an upload.
    pub name: String,
    /// JSON text: one model, or an array of them.
    pub text: String,
}

impl Source {
    /// A source from its name and its text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }
}

/// A place in a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Name of the source.
    pub source: String,
    /// Place of the source in its call, from 0. Sources that a resolver fetched count on.
    pub index: usize,
    /// First line, from 1.
    pub line: usize,
    /// First column, from 1, in characters.
    pub column: usize,
    /// Last line, from 1.
    pub end_line: usize,
    /// First byte in the text.
    pub start: usize,
    /// Last byte in the text.
    pub end: usize,
}

/// A range of bytes of one document; `end` is the first byte of the last token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) document: u32,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// A source that was read, with the starts of its lines.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) name: String,
    pub(crate) text: String,
    lines: Vec<u32>,
}

impl Document {
    pub(crate) fn new(source: Source) -> Self {
        let text = match source.text.strip_prefix('\u{feff}') {
            Some(rest) => rest.to_owned(),
            None => source.text,
        };
        Self { name: source.name, text, lines: Vec::new() }
    }

    /// Line and column of a byte, both from 1.
    fn place(&mut self, byte: u32) -> (usize, usize) {
        if self.lines.is_empty() {
            // Only a faulty document pays for the table.
            self.lines.push(0);
            let ends = self.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            self.lines.extend(ends.map(|(index, _)| offset(index + 1)));
        }
        let line = self.lines.partition_point(|start| *start <= byte);
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0) as usize;
        let column = self.text.get(start..byte as usize).map_or(0, |text| text.chars().count());
        (line.max(1), column + 1)
    }
}

/// Byte offsets are kept in 32 bits: sources are limited to far less.
pub(crate) fn offset(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// Turns a span into what a person looks up.
pub(crate) fn locate(documents: &mut [Document], span: Span) -> Option<Location> {
    let document = documents.get_mut(span.document as usize)?;
    let (line, column) = document.place(span.start);
    let (end_line, _) = document.place(span.end);
    Some(Location {
        source: document.name.clone(),
        index: span.document as usize,
        line,
        column,
        end_line,
        start: span.start as usize,
        end: span.end as usize,
    })
}
