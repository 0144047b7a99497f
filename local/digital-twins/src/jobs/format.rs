//! The input of an import: NDJSON in sections.
//!
//! `{"Section": "Header"}`, `Models`, `Twins`, `Relationships`, in this order, each followed by its lines.

use std::io::BufRead;

use serde_json::Value;

/// Longest line: a model of 1 MB and what surrounds it.
const LONGEST_LINE: usize = 1024 * 1024 + 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Section {
    Header,
    Models,
    Twins,
    Relationships,
}

impl Section {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "Header" => Some(Self::Header),
            "Models" => Some(Self::Models),
            "Twins" => Some(Self::Twins),
            "Relationships" => Some(Self::Relationships),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Header => "Header",
            Self::Models => "Models",
            Self::Twins => "Twins",
            Self::Relationships => "Relationships",
        }
    }
}

/// What a line means.
#[derive(Debug, PartialEq)]
pub(super) enum Line {
    Section(Section),
    /// A line of the section it is in.
    Entry(Section, Value),
    /// A line that is no JSON object; the import goes on after it.
    Broken(Section, String),
}

/// Reads lines and keeps track of the section.
pub(super) struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    section: Option<Section>,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, buffer: Vec::new(), section: None, number: 0 }
    }

    /// Number of the last line, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The next line that means something. An error ends the import.
    pub(super) fn next(&mut self) -> Result<Option<Line>, String> {
        loop {
            if !self.read_line()? {
                return Ok(None);
            }
            let text = self.buffer.trim_ascii();
            // Editors on Windows put a mark in front of the first line.
            let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
            if text.is_empty() {
                continue;
            }
            let value: Result<Value, _> = serde_json::from_slice(text);
            let number = self.number;
            let value = match (value, self.section) {
                (Ok(Value::Object(map)), _) => Value::Object(map),
                (_, None) => {
                    return Err(format!(
                        "line {number} comes before any section: begin with {{\"Section\": \"Header\"}}"
                    ));
                }
                (Ok(_), Some(section)) => {
                    return Ok(Some(Line::Broken(section, format!("line {number} is no JSON object"))));
                }
                (Err(error), Some(section)) => {
                    return Ok(Some(Line::Broken(section, format!("line {number} is no JSON: {error}"))));
                }
            };
            if let (Some(name), Some(1)) =
                (value["Section"].as_str(), value.as_object().map(serde_json::Map::len))
            {
                return self.begin(name).map(Some);
            }
            match self.section {
                Some(Section::Header) => self.check_header(&value)?,
                Some(section) => return Ok(Some(Line::Entry(section, value))),
                None => {
                    return Err(format!(
                        "line {number} comes before any section: begin with {{\"Section\": \"Header\"}}"
                    ));
                }
            }
        }
    }

    fn begin(&mut self, name: &str) -> Result<Line, String> {
        let number = self.number;
        let section = Section::from_name(name).ok_or_else(|| {
            format!(
                "the section '{name}' in line {number} is not known: use Header, Models, Twins, Relationships"
            )
        })?;
        match self.section {
            None if section != Section::Header => {
                return Err(format!("line {number} begins with '{name}': the first section is Header"));
            }
            Some(before) if before >= section => {
                return Err(format!(
                    "the section '{name}' in line {number} comes after '{}': keep the order Header, Models, Twins, Relationships",
                    before.name()
                ));
            }
            _ => {}
        }
        self.section = Some(section);
        Ok(Line::Section(section))
    }

    fn check_header(&self, header: &Value) -> Result<(), String> {
        match header["fileVersion"].as_str() {
            Some(version) if version.split('.').next() == Some("1") => Ok(()),
            _ => Err(format!(
                "the header in line {} has no fileVersion that is known: use \"1.0.0\"",
                self.number
            )),
        }
    }

    fn read_line(&mut self) -> Result<bool, String> {
        self.buffer.clear();
        self.number += 1;
        loop {
            let available =
                self.reader.fill_buf().map_err(|error| format!("the input broke off: {error}"))?;
            if available.is_empty() {
                return Ok(!self.buffer.is_empty());
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let take = end.map_or(available.len(), |end| end + 1);
            if self.buffer.len() + take > LONGEST_LINE {
                return Err(format!("line {} is longer than {LONGEST_LINE} bytes", self.number));
            }
            self.buffer.extend_from_slice(&available[..take]);
            self.reader.consume(take);
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Result<Vec<Line>, String> {
        let mut lines = Lines::new(text.as_bytes());
        let mut found = Vec::new();
        while let Some(line) = lines.next()? {
            found.push(line);
        }
        Ok(found)
    }

    #[test]
    fn sections_are_told_apart_and_order_is_kept() {
        let text = "\u{feff}{\"Section\":\"Header\"}\r\n{\"fileVersion\":\"1.0.0\",\"author\":\"a\"}\n\n{\"Section\":\"Twins\"}\n{\"$dtId\":\"a\"}\nnonsense\n";
        let lines = all(text).unwrap();
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert!(matches!(&lines[3], Line::Broken(Section::Twins, text) if text.contains("line 6")));
        for (text, piece) in [
            ("{}", "before any section"),
            ("{\"Section\":\"Twins\"}", "first section is Header"),
            ("{\"Section\":\"Header\"}\n{\"fileVersion\":\"2.0\"}", "no fileVersion"),
            ("{\"Section\":\"Header\"}\n{\"Section\":\"Twins\"}\n{\"Section\":\"Models\"}", "keep the order"),
            ("{\"Section\":\"Header\"}\n{\"Section\":\"Other\"}", "not known"),
        ] {
            assert!(all(text).unwrap_err().contains(piece), "{text}");
        }
        assert!(all(&"x".repeat(LONGEST_LINE + 1)).unwrap_err().contains("longer than"));
    }
}
