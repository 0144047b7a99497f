//! Tokens of JSON by RFC 8259: strings, numbers, white space.

use crate::source::offset;

/// A place and what is wrong there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Syntax {
    pub(crate) at: u32,
    pub(crate) message: &'static str,
}

/// Walks over the bytes of a text.
#[derive(Debug)]
pub(crate) struct Cursor<'t> {
    text: &'t str,
    bytes: &'t [u8],
    pub(crate) position: usize,
}

impl<'t> Cursor<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, bytes: text.as_bytes(), position: 0 }
    }

    pub(crate) fn here(&self) -> u32 {
        offset(self.position)
    }

    pub(crate) fn fault<T>(&self, message: &'static str) -> Result<T, Syntax> {
        Err(Syntax { at: self.here(), message })
    }

    /// The next byte that is no white space, without taking it.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.bytes.get(self.position) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(*byte);
            }
            self.position += 1;
        }
        None
    }

    /// Takes `byte` if it comes next.
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.position += 1;
        }
        found
    }

    /// Takes `true`, `false` or `null`.
    pub(crate) fn word(&mut self, word: &str) -> Result<(), Syntax> {
        if self.text[self.position..].starts_with(word) {
            self.position += word.len();
            Ok(())
        } else {
            self.fault(
                "is no value of JSON: write a string, a number, true, false, null, an object or an array",
            )
        }
    }

    pub(crate) fn number(&mut self) -> Result<f64, Syntax> {
        let start = self.position;
        let digits = |cursor: &mut Self| {
            let from = cursor.position;
            while cursor.bytes.get(cursor.position).is_some_and(u8::is_ascii_digit) {
                cursor.position += 1;
            }
            cursor.position - from
        };
        if self.bytes.get(self.position) == Some(&b'-') {
            self.position += 1;
        }
        let first = self.bytes.get(self.position).copied();
        let whole = digits(self);
        let mut well_formed = whole > 0 && !(whole > 1 && first == Some(b'0'));
        if self.bytes.get(self.position) == Some(&b'.') {
            self.position += 1;
            well_formed &= digits(self) > 0;
        }
        if matches!(self.bytes.get(self.position), Some(b'e' | b'E')) {
            self.position += 1;
            if matches!(self.bytes.get(self.position), Some(b'+' | b'-')) {
                self.position += 1;
            }
            well_formed &= digits(self) > 0;
        }
        match self.text[start..self.position].parse() {
            Ok(number) if well_formed => Ok(number),
            _ => Err(Syntax { at: offset(start), message: "is no number of JSON: write it as in -12.5e3" }),
        }
    }

    /// A string; the cursor stands on its quote.
    pub(crate) fn string(&mut self) -> Result<String, Syntax> {
        let start = self.position;
        self.position += 1;
        let mut out = String::new();
        loop {
            let plain = self.position;
            while self.bytes.get(self.position).is_some_and(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)) {
                self.position += 1;
            }
            // Quotes, backslashes and control characters are never inside a character of several bytes.
            out.push_str(&self.text[plain..self.position]);
            match self.bytes.get(self.position) {
                Some(b'"') => {
                    self.position += 1;
                    return Ok(out);
                }
                Some(b'\\') => self.escape(&mut out)?,
                Some(_) => {
                    return self
                        .fault("is a control character: write it as an escape inside a string, as in \\n");
                }
                None => {
                    return Err(Syntax {
                        at: offset(start),
                        message: "begins a string that never ends: close it with a quote",
                    });
                }
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), Syntax> {
        let plain = match self.bytes.get(self.position + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let first = self.unit(self.position + 2)?;
                let (code, length) = if (0xD800..0xDC00).contains(&first)
                    && self.bytes.get(self.position + 6..self.position + 8) == Some(b"\\u")
                {
                    let second = self.unit(self.position + 8)?;
                    let low = second.wrapping_sub(0xDC00);
                    if low >= 0x400 {
                        return self.fault("is half a character: write both halves of the pair");
                    }
                    (0x10000 + ((first - 0xD800) << 10) + low, 12)
                } else {
                    (first, 6)
                };
                let Some(character) = char::from_u32(code) else {
                    return self.fault("is half a character: write both halves of the pair");
                };
                out.push(character);
                self.position += length;
                return Ok(());
            }
            _ => {
                return self.fault(
                    "is no escape of JSON: use \\\" \\\\ \\/ \\b \\f \\n \\r \\t or \\u and four digits",
                );
            }
        };
        out.push(plain);
        self.position += 2;
        Ok(())
    }

    fn unit(&self, from: usize) -> Result<u32, Syntax> {
        let digits = self.bytes.get(from..from + 4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .ok_or(Syntax { at: self.here(), message: "needs four hexadecimal digits after \\u" })
    }
}
