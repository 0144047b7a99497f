//! Text to tokens, each with its place.

/// What is wrong with a query, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (line {line}, position {position})")]
pub struct QueryError {
    /// Line from 1.
    pub line: usize,
    /// Position in the line, in characters from 1.
    pub position: usize,
    /// What is wrong, and what was expected.
    pub message: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    /// A word: keyword, name, `$dtId`. Case as written.
    Word(String),
    /// A name in double brackets, never a keyword.
    Quoted(String),
    Text(String),
    Number(serde_json::Number),
    /// One of `* , . ( ) [ ] = != < > <= >=`.
    Sign(&'static str),
    End,
}

#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub(crate) token: Token,
    pub(crate) line: usize,
    pub(crate) position: usize,
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    position: usize,
}

const SIGNS: [&str; 15] = ["!=", "<>", "<=", ">=", "=", "<", ">", "*", ",", ".", "(", ")", "[", "]", "-"];

pub(crate) fn lex(text: &str) -> Result<Vec<Placed>, QueryError> {
    let mut lexer = Lexer { rest: text, line: 1, position: 1 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_space();
        let (line, position) = (lexer.line, lexer.position);
        let token = lexer.next()?;
        let end = token == Token::End;
        tokens.push(Placed { token, line, position });
        if end {
            return Ok(tokens);
        }
    }
}

impl Lexer<'_> {
    fn error(&self, message: impl Into<String>) -> QueryError {
        QueryError { line: self.line, position: self.position, message: message.into() }
    }

    /// Moves forward by so many bytes, which must end at a character.
    fn advance(&mut self, bytes: usize) {
        let (done, rest) = self.rest.split_at(bytes);
        for character in done.chars() {
            if character == '\n' {
                (self.line, self.position) = (self.line + 1, 1);
            } else {
                self.position += 1;
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
            let Some(end) = inner.find("]]") else {
                return Err(self.error("a name in [[ has no end: close it with ]]"));
            };
            let name = inner[..end].to_owned();
            self.advance(end + 4);
            return Ok(Token::Quoted(name));
        }
        let negative = first == '-' && self.rest[1..].starts_with(|next: char| next.is_ascii_digit());
        if first.is_ascii_digit() || negative {
            return self.number();
        }
        if first.is_alphabetic() || first == '_' || first == '$' {
            let other =
                |character: char| !(character.is_alphanumeric() || character == '_' || character == '$');
            let end = self.rest.find(other).unwrap_or(self.rest.len());
            let word = self.rest[..end].to_owned();
            self.advance(end);
            return Ok(Token::Word(word));
        }
        match SIGNS.iter().find(|sign| self.rest.starts_with(**sign)) {
            Some(sign) => {
                self.advance(sign.len());
                Ok(Token::Sign(if *sign == "<>" { "!=" } else { sign }))
            }
            None => Err(self.error(format!("the character '{first}' has no meaning here"))),
        }
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
        Err(self.error("a text has no end: close it with '"))
    }

    fn number(&mut self) -> Result<Token, QueryError> {
        let mut end = 1;
        let bytes = self.rest.as_bytes();
        while let Some(byte) = bytes.get(end) {
            let sign_of_exponent = matches!(byte, b'+' | b'-') && matches!(bytes[end - 1], b'e' | b'E');
            if !(byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E') || sign_of_exponent) {
                break;
            }
            end += 1;
        }
        let text = &self.rest[..end];
        let number = text.parse::<i64>().ok().map(serde_json::Number::from);
        let number = number.or_else(|| text.parse::<f64>().ok().and_then(serde_json::Number::from_f64));
        let Some(number) = number else { return Err(self.error(format!("'{text}' is no number"))) };
        self.advance(end);
        Ok(Token::Number(number))
    }
}
