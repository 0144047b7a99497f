//! Text to tokens, each with its place.

use serde_json::Number;

use super::error::{Place, QueryError};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    /// A word: keyword, name, `$dtId`. Case as written.
    Word(String),
    /// A name in double brackets, never a keyword.
    Quoted(String),
    Text(String),
    Number(Number),
    /// One of [`SIGNS`].
    Sign(&'static str),
    End,
}

#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub(crate) token: Token,
    pub(crate) place: Place,
}

struct Lexer<'a> {
    rest: &'a str,
    place: Place,
}

/// Arrows of MATCH are not among them: `T.x<-1` compares with minus one.
const SIGNS: [&str; 17] =
    ["!=", "<>", "<=", ">=", "=", "<", ">", "*", ",", ".", "(", ")", "[", "]", "-", ":", "|"];

pub(crate) fn lex(text: &str) -> Result<Vec<Placed>, QueryError> {
    let mut lexer = Lexer { rest: text, place: Place { line: 1, position: 1 } };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_space();
        let place = lexer.place;
        let token = lexer.next()?;
        let end = token == Token::End;
        tokens.push(Placed { token, place });
        if end {
            return Ok(tokens);
        }
    }
}

pub(crate) fn is_name_start(character: char) -> bool {
    character.is_alphabetic() || character == '_' || character == '$'
}

fn is_name_part(character: char) -> bool {
    character.is_alphanumeric() || character == '_' || character == '$'
}

impl Lexer<'_> {
    fn error(&self, message: impl Into<String>) -> QueryError {
        self.place.error(message)
    }

    /// Moves forward by so many bytes, which must end at a character.
    fn advance(&mut self, bytes: usize) {
        let (done, rest) = self.rest.split_at(bytes);
        for character in done.chars() {
            if character == '\n' {
                self.place = Place { line: self.place.line + 1, position: 1 };
            } else {
                self.place.position += 1;
            }
        }
        self.rest = rest;
    }

    fn skip_space(&mut self) {
        let space = self.rest.len() - self.rest.trim_start().len();
        self.advance(space);
    }

    fn next(&mut self) -> Result<Token, QueryError> {
        let Some(first) = self.rest.chars().next() else { return Ok(Token::End) };
        if first == '\'' {
            return self.text();
        }
        if let Some(inner) = self.rest.strip_prefix("[[") {
            let Some(end) = inner.find("]]").filter(|end| *end > 0) else {
                return Err(self.error("a name in [[ is empty or has no end: write it as [[name]]"));
            };
            let name = inner[..end].to_owned();
            self.advance(end + 4);
            return Ok(Token::Quoted(name));
        }
        let negative = first == '-' && self.rest[1..].starts_with(|next: char| next.is_ascii_digit());
        if first.is_ascii_digit() || negative {
            return self.number();
        }
        if is_name_start(first) {
            let end = self.rest.find(|character| !is_name_part(character)).unwrap_or(self.rest.len());
            let word = self.rest[..end].to_owned();
            self.advance(end);
            return Ok(Token::Word(word));
        }
        if let Some(sign) = SIGNS.iter().find(|sign| self.rest.starts_with(**sign)) {
            self.advance(sign.len());
            return Ok(Token::Sign(if *sign == "<>" { "!=" } else { sign }));
        }
        Err(self.error(match first {
            '"' | '\u{2018}' | '\u{2019}' | '\u{201c}' | '\u{201d}' => {
                format!("{first} does not begin a text: put texts between ' and '")
            }
            '@' => "parameters are not part of the language: put the value itself here".to_owned(),
            other => format!("the character '{other}' has no meaning here: remove it"),
        }))
    }

    /// A text in single quotation marks; `\'` and `''` stand for one of them, `\\` for a backslash.
    fn text(&mut self) -> Result<Token, QueryError> {
        let mut text = String::new();
        let mut characters = self.rest.char_indices().skip(1).peekable();
        while let Some((index, character)) = characters.next() {
            match character {
                '\\' => match characters.peek() {
                    Some((_, escaped @ ('\'' | '\\' | '"'))) => {
                        text.push(*escaped);
                        characters.next();
                    }
                    _ => text.push('\\'),
                },
                '\'' if characters.peek().is_some_and(|(_, next)| *next == '\'') => {
                    text.push('\'');
                    characters.next();
                }
                '\'' => {
                    self.advance(index + 1);
                    return Ok(Token::Text(text));
                }
                other => text.push(other),
            }
        }
        Err(self.error("a text has no end: close it with ', and write \\' for one inside it"))
    }

    /// An integer, or a number with a fraction or exponent. Two points in a row are no fraction but the range of MATCH.
    fn number(&mut self) -> Result<Token, QueryError> {
        let bytes = self.rest.as_bytes();
        let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut end = usize::from(bytes[0] == b'-');
        end += digits(end);
        if bytes.get(end) == Some(&b'.') && digits(end + 1) > 0 {
            end += 1 + digits(end + 1);
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            if end + 1 + sign < bytes.len() && digits(end + 1 + sign) > 0 {
                end += 1 + sign + digits(end + 1 + sign);
            }
        }
        let text = &self.rest[..end];
        if self.rest[end..].starts_with(is_name_start) {
            return Err(self.error(format!(
                "'{text}' runs into a word: a name that begins with a digit is written as [[{text}…]]"
            )));
        }
        let number = text.parse::<i64>().ok().map(Number::from);
        let number = number.or_else(|| text.parse::<u64>().ok().map(Number::from));
        let number = number.or_else(|| text.parse::<f64>().ok().and_then(Number::from_f64));
        let Some(number) = number else {
            return Err(self.error(format!("'{text}' is too large for a number: use a smaller one")));
        };
        self.advance(end);
        Ok(Token::Number(number))
    }
}
