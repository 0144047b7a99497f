//! A pull scanner for JSON text: walks, skips and unescapes without building a tree.
//!
//! The host's bodies are mostly text that nobody asks for, encoded twice. So the scanner reads eight
//! bytes at a time where strings are concerned, and checks only the balance of what it skips; what is
//! handed out is checked in full. It keeps no stack beyond one word of bits, so depth costs nothing.

mod escape;
#[cfg(test)]
mod tests;

use self::escape::{find_quote_or_escape, unescape};
use crate::error::{Fault, MAX_DEPTH, Problem};

pub(crate) use self::escape::{Escape, copy_run, unescape_some};

type Scan<T> = Result<T, Fault>;

/// A string's place in the input, without its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) escaped: bool,
}

/// A position in JSON text.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    input: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self { input, position: 0 }
    }

    pub(crate) fn position(&self) -> usize {
        self.position
    }

    pub(crate) fn input(&self) -> &'a [u8] {
        self.input
    }

    /// Goes to a position that another reader of the same input has reached.
    pub(crate) fn jump(&mut self, position: usize) {
        self.position = position;
    }

    pub(crate) fn fault(&self, problem: Problem) -> Fault {
        let problem = if self.position >= self.input.len() { Problem::Truncated } else { problem };
        Fault { position: self.position, problem }
    }

    pub(crate) fn bytes(&self, token: Token) -> &'a [u8] {
        self.input.get(token.start..token.end).unwrap_or_default()
    }

    /// The next byte that is no white space, left in place.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.input.get(self.position)?;
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.position += 1;
        }
    }

    #[inline]
    pub(crate) fn expect(&mut self, byte: u8, name: &'static str) -> Scan<()> {
        if self.peek() == Some(byte) {
            self.position += 1;
            return Ok(());
        }
        Err(self.fault(Problem::Expected(name)))
    }

    /// Checks that nothing but white space is left.
    pub(crate) fn finish(&mut self) -> Scan<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.fault(Problem::TrailingText)),
        }
    }

    /// Moves to the next member of the object entered last; `first` starts as true.
    #[inline]
    pub(crate) fn next_member(&mut self, first: &mut bool) -> Scan<Option<Token>> {
        match self.peek() {
            Some(b'}') => {
                self.position += 1;
                return Ok(None);
            }
            Some(b',') if !*first => self.position += 1,
            Some(_) if *first => {}
            _ => return Err(self.fault(Problem::Expected("`,` or `}`"))),
        }
        *first = false;
        let key = self.string()?;
        self.expect(b':', "`:`")?;
        Ok(Some(key))
    }

    /// Moves to the next element of the array entered last; `first` starts as true.
    #[inline]
    pub(crate) fn next_element(&mut self, first: &mut bool) -> Scan<bool> {
        match self.peek() {
            Some(b']') => {
                self.position += 1;
                return Ok(false);
            }
            Some(b',') if !*first => self.position += 1,
            Some(_) if *first => {}
            _ => return Err(self.fault(Problem::Expected("`,` or `]`"))),
        }
        *first = false;
        Ok(true)
    }

    /// Reads a string and says whether it holds escapes.
    #[inline]
    pub(crate) fn string(&mut self) -> Scan<Token> {
        self.expect(b'"', "a string")?;
        let start = self.position;
        let mut escaped = false;
        let mut at = start;
        loop {
            let Some(found) = find_quote_or_escape(self.input, at) else {
                self.position = self.input.len();
                return Err(self.fault(Problem::Truncated));
            };
            if self.input[found] == b'"' {
                self.position = found + 1;
                return Ok(Token { start, end: found, escaped });
            }
            escaped = true;
            at = found + 2;
        }
    }

    /// Reads a string if one is next, `None` for `null`.
    pub(crate) fn string_or_null(&mut self) -> Scan<Option<Token>> {
        match self.peek() {
            Some(b'"') => self.string().map(Some),
            Some(b'n') => self.skip_value().map(|()| None),
            _ => Err(self.fault(Problem::Expected("a string or null"))),
        }
    }

    /// Reads an integer, also one written as a string.
    #[inline]
    pub(crate) fn integer(&mut self) -> Scan<i64> {
        if self.peek() == Some(b'"') {
            let token = self.string()?;
            let mut inner = Cursor { input: self.bytes(token), position: 0 };
            return inner
                .integer_digits()
                .and_then(|value| inner.finish().map(|()| value))
                .map_err(|fault| Fault { position: fault.position + token.start, ..fault });
        }
        self.integer_digits()
    }

    fn integer_digits(&mut self) -> Scan<i64> {
        let negative = self.peek() == Some(b'-');
        let start = self.position;
        self.position += usize::from(negative);
        let digits_start = self.position;
        let mut value: i64 = 0;
        while let Some(digit) = self.input.get(self.position).filter(|byte| byte.is_ascii_digit()) {
            // Built up as a negative number, so that the smallest one fits too.
            value = value
                .checked_mul(10)
                .and_then(|tens| tens.checked_sub(i64::from(digit - b'0')))
                .ok_or(Fault { position: start, problem: Problem::NumberTooLarge })?;
            self.position += 1;
        }
        let fraction = matches!(self.input.get(self.position), Some(b'.' | b'e' | b'E'));
        if self.position == digits_start || fraction {
            return Err(Fault { position: start, problem: Problem::Expected("an integer") });
        }
        if negative {
            return Ok(value);
        }
        value.checked_neg().ok_or(Fault { position: start, problem: Problem::NumberTooLarge })
    }

    /// Steps over one value and returns its text.
    pub(crate) fn raw_value(&mut self) -> Scan<&'a [u8]> {
        self.peek();
        let start = self.position;
        self.skip_value()?;
        Ok(self.input.get(start..self.position).unwrap_or_default())
    }

    /// Steps over one value. Brackets must balance and strings must end; commas are not checked.
    #[inline]
    pub(crate) fn skip_value(&mut self) -> Scan<()> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{' | b'[') => self.skip_nested(),
            Some(_) => self.skip_scalar(),
            None => Err(self.fault(Problem::Truncated)),
        }
    }

    fn skip_nested(&mut self) -> Scan<()> {
        let mut depth = 0_u32;
        // One bit a level: set for an object, clear for an array.
        let mut kinds = 0_u64;
        loop {
            let Some(&byte) = self.input.get(self.position) else {
                return Err(self.fault(Problem::Truncated));
            };
            match byte {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => {
                    if depth == MAX_DEPTH {
                        return Err(self.fault(Problem::TooDeep));
                    }
                    depth += 1;
                    kinds = (kinds << 1) | u64::from(byte == b'{');
                }
                b'}' | b']' => {
                    if (kinds & 1 == 1) != (byte == b'}') {
                        return Err(self.fault(Problem::Expected("the bracket that was opened last")));
                    }
                    depth -= 1;
                    kinds >>= 1;
                    if depth == 0 {
                        self.position += 1;
                        return Ok(());
                    }
                }
                _ => {}
            }
            self.position += 1;
        }
    }

    fn skip_scalar(&mut self) -> Scan<()> {
        let rest = self.input.get(self.position..).unwrap_or_default();
        let length = rest
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.'))
            .count();
        let (text, _) = rest.split_at(length);
        let number = text.first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-')
            && text
                .iter()
                .all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E'));
        if !number && !matches!(text, b"true" | b"false" | b"null") {
            return Err(self.fault(Problem::Expected("a JSON value")));
        }
        self.position += length;
        Ok(())
    }

    /// Unescapes the string that is next into `out[at..]`, which must have room for the rest of the
    /// input and eight bytes more; returns where the written text ends.
    pub(crate) fn unescape_next(&mut self, out: &mut [u8], at: usize) -> Scan<usize> {
        self.expect(b'"', "a string")?;
        let (read, written) = unescape(self.input, self.position, out, at)?;
        self.position = read;
        Ok(written)
    }

    /// Appends the text of a string with escapes to `out`.
    pub(crate) fn unescape_token(&self, token: Token, out: &mut Vec<u8>) -> Scan<()> {
        let start = out.len();
        out.resize(start + (token.end - token.start) + 8, 0);
        // The closing quote is part of what is given, since it is what ends the walk.
        let input = self.input.get(..=token.end).unwrap_or_default();
        let (_, written) = unescape(input, token.start, out, start)?;
        out.truncate(written);
        Ok(())
    }
}
