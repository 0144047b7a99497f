//! Single entries of the arrays: bodies and property objects.

use base64_simd::STANDARD;

use super::BodyEncoding;
use super::store::{Span, keep_string};
use crate::error::{Fault, Problem};
use crate::scan::Cursor;

pub(crate) fn body_entry(
    cursor: &mut Cursor<'_>,
    base: usize,
    encoding: BodyEncoding,
    bytes: &mut Vec<u8>,
) -> Result<Span, Fault> {
    if encoding == BodyEncoding::Json {
        cursor.peek();
        let start = cursor.position();
        cursor.skip_value()?;
        return Ok(Span::in_text(base + start, base + cursor.position()));
    }
    let Some(token) = cursor.string_or_null()? else { return Ok(Span::NONE) };
    if encoding == BodyEncoding::Text {
        return keep_string(cursor, token, base, bytes);
    }
    if token.escaped {
        // `\/` is a legal way to write a slash of base64, though no host does.
        let mut plain = Vec::new();
        cursor.unescape_token(token, &mut plain)?;
        return base64_span(&plain, token.start, bytes);
    }
    base64_span(cursor.bytes(token), token.start, bytes)
}

pub(crate) fn base64_span(encoded: &[u8], position: usize, bytes: &mut Vec<u8>) -> Result<Span, Fault> {
    let start = bytes.len();
    STANDARD.decode_append(encoded, bytes).map_err(|_| Fault { position, problem: Problem::BadBase64 })?;
    Ok(Span::in_bytes(start, bytes.len()))
}

pub(crate) fn object_span(cursor: &mut Cursor<'_>, base: usize) -> Result<Span, Fault> {
    match cursor.peek() {
        Some(b'{') => {
            let start = cursor.position();
            cursor.skip_value()?;
            Ok(Span::in_text(base + start, base + cursor.position()))
        }
        Some(b'n') => cursor.skip_value().map(|()| Span::NONE),
        _ => Err(cursor.fault(Problem::Expected("an object or null"))),
    }
}
