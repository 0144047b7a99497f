//! What the host says in the headers of a call.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;

/// The header with the invocation's id.
pub(crate) const INVOCATION_ID: &str = "x-azure-functions-invocationid";
const HOST_VERSION: &str = "x-azure-functions-hostversion";
const TRACE_PARENT: &str = "traceparent";

/// The headers of an invocation. A retry of the same batch carries the same id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InvocationContext {
    /// `X-Azure-Functions-InvocationId`, a GUID.
    pub invocation_id: Option<String>,
    /// `X-Azure-Functions-HostVersion`, four numbers.
    pub host_version: Option<String>,
    /// `traceparent`, present where the host has a trace of its own.
    pub trace_parent: Option<TraceParent>,
}

/// A W3C `traceparent`: the trace and the span that a call belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace's 16 bytes, never all zero.
    pub trace_id: [u8; 16],
    /// The caller's span, 8 bytes, never all zero.
    pub span_id: [u8; 8],
    /// Whether the caller records its span.
    pub sampled: bool,
}

impl TraceParent {
    /// Reads the header's value (W3C Trace Context, "traceparent Header"); anything invalid is `None`, and
    /// a newer version is read by the rules of version 00, as the specification wants.
    pub fn parse(value: &str) -> Option<Self> {
        let mut parts = value.trim().split('-');
        let version: [u8; 1] = hex(parts.next()?)?;
        let trace_id: [u8; 16] = hex(parts.next()?)?;
        let span_id: [u8; 8] = hex(parts.next()?)?;
        let flags: [u8; 1] = hex(parts.next()?)?;
        let surplus = parts.next().is_some();
        if version[0] == 0xFF || (version[0] == 0 && surplus) || trace_id == [0; 16] || span_id == [0; 8] {
            return None;
        }
        Some(Self { trace_id, span_id, sampled: flags[0] & 1 == 1 })
    }
}

impl InvocationContext {
    /// Reads the headers; absent or unreadable ones are `None`.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            invocation_id: text(INVOCATION_ID).map(str::to_owned),
            host_version: text(HOST_VERSION).map(str::to_owned),
            trace_parent: text(TRACE_PARENT).and_then(TraceParent::parse),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for InvocationContext {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::from_headers(&parts.headers))
    }
}

fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N || digits.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let value = char::from(pair[0]).to_digit(16)? * 16 + char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(value).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::TraceParent;

    #[test]
    fn reads_a_trace_parent() {
        let parsed = TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
        assert_eq!(parsed.trace_id[..3], [0x0a, 0xf7, 0x65]);
        assert_eq!(parsed.span_id[7], 0x31);
        assert!(parsed.sampled);
    }

    #[test]
    fn refuses_what_is_no_trace_parent() {
        for value in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        ] {
            assert_eq!(TraceParent::parse(value), None, "{value}");
        }
    }
}
