//! What all invocations share: `{"Data":{binding: value},"Metadata":{name: value}}`, where most values
//! are JSON text inside a JSON string.

use std::borrow::Cow;

use serde::Deserialize;

use crate::error::{DecodeError, Fault, Problem, shorten};
use crate::scan::{Cursor, Token};
use crate::time::parse_time;

/// Receives the members of an invocation, in the order of the body. Each call has to read the value
/// that the cursor stands before.
pub(crate) trait Visitor<'a> {
    fn data(&mut self, binding: &str, value: &mut Cursor<'a>) -> Result<(), DecodeError>;
    fn metadata(&mut self, name: &str, value: &mut Cursor<'a>) -> Result<(), DecodeError>;
}

/// Walks a whole invocation. `binding` picks the trigger's member of `Data`; without it there may be
/// only one.
pub(crate) fn walk<'a>(
    body: &'a [u8],
    binding: Option<&str>,
    visitor: &mut impl Visitor<'a>,
) -> Result<String, DecodeError> {
    let in_body = |fault: Fault| fault.in_field("body");
    let mut cursor = Cursor::new(body);
    cursor.expect(b'{', "`{`").map_err(in_body)?;
    let mut found: Option<String> = None;
    let mut has_metadata = false;
    let mut first = true;
    while let Some(key) = cursor.next_member(&mut first).map_err(in_body)? {
        match cursor.bytes(key) {
            b"Data" => {
                cursor.expect(b'{', "`{`").map_err(|fault| fault.in_field("Data"))?;
                let mut first = true;
                while let Some(key) =
                    cursor.next_member(&mut first).map_err(|fault| fault.in_field("Data"))?
                {
                    let name = text_of(&cursor, key).map_err(|fault| fault.in_field("Data"))?;
                    match (binding, &found) {
                        (Some(wanted), _) if wanted != name => {
                            cursor.skip_value().map_err(|fault| fault.in_field("Data"))?;
                        }
                        (_, Some(known)) => {
                            return Err(DecodeError::Ambiguous {
                                first: shorten(known),
                                second: shorten(&name),
                            });
                        }
                        _ => {
                            visitor.data(&name, &mut cursor)?;
                            found = Some(name.into_owned());
                        }
                    }
                }
            }
            b"Metadata" => {
                has_metadata = true;
                cursor.expect(b'{', "`{`").map_err(|fault| fault.in_field("Metadata"))?;
                let mut first = true;
                while let Some(key) =
                    cursor.next_member(&mut first).map_err(|fault| fault.in_field("Metadata"))?
                {
                    let name = text_of(&cursor, key).map_err(|fault| fault.in_field("Metadata"))?;
                    visitor.metadata(&name, &mut cursor)?;
                }
            }
            _ => cursor.skip_value().map_err(in_body)?,
        }
    }
    cursor.finish().map_err(in_body)?;
    if !has_metadata {
        return Err(DecodeError::missing("Metadata"));
    }
    found.ok_or_else(|| DecodeError::missing(&format!("Data.{}", binding.unwrap_or("<binding>"))))
}

fn text_of<'a>(cursor: &Cursor<'a>, token: Token) -> Result<Cow<'a, str>, Fault> {
    let bad = Fault { position: token.start, problem: Problem::BadUtf8 };
    if !token.escaped {
        return std::str::from_utf8(cursor.bytes(token)).map(Cow::Borrowed).map_err(|_| bad);
    }
    let mut out = Vec::new();
    cursor.unescape_token(token, &mut out)?;
    String::from_utf8(out).map(Cow::Owned).map_err(|_| bad)
}

/// The text of the next value with the host's outer encoding off: a string's content, or the JSON text
/// of anything else.
pub(crate) fn value_text<'a>(cursor: &mut Cursor<'a>, field: &str) -> Result<Cow<'a, str>, DecodeError> {
    let in_field = |fault: Fault| fault.in_field(field);
    if cursor.peek() == Some(b'"') {
        let token = cursor.string().map_err(in_field)?;
        return text_of(cursor, token).map_err(in_field);
    }
    let start = cursor.position();
    let raw = cursor.raw_value().map_err(in_field)?;
    std::str::from_utf8(raw)
        .map(Cow::Borrowed)
        .map_err(|_| Fault { position: start, problem: Problem::BadUtf8 }.in_field(field))
}

/// A text that is a JSON string itself loses that second encoding; any other text stays as it is.
pub(crate) fn second_decoding<'a>(text: Cow<'a, str>, field: &str) -> Result<Cow<'a, str>, DecodeError> {
    if !text.starts_with('"') {
        return Ok(text);
    }
    let in_field = |fault: Fault| fault.in_field(field);
    let mut cursor = Cursor::new(text.as_bytes());
    let token = cursor.string().map_err(in_field)?;
    let inner = text_of(&cursor, token).map_err(in_field)?.into_owned();
    cursor.finish().map_err(in_field)?;
    Ok(Cow::Owned(inner))
}

/// A scalar of the metadata: strings there are encoded twice, dates and numbers once.
pub(crate) fn scalar_text<'a>(cursor: &mut Cursor<'a>, field: &str) -> Result<Cow<'a, str>, DecodeError> {
    second_decoding(value_text(cursor, field)?, field)
}

/// Time of a scalar in microseconds since 1970 UTC.
pub(crate) fn scalar_time(cursor: &mut Cursor<'_>, field: &str) -> Result<i64, DecodeError> {
    let text = scalar_text(cursor, field)?;
    parse_time(text.as_bytes())
        .ok_or_else(|| Fault { position: 0, problem: Problem::BadTime }.in_field(field))
}

/// Integer of a scalar, which the host writes as a string.
pub(crate) fn scalar_integer(cursor: &mut Cursor<'_>, field: &str) -> Result<i64, DecodeError> {
    let text = scalar_text(cursor, field)?;
    let mut inner = Cursor::new(text.as_bytes());
    inner.integer().and_then(|value| inner.finish().map(|()| value)).map_err(|fault| fault.in_field(field))
}

/// What the host says about itself in `Metadata.sys`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SystemMetadata {
    /// Name of the function (the folder of its function.json).
    pub function_name: Option<String>,
    /// When the host built the invocation, in microseconds since 1970 UTC.
    pub utc_now_us: Option<i64>,
    /// A random identifier of the invocation.
    pub random_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SystemWire {
    method_name: Option<String>,
    utc_now: Option<String>,
    rand_guid: Option<String>,
}

impl SystemMetadata {
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        const FIELD: &str = "Metadata.sys";
        let text = value_text(cursor, FIELD)?;
        let wire: Option<SystemWire> =
            serde_json::from_str(&text).map_err(|cause| DecodeError::shape(FIELD, &cause))?;
        let Some(wire) = wire else { return Ok(Self::default()) };
        Ok(Self {
            function_name: wire.method_name,
            utc_now_us: wire.utc_now.and_then(|time| parse_time(time.as_bytes())),
            random_id: wire.rand_guid,
        })
    }
}

/// Which attempt of a function with a retry policy this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryContext {
    /// Number of attempts before this one; 0 on the first call.
    pub retry_count: i64,
    /// The policy's `maxRetryCount`; -1 means without end.
    pub max_retry_count: i64,
    /// JSON text of the last attempt's exception.
    pub exception: Option<String>,
}

impl RetryContext {
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Option<Self>, DecodeError> {
        const FIELD: &str = "Metadata.RetryContext";
        let text = value_text(cursor, FIELD)?;
        if text == "null" {
            return Ok(None);
        }
        let mut inner = Cursor::new(text.as_bytes());
        Self::members(&mut inner).map(Some).map_err(|fault| fault.in_field(FIELD))
    }

    fn members(cursor: &mut Cursor<'_>) -> Result<Self, Fault> {
        let mut context = Self { retry_count: 0, max_retry_count: 0, exception: None };
        cursor.expect(b'{', "`{`")?;
        let mut first = true;
        while let Some(key) = cursor.next_member(&mut first)? {
            match cursor.bytes(key) {
                b"RetryCount" => context.retry_count = cursor.integer()?,
                b"MaxRetryCount" => context.max_retry_count = cursor.integer()?,
                b"Exception" => {
                    let raw = cursor.raw_value()?;
                    context.exception = (raw != b"null").then(|| String::from_utf8_lossy(raw).into_owned());
                }
                _ => cursor.skip_value()?,
            }
        }
        cursor.finish()?;
        Ok(context)
    }
}

/// The names of top-level fields of a message that the host copied over its metadata.
///
/// For a single message that looks like a JSON object, the host adds every top-level field that is no
/// array to the metadata, over what is there, names compared without case. The names are therefore in
/// the sender's hand and what stands under them cannot be trusted.
#[derive(Debug, Default)]
pub(crate) struct Shadows {
    names: Vec<String>,
    /// The message looks like an object but cannot be read to its end; the host's reader accepts more
    /// than JSON (comments, single quotes), so any name may have been overwritten.
    everything: bool,
}

impl Shadows {
    pub(crate) fn of_message(text: &str) -> Self {
        let text = text.trim();
        if !(text.starts_with('{') && text.ends_with('}')) {
            return Self::default();
        }
        let mut cursor = Cursor::new(text.as_bytes());
        let mut names = Vec::new();
        let walked = Self::collect(&mut cursor, &mut names);
        Self { everything: walked.is_err(), names }
    }

    fn collect(cursor: &mut Cursor<'_>, names: &mut Vec<String>) -> Result<(), Fault> {
        cursor.expect(b'{', "`{`")?;
        let mut first = true;
        while let Some(key) = cursor.next_member(&mut first)? {
            names.push(text_of(cursor, key)?.to_ascii_lowercase());
            cursor.skip_value()?;
        }
        cursor.finish()
    }

    pub(crate) fn covers(&self, name: &str) -> bool {
        self.everything || self.names.iter().any(|shadow| shadow.eq_ignore_ascii_case(name))
    }
}
